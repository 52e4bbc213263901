"""A large batch in micro-batches: sums that merge exactly into the norm test's statistics."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.learning.per_sample import GradientStats, checked


@dataclass(frozen=True)
class GradientSums:
    """Of b samples: the sum of their gradients, name -> (*shape), float64, and the sum of their squared norms."""

    batch_size: int
    total: Mapping[str, Tensor]
    squares: float


def sums(per_sample: Mapping[str, Tensor] | Tensor) -> GradientSums:
    """The sums of given per-sample gradients (b, *shape); one sample is enough. ``ValueError`` as `per_sample.stats`.

    >>> sums(torch.tensor([[1.0], [3.0]])).squares
    10.0
    """
    parts = checked(per_sample, least=1)
    total = {name: part.detach().double().sum(0) for name, part in parts.items()}
    squares = sum(float(part.detach().double().square().sum()) for part in parts.values())
    return GradientSums(len(next(iter(parts.values()))), total, squares)


def merge_stats(parts: Sequence[GradientSums]) -> GradientStats:
    """Statistics of all micro-batches as one batch: V = (sum Q_m - ||sum S_m||²/B)/(B - 1), exact for any sizes.

    The mean of their variances plus the variance of their means, as the authors' code has it, is not this. What needs
    the products <g_i, gbar> cannot be merged in one pass and is ``None``. ``ValueError``: no parts, fewer than two
    samples in all, or different parameters.
    """
    if not parts or sum(part.batch_size for part in parts) < 2:
        raise ValueError(f"parts hold {sum(part.batch_size for part in parts)} samples: at least 2 are needed")
    shapes = [{name: tuple(part.shape) for name, part in sums.total.items()} for sums in parts]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"parts differ in their parameters: {shapes}")
    count = sum(part.batch_size for part in parts)
    norm = sum(
        float(torch.stack([part.total[name] for part in parts]).sum(0).square().sum()) for name in parts[0].total
    ) / count
    variance = max(0.0, sum(part.squares for part in parts) - norm) / (count - 1)
    return GradientStats(count, norm / count, variance)

