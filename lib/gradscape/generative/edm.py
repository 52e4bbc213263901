"""The EDM recipe (Karras, Aittala, Aila & Laine 2022, arXiv 2206.00364): levels, preconditioning, loss and sampler.

A denoiser is any callable ``denoiser(x, sigma, labels) -> D`` that estimates x0 from x = x0 + sigma n. To be guided it
also has ``denoiser.pair(x, sigma, labels) -> (D_c, D_u)``, the predictions with and without the condition.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradscape.validate import at_least, nonnegative, positive


def karras_sigmas(n: int, smin: float = 0.002, smax: float = 80.0, rho: float = 7.0, *, dtype=torch.float64) -> Tensor:
    """Return n noise levels falling from smax to smin, and a final 0 (EDM, eq. 5): shape (n + 1,).

    sigma_i = (smax^{1/rho} + i/(n-1) (smin^{1/rho} - smax^{1/rho}))^rho; n = 1 gives (smax, 0).
    """
    at_least("n", n, 1)
    positive("smin", smin)
    positive("rho", rho)
    if not smax >= smin:
        raise ValueError(f"smax={smax!r}: must not be below smin={smin!r}")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    high, low = smax ** (1 / rho), smin ** (1 / rho)
    levels = (high + ramp * (low - high)) ** rho
    return torch.cat([levels, levels.new_zeros(1)]).to(dtype)


class Preconditioning(NamedTuple):
    """EDM's four coefficients: D = skip x + out F(inp x, noise)."""

    skip: Tensor
    out: Tensor
    inp: Tensor
    noise: Tensor


def precondition(sigma: Tensor, sigma_data: float = 0.5) -> Preconditioning:
    """Return c_skip, c_out, c_in and c_noise = ln(sigma)/4 (EDM, Table 1); sigma > 0 of any shape."""
    positive("sigma_data", sigma_data)
    total = sigma**2 + sigma_data**2
    return Preconditioning(sigma_data**2 / total, sigma * sigma_data / total.sqrt(), total.rsqrt(), sigma.log() / 4)


class EDMDenoiser(nn.Module):
    """A network in EDM's preconditioning: D(x, sigma) = c_skip x + c_out F(c_in x, c_noise, labels) (EDM, eq. 7).

    Args:
        backbone: F, called as ``backbone(x, c_noise, labels)``; c_noise has shape () when one sigma serves the whole
            batch, else (B,).
        sigma_data: standard deviation of the data.
        null_label: the label that means "no condition"; needed by `pair` only.
    """

    def __init__(self, backbone: nn.Module, sigma_data: float = 0.5, null_label: int | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.sigma_data = positive("sigma_data", sigma_data)
        self.null_label = null_label

    def forward(self, x: Tensor, sigma: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """Return D(x, sigma); x (B, ...), sigma a number or (B,)."""
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        c = precondition(_per_sample(sigma, x), self.sigma_data)
        inner = self.backbone(c.inp * x, sigma.log() / 4, labels)
        return c.skip * x + c.out * inner

    def pair(self, x: Tensor, sigma: Tensor | float, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (D_c, D_u) from one forward pass of the doubled batch [x; x] with labels [y; none]."""
        if self.null_label is None:
            raise ValueError("null_label=None: a guided denoiser needs the label that means 'no condition'")
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        doubled = torch.cat([sigma, sigma]) if sigma.ndim else sigma
        both = self(torch.cat([x, x]), doubled, torch.cat([labels, torch.full_like(labels, self.null_label)]))
        cond, uncond = both.chunk(2)
        return cond, uncond


def edm_loss(
    denoiser: EDMDenoiser,
    x: Tensor,
    labels: Tensor | None = None,
    *,
    log_mean: float = -1.2,
    log_std: float = 1.2,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return EDM's loss (eq. 8) of a batch: ln sigma ~ N(log_mean, log_std^2), weight 1/c_out^2, mean over entries."""
    sigma = torch.exp(log_mean + log_std * torch.randn(len(x), generator=generator, dtype=x.dtype))
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    error = denoiser(x + _per_sample(sigma, x) * noise, sigma, labels) - x
    weight = (sigma**2 + denoiser.sigma_data**2) / (sigma * denoiser.sigma_data) ** 2
    return (_per_sample(weight, x) * error**2).mean()


def sample(
    denoiser: Callable[..., Tensor],
    noise: Tensor,
    sigmas: Tensor,
    *,
    labels: Tensor | None = None,
    guidance: Callable[[Tensor, Tensor], Tensor] | None = None,
    heun: bool = False,
    churn: float = 0.0,
    churn_range: tuple[float, float] = (0.05, 50.0),
    churn_noise: float = 1.003,
    generator: torch.Generator | None = None,
    trace: Callable[[int, float, Tensor], Any] | None = None,
) -> Tensor:
    """Integrate the probability-flow equation dx/dsigma = (x - D)/sigma from sigmas[0] down to 0 (EDM, Alg. 1 and 2).

    Differentiable in ``noise`` (wrap the call in ``torch.inference_mode()`` when that is not wanted).

    Args:
        denoiser: see the module's text; its ``pair`` is used when there is a guidance.
        noise: standard normal draws (B, ...); the start is sigmas[0] * noise.
        sigmas: falling noise levels that end in 0, as `karras_sigmas` makes them.
        labels: conditions (B,), handed to the denoiser.
        guidance: ``guidance(D_c, D_u) -> D``; its ``reset()``, if any, is called first, so no state leaks between
            trajectories. With ``heun`` it is called, and its momentum advances, once per evaluation: twice per step.
        heun: second-order correction (not in the last step, which ends in sigma = 0).
        churn: EDM's S_churn; each step inside ``churn_range`` first raises the noise by min(churn/N, sqrt 2 - 1).
        trace: called as ``trace(step, sigma, D)`` at each step's first evaluation.

    Example:
        >>> wiener = lambda x, sigma, labels: x / (1 + sigma**2)          # exact for data N(0, 1)
        >>> x = sample(wiener, torch.randn(8, 2), karras_sigmas(20))
    """
    levels = [float(s) for s in sigmas]
    if len(levels) < 2 or levels[-1] != 0 or any(a <= b for a, b in itertools.pairwise(levels)):
        raise ValueError(f"sigmas={levels!r}: must fall strictly and end in 0")
    nonnegative("churn", churn)
    reset = getattr(guidance, "reset", None)
    if reset is not None:
        reset()

    def denoised(x: Tensor, sigma: float) -> Tensor:
        if guidance is None:
            return denoiser(x, sigma, labels)
        return guidance(*denoiser.pair(x, sigma, labels))  # type: ignore[attr-defined]

    gamma = min(churn / (len(levels) - 1), math.sqrt(2) - 1)
    x = levels[0] * noise
    for step, (sigma, after) in enumerate(itertools.pairwise(levels)):
        if gamma > 0 and churn_range[0] <= sigma <= churn_range[1]:
            raised = sigma * (1 + gamma)
            fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            x = x + math.sqrt(raised**2 - sigma**2) * churn_noise * fresh
            sigma = raised
        d = denoised(x, sigma)
        if trace is not None:
            trace(step, sigma, d)
        if after == 0:
            return d  # the Euler step to sigma = 0 lands on D exactly
        slope = (x - d) / sigma
        ahead = x + (after - sigma) * slope
        if heun:
            slope = (slope + (ahead - denoised(ahead, after)) / after) / 2
            ahead = x + (after - sigma) * slope
        x = ahead
    return x


def _per_sample(value: Tensor, x: Tensor) -> Tensor:
    """Give a per-sample number the trailing axes that make it broadcast against x."""
    return value.reshape(-1, *[1] * (x.ndim - 1)) if value.ndim else value
