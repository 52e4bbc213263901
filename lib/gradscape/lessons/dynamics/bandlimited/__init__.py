"""What a reader sees of the bandlimited lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.dynamics.bandlimited.exercises import check_1, check_2, check_3
from gradscape.lessons.dynamics.bandlimited.explorers import (
    EXPLORERS,
    explorer_floors,
    explorer_net,
    explorer_ridgelet,
)
from gradscape.lessons.dynamics.bandlimited.figures import (
    fig_box,
    fig_budget,
    fig_digits,
    fig_exact,
    fig_filter,
    fig_floor,
    fig_floors_at,
    fig_frequency,
    fig_net,
    fig_other,
    fig_ridgelet,
    fig_spectra,
    fig_width,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_floors", "explorer_net", "explorer_ridgelet", "fig_box",
    "fig_budget", "fig_digits", "fig_exact", "fig_filter", "fig_floor", "fig_floors_at", "fig_frequency", "fig_net",
    "fig_other", "fig_ridgelet", "fig_spectra", "fig_width",
]
