"""Eliminating oversaturation and artifacts of high guidance scales in diffusion models (Sadat, Hilliges & Weber 2024,
arXiv 2410.02416): classifier-free guidance split into a part along the image and a part across it.

``guidance`` and ``parametrization``: the algorithm; ``metrics``: what is measured on images; ``patches`` (part A, exact
denoiser) and ``garments`` (part B, trained ``denoiser``): the experiments; ``claims``: what the lesson measures.
"""
from __future__ import annotations

from gradscape.diffusion.projected_guidance.claims import (
    CLAIMS,
    MEASURES,
    TABLES,
    ablation_table,
    excess,
    measure,
    point,
)
from gradscape.diffusion.projected_guidance.denoiser import FilmMLP, MLPDenoiser, OperationCount, fit_denoiser
from gradscape.diffusion.projected_guidance.garments import (
    Cost,
    GarmentComparison,
    GarmentJudge,
    compare_garments,
    denoiser_of,
    experiment_cost,
    experiment_garments,
    garment_judge,
    generate,
)
from gradscape.diffusion.projected_guidance.guidance import (
    AdaptiveProjectedGuidance,
    GuidanceNorms,
    MomentumBuffer,
    cfg,
    clip_norm,
    decompose,
    project_guidance,
)
from gradscape.diffusion.projected_guidance.methods import ParallelGuidance, guided
from gradscape.diffusion.projected_guidance.metrics import (
    Components,
    accuracy,
    clip_fraction,
    contrast,
    fit_classifier,
    frechet,
    hsv_saturation,
    mean_norm,
    overshoot,
    precision_recall,
)
from gradscape.diffusion.projected_guidance.parametrization import NoiseSpaceGuidance, from_denoised, to_denoised
from gradscape.diffusion.projected_guidance.patches import (
    PatchComparison,
    PatchWorld,
    compare_patches,
    experiment_patches,
    fit_mixture,
    patch_world,
)
from gradscape.diffusion.projected_guidance.settings import SIZES, Settings, Sizes

__all__ = [
    "CLAIMS", "MEASURES", "SIZES", "TABLES", "AdaptiveProjectedGuidance", "Components", "Cost", "FilmMLP",
    "GarmentComparison", "GarmentJudge", "GuidanceNorms", "MLPDenoiser", "MomentumBuffer", "NoiseSpaceGuidance",
    "OperationCount", "ParallelGuidance", "PatchComparison", "PatchWorld", "Settings", "Sizes", "ablation_table",
    "accuracy", "cfg", "clip_fraction", "clip_norm", "compare_garments", "compare_patches", "contrast", "decompose",
    "denoiser_of", "excess", "experiment_cost", "experiment_garments", "experiment_patches", "fit_classifier",
    "fit_denoiser", "fit_mixture", "frechet", "from_denoised", "garment_judge", "generate", "guided", "hsv_saturation",
    "mean_norm", "measure", "overshoot", "patch_world", "point", "precision_recall", "project_guidance", "to_denoised",
]
