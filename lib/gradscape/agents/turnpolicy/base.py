"""The base checkpoint, this world's "pretrained model": how it is made, and the two that are committed.

It learns from (a) the oracle's demonstrations, hardly any of which has a violated precondition; (b) sequences in which
a random call, announced in the guidance slot, is made at the announced turn; (c) rollouts of an actor that is blind to
preconditions, with the oracle's reflection on each. So its reflection head knows what its acting head has not learned.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from gradscape.agents.toolworld.lexicon import ARGUMENTS, CD, HORIZON, LS, OK, TOOLS, Call
from gradscape.agents.toolworld.oracle import next_call, oracle_pivot
from gradscape.agents.toolworld.tasks import Task, make_tasks
from gradscape.agents.toolworld.teachers import Episode, blind_trial
from gradscape.agents.turnpolicy.batch import Batch, guidance_slots, pack
from gradscape.agents.turnpolicy.learning import call_loss, descend, one_cycle
from gradscape.agents.turnpolicy.model import Reflections, TurnPolicy
from gradscape.datasets import integrity
from gradscape.validate import at_least, in_range

SEQUENCES = 4000  # of each kind
STEPS, BATCH, LR = 450, 128, 3e-3
REFLECTION_WEIGHT = 0.5
BLIND_NOISE = (0.0, 0.1, 0.2)
KNOWN_SHARES = (0.04, 0.0)  # of demonstrations with violated preconditions, in the committed checkpoints
FILES = {0.04: "toolworld_base_known4.safetensors", 0.0: "toolworld_base_known0.safetensors"}


class Lessons(NamedTuple):
    """What the base model is trained on: three batches, and the reflections on the last."""

    demonstrations: Batch
    instructions: Batch
    reflected: Batch
    reflections: Reflections


def demonstrate(task: Task) -> Episode:
    """The oracle's solution; it knows the hidden state."""
    world = task.world()
    calls: list[Call] = []
    seen = []
    while not world.finished:
        calls.append(next_call(task, world))
        seen.append(world.step(calls[-1]))
    return Episode(tuple(calls), tuple(seen), task.solved(world), "oracle")


def random_call(rng: random.Random) -> Call:
    """A well-typed call other than ``done``: tools, then words of the right type, equally likely."""
    tool = rng.randrange(LS, len(TOOLS))
    a, b = ARGUMENTS[tool]
    return tool, rng.choice(a), rng.choice(b)


def lessons(seed: int, known: float, size: int = SEQUENCES) -> Lessons:
    """Generate the three kinds of training data, ``size`` sequences each."""
    in_range("known", known, 0.0, 1.0)
    rng = random.Random(f"base/{seed}")
    violated = round(known * size)
    plain = make_tasks(size - violated, n_goals=(1, 2, 3), pviol=0.0, seed=10_000 + seed) if violated < size else []
    plain = [task for task in plain if task.viol == 0]
    hard = _violated(violated, 20_000 + seed) if violated else []
    demonstrated = plain + hard
    demonstrations = [demonstrate(task) for task in demonstrated]

    followed, turns, announced = [], [], []
    for task in rng.choices(plain or hard, k=size):
        calls = list(demonstrate(task).calls)
        turn = rng.randrange(len(calls))
        announced.append(random_call(rng))
        turns.append(turn)
        followed.append((task, _interrupted(task, calls, turn, announced[-1])))
    instructions = pack([task for task, _ in followed], [episode for _, episode in followed])
    instructions = instructions.with_guidance(guidance_slots(announced, turns))

    tried = make_tasks(size, n_goals=(1, 2, 3), pviol=0.5, seed=30_000 + seed)
    trials = [blind_trial(task, rng.choice(BLIND_NOISE), rng, random_call) for task in tried]
    judged = [oracle_pivot(task, trial.calls) for task, trial in zip(tried, trials, strict=True)]
    reflections = Reflections(*(torch.tensor(part) for part in zip(*judged, strict=True)))
    return Lessons(pack(demonstrated, demonstrations), instructions, pack(tried, trials), reflections)


def _violated(n: int, seed: int) -> list[Task]:
    return [t for t in make_tasks(3 * n, n_goals=(1, 2, 3), pviol=1.0, seed=seed) if t.viol][:n]


def _interrupted(task: Task, calls: Sequence[Call], turn: int, announced: Call) -> Episode:
    """A demonstration with one announced call put in; then it goes on as if nothing had happened.

    Only a change of the folder is answered, by the oracle: were damage mended or a login set right, the acting head
    would learn here what it must not know.
    """
    world = task.world()
    made = [*calls[:turn], announced]
    seen = [world.step(call) for call in made]
    moved = announced[0] == CD and seen[-1][0] == OK
    rest = list(calls[turn:])
    while len(made) < HORIZON and not world.finished:
        made.append(next_call(task, world) if moved else rest.pop(0))
        seen.append(world.step(made[-1]))
    return Episode(tuple(made), tuple(seen), task.solved(world))


def build_base(
    seed: int = 0, *, known: float = 0.04, steps: int = STEPS, size: int = SEQUENCES,
    progress: Callable[[int, int], object] | None = None,
) -> TurnPolicy:
    """Train a base model from nothing: Adam with a OneCycle learning rate; deterministic for a seed on one machine.

    ``known``: share of the demonstrations whose preconditions are violated. About 30 CPU s at the default size.
    """
    at_least("steps", steps, 1)
    at_least("size", size, 1)
    data = lessons(seed, known, size)
    policy = TurnPolicy(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer, schedule = one_cycle(policy, LR, steps)
    for step in range(steps):
        a, b, c = (torch.randint(len(part), (BATCH,), generator=generator)
                   for part in (data.demonstrations, data.instructions, data.reflected))
        shown, told, judged = data.demonstrations[a], data.instructions[b], data.reflected[c]
        said = Reflections(*(part[c] for part in data.reflections))
        loss = call_loss(policy, shown, shown.turns) + call_loss(policy, told, told.turns)
        loss = loss - REFLECTION_WEIGHT * policy.reflection_logp(judged, said).mean()
        descend(policy, optimizer, loss)
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    return policy


def load_base(known: float = 0.04) -> TurnPolicy:
    """A committed base checkpoint: ``known`` 0.04 (four in a hundred demonstrations had violated preconditions) or 0.

    A fresh copy at every call. Raises ValueError for another share, DataError when the file is missing or damaged.
    """
    from safetensors.torch import load

    if known not in FILES:
        raise ValueError(f"known={known!r}: must be one of {', '.join(map(repr, FILES))}; others: build_base")
    policy = TurnPolicy()
    policy.load_state_dict(load(integrity.committed(FILES[known])))
    return policy


