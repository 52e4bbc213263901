"""Surrogate derivatives: what stands in for the derivative of sign in the backward pass, with Gaussian means."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.numerics.quadrature import gauss_expect, gauss_legendre
from gradscape.validate import positive

_NODES = 64  # of the quadrature rules
_REACH = 12.0  # standard deviations beyond which a Gaussian weighs nothing in float64


class Surrogate:
    """A bounded function σ~ that replaces the derivative of the activation in the backward pass.

    A surrogate of your own overrides ``derivative``; its Gaussian mean is then found by 64-node Gauss–Hermite.
    """

    def derivative(self, z: Tensor) -> Tensor:
        """σ~(z), elementwise, in the dtype of ``z``."""
        raise NotImplementedError

    def gauss_mean(self, s: Tensor | float) -> Tensor:
        """E[σ~(v)] for v ~ N(0, s), elementwise in the variance s >= 0 (float64); σ~(0) at s = 0."""
        return gauss_expect(self.derivative, s, _NODES)


@dataclass(frozen=True)
class ErfSurrogate(Surrogate):
    """σ~ = erf_k', a Gaussian bump of width 1/(k sqrt 2) and height 2k/sqrt π; made by :func:`erf`."""

    k: float

    def derivative(self, z: Tensor) -> Tensor:
        """2k/sqrt(π) exp(-k² z²)."""
        return torch.exp(z * z * -(self.k**2)).mul_(2 * self.k / math.sqrt(math.pi))

    def gauss_mean(self, s: Tensor | float) -> Tensor:
        """2k/sqrt(π (1 + 2k² s))."""
        return 2 * self.k / (math.pi * (1 + 2 * self.k**2 * _variance(s))).sqrt()


@dataclass(frozen=True)
class RectangleSurrogate(Surrogate):
    """σ~(z) = 1 for \\|z\\| <= w, else 0: the clipped straight-through estimator; made by :func:`rectangle`."""

    w: float

    def derivative(self, z: Tensor) -> Tensor:
        """1 inside the window, 0 outside."""
        return (z.abs() <= self.w).to(z.dtype)

    def gauss_mean(self, s: Tensor | float) -> Tensor:
        """erf(w / sqrt(2s)), the mass inside the window."""
        return torch.erf(self.w / (2 * _variance(s)).sqrt())


@dataclass(frozen=True)
class TriangleSurrogate(Surrogate):
    """σ~(z) = max(0, 1 - \\|z\\|/w); made by :func:`triangle`."""

    w: float

    def derivative(self, z: Tensor) -> Tensor:
        """Falls linearly from 1 at 0 to 0 at ±w."""
        return (1 - z.abs() / self.w).clamp_min(0)

    def gauss_mean(self, s: Tensor | float) -> Tensor:
        """erf(w/sqrt(2s)) - sqrt(2s/π) (1 - exp(-w²/2s))/w."""
        root = (2 * _variance(s)).sqrt()
        ratio = self.w / root  # infinite at s = 0, where the second term vanishes
        return torch.erf(ratio) + torch.expm1(-ratio.square()) * root / (math.sqrt(math.pi) * self.w)


@dataclass(frozen=True)
class FastSigmoidSurrogate(Surrogate):
    """σ~(z) = 1/(1 + β\\|z\\|)², as in SuperSpike (Zenke & Ganguli 2018); made by :func:`fast_sigmoid`."""

    beta: float

    def derivative(self, z: Tensor) -> Tensor:
        """Peak 1 with a cusp at 0, heavy tails."""
        return (1 + self.beta * z.abs()).pow(-2)

    def gauss_mean(self, s: Tensor | float) -> Tensor:
        """By quadrature on the half line, nodes crowded towards the cusp (where Gauss–Hermite would be slow)."""
        x, weights = gauss_legendre(_NODES, 0.0, 1.0)
        t = _REACH * x**4
        density = math.sqrt(2 / math.pi) * torch.exp(-t.square() / 2) * weights * 4 * _REACH * x**3
        return self.derivative(_variance(s).sqrt().unsqueeze(-1) * t) @ density


def erf(k: float = 1.0) -> ErfSurrogate:
    """The derivative of erf(kz), the default surrogate; ``ValueError`` unless k > 0."""
    return ErfSurrogate(float(positive("k", k)))


def rectangle(w: float = 1.0) -> RectangleSurrogate:
    """A window of half-width w > 0 (``ValueError`` otherwise)."""
    return RectangleSurrogate(float(positive("w", w)))


def triangle(w: float = 1.0) -> TriangleSurrogate:
    """A triangle of half-width w > 0 (``ValueError`` otherwise)."""
    return TriangleSurrogate(float(positive("w", w)))


def fast_sigmoid(beta: float = 1.0) -> FastSigmoidSurrogate:
    """The derivative of z/(1 + β\\|z\\|), β > 0 (``ValueError`` otherwise)."""
    return FastSigmoidSurrogate(float(positive("beta", beta)))


def _variance(s: Tensor | float) -> Tensor:
    values = torch.as_tensor(s, dtype=torch.float64)
    if not bool((torch.isfinite(values) & (values >= 0)).all()):
        raise ValueError("s holds entries that are negative or not finite: a variance is >= 0")
    return values
