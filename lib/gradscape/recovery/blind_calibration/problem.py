"""Sensors with unknown gains: each of p snapshots passes the signal through its own random masks."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.lesson import generator

ENSEMBLES = ("gaussian", "rademacher")
CENTERED = 1e-9  # by how much the mean of given gains may miss 1


@dataclass(frozen=True)
class CalibrationProblem:
    """``y_l = g ∘ (A_l x) + noise``: masks ``A`` (*batch, p, m, n) and measurements ``y`` (*batch, p, m).

    Wanted are the signal ``x`` (*batch, n) and the gains ``g`` (*batch, m), positive with mean 1. Methods see A and y
    only.
    """

    A: Tensor
    y: Tensor
    x: Tensor
    g: Tensor

    @property
    def n(self) -> int:
        """Entries of the signal."""
        return self.A.shape[-1]

    @property
    def m(self) -> int:
        """Sensors."""
        return self.A.shape[-2]

    @property
    def p(self) -> int:
        """Snapshots."""
        return self.A.shape[-3]

    @property
    def ratio(self) -> float:
        """Measurements per unknown, ``m p / (n + m - 1)``."""
        return sample_ratio(self.n, self.m, self.p)

    def to(self, where: torch.dtype | torch.device | str) -> CalibrationProblem:
        """The same problem in another floating-point type or on another device."""
        return CalibrationProblem(*(value.to(where) for value in (self.A, self.y, self.x, self.g)))

    def member(self, index: int) -> CalibrationProblem:
        """One problem of a batch, without the batch axis."""
        return CalibrationProblem(*(value[index] for value in (self.A, self.y, self.x, self.g)))


def sample_ratio(n: int, m: int, p: int) -> float:
    """Measurements per unknown: n entries of x and m gains, less the one that the mean of the gains fixes."""
    return m * p / (n + m - 1)


def draw_gains(m: int, rho: float, generator: torch.Generator) -> Tensor:
    """Gains ``1 + e``, (m,): e uniform, centered, scaled to a largest entry of ``rho``; a single gain is 1."""
    e = torch.rand(m, generator=generator, dtype=torch.float64)
    e = e - e.mean()
    return 1 + rho * e / e.abs().amax().clamp(min=torch.finfo(e.dtype).tiny)


def draw_masks(shape: tuple[int, int, int], ensemble: str, generator: torch.Generator) -> Tensor:
    """Random masks (p, m, n): entries N(0, 1), or ±1 for ``"rademacher"``."""
    if ensemble == "gaussian":
        return torch.randn(*shape, generator=generator, dtype=torch.float64)
    return torch.randint(2, shape, generator=generator).double().mul_(2).sub_(1)


def calibration_problem(
    n: int,
    m: int,
    p: int,
    rho: float,
    *,
    ensemble: str = "gaussian",
    noise: float = 0.0,
    x: Tensor | None = None,
    g: Tensor | None = None,
    seed: int = 0,
    batch: int | None = None,
) -> CalibrationProblem:
    """A random problem of the paper's model: x uniform on the unit sphere, gains from :func:`draw_gains`.

    ``x`` (n,) and ``g`` (m,), positive with mean 1, replace the drawn ones. ``noise`` is the standard deviation of
    Gaussian noise on each measurement (entries of ``A x`` have the size of ``|x|``). Member b of ``batch`` draws from
    ``SeedSequence([seed, b])``; without ``batch`` it is member 0, with no batch axis. Float64. ``ValueError`` for rho
    outside [0, 1), n, m or p < 1, an unknown ensemble, or an x or g of the wrong shape.

    >>> calibration_problem(64, 64, 4, rho=0.5).y.shape
    torch.Size([4, 64])
    """
    for name, value in (("n", n), ("m", m), ("p", p)):
        validate.at_least(name, value, 1)
    validate.in_range("rho", rho, 0.0, 1.0, open_high=True)
    validate.one_of("ensemble", ensemble, ENSEMBLES)
    validate.nonnegative("noise", noise)
    signal = None if x is None else _given("x", x, n)
    gains = None if g is None else _given("g", g, m)
    if gains is not None and (bool((gains <= 0).any()) or abs(float(gains.mean()) - 1) > CENTERED):
        raise ValueError(f"g has smallest entry {float(gains.min()):g} and mean {float(gains.mean()):.12g}: gains must "
                         "be positive with mean 1")
    members = []
    for b in range(1 if batch is None else validate.at_least("batch", batch, 1)):
        source = generator(seed, b)
        drawn = draw_gains(m, rho, source)
        direction = torch.randn(n, generator=source, dtype=torch.float64)
        A = draw_masks((p, m, n), ensemble, source)
        true_x = direction / direction.norm() if signal is None else signal
        true_g = drawn if gains is None else gains
        y = true_g * (A @ true_x)
        if noise:
            y = y + noise * torch.randn(p, m, generator=source, dtype=torch.float64)
        members.append(CalibrationProblem(A, y, true_x, true_g))
    return members[0] if batch is None else _stacked(members)


def _stacked(members: list[CalibrationProblem]) -> CalibrationProblem:
    parts = zip(*((one.A, one.y, one.x, one.g) for one in members), strict=True)
    return CalibrationProblem(*(torch.stack(entries) for entries in parts))


def _given(name: str, value: Tensor, length: int) -> Tensor:
    vector = torch.as_tensor(value)
    if tuple(vector.shape) != (length,):
        raise ValueError(f"{name} has shape {tuple(vector.shape)}: must be ({length},)")
    validate.finite(name, vector)
    if name == "x" and not bool(vector.any()):
        raise ValueError("x is zero: no measurement would tell anything about the gains")
    return vector.to(torch.float64)


def distance(xi: Tensor, gamma: Tensor, x: Tensor, g: Tensor) -> Tensor:
    """The theory's pre-metric ``|xi - x|² + (|x|²/m) |gamma - g|²``, (*batch); it weighs both blocks alike."""
    _matching(xi, gamma, x, g)
    size = x.square().sum(-1) / g.shape[-1]
    return (xi - x).square().sum(-1) + size * (gamma - g).square().sum(-1)


def errors(x_hat: Tensor, g_hat: Tensor, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Relative errors ``|x_hat - x| / |x|`` and ``|g_hat - g| / |g|``, (*batch); both gains must have mean 1.

    The larger one below 1e-3 counts as success (experiments of the paper). ``ValueError`` for different shapes.
    """
    _matching(x_hat, g_hat, x, g)
    return (x_hat - x).norm(dim=-1) / x.norm(dim=-1), (g_hat - g).norm(dim=-1) / g.norm(dim=-1)


def _matching(x_hat: Tensor, g_hat: Tensor, x: Tensor, g: Tensor) -> None:
    validate.same_shape(x_hat=x_hat, x=x)
    validate.same_shape(g_hat=g_hat, g=g)


def snapshots_for(n: int, m: int, ratio: float) -> int:
    """The fewest snapshots p with at least ``ratio`` measurements per unknown."""
    return math.ceil(ratio * (n + m - 1) / m - 1e-9)
