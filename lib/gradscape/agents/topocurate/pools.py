"""Pools of trials to select from: teachers that repair, teachers that slip at random, teachers that peek."""
from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gradscape.agents.toolworld.lexicon import HORIZON, Call
from gradscape.agents.toolworld.oracle import next_call, remaining
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.toolworld.teachers import STYLES, WEIGHTS, Episode, teach, teacher_trials
from gradscape.agents.topocurate.graph import QuotientGraph
from gradscape.agents.turnpolicy.base import demonstrate, random_call
from gradscape.validate import at_least, in_range, one_of

TEACHERS = ("repair", "slip", "peek")
PINS, FLAKY, SLIP = 0.45, 0.05, 0.2


@dataclass(frozen=True)
class Pool:
    """Tasks and each task's trials; graphs are made when they are asked for."""

    tasks: tuple[Task, ...]
    trials: tuple[tuple[Episode, ...], ...]
    kappa: float = 1.0

    @cached_property
    def graphs(self) -> tuple[QuotientGraph, ...]:
        """One quotient graph for each task."""
        return tuple(QuotientGraph(trials, kappa=self.kappa) for trials in self.trials)

    @property
    def pass_rate(self) -> float:
        """Share of all trials that succeeded."""
        return sum(e.success for trials in self.trials for e in trials) / sum(map(len, self.trials))


def make_pool(
    tasks: Sequence[Task], trials: int, *, teachers: str = "repair", ploop: float = 0.8, kappa: float = 1.0, seed: int,
) -> Pool:
    """``trials`` of each task. ``teachers``: "repair" decide from observations only (`teacher_trials`, transient
    failures 5 %); "slip" know the state but make a random call with probability 0.2; "peek": half of the trials are
    shortest plans of an oracle that sees the hidden state, the others those of "repair".

    Raises ValueError for no tasks, trials < 1, unknown teachers, ploop outside [0, 1].
    """
    at_least("number of tasks", len(tasks), 1)
    one_of("teachers", teachers, TEACHERS)
    in_range("ploop", ploop, 0.0, 1.0)
    if teachers == "repair":
        found = teacher_trials(tasks, trials, ploop=ploop, pins=PINS, flaky=FLAKY, seed=seed)
        return Pool(tuple(tasks), tuple(map(tuple, found)), kappa)
    at_least("trials", trials, 1)
    made = []
    for k, task in enumerate(tasks):
        rng = random.Random(f"{teachers}/{at_least('seed', seed, 0)}/{k}")
        made.append(tuple(slipping(task, rng) if teachers == "slip" else _peeking(task, ploop, rng)
                          for _ in range(trials)))
    return Pool(tuple(tasks), tuple(made), kappa)


def slipping(task: Task, rng: random.Random, slip: float = SLIP) -> Episode:
    """The oracle's plan with a random call in between with probability ``slip``; it ends when nothing can be saved."""
    world = task.world()
    calls: list[Call] = []
    seen = []
    while len(calls) < HORIZON and not world.finished and remaining(task, world) < math.inf:
        calls.append(random_call(rng) if rng.random() < slip else next_call(task, world))
        seen.append(world.step(calls[-1]))
    return Episode(tuple(calls), tuple(seen), task.solved(world), "slip")


def _peeking(task: Task, ploop: float, rng: random.Random) -> Episode:
    if rng.random() < 0.5:
        return demonstrate(task)
    style = rng.choices(STYLES, [WEIGHTS[s] for s in STYLES])[0]
    return teach(task, style, ploop=ploop, pins=PINS, flaky=FLAKY, rng=rng)
