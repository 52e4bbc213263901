"""Parameters and sizes of the adaptive-batch lesson (arXiv 2402.11215)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real
from gradscape.optimizers.adaptive_batch.rules import RULES


@dataclass(frozen=True)
class Sizes:
    """How much is computed; etas, rates and first batches of the claims are fixed."""

    seeds: int = 20  # replicates on the streaming problem
    cap: int = 20_000  # largest batch there
    steps: int = 400  # most steps there
    long_steps: int = 6000  # steps of the constant batch whose slope is measured
    images: int = 4000  # training images
    test_images: int = 2000  # test images
    epochs: int = 10  # budget of the softmax regression, in passes over them
    image_seeds: int = 20  # replicates on images
    curve_seeds: int = 2  # of them, those with curves and with the other schedules
    network_epochs: int = 10  # budget of the network with one hidden layer
    network_seeds: int = 1  # its replicates, in recorded tables


SIZES = {
    "smoke": Sizes(
        seeds=2, cap=1000, steps=60, long_steps=200, images=500, test_images=200, epochs=3, image_seeds=2,
        curve_seeds=1, network_epochs=2,
    ),
    "quick": Sizes(),
    "full": Sizes(
        cap=200_000, images=10_000, epochs=60, image_seeds=5, network_epochs=40, network_seeds=5,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    test: str = choice("norm", RULES, about="test that sets the batch size")
    eta: float = real(0.5, 0.1, 1.2, symbol="η", about="allowed relative error, norm and coordinate test")
    theta: float = real(0.5, 0.1, 10.0, scale="log", symbol="θ", about="allowed error along the gradient")
    nu: float = real(1.0, 0.1, 10.0, scale="log", symbol="ν", about="allowed error across it, augmented test")
    alpha: float = real(0.1, 0.01, 2.0, scale="log", symbol="α", about="step size on the streaming problem")
    sigma: float = real(0.5, 0.0, 2.0, symbol="σ", about="noise of the streaming problem")
    b0: int = integer(16, 2, 256, scale="log", symbol="b₀", about="first batch on the streaming problem")
    cap: int = integer(20_000, 100, 100_000, scale="log", symbol="b_max", about="largest batch there")
    method: str = choice("AdaGradNorm", ("AdaGradNorm", "AdaGrad"), about="optimizer on the streaming problem")
    lr: float = real(0.03, 0.003, 1.0, scale="log", symbol="α", about="learning rate on images, AdaGrad")
    model: str = choice("softmax", ("softmax", "network"), about="what learns the images")
