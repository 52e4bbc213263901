"""What a reader sees of the AnyLoss lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.optimizers.anyloss.exercises import check_1, check_2, check_3
from gradscape.lessons.optimizers.anyloss.explorers import (
    EXPLORERS,
    explorer_plane,
    explorer_starts,
    explorer_table,
)
from gradscape.lessons.optimizers.anyloss.figures import (
    fig_amplifications,
    fig_amplifier,
    fig_gap,
    fig_networks,
    fig_plane,
    fig_recorded,
    fig_scores,
    fig_starts,
    fig_table_run,
    fig_tables,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_plane", "explorer_starts", "explorer_table",
    "fig_amplifications", "fig_amplifier", "fig_gap", "fig_networks", "fig_plane", "fig_recorded", "fig_scores",
    "fig_starts", "fig_table_run", "fig_tables",
]
