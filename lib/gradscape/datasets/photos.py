"""Photographs from the wheels of scikit-image and scikit-learn: read from their folders, never downloaded."""
from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape import validate
from gradscape.datasets import integrity, labels
from gradscape.datasets.labels import Labeled

_SKIMAGE = "skimage/data/"
_SKLEARN = "sklearn/datasets/images/"
COLOR = {
    "astronaut": _SKIMAGE + "astronaut.png",
    "chelsea": _SKIMAGE + "chelsea.png",
    "coffee": _SKIMAGE + "coffee.png",
    "hubble_deep_field": _SKIMAGE + "hubble_deep_field.jpg",
    "immunohistochemistry": _SKIMAGE + "ihc.png",
    "stereo_motorcycle": _SKIMAGE + "motorcycle_left.png",
    "retina": _SKIMAGE + "retina.jpg",
    "rocket": _SKIMAGE + "rocket.jpg",
    "china": _SKLEARN + "china.jpg",
    "flower": _SKLEARN + "flower.jpg",
}
GRAY = {name: f"{_SKIMAGE}{name}.png" for name in ("brick", "camera", "cell", "coins", "grass", "gravel", "moon")}
NAMES = (*COLOR, *GRAY)
LUMINANCE = (0.2125, 0.7154, 0.0721)  # red, green, blue; the weights of scikit-image's rgb2gray (Rec. 709)

Crop = tuple[int, int, int, int]


def pixels(name: str) -> Tensor:
    """The stored photograph: uint8 (3, height, width), or (1, height, width) for the gray ones.

    ``name``: one of ``photos.NAMES``. Raises ValueError for another, DataError when its file is missing or damaged.
    """
    validate.one_of("name", name, NAMES)
    return torch.from_numpy(_decoded(name).copy())


def load(
    name: str, *, gray: bool = False, halved: bool = False, crop: Crop | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Load a photograph as (channels, height, width) in [0, 1]; ``gray=True`` gives one channel, the luminance.

    ``crop``: (top, bottom, left, right) in pixels of the stored photograph. ``halved``: see ``halve``; after the crop.
    Raises ValueError for a bad argument, DataError when the file is missing or damaged.

    >>> load("camera").shape, load("astronaut", gray=True, halved=True).shape
    (torch.Size([1, 512, 512]), torch.Size([1, 256, 256]))
    """
    labels.float_dtype(dtype)
    image = pixels(name).to(dtype).div_(255)
    if crop is not None:
        image = _cropped(name, image, crop)
    if gray and image.shape[0] == 3:
        image = torch.einsum("c,chw->hw", torch.tensor(LUMINANCE, dtype=dtype), image)[None]
    return halve(image) if halved else image


def halve(image: Tensor) -> Tensor:
    """Halve height and width by 2 x 2 means, (..., H, W) -> (..., H // 2, W // 2); an odd last row or column is cut.

    Raises ValueError when a side is shorter than 2 or the values are integers.
    """
    if image.dim() < 2 or min(image.shape[-2:]) < 2 or not image.is_floating_point():
        raise ValueError(f"image is {image.dtype} {tuple(image.shape)}: floats of at least 2 x 2 pixels are needed")
    height, width = image.shape[-2] // 2, image.shape[-1] // 2
    blocks = image[..., : 2 * height, : 2 * width].reshape(*image.shape[:-2], height, 2, width, 2)
    return blocks.mean(dim=(-3, -1))


def patches(
    names: Sequence[str],
    size: int,
    count: int,
    *,
    generator: torch.Generator,
    halved: bool = True,
    gray: bool = False,
    crops: Mapping[str, Crop] | None = None,
    scale: str = "symmetric",
    dtype: torch.dtype = torch.float32,
) -> Labeled:
    """Cut ``count`` random patches of ``size`` x ``size`` pixels out of each photograph, uniformly over all positions.

    ``halved``: halve each photograph first by 2 x 2 means. ``crops``: parts of some photographs to use, as in ``load``.
    ``scale``: "symmetric" [-1, 1] or "unit" [0, 1].
    Returns x (len(names) * count, 3 or 1, size, size) and y, the position in ``names``; photograph by photograph.
    Raises ValueError for an unknown name, a patch larger than a photograph, or gray and color photographs mixed.

    >>> x, y = patches(["coffee", "rocket"], 8, 100, generator=torch.Generator().manual_seed(0))
    >>> x.shape
    torch.Size([200, 3, 8, 8])
    """
    size, count = validate.at_least("size", size, 1), validate.at_least("count", count, 1)
    validate.one_of("scale", scale, ("symmetric", "unit"))
    if isinstance(names, str) or not names:
        raise ValueError(f"names={names!r}: a sequence of at least one of {', '.join(NAMES)} is needed")
    crops = dict(crops or {})
    for name in crops:
        validate.one_of("crops", name, names)
    pieces = []
    for name in names:
        image = load(name, gray=gray, halved=halved, crop=crops.get(name), dtype=dtype)
        if min(image.shape[-2:]) < size:
            raise ValueError(f"size={size}: larger than {name!r} with {tuple(image.shape[-2:])} pixels")
        pieces.append(_cut(image, size, count, generator))
    if len({piece.shape[1] for piece in pieces}) > 1:
        raise ValueError(f"names={tuple(names)!r}: gray and color photographs; pass gray=True to make all gray")
    x = torch.cat(pieces)
    return Labeled(x.mul_(2).sub_(1) if scale == "symmetric" else x, torch.arange(len(names)).repeat_interleave(count))


def _cut(image: Tensor, size: int, count: int, generator: torch.Generator) -> Tensor:
    top = torch.randint(image.shape[1] - size + 1, (count,), generator=generator)
    left = torch.randint(image.shape[2] - size + 1, (count,), generator=generator)
    steps = torch.arange(size)
    rows, columns = top[:, None] + steps, left[:, None] + steps
    return image[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1).contiguous()


def _cropped(name: str, image: Tensor, crop: Crop) -> Tensor:
    top, bottom, left, right = crop
    height, width = image.shape[-2:]
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(f"crop={crop!r}: top < bottom, left < right within the {height} x {width} pixels of {name!r}")
    return image[:, top:bottom, left:right]


@lru_cache(maxsize=len(NAMES))
def _decoded(name: str) -> NDArray[np.uint8]:
    from PIL import Image

    file = {**COLOR, **GRAY}[name]
    with Image.open(io.BytesIO(integrity.packaged(file))) as picture:
        array = np.asarray(picture.convert("RGB" if name in COLOR else "L"))
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
