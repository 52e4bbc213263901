"""Parameters and sizes of the diffGrad lesson (Dubey et al. 2019, arXiv 1909.11015)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, real
from gradscape.optimizers.diffgrad.friction import VARIANTS


@dataclass(frozen=True)
class Sizes:
    """How much is computed; the learning rates and loss scales are the claims' own and fixed."""

    images: int = 4000  # training images
    test_images: int = 2000  # test images
    epochs: int = 5  # passes over them, MLP
    seeds: int = 20  # paired replicates of the MLP over learning rates
    scale_seeds: int = 6  # of them, those also trained at other loss scales and with Adam at half of every rate
    cnn_steps: int = 150  # training steps of the CNN, batch 128
    cnn_seeds: int = 1  # replicates of the CNN
    rounds: int = 60_000  # rounds T of the online games
    starts: int = 151  # starting points on the toy functions


SIZES = {
    "smoke": Sizes(images=512, test_images=200, epochs=2, seeds=2, scale_seeds=2, cnn_steps=10, rounds=2000, starts=31),
    "quick": Sizes(),
    "full": Sizes(images=10_000, epochs=20, scale_seeds=20, cnn_steps=624, cnn_seeds=3),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    lr: float = real(1e-3, 1e-4, 0.1, scale="log", symbol="α", about="learning rate of the networks")
    loss_scale: float = real(1.0, 1e-3, 1e6, scale="log", symbol="c", about="factor on the loss and on eps")
    variant: str = choice("dfc", VARIANTS, symbol="ξ", about="friction coefficient, none is Adam, half is Adam at lr/2")
    toy: str = choice("F1", ("F1", "F2", "F3"), about="function of one variable, Fig. 4")
    toy_lr: float = real(0.1, 0.01, 0.5, scale="log", symbol="α", about="learning rate on the toy function")
    toy_scale: float = real(1.0, 1e-3, 1e3, scale="log", symbol="c", about="factor on the toy function and on eps")
    beta1: float = real(0.95, 0.0, 0.99, symbol="β₁", about="decay of the first moment on the toy function")
    x0: float = real(-1.0, -2.0, 2.0, symbol="x₀", about="start on the toy function")
