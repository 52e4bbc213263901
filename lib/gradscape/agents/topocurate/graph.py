"""All trials of one task as one graph: equivalent turns become one node (arXiv 2603.01714).

The paper's formulas could not be read; the potential with its constant is this project's reconstruction from prose.
"""
from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from gradscape.agents.toolworld.lexicon import ERRORS
from gradscape.agents.topocurate.equivalence import Equivalence, Turn, classes_of
from gradscape.validate import nonnegative

START, WIN, LOSE = "S", "WIN", "LOSE"
Node: TypeAlias = int | str  # class numbers, and the three above
Edge: TypeAlias = tuple[Node, Node]


class TrajectoryLike(Protocol):
    """What a graph needs of a trial."""

    @property
    def calls(self) -> Sequence[Hashable]: ...
    @property
    def observations(self) -> Sequence[Hashable]: ...
    @property
    def success(self) -> bool: ...


@dataclass(frozen=True)
class Trajectory:
    """One trial: n calls, n observations, whether it succeeded. Entries are hashables of any kind."""

    calls: tuple[Hashable, ...]
    observations: tuple[Hashable, ...]
    success: bool


def is_error(observation: Any) -> bool:
    """Whether an observation reports an error: a status of toolworld, or a text that starts with "error"."""
    if isinstance(observation, tuple) and len(observation) == 5 and all(isinstance(v, int) for v in observation):
        return observation[0] in ERRORS
    return isinstance(observation, str) and observation.lstrip().lower().startswith("error")


class QuotientGraph:
    """The trials of one task merged turn by turn.

    ``equivalence``: None (same call and same observation), a function turn -> hashable, or `JaccardEquivalence`.
    ``kappa``: pseudo-trials with the task's pass rate that every node's potential starts from. ``is_error`` tells which
    observations are errors.

    ``paths``: each trial's nodes, from S to WIN or LOSE; ``nodes``; ``edges`` (u, v) -> (traversals, successful ones);
    ``visits`` node -> (trials, successful trials), each trial once; ``potential`` node -> chance of success,
    Phi(v) = (w_v + kappa p0)/(n_v + kappa), Phi(WIN) = 1, Phi(LOSE) = 0; ``depth`` edges from S; ``turns`` node -> an
    example; ``pass_rate`` p0. A trial that comes back to a node makes a cycle; it is kept.

    Raises ValueError for an empty list, a trial without turns or with as many observations as calls missing, a negative
    or infinite kappa.
    """

    def __init__(
        self, trajectories: Sequence[TrajectoryLike], *, equivalence: Equivalence = None, kappa: float = 1.0,
        is_error: Callable[[Any], bool] = is_error,
    ) -> None:
        self.kappa = nonnegative("kappa", kappa)
        self.trajectories = tuple(trajectories)
        if not self.trajectories:
            raise ValueError("trajectories is empty: at least one trial is needed")
        turns: list[Turn] = []
        for i, trial in enumerate(self.trajectories):
            if not trial.calls or len(trial.calls) != len(trial.observations):
                raise ValueError(f"trajectories[{i}] has {len(trial.calls)} calls, {len(trial.observations)} "
                                 "observations: must be as many, at least one")
            if trial.success not in (0, 1):
                raise ValueError(f"trajectories[{i}].success={trial.success!r}: must be True or False")
            turns += zip(trial.calls, trial.observations, strict=True)
        classes = classes_of(turns, equivalence)
        self.turns: dict[Node, Turn] = dict(zip(reversed(classes), reversed(turns), strict=True))
        self.success = tuple(bool(trial.success) for trial in self.trajectories)
        self.errors = tuple(tuple(is_error(obs) for obs in trial.observations) for trial in self.trajectories)
        self.pass_rate = sum(self.success) / len(self.success)
        self.paths = self._walk(classes)
        self._count()
        self.depth = self._depths()

    def _walk(self, classes: Sequence[int]) -> tuple[tuple[Node, ...], ...]:
        paths: list[tuple[Node, ...]] = []
        at = 0
        for trial, won in zip(self.trajectories, self.success, strict=True):
            end = at + len(trial.calls)
            paths.append((START, *classes[at:end], WIN if won else LOSE))
            at = end
        return tuple(paths)

    def _count(self) -> None:
        traffic: dict[Edge, list[int]] = {}
        visits: dict[Node, list[int]] = {}
        for path, won in zip(self.paths, self.success, strict=True):
            for edge in itertools.pairwise(path):
                count = traffic.setdefault(edge, [0, 0])
                count[0] += 1
                count[1] += won
            for node in set(path):  # once per trial, however often it comes back
                count = visits.setdefault(node, [0, 0])
                count[0] += 1
                count[1] += won
        self.edges = {edge: (n, plus) for edge, (n, plus) in traffic.items()}
        self.visits = {node: (n, w) for node, (n, w) in visits.items()}
        self.nodes: tuple[Node, ...] = (START, *sorted(self.turns, key=int), *(v for v in (WIN, LOSE) if v in visits))
        self.successors: dict[Node, tuple[Node, ...]] = dict.fromkeys(self.nodes, ())
        for u, v in self.edges:
            self.successors[u] = (*self.successors[u], v)
        prior = self.kappa * self.pass_rate
        self.potential: dict[Node, float] = {v: (w + prior) / (n + self.kappa) for v, (n, w) in self.visits.items()}
        self.potential |= {WIN: 1.0, LOSE: 0.0}

    def _depths(self) -> dict[Node, int]:
        depth: dict[Node, int] = {START: 0}
        queue: deque[Node] = deque([START])
        while queue:
            u = queue.popleft()
            for v in self.successors[u]:
                if v not in depth:
                    depth[v] = depth[u] + 1
                    queue.append(v)
        return depth

    @property
    def branching(self) -> tuple[Node, ...]:
        """Nodes that are left in at least two ways."""
        return tuple(node for node in self.nodes if len(self.successors[node]) >= 2)

    def __len__(self) -> int:
        return len(self.trajectories)


def to_networkx(graph: QuotientGraph) -> Any:
    """The graph as a ``networkx.DiGraph``; nodes carry ``potential``, edges ``traffic`` and ``successful``.

    Raises ImportError when networkx is not installed; nothing else needs it.
    """
    import networkx

    made = networkx.DiGraph()
    for node in graph.nodes:
        made.add_node(node, potential=graph.potential[node])
    for (u, v), (n, plus) in graph.edges.items():
        made.add_edge(u, v, traffic=n, successful=plus)
    return made
