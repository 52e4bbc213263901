"""What a reader sees of the lesson *EControl*: figures, explorers, checkers."""
from __future__ import annotations

from gradscape.lessons.distributed.econtrol.exercises import check_1, check_2, check_3
from gradscape.lessons.distributed.econtrol.explorers import (
    EXPLORERS,
    explorer_curves,
    explorer_roots,
    explorer_sweep,
)
from gradscape.lessons.distributed.econtrol.figures import (
    fig_bits,
    fig_clean,
    fig_curves,
    fig_errors_kept,
    fig_gains,
    fig_images,
    fig_network,
    fig_noisy,
    fig_roots,
    fig_skewed,
    fig_speedup,
    fig_sweep,
    fig_table,
    fig_wire,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_curves", "explorer_roots", "explorer_sweep", "fig_bits",
    "fig_clean", "fig_curves", "fig_errors_kept", "fig_gains", "fig_images", "fig_network", "fig_noisy", "fig_roots",
    "fig_skewed", "fig_speedup", "fig_sweep", "fig_table", "fig_wire",
]
