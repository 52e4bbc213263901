"""Dynamics of learning: what the time of training, the noise of the gradients and the size of the data do."""
from __future__ import annotations

import importlib
from typing import Any

# Public name -> lesson that defines it; loaded when first asked for.
_NAMES = {
    "asymptotic_error": "high_dimensional",
    "critical_temperature": "sgd_noise",
    "fit_power": "sgd_noise",
    "frozen_projector": "high_dimensional",
    "generalization_error": "high_dimensional",
    "learned_change": "high_dimensional",
    "LinearTask": "high_dimensional",
    "MeanFieldMLP": "sgd_noise",
    "mode_stopping_time": "high_dimensional",
    "optimal_ridge": "high_dimensional",
    "optimal_stopping": "high_dimensional",
    "perceptron": "sgd_noise",
    "phase_diagram": "sgd_noise",
    "predicted_exponents": "sgd_noise",
    "predicted_k": "sgd_noise",
    "random_feature_curves": "high_dimensional",
    "relu_teacher": "high_dimensional",
    "ridge_error": "high_dimensional",
    "sample_depleted": "sgd_noise",
    "scaled_hinge": "sgd_noise",
    "scaled_hinge_grad": "sgd_noise",
    "simulate": "high_dimensional",
    "stability_edge": "sgd_noise",
    "train_grid": "sgd_noise",
    "train_two_layer": "high_dimensional",
    "training_error": "high_dimensional",
    "weight_power": "high_dimensional",
}
_LESSONS = ("high_dimensional", "sgd_noise")


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _LESSONS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_LESSONS])
