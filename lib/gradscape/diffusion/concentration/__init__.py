"""Concentration of measure for distributions generated via diffusion models (Ghane et al. 2025, arXiv 2501.07741).

A sampler is a Lipschitz map of Gaussian noise: its samples concentrate, and linear classifiers see only two moments.
``denoiser``: the network; ``lipschitz``: how far a sampler stretches; ``tails``: data it cannot make;
``classifiers`` and ``prediction``: errors measured, and errors predicted from means and covariances; ``images``: real
and generated ones; ``experiments``, ``own``, ``tables`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.diffusion.concentration.claims import CLAIMS, MEASURES, measure
from gradscape.diffusion.concentration.classifiers import (
    class_moments,
    classification_error,
    ridge_classifier,
    sample_gmm,
    sgd_classifier,
)
from gradscape.diffusion.concentration.denoiser import ResidualMLP, Trained, make_denoiser, train_edm
from gradscape.diffusion.concentration.experiments import (
    HEAVY,
    LIGHT,
    Functions,
    Nonlinear,
    Spectra,
    Tail,
    Universality,
    functions,
    nonlinear,
    predicted_curves,
    spectra,
    stretch_by_steps,
    tails,
    universality,
)
from gradscape.diffusion.concentration.images import (
    Images,
    Plan,
    generated,
    images,
    plan_of,
    protocol_plan,
    trained,
)
from gradscape.diffusion.concentration.lipschitz import (
    edm_sample,
    envelope,
    gaussian_lipschitz,
    lipschitz_bound,
    lipschitz_functions,
    sampler_lipschitz,
)
from gradscape.diffusion.concentration.own import (
    Moments,
    OwnErrors,
    OwnSampler,
    Retrained,
    moments,
    own_errors,
    own_functions,
    own_sampler,
    own_tail,
    point,
    retrained,
)
from gradscape.diffusion.concentration.prediction import Prediction, predict_error
from gradscape.diffusion.concentration.settings import GROUPS, SIZES, Settings, Sizes
from gradscape.diffusion.concentration.tables import TABLES
from gradscape.diffusion.concentration.tails import TailReport, hill_index, student_t, tail_report

__all__ = [
    "CLAIMS", "GROUPS", "HEAVY", "LIGHT", "MEASURES", "SIZES", "TABLES", "Functions", "Images", "Moments",
    "Nonlinear", "OwnErrors", "OwnSampler", "Plan", "Prediction", "ResidualMLP", "Retrained", "Settings", "Sizes",
    "Spectra", "Tail", "TailReport", "Trained", "Universality", "class_moments", "classification_error",
    "edm_sample", "envelope", "functions", "gaussian_lipschitz", "generated", "hill_index", "images",
    "lipschitz_bound", "lipschitz_functions", "make_denoiser", "measure", "moments", "nonlinear", "own_errors",
    "own_functions", "own_sampler", "own_tail", "plan_of", "point", "predict_error", "predicted_curves",
    "protocol_plan", "retrained", "ridge_classifier", "sample_gmm", "sampler_lipschitz", "sgd_classifier",
    "spectra", "stretch_by_steps", "student_t", "tail_report", "tails", "train_edm", "trained", "universality",
]
