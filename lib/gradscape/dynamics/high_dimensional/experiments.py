"""The lesson's experiments: fixed protocols of the claims, and one task at the settings' own values."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import fashion
from gradscape.dynamics.high_dimensional.features import Curves, random_feature_curves, relu_teacher
from gradscape.dynamics.high_dimensional.settings import Settings
from gradscape.dynamics.high_dimensional.simulation import simulate
from gradscape.dynamics.high_dimensional.theory import (
    LinearTask,
    Ridge,
    Stop,
    generalization_error,
    optimal_ridge,
    optimal_stopping,
    training_error,
    weight_power,
)
from gradscape.dynamics.high_dimensional.two_layer import train_two_layer
from gradscape.lesson import Point, cached, protocol, seeds_of
from gradscape.numerics.rmt import mp_atom, mp_density, mp_quadrature
from gradscape.numerics.spectral import gain

Progress = Callable[[int, int], None]

SNR = 5.0  # of every linear protocol that does not vary it
LOADS = (0.25, 0.5, 1.0, 2.0, 4.0)
SPECTRUM_LOADS = (0.5, 1.0, 2.0)
LONG = 100.0  # training time at which overtraining is read
NODES = 512  # quadrature nodes that stay exact at alpha = 1 up to time 1e5
TIMES = 60
LABEL_NOISE = 0.15  # share of flipped image labels
NET_SNR, NET_INPUTS, NET_TEACHER, NET_LR = 2.0, 8, 20, 0.2
FEATURE_INPUTS, FEATURE_TEACHER = 15, 30


def time_grid(low: float, high: float, count: int = TIMES) -> Tensor:
    """``count`` times from ``low`` to ``high``, evenly spaced in their logarithm."""
    return torch.logspace(math.log10(low), math.log10(high), count, dtype=torch.float64)


def _with_limit(low: float, high: float) -> Tensor:
    """The same grid, and then the limit of infinite time."""
    return torch.cat([time_grid(low, high), torch.tensor([math.inf], dtype=torch.float64)])


@dataclass(frozen=True)
class LearningCurves:
    """Theory (A, T) and single runs (A, S, T) of the linear student at A loads; one drawn spectrum each (A', T)."""

    alphas: tuple[float, ...]
    times: Tensor
    theory_gen: Tensor
    theory_train: Tensor
    gen: Tensor
    train: Tensor
    spectrum_alphas: tuple[float, ...]
    spectrum_gen: Tensor
    eigenvalues: tuple[Tensor, ...]

    def theory_at(self, alpha: float) -> Tensor:
        """The theory's ``E_g`` at one of the loads, (T,)."""
        return self.theory_gen[self.alphas.index(alpha)]


@protocol
def learning_curves(settings: Settings, *, progress: Progress | None = None) -> LearningCurves:
    """Errors of the linear student over time at five loads, SNR 5, times up to 100 (Advani & Saxe, Fig. 2)."""
    size, times, seeds = settings.size, time_grid(1e-2, LONG), seeds_of(settings, settings.size.runs)
    tasks = [LinearTask.from_snr(alpha, SNR) for alpha in LOADS]
    runs = []
    for done, task in enumerate(tasks):
        runs.append(simulate(task, size.features, times, seeds))
        if progress is not None:
            progress(done + 1, len(tasks))
    single = [
        simulate(LinearTask.from_snr(alpha, SNR), size.spectrum, times, seeds[:1], average="teacher")
        for alpha in SPECTRUM_LOADS
    ]
    return LearningCurves(
        LOADS, times,
        torch.stack([generalization_error(task, times) for task in tasks]),
        torch.stack([training_error(task, times) for task in tasks]),
        torch.stack([run.gen for run in runs]), torch.stack([run.train for run in runs]),
        SPECTRUM_LOADS, torch.cat([run.gen for run in single]), tuple(run.eigenvalues[0] for run in single),
    )


@dataclass(frozen=True)
class OvertrainingMap:
    """``excess`` (A, T): what training on until each time adds to the least error so far; at ``LONG`` also the norm."""

    alphas: Tensor
    times: Tensor
    excess: Tensor
    at_long: Tensor
    power: Tensor


@protocol
def overtraining_map(settings: Settings, *, progress: Progress | None = None) -> OvertrainingMap:
    """Overtraining over load and time in theory, SNR 5 (Advani & Saxe, overtraining peaks at alpha = 1)."""
    alphas, times = torch.arange(2, 81, dtype=torch.float64) / 20, time_grid(0.1, 1e4, 101)
    curves, at_long, power = [], [], []
    for alpha in alphas.tolist():
        task = LinearTask.from_snr(alpha, SNR)
        curves.append(generalization_error(task, times, NODES))
        best = optimal_stopping(task)
        final = float(generalization_error(task, LONG, NODES))
        at_long.append(final - best.error if best.t < LONG else 0.0)
        power.append(float(weight_power(task, LONG, NODES)))
    errors = torch.stack(curves)
    excess = errors - errors.cummin(-1).values
    return OvertrainingMap(alphas, times, excess, torch.tensor(at_long), torch.tensor(power))


@dataclass(frozen=True)
class StoppingTimes:
    """Best stopping time (A, K) for K values of SNR, each twice the one before."""

    alphas: tuple[float, ...]
    snrs: Tensor
    t: Tensor

    @property
    def increments(self) -> Tensor:
        """What each doubling of SNR adds to the best time, (A, K - 1)."""
        return self.t.diff(dim=-1)


@protocol
def stopping_times(settings: Settings, *, progress: Progress | None = None) -> StoppingTimes:
    """Best stopping time for SNR 2⁰ … 2¹⁰ with and without an eigengap (Advani & Saxe, early stopping)."""
    alphas, snrs = (0.5, 1.0, 2.0), 2.0 ** torch.arange(11, dtype=torch.float64)
    t = [[optimal_stopping(LinearTask.from_snr(alpha, snr)).t for snr in snrs.tolist()] for alpha in alphas]
    return StoppingTimes(alphas, snrs, torch.tensor(t, dtype=torch.float64))


@dataclass(frozen=True)
class RidgeComparison:
    """Least error of early stopping and of ridge regression, (S, A)."""

    snrs: tuple[float, ...]
    alphas: tuple[float, ...]
    stopped: Tensor
    ridge: Tensor

    @property
    def ratio(self) -> Tensor:
        """Early stopping over optimal ridge, (S, A); never below 1."""
        return self.stopped / self.ridge


@protocol
def ridge_comparison(settings: Settings, *, progress: Progress | None = None) -> RidgeComparison:
    """Early stopping beside the optimal L2 penalty over SNR and load, in theory (Advani & Saxe, L2)."""
    snrs, alphas = (0.1, 0.5, 1.0, 5.0, 20.0, 100.0, 1000.0), (0.1, 0.25, 0.5, 0.9, 1.0, 1.1, 2.0, 4.0, 10.0)
    tasks = [[LinearTask.from_snr(alpha, snr) for alpha in alphas] for snr in snrs]
    stopped = [[optimal_stopping(task).error for task in row] for row in tasks]
    ridge = [[optimal_ridge(task).error for task in row] for row in tasks]
    return RidgeComparison(snrs, alphas, torch.tensor(stopped), torch.tensor(ridge))


@dataclass(frozen=True)
class InitialWeights:
    """``E_g`` with small and large initial weights: theory (A, I, T) and runs (A, I, S, T)."""

    alphas: tuple[float, ...]
    inrs: tuple[float, ...]
    times: Tensor
    theory: Tensor
    gen: Tensor

    @property
    def rise(self) -> Tensor:
        """What the large initial weights add to the mean final error at each load, (A,)."""
        final = self.gen[..., -1].mean(-1)
        return final[:, 1] - final[:, 0]


@protocol
def initial_weights(settings: Settings, *, progress: Progress | None = None) -> InitialWeights:
    """INR 0 and 5 below and above alpha = 1, trained until t = 50 (Advani & Saxe, frozen subspace)."""
    size, alphas, inrs, times = settings.size, (0.5, 4.0), (0.0, 5.0), time_grid(1e-2, 50.0)
    tasks = [[LinearTask.from_snr(alpha, SNR, inr) for inr in inrs] for alpha in alphas]
    seeds = seeds_of(settings, size.runs)
    gen = torch.stack([
        torch.stack([simulate(task, size.features, times, seeds).gen for task in row]) for row in tasks
    ])
    theory = torch.stack([torch.stack([generalization_error(task, times) for task in row]) for row in tasks])
    return InitialWeights(alphas, inrs, times, theory, gen)


@protocol
def feature_students(settings: Settings, *, progress: Progress | None = None) -> Curves:
    """ReLU teacher, fixed random first layer, SNR 5: errors for each width (Advani & Saxe, nonlinear networks)."""
    size = settings.size
    data = relu_teacher(FEATURE_INPUTS, FEATURE_TEACHER, size.feature_examples, size.test_points, SNR,
                        seeds_of(settings, size.feature_sets))
    return random_feature_curves(data.x, data.y, data.x_test, data.y_test, size.feature_widths, _with_limit(0.1, 1e6),
                                 data.seeds, progress=progress)


@protocol
def image_students(settings: Settings, *, progress: Progress | None = None) -> Curves:
    """Parity of the class of Fashion-MNIST images with flipped labels, random ReLU features (claim H7)."""
    size, seeds = settings.size, seeds_of(settings, settings.size.image_sets)
    images, labels = fashion.load("train", pool=2, flat=True, dtype=torch.float64)
    new, new_labels = fashion.load("test", n=size.test_points, pool=2, flat=True, dtype=torch.float64)
    x, y = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(images), generator=generator)[: size.image_examples]
        flipped = torch.rand(len(chosen), generator=generator) < LABEL_NOISE
        x.append(images[chosen])
        y.append(torch.where(flipped, -1.0, 1.0) * parity(labels[chosen]))
    return random_feature_curves(
        torch.stack(x), torch.stack(y), new.expand(len(seeds), -1, -1), parity(new_labels).expand(len(seeds), -1),
        size.image_widths, _with_limit(0.1, 1e7), seeds, progress=progress,
    )


def parity(labels: Tensor) -> Tensor:
    """+1 for even classes, -1 for odd ones, float64."""
    return 1.0 - 2.0 * (labels % 2).double()


@protocol
def two_layer_students(settings: Settings, *, progress: Progress | None = None) -> Curves:
    """Both layers trained, SNR 2, all widths and data sets in one stack (Advani & Saxe, nonlinear networks)."""
    return two_layer_at(settings, NET_SNR, settings.size.net_examples, settings.size.net_steps, progress=progress)


@cached
def two_layer_at(
    settings: Settings, snr: float, examples: int, steps: int, *, progress: Progress | None = None
) -> Curves:
    """The same with other noise, another number of examples, or trained for longer."""
    size = settings.size
    data = relu_teacher(NET_INPUTS, NET_TEACHER, examples, size.test_points, snr, seeds_of(settings, size.net_sets))
    return train_two_layer(data, size.net_widths, steps, NET_LR, progress=progress)


@dataclass(frozen=True)
class TaskResult:
    """One linear task over time: theory (T,), its best stop and ridge, and simulated runs (S, T)."""

    task: LinearTask
    times: Tensor
    gen: Tensor
    train: Tensor
    stop: Stop
    ridge: Ridge
    runs_gen: Tensor
    runs_train: Tensor
    n_features: int


@dataclass(frozen=True)
class Spectrum:
    """The continuous part of the spectrum at K eigenvalues, and how much of each mode is learned by time ``t``."""

    alpha: float
    t: float
    lam: Tensor
    density: Tensor
    learned: Tensor
    atom: float

    @property
    def learned_share(self) -> float:
        """Share of all weight directions learned by time ``t``: the integral of gain over the spectrum."""
        lam, weight = mp_quadrature(self.alpha)
        return float(gain(lam, self.t) @ weight)


def spectrum_at(alpha: float, t: float) -> Spectrum:
    """Marchenko–Pastur density and the share ``1 - e^{-λt}`` of it that is learned (Advani & Saxe, frozen subspace)."""
    lam, _ = mp_quadrature(alpha, 80)
    return Spectrum(alpha, t, lam, mp_density(lam, alpha), gain(lam, t), mp_atom(alpha))


@cached
def one_task(settings: Settings, runs: int | None = None, *, progress: Progress | None = None) -> TaskResult:
    """The linear task at the settings' own values: theory, early stopping, ridge, and simulated students beside them.

    ``runs``: how many students are simulated (default: the size ``overlay``; 0 for theory alone).
    """
    task, times = settings.task, time_grid(1e-2, settings.T_max)
    seeds = seeds_of(settings, settings.size.overlay if runs is None else runs)
    gen = train = torch.empty(0, len(times), dtype=torch.float64)
    if seeds:
        simulated = simulate(task, settings.n_features, times, seeds, progress=progress)
        gen, train = simulated.gen, simulated.train
    return TaskResult(
        task, times, generalization_error(task, times, NODES), training_error(task, times, NODES),
        optimal_stopping(task), optimal_ridge(task), gen, train, settings.n_features,
    )


def point(settings: Settings) -> Point:
    """Errors of the linear task at the settings' values: at the end, at best, under ridge, and as simulated."""
    result = one_task(settings)
    final = float(result.gen[-1])
    best = result.stop.error if result.stop.t < settings.T_max else final
    return Point({
        "error_end": final,
        "training_error_end": float(result.train[-1]),
        "simulated_error_end": float(result.runs_gen[:, -1].median()),
        "t_opt": result.stop.t,
        "error_best": result.stop.error,
        "overtraining": final - best,
        "error_ridge": result.ridge.error,
        "weight_power_end": float(weight_power(result.task, settings.T_max, NODES)),
    })
