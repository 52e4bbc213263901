"""Photographs, and the three ways in which they are spoiled."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.datasets import photos
from gradscape.diffusion.noise2score.tweedie import NOISES
from gradscape.lesson import cached, generator
from gradscape.validate import finite, in_range, one_of

TRAIN = ("astronaut", "coffee", "rocket", "brick", "coins", "grass", "immunohistochemistry", "moon", "china")
TEST = ("camera", "chelsea", "flower", "gravel")
TEST_NAMES = ("cameraman", "cat", "flower", "gravel")
CROP, OTHER_CROP = (40, 232, 60, 252), (40, 232, 252, 444)  # top, bottom, left, right; the second is for an exercise
SIDE = 32  # of a training patch


def corrupt(x: Tensor, noise: str, parameter: Any, generator: torch.Generator) -> Tensor:
    """Spoil clean images x >= 0 of any shape: the result is never clipped, which would be another kind of noise.

    "gaussian": ``x + σ n``; "poisson": ``ζ z`` with ``z ~ Poisson(x/ζ)``; "gamma": ``x g`` with g ~ Gamma(shape k,
    scale 1/k). ``parameter`` is σ > 0, ζ > 0 or k > 1: a number, or a tensor that broadcasts (noise levels mixed).
    ``ValueError`` for bad values, and for x < 0 unless the noise is Gaussian.
    """
    one_of("noise", noise, NOISES)
    low = 1.0 if noise == "gamma" else 0.0
    if isinstance(parameter, Tensor):
        if not bool((finite("parameter", parameter) > low).all()):
            raise ValueError(f"parameter={parameter!r}: all entries must be > {low:g} for {noise} noise")
    else:
        in_range("parameter", parameter, low, math.inf, open_low=True, open_high=True)
    if not x.is_floating_point():
        raise ValueError(f"x is {x.dtype}: floats are needed")
    finite("x", x)
    if noise == "gaussian":
        return x + parameter * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    if bool((x < 0).any()):
        raise ValueError(f"x: {int((x < 0).sum())} entries are negative; {noise} noise needs x >= 0")
    if noise == "poisson":
        return parameter * torch.poisson(x / parameter, generator=generator)
    # torch has no public Gamma sampler with a generator; numpy's is seeded by it
    draws = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    shape = np.broadcast_to(np.asarray(parameter, dtype=float), x.shape)
    return x * torch.from_numpy(draws.standard_gamma(shape) / shape).to(x.dtype)


def photographs(crop: photos.Crop = CROP) -> Tensor:
    """The four test crops, gray, (4, 1, 192, 192) in [0, 1]."""
    return torch.stack([photos.load(name, gray=True, crop=crop) for name in TEST])


@dataclass(frozen=True)
class Data:
    """Clean and noisy training patches (n, 1, 32, 32), and the four test crops (4, 1, 192, 192) likewise.

    There is one noisy copy of each patch. ``clean`` is for supervised learning, ``second`` makes another copy for
    Noise2Noise; the score never sees either.
    """

    noise: str
    parameter: Any
    clean: Tensor
    noisy: Tensor
    test_clean: Tensor
    test_noisy: Tensor
    seed: int

    def second(self) -> Tensor:
        """Another noisy copy of the training patches."""
        return corrupt(self.clean, self.noise, self.parameter, generator(self.seed, 14))


@cached
def data(seed: int, noise: str, parameter: float, per_photo: int, levels: tuple[float, float] | None = None) -> Data:
    """Patches of nine photographs in random orientation and four crops of others, spoiled alike.

    ``levels``: training patches have their own noise levels, log-uniform between both (the official blind training).
    """
    clean = symmetric(photos.patches(
        TRAIN, SIDE, per_photo, generator=generator(seed, 11), halved=False, gray=True, scale="unit").x, seed)
    at: Any = parameter
    if levels is not None:
        share = torch.rand(len(clean), 1, 1, 1, generator=generator(seed, 15))
        at = levels[0] * (levels[1] / levels[0]) ** share
    test = photographs()
    return Data(noise, at, clean, corrupt(clean, noise, at, generator(seed, 12)), test,
                corrupt(test, noise, parameter, generator(seed, 13)), seed)


def symmetric(patches: Tensor, seed: int) -> Tensor:
    """Each patch (n, C, s, s) in one of its eight orientations, drawn at random."""
    which = torch.randint(8, (len(patches),), generator=generator(seed, 16))
    out = torch.empty_like(patches)
    for turn in range(4):
        for flip in (0, 1):
            mine = which == 2 * turn + flip
            turned = torch.rot90(patches[mine], turn, (2, 3))
            out[mine] = turned.flip(3) if flip else turned
    return out
