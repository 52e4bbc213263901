"""The lesson's test problems: clients that differ by a chosen amount, and two kinds of gradient noise.

The quadratics follow a design of Koloskova et al. 2020 (arXiv 2003.10422, experiments): curvatures and optima that
differ from client to client. Whether the paper on EControl uses the same numbers was not verified.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from gradscape import validate
from gradscape.learning.problems import QuadraticClients

# noise((..., n), generator) -> (..., n, d), mean 0, independent over clients
Noise = Callable[[tuple[int, ...], torch.Generator], Tensor]

# The three equally likely values of the skewed noise, times sqrt(3/10): mean 0, variance 1
SKEWED = ((2.0, 0.0), (0.0, 1.0), (-2.0, -1.0))


class OptimalClients(QuadraticClients):
    """Quadratic clients that know the minimum of their mean: ``x_star`` (*batch, d), ``h_star`` (*batch, n, d)."""

    @cached_property
    def x_star(self) -> Tensor:
        """Where the mean of the gradients vanishes."""
        return self.solution

    @cached_property
    def h_star(self) -> Tensor:
        """Every client's gradient there: they sum to zero, and vanish only where clients are alike."""
        return self.gradients(self.x_star)

    def part(self, low: int, high: int) -> OptimalClients:
        """Clients ``low`` to ``high - 1``."""
        here = (slice(None),) * len(self.batch) + (slice(low, high),)
        return OptimalClients(self.matrices[here], self.linear[here], self.constant[here])


def koloskova_quadratic(
    n: int, d: int, zeta: float, seed: int | Sequence[int] = 0, normalise: bool = True
) -> OptimalClients:
    """f_i(x) = ‖a_i x - b_i‖²/2 with scalars a_i² = i²/n and b_i ~ N(0, (zeta/i)² I): heterogeneity grows with zeta.

    ``normalise`` divides all a_i² by their mean, so that f has curvature 1 and the largest L_i is about 3. Several
    seeds make a stack of problems, ``batch`` = (seeds,). ``ValueError`` for n, d < 1 or zeta < 0.
    """
    validate.at_least("n", n, 1)
    validate.at_least("d", d, 1)
    validate.nonnegative("zeta", zeta)
    i = torch.arange(1, n + 1, dtype=torch.float64)
    curvatures = i.square() / n
    if normalise:
        curvatures = curvatures / curvatures.mean()
    seeds = [seed] if isinstance(seed, int) else list(seed)
    drawn = [torch.randn(n, d, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in seeds]
    b = torch.stack(drawn) * (zeta / i)[:, None]
    hessians, linear = curvatures.expand(len(seeds), n), -curvatures.sqrt()[:, None] * b
    constant = b.square().sum(-1) / 2
    if isinstance(seed, int):
        hessians, linear, constant = hessians[0], linear[0], constant[0]
    return OptimalClients(hessians, linear, constant)


def equal_quadratic(n: int, d: int) -> OptimalClients:
    """n clients with the same f_i(x) = ‖x‖²/2: whatever differs between methods here is noise."""
    validate.at_least("n", n, 1)
    validate.at_least("d", d, 1)
    return OptimalClients(torch.ones(n, dtype=torch.float64), torch.zeros(n, d, dtype=torch.float64))


def gaussian_noise(sigma: float, d: int) -> Noise:
    """Noise N(0, (sigma²/d) I), so that its squared norm is sigma² on average."""
    validate.nonnegative("sigma", sigma)
    scale = sigma / math.sqrt(validate.at_least("d", d, 1))

    def noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.randn(*shape, d, generator=generator, dtype=torch.float64).mul_(scale)

    return noise


def skewed_noise(n: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Noise in two dimensions that is not symmetric: (2, 0), (0, 1) or (-2, -1) times sqrt(3/10), each with 1/3.

    Mean 0 and variance (of the whole vector) 1, but its median, and what Top-1 keeps of it, is not centered. ``n``
    clients or a shape (..., n); returns float64 (..., 2).
    """
    shape = (n,) if isinstance(n, int) else tuple(n)
    values = math.sqrt(3 / 10) * torch.tensor(SKEWED, dtype=torch.float64)
    return values[torch.randint(len(SKEWED), shape, generator=generator)]
