"""What a reader sees of the high-dimensional lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.dynamics.high_dimensional.exercises import check_1, check_2, check_3
from gradscape.lessons.dynamics.high_dimensional.explorers import (
    EXPLORERS,
    explorer_errors,
    explorer_networks,
    explorer_simulation,
    explorer_spectrum,
)
from gradscape.lessons.dynamics.high_dimensional.figures import (
    fig_features,
    fig_images,
    fig_initial,
    fig_learning,
    fig_networks,
    fig_overtraining,
    fig_peak,
    fig_ridge,
    fig_spectra,
    fig_spectrum,
    fig_stopping,
    fig_task,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_errors", "explorer_networks", "explorer_simulation",
    "explorer_spectrum", "fig_features", "fig_images", "fig_initial", "fig_learning", "fig_networks",
    "fig_overtraining", "fig_peak", "fig_ridge", "fig_spectra", "fig_spectrum", "fig_stopping", "fig_task",
]
