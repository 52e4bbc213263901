"""Settings and sizes of the lesson *blind gain calibration*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import choice, integer, real
from gradscape.recovery.blind_calibration.problem import ENSEMBLES, CalibrationProblem, calibration_problem

N = 64  # entries of the signal for which the protocols' sensors are stated
NO_NOISE = -6.0  # the exponent that stands for no noise at all


@dataclass(frozen=True)
class Sizes:
    """How much is drawn."""

    n: int = 64  # entries of the signal; the protocols' sensors scale with it
    seeds: int = 20  # problems per setting
    speed_seeds: int = 10  # problems of the comparison of mild and bad gains
    iterations: int = 3000  # after which a run that still moves is given up
    rhos: tuple[float, ...] = (0.1, 0.5, 0.9, 0.99)  # how bad gains are in that comparison
    noises: tuple[float, ...] = (1e-3, 1e-2)  # standard deviations of the noise sweep
    diagram_seeds: int = 10  # problems per cell of the phase diagram
    diagram_iterations: int = 1500  # its own cap
    diagram_ratio: float = 3.3  # measurements per unknown up to which its cells go (never more than 16 snapshots)
    diagram_sensors: tuple[int, ...] = (16, 32, 64, 128)  # its sensors m, stated for n = 64
    table_signals: tuple[int, ...] = (64,)  # n of the recorded phase diagrams
    table_rhos: tuple[float, ...] = (0.9,)  # and their rho
    side: int = 24  # pixels of a side of the image
    sensors: int = 144  # that see it
    low_side: int = 32  # pixels of a side of the image of low frequencies
    low_sensors: int = 256  # that see it
    low_keep: int = 12  # cosines kept per side
    bare_iterations: int = 500  # cap without the prior, which does not converge at all


SIZES = {
    "smoke": Sizes(
        n=16, seeds=3, speed_seeds=2, iterations=400, rhos=(0.1, 0.99), diagram_seeds=2, diagram_iterations=150,
        diagram_sensors=(64, 128), table_signals=(16,), side=8, sensors=24, low_side=12, low_sensors=48, low_keep=5,
        bare_iterations=50,
    ),
    "quick": Sizes(),
    "full": Sizes(
        seeds=100, speed_seeds=50, rhos=(0.01, 0.1, 0.5, 0.9, 0.99), noises=(1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
        diagram_seeds=20, diagram_iterations=3000, diagram_sensors=(16, 32, 64, 128, 256), table_signals=(64, 128),
        table_rhos=(0.1, 0.9, 0.99), side=32, sensors=256, low_side=64, low_sensors=256,
        bare_iterations=200,
    ),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One problem: unknowns, snapshots, how bad the gains are, noise and masks."""

    n: int = integer(64, 16, 256, scale="log2", symbol="n", about="entries of the signal")
    m: int = integer(64, 8, 256, scale="log2", symbol="m", about="sensors, each with its own gain")
    p: int = integer(4, 1, 16, symbol="p", about="snapshots, each through masks of its own")
    rho: float = real(0.9, 0.0, 0.99, symbol="ρ", about="largest relative deviation of a gain from the mean")
    log_noise: float = real(NO_NOISE, NO_NOISE, -1.0, symbol="log₁₀ σ",
                            about="log10 of the noise on each measurement; -6 stands for none")
    ensemble: str = choice("gaussian", ENSEMBLES, about="entries of the masks: gaussian, or rademacher for ±1")

    @property
    def noise(self) -> float:
        """The standard deviation of the noise."""
        return 0.0 if self.log_noise <= NO_NOISE else 10.0**self.log_noise

    def problem(self, replicate_seed: int) -> CalibrationProblem:
        """A problem at these values."""
        return calibration_problem(self.n, self.m, self.p, self.rho, ensemble=self.ensemble, noise=self.noise,
                                   seed=replicate_seed).to(self.device)

    def scaled(self, m: int) -> int:
        """A protocol's number of sensors, stated for n = 64, at the profile's n."""
        return max(1, round(m * self.size.n / N))
