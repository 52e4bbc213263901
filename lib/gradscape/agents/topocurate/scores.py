"""Three scores of a successful trial, two of a task (arXiv 2603.01714; formulas reconstructed from prose)."""
from __future__ import annotations

import itertools
import math
from collections.abc import Hashable

import numpy as np

from gradscape.agents.topocurate.graph import START, WIN, QuotientGraph
from gradscape.validate import at_least, in_range, nonnegative

DROP, CAP, SLACK = 0.1, 2, 0.05


def recovery(graph: QuotientGraph, i: int, drop: float = DROP, cap: int = CAP) -> float:
    """Reflective recovery R of trial ``i``: setbacks from which it came back, at most ``cap``.

    A setback is a turn answered by an error, or one that lowers the potential by more than ``drop``; the trial came
    back when a later node of its path reaches the potential it had before. WIN has potential 1, so that a success came
    back from every setback. Raises ValueError for an unknown trial, drop outside [0, 1], cap < 1.
    """
    path = _path(graph, i)
    in_range("drop", drop, 0.0, 1.0)
    at_least("cap", cap, 1)
    phi = [graph.potential[node] for node in path]
    best = phi[:]  # best[s] = the highest potential from place s on
    for s in range(len(phi) - 2, -1, -1):
        best[s] = max(best[s], best[s + 1])
    back = 0
    for t, error in enumerate(graph.errors[i], start=1):
        setback = error or phi[t - 1] - phi[t] > drop
        back += setback and best[t + 1] >= phi[t - 1]
    return float(min(cap, back))


def efficiency(graph: QuotientGraph, i: int) -> float:
    """Semantic efficiency E of the successful trial ``i``: edges from S to WIN at least, over edges it took; in (0, 1].

    Within one task the numerator is one number: the ranking is "shortest success first". Raises ValueError for an
    unknown or a failed trial.
    """
    return graph.depth[WIN] / (len(_path(graph, i, won=True)) - 1)


def diversity(graph: QuotientGraph, i: int, slack: float = SLACK) -> float:
    """Distributional diversity D of the successful trial ``i``: mean surprisal (nats per edge) of its branches.

    An edge (u, v) counts −log(n+(u, v)/sum_c n+(u, c)) when successes leave u in at least two ways and the potential of
    v is at most ``slack`` below that of u; other edges count 0. Raises ValueError for an unknown or failed trial.
    """
    path = _path(graph, i, won=True)
    nonnegative("slack", slack)
    total = 0.0
    for u, v in itertools.pairwise(path):
        ways = [n for n in (graph.edges[u, c][1] for c in graph.successors[u]) if n]
        if len(ways) >= 2 and graph.potential[v] >= graph.potential[u] - slack:
            total -= math.log(graph.edges[u, v][1] / sum(ways))
    return total / (len(path) - 1)


def trajectory_scores(
    graph: QuotientGraph, *, drop: float = DROP, cap: int = CAP, slack: float = SLACK,
) -> tuple[np.ndarray, np.ndarray]:
    """R, E and D of all successes: (n_success, 3) float64, and which trials they are, (n_success,) int64."""
    trials = [i for i, won in enumerate(graph.success) if won]
    rows = [(recovery(graph, i, drop, cap), efficiency(graph, i), diversity(graph, i, slack)) for i in trials]
    return np.array(rows, dtype=np.float64).reshape(-1, 3), np.array(trials, dtype=np.int64)


def error_branch_ratio(graph: QuotientGraph) -> float:
    """EBR: of the edges that leave branching nodes, the share that no success ever took; 0 without a branching node."""
    leaving = [graph.edges[u, v][1] for u in graph.branching for v in graph.successors[u]]
    return sum(plus == 0 for plus in leaving) / len(leaving) if leaving else 0.0


def strategic_heterogeneity(graph: QuotientGraph) -> float:
    """SH: different chains of tool names among the successes, over the number of successes; 0 without one."""
    chains = [tuple(tool_name(call) for call in trial.calls)
              for trial, won in zip(graph.trajectories, graph.success, strict=True) if won]
    return len(set(chains)) / len(chains) if chains else 0.0


def tool_name(call: Hashable) -> Hashable:
    """The first entry of a call that is a tuple; of a text, what stands before its first bracket."""
    if isinstance(call, tuple) and call:
        return call[0]
    return call.partition("(")[0].strip() if isinstance(call, str) else call


def minmax(values: np.ndarray) -> np.ndarray:
    """Values (n,) or columns (n, k) mapped onto [0, 1]; 0 where they are constant."""
    low, span = values.min(0), np.ptp(values, axis=0)
    return (values - low) / np.where(span > 0, span, 1.0)


def _path(graph: QuotientGraph, i: int, won: bool = False) -> tuple:
    if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < len(graph):
        raise ValueError(f"i={i!r}: must be the number of a trial, 0 to {len(graph) - 1}")
    if won and not graph.success[i]:
        raise ValueError(f"i={i!r}: this trial failed; only successes have this score")
    path = graph.paths[i]
    assert path[0] == START
    return path
