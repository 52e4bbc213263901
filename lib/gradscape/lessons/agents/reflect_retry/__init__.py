"""What a reader sees of the R^3L lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.agents.reflect_retry.exercises import check_1, check_2, check_3
from gradscape.lessons.agents.reflect_retry.explorers import (
    EXPLORERS,
    explorer_dominance,
    explorer_training,
    explorer_walk,
)
from gradscape.lessons.agents.reflect_retry.figures import (
    fig_contrast,
    fig_dominance,
    fig_gains,
    fig_grid,
    fig_history,
    fig_offsets,
    fig_pivots,
    fig_recorded,
    fig_restarts,
    fig_runs,
    fig_walk,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_dominance", "explorer_training", "explorer_walk",
    "fig_contrast", "fig_dominance", "fig_gains", "fig_grid", "fig_history", "fig_offsets", "fig_pivots",
    "fig_recorded", "fig_restarts", "fig_runs", "fig_walk",
]
