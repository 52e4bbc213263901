"""Small image generators that a lesson can train in seconds: principal components, VAE, GAN, diffusion, and a collage.

Each has ``fit(images, seed, steps, progress)`` and ``sample(n, seed)``; images are uint8 (N, H, W, 3) with H and W
divisible by 8. All leave by one door, :func:`to_bytes`, so that the last step of the pipeline is the same for each.
They are poor generators: enough to have artifacts of different kinds, far from what large models do.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from gradscape.generative.edm import EDMDenoiser, edm_loss, karras_sigmas, sample
from gradscape.validate import at_least, positive

Progress = Callable[[int, int], Any]
Bytes = NDArray[np.uint8]
CHUNK = 100  # images sampled at once: bounds memory


def to_bytes(x: Tensor) -> Bytes:
    """Turn (N, 3, H, W) in [-1, 1] into uint8 (N, H, W, 3): clip, times 127.5, round half up."""
    scaled = (x.detach().clamp(-1, 1).double() + 1) * 127.5
    return torch.floor(scaled + 0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def from_bytes(images: Bytes) -> Tensor:
    """Turn uint8 (N, H, W, 3) into float32 (N, 3, H, W) in [-1, 1]. ``ValueError`` for another type or shape."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or images.size == 0:
        raise ValueError(f"images is {images.dtype} of shape {images.shape}: must be uint8 (N, H, W, 3), not empty")
    if images.shape[1] % 8 or images.shape[2] % 8:
        raise ValueError(f"images has shape {images.shape}: height and width must be divisible by 8")
    # strides stay those of (N, H, W, 3), which CPU convolutions run fastest on
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


class Generator:
    """What all generators share; ``STEPS`` is the number of training steps used when none is given."""

    STEPS = 1
    shape: tuple[int, int] | None = None

    def fit(
        self, images: Bytes, seed: int = 0, steps: int | None = None, progress: Progress | None = None
    ) -> Self:
        """Train on uint8 images (N, H, W, 3), ``steps`` steps; ``ValueError`` for bad images, seed or steps."""
        x = from_bytes(images)
        at_least("seed", seed, 0)
        steps = at_least("steps", self.STEPS if steps is None else steps, 1)
        self.shape = (x.shape[2], x.shape[3])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._fit(x, steps, progress or (lambda done, total: None))
        return self

    def sample(self, n: int, seed: int = 0) -> Bytes:
        """Draw uint8 images (n, H, W, 3); the same seed gives the same images. ``ValueError`` before ``fit``."""
        at_least("n", n, 1)
        at_least("seed", seed, 0)
        if self.shape is None:
            raise ValueError(f"{type(self).__name__} has not been fitted: call fit(images, seed) first")
        draws = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            made = [self._sample(min(CHUNK, n - done), draws) for done in range(0, n, CHUNK)]
        return np.concatenate([part if isinstance(part, np.ndarray) else to_bytes(part) for part in made])

    def _fit(self, x: Tensor, steps: int, progress: Progress) -> None:
        raise NotImplementedError

    def _sample(self, n: int, draws: torch.Generator) -> Tensor | Bytes:
        raise NotImplementedError


class PCAGenerator(Generator):
    """The mean image plus ``components`` leading directions with Gaussian coefficients of the data's variances."""

    def __init__(self, components: int = 128) -> None:
        self.components = at_least("components", components, 1)

    def _fit(self, x: Tensor, steps: int, progress: Progress) -> None:
        flat = x.flatten(1)
        self.mean = flat.mean(0)
        # n < pixels: the eigenvectors of the small Gram matrix give the same directions for a fraction of the time
        centered = flat - self.mean
        values, vectors = torch.linalg.eigh((centered @ centered.T).double())
        keep = min(self.components, len(x) - 1)
        values, vectors = values[-keep:].clamp_min(0), vectors[:, -keep:]
        self.directions = (vectors.T.float() @ centered) / len(x) ** 0.5  # singular value / sqrt(n) times direction
        self.deviations = (values / len(x)).sqrt()
        progress(1, 1)

    def _sample(self, n: int, draws: torch.Generator) -> Tensor:
        assert self.shape is not None
        flat = self.mean + torch.randn(n, len(self.directions), generator=draws) @ self.directions
        return flat.view(n, 3, *self.shape)


class VAEGenerator(Generator):
    """A convolutional autoencoder with a noisy code; a sample decodes the perturbed code of a training image."""

    STEPS, BATCH, LR = 160, 24, 2e-3

    def _fit(self, x: Tensor, steps: int, progress: Progress) -> None:
        self.images = x
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 24, 4, 2, 1), nn.SiLU(), nn.Conv2d(24, 48, 4, 2, 1), nn.SiLU(),
            nn.Conv2d(48, 48, 4, 2, 1), nn.SiLU(), nn.Conv2d(48, 16, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(8, 48, 1), nn.SiLU(), nn.ConvTranspose2d(48, 48, 4, 2, 1), nn.SiLU(),
            nn.ConvTranspose2d(48, 24, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(24, 24, 4, 2, 1), nn.SiLU(),
            nn.Conv2d(24, 3, 3, 1, 1),
        )
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam([*self.encoder.parameters(), *self.decoder.parameters()], lr=self.LR)
        for step in range(steps):
            batch = x[torch.randint(len(x), (self.BATCH,))]
            mean, log_var = self.encoder(batch).chunk(2, 1)
            code = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
            kl = ((mean**2 + log_var.exp() - 1 - log_var) / 2).mean()
            loss = 100 * F.mse_loss(self.decoder(code), batch) + 0.02 * kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            progress(step + 1, steps)

    def _sample(self, n: int, draws: torch.Generator) -> Tensor:
        batch = self.images[torch.randint(len(self.images), (n,), generator=draws)]
        mean, log_var = self.encoder(batch).chunk(2, 1)
        return self.decoder(mean + torch.exp(log_var / 2) * torch.randn(mean.shape, generator=draws))


class GANGenerator(Generator):
    """DCGAN: three transposed convolutions against three strided ones, logistic loss, non-saturating."""

    STEPS, BATCH, LATENT = 140, 24, 32

    def _fit(self, x: Tensor, steps: int, progress: Progress) -> None:
        h, w = x.shape[2] // 8, x.shape[3] // 8
        self.generator = nn.Sequential(
            nn.Linear(self.LATENT, 32 * h * w), nn.Unflatten(1, (32, h, w)), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh(),
        )
        critic = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 32, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(32 * h * w, 1),
        )
        self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        make = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
        judge = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.5, 0.99))
        for step in range(steps):
            real = x[torch.randint(len(x), (self.BATCH,))]
            fake = self.generator(torch.randn(self.BATCH, self.LATENT))
            loss = F.softplus(-critic(real)).mean() + F.softplus(critic(fake.detach())).mean()
            judge.zero_grad()
            loss.backward()
            judge.step()
            loss = F.softplus(-critic(fake)).mean()
            make.zero_grad()
            loss.backward()
            make.step()
            progress(step + 1, steps)
        self.generator.eval()

    def _sample(self, n: int, draws: torch.Generator) -> Tensor:
        return self.generator(torch.randn(n, self.LATENT, generator=draws))


class _Backbone(nn.Module):
    """Four residual dilated convolutions on the 2 x 2 unshuffled image and a channel of ln(sigma)/4."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.enter = nn.Conv2d(13, width, 3, 1, 1)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, 1, d, d) for d in (1, 2, 4, 1))
        self.leave = nn.Conv2d(width, 12, 3, 1, 1)

    def forward(self, x: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        x = F.pixel_unshuffle(x, 2)
        level = noise.reshape(-1, 1, 1, 1).expand(len(x), 1, *x.shape[2:])
        h = self.enter(torch.cat([x, level], 1))
        for conv in self.middle:
            h = h + conv(F.silu(h))
        return F.pixel_shuffle(self.leave(F.silu(h)), 2)


class DiffusionGenerator(Generator):
    """EDM with a small convolutional denoiser; samples by ``levels`` Euler steps from sigma 20 to .01."""

    STEPS, BATCH, LR = 120, 12, 2e-3

    def __init__(self, levels: int = 10, smin: float = 0.01, smax: float = 20.0) -> None:
        self.sigmas = karras_sigmas(at_least("levels", levels, 1), positive("smin", smin), smax)

    def _fit(self, x: Tensor, steps: int, progress: Progress) -> None:
        self.denoiser = EDMDenoiser(_Backbone(), sigma_data=0.5)
        self.denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam(self.denoiser.parameters(), lr=self.LR)
        for step in range(steps):
            batch = x[torch.randint(len(x), (self.BATCH,))]
            loss = edm_loss(self.denoiser, batch, log_mean=-0.8, log_std=1.2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            progress(step + 1, steps)

    def _sample(self, n: int, draws: torch.Generator) -> Tensor:
        assert self.shape is not None
        return sample(self.denoiser, torch.randn(n, 3, *self.shape, generator=draws), self.sigmas)


class QuiltGenerator(Generator):
    """A collage of ``piece`` x ``piece`` squares copied bit by bit from training images: its low bits are real."""

    def __init__(self, piece: int = 16) -> None:
        self.piece = at_least("piece", piece, 1)

    def fit(
        self, images: Bytes, seed: int = 0, steps: int | None = None, progress: Progress | None = None
    ) -> Self:
        """Keep the images; ``ValueError`` also if the pieces do not tile them."""
        if np.ndim(images) == 4 and (np.shape(images)[1] % self.piece or np.shape(images)[2] % self.piece):
            raise ValueError(f"piece={self.piece!r}: must divide height and width of images, {np.shape(images)[1:3]}")
        super().fit(images, seed, steps, progress)
        self.images = np.array(images)
        return self

    def _fit(self, x: Tensor, steps: int, progress: Progress) -> None:
        progress(1, 1)

    def _sample(self, n: int, draws: torch.Generator) -> Bytes:
        assert self.shape is not None
        p, (h, w) = self.piece, self.shape
        shape = (n, h // p, w // p)
        which = torch.randint(len(self.images), shape, generator=draws).numpy()
        top = torch.randint(h - p + 1, shape, generator=draws).numpy()
        left = torch.randint(w - p + 1, shape, generator=draws).numpy()
        offsets = np.arange(p)
        rows, columns = top[..., None] + offsets, left[..., None] + offsets
        pieces = self.images[which[..., None, None], rows[..., :, None], columns[..., None, :]]
        return np.ascontiguousarray(pieces.transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, 3))


GENERATORS: dict[str, Callable[[], Generator]] = {
    "pca": PCAGenerator, "vae": VAEGenerator, "gan": GANGenerator, "diffusion": DiffusionGenerator,
    "quilt": QuiltGenerator,
}
