"""Experiments on networks: lazy scaling (N3), stability edge (N4), noise benefit (N5), batches (N6), phase diagram."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.dynamics.sgd_noise.analysis import (
    ScalingLaw,
    critical_temperature,
    fit_power,
    phase_diagram,
    stability_edge,
)
from gradscape.dynamics.sgd_noise.networks import MeanFieldMLP
from gradscape.dynamics.sgd_noise.settings import Settings
from gradscape.dynamics.sgd_noise.theory import predicted_k
from gradscape.dynamics.sgd_noise.training import GridRuns, train_grid
from gradscape.lesson import cached, generator, protocol, replicate_seed
from gradscape.stats import paired

Array = NDArray[np.float64]
Progress = Callable[[int, int], None] | None

WIDTH = 64
BATCH = 16
LAZY = 2.0**15  # output scale of the lazy regime
POOL, TEST = 1100, 697  # digits from which training subsets are drawn, and the rest
EDGE_LOG2 = -3.5  # log2 of the largest stable temperature at alpha = 1, from pilots at D = 1, 2, 3
CHANGE_AT_TC = 0.08  # relative weight change that marks T_c (N3)
CAP_PER_POINT = 80  # steps per training point after which a run is given up
EDGE_POINTS = 96
DEPTHS = (1, 2, 3)
LOWEST_EDGE = 2.0**-16
BATCHES = (4, 8, 16, 64, 256)
PHASE_STEPS = 4000


@lru_cache(maxsize=8)
def parity_data(dataset: str, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pool and test set with labels ±1 by the parity of the class: inputs, labels, test inputs, test labels."""
    from gradscape.datasets import fashion, parity, random_split, tables

    if dataset == "digits":
        x, y = tables.digits(scale="standard")
        pool, test = random_split(len(y), (POOL, TEST), generator(replicate_seed(seed, 0), 2))
        return x[pool], parity(y[pool]), x[test], parity(y[test])
    x, y = fashion.load("train", pool=2, flat=True, scale="standard")
    test_x, test_y = fashion.load("test", pool=2, flat=True, scale="standard")
    return x, parity(y), test_x, parity(test_y)


def run_cells(
    settings: Settings, cells: Sequence[tuple[float, float]], seeds: int, *, P: int, depth: int, act: str,
    max_steps: int, batch: int = BATCH, dataset: str = "digits", marks: Sequence[int] = (), progress: Progress = None,
) -> GridRuns:
    """Train ``seeds`` networks in each (alpha, T) cell, all in one stack; results are laid out (cells, seeds).

    Replicate r has its own initial weights, batches and training subset, the same in every cell: cells are paired.
    """
    x, y, test_x, test_y = (part.to(settings.device) for part in parity_data(dataset, settings.seed))
    members = [replicate_seed(settings.seed, r) for r in range(seeds)]
    orders = torch.stack([torch.randperm(len(x), generator=generator(member, 1)) for member in members])
    net = MeanFieldMLP(x.shape[1], WIDTH, depth, act)
    alpha, T = torch.tensor(cells, dtype=torch.float64).T
    runs = train_grid(
        x, y, test_x, test_y, net, alpha.repeat_interleave(seeds), T.repeat_interleave(seeds), members * len(cells),
        orders[:, :P].repeat(len(cells), 1), batch=batch, max_steps=max_steps, marks=marks, progress=progress,
    )
    return runs.view(len(cells), seeds)


def _fitted_only(runs: GridRuns, name: str) -> Array:
    return getattr(runs, name).where(runs.fitted, torch.nan).numpy()


@dataclass(frozen=True)
class LazyScaling:
    """Time and relative weight change (P, T, seeds) of lazy networks, NaN where a run did not fit."""

    P: Array
    T: Array
    t_star: Array
    rel_change: Array

    @property
    def time_law(self) -> ScalingLaw:
        """``t* ~ T P^b``."""
        return fit_power(self.t_star, self.P, self.T)

    @property
    def change_law(self) -> ScalingLaw:
        """``|w - w0|/|w0| ~ T^delta P^gamma``."""
        return fit_power(self.rel_change, self.P, self.T)

    @property
    def critical(self) -> Array:
        """T_c(P), where the mean relative change crosses 0.08."""
        return critical_temperature(self.rel_change.mean(2), self.T, CHANGE_AT_TC)


def lazy_scaling(settings: Settings, *, dataset: str = "digits", progress: Progress = None) -> LazyScaling:
    """N3: D = 1, relu, alpha = 2^15, B = 16; sizes P by temperatures 2^-12 … 2^-4."""
    return _lazy_scaling(settings.protocol, dataset, progress=progress)


@cached
def _lazy_scaling(settings: Settings, dataset: str, *, progress: Progress = None) -> LazyScaling:
    size = settings.size
    T = 2.0 ** np.arange(-12, -4 + 1e-9, 1 / size.lazy_per_octave)
    sizes = size.lazy_sizes if dataset == "digits" else size.fashion_sizes
    parts = []
    for P in sizes:
        parts.append(run_cells(settings, [(LAZY, float(t)) for t in T], size.lazy_seeds, P=P, depth=1, act="relu",
                               max_steps=CAP_PER_POINT * P, dataset=dataset))
        if progress is not None:
            progress(len(parts), len(sizes))
    table = {name: np.stack([_fitted_only(part, name) for part in parts]) for name in ("t_star", "rel_change")}
    return LazyScaling(P=np.array(sizes, float), T=T, **table)


@dataclass(frozen=True)
class Edges:
    """Largest stable temperature (D, A) for depths D and output scales alpha (A,)."""

    depths: tuple[int, ...]
    alpha: Array
    edge: Array

    @property
    def slopes(self) -> Array:
        """Exponent k of ``T_max ~ alpha^k`` at each depth; NaN where an edge was not found."""
        logs = np.log(self.edge)
        fits = [np.polyfit(np.log(self.alpha), row, 1)[0] if np.isfinite(row).all() else math.nan for row in logs]
        return np.array(fits)


@protocol
def stability_edges(settings: Settings, *, progress: Progress = None) -> Edges:
    """N4: on the fixed grid of half octaves, the largest T at which half of the seeds fit in time; gelu, P = 96."""
    alphas, rows = [2.0**-octaves for octaves in settings.size.edge_octaves], []
    for depth in DEPTHS:
        rows.append(_edges_of(settings, depth, alphas))
        if progress is not None:
            progress(len(rows), len(DEPTHS))
    return Edges(DEPTHS, np.array(alphas), np.stack(rows))


def _edges_of(settings: Settings, depth: int, alphas: Sequence[float]) -> Array:
    """Halve T from 1 until half of the seeds fit, then try half an octave above, for each alpha on its own."""
    edge = dict.fromkeys(alphas, math.nan)
    T, waiting = 1.0, list(alphas)
    while waiting and T >= LOWEST_EDGE:
        fits = _half_fit(settings, depth, [(alpha, T) for alpha in waiting])
        edge.update((alpha, T) for alpha, fit in zip(waiting, fits, strict=True) if fit)
        waiting, T = [alpha for alpha, fit in zip(waiting, fits, strict=True) if not fit], T / 2
    finer = [(alpha, math.sqrt(2) * T) for alpha, T in edge.items() if T < 1]
    fits = _half_fit(settings, depth, finer)
    edge.update(cell for cell, fit in zip(finer, fits, strict=True) if fit)
    return np.array([edge[alpha] for alpha in alphas])


def _half_fit(settings: Settings, depth: int, cells: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether at least half of the seeds fit in time, for each (alpha, T)."""
    if not cells:
        return []
    runs = run_cells(settings, cells, settings.size.edge_seeds, P=EDGE_POINTS, depth=depth, act="gelu",
                     max_steps=settings.size.edge_steps)
    return np.isfinite(stability_edge(runs.fitted.unsqueeze(1), [1.0])).tolist()


@dataclass(frozen=True)
class NoiseBenefit:
    """Test errors (regime, low/high T, seed) at output scales alpha and temperatures T (regime, 2)."""

    names: tuple[str, ...]
    alpha: Array
    T: Array
    error: Array
    fitted: Array

    def gain(self, regime: str) -> paired.Paired:
        """How much the error falls from the low to the high temperature, seed by seed."""
        low, high = self.error[self.names.index(regime)]
        return paired.compare(low, high)

    @property
    def feature_gain(self) -> paired.Paired:
        """How much it falls from lazy to alpha = 1 at the low temperature."""
        return paired.compare(self.error[self.names.index("lazy"), 0], self.error[self.names.index("balanced"), 0])


def edge_temperature(alpha: float, depth: int) -> float:
    """The largest stable temperature that theory predicts, ``2^-3.5 min(1, alpha^k)``, k = (D - 1)/(D + 1)."""
    return float(2.0**EDGE_LOG2 * min(1.0, alpha ** predicted_k(depth)))


@protocol
def noise_benefit(settings: Settings, *, progress: Progress = None) -> NoiseBenefit:
    """N5: D = 2, gelu, P = 128; each regime at a temperature near its edge and at a sixteenth of it, paired by seed."""
    names, alpha = ("feature", "balanced", "lazy"), (2.0**-10, 1.0, LAZY)
    high = np.array([edge_temperature(alpha[0], 2) / 2, edge_temperature(1.0, 2), edge_temperature(LAZY, 2)])
    T = np.stack([high / 16, high], 1)
    cells = [(a, float(t)) for a, row in zip(alpha, T, strict=True) for t in row]
    runs = run_cells(settings, cells, settings.size.paired_seeds, P=settings.size.paired_points, depth=2, act="gelu",
                     max_steps=CAP_PER_POINT * settings.size.paired_points, progress=progress)
    grid = runs.view(3, 2, settings.size.paired_seeds)
    return NoiseBenefit(names, np.array(alpha), T, grid.test_error.numpy(), grid.fitted.numpy())


@dataclass(frozen=True)
class LazyGain:
    """Test errors (2, seeds) of lazy relu networks at a low and a high temperature."""

    T: tuple[float, float]
    error: Array

    @property
    def gain(self) -> paired.Paired:
        """How much the error falls from the low to the high temperature, seed by seed."""
        return paired.compare(self.error[0], self.error[1])


@protocol
def lazy_gain(settings: Settings, *, progress: Progress = None) -> LazyGain:
    """The counter-example: with D = 1, relu and P = 512, lazy networks gain from noise."""
    T = (2.0**-8, 2.0**-4)
    runs = run_cells(settings, [(LAZY, t) for t in T], settings.size.lazy_paired_seeds, P=512, depth=1, act="relu",
                     max_steps=CAP_PER_POINT * 512, progress=progress)
    return LazyGain(T, runs.test_error.numpy())


@dataclass(frozen=True)
class BatchScan:
    """Time and relative weight change (B, seeds) at batch sizes B (K,) and one temperature."""

    batch: Array
    T: float
    t_star: Array
    rel_change: Array


@protocol
def batch_scan(settings: Settings, *, progress: Progress = None) -> BatchScan:
    """N6: T = 2^-7, P = 512, alpha = 2^15, D = 1, relu."""
    T, P, parts = 2.0**-7, settings.size.batch_points, []
    for batch in BATCHES:
        parts.append(run_cells(settings, [(LAZY, T)], settings.size.batch_seeds, P=P, depth=1, act="relu",
                               max_steps=CAP_PER_POINT * P, batch=batch))
        if progress is not None:
            progress(len(parts), len(BATCHES))
    table = {name: np.concatenate([_fitted_only(part, name) for part in parts]) for name in ("t_star", "rel_change")}
    return BatchScan(np.array(BATCHES, float), T, **table)


@dataclass(frozen=True)
class Phase:
    """Cell means (A, K) over seeds: alpha (A,), T (A, K) below the edge, learning curves (A, K, marks)."""

    dataset: str
    depth: int
    seeds: int
    alpha: Array
    T: Array
    cells: dict[str, Array]
    marks: Array
    curves: Array
    recorded: str = ""  # when and how, if it was not computed now


def phase(settings: Settings, *, depth: int = 2, dataset: str = "digits", progress: Progress = None) -> Phase:
    """Test error over output scale and temperature, five octaves below the predicted edge; gelu, P = 128."""
    return _phase(settings.protocol, depth, dataset, progress=progress)


@cached
def _phase(settings: Settings, depth: int, dataset: str, *, progress: Progress = None) -> Phase:
    size = settings.size
    alphas = 2.0 ** np.arange(-10, 10 + 1e-9, size.phase_step)
    below = 2.0 ** -np.arange(0, 5 + 1e-9, 1 / size.phase_per_octave)
    T = np.array([edge_temperature(alpha, depth) for alpha in alphas])[:, None] * below
    cells = list(product(range(len(alphas)), range(len(below))))
    marks = [4**k for k in range(int(math.log(PHASE_STEPS, 4)) + 1)]
    runs = run_cells(settings, [(float(alphas[a]), float(T[a, k])) for a, k in cells], size.phase_seeds, P=128,
                     depth=depth, act="gelu", max_steps=PHASE_STEPS, dataset=dataset, marks=marks, progress=progress)
    grid = runs.view(len(alphas), len(below), size.phase_seeds)
    table = {name: value.numpy() for name, value in phase_diagram(grid, alphas, T).items()}
    curves = grid.curve_error.mean(2).numpy()
    return Phase(dataset, depth, size.phase_seeds, alphas, T, table, np.array(marks, float), curves)


@cached
def run_point(settings: Settings, *, progress: Progress = None) -> GridRuns:
    """Networks at the settings' own T, alpha, P, depth, act, batch and dataset, with learning curves; (seeds,)."""
    cap = CAP_PER_POINT * settings.P
    marks = [2**k for k in range(int(math.log2(cap)) + 1)]
    return run_cells(settings, [(settings.alpha, settings.T)], settings.size.point_seeds, P=settings.P,
                     depth=settings.depth, act=settings.act, batch=settings.batch, max_steps=cap,
                     dataset=settings.dataset, marks=marks, progress=progress).view(-1)
