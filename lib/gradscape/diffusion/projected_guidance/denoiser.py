"""Part B's network: a small class-conditional denoiser, its training, and the count of its arithmetic."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gradscape.generative.edm import EDMDenoiser, edm_loss
from gradscape.learning.ema import EMA
from gradscape.validate import at_least, in_range, positive

FREQUENCIES = 16


class FilmMLP(nn.Module):
    """A residual MLP whose blocks are scaled and shifted by the noise level and the class (FiLM).

    Each block adds W silu(LayerNorm(h) (1 + scale) + shift); scale and shift come from silu(noise features + class
    vector). Class ``classes`` means "none". The output layer starts at 0, so an untrained denoiser is c_skip x.
    """

    frequencies: Tensor

    def __init__(self, dim: int, classes: int, width: int = 256, blocks: int = 3) -> None:
        super().__init__()
        self.width, self.blocks = width, blocks
        self.register_buffer("frequencies", math.pi * torch.logspace(-1, 1, FREQUENCIES))
        self.noise = nn.Linear(2 * FREQUENCIES, width)
        self.label = nn.Embedding(classes + 1, width)
        self.film = nn.Linear(width, 2 * width * blocks)
        self.inlet = nn.Linear(dim, width)
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.outlet = nn.Linear(width, dim)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor) -> Tensor:
        """x (B, dim), c_noise () or (B,), labels (B,)."""
        angles = c_noise[..., None] * self.frequencies
        noise = self.noise(torch.cat([angles.cos(), angles.sin()], -1))
        if c_noise.ndim == 0:  # one noise level: the few classes share the whole conditioning
            film = self.film(F.silu(noise + self.label.weight))[labels]
        else:
            film = self.film(F.silu(noise + self.label(labels)))
        h = self.inlet(x)
        for inner, part in zip(self.inner, film.chunk(self.blocks, -1), strict=True):
            scale, shift = part.chunk(2, -1)
            h = h + inner(F.silu(torch.addcmul(shift, F.layer_norm(h, (self.width,)), 1 + scale)))
        return self.outlet(h)


class MLPDenoiser(EDMDenoiser):
    """`FilmMLP` in EDM's preconditioning, for images of ``dim`` pixels with ``classes`` labels; starts from a seed."""

    def __init__(
        self, dim: int, classes: int, width: int = 256, blocks: int = 3, sigma_data: float = 0.5, seed: int = 0
    ) -> None:
        with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator: leave it as it was
            torch.manual_seed(seed)
            backbone = FilmMLP(dim, classes, width, blocks)
        super().__init__(backbone, sigma_data, null_label=classes)


def fit_denoiser(
    denoiser: EDMDenoiser,
    x: Tensor,
    labels: Tensor,
    *,
    steps: int,
    lr: float = 2e-3,
    batch: int = 128,
    drop: float = 0.1,
    decay: float = 0.995,
    generator: torch.Generator | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> EDMDenoiser:
    """Train a conditional denoiser in place and return its moving average, which is what to sample with.

    Adam with a one-cycle learning rate that peaks at ``lr``; ln sigma ~ N(-1, 1.2^2); a label is replaced by "none"
    with probability ``drop``, which makes one network both D_c and D_u (Ho & Salimans 2022, arXiv 2207.12598).

    Args:
        x: images (n, dim); labels: their classes (n,).
        progress: called as ``progress(done, steps)``; an exception it raises ends the training.
    """
    at_least("steps", steps, 1)
    positive("lr", lr)
    in_range("drop", drop, 0.0, 1.0)
    if denoiser.null_label is None:
        raise ValueError("null_label=None: a conditional denoiser needs the label that means 'no condition'")
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1)
    average = EMA(denoiser, decay)
    for step in range(steps):
        rows = torch.randint(len(x), (batch,), generator=generator).to(x.device)
        kept = (torch.rand(batch, generator=generator) >= drop).to(x.device)
        given = torch.where(kept, labels[rows], denoiser.null_label)
        loss = edm_loss(denoiser, x[rows], given, log_mean=-1.0, generator=generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update(denoiser)
        if progress is not None:
            progress(step + 1, steps)
    return average.module  # type: ignore[return-value]


class OperationCount(TorchDispatchMode):
    """Counts arithmetic while active: multiply-adds of matrix products twice, every other operation once per entry.

    A machine-independent stand-in for time; changes of shape cost nothing. ``total`` holds the count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        packet = getattr(func, "overloadpacket", None)
        if packet in flop_registry:
            self.total += int(flop_registry[packet](*args, **(kwargs or {}), out_val=out))
        else:
            tensors = [t for t in (*args, *(out if isinstance(out, tuple) else (out,))) if isinstance(t, Tensor)]
            self.total += 0 if func.is_view else max((t.numel() for t in tensors), default=0)
        return out
