"""The score network and how it is trained from noisy images alone: AR-DAE with an annealed scale."""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradscape.diffusion.noise2score.tweedie import tweedie
from gradscape.lesson import generator as stream
from gradscape.validate import at_least, finite, positive

Progress = Callable[[int, int], Any]
BATCH, LR, LAST_LR = 16, 3e-3, 1e-5
SLOPE = 0.1  # of the leaky rectifier, as in the paper's code
SCORE_GAIN = 5.0
LAST_SCALE = 0.1  # the last layer starts this much smaller than Kaiming's


class ScoreNet(nn.Module):
    """Image (B, C, H, W) to image: pixel_unshuffle, ``depth`` 3 x 3 convolutions with LeakyReLU(.1), pixel_shuffle.

    The output is multiplied by ``gain``: scores are of the order of one over the noise level. There is no
    normalization layer, which would remove the noise level that the score depends on, and σ_a is not an input. H and W
    must be divisible by ``shuffle``. The paper's network is a U-Net of other size.
    """

    def __init__(
        self, channels: int = 32, depth: int = 5, shuffle: int = 2, gain: float = SCORE_GAIN, in_channels: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        channels, depth = at_least("channels", channels, 1), at_least("depth", depth, 2)
        self.shuffle, self.gain = at_least("shuffle", shuffle, 1), positive("gain", gain)
        self.in_channels = at_least("in_channels", in_channels, 1)
        outer = in_channels * shuffle**2
        widths = [outer, *[channels] * (depth - 1), outer]
        layers, draws = [nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths)], stream(seed, 1)
        with torch.no_grad():
            for layer in layers:
                nn.init.kaiming_normal_(layer.weight, a=SLOPE, generator=draws)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
                # a third faster on a processor than planes
                layer.weight.data = layer.weight.contiguous(memory_format=torch.channels_last)
            layers[-1].weight.mul_(LAST_SCALE)
        self.layers = nn.ModuleList(layers)

    def forward(self, y: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W); ``ValueError`` for another number of channels or an indivisible side."""
        if y.ndim != 4 or y.shape[1] != self.in_channels or y.shape[2] % self.shuffle or y.shape[3] % self.shuffle:
            raise ValueError(
                f"y has shape {tuple(y.shape)}: must be (B, {self.in_channels}, H, W) with H and W divisible by "
                f"{self.shuffle}"
            )
        h = F.pixel_unshuffle(y, self.shuffle)
        for layer in self.layers[:-1]:
            h = F.leaky_relu(layer(h), SLOPE)
        return F.pixel_shuffle(self.layers[-1](h), self.shuffle) * self.gain


class AnnealedSigma:
    """σ_a of step k: linear from ``start`` at step 0 to ``stop`` at the last of ``steps``, and ``stop`` after."""

    def __init__(self, start: float, stop: float, steps: int) -> None:
        self.start, self.stop = positive("start", start), positive("stop", stop)
        self.steps = at_least("steps", steps, 1)

    def __call__(self, step: int) -> float:
        share = min(at_least("step", step, 0) / max(self.steps - 1, 1), 1.0)
        return self.start * (1 - share) + self.stop * share


def ardae_loss(
    net: Callable[[Tensor], Tensor], y: Tensor, sigma_a: float, generator: torch.Generator | None = None
) -> Tensor:
    """``mean |u + σ_a r(y + σ_a u)|²`` over pixels, with u ~ N(0, I) drawn here (AR-DAE, Lim et al. 2020).

    ``y``: noisy images (B, C, H, W) and nothing else. At fixed σ_a it is least where r is the score of ``y + σ_a u``,
    and is then ``1 - σ_a² E|score|²/d``.
    """
    positive("sigma_a", sigma_a)
    u = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    noisier = torch.add(y, u, alpha=sigma_a)
    return torch.add(u, net(noisier), alpha=sigma_a).square().mean()


def train(
    net: nn.Module, images: int, loss: Callable[[Tensor, int, torch.Generator], Tensor], steps: int,
    batch: int = BATCH, lr: float = LR, seed: int = 0, progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Adam with the rate going from ``lr`` to 1e-5 along a cosine; ``loss(indices, step, draws)`` of each batch.

    Batches go through random orders of the ``images``. Returns the history {"loss": [...]}, one entry per step.
    """
    steps, batch = at_least("steps", steps, 1), at_least("batch", batch, 1)
    positive("lr", lr)
    draws, losses = stream(seed, 2), []
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LAST_LR + (lr - LAST_LR) * (1 + math.cos(math.pi * step / steps)) / 2
        while len(order) < batch:
            order = torch.cat([order, torch.randperm(images, generator=draws)])
        index, order = order[:batch], order[batch:]
        value = loss(index, step, draws)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
        if progress is not None:
            progress(step + 1, steps)
    return {"loss": losses}


def fit_score(
    net: nn.Module, patches: Tensor, sigma_a: float | Callable[[int], float], steps: int, batch: int = BATCH,
    lr: float = LR, seed: int = 0, progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Train ``net`` to be the score of noisy ``patches`` (n, C, h, w): no clean image enters.

    ``sigma_a``: a number, or a function of the step such as :class:`AnnealedSigma`. Returns the losses and the σ_a of
    each step. ``ValueError`` for patches that are not finite or not of this shape.
    """
    patches = check_patches("patches", patches)
    scale = sigma_a if callable(sigma_a) else AnnealedSigma(sigma_a, sigma_a, 1)

    def loss(index: Tensor, step: int, draws: torch.Generator) -> Tensor:
        return ardae_loss(net, patches[index], scale(step), draws)

    history = train(net, len(patches), loss, steps, batch, lr, seed, progress)
    return history | {"sigma_a": [scale(step) for step in range(steps)]}


def check_patches(name: str, patches: Tensor) -> Tensor:
    """Images (n, C, h, w), floats, finite; ``ValueError`` otherwise."""
    if not isinstance(patches, Tensor) or patches.ndim != 4 or not patches.is_floating_point():
        kind = f"{patches.dtype} {tuple(patches.shape)}" if isinstance(patches, Tensor) else type(patches).__name__
        raise ValueError(f"{name} is {kind}: a float tensor (n, C, h, w) is needed")
    return finite(name, patches)  # type: ignore[no-any-return]


@torch.no_grad()
def score_map(net: nn.Module, y: Tensor) -> Tensor:
    """The network at y (B, C, H, W) of any size, σ_a = 0: sides are padded by reflection to what the network takes."""
    y, step = check_patches("y", y), int(getattr(net, "shuffle", 1))
    height, width = y.shape[2:]
    padded = F.pad(y, (0, -width % step, 0, -height % step), mode="reflect") if (height % step or width % step) else y
    return net(padded)[..., :height, :width]  # type: ignore[no-any-return]


def denoise(net: nn.Module, y: Tensor, noise: str, parameter: Any, sigma_a: float = 0.0) -> Tensor:
    """The clean image from noisy y (B, C, H, W) by one evaluation of the score network and one line of Tweedie.

    ``noise``: "gaussian" (parameter σ), "poisson" (ζ) or "gamma" (k); ``sigma_a`` as in :func:`tweedie_gaussian`.
    """
    return tweedie(y, score_map(net, y), noise, parameter, sigma_a)  # type: ignore[no-any-return]
