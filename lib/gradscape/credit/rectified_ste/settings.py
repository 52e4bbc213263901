"""Parameters and sizes of the lesson on rectified straight-through estimators (Wu et al. 2023, arXiv 2308.06689)."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.credit.rectified_ste.estimators import KINDS, M_PAPER, T_PAPER
from gradscape.lesson import choice, integer, real

DATASETS = ("digits", "fashion")


@dataclass(frozen=True)
class Sizes:
    """How much is computed; networks, rates, batches and the values of o_end that claims compare are fixed."""

    rows: int = 10_000  # training images of Fashion-MNIST
    epochs: int = 12  # passes on Fashion-MNIST
    seeds: int = 6  # starts of every arm there
    more_arms: bool = False  # sweeps with STE, EDE and Bi-Real too, and o_end 2 and 5 on Fashion-MNIST
    digit_epochs: int = 40  # passes on the digits
    digit_seeds: int = 4  # starts of every arm there
    tune_seeds: int = 2  # starts of every rate in the choice of rates
    tune_fashion: bool = False  # choose rates on Fashion-MNIST too
    conv_seeds: int = 0  # starts of the convolutional network (1 or more: full)
    conv_epochs: int = 8  # its passes
    points: int = 100_000  # values at which the lemma is checked


SIZES = {
    "smoke": Sizes(rows=512, epochs=2, seeds=2, digit_epochs=2, digit_seeds=2, tune_seeds=1, points=2000),
    "quick": Sizes(),
    "full": Sizes(more_arms=True, digit_seeds=6, tune_fashion=True, conv_seeds=2),
}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader may change; the claims are measured at the defaults."""

    dataset: str = choice("digits", DATASETS, about="images that one network is trained on")
    kind: str = choice("reste", KINDS, about="estimator of one network")
    o_end: float = real(3.0, 1.0, 30.0, scale="log", symbol="o", about="power at the end of training, 1 is the STE")
    t: float = real(T_PAPER, 0.5, 3.0, symbol="t", about="no gradient beyond this size")
    m: float = real(M_PAPER, 1e-3, 0.5, scale="log", symbol="m", about="constant slope up to this size")
    sigma: float = real(0.18, 0.02, 1.0, scale="log", symbol="σ", about="standard deviation of normal weights")
    lr: float = real(0.1, 0.01, 1.0, scale="log", symbol="η", about="learning rate of one network")
    epochs: int = integer(12, 1, 40, about="passes of one network")
