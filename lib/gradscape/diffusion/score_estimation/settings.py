"""Settings and sizes of the lesson *score estimation*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.diffusion.score_estimation.process import GaussianMixture, sphere_centers
from gradscape.lesson import choice, integer, real, replicate_seed

SCALE = 0.25  # standard deviation s of each Gaussian


@dataclass(frozen=True)
class Sizes:
    """How much is drawn and how long networks are trained."""

    seeds: int = 20  # mixtures, each with its own training set
    n: int = 500  # triples of a training set
    test: int = 2000  # fresh triples on which true errors are read
    times: int = 81  # training times from 0.1 to 1e7: ten per decade
    curve_sizes: tuple[int, ...] = (100, 300, 1000, 2000)  # training sets of the learning curve
    curve_dims: tuple[int, ...] = (2, 8)  # dimensions of the learning curve
    curve_seeds: int = 3  # their seeds
    widths: tuple[int, ...] = (100, 400, 1600)  # of the networks
    width_seeds: int = 5  # networks of each width, each on its own training set
    redraws: int = 30  # redrawn sets of labels
    sample_seeds: int = 3  # mixtures that are sampled from
    samples: int = 1000  # samples of each
    digits: int = 1297  # training images of 1797
    digit_dims: tuple[int, ...] = (4, 8)  # principal components


SIZES = {
    "smoke": Sizes(
        seeds=2, n=80, test=200, times=17, curve_sizes=(40, 80, 160), curve_dims=(2,), curve_seeds=1, widths=(40, 160),
        width_seeds=2, redraws=6, sample_seeds=1, samples=100, digits=150, digit_dims=(4,),
    ),
    "quick": Sizes(),
    "full": Sizes(
        seeds=100, curve_seeds=10, widths=(100, 400, 1600, 6400), width_seeds=10, redraws=300,
        sample_seeds=20, samples=2000,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One training set: where it comes from, its size, and the times that are looked at."""

    dataset: str = choice("mixture", ("mixture", "digits"), about="a mixture with a known score, or images of digits")
    d: int = integer(2, 2, 8, symbol="d", about="dimension of the data; principal components of digits")
    modes: int = integer(4, 1, 8, symbol="M", about="Gaussians of the mixture, on a sphere of radius 1.5")
    n: int = integer(500, 50, 1000, scale="log", symbol="n", about="training triples (t, X_t, X_0)")
    T0: float = real(0.05, 0.01, 0.5, scale="log", symbol="T₀", about="earliest training time of the process")
    T: float = real(3.0, 1.0, 5.0, symbol="T", about="latest training time of the process")
    sigma: float = real(0.0, 0.0, 2.0, symbol="σ", about="noise level told to the rule; 0 stands for the true one")
    e: float = real(100.0, 0.1, 1e7, scale="log", symbol="e", about="training time: step size times steps")
    t: float = real(0.5, 0.05, 3.0, scale="log", symbol="t", about="process time at which the field is drawn")
    width: int = integer(400, 50, 3200, scale="log", symbol="m", about="width of the network; odd ones gain a neuron")

    def mixture(self, replicate: int = 0) -> GaussianMixture:
        """The mixture of a replicate: its centers are drawn too."""
        centers = sphere_centers(self.modes, self.d, replicate_seed(self.seed, replicate))
        return GaussianMixture(centers, SCALE)
