"""What a reader sees of the concentration lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.diffusion.concentration.exercises import (
    check_1,
    check_2,
    check_3,
    garments,
    simulated,
    target,
)
from gradscape.lessons.diffusion.concentration.explorers import (
    EXPLORERS,
    explorer_errors,
    explorer_function,
    explorer_retrain,
    explorer_sampler,
    explorer_tails,
)
from gradscape.lessons.diffusion.concentration.figures import (
    fig_errors,
    fig_functions,
    fig_kinds,
    fig_norms,
    fig_recorded,
    fig_samples,
    fig_spectra,
    fig_stretch,
    fig_tail,
    fig_tails,
    names,
)
from gradscape.lessons.diffusion.concentration.own_figures import (
    OneFunction,
    fig_function,
    fig_own_errors,
    fig_retrained,
    fig_sampler,
)

__all__ = [
    "EXPLORERS", "OneFunction", "check_1", "check_2", "check_3", "explorer_errors", "explorer_function",
    "explorer_retrain", "explorer_sampler", "explorer_tails", "fig_errors", "fig_function", "fig_functions",
    "fig_kinds", "fig_norms", "fig_own_errors", "fig_recorded", "fig_retrained", "fig_sampler", "fig_samples",
    "fig_spectra", "fig_stretch", "fig_tail", "fig_tails", "garments", "names", "simulated", "target",
]
