"""Bit-planes of color images and the noise image made of the lowest ones (LOTA, Sec. 3.1, "BGNIG").

x = sum over k of 2^k x_k for every pixel and channel; the P lowest planes make z = x & (2^P - 1), and z is stretched to
0..255 by scaling or by thresholding.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradscape.validate import in_range, one_of

Bytes = NDArray[np.uint8]
PLANES = 8
MODES = ("threshold", "scale")


class NotBytes(ValueError, TypeError):
    """Images of another type than uint8: bits of a float, or of an image already divided by 255, mean nothing."""


def check_images(name: str, images: Any) -> Bytes:
    """Return uint8 images (N, H, W, 3) or (H, W, 3).

    ``NotBytes`` (both a ValueError and a TypeError) for another type, ``ValueError`` for another shape or no pixel.
    """
    array = np.asarray(images)
    if array.dtype != np.uint8:
        raise NotBytes(f"{name} is {array.dtype}: must be uint8, whole numbers from 0 to 255 (see provenance)")
    if array.ndim not in (3, 4) or array.shape[-1] != 3 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: must be (N, H, W, 3) or (H, W, 3), not empty")
    return array


def check_planes(name: str, planes: Any) -> int:
    """Return a number of planes, 1 to 8."""
    in_range(name, planes, 1, PLANES)
    if int(planes) != planes:
        raise ValueError(f"{name}={planes!r}: must be a whole number from 1 to {PLANES}")
    return int(planes)


def bit_planes(images: Bytes) -> Bytes:
    """All eight planes of uint8 images, lowest first: (8, N, H, W, 3) or (8, H, W, 3) of zeros and ones.

    >>> bit_planes(np.full((1, 1, 3), 6, np.uint8))[:, 0, 0, 0].tolist()
    [0, 1, 1, 0, 0, 0, 0, 0]
    """
    images = check_images("images", images)
    return np.stack([(images >> k) & 1 for k in range(PLANES)])


def compose(planes: Bytes, keep: int = 3) -> Bytes:
    """Put the ``keep`` lowest planes together again: z = sum over k < keep of 2^k x_k, uint8.

    ``planes``: (8, ...) of zeros and ones, lowest first. ``ValueError`` for other values, another shape or keep.
    """
    keep, planes = check_planes("keep", keep), np.asarray(planes)
    if planes.ndim < 2 or planes.shape[0] != PLANES or planes.size == 0:
        raise ValueError(f"planes has shape {planes.shape}: must be (8, ...), not empty")
    if not np.isin(planes, (0, 1)).all():
        raise ValueError(f"planes holds values from {planes.min()} to {planes.max()}: must be 0 or 1")
    weights = (1 << np.arange(keep)).reshape(-1, *[1] * (planes.ndim - 1))
    return (planes[:keep] * weights).sum(0).astype(np.uint8)


def low_bits(images: Bytes, planes: int = 3) -> Bytes:
    """The ``planes`` lowest bits of every pixel as one number, z = x & (2^planes - 1), in 0 .. 2^planes - 1."""
    return check_images("images", images) & np.uint8(2 ** check_planes("planes", planes) - 1)


def scale_noise(z: Bytes) -> NDArray[np.float32]:
    """Stretch z (N, H, W, 3) or (H, W, 3) to 0..255: 255 (z - min)/(max - min), over each image and channel.

    A constant channel becomes 0.
    """
    z = check_images("z", z)
    low = z.min(axis=(-3, -2), keepdims=True).astype(np.float32)
    span = z.max(axis=(-3, -2), keepdims=True) - low
    return np.where(span > 0, 255 * (z - low) / np.maximum(span, 1), 0).astype(np.float32)


def threshold_noise(z: Bytes) -> Bytes:
    """Set every value of z that is not 0 to 255: the paper's default."""
    return (check_images("z", z) != 0).astype(np.uint8) * np.uint8(255)


def noise_image(images: Bytes, planes: int = 3, mode: str = "threshold") -> NDArray[Any]:
    """The noise image of uint8 images: low bits, then ``mode``, "threshold" (uint8) or "scale" (float32)."""
    one_of("mode", mode, MODES)
    z = low_bits(images, planes)
    return threshold_noise(z) if mode == "threshold" else scale_noise(z)
