"""The images of the experiment: crops of photographs, split by photograph, and generators that saw the training ones.

Generated images are the same in every arm; an arm changes the last step of the *real* class only.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape.datasets import photos
from gradscape.lesson import cached, protocol, replicate_seed
from gradscape.robustness import generators
from gradscape.robustness.bitplanes.planes import Bytes
from gradscape.robustness.bitplanes.provenance import provenance
from gradscape.robustness.bitplanes.settings import ARMS, FAKES, SIDE, Settings
from gradscape.validate import at_least, one_of

TRAIN_PHOTOS = ("astronaut", "coffee", "stereo_motorcycle", "retina", "china", "immunohistochemistry")
TEST_PHOTOS = ("chelsea", "rocket", "flower", "hubble_deep_field")
CROPS = {"retina": (250, 1150, 250, 1150)}  # without the black frame
LAST_STEP: dict[str, dict[str, Any]] = {
    "E": {}, "R": {"rounding": "half_even"}, "J75": {"jpeg": 75}, "J96": {"jpeg": 96},
}
GENERATING, TRAINING, TESTING = range(3)  # streams of crops
Progress = Callable[[int, int], Any]


def crops(names: Sequence[str], count: int, seed: int, side: int = SIDE) -> NDArray[np.float64]:
    """``count`` random crops (count, side, side, 3) of halved photographs, values 0..255 in exact quarters.

    As many from each photograph as can be, in random order. ``ValueError`` for a bad count or name.
    """
    at_least("count", count, 1)
    draws = torch.Generator().manual_seed(seed)
    inside = {name: CROPS[name] for name in names if name in CROPS}
    found = photos.patches(
        names, side, -(-count // len(names)), generator=draws, crops=inside, scale="unit", dtype=torch.float64)
    keep = torch.randperm(len(found.x), generator=draws)[:count]
    # a mean of four bytes is a whole number of quarters: what division by 255 did to it is rounded away
    return (found.x[keep].permute(0, 2, 3, 1) * 1020).round().numpy() / 4


@dataclass(frozen=True)
class World:
    """One replicate: real crops as means (n, 48, 48, 3), and bytes of every generator."""

    real_train: NDArray[np.float64]
    real_test: NDArray[np.float64]
    fake_train: Mapping[str, Bytes]
    fake_test: Mapping[str, Bytes]

    def real(self, arm: str) -> tuple[Bytes, Bytes]:
        """Training and test images of the real class after the arm's last step."""
        return last_step(self.real_train, arm), last_step(self.real_test, arm)


def last_step(images: NDArray[np.float64], arm: str) -> Bytes:
    """Means as bytes: E half up, as generated images; R half to even; J75 and J96 half up, then through a JPEG file."""
    return provenance(images, **LAST_STEP[one_of("arm", arm, ARMS)])


def world(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> World:
    """Cut crops, train the generators on their own crops of the training photographs, and sample both sets."""
    return _world(settings, replicate, progress=progress)


@protocol
def _world(settings: Settings, replicate: int, *, progress: Progress | None = None) -> World:
    size, seed = settings.size, replicate_seed(settings.seed, replicate)
    seeds = [replicate_seed(seed, stream) for stream in range(3)]
    learned = provenance(crops(TRAIN_PHOTOS, size.crops * len(TRAIN_PHOTOS), seeds[GENERATING]))
    steps = {"vae": size.vae_steps, "gan": size.gan_steps, "diffusion": size.diffusion_steps}
    train, test = {}, {}
    for k, name in enumerate(FAKES):
        made = generators.GENERATORS[name]().fit(learned, replicate_seed(seed, 10 + k), steps.get(name))
        drawn = made.sample(size.fake_train + size.fake_test, replicate_seed(seed, 20 + k))
        train[name], test[name] = drawn[: size.fake_train], drawn[size.fake_train :]
        if progress is not None:
            progress(k + 1, len(FAKES))
    return World(
        crops(TRAIN_PHOTOS, size.real_train, seeds[TRAINING]), crops(TEST_PHOTOS, size.real_test, seeds[TESTING]),
        train, test,
    )


@dataclass(frozen=True)
class Flat:
    """The warning: share of pixels that are exactly 0, in Fashion-MNIST and in samples of its principal components."""

    real: NDArray[np.float64]
    fake: NDArray[np.float64]
    accuracy: float


@cached
def flat_background(seed: int, count: int = 400) -> Flat:
    """What one threshold on the share of exact zeros says on Fashion-MNIST (middle 24 x 24 pixels)."""
    from gradscape.datasets import fashion
    from gradscape.robustness.bitplanes.provenance import cue_accuracy

    pixels = np.asarray(fashion.load("train", n=4 * count).x[:, 0, 2:26, 2:26] * 255).round().astype(np.uint8)
    images = np.repeat(pixels[..., None], 3, -1)
    made = generators.PCAGenerator().fit(images[2 * count :], seed).sample(2 * count, seed)
    real, fake = ((batch == 0).mean(axis=(1, 2, 3)) for batch in (images[: 2 * count], made))
    accuracy = cue_accuracy(real[:count], fake[:count], real[count:], fake[count:])
    return Flat(real[count:], fake[count:], accuracy)
