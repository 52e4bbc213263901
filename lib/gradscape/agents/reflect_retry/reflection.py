"""Reflection: what a finished attempt is judged to be, which turn to try again from, and which call to make there.

The paper's model writes text: outcome, root cause, suggestion, ``retry_from_step`` (arXiv 2601.03715, official
prompts). Here a head of the policy says the three fields that the algorithm acts on.
"""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradscape.agents.toolworld.lexicon import ARGUMENTS, LS, TOOLS
from gradscape.agents.toolworld.oracle import FAILURE, INEFFICIENT, SUCCESS, oracle_pivot
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.turnpolicy.batch import Batch
from gradscape.agents.turnpolicy.model import Reflections as Reflection
from gradscape.agents.turnpolicy.model import TurnPolicy

REFLECTORS = ("model", "oracle", "random")


def reflect(
    policy: TurnPolicy, batch: Batch, *, temperature: float = 1.0, generator: torch.Generator | None = None,
) -> Reflection:
    """The policy's own reflection on each attempt; it reads calls, observations and the verdict, nothing hidden."""
    return policy.reflect(batch, temperature=temperature, generator=generator)


def oracle_reflect(batch: Batch, tasks: Sequence[Task]) -> Reflection:
    """The best possible reflection, by an oracle that knows the hidden state: see `toolworld.oracle_pivot`.

    ``tasks``: the task of each attempt. An upper bound, and what the model's reflections are compared with.
    """
    same_number(batch, tasks)
    judged = [oracle_pivot(task, batch.episode(row).calls) for row, task in enumerate(tasks)]
    return Reflection(*(torch.tensor(part) for part in zip(*judged, strict=True)))


def random_reflect(batch: Batch, generator: torch.Generator | None = None) -> Reflection:
    """A reflection that knows the verdict only: any turn of the attempt, any well-typed call but ``done``."""
    n = len(batch)
    u = torch.rand(n, 4, generator=generator)
    pivot = (u[:, 0] * batch.length).long().clamp(max=batch.length - 1)
    tool = LS + (u[:, 1] * (len(TOOLS) - LS)).long().clamp(max=len(TOOLS) - LS - 1)
    words = [[ARGUMENTS[t][place][min(int(x * len(ARGUMENTS[t][place])), len(ARGUMENTS[t][place]) - 1)]
              for place, x in enumerate(pair)] for t, pair in zip(tool.tolist(), u[:, 2:].tolist(), strict=True)]
    call = torch.cat([tool[:, None], torch.tensor(words, dtype=torch.int64).reshape(n, 2)], 1)
    return Reflection(torch.where(batch.success > 0.5, SUCCESS, FAILURE), pivot, call)


def trigger(reflection: Reflection, lengths: Tensor) -> Tensor:
    """Whether to try again, (n,) bool: outcome "failure" or "success_but_inefficient", and a turn of the attempt.

    ``lengths`` (n,): calls of each attempt. What names a turn behind the end is invalid: the attempt is kept alone.
    """
    if lengths.shape != reflection.pivot.shape:
        raise ValueError(f"lengths has shape {tuple(lengths.shape)}: must be {tuple(reflection.pivot.shape)}")
    asked = (reflection.outcome == FAILURE) | (reflection.outcome == INEFFICIENT)
    return asked & (reflection.pivot >= 0) & (reflection.pivot < lengths)


def chosen(reflection: Reflection, rows: Tensor) -> Reflection:
    """The reflections of some attempts: indices or a mask."""
    return Reflection(*(part[rows] for part in reflection))


def same_number(batch: Batch, tasks: Sequence[Task]) -> None:
    """ValueError unless there is one task for each attempt."""
    if len(tasks) != len(batch):
        raise ValueError(f"tasks has {len(tasks)} entries: must be {len(batch)}, one for each attempt")
