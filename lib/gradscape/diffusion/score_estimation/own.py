"""One training set at the settings' own values: its path, its stops, the learned field, and a network beside it."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.diffusion.score_estimation.experiments import LR, nearest, training_times
from gradscape.diffusion.score_estimation.kernel import KernelPath
from gradscape.diffusion.score_estimation.network import ScoreMLP, train_gd
from gradscape.diffusion.score_estimation.process import (
    TEST,
    GaussianMixture,
    ScoreData,
    embed,
    make_regression,
    score_from_mean,
    within_ball,
)
from gradscape.diffusion.score_estimation.real_data import digit_components
from gradscape.diffusion.score_estimation.settings import Settings
from gradscape.diffusion.score_estimation.stopping import (
    Holdout,
    holdout_stopping,
    rwy_stopping,
    stopping_sides,
)
from gradscape.lesson import Point, cached, replicate_seed

OWN_TEST = 500  # inputs on which errors are read
ARROWS, EXTENT = 6, 2.4  # of the field's grid: points a side, and half its width
NET_LIMIT = 200  # training triples of the network
STEPS = 200


@dataclass(frozen=True)
class TrainingSet:
    """A training set with its path: errors to the truth (T,), or to test labels where no truth is known."""

    mixture: GaussianMixture | None
    data: ScoreData
    test: Tensor  # network inputs on which errors are read
    labels: Tensor  # and their own X_0
    T: float
    path: KernelPath
    times: Tensor
    errors: Tensor
    holdout: Holdout
    sigma: float

    def rule(self, sigma: float = 0.0) -> int:
        """Where the rule stops for a noise level (0: the true one, or the held-out one)."""
        return max(0, rwy_stopping(self.path.eigenvalues, sigma or self.sigma, self.times))


@cached
def _training_set(settings: Settings) -> TrainingSet:
    seed, times, (T0, T) = replicate_seed(settings.seed, 0), training_times(81), (settings.T0, settings.T)
    mixture = settings.mixture() if settings.dataset == "mixture" else None
    train: GaussianMixture | Tensor
    if mixture is None:
        train, test = digit_components(settings.d, settings.n, seed)
        other = make_regression(test, OWN_TEST, T0, T, seed, TEST)
        target = other.x0
    else:
        train = mixture
        other = make_regression(mixture, OWN_TEST, T0, T, seed, TEST)
        target = mixture.posterior_mean(other.t, other.x)
    data = within_ball(make_regression(train, settings.n, T0, T, seed), T)
    path = KernelPath(embed(data.t, data.x, T), data.x0)
    inputs = embed(other.t, other.x, T)
    errors = ((path.predict(inputs, times) - target) ** 2).mean((1, 2))
    held = holdout_stopping(data, times, seed=seed, T=T)
    if mixture is None:
        sigma = held.sigma
    else:
        sigma = math.sqrt(float(mixture.posterior_cov_trace(data.t, data.x).mean()) / mixture.d)
    return TrainingSet(mixture, data, inputs, other.x0, T, path, times, errors, held, sigma)


def training_set(settings: Settings) -> TrainingSet:
    """The settings' training set, whatever they say of times to look at, noise levels and widths."""
    fixed = {name: Settings.model_fields[name].default for name in ("sigma", "e", "t", "width")}
    return _training_set(settings.replace(**fixed))


@dataclass(frozen=True)
class Field:
    """Arrows of learned and true scores (None without a truth) at grid points, each (P, 2), in the first two
    coordinates; the others are zero."""

    made: TrainingSet
    e: float
    t: float
    sigma: float
    points: Tensor
    learned: Tensor
    true: Tensor | None

    @property
    def gap(self) -> float:
        """Root mean square difference of both, over the true scores' own size; NaN without a truth."""
        if self.true is None:
            return math.nan
        return float(((self.learned - self.true) ** 2).mean().sqrt() / (self.true**2).mean().sqrt())


def field_at(made: TrainingSet, e: float, t: float, sigma: float = 0.0) -> Field:
    """The learned score after training time e, at process time t."""
    line = torch.linspace(-EXTENT, EXTENT, ARROWS, dtype=torch.float64)
    points = torch.cartesian_prod(line, line)
    x = torch.cat([points, torch.zeros(len(points), made.data.x.shape[1] - 2, dtype=torch.float64)], 1)
    learned = score_from_mean(made.path.predict(embed(t, x, made.T), e), t, x)[:, :2]
    true = None if made.mixture is None else made.mixture.score(t, x)[:, :2]
    return Field(made, e, t, sigma, points, learned, true)


def own_field(settings: Settings) -> Field:
    """The field at the settings' own values."""
    return field_at(training_set(settings), settings.e, settings.t, settings.sigma)


@dataclass(frozen=True)
class Rule:
    """Both sides of the stopping rule at each training time (T,)."""

    made: TrainingSet
    sigma: float
    e: float
    left: Tensor
    right: Tensor


def own_rule(settings: Settings) -> Rule:
    """The rule at the settings' noise level."""
    made = training_set(settings)
    sigma = settings.sigma or made.sigma
    return Rule(made, sigma, settings.e, *stopping_sides(made.path.eigenvalues, sigma, made.times))


@dataclass(frozen=True)
class NetworkRun:
    """A network's and the kernel's outputs on test inputs after some steps, (steps, n, d)."""

    width: int
    steps: tuple[int, ...]
    network: Tensor
    kernel: Tensor

    @property
    def gaps(self) -> Tensor:
        """Their RMS difference after each step."""
        return ((self.network - self.kernel) ** 2).mean((1, 2)).sqrt()


def network_run(settings: Settings, watch: Callable[[int, int], None] | None = None) -> NetworkRun:
    """Train one network on up to 200 triples of the settings' training set."""
    made = training_set(settings)
    data = made.data.rows(torch.arange(min(NET_LIMIT, len(made.data))))
    Z = embed(data.t, data.x, made.T)
    steps = (1, 2, 5, 10, 20, 50, 100, STEPS)
    width = settings.width + settings.width % 2
    found = train_gd(ScoreMLP(data.x.shape[1], width, settings.seed), Z, data.x0, LR, STEPS, steps, made.test, watch)
    kernel = KernelPath(Z, data.x0).discrete(made.test, LR, torch.tensor(steps))
    return NetworkRun(width, found.steps, found.outputs, kernel)


def point(settings: Settings) -> Point:
    """Errors at the training time e and at the stops of the settings' own training set."""
    made, field = training_set(settings), own_field(settings)
    rule, held, best = made.rule(settings.sigma), made.holdout.index, int(made.errors.argmin())
    return Point({
        "error_at_e": float(made.errors[nearest(made.times, settings.e)]), "error_rule": float(made.errors[rule]),
        "e_rule": float(made.times[rule]), "error_holdout": float(made.errors[held]),
        "e_holdout": float(made.times[held]), "error_best": float(made.errors[best]), "e_best": float(made.times[best]),
        "error_end": float(made.errors[-1]), "sigma": made.sigma, "field_gap": field.gap,
    })
