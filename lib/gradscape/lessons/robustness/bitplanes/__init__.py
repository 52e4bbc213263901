"""What a reader sees of the bit-planes lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.robustness.bitplanes.exercises import check_1, check_2, check_3, mystery
from gradscape.lessons.robustness.bitplanes.explorers import (
    EXPLORERS,
    explorer_matrix,
    explorer_pipeline,
    explorer_planes,
    look,
)
from gradscape.lessons.robustness.bitplanes.figures import (
    fig_arms,
    fig_choices,
    fig_cues,
    fig_flat,
    fig_images,
    fig_matrix,
    fig_mystery,
    fig_ones,
    fig_pipeline,
    fig_planes,
    fig_planes_kept,
    fig_positives,
    fig_robustness,
    fig_table,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_matrix", "explorer_pipeline", "explorer_planes",
    "fig_arms", "fig_choices", "fig_cues", "fig_flat", "fig_images", "fig_matrix", "fig_mystery", "fig_ones",
    "fig_pipeline", "fig_planes", "fig_planes_kept", "fig_positives", "fig_robustness", "fig_table", "look", "mystery",
]
