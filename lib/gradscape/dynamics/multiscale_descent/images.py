"""The same learner on real images: whitened principal components as latent factors (Pezeshki et al., real data).

The paper trains a ResNet-18 on CIFAR-10. Here the *linear* student gets latent factors that are not Gaussian: the top
principal components of images, whitened, so that only the modulation decides which directions are fast.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.dynamics.multiscale_descent.dynamics import eigenmodes, modulation
from gradscape.dynamics.multiscale_descent.theory import TwoScale
from gradscape.numerics.rmt import as_float64
from gradscape.numerics.spectral import gain
from gradscape.validate import at_least, finite, one_of

FEW = 1e-10  # a component with less variance than this share of the largest cannot be whitened


@dataclass(frozen=True)
class Curves:
    """Test errors (S, T): ``mse`` mean squared (twice the paper's E_G), ``err`` the share of wrong signs."""

    mse: Tensor
    err: Tensor

    @property
    def E(self) -> Tensor:
        """``½ mse``, which is what E_G of the Gaussian model measures."""
        return 0.5 * self.mse


def image_latents(images: tuple[Tensor, Tensor], d: int) -> tuple[Tensor, Tensor]:
    """Latent factors of covariance I/d from images: centered, top ``d`` principal components, whitened, over √d.

    ``images``: train (N, pixels) and test (M, pixels); mean, components and variances are those of the training images.
    Returns (N, d) and (M, d). ``ValueError`` for shapes that do not fit, or more components than the images have.
    """
    train, test = (torch.as_tensor(part, dtype=torch.float64) for part in images)
    for name, part in (("train images", train), ("test images", test)):
        finite(name, part)
        if part.ndim != 2 or part.shape[1] != train.shape[-1]:
            raise ValueError(f"{name}: shape {tuple(part.shape)}; must be (N, pixels), the same pixels in both")
    at_least("d", d, 1)
    mean = train.mean(0)
    centered = train - mean
    variance, axes = torch.linalg.eigh(centered.T @ centered / len(train))
    usable = int((variance > FEW * variance[-1]).sum())
    if d > min(usable, len(train) - 1):
        raise ValueError(f"d={d!r}: must be at most {min(usable, len(train) - 1)}, the components these images have")
    project = axes[:, -d:] / (variance[-d:] * d).sqrt()
    return centered @ project, (test - mean) @ project


def real_dynamics(
    z: Tensor, y: Tensor | None, z_test: Tensor, y_test: Tensor | None, task: TwoScale, t: Tensor | Sequence[float],
    seeds: Sequence[int], labels: str = "teacher", progress: Callable[[int, int], None] | None = None,
) -> Curves:
    """Test errors of gradient descent at times t (T,) >= 0 on ``task.n`` of the examples z (N, d), one draw per seed.

    A seed draws the examples, a rotation that decides which directions are fast, and, with ``labels="teacher"``, a
    linear teacher (and label noise; test labels are clean). ``"given"`` learns the labels ``y`` (N,) and is scored on
    ``y_test`` (M,). Steps of size 1/L on the sum of squares, as in :func:`exact_dynamics`; ``task.l2`` must be 0.
    """
    one_of("labels", labels, ("teacher", "given"))
    z, z_test = finite("z", torch.as_tensor(z)), finite("z_test", torch.as_tensor(z_test))
    t = as_float64("t", torch.as_tensor(t), low=0.0).flatten()
    if z.ndim != 2 or z.shape[1] != task.d or z_test.ndim != 2 or z_test.shape[1] != task.d:
        raise ValueError(f"z {tuple(z.shape)}, z_test {tuple(z_test.shape)}: must be (N, {task.d}) and (M, {task.d})")
    if len(z) < task.n:
        raise ValueError(f"z: holds {len(z)} examples; task.n={task.n} are needed")
    if task.l2:
        raise ValueError(f"task.l2={task.l2!r}: must be 0")
    if not len(seeds):
        raise ValueError("seeds is empty: at least one is needed")
    if labels == "given" and not (y is not None and y_test is not None and len(y) == len(z)
                                  and len(y_test) == len(z_test)):
        raise ValueError("y, y_test: labels='given' needs one label per example")
    mse, err = [], []
    for done, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(seed)
        F = modulation(task, generator)
        chosen = torch.randperm(len(z), generator=generator)[: task.n]
        if labels == "teacher":
            W = torch.randn(task.d, generator=generator, dtype=torch.float64)
            noise = task.noise * torch.randn(task.n, generator=generator, dtype=torch.float64)
            target, wanted = z[chosen] @ W + noise, z_test @ W
        else:
            assert y is not None
            assert y_test is not None
            target, wanted = y[chosen].double(), y_test.double()
        X = z[chosen] @ F
        lam, V = eigenmodes(X)
        learned = gain(lam / lam[0], t.unsqueeze(-1), "gd", lr=1.0)
        weight = torch.where(lam > 0, learned / torch.where(lam > 0, lam, 1.0), 0.0)
        guess = (weight * (V.T @ (X.T @ target))) @ (z_test @ F @ V).T
        mse.append((guess - wanted).square().mean(-1))
        err.append((guess.sign() != wanted.sign()).double().mean(-1))
        if progress is not None:
            progress(done + 1, len(seeds))
    return Curves(torch.stack(mse), torch.stack(err))
