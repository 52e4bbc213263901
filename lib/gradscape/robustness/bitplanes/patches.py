"""Maximum gradient patch selection (LOTA, Sec. 3.2, "MGPS"): which part of the noise image says most.

A patch scores the sum of |valid convolutions| with four kernels over three channels: [-1 1], its transpose,
[[-1, 0], [0, 1]] and [[0, -1], [1, 0]].
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradscape.validate import at_least, one_of

CHOICES = ("max", "random", "min")


class Selected(NamedTuple):
    """One patch of each image: (N, p, p, 3), its place in the grid (N,), row by row, and all scores (N, patches)."""

    patches: NDArray[Any]
    index: NDArray[np.int64]  # type: ignore[assignment]
    scores: NDArray[Any]


def gradient_score(patches: NDArray[Any]) -> NDArray[Any]:
    """Sum of absolute horizontal, vertical and both diagonal differences of patches (..., p, q, 3): (...).

    Whole numbers in int64, floats in float64. ``ValueError`` unless p, q >= 2 and all values are finite.

    >>> board = 255 * (np.indices((4, 4)).sum(0) % 2)
    >>> int(gradient_score(np.stack([board] * 3, -1).astype(np.uint8))) == 3 * (12 + 12) * 255
    True
    """
    z = np.asarray(patches)
    if z.ndim < 3 or z.shape[-1] != 3 or min(z.shape[-3:-1]) < 2 or z.size == 0:
        raise ValueError(f"patches has shape {z.shape}: must be (..., p, q, 3) with p and q at least 2")
    if z.dtype.kind not in "uif":
        raise ValueError(f"patches is {z.dtype}: must hold numbers")
    whole = z.dtype.kind in "ui"
    if not whole and not np.isfinite(z).all():
        raise ValueError(f"patches holds {int((~np.isfinite(z)).sum())} NaN or infinite entries: all must be finite")
    # narrow types make the differences fast: bytes differ by at most 255, and sums are taken in the wide type
    z = z.astype(np.int16 if z.dtype == np.uint8 else np.int64 if whole else np.float64)
    wide = np.int64 if whole else np.float64
    pairs = (
        (z[..., :, 1:, :], z[..., :, :-1, :]), (z[..., 1:, :, :], z[..., :-1, :, :]),
        (z[..., 1:, 1:, :], z[..., :-1, :-1, :]), (z[..., 1:, :-1, :], z[..., :-1, 1:, :]),
    )
    return np.sum([np.abs(a - b).sum(axis=(-3, -2, -1), dtype=wide) for a, b in pairs], axis=0)


def patch_grid(images: NDArray[Any], size: int) -> NDArray[Any]:
    """Cut (N, H, W, 3) or (H, W, 3) into patches that do not overlap: (N, patches, size, size, 3), row by row.

    A view where possible. ``ValueError`` unless size divides H and W.
    """
    images, size = np.asarray(images), at_least("size", size, 2)
    if images.ndim not in (3, 4) or images.shape[-1] != 3 or images.size == 0:
        raise ValueError(f"images has shape {images.shape}: must be (N, H, W, 3) or (H, W, 3), not empty")
    *lead, h, w, channels = images.shape
    if h % size or w % size:
        raise ValueError(f"size={size!r}: must divide height and width, {h} x {w}")
    cut = images.reshape(*lead, h // size, size, w // size, size, channels)
    return np.swapaxes(cut, -4, -3).reshape(*lead, (h // size) * (w // size), size, size, channels)


def select_patch(
    noise: NDArray[Any], size: int, how: str = "max", generator: np.random.Generator | None = None
) -> Selected:
    """Choose one patch of each noise image (N, H, W, 3) or (H, W, 3): the highest score (first on ties), the lowest, or
    any (``how="random"`` needs a ``generator``).

    ``ValueError`` for a size that does not divide the image, an unknown choice or a missing generator.
    """
    one_of("how", how, CHOICES)
    noise = np.asarray(noise)
    single = noise.ndim == 3
    grid = patch_grid(noise[None] if single else noise, size)
    scores = gradient_score(grid)
    index = choose(scores, how, generator)
    patches = grid[np.arange(len(grid)), index]
    return Selected(patches[0], index[0], scores[0]) if single else Selected(patches, index, scores)


def choose(scores: NDArray[Any], how: str, generator: np.random.Generator | None = None) -> NDArray[np.int64]:
    """The chosen column of scores (N, patches) in each row."""
    one_of("how", how, CHOICES)
    if how == "random":
        if generator is None:
            raise ValueError("generator=None: a random choice needs a numpy Generator")
        return generator.integers(0, scores.shape[1], len(scores))
    return scores.argmax(1) if how == "max" else scores.argmin(1)
