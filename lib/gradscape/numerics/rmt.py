"""Random matrices: the Marchenko–Pastur law, its quadrature and resolvent, and the same law seen in symmetric noise.

Marchenko & Pastur, Math. USSR-Sbornik 1 (1967), in the convention of Advani & Saxe (arXiv 1710.03667): the eigenvalues
of ``X Xᵀ`` for an N × P matrix ``X`` of independent entries with mean 0 and variance 1/N, as N and P grow with
``alpha = P/N``. Other texts and packages call the inverse of this number the ratio; then eigenvalues rescale too.
The noisy law adds a symmetric Gaussian matrix: the free convolution Marchenko–Pastur ⊞ semicircle (Pastur 1972).
"""
from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gradscape.validate import at_least, finite, positive


def as_float64(name: str, value: float | Tensor, *, low: float = -math.inf) -> Tensor:
    """Return ``value`` as a float64 tensor whose entries are all finite and at least ``low``."""
    tensor = torch.as_tensor(value, dtype=torch.float64)
    finite(name, tensor)
    if bool((tensor < low).any()):
        raise ValueError(f"{name}: smallest entry is {tensor.min().item()!r}; all must be >= {low:g}")
    return tensor


def mp_support(alpha: float) -> tuple[float, float]:
    """Return the edges ``(√alpha ∓ 1)²`` of the continuous part of the spectrum (Marchenko & Pastur 1967).

    >>> mp_support(4.0)
    (1.0, 9.0)
    """
    root = math.sqrt(positive("alpha", alpha))
    return (root - 1.0) ** 2, (root + 1.0) ** 2


def mp_atom(alpha: float) -> float:
    """Return the share ``max(0, 1 - alpha)`` of eigenvalues that are exactly 0 (Marchenko & Pastur 1967)."""
    return max(0.0, 1.0 - positive("alpha", alpha))


def mp_density(lam: float | Tensor, alpha: float) -> Tensor:
    """Density ``√((λ₊ - λ)(λ - λ₋)) / (2πλ)`` of the continuous part (Marchenko & Pastur 1967).

    ``lam``: eigenvalues, any shape. Zero outside the open support; its mass is ``min(1, alpha)``, the atom at 0 is
    not in it (see :func:`mp_atom`). Raises ``ValueError`` for ``alpha <= 0`` or entries that are not finite.
    """
    low, high = mp_support(alpha)
    lam = as_float64("lam", lam)
    inside = (lam > low) & (lam < high)
    safe = torch.where(inside, lam, torch.ones_like(lam))
    density = ((high - safe) * (safe - low)).clamp(min=0.0).sqrt() / (2 * math.pi * safe)
    return torch.where(inside, density, torch.zeros_like(lam))


@lru_cache(maxsize=16)
def _legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import roots_legendre

    return roots_legendre(n)


def mp_quadrature(alpha: float, n: int = 256) -> tuple[Tensor, Tensor]:
    """Nodes and weights with ``Σ w f(λ) ≈ ∫ f(λ) ρ(λ) dλ`` over the continuous part (Marchenko & Pastur 1967).

    Substitutes ``λ = (1 - √α)² + 4√α cos²(θ/2)``, which removes both square-root edges and never subtracts two close
    numbers near ``λ₋ = 0``, then applies Gauss–Legendre in θ. Returns float64 tensors of shape ``(n,)``, eigenvalues
    ascending; the weights sum to ``min(1, alpha)``. 256 nodes hold ten digits of the training curves for ``alpha ≠ 1``
    at any time and for ``alpha = 1`` up to time 1e4; time 1e6 at ``alpha = 1`` needs 1000.

    >>> lam, weight = mp_quadrature(0.5)
    >>> round(float((weight * lam).sum()), 12)
    0.5
    """
    positive("alpha", alpha)
    nodes, weights = _legendre(at_least("n", n, 2))
    theta = 0.5 * math.pi * (1.0 - torch.from_numpy(nodes))
    root = math.sqrt(alpha)
    lam = (1.0 - root) ** 2 + 4.0 * root * torch.cos(theta / 2) ** 2
    mass = (2.0 * root * torch.sin(theta)) ** 2 / (2 * math.pi * lam)
    return lam, mass * torch.from_numpy(weights) * (0.5 * math.pi)


def mp_resolvent(gamma: float | Tensor, alpha: float) -> Tensor:
    """Return ``∫ρ(λ)/(λ + γ) dλ``, the atom at 0 included (the Stieltjes transform at ``-γ``; Marchenko & Pastur 1967).

    ``gamma``: positive, any shape. It is the positive root of ``γ m² + (γ + α - 1) m - 1 = 0``, written so that neither
    sign of the middle coefficient cancels. Raises ``ValueError`` for ``alpha <= 0`` or ``gamma <= 0``.
    """
    positive("alpha", alpha)
    gamma = as_float64("gamma", gamma)
    if bool((gamma <= 0).any()):
        raise ValueError(f"gamma: smallest entry is {gamma.min().item()!r}; all must be > 0")
    b = gamma + (alpha - 1.0)
    root = (b * b + 4.0 * gamma).sqrt()
    return torch.where(b > 0, 2.0 / (b.clamp(min=0.0) + root), (root - b) / (2.0 * gamma))


# ---- a Wishart matrix seen in noise: Marchenko–Pastur ⊞ semicircle ---------------------------------------------------


def semicircle_density(x: float | Tensor, variance: float = 1.0) -> Tensor:
    """Density ``√(4v - x²)/(2πv)`` of the eigenvalues of a symmetric Gaussian matrix (Wigner 1955).

    ``variance`` v: d times the variance of an entry off the diagonal, for d × d matrices as d grows. Zero outside
    ``|x| < 2√v``. Raises ``ValueError`` for ``variance <= 0`` or entries that are not finite.
    """
    positive("variance", variance)
    x = as_float64("x", x)
    return (4 * variance - x * x).clamp(min=0.0).sqrt() / (2 * math.pi * variance)


def _scaled(kappa: float, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Standard deviation ``s``, noise share ``c`` of the variance and skewness ``t`` of the law, ``(…, 1)`` each.

    In ``y = (x - 1)/s`` the Stieltjes transform g solves ``y = (1 - c) g/(1 - t g) + c g + 1/g``: both limits, a pure
    Wishart matrix (c = 0) and pure noise (t = 0), are then harmless.
    """
    noise = noise.unsqueeze(-1)
    s = (1.0 / kappa + noise).sqrt()
    return s, noise / s**2, 1.0 / (kappa * s)


def _inverse_transform(y: Tensor, c: Tensor, t: Tensor) -> Tensor:
    """``f = 1/g`` on the real line, complex with ``Im f >= 0``: the physical root of a monic real cubic.

    ``f³ - (y + t) f² + (1 + t y) f - c t = 0`` by Cardano's formula, then two Newton steps, because the digits of a
    narrow part of the spectrum (small c) cancel in the discriminant. Outside the support all three roots are real: the
    physical one is the largest to the right of all eigenvalues, the smallest to the left, the middle one in a gap.
    """
    a, b = -(y + t), 1.0 + t * y
    p, r = b - a * a / 3, 2 * a**3 / 27 - a * b / 3 - c * t
    disc = r * r / 4 + (p / 3) ** 3
    root = disc.clamp(min=0.0).sqrt()
    big = -r / 2 - torch.where(r > 0, root, -root)
    u = big.sign() * big.abs().pow(1 / 3)
    v = torch.where(u == 0, 0.0, -p / (3 * torch.where(u == 0, 1.0, u)))
    bulk = torch.complex(-(u + v) / 2 - a / 3, (math.sqrt(3) / 2) * (u - v).abs())
    length = (-p / 3).clamp(min=0.0).sqrt()
    angle = torch.acos((-r / (2 * torch.where(length > 0, length, 1.0) ** 3)).clamp(-1.0, 1.0)) / 3
    high, middle, low = (2 * length * torch.cos(angle - 2 * math.pi * k / 3) - a / 3 for k in range(3))
    real = torch.where(high > t, high, torch.where(low < 0, low, middle))
    f = torch.where(disc > 0, bulk, torch.complex(real, torch.zeros_like(real)))
    for _ in range(2):
        slope = (3 * f + 2 * a) * f + b
        step = (((f + a) * f + b) * f - c * t) / torch.where(slope == 0, 1.0, slope)
        f = torch.where(step.abs() < 0.1 * f.abs(), f - step, f)
    return f


def _edges(c: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Edges ``(…, 4)`` of the scaled law and whether it has a gap ``(…)``; without a gap the middle two are one point.

    Edges are the extrema of ``y(f) = (1 - c)/(f - t) + c/f + f``, real roots of ``(f² - c)(f - t)² = (1 - c) f²``. The
    middle pair of roots is complex when there is no gap: the real part of its y is then where a gap is about to open.
    """
    c, t = c.squeeze(-1), t.squeeze(-1)
    companion = torch.zeros(*c.shape, 4, 4, dtype=torch.float64)
    companion[..., 0, :] = torch.stack([2 * t, 1 - t * t, -2 * c * t, c * t * t], -1)
    companion[..., [1, 2, 3], [0, 1, 2]] = 1.0
    f = torch.linalg.eigvals(companion)
    f = torch.gather(f, -1, f.real.argsort(-1))
    y = (1 - c.unsqueeze(-1)) / (f - t.unsqueeze(-1)) + c.unsqueeze(-1) / f + f
    first, last = y.real[..., 0], y.real[..., 3]
    gap = (f.imag == 0).all(-1)
    middle = y.real[..., 1]  # far from opening a gap it may lie anywhere: then any inner point will do
    one = torch.where((middle > first) & (middle < last), middle, (first + last) / 2)
    two = [torch.where(gap, y.real[..., k].clone(), one) for k in (1, 2)]
    return torch.stack([first, torch.minimum(*two), torch.maximum(*two), last], -1), gap


def noisy_wishart_support(kappa: float, noise: float) -> Tensor:
    """Edges of the spectrum, ``(2,)`` for one interval or ``(4,)`` for two (see :func:`noisy_wishart_resolvent`).

    >>> [round(edge, 3) for edge in noisy_wishart_support(0.5, 0.1).tolist()]
    [-0.483, 5.858]
    """
    s, c, t = _scaled(positive("kappa", kappa), torch.tensor(positive("noise", noise), dtype=torch.float64))
    edges, gap = _edges(c, t)
    return 1.0 + s * (edges if bool(gap) else edges[[0, 3]])


def noisy_wishart_resolvent(x: float | Tensor, kappa: float, noise: float | Tensor) -> tuple[Tensor, Tensor]:
    """Hilbert part h and density ρ of ``Y = WᵀW/m + √noise · Z`` at ``x``: ``g(x - i0) = h + iπρ`` (Pastur 1972).

    W is m × d with independent entries of variance 1 and ``kappa = m/d``: its Marchenko–Pastur law has mean 1 and
    variance 1/kappa (eigenvalues ``λ/kappa`` of the law above at ``alpha = kappa``). Z is symmetric Gaussian with
    semicircle of variance 1. Their free convolution has the Stieltjes transform g with
    ``x = 1/(1 - g/kappa) + noise · g + 1/g``.

    ``x`` ``(…, k)`` and ``noise`` ``(…)`` broadcast (one noise: any shape of x). Outside the support ρ is 0 and h is g.
    Raises ``ValueError`` for ``kappa <= 0``, ``noise <= 0`` or entries that are not finite.
    """
    x, noise = as_float64("x", x), _positive_entries("noise", noise)
    s, c, t = _scaled(positive("kappa", kappa), noise)
    f = _inverse_transform((x - 1.0) / s, c, t)
    square = (f.real**2 + f.imag**2) * s
    return (f.real / square).reshape(x.shape if noise.ndim == 0 else f.shape), \
        (f.imag / (math.pi * square)).reshape(x.shape if noise.ndim == 0 else f.shape)


def noisy_wishart_quadrature(kappa: float, noise: float | Tensor, n: int = 256) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes x, weights w and density ρ with ``Σ w f(x) ≈ ∫ f(x) ρ(x) dx``, each ``(…, n)`` for ``noise`` ``(…)``.

    Two pieces, split in the gap or where one is about to open; on each ``x = mid + half cos θ`` and Gauss–Legendre in
    θ, which removes the square-root edges. Raises ``ValueError`` for bad ``kappa`` or ``noise``, odd n or n < 4.
    """
    if at_least("n", n, 4) % 2:
        raise ValueError(f"n={n!r}: must be even, half of the nodes for each piece of the spectrum")
    noise = _positive_entries("noise", noise)
    s, c, t = _scaled(positive("kappa", kappa), noise)
    edges, _ = _edges(c, t)
    nodes, weights = (torch.from_numpy(array) for array in _legendre(n // 2))
    theta = 0.5 * math.pi * (1.0 - nodes)
    mid, half = ((edges[..., 1::2] + sign * edges[..., ::2]).unsqueeze(-1) / 2 for sign in (1, -1))
    y = (mid + half * torch.cos(theta)).flatten(-2)
    dy = (half * torch.sin(theta) * weights * (0.5 * math.pi)).flatten(-2)
    f = _inverse_transform(y, c, t)
    density = f.imag / (math.pi * (f.real**2 + f.imag**2))
    return 1.0 + s * y, dy * density, density / s


def _positive_entries(name: str, value: float | Tensor) -> Tensor:
    tensor = as_float64(name, value)
    if bool((tensor <= 0).any()):
        raise ValueError(f"{name}: smallest entry is {tensor.min().item()!r}; all must be > 0")
    return tensor
