"""Retry: replay the attempt up to the pivot, put the guidance in, sample the rest; keep a copy without the guidance."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gradscape.agents.reflect_retry.reflection import Reflection, same_number
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.turnpolicy.batch import Batch, guidance_slots
from gradscape.agents.turnpolicy.model import TurnPolicy
from gradscape.agents.turnpolicy.rollout import rollout
from gradscape.validate import one_of

RESTARTS = ("pivot", "start")


class Retry(NamedTuple):
    """Second attempts: ``guided`` with the guidance in the context (learned from by imitation only), ``distilled`` the
    same calls and observations without it (learned from by reinforcement), ``pivot`` (n,) int64 the first turn that
    was generated."""

    guided: Batch
    distilled: Batch
    pivot: Tensor

    @property
    def generated(self) -> Tensor:
        """(n,) int64: calls that were generated; replayed ones do not count."""
        return (self.guided.length - self.pivot).clamp(min=0)


def retry(
    policy: TurnPolicy, batch: Batch, reflection: Reflection, *, tasks: Sequence[Task], offset: int = 0,
    guidance: bool = True, restart: str = "pivot", temperature: float = 1.0, generator: torch.Generator | None = None,
) -> Retry:
    """Try every attempt of the batch again, as the reflection says (arXiv 2601.03715, reflect-then-retry).

    ``tasks``: the task of each attempt, its world is reset. ``offset`` shifts the turn, which is then kept within the
    attempt; ``guidance=False`` samples without telling the suggested call; ``restart="start"`` replays nothing, the
    suggestion still names its turn. Choose the attempts with `trigger` first.

    Raises ValueError for a number of tasks or reflections other than the batch's, an unknown restart, an offset that
    is not a whole number.
    """
    same_number(batch, tasks)
    one_of("restart", restart, RESTARTS)
    if isinstance(offset, bool) or not isinstance(offset, int):
        raise ValueError(f"offset={offset!r}: must be a whole number of turns")
    if len(reflection.pivot) != len(batch):
        raise ValueError(f"reflection has {len(reflection.pivot)} entries: must be {len(batch)}, one for each attempt")
    turn = torch.minimum((reflection.pivot + offset).clamp(min=0), batch.length - 1)
    pivot = turn if restart == "pivot" else torch.zeros_like(turn)
    told = guidance_slots(reflection.call, turn) if guidance else None
    guided = rollout(policy, tasks, temperature=temperature, guidance=told, prefix=batch.calls, prefix_len=pivot,
                     generator=generator)
    return Retry(guided, guided.with_guidance(), pivot)
