"""The lesson's experiments: fixed protocols of the claims, and one teacher at the settings' own values."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gradscape.dynamics.bayes_optimal.descent import nishimori, quadratic_gd
from gradscape.dynamics.bayes_optimal.gamp import gamp_rie
from gradscape.dynamics.bayes_optimal.model import QuadraticTask, least_squares, teacher
from gradscape.dynamics.bayes_optimal.settings import Settings
from gradscape.dynamics.bayes_optimal.theory import (
    Array,
    mmse,
    mmse_curve,
    overlap,
    recovery_threshold,
    spectral_density,
    state_evolution,
    support,
)
from gradscape.lesson import Point, cached, replicate_seed, seeds_of

Progress = Callable[[int, int], None]

KAPPAS = (0.1, 0.3, 0.5, 1.0, 5.0)  # of the static curves
MAP_KAPPAS, MAP_ALPHAS = np.geomspace(0.05, 5.0, 60), np.linspace(0.01, 0.6, 60)
CURVE_ALPHAS = np.linspace(0.005, 0.6, 120)
GAMP_CELLS = ((0.5, 0.0, 0.2), (0.5, 0.0, 0.3), (0.5, 0.25, 0.4), (1.0, 0.0, 0.25))  # (κ, Δ, α) of claim C2
EXTRA_CELLS = ((0.5, 0.0, 0.1), (0.5, 0.0, 0.4), (0.5, 0.0, 0.5), (0.5, 0.25, 0.2), (0.5, 0.25, 0.6))
LEAST_SQUARES_CELLS = GAMP_CELLS[:2]
GD_KAPPA, GD_LOADS, SCALING_LOAD = 0.5, (0.1, 0.2), 0.1
NOISE, NOISE_LOAD = 0.25, 0.2  # of claim C6
LARGEST_SHOWN_Q = 1e4  # exact recovery is q = ∞: the spectrum is then shown as seen in hardly any noise


# ---- GAMP-RIE and least squares --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GampCell:
    """GAMP-RIE at one (κ, Δ, α): optimal error, errors (S,) and errors per round (S, T), beside state evolution."""

    kappa: float
    delta: float
    alpha: float
    d: int
    theory: float
    errors: Tensor
    history: Tensor
    predicted: Array

    @property
    def ratio(self) -> Tensor:
        """Error of each run over the optimal one, (S,)."""
        return self.errors / self.theory


@cached
def gamp_cell(
    settings: Settings, kappa: float, delta: float, alpha: float, seeds: int, d: int, rounds: int,
    *, progress: Progress | None = None,
) -> GampCell:
    """GAMP-RIE on ``seeds`` replicates of one teacher; all start at Ŝ = I and run with the same damping."""
    errors, curves = [], []
    for done, seed in enumerate(seeds_of(settings, seeds)):
        task = teacher(d, kappa, alpha, delta, seed)

        def report(number: int, estimate: Tensor, done: int = done) -> None:
            if progress is not None:
                progress(done * rounds + number, seeds * rounds)

        run = gamp_rie(task, rounds, callback=report)
        errors.append(run.error)
        held = run.history[-1].expand(rounds - len(run.history))  # a converged run stays where it is
        curves.append(torch.cat([run.history, held]))
    return GampCell(
        kappa, delta, alpha, d, mmse(alpha, kappa, delta), torch.tensor(errors, dtype=torch.float64),
        torch.stack(curves), state_evolution(alpha, kappa, delta, rounds, damping=0.5)[1:],
    )


def gamp_study(settings: Settings) -> list[GampCell]:
    """The four cells of claim C2 (Maillard et al., GAMP-RIE beside the optimal error)."""
    size, fixed = settings.size, settings.protocol
    return [gamp_cell(fixed, *cell, size.gamp_seeds, size.gamp_d, size.gamp_rounds) for cell in GAMP_CELLS]


def gamp_extra(settings: Settings) -> list[GampCell]:
    """Further loads, which no claim needs."""
    size, fixed = settings.size, settings.protocol
    return [gamp_cell(fixed, *cell, size.extra_seeds, size.gamp_d, size.gamp_rounds) for cell in EXTRA_CELLS]


@cached
def _least_squares_errors(settings: Settings, kappa: float, delta: float, alpha: float) -> Tensor:
    """Errors of least squares on the very tasks that GAMP-RIE learned, (S,)."""
    size, errors = settings.size, []
    for seed in seeds_of(settings, size.gamp_seeds):
        task = teacher(size.gamp_d, kappa, alpha, delta, seed)
        errors.append(task.error(least_squares(task)))
    return torch.stack(errors)


def least_squares_study(settings: Settings) -> list[Tensor]:
    """Errors (S,) of least squares at the two cells of claim C3."""
    return [_least_squares_errors(settings.protocol, *cell) for cell in LEAST_SQUARES_CELLS]


# ---- gradient descent ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DescentCell:
    """Gradient descent at one (κ, Δ, α): one :func:`nishimori` dictionary per replicate, beside the optimal error."""

    kappa: float
    delta: float
    alpha: float
    d: int
    starts: int
    theory: float
    runs: tuple[dict[str, float], ...]

    def values(self, name: str) -> Tensor:
        """One entry of all replicates, (S,)."""
        return torch.tensor([run[name] for run in self.runs], dtype=torch.float64)


@cached
def _descent(
    settings: Settings, kappa: float, delta: float, alpha: float, d: int, replicate: int
) -> dict[str, float]:
    size, seed = settings.size, replicate_seed(settings.seed, replicate)
    task = teacher(d, kappa, alpha, delta, seed)
    return nishimori(quadratic_gd(task, size.starts, size.steps, seed=seed), task.S, task.kappa)


def descent_cell(settings: Settings, delta: float, alpha: float, d: int, seeds: int) -> DescentCell:
    """Averages over starts for ``seeds`` replicates at κ = ½ (Maillard et al., averaged gradient descent)."""
    fixed = settings.protocol
    runs = tuple(_descent(fixed, GD_KAPPA, delta, alpha, d, replicate) for replicate in range(seeds))
    return DescentCell(GD_KAPPA, delta, alpha, d, fixed.size.starts, mmse(alpha, GD_KAPPA, delta), runs)


def descent_study(settings: Settings) -> list[DescentCell]:
    """Noiseless gradient descent at both loads (claim C4)."""
    size = settings.size
    return [descent_cell(settings, 0.0, alpha, size.gd_d, size.gd_seeds) for alpha in GD_LOADS]


def noisy_descent(settings: Settings) -> DescentCell:
    """The same with noise inside the neurons (claim C6)."""
    return descent_cell(settings, NOISE, NOISE_LOAD, settings.size.gd_d, settings.size.gd_seeds)


def descent_scaling(settings: Settings) -> list[DescentCell]:
    """Noiseless gradient descent for growing d (claim C5)."""
    size = settings.size
    return [descent_cell(settings, 0.0, SCALING_LOAD, d, size.scaling_seeds) for d in size.scaling_d]


# ---- theory at any values --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Optimum:
    """The optimal error over α at one (κ, Δ), and at one α."""

    kappa: float
    delta: float
    alpha: float
    alphas: Array
    errors: Array
    noiseless: Array
    error: float
    threshold: float


def optimum_at(kappa: float, delta: float, alpha: float) -> Optimum:
    """The curve over α and the point on it (Maillard et al., scalar equation)."""
    alphas, noiseless = mmse_curve(kappa, 0.0, CURVE_ALPHAS)
    errors = mmse_curve(kappa, delta, CURVE_ALPHAS)[1] if delta > 0 else noiseless
    return Optimum(kappa, delta, alpha, alphas, errors, noiseless, mmse(alpha, kappa, delta),
                   recovery_threshold(kappa))


@cached
def optimum_curves(settings: Settings) -> list[Optimum]:
    """Curves for the static figure, without noise."""
    return [optimum_at(kappa, 0.0, settings.alpha) for kappa in KAPPAS]


@dataclass(frozen=True)
class Spectrum:
    """Density of ``Y = S + Z/√q`` at ``x`` and what the estimator makes of an eigenvalue; ``drawn`` ones if any."""

    kappa: float
    q: float
    x: Array
    density: Array
    shrunk: Array
    edges: Array
    drawn: Array
    d: int


def spectrum_at(kappa: float, q: float, drawn: Array | None = None, d: int = 0) -> Spectrum:
    """The spectrum that the estimator sees, at conjugate overlap q (Maillard et al., RIE)."""
    edges = support(kappa, q)
    width = float(edges[-1] - edges[0])
    parts = [np.linspace(low, high, 90) for low, high in edges.reshape(-1, 2)]  # no point of a curve in a gap is lost
    outside = [edges[0] - 0.05 * width, edges[-1] + 0.05 * width]
    x = np.sort(np.concatenate([*parts, outside]))
    h, density = spectral_density(x, kappa, q)
    return Spectrum(kappa, q, x, density, x - 2 * h / q, edges, np.empty(0) if drawn is None else drawn, d)


def spectrum_of(settings: Settings) -> Spectrum:
    """The spectrum at the settings' values, at the overlap that the labels buy."""
    return spectrum_at(settings.kappa, min(overlap(settings.alpha, settings.kappa, settings.delta), LARGEST_SHOWN_Q))


@cached
def drawn_spectrum(settings: Settings) -> Spectrum:
    """The same with the eigenvalues of one drawn matrix, at κ = ½ and the q of α = 0.3."""
    d, kappa = settings.size.spectrum_d, 0.5
    q = overlap(0.3, kappa)
    draws = torch.Generator().manual_seed(replicate_seed(settings.seed, 0))
    W = torch.randn(round(kappa * d), d, generator=draws, dtype=torch.float64)
    Z = goe(d, draws)
    lam = torch.linalg.eigvalsh(W.T @ W / len(W) + Z / math.sqrt(q))
    return spectrum_at(kappa, q, lam.numpy(), d)


def goe(d: int, generator: torch.Generator) -> Tensor:
    """A symmetric Gaussian matrix (d, d), entries of variance ``(1 + δ_ij)/d``: its semicircle has variance 1."""
    G = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return (G + G.T) / math.sqrt(2 * d)


@dataclass(frozen=True)
class PhaseMap:
    """Optimal error (K, A) over κ and α, and the recovery threshold (K,) without noise."""

    delta: float
    kappas: Array
    alphas: Array
    errors: Array
    thresholds: Array


@cached
def phase_map(delta: float) -> PhaseMap:
    """The whole plane from sixty explicit curves (Maillard et al., scalar equation)."""
    errors = [mmse_curve(float(kappa), delta, MAP_ALPHAS, n=100)[1] for kappa in MAP_KAPPAS]
    return PhaseMap(delta, MAP_KAPPAS, MAP_ALPHAS, np.stack(errors),
                    np.array([recovery_threshold(float(kappa)) for kappa in MAP_KAPPAS]))


# ---- one teacher at the settings' own values -------------------------------------------------------------------------


@dataclass(frozen=True)
class DescentRun:
    """Gradient descent on one teacher: the optimal error, the dictionary, and errors of the mean of 1 … B solutions."""

    task_alpha: float
    kappa: float
    delta: float
    d: int
    theory: float
    summary: dict[str, float]
    counts: Array
    averaged: Array


@cached
def own_descent(settings: Settings, *, progress: Progress | None = None) -> DescentRun:
    """Gradient descent from B starts at the settings' values."""
    task = own_task(settings)
    found = quadratic_gd(task, settings.starts, settings.size.steps, seed=seeds_of(settings, 1)[0], progress=progress)
    counts = np.arange(1.0, settings.starts + 1)
    means = found.cumsum(0) / torch.arange(1, len(found) + 1, dtype=torch.float64)[:, None, None]
    return DescentRun(settings.alpha, settings.kappa, settings.delta, task.d, own_theory(settings),
                      nishimori(found, task.S, task.kappa), counts, task.error(means).numpy())


def own_task(settings: Settings) -> QuadraticTask:
    """The teacher at the settings' values."""
    return teacher(settings.d, settings.kappa, settings.alpha, settings.delta, seeds_of(settings, 1)[0])


def own_theory(settings: Settings) -> float:
    """Optimal error at the settings' values."""
    return mmse(settings.alpha, settings.kappa, settings.delta)


def own_gamp(settings: Settings, *, progress: Progress | None = None) -> GampCell:
    """GAMP-RIE at the settings' values, one run."""
    return gamp_cell(settings, settings.kappa, settings.delta, settings.alpha, 1, settings.d,
                     settings.size.gamp_rounds, progress=progress)


def point(settings: Settings) -> Point:
    """At the settings' values: the optimum, what GAMP-RIE reaches, and what gradient descent and averages of it do."""
    descent = own_descent(settings).summary
    return Point({
        "optimal_error": own_theory(settings),
        "recovery_threshold": recovery_threshold(settings.kappa),
        "gamp_error": float(own_gamp(settings).errors[0]),
        "gd_error": descent["single"],
        "gd_averaged_error": descent["averaged"],
        "gd_infinite_average": descent["infinite"],
        "nishimori_ratio": descent["ratio"],
    })
