"""What a reader sees of the diffGrad lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.optimizers.diffgrad.exercises import check_1, check_2, check_3
from gradscape.lessons.optimizers.diffgrad.explorers import (
    EXPLORERS,
    explorer_basins,
    explorer_landscape,
    explorer_train,
)
from gradscape.lessons.optimizers.diffgrad.figures import (
    fig_alias,
    fig_basins,
    fig_descent,
    fig_friction,
    fig_grid,
    fig_regret,
    fig_scale,
    fig_table,
    fig_toys,
    fig_train,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_basins", "explorer_landscape", "explorer_train",
    "fig_alias", "fig_basins", "fig_descent", "fig_friction", "fig_grid", "fig_regret", "fig_scale", "fig_table",
    "fig_toys", "fig_train",
]
