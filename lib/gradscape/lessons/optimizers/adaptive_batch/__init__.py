"""What a reader sees of the adaptive-batch lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.optimizers.adaptive_batch.exercises import check_1, check_2, check_3
from gradscape.lessons.optimizers.adaptive_batch.explorers import (
    EXPLORERS,
    explorer_batch,
    explorer_stream,
    explorer_train,
)
from gradscape.lessons.optimizers.adaptive_batch.figures import (
    fig_batches,
    fig_errors,
    fig_frozen,
    fig_learning_rates,
    fig_networks,
    fig_one_batch,
    fig_own_stream,
    fig_rates_of_convergence,
    fig_schedules,
    fig_trained,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_batch", "explorer_stream", "explorer_train", "fig_batches",
    "fig_errors", "fig_frozen", "fig_learning_rates", "fig_networks", "fig_one_batch", "fig_own_stream",
    "fig_rates_of_convergence", "fig_schedules", "fig_trained",
]
