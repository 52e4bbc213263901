"""How near an estimate comes to the truth, in decibels."""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape.validate import at_least, finite, positive, same_shape


def rsnr(truth: Tensor, estimate: Tensor, dims: int | None = None) -> Tensor:
    """Reconstruction signal-to-noise ratio ``20 log10(|truth| / |truth - estimate|)`` in dB; infinite if they agree.

    The last ``dims`` axes are one signal (all of them if left out); the axes before them stay. ``ValueError`` for
    different shapes, entries that are not finite, or a truth that is zero.

    >>> rsnr(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5]))
    tensor(20.)
    """
    axes = _axes(truth, estimate, dims)
    size = torch.linalg.vector_norm(truth, dim=axes)
    if not bool((size > 0).all()):
        raise ValueError("truth: holds a signal that is zero, which has no signal-to-noise ratio")
    return 20 * torch.log10(size / torch.linalg.vector_norm(truth - estimate, dim=axes))


def psnr(truth: Tensor, estimate: Tensor, peak: float = 1.0, dims: int | None = None) -> Tensor:
    """Peak signal-to-noise ratio ``20 log10(peak / rms(truth - estimate))`` in dB; infinite if they agree.

    ``peak`` is the largest value that the signal can take, in its own units; ``dims`` and errors as in :func:`rsnr`.

    >>> psnr(torch.zeros(4), torch.full((4,), 0.1))
    tensor(20.)
    """
    positive("peak", peak)
    axes = _axes(truth, estimate, dims)
    return 20 * torch.log10(peak / (truth - estimate).square().mean(axes).sqrt())


def _axes(truth: Tensor, estimate: Tensor, dims: int | None) -> tuple[int, ...]:
    same_shape(truth=truth, estimate=estimate)
    finite("truth", truth)
    finite("estimate", estimate)
    count = truth.dim() if dims is None else at_least("dims", dims, 1)
    if count > truth.dim():
        raise ValueError(f"dims={dims!r}: must be at most {truth.dim()}, the dimensions of truth")
    return tuple(range(truth.dim() - count, truth.dim()))
