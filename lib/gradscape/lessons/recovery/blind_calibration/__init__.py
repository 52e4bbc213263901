"""What a reader sees of the calibration lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.recovery.blind_calibration.exercises import check_1, check_2, check_3, dead_sensor
from gradscape.lessons.recovery.blind_calibration.explorers import (
    EXPLORERS,
    explorer_diagram,
    explorer_image,
    explorer_prior,
    explorer_problem,
)
from gradscape.lessons.recovery.blind_calibration.figures import (
    fig_gains,
    fig_ignoring,
    fig_image,
    fig_image_way,
    fig_noise,
    fig_prior,
    fig_recorded,
    fig_run,
    fig_transition,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "dead_sensor", "explorer_diagram", "explorer_image",
    "explorer_prior", "explorer_problem", "fig_gains", "fig_ignoring", "fig_image", "fig_image_way", "fig_noise",
    "fig_prior", "fig_recorded", "fig_run", "fig_transition",
]
