"""The lesson's experiments: fixed protocols of the claims, and one task at the settings' own values."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import fashion, parity
from gradscape.dynamics.multiscale_descent.dynamics import (
    exact_dynamics,
    exact_ridge,
    q_regularised,
    q_schedule,
)
from gradscape.dynamics.multiscale_descent.images import Curves, image_latents, real_dynamics
from gradscape.dynamics.multiscale_descent.settings import Settings, scaled
from gradscape.dynamics.multiscale_descent.shape import Shape, descent_shape
from gradscape.dynamics.multiscale_descent.theory import (
    Blocks,
    Orders,
    TwoScale,
    deterministic_equivalent,
    fast_slow,
    fast_slow_only,
    ridge_clock,
)
from gradscape.lesson import Point, cached, protocol, seeds_of
from gradscape.stats.grid import Grid

Progress = Callable[[int, int], None]

FAR = 1e5  # κ of scales that are as good as infinitely far apart
SHOWN = (1.0, 7.0, 30.0, 100.0, 1e5)  # κ of the error curves at n = 110, p = 70
PLATEAUS = ((110, 70), (150, 60), (130, 70))  # examples and fast features of 100
GEOMETRIES = ((150, 60), (110, 70))  # of ridge regression beside its closed forms
KAPPAS = (1.0, 50.0, FAR)  # of ridge regression beside its closed forms
EXAMPLES = (60, 80, 110)  # numbers of examples around p = 70 at κ = 100
FIRST, LAST = 0.1, 1e7  # training times, in steps
PENALTY_TASK, PENALTY_STEPS = (120, 70, 30.0), 100_000  # n, p, κ of the penalty on Q (Fig. 6)
ANY_RISE = 1e-6  # of a bump that the penalty on Q has almost removed
MAP_TASK = (120, 80, 40.0, 0.2)  # n, p, κ, σ of the map (Fig. 5)
IMAGE_TASK = (130, 70, 100.0)  # n, p, κ on images
SHOWN_TO = 1e-6  # the smallest ridge penalty in the paper's Fig. 3
GAP_PENALTIES = 241  # ridge penalties from 1e3 down to 1e-13: both scales of every κ here


def time_grid(count: int, low: float = FIRST, high: float = LAST) -> Tensor:
    """``count`` times from ``low`` to ``high`` steps, evenly spaced in their logarithm."""
    return torch.logspace(math.log10(low), math.log10(high), count, dtype=torch.float64)


@dataclass(frozen=True)
class DescentCurves:
    """One task: gradient descent on S data sets, ``orders`` (S, T), and both theories on the ridge clock, (T,)."""

    task: TwoScale
    times: Tensor
    orders: Orders
    closed: Blocks
    ridge: Orders

    @property
    def E(self) -> Tensor:
        """Error of each data set, (S, T)."""
        return self.orders.E

    @property
    def mean(self) -> Tensor:
        """Mean error over the data sets, (T,)."""
        return self.orders.E.mean(0)

    @property
    def limit(self) -> Tensor:
        """Error of ridge regression for large sizes at penalty λ + 1/(ηt), (T,)."""
        return self.ridge.E

    @property
    def shapes(self) -> list[Shape]:
        """The shape of each data set's own curve."""
        return [descent_shape(self.times, E) for E in self.E]

    def at(self, t: float) -> Tensor:
        """Error of each data set at the time nearest to t, (S,)."""
        return self.E[:, int((self.times.log() - math.log(t)).abs().argmin())]

    def crossing(self, level: float) -> float:
        """Last time at which the mean error falls to ``level``, log-log interpolated; NaN if it ends above."""
        above = (self.mean >= level).nonzero()
        if not len(above) or int(above[-1]) + 1 == len(self.times):
            return math.nan
        i = int(above[-1])
        x, y = self.times[i : i + 2].log(), self.mean[i : i + 2].log()
        return float(torch.exp(x[0] + (x[1] - x[0]) * (math.log(level) - y[0]) / (y[1] - y[0])))


def descent_curves(task: TwoScale, times: Tensor, seeds: list[int]) -> DescentCurves:
    """Exact gradient descent on each seed's data, with the closed form and the limit of ridge on the same clock."""
    r = ridge_clock(task, times)
    return DescentCurves(task, times, exact_dynamics(task, times, seeds), fast_slow(task, r),
                         deterministic_equivalent(task, r))


@protocol
def curves_at(settings: Settings, kappa: float, *, progress: Progress | None = None) -> DescentCurves:
    """Error curves at n = 110, p = 70 for one κ (paper, Fig. 4)."""
    size = settings.size
    return descent_curves(settings.scaled(110, 70, kappa), time_grid(size.times), seeds_of(settings, size.sets))


@protocol
def plateau_curves(settings: Settings, n: int, p: int, *, progress: Progress | None = None) -> DescentCurves:
    """Error curves at κ = 1e5, where fast and slow features never meet (paper, Figs. 1 and 4)."""
    size = settings.size
    return descent_curves(settings.scaled(n, p, FAR), time_grid(size.times), seeds_of(settings, size.sets))


@protocol
def example_curves(settings: Settings, n: int, *, progress: Progress | None = None) -> DescentCurves:
    """Error curves at p = 70, κ = 100 for other numbers of examples (own limit of the mechanism)."""
    size = settings.size
    return descent_curves(settings.scaled(n, 70, 100.0), time_grid(size.times), seeds_of(settings, size.sets))


@dataclass(frozen=True)
class SingleFeatures:
    """The closed form with one group of features frozen, and with both: errors (T,) on the ridge clock."""

    task: TwoScale
    times: Tensor
    fast: Tensor
    slow: Tensor
    both: Tensor


def single_features(task: TwoScale, times: Tensor) -> SingleFeatures:
    """Fast features alone, slow features alone, both (paper, Fig. 1)."""
    r = ridge_clock(task, times)
    return SingleFeatures(task, times, fast_slow_only(task, r, "fast").E, fast_slow_only(task, r, "slow").E,
                          fast_slow(task, r).E)


@dataclass(frozen=True)
class Onset:
    """Share of data sets with double descent, and the mean height of their bumps, over κ, (K,)."""

    kappas: Tensor
    share: Tensor
    rise: Tensor
    ridge_rise: Tensor


@protocol
def onset(settings: Settings, *, progress: Progress | None = None) -> Onset:
    """From which κ on a bump appears, n = 110, p = 70; rises of 0.002 count (paper, Fig. 4)."""
    size, times = settings.size, time_grid(settings.size.times)
    kappas, seeds = time_grid(size.sweep, 3.0, 12.0), seeds_of(settings, size.sets)
    rows = []
    for done, kappa in enumerate(kappas.tolist()):
        made = descent_curves(settings.scaled(110, 70, kappa), times, seeds)
        shapes = [descent_shape(times, E, 0.002) for E in made.E]
        double = [shape.rise if shape.is_double else 0.0 for shape in shapes]
        ridge = descent_shape(times, made.limit, 0.002)
        rows.append([sum(s.is_double for s in shapes) / len(shapes), sum(double) / len(double),
                     ridge.rise if ridge.is_double else 0.0])
        if progress is not None:
            progress(done + 1, len(kappas))
    share, rise, ridge_rise = torch.tensor(rows, dtype=torch.float64).T
    return Onset(kappas, share, rise, ridge_rise)


@dataclass(frozen=True)
class RidgeGaps:
    """Ridge regression beside its closed forms: errors (G, K, B), and largest gaps ``closed``, ``limit`` (G, K)."""

    penalties: Tensor
    simulated: Tensor
    spread: Tensor
    closed_E: Tensor
    limit_E: Tensor

    @property
    def closed(self) -> Tensor:
        """Largest gap of the closed form over the penalties, for each geometry and κ."""
        return (self.closed_E - self.simulated).abs().amax(-1)

    @property
    def closed_shown(self) -> Tensor:
        """The same over 1/r up to 1e6, which is what the paper's figure shows."""
        return (self.closed_E - self.simulated)[..., self.penalties >= SHOWN_TO].abs().amax(-1)

    @property
    def limit(self) -> Tensor:
        """Largest gap of the limit of large sizes."""
        return (self.limit_E - self.simulated).abs().amax(-1)


@protocol
def ridge_gaps(settings: Settings, *, progress: Progress | None = None) -> RidgeGaps:
    """Mean error of exact ridge regression beside both theories (paper, Fig. 3)."""
    size, r = settings.size, torch.logspace(3, -13, GAP_PENALTIES, dtype=torch.float64)
    seeds, rows = seeds_of(settings, size.ridge_sets), []
    for n, p in GEOMETRIES:
        for kappa in KAPPAS:
            task = scaled(size.ridge_features, n, p, kappa)
            E = exact_ridge(task, r, seeds).E
            rows.append((E.mean(0), E.amax(0) - E.amin(0), fast_slow(task, r).E, deterministic_equivalent(task, r).E))
            if progress is not None:
                progress(len(rows), len(GEOMETRIES) * len(KAPPAS))
    return RidgeGaps(r, *(torch.stack(part).unflatten(0, (len(GEOMETRIES), len(KAPPAS)))
                          for part in zip(*rows, strict=True)))


@dataclass(frozen=True)
class Penalized:
    """Errors (S, T) without and with the decaying penalty on Q."""

    times: Tensor
    plain: Tensor
    penalized: Tensor

    @property
    def peaks(self) -> Tensor:
        """Peak of each data set without and with the penalty, (2, S).

        With it the bump may be too low to count: any rise counts then, and at least the error where the other peaks.
        """
        rows = []
        for plain, penalized in zip(self.plain, self.penalized, strict=True):
            shape, low = descent_shape(self.times, plain), descent_shape(self.times, penalized, ANY_RISE)
            there = float(penalized[self.times == shape.t_peak])
            rows.append((shape.e_peak, max(low.e_peak, there)))
        return torch.tensor(rows, dtype=torch.float64).T


@protocol
def penalized(settings: Settings, *, progress: Progress | None = None) -> Penalized:
    """Descent with and without a penalty on Q that fades (paper, Fig. 6)."""
    size, task = settings.size, settings.scaled(*PENALTY_TASK)
    t, seeds = time_grid(size.times, 1.0, PENALTY_STEPS).round().unique(), seeds_of(settings, size.penalty_sets)
    return Penalized(t, exact_dynamics(task, t, seeds).E, q_regularised(task, t, seeds, q_schedule()).E)


@dataclass(frozen=True)
class ImageStudents:
    """Linear students on images: random linear teachers, the images' own labels, and Gaussian factors beside."""

    times: Tensor
    teacher: Curves
    given: Curves
    gaussian: Tensor


@protocol
def image_students(settings: Settings, *, progress: Progress | None = None) -> ImageStudents:
    """Fashion-MNIST components as latent factors, n = 130, p = 70, κ = 100 of 100."""
    size, seeds, times = settings.size, seeds_of(settings, settings.size.image_sets), time_grid(settings.size.times)
    task = scaled(size.image_features, *IMAGE_TASK)
    (x, y), (new, wanted) = (fashion.load(split, n=count, flat=True, dtype=torch.float64)
                             for split, count in (("train", size.images), ("test", min(2000, size.images))))
    z, z_test = image_latents((x, new), task.d)
    teacher, given = (
        real_dynamics(z, parity(y), z_test, parity(wanted), task, times, seeds, labels)
        for labels in ("teacher", "given")
    )
    return ImageStudents(times, teacher, given, exact_dynamics(task, times, seeds).E)


def descent_map(
    task: TwoScale, penalties: int, times: int, seeds: list[int], progress: Progress | None = None
) -> Grid:
    """Mean error over ridge penalty λ (10⁻⁶ … 10¹) and time: axes ``l2`` and ``t`` (paper, Fig. 5 c-d)."""
    t, l2 = time_grid(times, 1.0), torch.logspace(-6, 1, penalties, dtype=torch.float64)
    rows = []
    for done, penalty in enumerate(l2.tolist()):
        one = TwoScale(task.n, task.d, task.p, task.kappa, task.noise, penalty)
        rows.append(exact_dynamics(one, t, seeds).E.mean(0))
        if progress is not None:
            progress(done + 1, penalties)
    return Grid({"l2": l2.tolist(), "t": t.tolist()}, torch.stack(rows).numpy())


@protocol
def penalty_map(settings: Settings, *, progress: Progress | None = None) -> Grid:
    """The map at n = 120, p = 80, κ = 40, σ = 0.2 (paper, Fig. 5 c-d)."""
    size = settings.size
    return descent_map(settings.scaled(*MAP_TASK), size.map_penalties, size.map_times,
                       seeds_of(settings, size.map_sets), progress)


@dataclass(frozen=True)
class TaskResult:
    """One task at the settings' values: curves, the time at which they are read, and the penalty on Q."""

    curves: DescentCurves
    t: float
    a0: float


def theory_at(task: TwoScale, times: Tensor) -> DescentCurves:
    """Both theories alone: no data set."""
    r, none = ridge_clock(task, times), torch.empty(0, len(times), dtype=torch.float64)
    return DescentCurves(task, times, Orders(none, none), fast_slow(task, r), deterministic_equivalent(task, r))


@cached
def one_task(settings: Settings, sets: int | None = None, *, progress: Progress | None = None) -> TaskResult:
    """The task at the settings' own values: both theories, and gradient descent on ``sets`` data sets.

    With a penalty on Q times below 1 are left out and the others rounded to whole steps.
    """
    seeds = seeds_of(settings, settings.size.overlay if sets is None else sets)
    times = time_grid(settings.size.times)
    if settings.a0:
        times = times[times >= 1.0].round().unique()
    if not seeds:
        return TaskResult(theory_at(settings.task, times), settings.t, settings.a0)
    curves = descent_curves(settings.task, times, seeds)
    if settings.a0:
        orders = q_regularised(settings.task, times, seeds, q_schedule(settings.a0))
        curves = DescentCurves(curves.task, times, orders, curves.closed, curves.ridge)
    return TaskResult(curves, settings.t, settings.a0)


def point(settings: Settings) -> Point:
    """Shape of the mean error at the settings' values, errors at the time ``t``, and what both theories say there."""
    result = one_task(settings)
    curves = result.curves
    shape, ridge = (descent_shape(curves.times, E) for E in (curves.mean, curves.limit))
    i = int((curves.times.log() - math.log(settings.t)).abs().argmin())
    return Point({
        "error_at_t": float(curves.mean[i]), "R_at_t": float(curves.orders.R.mean(0)[i]),
        "Q_at_t": float(curves.orders.Q.mean(0)[i]), "error_ridge_at_t": float(curves.limit[i]),
        "error_closed_at_t": float(curves.closed.E[i]), "first_minimum": shape.e_min, "t_first_minimum": shape.t_min,
        "peak": shape.e_peak, "t_peak": shape.t_peak, "error_end": shape.e_end, "double": float(shape.is_double),
        "peak_ridge": ridge.e_peak, "double_ridge": float(ridge.is_double),
    })
