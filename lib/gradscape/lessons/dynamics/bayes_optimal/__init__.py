"""What a reader sees of the Bayes-optimal lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.dynamics.bayes_optimal.exercises import check_1, check_2, check_3
from gradscape.lessons.dynamics.bayes_optimal.explorers import (
    EXPLORERS,
    explorer_gamp,
    explorer_gd,
    explorer_map,
    explorer_optimum,
    explorer_spectrum,
)
from gradscape.lessons.dynamics.bayes_optimal.figures import (
    fig_averaging,
    fig_curves,
    fig_descent,
    fig_gamp,
    fig_map,
    fig_meeting,
    fig_optimum,
    fig_rounds,
    fig_spectrum,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_gamp", "explorer_gd", "explorer_map", "explorer_optimum",
    "explorer_spectrum", "fig_averaging", "fig_curves", "fig_descent", "fig_gamp", "fig_map", "fig_meeting",
    "fig_optimum", "fig_rounds", "fig_spectrum",
]
