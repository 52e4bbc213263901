"""The reader's own training, and the sweep of the unknown parameter over one cached score map."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.diffusion.noise2score.experiments import score_of
from gradscape.diffusion.noise2score.network import AnnealedSigma, ScoreNet, fit_score, score_map
from gradscape.diffusion.noise2score.noise import TEST_NAMES, data
from gradscape.diffusion.noise2score.quality import GRIDS, psnr, sweep
from gradscape.diffusion.noise2score.settings import PARAMETERS, Settings
from gradscape.diffusion.noise2score.tweedie import tweedie, tweedie_gaussian
from gradscape.lesson import Point, cached, replicate_seed

EVERY = 50  # steps between two looks at the test crops
WINDOW = slice(48, 144)  # the middle of a crop, which is shown


@dataclass(frozen=True)
class OwnRun:
    """One training at the settings' values: losses (steps,), and PSNR of the four crops every 50 steps."""

    noise: str
    parameter: float
    sigma_a: list[float]
    losses: list[float]
    looks: list[int]
    psnr: list[float]  # with the paper's formula
    noisy: float
    corrected: float  # at the end with σ² + a_min²; the same as psnr[-1] unless the noise is Gaussian
    images: Tensor  # (4, 3, 96, 96): noisy, denoised, clean


@cached
def _own_run(settings: Settings, *, progress: Callable[[int, int], Any] | None = None) -> OwnRun:
    recipe, seed = settings.size.recipe, replicate_seed(settings.seed, 0)
    noise, parameter = settings.noise, settings.parameter
    made = data(seed, noise, parameter, recipe.per_photo)
    net = ScoreNet(recipe.channels, recipe.depth, seed=seed)
    clean, noisy = made.test_clean, made.test_noisy
    looks: list[int] = []
    values: list[float] = []

    def estimate() -> Tensor:
        return tweedie(noisy, score_map(net, noisy), noise, parameter)  # type: ignore[no-any-return]

    def look(done: int, total: int) -> None:
        if done % EVERY == 0 or done == total:
            looks.append(done)
            values.append(float(psnr(estimate(), clean).mean()))
        if progress is not None:
            progress(done, total)

    scale = AnnealedSigma(settings.a_max, settings.a_min, settings.steps)
    history = fit_score(net, made.noisy, scale, settings.steps, seed=seed, progress=look)
    image, corrected = estimate(), values[-1]
    if noise == "gaussian":
        image = tweedie_gaussian(noisy, score_map(net, noisy), parameter, settings.a_min)
        corrected = float(psnr(image, clean).mean())
    shown = torch.stack([x[:, 0, WINDOW, WINDOW] for x in (noisy, image, clean)], 1)
    return OwnRun(noise, parameter, history["sigma_a"], history["loss"], looks, values,
                  float(psnr(noisy, clean).mean()), corrected, shown)


def own_run(settings: Settings, progress: Callable[[int, int], Any] | None = None) -> OwnRun:
    """Train at the settings' noise, σ_a and steps, whatever the noise parameters that are not in use."""
    unused = {"gaussian": ("zeta", "k"), "poisson": ("sigma", "k"), "gamma": ("sigma", "zeta")}[settings.noise]
    kept = settings.replace(**{name: Settings.model_fields[name].default for name in unused})
    return _own_run(kept, progress=progress)


@dataclass(frozen=True)
class SweepCurves:
    """One crop's sweep: TV and PSNR of every candidate."""

    noisy: Tensor  # (192, 192)
    score: Tensor
    clean: Tensor
    truth: float
    grid: np.ndarray
    tv: np.ndarray
    psnr: np.ndarray

    @property
    def best(self) -> float:
        """The candidate of least TV."""
        return float(self.grid[int(np.argmin(self.tv))])


@cached
def sweep_curves(settings: Settings, noise: str, crop: str) -> SweepCurves:
    """TV and PSNR over the candidates between .3 and 3 times the truth."""
    run, i, truth = score_of(settings, noise), TEST_NAMES.index(crop), PARAMETERS[noise]
    y, s, x = run.data.test_noisy[i, 0], run.output[i, 0], run.data.test_clean[i, 0]
    inside = GRIDS[noise][(GRIDS[noise] >= truth * 0.3) & (GRIDS[noise] <= truth * 3)]
    found = sweep(y, s, noise, np.sort(inside[:: max(1, len(inside) // 50)]))
    values = psnr(found.images[:, None], x.expand_as(found.images)[:, None]).numpy()
    return SweepCurves(y, s, x, truth, found.grid, found.tv, values)


@dataclass(frozen=True)
class SweepLook:
    """One candidate of a sweep: its image (192, 192), TV and PSNR."""

    noise: str
    crop: str
    theta: float
    image: Tensor
    tv: float
    psnr: float
    curves: SweepCurves


def sweep_look(settings: Settings, noise: str, crop: str, factor: float) -> SweepLook:
    """The estimate at ``factor`` times the true parameter."""
    curves = sweep_curves(settings.protocol, noise, crop)
    theta = factor * curves.truth
    found = sweep(curves.noisy, curves.score, noise, np.array([theta, theta]))
    value = float(psnr(found.images[:1, None], curves.clean[None, None])[0])
    return SweepLook(noise, crop, theta, found.images[0], float(found.tv[0]), value, curves)


def point(settings: Settings) -> Point:
    """PSNR of the settings' own training at the end, before it, and the loss beside its start of 1."""
    run = own_run(settings)
    tail = run.losses[-EVERY:]
    return Point({
        "psnr": run.psnr[-1], "psnr_corrected": run.corrected, "psnr_noisy": run.noisy,
        "gain": run.psnr[-1] - run.noisy, "loss": sum(tail) / len(tail),
    })
