"""Low-rank matrices seen through random linear measurements, some of them grossly wrong."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from gradscape import validate
from gradscape.lesson import generator

NOISES = ("none", "outlier", "gaussian", "both")
TOLERANCE = 1e-8  # relative asymmetry or negative eigenvalue that rounding explains


@dataclass(frozen=True)
class Noise:
    """A measurement is an outlier N(0, scale²) with probability ``p``, else it is off by N(0, nu²)."""

    p: float = 0.0
    scale: float = 10.0
    nu: float = 0.0

    def __post_init__(self) -> None:
        validate.in_range("p", self.p, 0.0, 1.0, open_high=True)
        validate.nonnegative("scale", self.scale)
        validate.nonnegative("nu", self.nu)

    @classmethod
    def of(cls, noise: str, p: float = 0.1, scale: float = 10.0, nu: float = 1.0) -> Self:
        """The noise called ``"none"``, ``"outlier"`` (p, scale), ``"gaussian"`` (nu) or ``"both"``."""
        validate.one_of("noise", noise, NOISES)
        checked = cls(p, scale, nu)
        return replace(
            checked, p=checked.p if noise in ("outlier", "both") else 0.0,
            nu=checked.nu if noise in ("gaussian", "both") else 0.0,
        )

    def draw(self, m: int, generator: torch.Generator) -> Tensor:
        """Errors s of ``m`` measurements, (m,) float64. The same numbers are drawn whatever p, scale and nu are."""
        chance = torch.rand(m, generator=generator, dtype=torch.float64)
        z = torch.randn(m, generator=generator, dtype=torch.float64)
        return torch.where(chance < self.p, self.scale * z, self.nu * z)


@dataclass(frozen=True)
class RobustProblem:
    """``y_i = <A_i, X> + s_i``: ``A`` (*batch, m, d²), ``y`` (*batch, m), the wanted ``X`` (*batch, d, d).

    ``V`` (*batch, d, r) has orthonormal columns that span the range of X. Methods see A and y only.
    """

    A: Tensor
    y: Tensor
    X: Tensor
    V: Tensor

    @property
    def d(self) -> int:
        """Rows of X."""
        return self.X.shape[-1]

    @property
    def m(self) -> int:
        """Measurements."""
        return self.y.shape[-1]

    @cached_property
    def half(self) -> Tensor:
        """What the A_i see of symmetric matrices: rows of :func:`fold`, (*batch, m, d(d + 1)/2)."""
        return fold(self.A.unflatten(-1, (self.d, self.d)))

    @property
    def loss_at_truth(self) -> Tensor:
        """The mean absolute error of the measurements, which is the loss of X itself, (*batch)."""
        return ((self.A @ self.X.flatten(-2)[..., None])[..., 0] - self.y).abs().mean(-1)

    def to(self, dtype: torch.dtype) -> RobustProblem:
        """The same problem in another floating-point type."""
        return RobustProblem(*(value.to(dtype) for value in (self.A, self.y, self.X, self.V)))

    def member(self, index: int) -> RobustProblem:
        """One problem of a batch, with a batch axis of length 1."""
        return RobustProblem(*(value[index : index + 1] for value in (self.A, self.y, self.X, self.V)))


def _corner(d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and columns of the upper triangle, and √2 off the diagonal, 1 on it."""
    rows, columns = torch.triu_indices(d, d)
    return rows, columns, (1.0 + (rows != columns).to(torch.float64)).sqrt()


def fold(M: Tensor) -> Tensor:
    """Coordinates of the symmetric part of ``M`` (*batch, d, d) in an orthonormal basis, (*batch, d(d + 1)/2).

    Inner products of symmetric matrices are kept: ``fold(M) @ fold(N) = <M, N>``. Halves the work per measurement.
    """
    rows, columns, weight = _corner(M.shape[-1])
    return 0.5 * (M[..., rows, columns] + M[..., columns, rows]) * weight.to(M)


def unfold(h: Tensor, d: int) -> Tensor:
    """The symmetric matrix with coordinates ``h`` (*batch, d(d + 1)/2); undoes :func:`fold`."""
    rows, columns, weight = _corner(d)
    position = torch.empty(d, d, dtype=torch.int64)
    position[rows, columns] = position[columns, rows] = torch.arange(len(rows))
    return (h / weight.to(h))[..., position.flatten()].unflatten(-1, (d, d))


def make_problem(
    d: int,
    r: int,
    m: int,
    noise: str = "none",
    p: float = 0.1,
    scale: float = 10.0,
    nu: float = 1.0,
    kappa: float = 1.0,
    seed: int = 0,
    batch: int | None = None,
) -> RobustProblem:
    """A random problem: X of rank ``r`` with singular values from 1 down to 1/kappa, A_i with N(0, 1) entries.

    Member b of ``batch`` draws from ``SeedSequence([seed, b])``; without ``batch`` it is member 0, with no batch axis.
    Noise as in :class:`Noise`. Float64. ``ValueError`` for r > d, m < 1, p outside [0, 1) or kappa < 1.
    """
    validate.at_least("r", r, 1)
    validate.at_least("d", d, 1)
    if r > d:
        raise ValueError(f"r={r!r}: must be at most d={d}")
    validate.in_range("kappa", kappa, 1.0, math.inf, open_high=True)
    values = torch.logspace(0, -math.log10(kappa), r, dtype=torch.float64) if r > 1 else torch.ones(1).double()
    members = []
    for b in range(1 if batch is None else validate.at_least("batch", batch, 1)):
        g = generator(seed, b)
        V = torch.linalg.qr(torch.randn(d, r, generator=g, dtype=torch.float64)).Q
        members.append(_measured((V * values) @ V.T, V, m, Noise.of(noise, p, scale, nu), g))
    return members[0] if batch is None else stack(members)


def from_matrix(
    X: Tensor,
    m: int,
    noise: str = "none",
    p: float = 0.1,
    scale: float = 10.0,
    nu: float = 1.0,
    seed: int = 0,
) -> RobustProblem:
    """Measure a given symmetric, positive semi-definite ``X`` (d, d), which is scaled to a largest eigenvalue of 1.

    ``ValueError`` if X is not finite, not square, not symmetric, zero, or has a negative eigenvalue.
    """
    validate.finite("X", X)
    X = torch.as_tensor(X, dtype=torch.float64)
    if X.dim() != 2 or X.shape[0] != X.shape[1]:
        raise ValueError(f"X has shape {tuple(X.shape)}: must be (d, d)")
    size = float(X.abs().max())
    if size == 0 or float((X - X.T).abs().max()) > TOLERANCE * size:
        raise ValueError("X: must be symmetric and not zero")
    values, vectors = torch.linalg.eigh(0.5 * (X + X.T))
    top = float(values[-1])
    if float(values[0]) < -TOLERANCE * max(top, size):
        raise ValueError(f"X has the eigenvalue {float(values[0]):g}: must be positive semi-definite")
    kept = values > TOLERANCE * top
    values, V = values[kept] / top, vectors[:, kept]
    return _measured((V * values) @ V.T, V, m, Noise.of(noise, p, scale, nu), generator(seed))


def _measured(X: Tensor, V: Tensor, m: int, noise: Noise, g: torch.Generator) -> RobustProblem:
    A = torch.randn(validate.at_least("m", m, 1), X.numel(), generator=g, dtype=torch.float64)
    return RobustProblem(A, A @ X.flatten() + noise.draw(m, g), X, V)


def stack(problems: list[RobustProblem]) -> RobustProblem:
    """Problems of one shape as a batch."""
    return RobustProblem(*(
        torch.stack([getattr(problem, name) for problem in problems]) for name in ("A", "y", "X", "V")))
