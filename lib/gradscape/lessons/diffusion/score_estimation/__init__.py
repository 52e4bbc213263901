"""What a reader sees of the score lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.diffusion.score_estimation.exercises import check_1, check_2, check_3
from gradscape.lessons.diffusion.score_estimation.explorers import (
    EXPLORERS,
    explorer_data,
    explorer_network,
    explorer_path,
    explorer_rule,
)
from gradscape.lessons.diffusion.score_estimation.figures import (
    fig_curve,
    fig_decomposition,
    fig_digits,
    fig_field,
    fig_fields,
    fig_labels,
    fig_network,
    fig_networks,
    fig_paths,
    fig_rule,
    fig_samples,
    fig_targets,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_data", "explorer_network", "explorer_path",
    "explorer_rule", "fig_curve", "fig_decomposition", "fig_digits", "fig_field", "fig_fields", "fig_labels",
    "fig_network", "fig_networks", "fig_paths", "fig_rule", "fig_samples", "fig_targets",
]
