"""What a reader sees of projected guidance: figures, explorers, checkers."""
from __future__ import annotations

from gradscape.lessons.diffusion.projected_guidance.exercises import check_1, check_2, check_3
from gradscape.lessons.diffusion.projected_guidance.explorers import (
    EXPLORERS,
    explorer_geometry,
    explorer_patches,
    explorer_trained,
    fig_geometry,
    step_in_the_plane,
)
from gradscape.lessons.diffusion.projected_guidance.figures import (
    fig_burn,
    fig_cost,
    fig_garment_images,
    fig_garments,
    fig_momentum,
    fig_norms,
    fig_parts,
    fig_patch_explorer,
    fig_patches,
    fig_scales,
    fig_trained,
)

__all__ = [
    "EXPLORERS", "check_1", "check_2", "check_3", "explorer_geometry", "explorer_patches", "explorer_trained",
    "fig_burn", "fig_cost", "fig_garment_images", "fig_garments", "fig_geometry", "fig_momentum", "fig_norms",
    "fig_parts", "fig_patch_explorer", "fig_patches", "fig_scales", "fig_trained", "step_in_the_plane",
]
