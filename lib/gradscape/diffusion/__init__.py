"""Diffusion models: what they learn, what they can make, and how to steer them."""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["projected_guidance"],
    {
        "projected_guidance": [
            "AdaptiveProjectedGuidance", "cfg", "clip_norm", "decompose", "fit_denoiser", "frechet", "from_denoised",
            "hsv_saturation", "MLPDenoiser", "MomentumBuffer", "overshoot", "precision_recall", "project_guidance",
            "to_denoised",
        ],
    },
)
