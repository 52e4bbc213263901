"""Episodes as tensors: what a policy reads, and what a rollout returns."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gradscape.agents.toolworld.lexicon import E_NOFILE, HORIZON, MAX_GOALS, Call
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.toolworld.teachers import Episode

E_LAST = 10  # e_busy, the last error


@dataclass(frozen=True)
class Batch:
    """B episodes of up to H = 12 calls; places behind an episode's end hold zeros.

    ``goals`` (B, 3, 4) int64: verb, P, F, D of each goal; ``guidance`` (B, 4) int64: tool, a, b of an announced call
    and its turn + 1, all zeros for none; ``calls`` (B, H, 3) int64; ``obs`` (B, H, 5) int64; ``length`` (B,) int64;
    ``success`` (B,) float32.
    """

    goals: Tensor
    guidance: Tensor
    calls: Tensor
    obs: Tensor
    length: Tensor
    success: Tensor

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, index: Tensor | slice) -> Batch:
        """Chosen episodes: a slice, indices (n,) int64 or a mask (B,) bool."""
        return Batch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @property
    def turns(self) -> Tensor:
        """(B, H) bool: the places that hold a call."""
        return torch.arange(self.calls.shape[1]) < self.length[:, None]

    @property
    def errors(self) -> Tensor:
        """(B, H) bool: the calls that were answered by an error, transient failures included."""
        status = self.obs[:, :, 0]
        return (status >= E_NOFILE) & (status <= E_LAST)

    def with_guidance(self, guidance: Tensor | None = None) -> Batch:
        """The same episodes with another guidance slot (B, 4), or without guidance."""
        new = torch.zeros_like(self.guidance) if guidance is None else guidance
        if new.shape != self.guidance.shape:
            raise ValueError(f"guidance has shape {tuple(new.shape)}: must be {tuple(self.guidance.shape)}")
        return Batch(self.goals, new, self.calls, self.obs, self.length, self.success)

    def episode(self, index: int) -> Episode:
        """One episode as tuples (without its goals)."""
        n = int(self.length[index])
        calls = [(c[0], c[1], c[2]) for c in self.calls[index, :n].tolist()]
        seen = [(o[0], o[1], o[2], o[3], o[4]) for o in self.obs[index, :n].tolist()]
        return Episode(tuple(calls), tuple(seen), bool(self.success[index] > 0.5))


def cat(batches: Sequence[Batch]) -> Batch:
    """Several batches in one; ValueError when there is none."""
    if not batches:
        raise ValueError("batches is empty: at least one is needed")
    return Batch(**{f.name: torch.cat([getattr(batch, f.name) for batch in batches]) for f in fields(Batch)})


def goal_slots(tasks: Sequence[Task]) -> Tensor:
    """(B, 3, 4) int64: verb, P, F, D of the goals, zeros where there is none."""
    none = (0, 0, 0, 0)
    return torch.tensor([[*task.goals, *[none] * (MAX_GOALS - len(task.goals))] for task in tasks])


def guidance_slots(calls: Sequence[Call] | Tensor, turns: Sequence[int] | Tensor) -> Tensor:
    """(B, 4) int64: calls (B, 3) announced for the given turns (B,), counted from 0."""
    step = torch.as_tensor(turns, dtype=torch.int64)[:, None] + 1
    return torch.cat([torch.as_tensor(calls, dtype=torch.int64).reshape(-1, 3), step], 1)


def pack(tasks: Sequence[Task], episodes: Sequence[Episode]) -> Batch:
    """One episode for each task as a Batch without guidance.

    Raises ValueError when the numbers differ, there is none, or an episode is empty or too long.
    """
    if len(tasks) != len(episodes) or not tasks:
        raise ValueError(f"{len(tasks)} tasks, {len(episodes)} episodes: one for each task, at least one, is needed")
    for episode in episodes:
        if not 1 <= len(episode.calls) <= HORIZON or len(episode.calls) != len(episode.observations):
            raise ValueError(f"an episode has {len(episode.calls)} calls, {len(episode.observations)} observations: "
                             f"must be as many, 1 to {HORIZON}")
    calls = torch.tensor([[*e.calls, *[(0, 0, 0)] * (HORIZON - len(e.calls))] for e in episodes])
    obs = torch.tensor([[*e.observations, *[(0, 0, 0, 0, 0)] * (HORIZON - len(e.calls))] for e in episodes])
    length = torch.tensor([len(e.calls) for e in episodes])
    success = torch.tensor([float(e.success) for e in episodes])
    return Batch(goal_slots(tasks), torch.zeros(len(tasks), 4, dtype=torch.int64), calls, obs, length, success)
