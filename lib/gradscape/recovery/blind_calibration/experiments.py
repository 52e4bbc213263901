"""The lesson's experiments: fixed protocols of the claims, and one problem at the settings' own values."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.lesson import Point, cached, protocol, replicate_seed
from gradscape.metrics import rsnr
from gradscape.recovery.blind_calibration.baselines import linear_ls, uncalibrated_ls
from gradscape.recovery.blind_calibration.descent import CalibrationResult, calibrate
from gradscape.recovery.blind_calibration.diagram import SUCCESS, PhaseDiagram, phase_diagram
from gradscape.recovery.blind_calibration.images import camera, low_frequencies
from gradscape.recovery.blind_calibration.model import backprojection
from gradscape.recovery.blind_calibration.problem import (
    CalibrationProblem,
    calibration_problem,
    errors,
    sample_ratio,
)
from gradscape.recovery.blind_calibration.settings import N, Settings

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]

BAD = 0.9  # rho of the experiments that name no other
ABOVE, BELOW = ((64, 6), (32, 8)), ((64, 2), (32, 3))  # sensors and snapshots for n = 64: ratios 3.02, 2.69; 1.01, 1.01
PLENTY = (64, 8)  # ratio 4.03
SCARCE = (64, 3)  # ratio 1.51
CLOSE, FINE = 1e-9, 1e-11  # the error up to which iterations are counted, and the change at which those runs stop
LOOKS = 41  # snapshots of an image on its way, evenly spread in the logarithm of the iteration
IMAGE_SNAPSHOTS, LOW_SNAPSHOTS = 10, (4, 1)  # p of the images, and of those with the prior
SOLVABLE = 2e8  # multiplications of a direct solution that an explorer waits for


@dataclass(frozen=True)
class Trial:
    """Twenty problems, say, at one setting: relative errors (S,) of three methods, and the iterations of the descent.

    ``linear`` is the larger error of signal and gains, ``ignoring`` the error of x when gains are taken for 1.
    """

    n: int
    m: int
    p: int
    rho: float
    noise: float
    ex: Tensor
    eg: Tensor
    iterations: Tensor
    start: Tensor
    linear: Tensor
    ignoring: Tensor

    @property
    def ratio(self) -> float:
        """Measurements per unknown."""
        return sample_ratio(self.n, self.m, self.p)

    @property
    def error(self) -> Tensor:
        """The larger relative error of signal and gains, (S,)."""
        return torch.maximum(self.ex, self.eg)

    @property
    def successes(self) -> int:
        """Problems recovered."""
        return int((self.error < SUCCESS).sum())


@protocol
def trial(
    settings: Settings, m: int, p: int, rho: float = BAD, noise: float = 0.0, *, progress: Progress | None = None
) -> Trial:
    """All methods on the replicates at m sensors (stated for n = 64), p snapshots, rho and noise."""
    size, sensors = settings.size, settings.scaled(m)
    made = calibration_problem(
        size.n, sensors, p, rho, noise=noise, seed=settings.seed, batch=size.seeds
    ).to(settings.device)
    run = calibrate(made.A, made.y, max_iter=size.iterations, record_every=size.iterations)
    start, _ = errors(backprojection(made.A, made.y), made.g, made.x, made.g)
    ignoring, _ = errors(uncalibrated_ls(made.A, made.y), made.g, made.x, made.g)
    return Trial(size.n, sensors, p, rho, noise, *errors(run.x, run.g, made.x, made.g), run.iterations, start,
                 torch.maximum(*errors(*linear_ls(made.A, made.y), made.x, made.g)), ignoring)


@dataclass(frozen=True)
class Descents:
    """Errors (S, T) over iterations 0, 1, … at one rho, and the iterations (S,) until they pass 1e-9 (NaN: never)."""

    rho: float
    error: Tensor
    reached: Tensor

    @property
    def successes(self) -> int:
        """Problems recovered."""
        return int((self.error[:, -1] < SUCCESS).sum())

    @property
    def median(self) -> float:
        """Median number of iterations; problems that never pass count as slower than all."""
        filled = torch.where(self.reached.isnan(), torch.full_like(self.reached, math.inf), self.reached)
        middle = filled.sort().values
        return float((middle[(len(middle) - 1) // 2] + middle[len(middle) // 2]) / 2)


@protocol
def descents(settings: Settings, rho: float, *, progress: Progress | None = None) -> Descents:
    """Runs at (64, 8) down to an error far below 1e-9, traced at every iteration."""
    size, (m, p) = settings.size, PLENTY
    made = calibration_problem(size.n, settings.scaled(m), p, rho, seed=settings.seed, batch=size.speed_seeds)
    made = made.to(settings.device)
    run = calibrate(made.A, made.y, tol=FINE, max_iter=size.iterations, truth=(made.x, made.g))
    assert run.error is not None
    hit = run.error < CLOSE
    first = torch.where(hit.any(1), hit.double().argmax(1).double(), math.nan)
    return Descents(rho, run.error, first)


@protocol
def diagram(settings: Settings, *, progress: Progress | None = None) -> PhaseDiagram:
    """The phase diagram at rho = 0.9, with its own seeds and cap."""
    size = settings.size
    return diagram_at(settings, size.n, BAD, progress)


def diagram_at(
    settings: Settings, n: int, rho: float, progress: Progress | None = None, seeds: int | None = None
) -> PhaseDiagram:
    """The profile's phase diagram for another n or rho, and other numbers of problems; its sensors scale with n."""
    size = settings.size
    ms = [max(1, round(m * n / N)) for m in size.diagram_sensors]
    return phase_diagram(n, ms, size.diagram_ratio, rho, seeds or size.diagram_seeds, seed=settings.seed,
                         max_iter=size.diagram_iterations, device=settings.device, progress=progress)


@dataclass(frozen=True)
class ImageRun:
    """An image seen blindly: the problem, the run with snapshots, and what least squares without gains sees.

    ``Z``: basis of the signals if the descent knew one. Ratios of signal to noise in dB.
    """

    side: int
    problem: CalibrationProblem
    run: CalibrationResult
    start: Tensor
    ignoring: Tensor
    Z: Tensor | None = None

    @property
    def ratio(self) -> float:
        """Measurements per unknown."""
        unknowns = self.problem.n if self.Z is None else self.Z.shape[1]
        return sample_ratio(unknowns, self.problem.m, self.problem.p)

    @property
    def x_db(self) -> float:
        """Of the image that was found."""
        return float(rsnr(self.problem.x, self.run.x))

    @property
    def g_db(self) -> float:
        """Of the gains that were found."""
        return float(rsnr(self.problem.g, self.run.g))

    @property
    def ignoring_db(self) -> float:
        """Of the image by least squares that takes gains for 1."""
        return float(rsnr(self.problem.x, self.ignoring))

    def seen(self, iteration: int) -> tuple[int, Tensor]:
        """The last snapshot up to an iteration: which one it is, and the image (n,)."""
        at = max(j for j in self.run.snapshots if j <= iteration)
        return at, self.run.snapshots[at]


def look_at(
    settings: Settings, side: int, sensors: int, p: int, rho: float = BAD, keep: int = 0, prior: bool = True,
    cap: int | None = None, stop: Stop | None = None, progress: Progress | None = None,
) -> ImageRun:
    """The camera through ±1 masks; ``keep``: of its lowest cosines only, which the descent knows if ``prior``.

    ``stop()`` is asked, and ``progress`` told, at every iteration.
    """
    Z = low_frequencies(side, keep) if keep else None
    x = camera(side)
    made = calibration_problem(side * side, sensors, p, rho, ensemble="rademacher", x=x if Z is None else Z @ (Z.T @ x),
                               seed=replicate_seed(settings.seed, 0)).to(settings.device)
    known = None if Z is None or not prior else Z.to(settings.device)
    cap = cap or settings.size.iterations
    looks = sorted({round(cap ** (k / (LOOKS - 1))) for k in range(LOOKS)})
    done = iter(range(1, cap + 1))

    def ended() -> bool:
        if progress is not None:
            progress(next(done), cap)
        return stop is not None and stop()

    run = calibrate(made.A, made.y, Z=known, max_iter=cap, truth=(made.x, made.g), record_every=5,
                    snapshots=(0, *looks), stop=ended)
    start = backprojection(made.A, made.y)
    return ImageRun(side, made, run, start if known is None else known @ (known.T @ start),
                    uncalibrated_ls(made.A, made.y, known), known)


@protocol
def image(settings: Settings, *, progress: Progress | None = None) -> ImageRun:
    """The image without any prior, twice as many measurements as unknowns."""
    size = settings.size
    return look_at(settings, size.side, size.sensors, IMAGE_SNAPSHOTS, progress=progress)


@protocol
def low_image(settings: Settings, p: int, prior: bool = True, *, progress: Progress | None = None) -> ImageRun:
    """The image of low frequencies, whose descent knows them or not."""
    size = settings.size
    return look_at(settings, size.low_side, size.low_sensors, p, keep=size.low_keep, prior=prior,
                   cap=None if prior else size.bare_iterations, progress=progress)


@dataclass(frozen=True)
class OwnRun:
    """One problem at the settings' values with its trace, and two other methods' errors (NaN: too large to wait)."""

    problem: CalibrationProblem
    noise: float
    run: CalibrationResult
    linear: float
    ignoring: float

    @property
    def ex(self) -> float:
        """Relative error of the signal."""
        return float(errors(self.run.x, self.run.g, self.problem.x, self.problem.g)[0])

    @property
    def eg(self) -> float:
        """Relative error of the gains."""
        return float(errors(self.run.x, self.run.g, self.problem.x, self.problem.g)[1])


def solve_at(settings: Settings, stop: Stop | None = None) -> OwnRun:
    """The problem at the settings' own values; ``stop()`` ends the descent early."""
    made = settings.problem(replicate_seed(settings.seed, 0))
    run = calibrate(made.A, made.y, max_iter=settings.size.iterations, truth=(made.x, made.g), stop=stop)
    linear = ignoring = math.nan
    if made.m * made.p * (made.n + made.m) ** 2 <= SOLVABLE:
        linear = float(torch.maximum(*errors(*linear_ls(made.A, made.y), made.x, made.g)))
        ignoring = float(errors(uncalibrated_ls(made.A, made.y), made.g, made.x, made.g)[0])
    return OwnRun(made, settings.noise, run, linear, ignoring)


@cached
def own_run(settings: Settings, *, progress: Progress | None = None) -> OwnRun:
    """The same, run to its end and kept."""
    return solve_at(settings)


def point(settings: Settings) -> Point:
    """Errors of signal and gains at the settings' values, the iterations, and the errors of two other methods."""
    result = own_run(settings)
    return Point({
        "ratio": result.problem.ratio, "error_x": result.ex, "error_g": result.eg,
        "success": float(max(result.ex, result.eg) < SUCCESS), "iterations": float(result.run.iterations),
        "converged": float(result.run.converged), "loss": float(result.run.loss[-1]),
        "error_linear": result.linear, "error_ignoring_gains": result.ignoring,
    })
