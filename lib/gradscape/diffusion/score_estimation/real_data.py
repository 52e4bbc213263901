"""Experiments on images of digits, and samples from learned scores."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import tables
from gradscape.diffusion.score_estimation.experiments import fresh_truth, training_times
from gradscape.diffusion.score_estimation.kernel import KernelPath
from gradscape.diffusion.score_estimation.process import (
    TEST,
    Field,
    GaussianMixture,
    embed,
    make_regression,
    within_ball,
)
from gradscape.diffusion.score_estimation.sampling import reverse_sample, sliced_w1
from gradscape.diffusion.score_estimation.settings import Settings
from gradscape.diffusion.score_estimation.stopping import Holdout, holdout_stopping, rwy_stopping
from gradscape.lesson import generator, protocol, replicate_seed, seeds_of

Progress = Callable[[int, int], None]
SAMPLE_N, LONG = 300, 1e7  # training triples of the sampled scores, and the time of no stopping


def digit_components(d: int, train: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images of digits as d whitened principal components, training (train, d) and test rows; the components and
    their scales come from the training images alone."""
    images = tables.digits(scale="raw", dtype=torch.float64).x
    order = torch.randperm(len(images), generator=generator(seed, 7))
    known = images[order[:train]]
    center = known.mean(0)
    _, singular, V = torch.linalg.svd(known - center, full_matrices=False)
    scaled = (images[order] - center) @ V[:d].mT / singular[:d] * math.sqrt(train)
    return scaled[:train], scaled[train:]


@dataclass(frozen=True)
class DigitPath:
    """Losses per coordinate on test images at each training time (T,), and held-out training images'."""

    d: int
    times: Tensor
    losses: Tensor
    holdout: Holdout
    eigenvalues: Tensor

    @property
    def best(self) -> int:
        """Where the test loss is least."""
        return int(self.losses.argmin())

    @property
    def rule(self) -> int:
        """Where the eigenvalue rule stops, told the noise level of the held-out images."""
        return max(0, rwy_stopping(self.eigenvalues, self.holdout.sigma, self.times))


def digit_path(d: int, n: int, times: Tensor, seed: int, T0: float, T: float) -> DigitPath:
    """Kernel regression on n training images; the other images test it."""
    train, test = digit_components(d, n, seed)
    data = within_ball(make_regression(train, len(train), T0, T, seed), T)
    other = make_regression(test, len(test), T0, T, seed, TEST)
    path = KernelPath(embed(data.t, data.x, T), data.x0)
    losses = ((path.predict(embed(other.t, other.x, T), times) - other.x0) ** 2).mean((1, 2))
    return DigitPath(d, times, losses, holdout_stopping(data, times, seed=seed, T=T), path.eigenvalues)


@protocol
def digit_paths(settings: Settings, *, progress: Progress | None = None) -> list[DigitPath]:
    """Four and eight principal components (claim C7)."""
    size, seed = settings.size, replicate_seed(settings.seed, 0)
    times = training_times(size.times)
    return [digit_path(d, size.digits, times, seed, settings.T0, settings.T) for d in size.digit_dims]


@dataclass(frozen=True)
class Samples:
    """Samples (n, d) of two scores beside fresh data; sliced W1 to fresh data of each, and of fresh data to fresh data
    and of samples of the true score."""

    fresh: Tensor
    stopped: Tensor
    ended: Tensor
    stop: float
    distances: dict[str, float]


def learned_mean(path: KernelPath, time: float, T: float) -> Field:
    """The mean that kernel regression has learned at a training time."""
    return lambda t, x: path.predict(embed(t, x, T), time)


def sampled(
    mixture: GaussianMixture, path: KernelPath, stop: float, count: int, seed: int, T0: float, T: float,
    end: float = LONG,
) -> Samples:
    """Sample with the score of a path at two training times, from the same noise, and with the true score."""
    early, late = (reverse_sample(learned_mean(path, time, T), count, mixture.d, seed, T0=T0, T=T)
                   for time in (stop, end))
    true = reverse_sample(mixture.posterior_mean, count, mixture.d, seed, T0=T0, T=T)
    fresh, other = (mixture.draw(count, generator(seed, stream)) for stream in (10, 11))
    named = {"stopped": early, "ended": late, "true score": true, "fresh data": other}
    return Samples(fresh, early, late, stop, {name: sliced_w1(made, fresh, seed) for name, made in named.items()})


@protocol
def samples(settings: Settings, *, progress: Progress | None = None) -> list[Samples]:
    """Samples at the stop that is best for the error, and without stopping (claim C8)."""
    size, times, found = settings.size, training_times(settings.size.times), []
    for r, seed in enumerate(seeds_of(settings, size.sample_seeds)):
        mixture = settings.mixture(r)
        data = within_ball(make_regression(mixture, SAMPLE_N, settings.T0, settings.T, seed), settings.T)
        path = KernelPath(embed(data.t, data.x, settings.T), data.x0)
        truth = fresh_truth(mixture, size.test, seed, settings.T0, settings.T)
        best = int(truth.errors(path.predict(truth.Z, times)).argmin())
        found.append(sampled(mixture, path, float(times[best]), size.samples, seed, settings.T0, settings.T))
        if progress is not None:
            progress(r + 1, size.sample_seeds)
    return found

