"""Exponential moving average of a network's parameters: what a diffusion model is sampled with."""
from __future__ import annotations

import copy

import torch
from torch import nn

from gradscape.validate import in_range


class EMA:
    """A copy of a network whose parameters follow the trained ones: e <- d_t e + (1 - d_t) p.

    d_t = min(decay, (t + 1)/(t + 10)) at update t = 0, 1, …: a young average forgets its start quickly.
    Buffers (such as running statistics) are copied.

    Example:
        >>> ema = EMA(nn.Linear(2, 1), decay=0.999)
        >>> # after each step of the optimizer: ema.update(net); sample with ema.module
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.decay = in_range("decay", decay, 0.0, 1.0, open_high=True)
        self.updates = 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take one step towards the parameters of ``module``."""
        keep = min(self.decay, (self.updates + 1) / (self.updates + 10))
        self.updates += 1
        for mean, new in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(new.detach(), 1 - keep)
        for kept, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(buffer)
