"""What a reader sees of the NoProp lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.credit.noprop.exercises import check_1, check_2, check_3
from gradscape.lessons.credit.noprop.explorers import (
    EXPLORERS,
    explorer_listening,
    explorer_retrain,
    explorer_schedule,
    explorer_way,
)
from gradscape.lessons.credit.noprop.figures import (
    fig_learning,
    fig_listening,
    fig_memory,
    fig_readings,
    fig_recorded,
    fig_retrain,
    fig_schedule,
    fig_way,
)
from gradscape.lessons.credit.noprop.views import hearing, schedule_view, way

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_listening", "explorer_retrain", "explorer_schedule",
    "explorer_way", "fig_learning", "fig_listening", "fig_memory", "fig_readings", "fig_recorded", "fig_retrain",
    "fig_schedule", "fig_way", "hearing", "schedule_view", "way",
]
