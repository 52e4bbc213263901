"""What a reader sees of the lesson *error feedback reloaded*: figures, explorers, checkers."""
from __future__ import annotations

from gradscape.lessons.distributed.error_feedback.exercises import check_1, check_2, check_3
from gradscape.lessons.distributed.error_feedback.explorers import (
    EXPLORERS,
    explorer_compressor,
    explorer_many,
    explorer_race,
    explorer_weights,
)
from gradscape.lessons.distributed.error_feedback.figures import (
    fig_baselines,
    fig_clones,
    fig_costs,
    fig_guarantee,
    fig_own,
    fig_variants,
    fig_weights,
)
from gradscape.lessons.distributed.error_feedback.races import (
    fig_growth,
    fig_race,
    fig_tables,
    fig_tuned,
    fig_twins,
    fig_wire,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_compressor", "explorer_many", "explorer_race",
    "explorer_weights", "fig_baselines", "fig_clones", "fig_costs", "fig_growth", "fig_guarantee", "fig_own",
    "fig_race", "fig_tables", "fig_tuned", "fig_twins", "fig_variants", "fig_weights", "fig_wire",
]
