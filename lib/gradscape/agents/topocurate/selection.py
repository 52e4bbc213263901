"""What to learn from: trials for supervised fine-tuning, tasks for reinforcement learning (arXiv 2603.01714)."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gradscape.agents.topocurate.graph import QuotientGraph, TrajectoryLike
from gradscape.agents.topocurate.scores import (
    DROP,
    error_branch_ratio,
    minmax,
    strategic_heterogeneity,
    trajectory_scores,
)
from gradscape.validate import at_least, nonnegative, one_of, positive

WEIGHTS = (0.5, 1.0, 0.3)  # of R, E, D
TRIAL_MODES = ("topo", "outcome", "shortest")
TASK_MODES = ("topo", "random", "variance")
Progress = Callable[[int, int], object]


def trial_weights(
    graph: QuotientGraph, weights: Sequence[float] = WEIGHTS, *, drop: float = DROP,
) -> tuple[np.ndarray, np.ndarray]:
    """w = sum of weight times min-max normalized score of each success, (n_success,), and the trials' numbers."""
    _checked(weights)
    scores, trials = trajectory_scores(graph, drop=drop)
    return (minmax(scores) @ np.asarray(weights, dtype=np.float64) if len(trials) else np.zeros(0)), trials


def select_trajectories(
    pools: Sequence[Sequence[TrajectoryLike] | QuotientGraph], per_task: int, weights: Sequence[float] = WEIGHTS, *,
    mode: str = "topo", drop: float = DROP, seed: int, progress: Progress | None = None,
) -> list[tuple[int, int]]:
    """Up to ``per_task`` successes of each task, as (task number, trial number); tasks without one give none.

    ``pools``: each task's trials, or their graph; ``drop``: see `recovery`. ``mode``: "topo" takes the highest weighted
    scores, "shortest" the fewest calls, "outcome" any success. Ties are broken by random numbers of ``seed`` that are
    the same for every mode.
    Every mode takes the same number from each task. Raises ValueError for an empty list, per_task < 1, weights that are
    not three finite numbers >= 0, an unknown mode.
    """
    at_least("number of pools", len(pools), 1)
    at_least("per_task", per_task, 1)
    _checked(weights)
    one_of("mode", mode, TRIAL_MODES)
    chosen: list[tuple[int, int]] = []
    for task, pool in enumerate(pools):
        trials: Sequence[TrajectoryLike] = pool.trajectories if isinstance(pool, QuotientGraph) else pool
        jitter = np.random.default_rng([at_least("seed", seed, 0), task]).random(len(trials))
        won = np.array([i for i, trial in enumerate(trials) if trial.success], dtype=np.int64)
        if mode == "topo" and len(won):
            graph = pool if isinstance(pool, QuotientGraph) else QuotientGraph(pool)
            merit, won = trial_weights(graph, weights, drop=drop)
        elif mode == "shortest":
            merit = np.array([-len(trials[i].calls) for i in won], dtype=np.float64)
        else:
            merit = np.zeros(len(won))
        # rounded, so that equal scores that were added up in another order stay ties
        order = sorted(range(len(won)), key=lambda k: (-round(float(merit[k]), 12), jitter[won[k]]))
        chosen += [(task, int(won[k])) for k in order[:per_task]]
        if progress is not None:
            progress(task + 1, len(pools))
    return chosen


def task_scores(graphs: Sequence[QuotientGraph]) -> tuple[np.ndarray, np.ndarray]:
    """minmax(EBR) + minmax(SH) over the tasks with 0 < pass rate < 1: scores (n,), task numbers (n,) int64.

    Without that filter EBR would pick tasks that are never solved: theirs is 1.
    """
    at_least("number of graphs", len(graphs), 1)
    mixed = np.array([k for k, graph in enumerate(graphs) if 0 < graph.pass_rate < 1], dtype=np.int64)
    pairs = [(error_branch_ratio(graphs[k]), strategic_heterogeneity(graphs[k])) for k in mixed]
    return (minmax(np.array(pairs)).sum(1) if len(mixed) else np.zeros(0)), mixed


def select_tasks(
    graphs: Sequence[QuotientGraph], n: int, *, mode: str = "topo", temperature: float | None = None, seed: int,
) -> list[int]:
    """``n`` tasks among those with 0 < pass rate < 1, as numbers into ``graphs``; all of them when there are fewer.

    ``mode``: "topo" the highest EBR + SH, "variance" the pass rates nearest 1/2, "random". ``temperature`` > 0 draws
    them without replacement from the softmax of scores/temperature instead of taking the top (not for "random").
    """
    one_of("mode", mode, TASK_MODES)
    at_least("n", n, 1)
    scores, mixed = task_scores(graphs)
    rng = np.random.default_rng(at_least("seed", seed, 0))
    jitter = rng.random(len(mixed))
    if mode == "variance":
        scores = np.array([-abs(graphs[k].pass_rate - 0.5) for k in mixed])
    elif mode == "random":
        scores = np.zeros(len(mixed))
    if temperature is not None and mode != "random":
        # Gumbel noise and the top n: a draw from the softmax without replacement
        scores = scores / positive("temperature", temperature) - np.log(-np.log(rng.uniform(1e-12, 1, len(mixed))))
    order = sorted(range(len(mixed)), key=lambda k: (-round(float(scores[k]), 12), jitter[k]))
    return [int(mixed[k]) for k in order[:n]]


def _checked(weights: Sequence[float]) -> None:
    if len(weights) != 3:
        raise ValueError(f"weights={tuple(weights)!r}: must be three numbers, of R, E and D")
    for name, weight in zip("RED", weights, strict=True):
        nonnegative(f"weight of {name}", weight)
