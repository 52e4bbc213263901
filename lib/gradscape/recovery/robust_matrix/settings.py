"""Settings and sizes of the lesson *sub-gradient method for robust matrix recovery*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import integer, real


@dataclass(frozen=True)
class Sizes:
    """How many problems are solved, and at most how many steps are taken."""

    seeds: int = 10  # problems per setting of d = 20
    sparse_seeds: int = 5  # problems with d = 30 and few measurements
    dense_seeds: int = 3  # problems with d = 30 and dense, huge outliers
    max_steps: int = 20_000  # a schedule's horizon is never longer than this
    baseline_steps: int = 2000  # of gradient descent on the squared loss, per rate
    rip_measurements: tuple[int, ...] = (500, 2000, 8000)  # sizes of the sets whose Sign-RIP is measured
    rip_matrices: int = 20  # random matrices it is measured on
    image_measurements: int = 800  # of the covariance of image patches
    overlay: int = 5  # problems at the settings' own values behind the run button


SIZES = {
    "smoke": Sizes(
        seeds=2, sparse_seeds=1, dense_seeds=1, max_steps=60, baseline_steps=40, rip_measurements=(125, 500, 2000),
        rip_matrices=4, image_measurements=300, overlay=1,
    ),
    "quick": Sizes(),
    "full": Sizes(seeds=20, sparse_seeds=20, dense_seeds=4, baseline_steps=10_000, overlay=20),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One recovery problem with d = 20 and true rank 3: how it starts, how wide, and what is wrong with the data."""

    alpha: float = real(1e-6, 1e-10, 0.5, scale="log", symbol="α", about="size of the start")
    rank: int = integer(20, 1, 20, symbol="r′", about="columns of the factor; the matrix has rank 3")
    m: int = integer(600, 100, 2000, scale="log", symbol="m", about="measurements")
    p: float = real(0.1, 0.0, 0.6, symbol="p", about="probability that a measurement is an outlier")
    scale: float = real(10.0, 0.1, 1000.0, scale="log", symbol="v", about="standard deviation of an outlier")
    nu: float = real(0.0, 0.0, 1.0, symbol="ν", about="standard deviation of the noise in the other measurements")
    eta0: float = real(0.15, 0.02, 0.5, scale="log", symbol="η₀", about="first step length")
