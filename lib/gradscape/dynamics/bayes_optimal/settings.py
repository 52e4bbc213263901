"""Settings and sizes of the lesson *Bayes-optimal learning of an extensive-width neural network*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import integer, real


@dataclass(frozen=True)
class Sizes:
    """How much is simulated; the theory costs nothing and has no sizes."""

    gamp_d: int = 100  # inputs of the tasks that GAMP-RIE and least squares learn
    gamp_seeds: int = 6  # their replicates
    gamp_rounds: int = 50  # rounds of GAMP-RIE
    extra_seeds: int = 2  # replicates at further loads, for the figure alone
    gd_d: int = 60  # inputs of the tasks of gradient descent
    gd_seeds: int = 4  # their replicates
    starts: int = 16  # random starts of each replicate
    steps: int = 300  # full-batch Adam steps
    scaling_d: tuple[int, ...] = (40, 60, 80)  # inputs over which the averaged solution approaches the optimum
    scaling_seeds: int = 12  # replicates at each of them
    spectrum_d: int = 400  # size of the one drawn matrix whose spectrum is shown


SIZES = {
    "smoke": Sizes(
        gamp_d=30, gamp_seeds=2, gamp_rounds=12, extra_seeds=1, gd_d=20, gd_seeds=2, starts=4, steps=60,
        scaling_d=(16, 20), scaling_seeds=2, spectrum_d=80,
    ),
    "quick": Sizes(),
    "full": Sizes(gamp_d=200, gd_d=100, starts=32, scaling_d=(40, 60, 80, 100, 140), spectrum_d=1000),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One teacher: its labels, neurons and noise; its size and the number of starts where it is simulated."""

    alpha: float = real(0.2, 0.01, 0.6, symbol="α", about="labels per squared input, n/d²")
    kappa: float = real(0.5, 0.05, 5.0, scale="log", symbol="κ", about="hidden neurons per input, m/d")
    delta: float = real(0.0, 0.0, 1.0, symbol="Δ", about="variance of the noise inside the neurons")
    d: int = integer(80, 40, 160, about="inputs of the simulated teacher")
    starts: int = integer(16, 2, 32, symbol="B", about="random starts of gradient descent")
