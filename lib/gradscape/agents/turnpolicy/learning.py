"""Supervised learning of calls and reflections: demonstrations in, likelihood up."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gradscape.agents.turnpolicy.batch import Batch
from gradscape.agents.turnpolicy.model import TurnPolicy
from gradscape.validate import at_least, positive

CLIP = 1.0  # norm of the gradient
Progress = Callable[[int, int], object]


def sft(
    policy: TurnPolicy, batch: Batch, *, steps: int = 200, lr: float = 7e-4, batch_size: int = 192,
    mask: Tensor | None = None, generator: torch.Generator | None = None, progress: Progress | None = None,
) -> Tensor:
    """Fine-tune in place on the calls of a batch: Adam, OneCycle learning rate with maximum ``lr``, clipped gradients.

    Each step minimizes −log pi, averaged over the calls of ``batch_size`` episodes drawn with replacement; ``mask``
    (B, H) bool restricts it to some calls. Returns the loss of each step, (steps,). About 12 ms a step of 192 episodes.
    ``progress(done, total)`` is called after each step. Raises ValueError for an empty batch, a mask of another shape
    or without any call, steps or batch_size < 1, lr <= 0.
    """
    steps, batch_size = at_least("steps", steps, 1), at_least("batch_size", batch_size, 1)
    positive("lr", lr)
    at_least("episodes in batch", len(batch), 1)
    turns = batch.turns if mask is None else mask & batch.turns
    if turns.shape != batch.turns.shape or not bool(turns.any()):
        raise ValueError(f"mask of shape {tuple(turns.shape)} leaves {int(turns.sum())} calls: shape must be "
                         f"{tuple(batch.turns.shape)} and at least one call must be left")
    optimizer, schedule = one_cycle(policy, lr, steps)
    losses = torch.zeros(steps)
    for step in range(steps):
        rows = torch.randint(len(batch), (batch_size,), generator=generator)
        loss = call_loss(policy, batch[rows], turns[rows])
        losses[step] = descend(policy, optimizer, loss)
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    return losses


def call_loss(policy: TurnPolicy, batch: Batch, mask: Tensor) -> Tensor:
    """−log pi averaged over the calls where ``mask`` (B, H) is true; 0 when there is none."""
    return -(policy.logp(batch) * mask).sum() / mask.sum().clamp(min=1)


def one_cycle(
    policy: TurnPolicy, lr: float, steps: int,
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam whose learning rate rises to ``lr`` and falls again within ``steps`` steps."""
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps + 1)


def descend(policy: TurnPolicy, optimizer: torch.optim.Optimizer, loss: Tensor, clip: float = CLIP) -> float:
    """One step of the optimizer on a scalar loss, gradients clipped to the norm ``clip``; returns the loss."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(policy.parameters(), clip)
    optimizer.step()
    return float(loss.detach())
