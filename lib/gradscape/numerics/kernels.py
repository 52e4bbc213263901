"""Gaussian expectations of erf, sign and relu and of their derivatives: the pieces of neural kernels.

Throughout (u, v) ~ N(0, [[a, c], [c, b]]), elementwise: ``a``, ``b``, ``c`` are tensors or numbers that broadcast,
converted to float64; a > 0, b > 0 and c² <= a b, up to rounding. erf_m(z) = erf(m z); sign is its limit m → ∞.

Sources: erf, Williams (1997), *Computing with infinite networks*; relu, Cho & Saul (2009), arc-cosine kernels; the
products of derivatives follow from the Gaussian integral, since erf_m' is twice the density of N(0, 1/(2 m²)).
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape.validate import positive

Values = Tensor | float
# a b - c² relative to a b: below it the two inputs are the same up to rounding of float64
COINCIDENT = 1e-12


def correlation(a: Values, b: Values, c: Values) -> Tensor:
    """c / sqrt(a b), exactly ±1 where it is so up to rounding (the arcsine would turn 1e-16 below 1 into 1e-8).

    ``ValueError`` unless all are finite, a, b > 0 and c² <= a b.
    """
    a, b, c = _checked(a, b, c)
    rho = c / (a * b).sqrt()
    return torch.where(rho.abs() > 1 - COINCIDENT, rho.sign(), rho)


def erf_product(a: Values, b: Values, c: Values, m: float, k: float | None = None) -> Tensor:
    """E[erf_m(u) erf_k(v)] (k = m if left out), for m, k > 0.

    >>> round(float(erf_product(0.5, 0.5, 0.5, 1.0)), 6)
    0.333333
    """
    k = positive("m", m) if k is None else positive("k", k)
    positive("m", m)
    a, b, c = _checked(a, b, c)
    share = 2 * m * k * c / ((1 + 2 * m**2 * a) * (1 + 2 * k**2 * b)).sqrt()
    return (2 / math.pi) * share.clamp(-1, 1).arcsin()


def erf_slopes(a: Values, b: Values, c: Values, m: float, k: float) -> Tensor:
    """E[erf_m'(u) erf_k'(v)] for m, k > 0.

    >>> round(float(erf_slopes(1.3, 0.7, 0.5, 8.0, 1.7)), 5)
    0.67416
    """
    positive("m", m)
    positive("k", k)
    a, b, c = _checked(a, b, c)
    # expanded, so that coincident inputs lose no digits at large m
    return (4 * m * k / math.pi) / (1 + 2 * m**2 * a + 2 * k**2 * b + 4 * m**2 * k**2 * _room(a, b, c)).sqrt()


def sign_product(a: Values, b: Values, c: Values) -> Tensor:
    """E[sign(u) sign(v)], an arcsine law."""
    return (2 / math.pi) * correlation(a, b, c).arcsin()


def sign_slopes(a: Values, b: Values, c: Values) -> Tensor:
    """E[2δ(u) 2δ(v)], four times the joint density at 0; infinite where u = ±v."""
    a, b, c = _checked(a, b, c)
    room = _room(a, b, c)
    return torch.where(room > COINCIDENT * a * b, 2 / (math.pi * room.sqrt()), math.inf)


def sign_erf_slopes(a: Values, b: Values, c: Values, k: float) -> Tensor:
    """E[2δ(u) erf_k'(v)]: one delta and one smooth factor, finite everywhere. k > 0.

    >>> round(float(sign_erf_slopes(1.3, 0.7, 0.5, 1.7)), 5)
    0.67675
    """
    positive("k", k)
    a, b, c = _checked(a, b, c)
    return (4 * k / math.pi) / (2 * a + 4 * k**2 * _room(a, b, c)).sqrt()


def relu_product(a: Values, b: Values, c: Values) -> Tensor:
    """E[relu(u) relu(v)], the arc-cosine kernel of order 1."""
    rho = correlation(a, b, c)
    a, b, _ = _checked(a, b, c)
    angle = rho.arccos()
    return (a * b).sqrt() * (angle.sin() + (math.pi - angle) * rho) / (2 * math.pi)


def relu_slopes(a: Values, b: Values, c: Values) -> Tensor:
    """E[relu'(u) relu'(v)], the probability that both are positive."""
    return 0.5 - correlation(a, b, c).arccos() / (2 * math.pi)


def conditional_variance(a: Values, b: Values, c: Values) -> Tensor:
    """Variance of v given u, b - c²/a; rounding never makes it negative."""
    a, b, c = _checked(a, b, c)
    return (b - c**2 / a).clamp_min(0)


def _room(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The determinant a b - c²; rounding never makes it negative."""
    return (a * b - c**2).clamp_min(0)


def _checked(a: Values, b: Values, c: Values) -> tuple[Tensor, Tensor, Tensor]:
    found = []
    for name, value in (("a", a), ("b", b), ("c", c)):
        tensor = torch.as_tensor(value, dtype=torch.float64)
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds NaN or infinite entries: covariances must be finite")
        if name != "c" and not bool((tensor > 0).all()):
            raise ValueError(f"{name}={float(tensor.min()):g}: variances must be > 0")
        found.append(tensor)
    a, b, c = found
    excess = c**2 - a * b * (1 + COINCIDENT)
    if bool((excess > 0).any()):
        raise ValueError(f"c: c² exceeds a b by {float(excess.max()):g}; a covariance has c² <= a b")
    return a, b, c
