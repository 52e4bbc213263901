"""Settings and sizes of the lesson on bandlimited random weights."""
from __future__ import annotations

import itertools
from dataclasses import dataclass

from gradscape import lesson
from gradscape.dynamics.bandlimited.networks import ACTIVATIONS
from gradscape.dynamics.bandlimited.targets import TARGETS
from gradscape.lesson import choice, integer, real

WIDEST = 2000  # least squares of more hidden units takes seconds each


@dataclass(frozen=True)
class Sizes:
    """How many nets are fitted and how finely floors are computed.

    ``ValueError`` unless ``lambdas`` and ``widths`` are positive and strictly ascending and no width exceeds 2000.
    """

    lambdas: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 50.0, 100.0, 1000.0)  # half-widths of the box
    widths: tuple[int, ...] = (25, 50, 100, 200, 400, 800)  # hidden units
    seeds: int = 20  # nets per box and width, up to 200 hidden units
    wide_seeds: int = 5  # nets per box and width above
    train_points: int = 1000  # equispaced on [0, 1]
    test_points: int = 300  # uniform random on [0, 1]
    floor_points: int = 201  # equispaced points of kernels and budgeted nets
    nodes: int = 100  # Gauss-Legendre nodes per axis of the box
    floor_lambdas: int = 26  # box sizes of a floor's curve
    line_points: int = 401  # equispaced points on [-8, 8] of the low-pass check
    digits: int = 120  # decimal digits of the exact nets
    exact_widths: tuple[int, ...] = (12, 16, 20, 24, 30)  # their hidden units
    exact_seeds: int = 5  # their draws
    image_lambdas: tuple[float, ...] = (0.01, 0.1, 0.3, 1.0, 4.0, 16.0, 100.0)  # boxes for handwritten digits
    image_seeds: int = 5  # splits and draws for handwritten digits
    side: int = 25  # training points per axis of the two-dimensional target

    def __post_init__(self) -> None:
        for name in ("lambdas", "widths", "exact_widths", "image_lambdas"):
            values = getattr(self, name)
            if not values or values[0] <= 0 or any(b <= a for a, b in itertools.pairwise(values)):
                raise ValueError(f"{name}={values!r}: must be positive and strictly ascending")
        if self.widths[-1] > WIDEST:
            raise ValueError(f"widths={self.widths!r}: must be at most {WIDEST}")
        if not 15 <= self.digits <= 1000:
            raise ValueError(f"digits={self.digits!r}: must lie in [15, 1000]")


SIZES = {
    "smoke": Sizes(
        lambdas=(1.0, 10.0, 50.0, 1000.0), widths=(20, 50), seeds=3, wide_seeds=2, train_points=200, test_points=100,
        floor_points=61, nodes=40, floor_lambdas=10, line_points=201, digits=60, exact_widths=(8, 12), exact_seeds=1,
        image_lambdas=(0.01, 0.3, 1.0, 100.0), image_seeds=2, side=12,
    ),
    "quick": Sizes(),
    "full": Sizes(
        lambdas=(
            0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 23.0, 26.0,
            30.0, 34.0, 38.0, 42.0, 46.0, 50.0, 55.0, 60.0, 70.0, 80.0, 100.0, 125.0, 150.0, 200.0, 250.0, 300.0,
            400.0, 500.0, 700.0, 1000.0,
        ),
        wide_seeds=20, floor_points=401, nodes=200, floor_lambdas=40, exact_seeds=9, image_seeds=20, side=40,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One random net: its box, width and activation, what it learns, and how large its output weights may be."""

    lam: float = real(10.0, 0.3, 300.0, scale="log", symbol="λ", about="half-width of the box of hidden weights")
    n: int = integer(200, 10, 800, scale="log", symbol="n", about="hidden units")
    activation: str = choice("sigmoid", ACTIVATIONS, symbol="σ", about="activation")
    target: str = choice("bumps", TARGETS, symbol="f", about="what is learned: three bumps or a sine")
    nu: int = integer(4, 1, 16, symbol="ν", about="periods of the sine on [0, 1]")
    budget: float = real(1000.0, 1.0, 1e6, scale="log", symbol="C", about="L2 norm allowed for the output weights")
