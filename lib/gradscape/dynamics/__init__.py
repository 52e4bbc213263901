"""Dynamics of learning: what the time of training, the noise of the gradients and the size of the data do."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["bandlimited", "bayes_optimal", "high_dimensional", "multiscale_descent", "sgd_noise"],
    {
        "bandlimited": [
            "band_kernel", "bandlimited_reconstruction", "dual_bound", "error_floor", "features", "fit_many",
            "high_precision_fit", "lowpass_multiplier", "RandomNet", "ridgelet_transform", "sample_hidden",
        ],
        "bayes_optimal": [
            "gamp_rie", "least_squares", "mmse", "mmse_curve", "nishimori", "noise_to_effective", "quadratic_gd",
            "recovery_threshold", "rie_denoise", "rie_mse", "state_evolution", "teacher",
        ],
        "high_dimensional": [
            "asymptotic_error", "frozen_projector", "generalization_error", "learned_change", "LinearTask",
            "mode_stopping_time", "optimal_ridge", "optimal_stopping", "random_feature_curves", "relu_teacher",
            "ridge_error", "simulate", "train_two_layer", "training_error", "weight_power",
        ],
        "multiscale_descent": [
            "descent_shape", "deterministic_equivalent", "exact_dynamics", "exact_ridge", "fast_slow", "fast_slow_only",
            "gradient_descent", "image_latents", "modulation", "plateau", "q_regularised", "q_schedule",
            "real_dynamics", "ridge_clock", "TwoScale",
        ],
        "sgd_noise": [
            "critical_temperature", "fit_power", "MeanFieldMLP", "perceptron", "phase_diagram", "predicted_exponents",
            "predicted_k", "sample_depleted", "scaled_hinge", "scaled_hinge_grad", "stability_edge", "train_grid",
        ],
    },
)
