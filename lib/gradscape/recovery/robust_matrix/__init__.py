"""Sub-gradient method for robust matrix recovery (Ma & Fattahi 2022, arXiv 2202.08788).

A low-rank matrix from linear measurements of which some are grossly wrong: the ℓ₁ loss of a factored matrix, started
small, finds it however many columns the factor has. ``problem``: measurements; ``method``: the sub-gradient method,
its starts and step rules; ``sign_rip``: why it works; ``optimizer``: the same for torch models.
"""
from __future__ import annotations

from gradscape.recovery.robust_matrix.claims import CLAIMS, MEASURES, TABLES, measure
from gradscape.recovery.robust_matrix.experiments import (
    Choices,
    GaussianNoise,
    HardOutliers,
    ImageRun,
    OwnRip,
    OwnRun,
    RipStudy,
    Samples,
    Starts,
    few_measurements,
    gaussian_noise,
    hard_outliers,
    image_covariance,
    other_choices,
    own_rip,
    own_run,
    point,
    problem_at,
    rip_study,
    small_starts,
    starts,
)
from gradscape.recovery.robust_matrix.method import (
    Trace,
    geometric_schedule,
    gradient_descent_l2,
    identity_start,
    loss,
    q_matrix,
    random_start,
    residual,
    spectral_start,
    subgm,
    subgradient,
)
from gradscape.recovery.robust_matrix.optimizer import SubGM
from gradscape.recovery.robust_matrix.problem import Noise, RobustProblem, fold, from_matrix, make_problem, unfold
from gradscape.recovery.robust_matrix.settings import SIZES, Settings, Sizes
from gradscape.recovery.robust_matrix.sign_rip import SignRIP, phi, sign_rip, truncated_frobenius

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "TABLES", "Choices", "GaussianNoise", "HardOutliers", "ImageRun", "Noise", "OwnRip",
    "OwnRun", "RipStudy", "RobustProblem", "Samples", "Settings", "SignRIP", "Sizes", "Starts", "SubGM", "Trace",
    "few_measurements", "fold", "from_matrix", "gaussian_noise", "geometric_schedule", "gradient_descent_l2",
    "hard_outliers", "identity_start", "image_covariance", "loss", "make_problem", "measure", "other_choices",
    "own_rip", "own_run", "phi", "point", "problem_at", "q_matrix", "random_start", "residual", "rip_study",
    "sign_rip", "small_starts", "spectral_start", "starts", "subgm", "subgradient", "truncated_frobenius", "unfold",
]
