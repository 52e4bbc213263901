"""What a reader sees of the lesson on rectified straight-through estimators: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.credit.rectified_ste.exercises import calm, check_1, check_2, check_3
from gradscape.lessons.credit.rectified_ste.explorers import (
    EXPLORERS,
    explorer_curves,
    explorer_gradients,
    explorer_network,
    explorer_plane,
)
from gradscape.lessons.credit.rectified_ste.figures import (
    fig_alone,
    fig_convnet,
    fig_curves,
    fig_estimators,
    fig_gradients,
    fig_paired,
    fig_plane,
    fig_recorded,
    fig_schedule,
    fig_sweep,
    fig_training,
    fig_tuned,
    fig_weights,
)

__all__ = [
    "EXPLORERS", "calm", "check_1", "check_2", "check_3", "explorer_curves", "explorer_gradients", "explorer_network",
    "explorer_plane", "fig_alone", "fig_convnet", "fig_curves", "fig_estimators", "fig_gradients", "fig_paired",
    "fig_plane", "fig_recorded", "fig_schedule", "fig_sweep", "fig_training", "fig_tuned", "fig_weights",
]
