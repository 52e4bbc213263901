"""Experiments on the perceptron: scaling with temperature (N1), with the size of the training set (N2), one course."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape.dynamics.sgd_noise.perceptron import PerceptronRuns, perceptron
from gradscape.dynamics.sgd_noise.settings import Settings
from gradscape.lesson import cached, protocol
from gradscape.stats import powerlaw

Array = NDArray[np.float64]
Progress = Callable[[int, int], None] | None

T_RANGE = (0.03, 3.0)  # where noise, not the margin 1/alpha, sets the weights
DIM = 32
SIZE_T = 0.5  # N2: lr = 1, batch = 2
COURSE_EVENTS = 12_000  # bounds one course: chi = 0 needs about P² events
COURSE_RUNS = 4


@dataclass(frozen=True)
class TemperatureScan:
    """t*, w1 and |w_perp| (T, runs) at temperatures T (K,), and the slopes of their mean logarithms."""

    T: Array
    t_star: Array
    w1: Array
    w_perp: Array

    def slope(self, name: str) -> powerlaw.Power:
        """The power of T that a mean follows."""
        return powerlaw.fit(self.T, np.exp(np.log(getattr(self, name)).mean(1)))


@dataclass(frozen=True)
class SizeScan:
    """One density exponent chi and dimension d: t*, w1, |w_perp| (sizes, runs) at training-set sizes P (sizes,)."""

    chi: float
    d: int
    P: Array
    t_star: Array
    w1: Array
    w_perp: Array

    def slope(self, name: str) -> powerlaw.Power:
        """The power of P that a mean follows; ``"ratio"`` is w1/|w_perp|."""
        values = self.w1 / self.w_perp if name == "ratio" else getattr(self, name)
        return powerlaw.fit(self.P, np.exp(np.log(values).mean(1)))


def _columns(runs: PerceptronRuns, *shape: int) -> dict[str, Array]:
    return {name: getattr(runs, name).double().reshape(shape).numpy() for name in ("t_star", "w1", "w_perp")}


@protocol
def temperature_scan(settings: Settings, *, progress: Progress = None) -> TemperatureScan:
    """N1: chi = 1, P = 1024, d = 32, B = 2; every run on its own data (paired runs would scale with T trivially)."""
    size = settings.size
    T = np.geomspace(*T_RANGE, size.temperatures)
    each = torch.from_numpy(T).repeat_interleave(size.perceptron_runs)
    runs = perceptron(1024, DIM, 1.0, each, seed=settings.seed, progress=progress)
    return TemperatureScan(T=T, **_columns(runs, len(T), size.perceptron_runs))


@protocol
def size_scans(settings: Settings, *, progress: Progress = None) -> dict[tuple[float, int], SizeScan]:
    """N2: one scan per (chi, d), at T = 0.5 with B = 2."""
    size, found = settings.size, {}
    for chi, sizes, runs in zip((0.0, 1.0, 3.0), (size.chi0_sizes, size.chi1_sizes, size.chi3_sizes), size.chi_runs,
                                strict=True):
        for d in size.dims:
            parts = [_columns(perceptron(P, d, chi, SIZE_T, runs=runs, seed=settings.seed), runs) for P in sizes]
            table: dict[str, Any] = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
            found[chi, d] = SizeScan(chi=chi, d=d, P=np.array(sizes, float), **table)
            if progress is not None:
                progress(len(found), 3 * len(size.dims))
    return found


@cached
def perceptron_course(settings: Settings, *, progress: Progress = None) -> PerceptronRuns:
    """A few runs at the settings' chi, d, perceptron_P, perceptron_T and perceptron_alpha, with their traces."""
    return perceptron(
        settings.perceptron_P, settings.d, settings.chi, settings.perceptron_T, alpha=settings.perceptron_alpha,
        seed=settings.seed, runs=COURSE_RUNS, max_events=COURSE_EVENTS, trace=True, progress=progress,
    )
