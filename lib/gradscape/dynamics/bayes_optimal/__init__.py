"""Bayes-optimal learning of an extensive-width neural network (Maillard et al. 2024, arXiv 2408.03733).

The least error that any method can reach on a teacher with quadratic neurons, an algorithm that reaches it, and what
gradient descent does. ``theory``: the optimum in closed form; ``model``: the teacher, its data, least squares;
``gamp``: the algorithm; ``descent``: gradient descent from many starts; ``experiments`` and ``claims``: what the lesson
measures.
"""
from __future__ import annotations

from gradscape.dynamics.bayes_optimal.claims import CLAIMS, MEASURES, measure
from gradscape.dynamics.bayes_optimal.descent import gradient, nishimori, quadratic_gd
from gradscape.dynamics.bayes_optimal.experiments import (
    DescentCell,
    DescentRun,
    GampCell,
    Optimum,
    PhaseMap,
    Spectrum,
    descent_cell,
    descent_scaling,
    descent_study,
    drawn_spectrum,
    gamp_cell,
    gamp_extra,
    gamp_study,
    goe,
    least_squares_study,
    noisy_descent,
    optimum_at,
    optimum_curves,
    own_descent,
    own_gamp,
    own_task,
    phase_map,
    point,
    spectrum_at,
    spectrum_of,
)
from gradscape.dynamics.bayes_optimal.gamp import RIE, Denoiser, GampResult, gamp_rie, rie_denoise
from gradscape.dynamics.bayes_optimal.model import QuadraticTask, least_squares, quadratic_form, teacher
from gradscape.dynamics.bayes_optimal.settings import SIZES, Settings, Sizes
from gradscape.dynamics.bayes_optimal.theory import (
    J,
    mmse,
    mmse_curve,
    noise_to_effective,
    overlap,
    recovery_threshold,
    rie_mse,
    spectral_density,
    state_evolution,
    support,
)

__all__ = [
    "CLAIMS",
    "MEASURES",
    "RIE",
    "SIZES",
    "Denoiser",
    "DescentCell",
    "DescentRun",
    "GampCell",
    "GampResult",
    "J",
    "Optimum",
    "PhaseMap",
    "QuadraticTask",
    "Settings",
    "Sizes",
    "Spectrum",
    "descent_cell",
    "descent_scaling",
    "descent_study",
    "drawn_spectrum",
    "gamp_cell",
    "gamp_extra",
    "gamp_rie",
    "gamp_study",
    "goe",
    "gradient",
    "least_squares",
    "least_squares_study",
    "measure",
    "mmse",
    "mmse_curve",
    "nishimori",
    "noise_to_effective",
    "noisy_descent",
    "optimum_at",
    "optimum_curves",
    "overlap",
    "own_descent",
    "own_gamp",
    "own_task",
    "phase_map",
    "point",
    "quadratic_form",
    "quadratic_gd",
    "recovery_threshold",
    "rie_denoise",
    "rie_mse",
    "spectral_density",
    "spectrum_at",
    "spectrum_of",
    "state_evolution",
    "support",
    "teacher",
]
