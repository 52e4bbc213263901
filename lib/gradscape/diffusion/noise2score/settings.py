"""Settings and sizes of the lesson *Noise2Score*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real

SIGMA, ZETA, K = 25 / 255, 0.05, 50.0  # the noise levels of the claims
PARAMETERS = {"gaussian": SIGMA, "poisson": ZETA, "gamma": K}


@dataclass(frozen=True)
class Recipe:
    """A network and how long it is trained; patches of 32 x 32 pixels, batches of 16."""

    channels: int = 32
    depth: int = 5
    steps: int = 500
    per_photo: int = 250  # patches of each of nine photographs


@dataclass(frozen=True)
class Sizes:
    """How large the networks are and how long they are trained."""

    channels: int = 32  # of the network
    depth: int = 5  # its convolutions
    steps: int = 500  # of batches of 16 patches
    per_photo: int = 250  # patches of each of nine photographs
    stop: float = 0.03  # last σ_a of the anneal that starts at .1 (at twice both for σ = 50/255)
    seeds: int = 1  # trainings of Noise2Score and of supervised learning that are compared
    schedule_channels: int = 32  # network of the three schedules of S3
    schedule_depth: int = 5  # its convolutions
    schedule_steps: int = 500  # and its steps, the same for all three
    schedule_per_photo: int = 250  # and its patches
    average: bool = False  # whether networks are large enough to ask for the average advantage over Noise2Self

    @property
    def recipe(self) -> Recipe:
        """The networks of all claims but S3."""
        return Recipe(self.channels, self.depth, self.steps, self.per_photo)

    @property
    def schedule_recipe(self) -> Recipe:
        """The networks of S3."""
        return Recipe(self.schedule_channels, self.schedule_depth, self.schedule_steps, self.schedule_per_photo)


SIZES = {
    "smoke": Sizes(
        channels=8, depth=3, steps=20, per_photo=10, schedule_channels=8, schedule_depth=3, schedule_steps=20,
        schedule_per_photo=10,
    ),
    "quick": Sizes(),
    "full": Sizes(channels=48, depth=7, steps=2500, per_photo=440, stop=0.02, seeds=4, average=True),
}


class Settings(lesson.Settings, profiles=SIZES):
    """The reader's own noise and training: what the explorers and a sweep vary."""

    noise: str = choice("gaussian", ("gaussian", "poisson", "gamma"), about="kind of noise")
    sigma: float = real(0.1, 0.02, 0.4, scale="log", symbol="σ", about="standard deviation of Gaussian noise")
    zeta: float = real(0.05, 0.01, 0.5, scale="log", symbol="ζ", about="size of one count of Poisson noise")
    k: float = real(50.0, 2.0, 200.0, scale="log", symbol="k", about="shape of Gamma noise; its variance is 1/k")
    a_max: float = real(0.1, 0.01, 0.3, scale="log", symbol="a_max", about="first scale of the extra noise")
    a_min: float = real(0.03, 0.001, 0.1, scale="log", symbol="a_min", about="last scale of the extra noise")
    steps: int = integer(300, 50, 800, symbol="steps", about="steps of training")

    @property
    def parameter(self) -> float:
        """The parameter of the chosen kind of noise."""
        return float({"gaussian": self.sigma, "poisson": self.zeta, "gamma": self.k}[self.noise])


def schedule(noise: str, parameter: float, stop: float) -> tuple[float, float]:
    """First and last σ_a: .1 to ``stop``, scaled with σ above 25/255; for counts never below half a count."""
    scale = max(1.0, round(parameter / SIGMA)) if noise == "gaussian" else 1.0
    last = max(stop * scale, parameter / 2) if noise == "poisson" else stop * scale
    return 0.1 * scale, last
