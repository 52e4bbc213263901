"""A photograph as signal, and the low frequencies that most of it lies in."""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape import validate
from gradscape.datasets import photos


def camera(side: int) -> Tensor:
    """The photograph *camera* as ``side`` x ``side`` means of its pixels in [0, 1], flattened, float64."""
    validate.at_least("side", side, 2)
    image = photos.load("camera", dtype=torch.float64)
    if side > min(image.shape[-2:]):
        raise ValueError(f"side={side!r}: must be at most {min(image.shape[-2:])}")
    return torch.nn.functional.adaptive_avg_pool2d(image, side)[0].flatten()


def low_frequencies(side: int, keep: int) -> Tensor:
    """The ``keep`` x ``keep`` lowest two-dimensional cosines of ``side`` x ``side`` images, (side², keep²).

    Columns are those of the orthonormal DCT-II, and the first is constant.
    """
    validate.at_least("side", side, 1)
    if validate.at_least("keep", keep, 1) > side:
        raise ValueError(f"keep={keep!r}: must be at most side={side}")
    points, waves = torch.arange(side, dtype=torch.float64), torch.arange(keep, dtype=torch.float64)
    one = torch.cos(math.pi / side * (points[:, None] + 0.5) * waves) * math.sqrt(2 / side)
    one[:, 0] /= math.sqrt(2)
    return torch.kron(one, one)
