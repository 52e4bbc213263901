"""Parameters and sizes of the lesson."""
from __future__ import annotations

from dataclasses import dataclass, replace

from gradscape import lesson
from gradscape.lesson import integer, real


@dataclass(frozen=True)
class Sizes:
    """How much each experiment runs. Criteria keep their own widths and numbers of training points."""

    kernel_widths: tuple[int, ...] = (10, 100, 1000)  # widths whose kernels are compared with the limit (C3)
    kernel_networks: int = 10  # networks at each of them
    kernel_steps: int = 200  # training steps before the second look at their kernels
    networks: int = 200  # networks of an ensemble mean (C4-C6)
    widths: tuple[int, ...] = (30, 100, 300)  # widths of the agreement with the theory, C6 takes 30 and 300
    depths: tuple[int, ...] = (1, 2)  # depths of the same curve
    steps: int = 200  # training steps
    spread_networks: int = 50  # networks of width 500 behind the spread (C7)
    single_widths: tuple[int, ...] = (100, 500, 2000)  # widths of single networks (C8)
    single_networks: int = 20  # networks at each of them
    digits_widths: tuple[int, ...] = (50, 200, 1000)  # widths of the networks that read digits
    digits_networks: int = 4  # networks in an ensemble of them
    digits_points: int = 400  # training images
    digits_steps: int = 300  # training steps


QUICK = Sizes()
SIZES = {
    "smoke": Sizes(
        kernel_widths=(10, 30), kernel_networks=10, kernel_steps=10, networks=12, widths=(30, 300), depths=(1,),
        steps=20, spread_networks=10, single_widths=(50, 100), single_networks=4, digits_widths=(20, 40),
        digits_networks=2, digits_points=100, digits_steps=20,
    ),
    "quick": QUICK,
    "full": replace(
        QUICK, kernel_widths=(10, 100, 500, 1000, 2000), kernel_steps=10_000, networks=500, widths=(20, 30, 100, 300),
        depths=(1, 2, 3), digits_widths=(50, 200, 1000, 2000), digits_networks=8,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """Kernels (depth … m), and the ensemble that is trained beside them (n_train … rate)."""

    depth: int = integer(1, 1, 3, symbol="L", about="hidden layers")
    k: float = real(1.0, 0.1, 10.0, scale="log", symbol="k", about="steepness of the surrogate, derivative of erf(kz)")
    m: float = real(5.0, 1.0, 1000.0, scale="log", symbol="m", about="steepness of the activation erf(mz)")
    sw2: float = real(1.0, 0.25, 4.0, scale="log2", symbol="σ_w²", about="variance of the weights")
    sb2: float = real(0.1, 0.01, 1.0, scale="log", symbol="σ_b²", about="variance of the biases")
    n_train: int = integer(8, 4, 24, symbol="N", about="training angles")
    width: int = integer(100, 10, 1000, scale="log", symbol="n", about="units in each hidden layer")
    networks: int = integer(50, 10, 200, scale="log", symbol="R", about="networks in the ensemble")
    steps: int = integer(200, 1, 2000, scale="log", symbol="T", about="training steps")
    rate: float = real(1.0, 0.05, 1.9, symbol="η", about="learning rate times the largest eigenvalue of the kernel")
