"""One generator at the settings' own values: its samples, its errors, its tails."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.diffusion.concentration import experiments as ex
from gradscape.diffusion.concentration.classifiers import class_moments, sample_gmm
from gradscape.diffusion.concentration.images import (
    Images,
    generated,
    local_stretch,
    plan_of,
    trained,
)
from gradscape.diffusion.concentration.prediction import predict_error
from gradscape.diffusion.concentration.settings import Settings
from gradscape.lesson import Point, cached, generator, replicate_seed

DRAWS, QUICK_DRAWS = 5, 20_000  # simulated sets of each source; Gaussian scores behind each predicted error
SAMPLER_SAMPLES, SAMPLER_POINTS = 500, 4  # per class, when the sampler changes


@dataclass(frozen=True)
class Moments:
    """Generated samples (K, pool, d) beside the means (K, d) and covariances (K, d, d) of others."""

    pool: Tensor
    mu: Tensor
    C: Tensor


@cached
def _moments(settings: Settings) -> Moments:
    plan, size = plan_of(settings), settings.size
    X = generated(plan, size.moments + size.pool, settings.sampler_steps, settings.churn)
    return Moments(X[:, size.moments :], *class_moments(X[:, : size.moments]))


def _fixed(settings: Settings, *free: str) -> Settings:
    """Settings in which the named fields are the defaults, so that they do not enter a cached result's key."""
    return settings.replace(**{name: Settings.model_fields[name].default for name in free})


def moments(settings: Settings) -> Moments:
    """Of the settings' generator and sampler, whatever the classifier."""
    return _moments(_fixed(settings, "n", "lam", "nu"))


@dataclass(frozen=True)
class OwnErrors:
    """The predicted error over n (curve,), and errors (draws,) of each source at the settings' n and penalty."""

    n: int
    lam: float
    ns: tuple[int, ...]
    curve: Tensor
    predicted: float
    simulated: dict[str, Tensor]


@cached
def _curve(settings: Settings, lam: float) -> Tensor:
    made = moments(settings)
    found = [predict_error(made.mu, made.C, n, lam, QUICK_DRAWS, generator(settings.seed, ex.SCORES))
             for n in ex.CURVE]
    return torch.tensor([prediction.error for prediction in found], dtype=torch.float64)


@cached
def own_errors(settings: Settings) -> OwnErrors:
    """Theory over n, and simulations at one n, on generated samples, their mixture, and real images."""
    size, made, n, lam = settings.size, moments(settings), settings.n, settings.lam
    if n + size.test > made.pool.shape[1]:
        raise ValueError(f"n={n}: with {size.test} test samples it must not exceed the pool, {made.pool.shape[1]}")
    seed, real = replicate_seed(settings.seed, 1), plan_of(settings).images.all
    sources = {"generated": ex.shuffled(made.pool, generator(seed, ex.SHUFFLE)),
               "mixture": _mixture(made, n + size.test, generator(seed, ex.MIXTURE)),
               "real": ex.shuffled(real, generator(seed, ex.REAL))}
    found = {name: ex.errors(source, [n], [lam], DRAWS, size.test)[0, 0] for name, source in sources.items()}
    predicted = predict_error(made.mu, made.C, n, lam, QUICK_DRAWS, generator(settings.seed, ex.SCORES)).error
    return OwnErrors(n, lam, ex.CURVE, _curve(_fixed(settings, "n", "lam", "nu"), lam), predicted, found)


def _mixture(made: Moments, count: int, stream: torch.Generator) -> Callable[[], Tensor]:
    return lambda: sample_gmm(made.mu, made.C, count, stream)


@dataclass(frozen=True)
class OwnSampler:
    """What a sampler makes: samples (K, n, d), real images, functions with local stretches, and spectra."""

    steps: int
    churn: float
    images: Images
    X: Tensor
    functions: ex.Functions
    spectra: ex.Spectra


@cached
def _sampler(settings: Settings) -> OwnSampler:
    plan, (steps, churn) = plan_of(settings), (settings.sampler_steps, settings.churn)
    X = generated(plan, SAMPLER_SAMPLES, steps, churn)
    found = ex.functions_of(plan, SAMPLER_SAMPLES, SAMPLER_SAMPLES, SAMPLER_POINTS, steps, churn)
    return OwnSampler(steps, churn, plan.images, X, found, ex.spectra_of(X, plan.images.all))


def own_sampler(settings: Settings) -> OwnSampler:
    """Samples of the settings' sampler; few, so that another one answers at once."""
    return _sampler(_fixed(settings, "n", "lam", "nu"))


def own_functions(settings: Settings) -> ex.Functions:
    """Functions of all samples that moments are taken from."""
    plan, size = plan_of(settings), settings.size
    return ex.functions_of(plan, size.moments + size.pool, size.moments, size.local, settings.sampler_steps,
                           settings.churn)


def own_tail(settings: Settings, watch: ex.Progress | None = None) -> ex.Tail:
    """A generator of heavy-tailed data with the settings' degrees of freedom."""
    size = settings.size
    seed = replicate_seed(settings.seed, 0)
    return ex.tail_run(settings.nu, seed, size.tail_n, size.tail_steps, size.tail_width, progress=watch)


@dataclass(frozen=True)
class Retrained:
    """Losses while training (steps,), a few samples and real images, and errors on both."""

    losses: Tensor
    images: Images
    X: Tensor
    errors: OwnErrors


def retrained(settings: Settings, watch: ex.Progress | None = None) -> Retrained:
    """Train the settings' generator anew and run the classifiers on what it makes."""
    plan = plan_of(settings)
    losses = trained(plan, progress=watch).losses
    return Retrained(losses, plan.images, moments(settings).pool[:, :8], own_errors(settings))


def point(settings: Settings) -> Point:
    """Errors at the settings' n and penalty, the sampler's stretch, and the tail at their degrees of freedom."""
    found, tail = own_errors(settings), own_tail(settings)
    plan, size = plan_of(settings), settings.size
    stretch = local_stretch(plan, size.local, settings.sampler_steps)
    norm = own_functions(settings).values["norm"]
    return Point({
        "error_generated": float(found.simulated["generated"].mean()),
        "error_mixture": float(found.simulated["mixture"].mean()), "error_real": float(found.simulated["real"].mean()),
        "error_predicted": found.predicted, "stretch": float(stretch.max()), "norm_sd": float(norm.std(1).max()),
        "q_ratio_generated": tail.made_report.q_ratio, "q_ratio_fresh": tail.fresh_report.q_ratio,
        "hill_generated": tail.made_report.hill, "hill_fresh": tail.fresh_report.hill,
    })
