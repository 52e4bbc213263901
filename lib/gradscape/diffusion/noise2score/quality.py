"""How good an image is, with the truth (PSNR, SSIM) and without it (total variation); the unknown noise level."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape import metrics
from gradscape.diffusion.noise2score.tweedie import NOISES, tweedie
from gradscape.validate import finite, one_of, positive, same_shape

# Candidates: the official ranges; Gaussian in quarters of a gray level, where the official code has whole ones.
GRIDS = {
    "gaussian": np.arange(5.25, 55.01, 0.25) / 255,
    "poisson": np.linspace(0.1, 0.005, 100),
    "gamma": np.linspace(40.0, 120.0, 80),
}
RULES = ("tv", "official")


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image of ``a`` (B, C, H, W), clipped to [0, 1], to the truth ``b``."""
    _images(a, b)
    return metrics.psnr(b, a.clamp(0, 1), dims=3)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (scikit-image) of each image of ``a`` (B, C, H, W), clipped to [0, 1], to truths ``b``."""
    from skimage.metrics import structural_similarity

    _images(a, b)
    pairs = zip(a.clamp(0, 1).numpy(), b.numpy(), strict=True)
    return torch.tensor([structural_similarity(x, y, data_range=1.0, channel_axis=0) for x, y in pairs])


def total_variation(x: Any) -> Any:
    """``mean |x[i+1,j] - x[i,j]| + mean |x[i,j+1] - x[i,j]|`` over the last two axes of an array or tensor."""
    if getattr(x, "ndim", 0) < 2 or min(x.shape[-2:]) < 2:
        raise ValueError(f"x has shape {tuple(getattr(x, 'shape', ()))}: must be (..., H, W) with sides of 2 at least")
    down, right = abs(x[..., 1:, :] - x[..., :-1, :]), abs(x[..., :, 1:] - x[..., :, :-1])
    axes = (-2, -1)
    return down.mean(axes) + right.mean(axes)


def tv_optimal_sigma(spectrum: NDArray[np.float64], sigma: float) -> float:
    """Where the expected squared gradient of a Gaussian field's estimate, and so its TV, is least over candidates.

    ``spectrum``: C_k >= 0 (H, W) in the order of ``np.fft.fft2`` of the clean periodic field. ``θ*² = Σ w_k /
    Σ w_k/(C_k + σ²)`` with ``w_k = 4 sin²(k_1/2) + 4 sin²(k_2/2)``: a harmonic mean of C_k + σ², so never below σ².
    """
    spectrum = np.asarray(finite("spectrum", spectrum), dtype=float)
    if spectrum.ndim != 2 or (spectrum < 0).any():
        raise ValueError(f"spectrum has shape {spectrum.shape}: must be (H, W), all >= 0")
    down, right = (4 * np.sin(np.pi * np.fft.fftfreq(n)) ** 2 for n in spectrum.shape)
    weights = down[:, None] + right
    return float(np.sqrt(weights.sum() / (weights / (spectrum + positive("sigma", sigma) ** 2)).sum()))


@dataclass(frozen=True)
class Estimate:
    """The candidate of least penalty, the image it gives, and the penalty of every candidate."""

    value: float
    image: Tensor
    curve: NDArray[np.float64]  # (len(grid),)


@dataclass(frozen=True)
class Sweep:
    """Every candidate's image from one score map, (T, H, W), and its total variation, (T,)."""

    grid: NDArray[np.float64]
    images: Tensor
    tv: NDArray[np.float64]


def sweep(y: Tensor, score: Tensor, noise: str, grid: Any = None) -> Sweep:
    """Tweedie's formula at every candidate of ``grid`` for one image (H, W): one broadcast, no network."""
    one_of("noise", noise, NOISES)
    same_shape(y=y, score=score)
    if y.ndim != 2:
        raise ValueError(f"y has shape {tuple(y.shape)}: one image (H, W) at a time")
    grid = np.asarray(GRIDS[noise] if grid is None else grid, dtype=float)
    if grid.ndim != 1 or len(grid) < 2:
        raise ValueError(f"grid has shape {grid.shape}: at least two candidates (T,)")
    images = tweedie(y, score, noise, torch.as_tensor(grid, dtype=y.dtype)[:, None, None])
    return Sweep(grid, images, total_variation(images).double().numpy())


def estimate_parameter(y: Tensor, score: Tensor, noise: str, grid: Any = None, rule: str = "tv") -> Estimate:
    """The noise parameter of one image (H, W) whose estimate is smoothest; the score is evaluated once, before.

    ``rule`` "tv": least total variation. "official": the penalty of the authors' code, TV for Gaussian, ``TV/10 +
    mean(x - y log x)`` for Poisson, ``TV + mean(log x + y/x + (y/x)²)`` for Gamma noise, over pixels with x > 0.
    ``grid``: candidates, the official ranges unless given. ``ValueError`` for an unknown noise or rule.

    A network trained at σ_a knows the score of ``y + σ_a u``: the Gaussian sweep then finds about ``(σ² + σ_a²)^½``.
    """
    one_of("rule", rule, RULES)
    found = sweep(y, score, noise, grid)
    curve = found.tv if rule == "tv" else _official(found, y, noise)
    best = int(np.argmin(curve))
    return Estimate(float(found.grid[best]), found.images[best], curve)


def _official(found: Sweep, y: Tensor, noise: str) -> NDArray[np.float64]:
    if noise == "gaussian":
        return found.tv
    x, shown = found.images, found.images > 0
    safe = torch.where(shown, x, torch.ones_like(x))
    ratio = y / safe
    terms = x - y * safe.log() if noise == "poisson" else safe.log() + ratio + ratio**2
    mean = (terms * shown).sum((1, 2)) / shown.sum((1, 2))
    return (0.1 if noise == "poisson" else 1.0) * found.tv + mean.double().numpy()


def _images(a: Tensor, b: Tensor) -> None:
    same_shape(a=a, b=b)
    if a.ndim != 4:
        raise ValueError(f"a has shape {tuple(a.shape)}: must be (B, C, H, W)")
