"""What ``gradscape record`` keeps beside the claims: every method on every kind of noise, with the larger networks."""
from __future__ import annotations

from typing import Any

from torch import Tensor

from gradscape import results
from gradscape.diffusion.noise2score import baselines
from gradscape.diffusion.noise2score import experiments as ex
from gradscape.diffusion.noise2score.noise import TEST_NAMES
from gradscape.diffusion.noise2score.quality import estimate_parameter, psnr, ssim
from gradscape.diffusion.noise2score.settings import SIGMA, Settings, schedule
from gradscape.diffusion.noise2score.tweedie import tweedie

BLIND_LEVELS = (20 / 255, 55 / 255)  # of the official blind training
CASES = (("gaussian", SIGMA), ("gaussian", 2 * SIGMA), ("poisson", 0.01), ("poisson", 0.05), ("gamma", 50.0),
         ("gamma", 100.0))
BLIND, MIXED = "Noise2Score, blind", "Noise2Score, blind, trained on mixed levels"


def methods(settings: Settings) -> results.Table:
    """PSNR and SSIM of each method, mean of the crops and PSNR of each: seed 0 of the protocol."""
    rows: list[tuple[Any, ...]] = []
    for noise, parameter in CASES:
        for method, images, clean, estimate in _images(settings.protocol, noise, parameter):
            values = psnr(images, clean)
            rows.append((noise, parameter, method, float(values.mean()), float(ssim(images, clean).mean()), estimate,
                         *values.tolist()))
    names = ("noise", "parameter", "method", "psnr", "ssim", "estimate", *TEST_NAMES)
    return results.make("diffusion/noise2score", "methods", dict(zip(names, zip(*rows, strict=True), strict=True)),
                        settings)


def _images(settings: Settings, noise: str, parameter: float) -> list[tuple[str, Tensor, Tensor, float]]:
    """Method, images, clean images and mean estimate of the noise parameter (NaN when it was told)."""
    recipe, told = settings.size.recipe, float("nan")
    score = ex.score_of(settings, noise, parameter)
    clean, noisy = score.data.test_clean, score.data.test_noisy
    correction = score.stop if noise == "gaussian" else 0.0
    blind, value = _blind(score, noise)
    found = [
        (ex.NOISY, noisy, clean, told),
        (ex.SCORE, tweedie(noisy, score.output, noise, parameter, correction), clean, told),
        (BLIND, blind, clean, value),
        (ex.SUPERVISED, ex.learn(settings.seed, 0, ex.SUPERVISED, noise, parameter, recipe).output, clean, told),
    ]
    if (noise, parameter) == CASES[0]:
        found += [(method, ex.learn(settings.seed, 0, method, noise, parameter, recipe).output, clean, told)
                  for method in (ex.TWO_NOISY, ex.SURE)]
        found.append((ex.SELF, ex.best_noise2self(settings)[0].output, clean, told))
        mixed = ex.learn(settings.seed, 0, ex.SCORE, noise, parameter, recipe,
                         *schedule(noise, parameter, settings.size.stop), levels=BLIND_LEVELS)
        found.append((MIXED, *_with(clean, _blind(mixed, noise))))
        weights = [baselines.total_variation_denoiser(noisy, parameter, w) for w in baselines.TV_WEIGHTS]
        strengths = [baselines.nonlocal_means(noisy, parameter, h) for h in baselines.NLM_STRENGTHS]
        for name, tried in ((ex.VARIATION, weights), (ex.NONLOCAL, strengths)):
            found.append((name, max(tried, key=lambda x: float(psnr(x, clean).mean())), clean, told))
    return found


def _with(clean: Tensor, made: tuple[Tensor, float]) -> tuple[Tensor, Tensor, float]:
    return made[0], clean, made[1]


def _blind(run: ex.Learned, noise: str) -> tuple[Tensor, float]:
    """The images of least TV and the mean of their parameters."""
    import torch

    made = [estimate_parameter(y, s, noise) for y, s in zip(run.data.test_noisy[:, 0], run.output[:, 0], strict=True)]
    return torch.stack([m.image for m in made])[:, None], sum(m.value for m in made) / len(made)


TABLES = {"methods": methods}
