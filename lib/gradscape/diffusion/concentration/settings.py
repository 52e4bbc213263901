"""Settings and sizes of the lesson *concentration*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real

GROUPS = {"0 2 4 6": (0, 2, 4, 6), "0 6": (0, 6), "5 7 9": (5, 7, 9), "all ten": tuple(range(10))}


@dataclass(frozen=True)
class Sizes:
    """How long generators are trained, how much is sampled, how often classifiers are."""

    features: str = "7x7"  # images of the claims
    width: int = 192  # of the images' denoiser
    depth: int = 2  # its residual layers
    steps: int = 1500  # of its training, batches of 256
    moments: int = 5000  # generated samples per class that means and covariances are taken from
    pool: int = 3500  # further ones per class, for training and test sets
    test: int = 1000  # test samples per class
    n: tuple[int, ...] = (30, 100, 500)  # training samples per class
    lams: tuple[float, ...] = (1e-3, 1e-2)  # penalties
    draws: int = 20  # training and test sets of each n
    other_n: int = 500  # training samples per class of the nonlinear classifiers
    other_draws: int = 5  # their training and test sets
    other_test: int = 500  # their test samples per class
    local: int = 8  # samples per class at which the sampler's stretch is measured
    stretch: tuple[int, ...] = (6, 10, 18, 28, 40)  # sampler steps at which it is
    tails: int = 3  # heavy-tailed data sets, each with its own generator
    tail_n: int = 10_000  # their samples, and samples of their generators
    tail_steps: int = 800  # of their training
    tail_width: int = 128  # of their denoiser


SIZES = {
    "smoke": Sizes(
        width=48, steps=60, moments=400, pool=2200, test=100, n=(20, 60), draws=2, other_n=60, other_draws=1,
        other_test=60, local=2, stretch=(6, 10), tails=1, tail_n=1500, tail_steps=60, tail_width=32,
    ),
    "quick": Sizes(),
    "full": Sizes(
        features="14x14", width=384, depth=3, steps=4000, moments=6000, pool=4000, n=(50, 100, 200, 500, 1000, 2000),
        other_test=1000, tails=10,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One generator, one classifier on its samples, and one set of heavy-tailed data."""

    features: str = choice("7x7", ("7x7", "14x14", "digits"), about="block means of Fashion-MNIST, or digits of 8 x 8")
    classes: str = choice("0 2 4 6", tuple(GROUPS), about="classes, as Fashion-MNIST or the digits number them")
    train_steps: int = integer(0, 0, 6000, about="training steps of the generator; 0 stands for the profile's")
    sampler_steps: int = integer(18, 6, 40, symbol="N", about="steps of the sampler")
    churn: float = real(0.0, 0.0, 40.0, symbol="S_churn", about="noise that the sampler adds again on its way")
    n: int = integer(100, 20, 2000, scale="log", symbol="n", about="training samples per class")
    lam: float = real(1e-2, 1e-4, 1.0, scale="log", symbol="λ", about="penalty of the linear classifier")
    nu: float = real(3.0, 2.0, 1000.0, scale="log", symbol="ν", about="degrees of freedom of the Student-t data")
