"""Settings and sizes of the lesson *multi-scale feature learning dynamics*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.dynamics.multiscale_descent.theory import TwoScale
from gradscape.lesson import integer, real

D = 100  # features of every task that a reader sets
NO_RIDGE = -9.0  # the exponent that stands for no ridge penalty at all


@dataclass(frozen=True)
class Sizes:
    """How much is drawn; closed forms cost nothing and have no sizes."""

    features: int = 100  # features d of the simulated data; examples and fast features scale with it
    sets: int = 20  # data sets per task
    times: int = 161  # training times from 0.1 to 1e7 steps
    sweep: int = 13  # values of κ between 3 and 12 at which double descent is looked for
    ridge_features: int = 400  # features of the data sets that closed forms of ridge regression are held against
    ridge_sets: int = 3  # their data sets: at n = 110, p = 70 their mean still moves by 0.002
    penalty_sets: int = 8  # data sets with and without the penalty on Q
    map_sets: int = 5  # data sets of the map of ridge penalty and time
    map_penalties: int = 29  # its ridge penalties
    map_times: int = 57  # its times
    overlay: int = 5  # data sets beside the theory at the settings' own values
    images: int = 10_000  # training images from which each data set draws its examples
    image_features: int = 100  # whitened principal components
    image_sets: int = 20  # draws of images


SIZES = {
    "smoke": Sizes(
        features=40, sets=3, times=61, sweep=3, ridge_features=60, ridge_sets=1, penalty_sets=2, map_sets=1,
        map_penalties=7, map_times=15, overlay=2, images=1000, image_features=40, image_sets=2,
    ),
    "quick": Sizes(),
    "full": Sizes(features=400, sets=100, sweep=30, ridge_sets=20, map_sets=20, map_penalties=60, map_times=120),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One task: scales, sizes, noise and the two penalties, and the time at which errors are read."""

    kappa: float = real(30.0, 1.0, 1e5, scale="log", symbol="κ", about="how much weaker slow features are")
    n: int = integer(110, 20, 500, scale="log", symbol="n", about="training examples, for d of 100 features")
    p: int = integer(70, 5, 95, symbol="p", about="fast features of 100")
    noise: float = real(0.0, 0.0, 1.0, symbol="σ", about="standard deviation of the label noise")
    log_l2: float = real(NO_RIDGE, NO_RIDGE, 0.0, symbol="log₁₀ λ",
                         about="log10 of the ridge coefficient; -9 stands for none")
    a0: float = real(0.0, 0.0, 0.95, symbol="a₀", about="initial penalty on Q; steps of 1/L diverge from 1 on")
    t: float = real(1000.0, 1.0, 1e7, scale="log", symbol="t", about="steps after which errors are read")

    @property
    def l2(self) -> float:
        """The ridge coefficient λ."""
        return 0.0 if self.log_l2 <= NO_RIDGE else 10.0**self.log_l2

    @property
    def task(self) -> TwoScale:
        """The task at these values."""
        return TwoScale(self.n, D, self.p, self.kappa, self.noise, self.l2)

    def scaled(self, n: int, p: int, kappa: float, noise: float = 0.0, l2: float = 0.0) -> TwoScale:
        """A protocol's task, stated for d = 100, at the profile's number of features."""
        return scaled(self.size.features, n, p, kappa, noise, l2)


def scaled(features: int, n: int, p: int, kappa: float, noise: float = 0.0, l2: float = 0.0) -> TwoScale:
    """The task with n examples and p fast features per 100 features, at another number of features."""
    return TwoScale(round(n * features / D), features, round(p * features / D), kappa, noise, l2)
