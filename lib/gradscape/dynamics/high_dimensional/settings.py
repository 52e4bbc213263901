"""Settings and sizes of the lesson *high-dimensional dynamics of generalization error*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.dynamics.high_dimensional.theory import LinearTask
from gradscape.lesson import integer, real


@dataclass(frozen=True)
class Sizes:
    """How much is simulated; the theory costs nothing and has no sizes."""

    features: int = 200  # weights N of the simulated linear students
    runs: int = 20  # linear students per load
    spectrum: int = 300  # weights N of the single spectrum draw
    overlay: int = 10  # simulated students beside the theory at the settings' own values
    feature_widths: tuple[int, ...] = (15, 30, 60, 90, 120, 150, 300, 1200)  # random features N_h
    feature_examples: int = 120  # examples P of the random-feature students
    feature_sets: int = 20  # their data sets
    image_widths: tuple[int, ...] = (75, 150, 300, 600, 1200, 2400)  # random features on images
    image_examples: int = 300  # labeled images
    image_sets: int = 10  # draws of images
    test_points: int = 1000  # fresh examples, of each teacher and of the images
    net_widths: tuple[int, ...] = (2, 4, 8, 12, 24, 48)  # hidden units of the two-layer students
    net_examples: int = 60  # their examples P
    net_sets: int = 24  # their data sets
    net_steps: int = 4000  # full-batch steps


SIZES = {
    "smoke": Sizes(
        features=40, runs=3, spectrum=60, overlay=3, feature_widths=(15, 30, 60, 300), feature_examples=30,
        feature_sets=3, image_widths=(30, 60, 240), image_examples=60, image_sets=2, test_points=200,
        net_widths=(2, 8, 48), net_sets=2, net_steps=400,
    ),
    "quick": Sizes(),
    "full": Sizes(
        features=1000, spectrum=1000, image_sets=20, test_points=2000, net_widths=(2, 4, 8, 12, 24, 48, 96, 192),
        net_steps=20_000,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One linear task: its load, its two ratios, how long it trains, and how many weights its simulation has."""

    alpha: float = real(1.0, 0.1, 10.0, scale="log", symbol="α", about="examples per weight, P/N")
    snr: float = real(5.0, 0.05, 1000.0, scale="log", symbol="SNR", about="teacher variance over noise variance")
    inr: float = real(0.0, 0.0, 10.0, symbol="INR", about="initial weight variance over noise variance")
    T_max: float = real(100.0, 1.0, 1e5, scale="log", symbol="T", about="training time, learning rate × steps")
    n_features: int = integer(200, 50, 1000, scale="log", symbol="N", about="weights of the simulated students")

    @property
    def task(self) -> LinearTask:
        """The linear task at these values, with σ_w² + σ_ε² scaled to 1."""
        return LinearTask.from_snr(self.alpha, self.snr, self.inr)
