"""Noise2Score (Kim and Ye 2021, arXiv 2106.07009): denoising without clean images, by the score of noisy ones.

``tweedie``: from a score to a clean image; ``network``: the score network and AR-DAE; ``quality``: PSNR, total
variation and the unknown noise level; ``noise``: photographs and how they are spoiled; ``baselines``: other losses and
denoisers; ``line``: one pixel where everything is known; ``experiments``, ``own``, ``claims`` and ``tables``: what the
lesson measures.
"""
from __future__ import annotations

from gradscape.diffusion.noise2score.baselines import (
    blinded,
    fit_noise2noise,
    fit_noise2self,
    fit_supervised,
    fit_sure,
    noise2self_predict,
    nonlocal_means,
    restore,
    total_variation_denoiser,
)
from gradscape.diffusion.noise2score.claims import CLAIMS, MEASURES, measure
from gradscape.diffusion.noise2score.experiments import (
    Blind,
    Comparison,
    OtherNoise,
    Schedules,
    blind,
    comparison,
    learn,
    other_noise,
    schedules,
    score_of,
    supervised_gaps,
)
from gradscape.diffusion.noise2score.line import Line, LineCurves, formula_errors, line_curves
from gradscape.diffusion.noise2score.network import AnnealedSigma, ScoreNet, ardae_loss, denoise, fit_score, score_map
from gradscape.diffusion.noise2score.noise import corrupt, data, photographs
from gradscape.diffusion.noise2score.own import OwnRun, SweepLook, own_run, point, sweep_look
from gradscape.diffusion.noise2score.quality import (
    GRIDS,
    Estimate,
    Sweep,
    estimate_parameter,
    psnr,
    ssim,
    sweep,
    total_variation,
    tv_optimal_sigma,
)
from gradscape.diffusion.noise2score.settings import SIZES, Recipe, Settings, Sizes
from gradscape.diffusion.noise2score.tables import TABLES
from gradscape.diffusion.noise2score.tweedie import (
    gamma_clamps,
    plug_in,
    tweedie,
    tweedie_exponential,
    tweedie_gamma,
    tweedie_gaussian,
    tweedie_poisson,
)

__all__ = [
    "CLAIMS", "GRIDS", "MEASURES", "SIZES", "TABLES", "AnnealedSigma", "Blind", "Comparison", "Estimate", "Line",
    "LineCurves", "OtherNoise", "OwnRun", "Recipe", "Schedules", "ScoreNet", "Settings", "Sizes", "Sweep", "SweepLook",
    "ardae_loss", "blind", "blinded", "comparison", "corrupt", "data", "denoise", "estimate_parameter",
    "fit_noise2noise", "fit_noise2self", "fit_score", "fit_supervised", "fit_sure", "formula_errors", "gamma_clamps",
    "learn", "line_curves", "measure", "noise2self_predict", "nonlocal_means", "other_noise", "own_run", "photographs",
    "plug_in", "point", "psnr", "restore", "schedules", "score_map", "score_of", "ssim", "supervised_gaps", "sweep",
    "sweep_look", "total_variation", "total_variation_denoiser", "tv_optimal_sigma", "tweedie", "tweedie_exponential",
    "tweedie_gamma", "tweedie_gaussian", "tweedie_poisson",
]
