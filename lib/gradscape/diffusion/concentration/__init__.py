"""Concentration of measure for distributions generated via diffusion models (Ghane et al. 2025, arXiv 2501.07741).

A sampler is a Lipschitz map of Gaussian noise: its samples concentrate, and linear classifiers see only two moments.
``denoiser``: the network; ``lipschitz``: how far a sampler stretches; ``tails``: data it cannot make;
``classifiers`` and ``prediction``: errors measured, and errors predicted from means and covariances.
"""
from __future__ import annotations

from gradscape.diffusion.concentration.classifiers import (
    class_moments,
    classification_error,
    ridge_classifier,
    sample_gmm,
    sgd_classifier,
)
from gradscape.diffusion.concentration.denoiser import ResidualMLP, Trained, make_denoiser, train_edm
from gradscape.diffusion.concentration.lipschitz import (
    edm_sample,
    envelope,
    gaussian_lipschitz,
    lipschitz_bound,
    lipschitz_functions,
    sampler_lipschitz,
)
from gradscape.diffusion.concentration.prediction import Prediction, predict_error
from gradscape.diffusion.concentration.tails import TailReport, hill_index, student_t, tail_report

__all__ = [
    "Prediction", "ResidualMLP", "TailReport", "Trained", "class_moments", "classification_error", "edm_sample",
    "envelope", "gaussian_lipschitz", "hill_index", "lipschitz_bound", "lipschitz_functions", "make_denoiser",
    "predict_error", "ridge_classifier", "sample_gmm", "sampler_lipschitz", "sgd_classifier", "student_t",
    "tail_report", "train_edm",
]
