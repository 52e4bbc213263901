"""The lesson's experiments: fixed protocols of the claims, and one training set at the settings' own values."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.diffusion.score_estimation.kernel import KernelPath, bias_variance
from gradscape.diffusion.score_estimation.network import ScoreMLP, train_gd
from gradscape.diffusion.score_estimation.process import (
    TEST,
    GaussianMixture,
    ScoreData,
    embed,
    make_regression,
    mean_from_score,
    within_ball,
)
from gradscape.diffusion.score_estimation.settings import Settings
from gradscape.diffusion.score_estimation.stopping import holdout_stopping, rwy_stopping
from gradscape.lesson import generator, protocol, replicate_seed, seeds_of
from gradscape.stats import powerlaw

Progress = Callable[[int, int], None]

FIRST, LAST = 0.1, 1e7  # training times
LR = 0.5  # step size of the networks
NET_N, NET_TEST, NET_STEPS = 200, 500, (2, 20, 200)  # their training and test inputs, and the steps compared
LOOKS = (5.0, 200.0, 1e7)  # training times at which predicted and measured errors are compared
REDRAW_N = 200  # training inputs of that comparison


def training_times(count: int) -> Tensor:
    """``count`` training times from 0.1 to 1e7, evenly spaced in their logarithm."""
    return torch.logspace(math.log10(FIRST), math.log10(LAST), count, dtype=torch.float64)


def nearest(times: Tensor, time: float) -> int:
    """Index of the training time nearest to ``time`` in the logarithm."""
    return int((times.log() - math.log(time)).abs().argmin())


@dataclass(frozen=True)
class Truth:
    """Fresh inputs of a mixture with the true mean there."""

    data: ScoreData
    Z: Tensor
    mean: Tensor

    def errors(self, predicted: Tensor) -> Tensor:
        """Mean squared error per coordinate of predictions (T, n, d), (T,)."""
        return ((predicted - self.mean) ** 2).mean((-2, -1))


def fresh_truth(mixture: GaussianMixture, n: int, seed: int, T0: float, T: float) -> Truth:
    """Inputs from a stream that no training set draws from."""
    data = make_regression(mixture, n, T0, T, seed, TEST)
    return Truth(data, embed(data.t, data.x, T), mixture.posterior_mean(data.t, data.x))


@dataclass(frozen=True)
class PathErrors:
    """One training set: true errors (T,) of the mean (``errors``) and of the mean that a learned score implies
    (``direct``), held-out losses (T,), eigenvalues (n,), and the noise level."""

    times: Tensor
    errors: Tensor
    direct: Tensor
    losses: Tensor
    eigenvalues: Tensor
    sigma: float
    dropped: int

    @property
    def best(self) -> int:
        """Where the true error is least."""
        return int(self.errors.argmin())

    @property
    def holdout(self) -> int:
        """Where the held-out loss is least."""
        return int(self.losses.argmin())

    @property
    def rule(self) -> int:
        """Where the eigenvalue rule stops, told the true noise level."""
        return self.stop(self.sigma)

    @property
    def blind_rule(self) -> int:
        """Where it stops, told the noise level of the held-out loss."""
        return self.stop(math.sqrt(float(self.losses.min())))

    def stop(self, sigma: float) -> int:
        """Where the rule stops for a noise level; at the first time if that is too late already."""
        return max(0, rwy_stopping(self.eigenvalues, sigma, self.times))


def path_errors(
    mixture: GaussianMixture, n: int, test: int, times: Tensor, seed: int, T0: float, T: float
) -> PathErrors:
    """Kernel regression on labels X_0, and on raw score labels, from one eigendecomposition; and held-out losses."""
    drawn = make_regression(mixture, n, T0, T, seed)
    data = within_ball(drawn, T)
    truth = fresh_truth(mixture, test, seed, T0, T)
    path = KernelPath(embed(data.t, data.x, T), torch.cat([data.x0, data.score_labels], 1))
    mean, score = path.predict(truth.Z, times).split(mixture.d, 2)
    implied = torch.stack([mean_from_score(s, truth.data.t, truth.data.x) for s in score])
    sigma = math.sqrt(float(mixture.posterior_cov_trace(data.t, data.x).mean()) / mixture.d)
    held = holdout_stopping(data, times, seed=seed, T=T)
    return PathErrors(times, truth.errors(mean), truth.errors(implied), held.losses, path.eigenvalues, sigma,
                      len(drawn) - len(data))


@protocol
def paths(settings: Settings, *, progress: Progress | None = None) -> list[PathErrors]:
    """One path for each seed, each on a mixture of its own (claims C3, C4, C6)."""
    size, found = settings.size, []
    times = training_times(size.times)
    for r, seed in enumerate(seeds_of(settings, size.seeds)):
        found.append(path_errors(settings.mixture(r), size.n, size.test, times, seed, settings.T0, settings.T))
        if progress is not None:
            progress(r + 1, size.seeds)
    return found


@dataclass(frozen=True)
class Widths:
    """RMS difference of network and kernel on test inputs, (widths, seeds, steps), and of the kernel's own outputs."""

    widths: tuple[int, ...]
    steps: tuple[int, ...]
    gaps: Tensor
    size: Tensor


@protocol
def networks(settings: Settings, *, progress: Progress | None = None) -> Widths:
    """Trained networks beside the discrete kernel path, on 200 triples (claim C2)."""
    size = settings.size
    gaps = torch.zeros(len(size.widths), size.width_seeds, len(NET_STEPS), dtype=torch.float64)
    level = torch.zeros(size.width_seeds, len(NET_STEPS), dtype=torch.float64)
    for r, seed in enumerate(seeds_of(settings, size.width_seeds)):
        mixture = settings.mixture(r)
        data = within_ball(make_regression(mixture, NET_N, settings.T0, settings.T, seed), settings.T)
        Z, truth = embed(data.t, data.x, settings.T), fresh_truth(mixture, NET_TEST, seed, settings.T0, settings.T)
        kernel = KernelPath(Z, data.x0).discrete(truth.Z, LR, torch.tensor(NET_STEPS))
        level[r] = (kernel**2).mean((1, 2)).sqrt()
        for w, width in enumerate(size.widths):
            net = ScoreMLP(mixture.d, width, seed)
            found = train_gd(net, Z, data.x0, LR, max(NET_STEPS), NET_STEPS, truth.Z)
            gaps[w, r] = ((found.outputs - kernel) ** 2).mean((1, 2)).sqrt()
        if progress is not None:
            progress(r + 1, size.width_seeds)
    return Widths(size.widths, NET_STEPS, gaps, level)


@dataclass(frozen=True)
class LearningCurve:
    """Least true errors (dims, sizes, seeds)."""

    dims: tuple[int, ...]
    sizes: tuple[int, ...]
    best: Tensor

    @property
    def medians(self) -> Tensor:
        """Medians over seeds, (dims, sizes)."""
        return self.best.median(2).values

    @property
    def slopes(self) -> list[float]:
        """The exponent of n in each dimension, fitted to the medians."""
        return [float(powerlaw.fit(self.sizes, row).exponents[0]) for row in self.medians]


@protocol
def learning_curve(settings: Settings, *, progress: Progress | None = None) -> LearningCurve:
    """The least error on the path for growing training sets (claim C5)."""
    size, times = settings.size, training_times(settings.size.times)
    best = torch.zeros(len(size.curve_dims), len(size.curve_sizes), size.curve_seeds, dtype=torch.float64)
    for i, d in enumerate(size.curve_dims):
        for r, seed in enumerate(seeds_of(settings, size.curve_seeds)):
            mixture = settings.replace(d=d).mixture(r)
            truth = fresh_truth(mixture, size.test, seed, settings.T0, settings.T)
            for k, n in enumerate(size.curve_sizes):
                data = within_ball(make_regression(mixture, n, settings.T0, settings.T, seed), settings.T)
                path = KernelPath(embed(data.t, data.x, settings.T), data.x0)
                best[i, k, r] = truth.errors(path.predict(truth.Z, times)).min()
            if progress is not None:
                progress(i * size.curve_seeds + r + 1, len(size.curve_dims) * size.curve_seeds)
    return LearningCurve(size.curve_dims, size.curve_sizes, best)


@dataclass(frozen=True)
class Decomposition:
    """Squared bias and variance by formula (T,), and errors measured with redrawn labels (T, redraws)."""

    times: Tensor
    bias2: Tensor
    variance: Tensor
    measured: Tensor


@protocol
def decomposition(settings: Settings, *, progress: Progress | None = None) -> Decomposition:
    """Labels redrawn given the inputs, all in one path: the times of claim C9, then the figure's."""
    size, seed, mixture = settings.size, replicate_seed(settings.seed, 0), settings.mixture(0)
    data = within_ball(make_regression(mixture, REDRAW_N, settings.T0, settings.T, seed), settings.T)
    truth = fresh_truth(mixture, NET_TEST, seed, settings.T0, settings.T)
    times = torch.cat([torch.tensor(LOOKS, dtype=torch.float64), training_times(25)])
    Z, draws = embed(data.t, data.x, settings.T), generator(seed, 2)
    mean, trace = mixture.posterior_mean(data.t, data.x), mixture.posterior_cov_trace(data.t, data.x)
    bias2, variance = bias_variance(Z, truth.Z, mean, truth.mean, trace, times)
    labels = torch.stack([mixture.redraw(data.t, data.x, draws) for _ in range(size.redraws)], 2).flatten(1)
    outputs = KernelPath(Z, labels).predict(truth.Z, times).unflatten(2, (mixture.d, size.redraws))
    return Decomposition(times, bias2, variance, ((outputs - truth.mean[..., None]) ** 2).mean((1, 2)))
