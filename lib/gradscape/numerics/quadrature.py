"""Quadrature rules: nodes and weights of integrals over an interval (float64)."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from gradscape.validate import at_least


def gauss_legendre(n: int, low: float = -1.0, high: float = 1.0) -> tuple[Tensor, Tensor]:
    """Nodes (ascending) and weights (n,) with ``Σ w f(x) ≈ ∫ f(x) dx`` from ``low`` to ``high`` (Gauss–Legendre).

    Exact for polynomials of degree 2n - 1. Raises ``ValueError`` unless ``low < high`` and both are finite.

    >>> x, w = gauss_legendre(2, 0.0, 1.0)
    >>> round(float((w * x**3).sum()), 12)
    0.25
    """
    if not (-float("inf") < low < high < float("inf")):
        raise ValueError(f"low={low!r}, high={high!r}: must be finite with low < high")
    nodes, weights = _legendre(at_least("n", n, 1))
    half = 0.5 * (high - low)
    return low + half * (nodes + 1.0), half * weights


@lru_cache(maxsize=32)
def _legendre(n: int) -> tuple[Tensor, Tensor]:
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(n)
    return torch.from_numpy(nodes), torch.from_numpy(weights)


def gauss_expect(function: Callable[[Tensor], Tensor], variance: Tensor | float, n: int = 64) -> Tensor:
    """E[f(v)] for v ~ N(0, variance) by n-node Gauss–Hermite; elementwise in ``variance`` (any shape, >= 0), float64.

    Exact for polynomials of degree 2n - 1; slow to converge where f has a kink or a jump.
    Raises ``ValueError`` for a variance that is negative or not finite.

    >>> round(float(gauss_expect(torch.square, 3.0)), 12)
    3.0
    """
    values = torch.as_tensor(variance, dtype=torch.float64)
    if not bool((torch.isfinite(values) & (values >= 0)).all()):
        raise ValueError("variance holds entries that are negative or not finite: must be >= 0")
    nodes, weights = _hermite(at_least("n", n, 1))
    return function(values.sqrt().unsqueeze(-1) * nodes).to(torch.float64) @ weights


@lru_cache(maxsize=32)
def _hermite(n: int) -> tuple[Tensor, Tensor]:
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(n)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
