"""What a reader sees of the TopoCurate lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.agents.topocurate.exercises import check_1, check_2, check_3
from gradscape.lessons.agents.topocurate.explorers import EXPLORERS, explorer_graph, explorer_learn, explorer_pool
from gradscape.lessons.agents.topocurate.figures import (
    fig_graph,
    fig_grpo,
    fig_models,
    fig_own,
    fig_scores,
    fig_snr,
    fig_study,
    transcript,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_graph", "explorer_learn", "explorer_pool", "fig_graph",
    "fig_grpo", "fig_models", "fig_own", "fig_scores", "fig_snr", "fig_study", "transcript",
]
