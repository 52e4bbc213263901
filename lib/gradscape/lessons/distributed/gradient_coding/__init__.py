"""What a reader sees of the lesson *sequential gradient coding*: figures, explorers, checkers."""
from __future__ import annotations

from gradscape.lessons.distributed.gradient_coding.exercises import check_1, check_2, check_3
from gradscape.lessons.distributed.gradient_coding.explorers import (
    EXPLORERS,
    explorer_cluster,
    explorer_loads,
    explorer_search,
)
from gradscape.lessons.distributed.gradient_coding.figures import (
    fig_choice,
    fig_cluster,
    fig_code,
    fig_code_errors,
    fig_delays,
    fig_loads,
    fig_map,
    fig_race,
    fig_ratio,
    fig_real,
    fig_scenarios,
    fig_tiles,
    fig_training,
    fig_wire,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_cluster", "explorer_loads", "explorer_search", "fig_choice",
    "fig_cluster", "fig_code", "fig_code_errors", "fig_delays", "fig_loads", "fig_map", "fig_race", "fig_ratio",
    "fig_real", "fig_scenarios", "fig_tiles", "fig_training", "fig_wire",
]
