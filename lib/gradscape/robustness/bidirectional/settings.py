"""Parameters and sizes of the bidirectional-learning lesson (Pontes-Filho & Liwicki 2018, arXiv 1805.08006)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real
from gradscape.robustness.bidirectional.report import ATTACKS

# The paper's fully connected networks, without its names: hidden layers
NETS: dict[str, tuple[int, ...]] = {
    "none": (784, 10),
    "one": (784, 16, 10),
    "two": (784, 16, 16, 10),
    "four": (784, 200, 100, 60, 30, 10),
}
LR = 3e-3
# (classifier, generator) rates of its MNIST scripts, where they are not 0.003: they differ between BP and the rest
LRS = {("two", "bl"): (0.05, 0.05), ("two", "half"): (0.05, 0.05),
       ("four", "bl"): (0.03, 0.01), ("four", "half"): (0.03, 0.01)}
EPS, NOISE, L2 = 0.1, 0.1, 3e-3  # the lesson's radius of attack; the paper's static; the control's penalty
VARIANTS = ("bp", "half", "bl", "l2")  # l2: plain back-propagation with a penalty on the weights


def rates(net: str, variant: str) -> tuple[float, float]:
    """Classifier's and generator's learning rates of the paper's script."""
    return LRS.get((net, variant), (LR, LR))


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    images: int = 10_000  # training images
    test_images: int = 500  # images that are attacked, the first of the test split
    held_out: int = 500  # images that choose learning rates, the last of the test split
    seeds: int = 6  # networks per variant
    iterations: int = 1500  # batches of 100
    tuned_seeds: int = 0  # networks per variant and rate where rates are chosen (0: not trained)
    deep_seeds: int = 0  # networks per variant with no, two and four hidden layers (0: not trained)
    han_seeds: int = 0  # hybrid adversarial networks per variant (0: not trained)
    han_iterations: int = 2000  # batches of theirs
    cnn_iterations: int = 0  # batches of the convolutional hybrid (0: not trained)
    long_iterations: int = 0  # batches of the overtrained network (0: not trained)


SIZES = {
    "smoke": Sizes(images=1000, test_images=60, held_out=60, seeds=2, iterations=60),
    "quick": Sizes(),
    "full": Sizes(
        test_images=1000, tuned_seeds=6, deep_seeds=6, han_seeds=4, cnn_iterations=1000, long_iterations=12_000
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    net: str = choice("one", ("none", "one", "two"), about="hidden layers of the network")
    variant: str = choice("bl", VARIANTS, about="how the second network is trained")
    iters: int = integer(1500, 100, 5000, scale="log", symbol="T", about="batches of 100")
    lr_g: float = real(LR, 1e-4, 0.05, scale="log", symbol="η_g", about="learning rate of the generator's Adam")
    wd: float = real(L2, 1e-4, 0.1, scale="log", symbol="λ", about="penalty on squared weights, variant l2 only")
    eps: float = real(EPS, 0.0, 0.4, symbol="ε", about="radius of the attack, in pixel values")
    attack: str = choice("fgsm_true", ATTACKS, about="attack")
    noise: float = real(NOISE, 0.0, 1.0, symbol="a", about="amplitude of the static")
    scale: float = real(50.0, 1.0, 100.0, scale="log", symbol="c", about="factor on the last layer")
    image: int = integer(0, 0, 59, about="test image")
