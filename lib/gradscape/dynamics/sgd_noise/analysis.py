"""From runs to exponents, critical temperatures and stability edges."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gradscape.dynamics.sgd_noise.training import GridRuns
from gradscape.stats import powerlaw
from gradscape.validate import positive

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ScalingLaw:
    """``y ~ T^T_exp P^P_exp`` with standard errors (T, P); ``empty`` cells held a run that did not fit."""

    T_exp: float
    P_exp: float
    stderr: tuple[float, float]
    r2: float
    prefactor: float
    cells: int
    empty: int

    def __call__(self, T: ArrayLike, P: ArrayLike) -> Array:
        """The fitted law."""
        return self.prefactor * np.asarray(T, float) ** self.T_exp * np.asarray(P, float) ** self.P_exp


def fit_power(y: ArrayLike, P: ArrayLike, T: ArrayLike) -> ScalingLaw:
    """Fit ``y ~ T^x P^z`` to cell means of ln y; ``y`` is (P, T) or (P, T, replicates), NaN where a run did not fit.

    A cell with any NaN is left out whole, and counted. Raises ``ValueError`` when too few cells are left.
    """
    values = np.asarray(y, float)
    means = np.log(values.reshape(*values.shape[:2], -1)).mean(-1)
    full = np.isfinite(means)
    sizes, temperatures = np.meshgrid(np.asarray(P, float), np.asarray(T, float), indexing="ij")
    power = powerlaw.fit(np.column_stack([temperatures[full], sizes[full]]), np.exp(means[full]))
    return ScalingLaw(
        T_exp=float(power.exponents[0]), P_exp=float(power.exponents[1]),
        stderr=(float(power.stderr[0]), float(power.stderr[1])), r2=power.r2, prefactor=power.prefactor,
        cells=int(full.sum()), empty=int((~full).sum()),
    )


def critical_temperature(rel_change: ArrayLike, T: ArrayLike, threshold: float) -> Array:
    """Find T_c(P), where the relative weight change (P, T) first crosses ``threshold``, by log-log interpolation.

    ``T`` (K,) must increase. NaN where the change never crosses, or crosses before the first temperature.
    """
    positive("threshold", threshold)
    temperatures, change = np.log(np.asarray(T, float)), np.log(np.asarray(rel_change, float))
    if (np.diff(temperatures) <= 0).any():
        raise ValueError(f"T={np.asarray(T).tolist()}: must increase")
    found = np.full(len(change), math.nan)
    for row, line in enumerate(change):
        above = np.flatnonzero(line >= math.log(threshold))
        if len(above) and above[0] > 0:
            j = above[0]
            part = (math.log(threshold) - line[j - 1]) / (line[j] - line[j - 1])
            found[row] = math.exp(temperatures[j - 1] + part * (temperatures[j] - temperatures[j - 1]))
    return found


def stability_edge(fitted: Tensor, T: ArrayLike) -> Array:
    """Find T_max (A,), the largest T at which at least half of the seeds fit; ``fitted`` is boolean (A, T, S).

    NaN where no temperature does.
    """
    share = torch.as_tensor(fitted).double().mean(-1).numpy()
    temperatures = np.where(share >= 0.5, np.asarray(T, float), -math.inf).max(-1)
    return np.where(np.isfinite(temperatures), temperatures, math.nan)


def phase_diagram(runs: GridRuns, alphas: ArrayLike, Ts: ArrayLike) -> dict[str, Tensor]:
    """Mean over seeds in every (alpha, T) cell; runs must be a grid (A, T, S).

    Gives ``test_error``, ``rel_change``, ``t_star`` (NaN unless all seeds fitted) and the shares ``fitted`` and
    ``diverged``, each (A, T).
    """
    shape = (len(np.atleast_1d(alphas)), np.atleast_1d(Ts).shape[-1])
    if runs.fitted.dim() != 3 or tuple(runs.fitted.shape[:2]) != shape:
        raise ValueError(f"runs have shape {tuple(runs.fitted.shape)}: alphas and Ts need {(*shape, 'seeds')}")
    whole = runs.fitted.all(-1)
    reached = ("test_error", "rel_change", "t_star")
    cells = {name: getattr(runs, name).mean(-1).where(whole, torch.nan) for name in reached}
    return cells | {name: getattr(runs, name).double().mean(-1) for name in ("fitted", "diverged")}
