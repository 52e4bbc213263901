"""The lesson's experiments: fine-tuning on selected trials; gradients and GRPO on selected tasks."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gradscape.agents.policy_gradient import pass_at_k
from gradscape.agents.toolworld.tasks import Task, make_tasks
from gradscape.agents.toolworld.teachers import Episode
from gradscape.agents.topocurate.graph import QuotientGraph, Trajectory
from gradscape.agents.topocurate.pools import Pool, make_pool
from gradscape.agents.topocurate.reinforcement import gradient_snr, train_grpo
from gradscape.agents.topocurate.scores import error_branch_ratio, strategic_heterogeneity, trajectory_scores
from gradscape.agents.topocurate.selection import select_tasks, select_trajectories, task_scores, trial_weights
from gradscape.agents.topocurate.settings import FLAKY, TEMPERATURE, VARIANTS, Settings
from gradscape.agents.turnpolicy.base import load_base
from gradscape.agents.turnpolicy.batch import pack
from gradscape.agents.turnpolicy.learning import sft
from gradscape.agents.turnpolicy.model import TurnPolicy
from gradscape.agents.turnpolicy.rollout import evaluate, rollout
from gradscape.lesson import Point, cached, protocol, replicate_seed

Progress = Callable[[int, int], None]
# Streams of one replicate: each is seeded by its number behind the replicate's
TASKS, TEST, TRIALS, TIES, LEARN, JUDGE = range(6)
SHARES = (0.0, 0.3, 0.6)  # of violated preconditions, a third of the tasks of the RL part each


def _seed(settings: Settings, replicate: int, stream: int) -> int:
    return replicate_seed(replicate_seed(settings.seed, replicate) % 2**31, stream) % 2**31


@dataclass(frozen=True)
class Learned:
    """A model fine-tuned on one selection, on held-out tasks: rates, and calls of a success.

    ``recovery``: success rate of the episodes that met an error. ``flaky_…``: 15 % of the calls fail at first.
    """

    variant: str
    trajectories: int
    calls: float  # mean length of what was learned from
    pass_1: float
    pass_3: float
    turns: float
    recovery: float
    flaky_pass_1: float
    flaky_turns: float
    flaky_recovery: float


FIELDS = ("trajectories", "calls", "pass_1", "pass_3", "turns", "recovery", "flaky_pass_1", "flaky_turns",
          "flaky_recovery")


@protocol
def pool(settings: Settings, ploop: float, replicate: int, *, progress: Progress | None = None) -> Pool:
    """A replicate's tasks with the trials of its teachers; the tasks are the same for every ``ploop``."""
    size = settings.size
    tasks = make_tasks(size.tasks, n_goals=(2, 3), pviol=0.5, seed=_seed(settings, replicate, TASKS))
    return make_pool(tasks, size.trials, ploop=ploop, seed=_seed(settings, replicate, TRIALS))


@cached
def held_out(made_for: Settings, replicate: int) -> tuple[Task, ...]:
    """A replicate's test tasks: none of them is in its pool."""
    tasks = pool(made_for, 0.0, replicate).tasks
    return tuple(make_tasks(made_for.size.test, n_goals=(2, 3), pviol=0.5, seed=_seed(made_for, replicate, TEST),
                            exclude=tasks))


def chosen_trials(made: Pool, variant: str, per_task: int, seed: int) -> list[tuple[int, int]]:
    """What a variant of `VARIANTS` selects from a pool: (task, trial) pairs."""
    rule = VARIANTS[variant]
    if isinstance(rule, str):
        return select_trajectories(made.trials, per_task, mode=rule, seed=seed)
    return select_trajectories(made.graphs, per_task, rule, seed=seed)


def learn(
    settings: Settings, made: Pool, picked: Sequence[tuple[int, int]], tasks: Sequence[Task], name: str,
    seeds: tuple[int, int], progress: Progress | None = None,
) -> Learned:
    """Fine-tune the base model on chosen trials and test it, on a quiet world and on a flaky one.

    ``seeds``: of the batches, and of the evaluation; equal seeds make runs comparable pair by pair.
    """
    size = settings.size
    episodes = [made.trials[task][trial] for task, trial in picked]
    batch = pack([made.tasks[task] for task, _ in picked], episodes)
    policy = load_base()
    sft(policy, batch, steps=size.steps, batch_size=size.batch, generator=torch.Generator().manual_seed(seeds[0]),
        progress=progress)
    clean, flaky = (evaluate(policy, tasks, samples=size.samples, temperature=TEMPERATURE, flaky=share, seed=seeds[1])
                    for share in (0.0, FLAKY))
    k = min(3, size.samples)
    return Learned(
        name, len(picked), sum(len(e.calls) for e in episodes) / len(episodes), clean.rate,
        pass_at_k(clean.success, k), clean.turns_per_success, clean.recovery, flaky.rate, flaky.turns_per_success,
        flaky.recovery,
    )


@protocol
def curated(
    settings: Settings, ploop: float, replicate: int, variant: str, *, progress: Progress | None = None,
) -> Learned:
    """One model of the study: a replicate, a pool, a selection."""
    made = pool(settings, ploop, replicate)
    picked = chosen_trials(made, variant, settings.size.per_task, _seed(settings, replicate, TIES))
    seeds = (_seed(settings, replicate, LEARN), _seed(settings, replicate, JUDGE))
    return learn(settings, made, picked, held_out(settings, replicate), variant, seeds, progress)


@dataclass(frozen=True)
class Study:
    """Models of all variants on all replicates of one pool: ``models[variant][replicate]``."""

    ploop: float
    models: dict[str, tuple[Learned, ...]]

    @property
    def seeds(self) -> int:
        return len(next(iter(self.models.values())))

    def of(self, variant: str, field: str) -> np.ndarray:
        """One field of one variant, (seeds,)."""
        return np.array([getattr(model, field) for model in self.models[variant]], dtype=np.float64)

    def gain(self, variant: str, rival: str, field: str = "pass_1") -> np.ndarray:
        """variant - rival, seed by seed."""
        return self.of(variant, field) - self.of(rival, field)


@protocol
def study(
    settings: Settings, ploop: float, variants: tuple[str, ...], seeds: int, *, progress: Progress | None = None,
) -> Study:
    """Fine-tune on every selection, on every replicate."""
    models: dict[str, tuple[Learned, ...]] = {}
    for k, variant in enumerate(variants):
        row = []
        for replicate in range(seeds):
            row.append(curated(settings, ploop, replicate, variant))
            if progress is not None:
                progress(k * seeds + replicate + 1, len(variants) * seeds)
        models[variant] = tuple(row)
    return Study(ploop, models)


@dataclass(frozen=True)
class TaskSNR:
    """Measured tasks of the RL pool, (n,) each: pass rate, EBR, SH, EBR + SH normalized, gradient SNR, live groups."""

    pass_rate: np.ndarray
    ebr: np.ndarray
    sh: np.ndarray
    score: np.ndarray
    snr: np.ndarray
    nonzero: np.ndarray

    def top_third(self, by: str) -> np.ndarray:
        """The third that a rule selects: "topo" (EBR + SH) or "variance" (pass rate nearest 1/2); indices."""
        merit = self.score if by == "topo" else -np.abs(self.pass_rate - 0.5)
        return np.argsort(-merit, kind="stable")[: max(1, len(merit) // 3)]

    def mean_snr(self, by: str | None = None) -> float:
        """Mean SNR of all measured tasks, or of a rule's third."""
        found = self.snr if by is None else self.snr[self.top_third(by)]
        return float(found[np.isfinite(found)].mean())


@dataclass(frozen=True)
class RLPool:
    """Tasks with graphs of the base model's own trials."""

    tasks: tuple[Task, ...]
    graphs: tuple[QuotientGraph, ...]


def _mixed_tasks(n: int, seed: int, exclude: Sequence[Task] = ()) -> tuple[Task, ...]:
    made: list[Task] = []
    for k, share in enumerate(SHARES):
        count = n // 3 + (k < n % 3)
        made += make_tasks(count, n_goals=(1, 2, 3), pviol=share, seed=seed + k, exclude=[*exclude, *made])
    return tuple(made)


@protocol
def rl_pool(settings: Settings, replicate: int, *, progress: Progress | None = None) -> RLPool:
    """One to three goals, a third of the tasks without and two with violated preconditions; the base model's trials."""
    size = settings.size
    tasks = _mixed_tasks(size.rl_tasks, _seed(settings, replicate, TASKS))
    generator = torch.Generator().manual_seed(_seed(settings, replicate, TRIALS))
    batch = rollout(load_base(), [task for task in tasks for _ in range(size.rl_trials)], generator=generator)
    graphs = []
    for k in range(len(tasks)):
        episodes = [batch.episode(k * size.rl_trials + j) for j in range(size.rl_trials)]
        graphs.append(QuotientGraph([Trajectory(e.calls, e.observations, e.success) for e in episodes]))
    return RLPool(tasks, tuple(graphs))


def _drawn(settings: Settings, replicate: int) -> np.ndarray:
    _, mixed = task_scores(rl_pool(settings, replicate).graphs)
    rng = np.random.default_rng(_seed(settings, replicate, TIES))
    return np.sort(rng.permutation(mixed)[: settings.size.snr_tasks])


def measured_tasks(settings: Settings, replicate: int) -> tuple[QuotientGraph, ...]:
    """The graphs of the tasks of `task_snr`, in its order."""
    return tuple(rl_pool(settings, replicate).graphs[k] for k in _drawn(settings, replicate))


@protocol
def task_snr(settings: Settings, replicate: int, *, progress: Progress | None = None) -> TaskSNR:
    """Gradient SNR of tasks with 0 < pass rate < 1, drawn at random from the RL pool."""
    made, size, drawn = rl_pool(settings, replicate), settings.size, _drawn(settings, replicate)
    graphs = [made.graphs[k] for k in drawn]
    score, _ = task_scores(graphs)
    policy, generator = load_base(), torch.Generator().manual_seed(_seed(settings, replicate, LEARN))
    found = []
    for k, task in enumerate(drawn):
        found.append(gradient_snr(policy, made.tasks[task], groups=size.snr_groups, generator=generator))
        if progress is not None:
            progress(k + 1, len(drawn))
    return TaskSNR(
        np.array([g.pass_rate for g in graphs]), np.array([error_branch_ratio(g) for g in graphs]),
        np.array([strategic_heterogeneity(g) for g in graphs]), score, np.array([f.snr for f in found]),
        np.array([f.nonzero for f in found]),
    )


@protocol
def reinforced(settings: Settings, replicate: int, mode: str, *, progress: Progress | None = None) -> float:
    """GRPO from the base model on tasks that ``mode`` selects: success on fresh tasks afterwards."""
    made, size = rl_pool(settings, replicate), settings.size
    picked = select_tasks(made.graphs, size.selected, mode=mode, seed=_seed(settings, replicate, TIES))
    policy: TurnPolicy = load_base()
    train_grpo(policy, [made.tasks[k] for k in picked], iterations=size.iterations, progress=progress,
               generator=torch.Generator().manual_seed(_seed(settings, replicate, LEARN)))
    fresh = _mixed_tasks(size.rl_test, _seed(settings, replicate, TEST), made.tasks)
    return evaluate(policy, fresh, samples=3, temperature=TEMPERATURE, seed=_seed(settings, replicate, JUDGE)).rate


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's: the correlation of mean ranks; NaN for fewer than three values or a constant."""
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    ranks = [np.array([(v < x).sum() + ((v == x).sum() - 1) / 2 for x in v]) for v in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


@dataclass(frozen=True)
class Own:
    """Two models on the settings' own pool: learned from its selection, and from random successes."""

    pass_rate: float  # of the pool
    selection: Learned
    outcome: Learned


@cached
def own_models(settings: Settings, *, progress: Progress | None = None) -> Own:
    """The settings' own pool, selection and model beside one that learns from random successes."""
    made = make_pool(pool(settings, 0.0, 0).tasks, settings.trials, teachers=settings.teachers, ploop=settings.ploop,
                     kappa=settings.kappa, seed=_seed(settings, 0, TRIALS))
    ties, seeds = _seed(settings, 0, TIES), (_seed(settings, 0, LEARN), _seed(settings, 0, JUDGE))
    size, tests = settings.size, held_out(settings.protocol, 0)
    known = (settings.teachers, settings.trials, settings.per_task) == ("repair", size.trials, size.per_task)
    total = size.steps * (1 if known else 2)
    picked = select_trajectories(made.graphs, settings.per_task, settings.weights, drop=settings.drop, seed=ties)
    step = None if progress is None else partial(_further, progress, 0, total)
    selection = learn(settings, made, picked, tests, "selection", seeds, step)
    if known:  # the study has this model
        return Own(made.pass_rate, selection, curated(settings, settings.ploop, 0, "outcome"))
    random = select_trajectories(made.trials, settings.per_task, mode="outcome", seed=ties)
    step = None if progress is None else partial(_further, progress, size.steps, total)
    return Own(made.pass_rate, selection, learn(settings, made, random, tests, "outcome", seeds, step))


def _further(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


@dataclass(frozen=True)
class OneTask:
    """One task of the settings' pool: its graph, its successes' scores (n, 3) and weights (n,), what is selected."""

    sentence: str
    graph: QuotientGraph
    trials: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    picked: frozenset[int]


SLIPS = "tasks:120,steps:120,test:128"  # sizes of `slips_learned`


@cached
def slips_learned(replicate: int) -> float:
    """pass@1 of a model that learned from what recovery alone selects, minus random successes, when teachers slip."""
    settings = Settings.of({"sizes": SLIPS})
    made = make_pool(pool(settings, 0.0, replicate).tasks, settings.size.trials, teachers="slip",
                     seed=_seed(settings, replicate, TRIALS))
    rates = {}
    for variant in ("R", "outcome"):
        picked = chosen_trials(made, variant, settings.size.per_task, _seed(settings, replicate, TIES))
        seeds = (_seed(settings, replicate, LEARN), _seed(settings, replicate, JUDGE))
        rates[variant] = learn(settings, made, picked, held_out(settings.protocol, replicate), variant, seeds).pass_1
    return rates["R"] - rates["outcome"]


GRAPH_TASKS = 24  # that an explorer offers


@cached
def _own_trials(
    made_for: Settings, trials: int, teachers: str, ploop: float,
) -> tuple[tuple[Task, ...], tuple[tuple[Episode, ...], ...]]:
    tasks = pool(made_for, 0.0, 0).tasks[:GRAPH_TASKS]
    made = make_pool(tasks, trials, teachers=teachers, ploop=ploop, seed=_seed(made_for, 0, TRIALS))
    return made.tasks, made.trials


def one_task(settings: Settings) -> OneTask:
    """The graph of task number ``settings.task`` (from 1) and what is selected from it."""
    tasks, trials = _own_trials(settings.protocol, settings.trials, settings.teachers, settings.ploop)
    k = settings.task - 1
    graph = QuotientGraph(trials[k], kappa=settings.kappa)
    scores, index = trajectory_scores(graph, drop=settings.drop)
    weights, _ = trial_weights(graph, settings.weights, drop=settings.drop)
    picked = select_trajectories([graph], settings.per_task, settings.weights, drop=settings.drop,
                                 seed=_seed(settings, 0, TIES))
    return OneTask(tasks[k].sentence, graph, index, scores, weights, frozenset(trial for _, trial in picked))


def point(settings: Settings) -> Point:
    """The models of `own_models`, each value, and what the selection gains."""
    own = own_models(settings)
    found = {"": own.selection, "_outcome": own.outcome}
    scalars = {f"{field}{end}": float(getattr(model, field)) for end, model in found.items() for field in FIELDS}
    gain = scalars["pass_1"] - scalars["pass_1_outcome"]
    return Point(scalars | {"pass_1_gain": gain, "pool_pass_rate": own.pass_rate})
