"""What Noise2Score is measured against: other losses for the same network, and denoisers that are not trained.

The network's output is added to its input, so that every one of them starts at the noisy image (Noise2Self: at a local
mean). None of these knows Tweedie's formula.
"""
from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradscape.diffusion.noise2score.network import BATCH, LR, Progress, check_patches, score_map, train
from gradscape.validate import positive, same_shape

GRID = 4  # masked pixels of Noise2Self lie on a grid of this pitch: 16 phases
RING = ((0.5, 1.0, 0.5), (1.0, 0.0, 1.0), (0.5, 1.0, 0.5))  # weights of the neighbors that replace a masked pixel
PROBE = 1e-3  # length of the random step that measures the divergence in SURE
TV_WEIGHTS = (0.6, 0.8, 1.0, 1.25)  # of total variation, in units of σ
NLM_STRENGTHS = (0.6, 0.8, 1.0)  # h of non-local means, in units of σ


def restore(net: nn.Module, y: Tensor) -> Tensor:
    """The image that a regression network makes of y (B, C, H, W): y plus the network's output."""
    return y + score_map(net, y)


def fit_supervised(
    net: nn.Module, noisy: Tensor, clean: Tensor, steps: int, batch: int = BATCH, lr: float = LR, seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Least squares from noisy to clean images, both (n, C, h, w)."""
    noisy, clean = check_patches("noisy", noisy), check_patches("clean", clean)
    same_shape(noisy=noisy, clean=clean)

    def loss(index: Tensor, step: int, draws: torch.Generator) -> Tensor:
        return (noisy[index] + net(noisy[index]) - clean[index]).square().mean()

    return train(net, len(noisy), loss, steps, batch, lr, seed, progress)


def fit_noise2noise(
    net: nn.Module, first: Tensor, second: Tensor, steps: int, batch: int = BATCH, lr: float = LR, seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Least squares from one noisy copy to another of the same images, both (n, C, h, w) (Lehtinen et al. 2018).

    Nothing else differs from :func:`fit_supervised`: noise of mean zero in the target leaves the minimizer as it is.
    """
    first, second = check_patches("first", first), check_patches("second", second)
    same_shape(first=first, second=second)
    return fit_supervised(net, first, second, steps, batch, lr, seed, progress)


def blinded(y: Tensor, phase: int) -> tuple[Tensor, Tensor]:
    """y (B, C, H, W) with one pixel in sixteen replaced by the mean of its neighbors, and the mask (H, W) of those."""
    if not 0 <= phase < GRID**2:
        raise ValueError(f"phase={phase!r}: must lie in 0 ... {GRID**2 - 1}")
    ring = torch.tensor(RING, dtype=y.dtype)
    ring = (ring / ring.sum()).expand(y.shape[1], 1, 3, 3)
    around = F.conv2d(F.pad(y, (1, 1, 1, 1), mode="reflect"), ring, groups=y.shape[1])
    mask = torch.zeros(y.shape[2:], dtype=torch.bool)
    mask[phase // GRID :: GRID, phase % GRID :: GRID] = True
    return torch.where(mask, around, y), mask


def fit_noise2self(
    net: nn.Module, patches: Tensor, steps: int, batch: int = BATCH, lr: float = LR, seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Predict masked pixels of noisy patches (n, C, h, w) from the others (Batson and Royer 2019)."""
    patches = check_patches("patches", patches)

    def loss(index: Tensor, step: int, draws: torch.Generator) -> Tensor:
        y = patches[index]
        hidden, mask = blinded(y, int(torch.randint(GRID**2, (1,), generator=draws)))
        return (hidden + net(hidden) - y)[..., mask].square().mean()

    return train(net, len(patches), loss, steps, batch, lr, seed, progress)


def noise2self_predict(net: nn.Module, y: Tensor) -> Tensor:
    """Sixteen passes over y (B, C, H, W): each pixel is predicted while it is masked, as it was in training."""
    out = torch.empty_like(check_patches("y", y))
    for phase in range(GRID**2):
        hidden, mask = blinded(y, phase)
        out[..., mask] = restore(net, hidden)[..., mask]
    return out


def fit_sure(
    net: nn.Module, patches: Tensor, sigma: float, steps: int, batch: int = BATCH, lr: float = LR, seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Stein's unbiased risk under Gaussian noise of known σ, its divergence by one random probe (Ramani et al. 2008).

    ``|f(y) - y|²/d - σ² + 2 σ² b·(f(y + ε b) - f(y))/(ε d)`` with b ~ N(0, I), ε = .001.
    """
    patches, sigma = check_patches("patches", patches), positive("sigma", sigma)

    def loss(index: Tensor, step: int, draws: torch.Generator) -> Tensor:
        y = patches[index]
        b = torch.randn(y.shape, generator=draws, dtype=y.dtype)
        change, moved = net(y), net(y + PROBE * b)
        divergence = 1 + (b * (moved - change)).mean() / PROBE  # of y + net(y); b·b/d is 1 on average
        return change.square().mean() - sigma**2 + 2 * sigma**2 * divergence

    return train(net, len(patches), loss, steps, batch, lr, seed, progress)


def total_variation_denoiser(y: Tensor, sigma: float, weight: float = 1.0) -> Tensor:
    """Rudin, Osher and Fatemi by scikit-image's Chambolle iteration, weight in units of σ; y (B, 1, H, W)."""
    from skimage.restoration import denoise_tv_chambolle

    return _each(y, lambda image: denoise_tv_chambolle(image, weight=weight * positive("sigma", sigma)))


def nonlocal_means(y: Tensor, sigma: float, strength: float = 0.8) -> Tensor:
    """Non-local means by scikit-image, told the true σ: 5 x 5 patches within 6 pixels, h in units of σ."""
    from skimage.restoration import denoise_nl_means

    return _each(y, lambda image: denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=strength * positive("sigma", sigma), sigma=sigma, fast_mode=True))


def _each(y: Tensor, denoiser: object) -> Tensor:
    images = check_patches("y", y)[:, 0].numpy()
    return torch.from_numpy(np.stack([denoiser(image) for image in images])).to(y.dtype)[:, None]  # type: ignore[operator]
