"""The ways to guide that the lesson compares, by name."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from gradscape.diffusion.projected_guidance.guidance import AdaptiveProjectedGuidance, decompose
from gradscape.diffusion.projected_guidance.parametrization import NoiseSpaceGuidance
from gradscape.generative.edm import sample
from gradscape.validate import one_of

Guidance = Callable[[Tensor, Tensor], Tensor]

UNGUIDED, CFG = "w = 1", "CFG"
ORTHOGONAL, PARALLEL, NOISE_SPACE = "orthogonal part only", "parallel part only", "η = 0 on ε"
APG_PATCHES, APG_GARMENTS = "APG(0, 2.5, -0.5)", "APG(0, 2.5, -0.75)"
RADIUS_ONLY, MOMENTUM_ONLY = "η = 0, r = 2.5", "η = 0, β = -0.5"

# name -> (eta, r, beta)
SETTINGS = {
    CFG: (1.0, 0.0, 0.0),
    ORTHOGONAL: (0.0, 0.0, 0.0),
    RADIUS_ONLY: (0.0, 2.5, 0.0),
    MOMENTUM_ONLY: (0.0, 0.0, -0.5),
    APG_PATCHES: (0.0, 2.5, -0.5),
    APG_GARMENTS: (0.0, 2.5, -0.75),
}
NAMES = (UNGUIDED, *SETTINGS, PARALLEL, NOISE_SPACE)


class ParallelGuidance:
    """Guidance by the parallel part alone, D = D_c + (w - 1) par: the counterpart of eta = 0, for claim G1."""

    def __init__(self, w: float) -> None:
        self.w = w

    def __call__(self, d_cond: Tensor, d_uncond: Tensor) -> Tensor:
        """Return the guided prediction."""
        return d_cond + (self.w - 1) * decompose(d_cond - d_uncond, d_cond)[0]


def guided(method: str, denoiser: Any, noise: Tensor, sigmas: Tensor, labels: Tensor, w: float) -> Tensor:
    """Sample with one of ``NAMES`` at scale w; every method starts from the noise that is handed in."""
    one_of("method", method, NAMES)
    guidance: Guidance | None = None
    if method == NOISE_SPACE:
        denoiser = guidance = NoiseSpaceGuidance(denoiser, AdaptiveProjectedGuidance(w))
    elif method == PARALLEL:
        guidance = ParallelGuidance(w)
    elif method != UNGUIDED:
        guidance = AdaptiveProjectedGuidance(w, *SETTINGS[method])
    return sample(denoiser, noise, sigmas, labels=labels, guidance=guidance)
