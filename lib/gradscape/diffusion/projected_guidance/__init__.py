"""Eliminating oversaturation and artifacts of high guidance scales in diffusion models (Sadat, Hilliges & Weber 2024,
arXiv 2410.02416): classifier-free guidance split into a part along the image and a part across it.
"""
from __future__ import annotations

from gradscape.diffusion.projected_guidance.guidance import (
    AdaptiveProjectedGuidance,
    GuidanceNorms,
    MomentumBuffer,
    cfg,
    clip_norm,
    decompose,
    project_guidance,
)
from gradscape.diffusion.projected_guidance.parametrization import NoiseSpaceGuidance, from_denoised, to_denoised

__all__ = [
    "AdaptiveProjectedGuidance", "GuidanceNorms", "MomentumBuffer", "NoiseSpaceGuidance", "cfg", "clip_norm",
    "decompose", "from_denoised", "project_guidance", "to_denoised",
]
