"""How far a sampler can stretch its noise, and what that says about any smooth function of its samples.

Let X = G(z) with z standard normal and Lipschitz constant Λ. Gaussian concentration: for every 1-Lipschitz φ,
``Var φ(X) <= Λ²`` and ``P(|φ(X) - E φ(X)| >= r) <= 2 exp(-r²/2Λ²)``.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradscape.generative.edm import karras_sigmas, sample
from gradscape.validate import at_least, positive

Denoiser = Callable[..., Tensor]


def edm_sample(
    denoiser: Denoiser, z: Tensor, y: Tensor | None = None, steps: int = 18, *, churn: float = 0.0, heun: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The sampler of the experiments: standard normal z (B, d) to samples (B, d); differentiable without churn."""
    sigmas = karras_sigmas(at_least("steps", steps, 1), dtype=z.dtype)
    return sample(denoiser, z, sigmas, labels=y, heun=heun, churn=churn, generator=generator)


def sampler_lipschitz(
    denoiser: Denoiser, z: Tensor, y: Tensor | None = None, steps: int = 18, iters: int = 12, *, heun: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Largest singular value of the Jacobian dX/dz at each z, (B,), by power iteration through the whole sampler.

    Each is a lower estimate of Λ. Products with the Jacobian and its transpose only; the Jacobian is never formed.
    """
    at_least("iters", iters, 1)

    def whole(noise: Tensor) -> Tensor:
        return edm_sample(denoiser, noise, y, steps, heun=heun)

    back = torch.func.vjp(whole, z)[1]  # u -> Jᵀu
    ahead = torch.func.vjp(lambda u: back(u)[0], torch.zeros_like(z))[1]  # the transpose of that: v -> Jv
    v = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    for _ in range(iters):
        v = v / v.norm(dim=1, keepdim=True)
        (v,) = back(ahead(v)[0])
    v = v / v.norm(dim=1, keepdim=True)
    return ahead(v)[0].norm(dim=1).detach()


def lipschitz_bound(constants: Sequence[float] | Tensor, schedule: Tensor) -> float:
    """Λ of the Euler sampler without churn from the constants L_i of D(·, t_i): t_0 Π [r_i + (1 - r_i) L_i].

    ``schedule``: noise levels t_0 > … > t_N = 0 (N + 1,); ``constants``: N of them; r_i = t_{i+1}/t_i.
    """
    if len(constants) != len(schedule) - 1:
        raise ValueError(f"constants: {len(constants)} for {len(schedule)} levels; one per step is needed")
    bound = float(schedule[0])
    for now, after, constant in zip(schedule[:-1].tolist(), schedule[1:].tolist(), constants, strict=True):
        if not float(constant) >= 0:
            raise ValueError(f"constants holds {constant!r}: a Lipschitz constant is >= 0")
        ratio = after / positive("schedule", now)
        bound *= ratio + (1 - ratio) * float(constant)
    return bound


def gaussian_lipschitz(largest: float, smax: float = 80.0) -> float:
    """Λ for data N(0, Σ) and the exact denoiser in the limit of many steps: Λ² = λ smax²/(smax² + λ), λ the largest."""
    positive("largest", largest)
    return math.sqrt(largest * positive("smax", smax) ** 2 / (smax**2 + largest))


def envelope(r: Tensor, lam: float) -> Tensor:
    """The bound 2 exp(-r²/2Λ²) on P(|φ - E φ| >= r), at most 1."""
    return (2 * torch.exp(-(r**2) / (2 * positive("lam", lam) ** 2))).clamp_max(1)


def lipschitz_functions(X: Tensor, anchors: Tensor, directions: Tensor) -> dict[str, Tensor]:
    """1-Lipschitz functions of samples X (n, d), by name, (n,) each: the norm, the largest coordinate, the distances
    to the first of the points ``anchors`` (k, d) and to the nearest of them, projections on unit ``directions`` (k, d).
    """
    lengths = directions.norm(dim=1)
    if bool(((lengths - 1).abs() > 1e-6).any()):
        raise ValueError(f"directions: lengths {lengths.min():.4g} to {lengths.max():.4g}; must be unit vectors")
    near = torch.cdist(X, anchors)
    found = {"norm": X.norm(dim=1), "largest coordinate": X.amax(1), "distance to a fixed point": near[:, 0],
             "distance to the nearest point": near.amin(1)}
    return found | {f"projection {k + 1}": X @ v for k, v in enumerate(directions)}
