"""Random matrices: the Marchenko–Pastur law, its quadrature and its resolvent.

Marchenko & Pastur, Math. USSR-Sbornik 1 (1967), in the convention of Advani & Saxe (arXiv 1710.03667): the eigenvalues
of ``X Xᵀ`` for an N × P matrix ``X`` of independent entries with mean 0 and variance 1/N, as N and P grow with
``alpha = P/N``. Other texts and packages call the inverse of this number the ratio; then eigenvalues rescale too.
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
