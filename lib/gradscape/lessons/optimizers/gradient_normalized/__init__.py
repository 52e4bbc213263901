"""What a reader sees of the lesson on gradient-normalized smoothness: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.optimizers.gradient_normalized.exercises import check_1, check_2, check_3
from gradscape.lessons.optimizers.gradient_normalized.explorers import (
    EXPLORERS,
    explorer_convergence,
    explorer_large,
    explorer_path,
    explorer_radius,
)
from gradscape.lessons.optimizers.gradient_normalized.figures import (
    fig_chain,
    fig_compare,
    fig_constants,
    fig_digits,
    fig_equations,
    fig_logistic,
    fig_margin,
    fig_path,
    fig_sizes,
    fig_smooth_max,
    fig_smoothing,
    fig_step,
    fig_times,
    fig_trials,
    fig_valley,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_convergence", "explorer_large", "explorer_path",
    "explorer_radius", "fig_chain", "fig_compare", "fig_constants", "fig_digits", "fig_equations", "fig_logistic",
    "fig_margin", "fig_path", "fig_sizes",
    "fig_smooth_max", "fig_smoothing", "fig_step", "fig_times", "fig_trials", "fig_valley",
]
