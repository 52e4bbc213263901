"""What a reader sees of the Noise2Score lesson: figures, explorers and checkers."""
from __future__ import annotations

from gradscape.lessons.diffusion.noise2score.exercises import check_1, check_2, check_3
from gradscape.lessons.diffusion.noise2score.explorers import (
    EXPLORERS,
    explorer_line,
    explorer_sweep,
    explorer_training,
)
from gradscape.lessons.diffusion.noise2score.figures import (
    fig_blind,
    fig_images,
    fig_line,
    fig_methods,
    fig_noises,
    fig_rules,
    fig_run,
    fig_schedules,
    fig_sweep,
    fig_texture,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_line", "explorer_sweep", "explorer_training", "fig_blind",
    "fig_images", "fig_line", "fig_methods", "fig_noises", "fig_rules", "fig_run", "fig_schedules", "fig_sweep",
    "fig_texture",
]
