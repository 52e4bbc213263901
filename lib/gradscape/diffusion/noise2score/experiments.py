"""The lesson's experiments: networks trained on photographs, at the protocol's sizes."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradscape.diffusion.noise2score import baselines
from gradscape.diffusion.noise2score.network import LR, SCORE_GAIN, AnnealedSigma, ScoreNet, fit_score, score_map
from gradscape.diffusion.noise2score.noise import Data, data
from gradscape.diffusion.noise2score.quality import estimate_parameter, psnr, ssim
from gradscape.diffusion.noise2score.settings import (
    PARAMETERS,
    SIGMA,
    Recipe,
    Settings,
    schedule,
)
from gradscape.diffusion.noise2score.tweedie import plug_in, tweedie, tweedie_gaussian
from gradscape.lesson import cached, protocol, replicate_seed

Progress = Callable[[int, int], Any]

SCORE, SUPERVISED, TWO_NOISY, SELF, SURE = "Noise2Score", "supervised", "Noise2Noise", "Noise2Self", "SURE"
NOISY, VARIATION, NONLOCAL = "noisy", "total variation", "non-local means"
# Images differ from their noisy copies by about the noise, .1, where scores are ten: with the score network's gain of 5
# supervised learning would lose 2.7 dB. Chosen on two seeds apart, for the baselines' benefit.
REGRESSION_GAIN = 0.1
SELF_RATES = (1e-3, 3e-3)  # Noise2Self is given the better of both
FIXED_SMALL, FIXED_LARGE = 0.001, 0.1
ANNEALED, SMALL, LARGE = "annealed", f"fixed {FIXED_SMALL:g}", f"fixed {FIXED_LARGE:g}"
RATIOS = np.round(np.arange(0.0, 2.41, 0.05), 2)  # coefficients tried, as multiples of σ²


@dataclass(frozen=True)
class Learned:
    """A trained network: its output at the four noisy crops (a score map, or images), and its history."""

    net: nn.Module
    data: Data
    output: Tensor  # (4, 1, 192, 192)
    history: dict[str, list[float]]
    stop: float  # the last σ_a; 0 where there is none


@cached
def learn(
    seed: int, replicate: int, method: str, noise: str, parameter: float, recipe: Recipe, start: float = 0.0,
    stop: float = 0.0, lr: float = LR, levels: tuple[float, float] | None = None, *, progress: Progress | None = None,
) -> Learned:
    """Train one network by one method; data and initial weights of a replicate are the same for all methods."""
    at = replicate_seed(seed, replicate)
    made = data(at, noise, parameter, recipe.per_photo, levels)
    gain = SCORE_GAIN if method == SCORE else REGRESSION_GAIN
    net = ScoreNet(recipe.channels, recipe.depth, gain=gain, seed=at)
    common: dict[str, Any] = {"steps": recipe.steps, "lr": lr, "seed": at, "progress": progress}
    noisy, test = made.noisy, made.test_noisy
    if method == SCORE:
        history = fit_score(net, noisy, AnnealedSigma(start, stop, recipe.steps), **common)
        return Learned(net, made, score_map(net, test), history, stop)
    if method == SUPERVISED:
        history = baselines.fit_supervised(net, noisy, made.clean, **common)
    elif method == TWO_NOISY:
        history = baselines.fit_noise2noise(net, noisy, made.second(), **common)
    elif method == SURE:
        history = baselines.fit_sure(net, noisy, parameter, **common)
    elif method == SELF:
        history = baselines.fit_noise2self(net, noisy, **common)
        return Learned(net, made, baselines.noise2self_predict(net, test), history, 0.0)
    else:
        raise ValueError(f"method={method!r}: must be one of {SCORE}, {SUPERVISED}, {TWO_NOISY}, {SELF}, {SURE}")
    return Learned(net, made, baselines.restore(net, test), history, 0.0)


def score_of(settings: Settings, noise: str, parameter: float | None = None, replicate: int = 0) -> Learned:
    """The protocol's score network for one kind of noise."""
    size, level = settings.size, PARAMETERS[noise] if parameter is None else parameter
    return learn(settings.seed, replicate, SCORE, noise, level, size.recipe, *schedule(noise, level, size.stop))


def best_noise2self(settings: Settings, replicate: int = 0) -> tuple[Learned, float, dict[float, float]]:
    """Noise2Self at the learning rate that is better on the test crops, that rate, and the PSNR of both."""
    runs = {lr: learn(settings.seed, replicate, SELF, "gaussian", SIGMA, settings.size.recipe, 0.0, 0.0, lr)
            for lr in SELF_RATES}
    values = {lr: float(psnr(run.output, run.data.test_clean).mean()) for lr, run in runs.items()}
    best = max(values, key=lambda lr: values[lr])
    return runs[best], best, values


@dataclass(frozen=True)
class Comparison:
    """Images (4, 1, 192, 192) of each method on the same noisy crops, and their quality (4,)."""

    clean: Tensor
    images: dict[str, Tensor]
    psnr: dict[str, Tensor]
    ssim: dict[str, Tensor]
    plain: Tensor  # PSNR (4,) of Noise2Score with the coefficient σ², as in the paper
    self_rates: dict[float, float]  # mean PSNR of Noise2Self at each learning rate

    def gap(self, better: str, than: str) -> Tensor:
        """Difference of PSNR on each crop, dB."""
        return self.psnr[better] - self.psnr[than]


def _score_images(run: Learned) -> tuple[Tensor, Tensor]:
    """Noise2Score at σ = 25/255 with σ² + a_min² and with σ² alone."""
    noisy = run.data.test_noisy
    corrected = tweedie_gaussian(noisy, run.output, SIGMA, run.stop)
    return corrected, tweedie_gaussian(noisy, run.output, SIGMA)


@protocol
def comparison(settings: Settings, *, progress: Progress | None = None) -> Comparison:
    """σ = 25/255: Noise2Score, supervised, Noise2Self, and two untrained denoisers at their best strength."""
    score = score_of(settings, "gaussian")
    supervised = learn(settings.seed, 0, SUPERVISED, "gaussian", SIGMA, settings.size.recipe)
    blind, _, rates = best_noise2self(settings)
    corrected, plain = _score_images(score)
    clean, noisy = score.data.test_clean, score.data.test_noisy
    images = {
        NOISY: noisy,
        VARIATION: _best(clean, [baselines.total_variation_denoiser(noisy, SIGMA, w) for w in baselines.TV_WEIGHTS]),
        NONLOCAL: _best(clean, [baselines.nonlocal_means(noisy, SIGMA, h) for h in baselines.NLM_STRENGTHS]),
        SELF: blind.output, SCORE: corrected, SUPERVISED: supervised.output,
    }
    return Comparison(
        clean, images, {name: psnr(image, clean) for name, image in images.items()},
        {name: ssim(image, clean) for name, image in images.items()}, psnr(plain, clean), rates)


def _best(clean: Tensor, images: list[Tensor]) -> Tensor:
    return max(images, key=lambda image: float(psnr(image, clean).mean()))


@protocol
def supervised_gaps(settings: Settings, *, progress: Progress | None = None) -> list[tuple[float, float, float]]:
    """For each seed the mean PSNR of the noisy crops, of Noise2Score and of supervised learning."""
    found = []
    for replicate in range(settings.size.seeds):
        score = score_of(settings, "gaussian", replicate=replicate)
        supervised = learn(settings.seed, replicate, SUPERVISED, "gaussian", SIGMA, settings.size.recipe)
        images = (score.data.test_noisy, _score_images(score)[0], supervised.output)
        noisy, own, other = (float(psnr(image, score.data.test_clean).mean()) for image in images)
        found.append((noisy, own, other))
        if progress is not None:
            progress(replicate + 1, settings.size.seeds)
    return found


@dataclass(frozen=True)
class Schedules:
    """Three ways to choose σ_a: losses by step, last σ_a, and PSNR against the coefficient in units of σ²."""

    losses: dict[str, list[float]]
    stops: dict[str, float]
    noisy: float
    curves: dict[str, np.ndarray]  # (len(RATIOS),), mean of the crops
    plain: dict[str, float]  # PSNR at coefficient σ²
    corrected: dict[str, float]  # at σ² + a²


@protocol
def schedules(settings: Settings, *, progress: Progress | None = None) -> Schedules:
    """Annealed, fixed small and fixed large σ_a: the same data, initial weights and number of steps."""
    size, (start, stop) = settings.size, schedule("gaussian", SIGMA, 0.03)
    runs = {
        name: learn(settings.seed, 0, SCORE, "gaussian", SIGMA, size.schedule_recipe, *ends)
        for name, ends in ((ANNEALED, (start, stop)), (SMALL, (FIXED_SMALL,) * 2), (LARGE, (FIXED_LARGE,) * 2))
    }
    clean, noisy = runs[ANNEALED].data.test_clean, runs[ANNEALED].data.test_noisy

    def value(run: Learned, ratio: float) -> float:
        return float(psnr(noisy + ratio * SIGMA**2 * run.output, clean).mean())

    return Schedules(
        {name: run.history["loss"] for name, run in runs.items()}, {name: run.stop for name, run in runs.items()},
        float(psnr(noisy, clean).mean()),
        {name: np.array([value(run, ratio) for ratio in RATIOS]) for name, run in runs.items()},
        {name: value(run, 1.0) for name, run in runs.items()},
        {name: value(run, 1 + (run.stop / SIGMA) ** 2) for name, run in runs.items()})


@dataclass(frozen=True)
class OtherNoise:
    """Noise2Score on one kind of noise: images (4, 1, 192, 192) and PSNR (4,)."""

    noise: str
    parameter: float
    clean: Tensor
    images: dict[str, Tensor]  # NOISY, PLUG_IN, SCORE
    psnr: dict[str, Tensor]


PLUG_IN = "plug-in y + Var(y) s"


@protocol
def other_noise(settings: Settings, noise: str, *, progress: Progress | None = None) -> OtherNoise:
    """The same training code on Poisson or Gamma noise; the formula, and the plug-in that ignores the kind of noise."""
    run, parameter = score_of(settings, noise), PARAMETERS[noise]
    noisy, clean = run.data.test_noisy, run.data.test_clean
    images = {NOISY: noisy, PLUG_IN: plug_in(noisy, run.output, noise, parameter),
              SCORE: tweedie(noisy, run.output, noise, parameter)}
    return OtherNoise(noise, parameter, clean, images, {name: psnr(x, clean) for name, x in images.items()})


@dataclass(frozen=True)
class Blind:
    """The unknown noise level, image by image: estimates (4,), PSNR told and found (4,), and the penalty's curves."""

    noise: str
    rule: str
    truth: float
    grid: np.ndarray  # (T,)
    values: np.ndarray  # (4,)
    curves: np.ndarray  # (4, T)
    known: Tensor
    found: Tensor

    @property
    def ratio(self) -> float:
        """Mean estimate over the truth."""
        return float(self.values.mean() / self.truth)


@protocol
def blind(settings: Settings, noise: str, rule: str = "tv", *, progress: Progress | None = None) -> Blind:
    """Estimate each crop's noise level from its own score map; PSNR told the true one is the formula's (σ² for
    Gaussian noise plus a_min²)."""
    from gradscape.diffusion.noise2score.quality import GRIDS

    run, truth = score_of(settings, noise), PARAMETERS[noise]
    noisy, clean = run.data.test_noisy, run.data.test_clean
    made = [estimate_parameter(y, s, noise, rule=rule) for y, s in zip(noisy[:, 0], run.output[:, 0], strict=True)]
    known = tweedie(noisy, run.output, noise, truth, run.stop if noise == "gaussian" else 0.0)
    return Blind(
        noise, rule, truth, GRIDS[noise], np.array([m.value for m in made]), np.stack([m.curve for m in made]),
        psnr(known, clean), psnr(torch.stack([m.image for m in made])[:, None], clean))
