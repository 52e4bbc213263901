"""Diffusion models: what they learn, what they can make, and how to steer them."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["concentration", "projected_guidance", "score_estimation"],
    {
        "concentration": [
            "class_moments", "classification_error", "edm_sample", "gaussian_lipschitz", "hill_index",
            "lipschitz_bound", "make_denoiser", "predict_error", "ridge_classifier", "sample_gmm", "sampler_lipschitz",
            "sgd_classifier", "student_t", "tail_report", "train_edm",
        ],
        "projected_guidance": [
            "AdaptiveProjectedGuidance", "cfg", "clip_norm", "decompose", "fit_denoiser", "frechet", "from_denoised",
            "hsv_saturation", "MLPDenoiser", "MomentumBuffer", "overshoot", "precision_recall", "project_guidance",
            "to_denoised",
        ],
        "score_estimation": [
            "bias_variance", "dsm_loss", "embed", "GaussianMixture", "holdout_stopping", "KernelPath",
            "make_regression", "mean_from_score", "ntk", "ou_coefficients", "regression_loss", "reverse_sample",
            "rwy_stopping", "score_from_mean", "ScoreData", "ScoreMLP", "sliced_w1", "train_gd",
        ],
    },
)
