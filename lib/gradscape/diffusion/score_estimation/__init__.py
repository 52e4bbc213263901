"""Neural network-based score estimation in diffusion models (Han, Razaviyayn & Xu 2024, arXiv 2401.15604).

Learning a score is regression with noisy labels; wide networks follow a kernel; stop early. ``process``: the forward
process, mixtures of known score, the regression; ``kernel``: the tangent kernel and its whole training path;
``stopping``: when to stop; ``network``: the network itself; ``sampling``: samples from a learned score;
``experiments``, ``real_data``, ``own`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.diffusion.score_estimation.claims import CLAIMS, MEASURES, measure
from gradscape.diffusion.score_estimation.experiments import (
    LOOKS,
    Decomposition,
    LearningCurve,
    PathErrors,
    Widths,
    decomposition,
    learning_curve,
    nearest,
    networks,
    path_errors,
    paths,
    training_times,
)
from gradscape.diffusion.score_estimation.kernel import KernelPath, bias_variance, ntk
from gradscape.diffusion.score_estimation.network import ScoreMLP, train_gd
from gradscape.diffusion.score_estimation.own import (
    Field,
    NetworkRun,
    Rule,
    TrainingSet,
    field_at,
    network_run,
    own_field,
    own_rule,
    point,
    training_set,
)
from gradscape.diffusion.score_estimation.process import (
    GaussianMixture,
    ScoreData,
    dsm_loss,
    embed,
    make_regression,
    mean_from_score,
    ou_coefficients,
    regression_loss,
    score_from_mean,
    sphere_centers,
    within_ball,
)
from gradscape.diffusion.score_estimation.real_data import (
    DigitPath,
    Samples,
    digit_components,
    digit_path,
    digit_paths,
    sampled,
    samples,
)
from gradscape.diffusion.score_estimation.sampling import reverse_sample, sliced_w1
from gradscape.diffusion.score_estimation.settings import SIZES, Settings, Sizes
from gradscape.diffusion.score_estimation.stopping import (
    Holdout,
    complexity,
    holdout_stopping,
    rwy_stopping,
    stopping_sides,
)

__all__ = [
    "CLAIMS", "LOOKS", "MEASURES", "SIZES", "Decomposition", "DigitPath", "Field", "GaussianMixture", "Holdout",
    "KernelPath", "LearningCurve", "NetworkRun", "PathErrors", "Rule", "Samples", "ScoreData", "ScoreMLP", "Settings",
    "Sizes", "TrainingSet", "Widths", "bias_variance", "complexity", "decomposition", "digit_components", "digit_path",
    "digit_paths", "dsm_loss", "embed", "field_at", "holdout_stopping", "learning_curve", "make_regression",
    "mean_from_score", "measure", "nearest", "network_run", "networks", "ntk", "ou_coefficients", "own_field",
    "own_rule", "path_errors", "paths", "point", "regression_loss", "reverse_sample", "rwy_stopping", "sampled",
    "samples", "score_from_mean", "sliced_w1", "sphere_centers", "stopping_sides", "train_gd", "training_set",
    "training_times", "within_ball",
]
