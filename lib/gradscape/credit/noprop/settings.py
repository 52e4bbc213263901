"""Parameters and sizes of the NoProp lesson (Li, Teh & Pascanu 2025, arXiv 2503.24322)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real


@dataclass(frozen=True)
class Sizes:
    """How much is computed; T, widths, batch and learning rates are the claims' own and fixed."""

    train: int = 1437  # digits to train on
    test: int = 360  # digits to test on
    seeds: int = 1  # splits and starts of every model
    epochs: int = 50  # passes of NoProp-DT
    early: int = 12  # passes after which it is looked at for the first time
    chain_epochs: int = 40  # passes of back-propagation for N2; it goes on to `epochs`, which is reported
    one_epochs: int = 60  # passes of NoProp-CT and of NoProp-FM
    steps: int = 50  # steps of inference of CT and FM
    fashion_seeds: int = 1  # starts on Fashion-MNIST, which only recorded tables need
    fashion_epochs: int = 6  # passes there
    fashion_early: int = 6  # first look there
    conv_epochs: int = 1  # passes there of the block with convolutions


SIZES = {
    "smoke": Sizes(train=300, test=200, epochs=3, early=2, chain_epochs=2, one_epochs=3, steps=5, fashion_epochs=1),
    "quick": Sizes(),
    "full": Sizes(seeds=6, fashion_seeds=2, fashion_epochs=25, conv_epochs=5),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    T: int = integer(10, 2, 20, symbol="T", about="blocks, which are also the steps of inference")
    schedule: str = choice("cosine", ("cosine", "linear"), about="noise schedule")
    eta: float = real(0.1, 1e-3, 10.0, scale="log", symbol="η", about="weight of the denoising loss")
    width: int = integer(48, 8, 96, symbol="W", about="units in a layer of a block")
    epochs: int = integer(12, 1, 50, about="passes over the digits")
    noise: float = real(1.0, 0.0, 1.5, symbol="ε", about="scale of the noise of inference, 1 is the paper's")
    image: int = integer(0, 0, 199, about="number of a test image")
