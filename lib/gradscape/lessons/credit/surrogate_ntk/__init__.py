"""What a reader sees of the surrogate-NTK lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.credit.surrogate_ntk.exercises import check_1, check_2, check_3
from gradscape.lessons.credit.surrogate_ntk.explorers import (
    EXPLORERS,
    explorer_ensemble,
    explorer_kernels,
    explorer_regression,
    fig_kernel_view,
    fig_regression_view,
)
from gradscape.lessons.credit.surrogate_ntk.figures import (
    fig_convergence,
    fig_diagonals,
    fig_digits,
    fig_ensembles,
    fig_kernels,
    fig_run,
    fig_single,
    fig_spikes,
    fig_spread,
    fig_widths,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_ensemble", "explorer_kernels", "explorer_regression",
    "fig_convergence", "fig_diagonals", "fig_digits", "fig_ensembles", "fig_kernel_view", "fig_kernels",
    "fig_regression_view", "fig_run", "fig_single", "fig_spikes", "fig_spread", "fig_widths",
]
