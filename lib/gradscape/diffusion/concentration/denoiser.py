"""The lesson's denoiser: a small residual network in EDM's preconditioning, and its training."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradscape.generative.edm import EDMDenoiser, edm_loss
from gradscape.learning.ema import EMA
from gradscape.validate import at_least, finite, positive

FEATURES = 16  # sines and cosines of ln(sigma)/4


class ResidualMLP(nn.Module):
    """F(c_in x, ln(sigma)/4, class): a linear inlet, ``depth`` residual SiLU layers, an outlet that starts at 0.

    One-hot class and 16 sinusoidal features of the noise level enter beside the image. ``classes`` = 0: no condition.
    """

    frequencies: Tensor

    def __init__(self, dim: int, classes: int, width: int, depth: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("frequencies", math.pi * torch.logspace(-1, 1, FEATURES // 2))
        self.inlet = nn.Linear(dim + FEATURES + classes, width)
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.outlet = nn.Linear(width, dim)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None) -> Tensor:
        """x (B, dim), c_noise () or (B,), labels (B,) or None."""
        angles = (c_noise[..., None] * self.frequencies.to(x.dtype)).expand(len(x), -1)
        parts = [x, angles.cos(), angles.sin()]
        if self.classes:
            if labels is None:
                raise ValueError("labels=None: this denoiser is conditional and needs a class for each row")
            parts.append(F.one_hot(labels, self.classes).to(x.dtype))
        h = self.inlet(torch.cat(parts, 1))
        for inner in self.inner:
            h = h + inner(F.silu(h))
        return self.outlet(F.silu(h))


def make_denoiser(
    dim: int, classes: int = 0, width: int = 192, depth: int = 2, sigma_data: float = 0.5, seed: int = 0
) -> EDMDenoiser:
    """An untrained denoiser, which shrinks towards 0 as for Gaussian data: D = c_skip x."""
    for name, value, low in (("dim", dim, 1), ("classes", classes, 0), ("width", width, 1), ("depth", depth, 0)):
        at_least(name, value, low)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator: leave it as it was
        torch.manual_seed(seed)
        return EDMDenoiser(ResidualMLP(dim, classes, width, depth), sigma_data)


class Trained(NamedTuple):
    """The moving average to sample with, and the loss at each step (steps,)."""

    average: EDMDenoiser
    losses: Tensor


def train_edm(
    model: EDMDenoiser, x: Tensor, y: Tensor | None = None, steps: int = 1500, *, lr: float = 2e-3, batch: int = 256,
    decay: float = 0.999, generator: torch.Generator | None = None, progress: Callable[[int, int], Any] | None = None,
) -> Trained:
    """Adam from ``lr`` down to 0 along a cosine, on EDM's loss (ln sigma ~ N(-1.2, 1.2²)); trains ``model`` in place.

    x: data (n, dim), scaled to the model's ``sigma_data``; y: classes (n,) for a conditional model.
    """
    at_least("steps", steps, 1)
    at_least("batch", batch, 1)
    positive("lr", lr)
    finite("x", x)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    average, losses = EMA(model, decay), torch.zeros(steps)
    for step in range(steps):
        rows = torch.randint(len(x), (batch,), generator=generator)
        loss = edm_loss(model, x[rows], None if y is None else y[rows], generator=generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update(model)
        losses[step] = loss.detach()
        if progress is not None:
            progress(step + 1, steps)
    return Trained(average.module, losses)  # type: ignore[arg-type]
