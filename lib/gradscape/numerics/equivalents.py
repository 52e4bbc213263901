"""Deterministic equivalents: what a large random matrix does on average, from its population spectrum alone.

Silverstein, J. Multivariate Anal. 55 (1995); for ridge regression Dobriban & Wager, arXiv 1507.03003.
"""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape.numerics.rmt import as_float64
from gradscape.numerics.solve import bisect
from gradscape.validate import at_least, same_shape

EDGE = 1e-9  # by which a bracket is widened (relative), so that rounding cannot exclude its root


def effective_penalty(r: float | Tensor, n: int, values: Tensor, counts: Tensor) -> Tensor:
    """The penalty κ̃ that ridge regression acts with: ``n = Σ c_i σ_i/(σ_i + κ̃) + r/κ̃`` (Dobriban & Wager 2015).

    For ``n`` rows of covariance Σ and large sizes ``(XᵀX + r)⁻¹XᵀX`` acts like ``(Σ + κ̃)⁻¹Σ``. ``values`` (K,) > 0 are
    the distinct eigenvalues of Σ with multiplicities ``counts`` (K,) > 0; ``r``: penalties >= 0 of the *sum* of
    squares, any shape, ``inf`` allowed. Returns κ̃ in the shape of ``r``: 0 where ``r = 0`` and there are at least as
    many rows as directions. Raises ``ValueError`` for a negative penalty or an eigenvalue or count that is not > 0.

    >>> effective_penalty(0.0, 1, torch.tensor([1.0]), torch.tensor([2.0])).item()
    1.0
    """
    at_least("n", n, 1)
    penalty = torch.as_tensor(r, dtype=torch.float64)
    if penalty.numel() == 0 or not bool((penalty >= 0).all()):
        raise ValueError(f"r: shape {tuple(penalty.shape)}; needs entries, all >= 0 and none NaN")
    sigma, count = as_float64("values", values).flatten(), as_float64("counts", counts).flatten()
    same_shape(values=sigma, counts=count)
    for name, entries in (("values", sigma), ("counts", count)):
        if bool((entries <= 0).any()):
            raise ValueError(f"{name}: smallest entry is {entries.min().item()!r}; all must be > 0")
    # Σ c σ/(σ + κ̃) lies between Σ c · σ_min/(σ_min + κ̃) and Σ c σ/κ̃: two brackets from below and one from above
    floor = torch.clamp(sigma.min() * (count.sum() / n - 1.0), min=0.0)
    low = torch.maximum(penalty / n, floor)
    known = (low > 0) & torch.isfinite(low)
    safe = torch.where(known, penalty, torch.ones_like(penalty))
    low = torch.where(known, low, 1.0 / n).log()
    high = ((safe + (count * sigma).sum()) / n).log()

    def excess(log: Tensor) -> Tensor:
        kept = log.exp()
        return (count * sigma / (sigma + kept.unsqueeze(-1))).sum(-1) + safe / kept - n

    root = bisect(excess, torch.minimum(low, high) - EDGE, torch.maximum(low, high) + EDGE).exp()
    return torch.where(known, root, torch.where(torch.isinf(penalty), penalty, torch.zeros_like(penalty)))
