"""What a reader sees of the bidirectional-learning lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.robustness.bidirectional.exercises import check_1, check_2, check_3
from gradscape.lessons.robustness.bidirectional.explorers import (
    EXPLORERS,
    explorer_curves,
    explorer_image,
    explorer_log,
    explorer_prototypes,
    explorer_saturation,
    explorer_train,
)
from gradscape.lessons.robustness.bidirectional.figures import (
    fig_appendix,
    fig_confidence,
    fig_curves,
    fig_drawings,
    fig_image,
    fig_log,
    fig_masking,
    fig_networks,
    fig_overtrained,
    fig_pair,
    fig_prototypes,
    fig_saturated,
    fig_split,
    fig_study,
    fig_tuning,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_curves", "explorer_image", "explorer_log",
    "explorer_prototypes", "explorer_saturation", "explorer_train", "fig_appendix", "fig_confidence", "fig_curves",
    "fig_drawings", "fig_image", "fig_log", "fig_masking", "fig_networks", "fig_overtrained", "fig_pair",
    "fig_prototypes", "fig_saturated", "fig_split", "fig_study", "fig_tuning",
]
