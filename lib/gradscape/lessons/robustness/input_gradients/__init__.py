"""What a reader sees of the input-gradients lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.robustness.input_gradients.exercises import check_1, check_2, check_3
from gradscape.lessons.robustness.input_gradients.explorers import (
    EXPLORERS,
    explorer_look,
    explorer_points,
    explorer_roar,
)
from gradscape.lessons.robustness.input_gradients.figures import (
    fig_gallery,
    fig_leakage,
    fig_look,
    fig_maps,
    fig_marks,
    fig_point,
    fig_power,
    fig_recorded_blocks,
    fig_recorded_roar,
    fig_roar,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_look", "explorer_points", "explorer_roar", "fig_gallery",
    "fig_leakage", "fig_look", "fig_maps", "fig_marks", "fig_point", "fig_power", "fig_recorded_blocks",
    "fig_recorded_roar", "fig_roar",
]
