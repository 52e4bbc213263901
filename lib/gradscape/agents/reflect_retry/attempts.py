"""Attempts without training: tasks, first attempts and their retries in every way, one pair turn by turn, credit."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.agents.reflect_retry.credit import RULES, pivotal_mask, positive_amplification
from gradscape.agents.reflect_retry.reflection import (
    Reflection,
    chosen,
    oracle_reflect,
    random_reflect,
    reflect,
    trigger,
)
from gradscape.agents.reflect_retry.retrying import retry
from gradscape.agents.reflect_retry.settings import Settings
from gradscape.agents.toolworld.lexicon import HORIZON, Call
from gradscape.agents.toolworld.oracle import FAILURE, OUTCOMES
from gradscape.agents.toolworld.tasks import Task, make_tasks
from gradscape.agents.toolworld.teachers import Episode
from gradscape.agents.turnpolicy.base import load_base
from gradscape.agents.turnpolicy.batch import Batch
from gradscape.agents.turnpolicy.model import TurnPolicy
from gradscape.agents.turnpolicy.rollout import rollout
from gradscape.lesson import cached, protocol, replicate_seed

Progress = Callable[[int, int], None]
TASKS, TEST, LEARN, ATTEMPTS, REFLECTIONS, SECOND = range(6)  # streams of one replicate
SHORT: tuple[tuple[int, ...], float] = ((1, 2), 1.0)  # numbers of goals, share of violated preconditions
LONG: tuple[tuple[int, ...], float] = ((2, 3), 0.6)
WALKS = 24  # tasks that the explorer offers


def stream_seed(settings: Settings, replicate: int, stream: int) -> int:
    """The seed of one stream of random numbers of a replicate."""
    return replicate_seed(replicate_seed(settings.seed, replicate) % 2**31, stream) % 2**31


@protocol
def task_pool(
    settings: Settings, replicate: int, *, progress: Progress | None = None,
) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """A replicate's tasks to train on and held-out ones: one or two goals, every precondition violated."""
    size = settings.size
    train = make_tasks(size.tasks, n_goals=SHORT[0], pviol=SHORT[1], seed=stream_seed(settings, replicate, TASKS))
    test = make_tasks(size.test, n_goals=SHORT[0], pviol=SHORT[1], seed=stream_seed(settings, replicate, TEST),
                      exclude=train)
    return tuple(train), tuple(test)


@dataclass(frozen=True)
class Attempts:
    """First attempts of a base model and its reflections on them; ``usable`` (n,) bool: failures at a task with one
    violated precondition that the reflection wants tried again."""

    tasks: tuple[Task, ...]
    batch: Batch
    said: Reflection
    truth: Reflection
    usable: Tensor


@protocol
def attempts(settings: Settings, known: float, replicate: int, *, progress: Progress | None = None) -> Attempts:
    """One attempt at each task. ``known`` 0: one or two goals; 0.04: two or three goals, fewer violations."""
    goals, violated = LONG if known else SHORT
    tasks = tuple(make_tasks(settings.size.attempts, n_goals=goals, pviol=violated,
                             seed=stream_seed(settings, replicate, ATTEMPTS)))
    policy = load_base(known)
    batch = rollout(policy, tasks, generator=_generator(settings, replicate, ATTEMPTS))
    said = reflect(policy, batch, generator=_generator(settings, replicate, REFLECTIONS))
    one = torch.tensor([task.viol == 1 for task in tasks])
    usable = one & (batch.success < 0.5) & trigger(said, batch.length)
    return Attempts(tasks, batch, said, oracle_reflect(batch, tasks), usable)


def _generator(settings: Settings, replicate: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(stream_seed(settings, replicate, stream))


@dataclass(frozen=True)
class Mechanism:
    """Retries of the same failed attempts in several ways.

    ``success``, ``calls``: rate and mean generated calls by name: "k" (as the reflection says), "k-1", "k+1", … (the
    pivot shifted), "start" (nothing replayed), "unguided" (at k, nothing told), "oracle", "random" (other reflectors).
    ``distinct``: success of the attempts in whose middle the pivot lies, so that k − 1, k, k + 1 and the start differ.
    ``outcome_accuracy`` on all attempts; ``pivot_argmax``, ``pivot_sampled``: exact pivots on failures.
    """

    known: float
    attempts: int
    retried: int
    base_success: float
    success: dict[str, float]
    calls: dict[str, float]
    distinct: dict[str, float]
    outcome_accuracy: float
    pivot_argmax: float
    pivot_sampled: float


@protocol
def mechanism(settings: Settings, known: float, replicate: int, *, progress: Progress | None = None) -> Mechanism:
    """Try failed one-violation attempts again in every way, with the same random numbers."""
    made, policy = attempts(settings, known, replicate), load_base(known)
    rows = made.usable.nonzero()[:, 0]
    batch, said, truth = made.batch[rows], chosen(made.said, rows), chosen(made.truth, rows)
    tasks = [made.tasks[row] for row in rows.tolist()]
    inside = (said.pivot >= 1) & (said.pivot + 1 < batch.length)
    away = settings.size.restarts
    ways: dict[str, tuple[Reflection, dict[str, Any]]] = {
        "k" if not shift else f"k{shift:+d}": (said, {"offset": shift}) for shift in range(-away, away + 1)
    }
    ways |= {
        "start": (said, {"restart": "start"}), "unguided": (said, {"guidance": False}), "oracle": (truth, {}),
        "random": (random_reflect(batch, _generator(settings, replicate, REFLECTIONS)), {}),
    }
    success, calls, distinct = {}, {}, {}
    for name, (reflection, how) in ways.items():
        again = retry(policy, batch, reflection, tasks=tasks, generator=_generator(settings, replicate, SECOND), **how)
        success[name] = _mean(again.distilled.success)
        calls[name] = _mean(again.generated.float())
        distinct[name] = _mean(again.distilled.success[inside])
    failed = (made.truth.outcome == FAILURE) & (made.batch.success < 0.5)
    likeliest = reflect(policy, made.batch, temperature=0.0)
    return Mechanism(
        known, len(made.tasks), len(rows), _mean(made.batch.success), success, calls, distinct,
        _mean((likeliest.outcome == made.truth.outcome).float()),
        _mean((likeliest.pivot == made.truth.pivot)[failed].float()),
        _mean((made.said.pivot == made.truth.pivot)[failed].float()),
    )


@dataclass(frozen=True)
class Contrast:
    """The base's success rate at each of T tasks: ``rate`` (T,), ``violations`` (T,) preconditions not met."""

    known: float
    rate: np.ndarray
    violations: np.ndarray

    def never(self, violations: int) -> float:
        """Share of the tasks with so many violations at which no attempt succeeded: no group of theirs has contrast."""
        rate = self.rate[self.violations == violations]
        return float((rate == 0).mean()) if len(rate) else float("nan")

    def with_contrast(self, group_size: int) -> float:
        """Expected share of groups of N independent attempts that hold successes and failures, at these rates."""
        return float((1 - self.rate**group_size - (1 - self.rate) ** group_size).mean())


@protocol
def contrast(settings: Settings, known: float, replicate: int, *, progress: Progress | None = None) -> Contrast:
    """Attempts of an untrained base at held-out tasks, at the temperature of training."""
    _, test = task_pool(settings, replicate)
    n = settings.size.contrast
    batch = rollout(load_base(known), [task for task in test for _ in range(n)],
                    generator=_generator(settings, replicate, ATTEMPTS))
    return Contrast(known, batch.success.reshape(-1, n).mean(1).double().numpy(), np.array([t.viol for t in test]))


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else float("nan")


@dataclass(frozen=True)
class Dominance:
    """Advantage mass of a group by its number of successes c = 0 … N: by rule ("none" and RULES), (N + 1,) each."""

    successes: np.ndarray
    positive: dict[str, np.ndarray]
    negative: dict[str, np.ndarray]

    def ratio(self, rule: str) -> np.ndarray:
        """Positive over negative mass: NaN without either, infinity without negative mass."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.positive[rule] / self.negative[rule]


def dominance(settings: Settings) -> Dominance:
    """Masses as the advantages have them, at the settings' N and alpha."""
    N = settings.group
    rewards = (torch.arange(N)[None] < torch.arange(N + 1)[:, None]).double().flatten()
    group = torch.arange(N + 1).repeat_interleave(N)
    positive, negative = {}, {}
    for rule in ("none", *RULES):
        how: dict[str, Any] = {"rule": "scale", "alpha": 1.0} if rule == "none" else {
            "rule": rule, "alpha": settings.alpha}
        A = positive_amplification(rewards, group, **how).reshape(N + 1, N)
        positive[rule], negative[rule] = A.clamp(min=0).sum(1).numpy(), (-A).clamp(min=0).sum(1).numpy()
    return Dominance(np.arange(N + 1), positive, negative)


@dataclass(frozen=True)
class Walk:
    """One attempt beside its retry, and the credit both get in their group.

    ``retry`` is None when the reflection asks for none. Masks are true for the turns that get a gradient; ``pivot`` is
    the first generated turn. ``rewards`` of the whole group: first attempts, then retries.
    """

    sentence: str
    base: Episode
    outcome: str
    k: int
    call: Call
    truth: tuple[str, int, Call]
    triggered: bool
    retry: Episode | None
    pivot: int
    base_mask: tuple[bool, ...]
    retry_mask: tuple[bool, ...]
    base_advantage: float
    retry_advantage: float
    rewards: tuple[float, ...]


@cached
def walk_tasks(made_for: Settings) -> tuple[Task, ...]:
    drawn = make_tasks(4 * WALKS, n_goals=SHORT[0], pviol=SHORT[1], seed=stream_seed(made_for, 0, ATTEMPTS))
    return tuple(task for task in drawn if task.viol)[:WALKS]


@cached
def _base(known: float) -> TurnPolicy:
    return load_base(known)


def walk(settings: Settings) -> Walk:
    """Attempts at task number ``settings.task`` (from 1), their reflections and retries; the first retried one."""
    policy, n = _base(settings.known), settings.group // 2
    task = walk_tasks(settings.protocol)[settings.task - 1]
    seeds = [replicate_seed(stream_seed(settings, settings.draw, stream) + settings.task, 0) for stream in
             (ATTEMPTS, REFLECTIONS, SECOND)]
    first, second, third = (torch.Generator().manual_seed(seed) for seed in seeds)
    base = rollout(policy, [task] * n, generator=first)
    truth = oracle_reflect(base, [task] * n)
    if settings.reflector == "oracle":
        said = truth
    elif settings.reflector == "random":
        said = random_reflect(base, second)
    else:
        said = reflect(policy, base, generator=second)
    rows = trigger(said, base.length).nonzero()[:, 0]
    rewards, start, again = base.success, torch.zeros(n, dtype=torch.int64), None
    if len(rows):
        again = retry(policy, base[rows], chosen(said, rows), tasks=[task] * len(rows), offset=settings.offset,
                      guidance=settings.guidance, generator=third)
        rewards = torch.cat([rewards, again.distilled.success])
        if settings.credit:
            start[rows] = again.pivot
    shown = int(rows[0]) if len(rows) else 0
    A = positive_amplification(rewards, torch.zeros(len(rewards), dtype=torch.int64), alpha=settings.alpha,
                               rule=settings.rule)
    return Walk(
        task.sentence, base.episode(shown), *_fields(said, shown), _fields(truth, shown), again is not None,
        None if again is None else again.distilled.episode(0), 0 if again is None else int(again.pivot[0]),
        _mask(base, shown, start), () if again is None else _mask(again.distilled, 0, start[rows]),
        float(A[shown]), float("nan") if again is None else float(A[n]), tuple(rewards.tolist()),
    )


def _fields(said: Reflection, row: int) -> tuple[str, int, Call]:
    tool, a, b = said.call[row].tolist()
    return OUTCOMES[int(said.outcome[row])], int(said.pivot[row]), (tool, a, b)


def _mask(batch: Batch, row: int, start: Tensor) -> tuple[bool, ...]:
    return tuple(pivotal_mask(batch.length, start, HORIZON)[row, : int(batch.length[row])].tolist())
