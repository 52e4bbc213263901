"""Settings and sizes of the lesson *bit-planes*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer

ARMS = ("E", "R", "J75", "J96")
TRAINED = ("pca", "vae", "gan", "diffusion")  # generators that detectors are trained on
FAKES = (*TRAINED, "quilt")
SIDE = 48  # pixels of an image


@dataclass(frozen=True)
class Sizes:
    """How many images, how long the generators train, how many replicates."""

    seeds: int = 1  # replicates, each with its own crops, generators and detectors
    crops: int = 200  # crops of each of six photographs that generators learn from
    vae_steps: int = 80  # training steps of the generators
    gan_steps: int = 80
    diffusion_steps: int = 80
    real_train: int = 400  # images of both classes that a detector learns from
    fake_train: int = 250
    real_test: int = 300  # images that it is tested on: other photographs, fresh samples
    fake_test: int = 200
    epochs: int = 3  # of a detector over all patches


SIZES = {
    "smoke": Sizes(
        crops=8, vae_steps=3, gan_steps=3, diffusion_steps=3, real_train=24, fake_train=16, real_test=24, fake_test=16,
        epochs=1,
    ),
    "quick": Sizes(),
    "full": Sizes(seeds=4, vae_steps=160, gan_steps=140, diffusion_steps=120),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One detector and one arm of the experiment, and one image to look at."""

    arm: str = choice("R", ARMS, about="last step of real images, E as generated ones, R half to even, J a JPEG file")
    planes: int = integer(1, 1, 8, symbol="P", about="lowest bit-planes kept")
    mode: str = choice("threshold", ("threshold", "scale", "raw"), about="how low bits become an image, or all bits")
    patch: int = choice(16, (8, 16, 24), about="side of a patch in pixels, of 48")
    how: str = choice("max", ("max", "random", "min"), about="patch with the highest, any or the lowest score")
    source: str = choice("real", ("real", *FAKES), about="where the image shown comes from")
    image: int = integer(0, 0, 15, about="which image is shown")
