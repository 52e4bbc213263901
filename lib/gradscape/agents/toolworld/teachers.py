"""Scripted teachers that decide from observations only: they never look at the hidden state.

| style | what it does about a precondition |
|---|---|
| ``precaution`` | makes the folder, or logs in, before it acts; an "exists" error is harmless |
| ``lscheck`` | looks first (``ls``), makes the folder only if it is not listed; logs in before it acts |
| ``optimist`` | acts, reads the observation and repairs: logs in after ``e_auth``, undoes a silent rename |
| ``naive`` | acts and never repairs |
"""
from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

from gradscape.agents.toolworld.lexicon import (
    CD,
    CP,
    CREATE,
    DONE,
    E_AUTH,
    E_BUSY,
    E_NOFILE,
    HERE,
    HORIZON,
    LOGIN,
    LS,
    MKDIR,
    MV,
    NOTHING,
    OK,
    RESOLVE,
    RM,
    TICKETS,
    TOUCH,
    UP,
    VERBS,
    Call,
    Obs,
)
from gradscape.agents.toolworld.tasks import Goal, Task
from gradscape.validate import at_least, in_range, one_of

STYLES = ("precaution", "lscheck", "optimist", "naive")
WEIGHTS = {"optimist": 0.3, "precaution": 0.2, "lscheck": 0.2, "naive": 0.3}
SHUFFLED, COPY_AND_REMOVE, STUBBORN = 0.3, 0.15, 0.5  # shares of episodes; of naive ones that repeat busy calls
REPEATS = 3  # of one call that met a transient failure
Script = Generator[Call, Obs, None]


@dataclass(frozen=True)
class Episode:
    """One trial: calls (n of (tool, a, b)), what each was answered (n of (status, 4 words)), whether it succeeded."""

    calls: tuple[Call, ...]
    observations: tuple[Obs, ...]
    success: bool
    style: str = ""


class _Teacher:
    """The script of one episode; a call is yielded, its observation comes back."""

    def __init__(self, style: str, rng: random.Random, ploop: float, pins: float) -> None:
        self.style, self.rng = style, rng
        self.pins = pins if rng.random() < ploop else 0.0
        self.copies = rng.random() < COPY_AND_REMOVE
        self.repeats = style != "naive" or rng.random() < STUBBORN
        self.here = HERE  # the folder it believes to stand in: every place of a task is the root or right below it
        self.user = NOTHING

    def script(self, goals: Sequence[Goal], shuffled: float = SHUFFLED) -> Script:
        order = list(goals)
        if self.rng.random() < shuffled:
            self.rng.shuffle(order)
        for verb, P, F, D in order:
            name = VERBS[verb]
            if name in ("signin", "ticket", "solve"):
                yield from self.at_desk(name, P, F)
                continue
            yield from self.go(P, may_be_missing=name == "new")
            if name == "new":
                yield from self.say(TOUCH, F)
            elif name == "remove":
                yield from self.say(RM, F)
            elif name == "folder":
                yield from self.say(MKDIR, D)
            else:
                yield from self.put(F, D, keep=name == "copy")
        yield DONE, 0, 0

    def say(self, tool: int, a: int = 0, b: int = 0) -> Generator[Call, Obs, Obs]:
        """Make a call, after a detour perhaps, again after a transient failure; keep track of the folder."""
        if self.pins and self.rng.random() < self.pins:
            yield from self.detour()
        return (yield from self.insist((tool, a, b)))

    def insist(self, call: Call) -> Generator[Call, Obs, Obs]:
        obs = yield call
        for _ in range(REPEATS if self.repeats else 0):
            if obs[0] != E_BUSY:
                break
            obs = yield call
        if call[0] == CD and obs[0] == OK:
            self.here = HERE if call[1] == UP else call[1]
        elif call[0] == LOGIN and obs[0] == OK:
            self.user = call[1]
        return obs

    def detour(self) -> Generator[Call, Obs, None]:
        """A look around, or out of the folder and back: it changes nothing."""
        back = self.here
        if back == HERE or self.rng.random() < 0.5:
            yield from self.insist((LS, 0, 0))
        else:
            obs = yield from self.insist((CD, UP, 0))
            if obs[0] == OK:
                yield from self.insist((CD, back, 0))

    def go(self, place: int, *, may_be_missing: bool) -> Generator[Call, Obs, None]:
        if self.here == place:
            return
        if self.here != HERE:
            yield from self.say(CD, UP)
        if place == HERE:
            return
        if may_be_missing:
            yield from self.provide(place)
        obs = yield from self.say(CD, place)
        if obs[0] == E_NOFILE and self.style == "optimist":
            yield from self.say(MKDIR, place)
            yield from self.say(CD, place)

    def provide(self, folder: int) -> Generator[Call, Obs, None]:
        """Have the folder before it is needed, as far as the style cares."""
        if self.style == "precaution":
            yield from self.say(MKDIR, folder)
        elif self.style == "lscheck":
            obs = yield from self.say(LS)
            if folder not in obs[1:]:
                yield from self.say(MKDIR, folder)

    def put(self, file: int, folder: int, *, keep: bool) -> Generator[Call, Obs, None]:
        yield from self.provide(folder)
        copies = keep or self.copies
        tool = CP if copies else MV
        obs = yield from self.say(tool, file, folder)
        renamed = obs[0] == OK and obs[3] == NOTHING
        if renamed and self.style == "optimist":
            if copies:
                yield from self.say(RM, folder)
            else:
                yield from self.say(MV, folder, file)
            yield from self.say(MKDIR, folder)
            yield from self.say(tool, file, folder)
        if copies and not keep:
            yield from self.say(RM, file)

    def at_desk(self, verb: str, user: int, title: int) -> Generator[Call, Obs, None]:
        careful = self.style in ("precaution", "lscheck")
        if verb == "signin" or (careful and self.user != user):
            yield from self.say(LOGIN, user)
        if verb == "ticket":
            obs = yield from self.say(CREATE, title)
            if obs[0] == E_AUTH and self.style == "optimist":
                yield from self.say(LOGIN, user)
                yield from self.say(CREATE, title)
        elif verb == "solve":
            obs = yield from self.say(TICKETS)
            if title not in obs[1:] and self.style == "optimist" and self.user != user:
                yield from self.say(LOGIN, user)
                obs = yield from self.say(TICKETS)
            if title in obs[1:]:
                yield from self.say(RESOLVE, obs[obs.index(title, 1) - 1])


def teach(
    task: Task, style: str, *, ploop: float = 0.0, pins: float = 0.45, flaky: float = 0.0, rng: random.Random,
) -> Episode:
    """One trial of a teacher of the given style, at most HORIZON calls.

    ``ploop``: probability that it is a wandering one, that puts a needless ``ls`` or ``cd .., cd back`` before a call
    with probability ``pins``; ``flaky``: probability of a transient failure of a call.
    """
    one_of("style", style, STYLES)
    for name, value in (("ploop", ploop), ("pins", pins), ("flaky", flaky)):
        in_range(name, value, 0.0, 1.0)
    world = task.world()
    script = _Teacher(style, rng, ploop, pins).script(task.goals)
    calls: list[Call] = []
    seen: list[Obs] = []
    call = next(script)
    while True:
        calls.append(call)
        seen.append(world.step(call, busy=rng.random() < flaky))
        if world.finished or len(calls) == HORIZON:
            return Episode(tuple(calls), tuple(seen), task.solved(world), style)
        call = script.send(seen[-1])


def teacher_trials(
    tasks: Sequence[Task], trials: int, *, weights: Mapping[str, float] = WEIGHTS, ploop: float = 0.0,
    pins: float = 0.45, flaky: float = 0.05, seed: int,
) -> list[list[Episode]]:
    """``trials`` episodes for each task, styles drawn with the given weights; about 15 microseconds a call.

    A task's episodes depend on its place in ``tasks`` and the seed only. Raises ValueError for unknown styles,
    negative or all-zero weights, and as `teach`.
    """
    at_least("trials", trials, 1)
    at_least("seed", seed, 0)
    for style, weight in weights.items():
        one_of("style", style, STYLES)
        in_range(f"weights[{style!r}]", weight, 0.0, 1e9)
    if sum(weights.values()) <= 0:
        raise ValueError(f"weights={dict(weights)!r}: at least one must be positive")
    pools = []
    for index, task in enumerate(tasks):
        rng = random.Random(f"{seed}/{index}")
        styles = rng.choices(list(weights), list(weights.values()), k=trials)
        pools.append([teach(task, style, ploop=ploop, pins=pins, flaky=flaky, rng=rng) for style in styles])
    return pools


def replay(task: Task, calls: Sequence[Call]) -> Episode:
    """Make stored calls in the task's world, without transient failures; stops at ``done``."""
    world = task.world()
    made: list[Call] = []
    seen: list[Obs] = []
    for call in calls:
        if world.finished:
            break
        made.append((call[0], call[1], call[2]))
        seen.append(world.step(made[-1]))
    return Episode(tuple(made), tuple(seen), task.solved(world))


def blind_trial(task: Task, noise: float, rng: random.Random, random_call: Callable[[random.Random], Call]) -> Episode:
    """One trial of an actor that never minds a precondition: goals in order, no repair, and with probability ``noise``
    a random call instead of its own."""
    in_range("noise", noise, 0.0, 1.0)
    world = task.world()
    teacher = _Teacher("naive", rng, 0.0, 0.0)
    teacher.copies = False
    script = teacher.script(task.goals, shuffled=0.0)
    calls: list[Call] = []
    seen: list[Obs] = []
    call = next(script)
    while True:
        calls.append(random_call(rng) if call[0] != DONE and rng.random() < noise else call)
        seen.append(world.step(calls[-1]))
        if world.finished or len(calls) == HORIZON:
            return Episode(tuple(calls), tuple(seen), task.solved(world), "blind")
        call = script.send(seen[-1])
