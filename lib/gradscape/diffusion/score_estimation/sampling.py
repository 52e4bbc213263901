"""Samples from a learned score, and how far they are from fresh data."""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape.diffusion.score_estimation.process import T0, T_END, Field, score_from_mean
from gradscape.lesson import generator
from gradscape.validate import at_least, finite


def reverse_sample(
    f: Field, n: int, d: int, seed: int, *, steps: int = 100, T0: float = T0, T: float = T_END
) -> Tensor:
    """Run the reverse process from N(0, I) at time T down to T0 and return f(T0, x), (n, d).

    Euler-Maruyama on logarithmically spaced times: x += dt (x/2 + s) + sqrt(dt) ε, with the score of the mean f.
    """
    draws = generator(seed, 5)
    if not 0 < T0 < T:
        raise ValueError(f"T0={T0!r}, T={T!r}: must satisfy 0 < T0 < T")
    times = torch.logspace(math.log10(T), math.log10(T0), at_least("steps", steps, 1) + 1, dtype=torch.float64)
    x = torch.randn(at_least("n", n, 1), at_least("d", d, 1), generator=draws, dtype=torch.float64)
    for now, later in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        dt = now - later
        t = torch.full((n,), now, dtype=torch.float64)
        drift = x / 2 + score_from_mean(f(t, x), t, x)
        x = x + dt * drift + math.sqrt(dt) * torch.randn(x.shape, generator=draws, dtype=torch.float64)
    return f(torch.full((n,), T0, dtype=torch.float64), x)


def sliced_w1(A: Tensor, B: Tensor, seed: int, directions: int = 200) -> float:
    """Wasserstein-1 distance of projections on random directions, averaged; A, B: (n, d), equally many points."""
    if finite("A", A).ndim != 2 or finite("B", B).shape != A.shape:
        raise ValueError(f"A {tuple(A.shape)}, B {tuple(B.shape)}: must be of one shape (n, d)")
    ways = torch.randn(A.shape[1], at_least("directions", directions, 1), generator=generator(seed, 6), dtype=A.dtype)
    ways = ways / ways.norm(dim=0)
    return float(((A @ ways).sort(0).values - (B @ ways).sort(0).values).abs().mean())
