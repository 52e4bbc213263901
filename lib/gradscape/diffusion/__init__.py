"""Diffusion models: what they learn, what they can make, and how to steer them."""
from __future__ import annotations

import importlib
from typing import Any

# Public name -> lesson that defines it; loaded when first asked for.
_NAMES = {
    "AdaptiveProjectedGuidance": "projected_guidance",
    "MLPDenoiser": "projected_guidance",
    "MomentumBuffer": "projected_guidance",
    "cfg": "projected_guidance",
    "clip_norm": "projected_guidance",
    "decompose": "projected_guidance",
    "fit_denoiser": "projected_guidance",
    "frechet": "projected_guidance",
    "from_denoised": "projected_guidance",
    "hsv_saturation": "projected_guidance",
    "overshoot": "projected_guidance",
    "precision_recall": "projected_guidance",
    "project_guidance": "projected_guidance",
    "to_denoised": "projected_guidance",
}
_LESSONS = ("projected_guidance",)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _LESSONS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_LESSONS])
