"""Parameters and sizes of the input-gradients lesson (Shah, Jain & Netrapalli 2021, arXiv 2102.12781)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real

CLASSES = (0, 1, 8, 9)  # T-shirt, trouser, bag, ankle boot: told apart almost perfectly, as the paper's digits are
VARIANTS = ("standard", "top", "robust")  # top: trained on images whose signal block is always above
BLOCK_EPS, ROAR_EPS = 1.0, 0.5  # l2 radii of adversarial training on block images and for DiffROAR
POINT_EPS = 0.35  # linf radius on the simplified data
RICH = 0.1  # factor on the first layer of the image networks; 1 is He's
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    networks: int = 20  # networks on the simplified data
    steps: int = 400  # their training steps
    rich_steps: int = 2000  # steps of plain descent from a small start
    pool: int = 2  # block images: pixels averaged over pool x pool
    block_images: int = 3000  # training images of the four classes
    block_test: int = 800  # test images of the four classes
    block_networks: int = 8  # networks per variant
    block_epochs: int = 8  # passes through the block images
    roar_images: int = 6000  # training images of ten classes
    roar_test: int = 2000  # their test images
    roar_networks: int = 2  # base networks per kind of training
    rankings: int = 4  # random rankings
    base_epochs: int = 8  # passes in training the base networks
    epochs: int = 5  # passes in retraining
    levels: tuple[float, ...] = (0.1, 0.2)  # shares of coordinates kept
    radii: tuple[float, ...] = (ROAR_EPS,)  # l2 radii of the robust base networks
    others: bool = False  # also He's first layer, larger images and digits


SIZES = {
    "smoke": Sizes(
        networks=3, steps=60, rich_steps=200, block_images=300, block_test=100, block_networks=2, block_epochs=3,
        roar_images=400, roar_test=200, roar_networks=1, rankings=1, base_epochs=2, epochs=2,
    ),
    "quick": Sizes(),
    "full": Sizes(pool=1, block_networks=20, levels=LEVELS, radii=(0.5, 1.0), others=True),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    d: int = integer(20, 4, 40, about="coordinates of the simplified data, the first half relevant")
    width: int = integer(200, 20, 500, scale="log", about="hidden units on the simplified data")
    eps: float = real(POINT_EPS, 0.0, 0.45, symbol="ε", about="radius of its adversarial training, 0 for none")
    init: float = real(1.0, 0.02, 1.0, scale="log", about="size of its first weights, 1 is the default of PyTorch")
    model: str = choice("standard", VARIANTS, about="network that looks at block images")
    image: int = integer(0, 0, 99, about="test image")
    share: float = real(10.0, 1.0, 50.0, about="percent of pixels kept")
    radius: float = real(ROAR_EPS, 0.0, 1.0, symbol="ε", about="radius of the base network in DiffROAR, 0 for none")
