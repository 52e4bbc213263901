"""What a reader sees of the SGD-noise lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.dynamics.sgd_noise.exercises import check_1, check_2, check_3
from gradscape.lessons.dynamics.sgd_noise.explorers import (
    EXPLORERS,
    explorer_networks,
    explorer_perceptron,
    explorer_phase,
)
from gradscape.lessons.dynamics.sgd_noise.figures import (
    Course,
    fig_batches,
    fig_benefit,
    fig_counter,
    fig_course,
    fig_edges,
    fig_lazy,
    fig_network,
    fig_phase,
    fig_sizes,
    fig_temperature,
)

__all__ = [
    "EXPLORERS", "Course", "check_1", "check_2", "check_3", "explorer_networks", "explorer_perceptron",
    "explorer_phase", "fig_batches", "fig_benefit", "fig_counter", "fig_course", "fig_edges", "fig_lazy",
    "fig_network", "fig_phase", "fig_sizes", "fig_temperature",
]
