"""What a reader sees of the robust-matrix lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.recovery.robust_matrix.exercises import check_1, check_2, check_3
from gradscape.lessons.recovery.robust_matrix.explorers import (
    EXPLORERS,
    explorer_phi,
    explorer_problems,
    explorer_rip,
    explorer_run,
)
from gradscape.lessons.recovery.robust_matrix.figures import (
    fig_choices,
    fig_growth,
    fig_image,
    fig_kappa,
    fig_noise,
    fig_outliers,
    fig_run,
    fig_samples,
    fig_starts,
)
from gradscape.lessons.recovery.robust_matrix.rip_figures import fig_limit, fig_phi, fig_rip, fig_sweep

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_phi", "explorer_problems", "explorer_rip", "explorer_run",
    "fig_choices", "fig_growth", "fig_image", "fig_kappa", "fig_limit", "fig_noise", "fig_outliers", "fig_phi",
    "fig_rip", "fig_run", "fig_samples", "fig_starts", "fig_sweep",
]
