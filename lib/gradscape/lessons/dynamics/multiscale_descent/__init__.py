"""What a reader sees of the multi-scale lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.dynamics.multiscale_descent.exercises import check_1, check_2, check_3
from gradscape.lessons.dynamics.multiscale_descent.explorers import (
    EXPLORERS,
    explorer_descent,
    explorer_map,
    explorer_theory,
)
from gradscape.lessons.dynamics.multiscale_descent.figures import (
    fig_clock,
    fig_collapse,
    fig_examples,
    fig_images,
    fig_kappas,
    fig_map,
    fig_onset,
    fig_penalty,
    fig_plateaus,
    fig_ridge,
    fig_single,
    fig_task,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_descent", "explorer_map", "explorer_theory", "fig_clock",
    "fig_collapse", "fig_examples", "fig_images", "fig_kappas", "fig_map", "fig_onset", "fig_penalty", "fig_plateaus",
    "fig_ridge", "fig_single", "fig_task",
]
