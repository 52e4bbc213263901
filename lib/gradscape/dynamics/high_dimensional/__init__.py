"""High-dimensional dynamics of generalization error in neural networks (Advani & Saxe 2017, arXiv 1710.03667).

How training and generalization error move *during* training when a model has about as many weights as examples.
``theory``: the linear student for large N; ``simulation``: draws at finite N; ``features`` and ``two_layer``: ReLU
students; ``experiments`` and ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.dynamics.high_dimensional.claims import CLAIMS, MEASURES, measure
from gradscape.dynamics.high_dimensional.experiments import (
    InitialWeights,
    LearningCurves,
    OvertrainingMap,
    RidgeComparison,
    Spectrum,
    StoppingTimes,
    TaskResult,
    feature_students,
    image_students,
    initial_weights,
    learning_curves,
    one_task,
    overtraining_map,
    point,
    ridge_comparison,
    spectrum_at,
    stopping_times,
    two_layer_at,
    two_layer_students,
)
from gradscape.dynamics.high_dimensional.features import (
    Curves,
    TaskData,
    random_feature_curves,
    relu_second_moment,
    relu_teacher,
)
from gradscape.dynamics.high_dimensional.settings import SIZES, Settings, Sizes
from gradscape.dynamics.high_dimensional.simulation import (
    Draw,
    Runs,
    draw,
    frozen_projector,
    learned_change,
    simulate,
)
from gradscape.dynamics.high_dimensional.theory import (
    LinearTask,
    Ridge,
    Stop,
    asymptotic_error,
    generalization_error,
    mode_stopping_time,
    optimal_ridge,
    optimal_stopping,
    ridge_error,
    training_error,
    weight_power,
)
from gradscape.dynamics.high_dimensional.two_layer import train_two_layer
from gradscape.numerics.rmt import mp_atom, mp_density, mp_quadrature, mp_resolvent, mp_support

__all__ = [
    "CLAIMS",
    "MEASURES",
    "SIZES",
    "Curves",
    "Draw",
    "InitialWeights",
    "LearningCurves",
    "LinearTask",
    "OvertrainingMap",
    "Ridge",
    "RidgeComparison",
    "Runs",
    "Settings",
    "Sizes",
    "Spectrum",
    "Stop",
    "StoppingTimes",
    "TaskData",
    "TaskResult",
    "asymptotic_error",
    "draw",
    "feature_students",
    "frozen_projector",
    "generalization_error",
    "image_students",
    "initial_weights",
    "learned_change",
    "learning_curves",
    "measure",
    "mode_stopping_time",
    "mp_atom",
    "mp_density",
    "mp_quadrature",
    "mp_resolvent",
    "mp_support",
    "one_task",
    "optimal_ridge",
    "optimal_stopping",
    "overtraining_map",
    "point",
    "random_feature_curves",
    "relu_second_moment",
    "relu_teacher",
    "ridge_comparison",
    "ridge_error",
    "simulate",
    "spectrum_at",
    "stopping_times",
    "train_two_layer",
    "training_error",
    "two_layer_at",
    "two_layer_students",
    "weight_power",
]
