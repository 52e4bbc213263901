"""Part A: guidance with an *exact* denoiser on patches of colour photographs, so that any flaw is guidance's own."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.datasets import photos
from gradscape.diffusion.projected_guidance import metrics
from gradscape.diffusion.projected_guidance.guidance import AdaptiveProjectedGuidance, GuidanceNorms
from gradscape.diffusion.projected_guidance.methods import (
    APG_PATCHES,
    CFG,
    ORTHOGONAL,
    PARALLEL,
    UNGUIDED,
    guided,
)
from gradscape.diffusion.projected_guidance.settings import Settings
from gradscape.generative.edm import karras_sigmas, sample
from gradscape.generative.mixture import Mixture
from gradscape.lesson import cached, generator, protocol, replicate_seed
from gradscape.stats import Grid
from gradscape.validate import at_least, nonnegative

PHOTOS = ("astronaut", "chelsea", "coffee", "immunohistochemistry", "rocket", "retina", "china", "flower")
CROPS = {"retina": (300, 1100, 300, 1100)}
SIDE, COMPONENTS = 8, 24
# smax = 10 would start without the data's variance, and w = 1 would come out too dark (norm 6.4 instead of 7.1)
SIGMAS = karras_sigmas(28, 0.03, 40.0)
METHODS = (UNGUIDED, CFG, ORTHOGONAL, PARALLEL, APG_PATCHES)
METRICS = ("norm", "overshoot", "clip", "contrast", "saturation", "accuracy", "accuracy_unclipped")


def fit_mixture(x: Tensor, labels: Tensor, components: int = 2, ridge: float = 1e-3) -> Mixture:
    """Fit ``components`` Gaussians to the images x (n, ...) of each class: k-means on principal coordinates, moments.

    Full covariances plus ridge I; every cluster keeps at least two members. Deterministic.
    """
    at_least("components", components, 1)
    nonnegative("ridge", ridge)
    flat, coordinates = x.flatten(1).double(), metrics.Components.fit(x, COMPONENTS)(x)
    weights, means, covs, owners = [], [], [], []
    for label in labels.unique().tolist():
        mine = labels == label
        cluster = _clusters(coordinates[mine], components)
        for members in (flat[mine][cluster == k] for k in range(components)):
            weights.append(len(members))
            means.append(members.mean(0))
            covs.append(members.T.cov() + ridge * torch.eye(flat.shape[1], dtype=flat.dtype))
            owners.append(label)
    sizes = torch.tensor(weights, dtype=x.dtype)
    return Mixture(sizes, torch.stack(means).to(x.dtype), torch.stack(covs), torch.tensor(owners))


@dataclass(frozen=True)
class PatchWorld:
    """One replicate of part A: the exact denoiser, and what real patches say about samples."""

    mixture: Mixture
    components: metrics.Components
    classifier: Mixture
    examples: Tensor  # (classes, 4, 3, 8, 8) real patches
    real: dict[str, float]  # the metrics of real patches

    def scores(self, x: Tensor, labels: Tensor) -> dict[str, float]:
        """All metrics of samples (B, 192) meant to be of the classes ``labels``.

        ``accuracy`` judges the images as they are shown, clipped to [-1, 1]; ``accuracy_unclipped`` the raw values,
        though a classifier of real images has never seen anything beyond that range.
        """
        rgb = x.view(-1, 3, SIDE, SIDE)
        return {
            "norm": metrics.mean_norm(x),
            "overshoot": metrics.overshoot(x),
            "clip": metrics.clip_fraction(x),
            "contrast": metrics.contrast(rgb),
            "saturation": metrics.hsv_saturation(rgb),
            "accuracy": metrics.accuracy(self.classifier, self.components(x.clamp(-1, 1)), labels),
            "accuracy_unclipped": metrics.accuracy(self.classifier, self.components(x), labels),
        }


@cached
def patch_world(seed: int, replicate: int, per_class: int) -> PatchWorld:
    """Cut fresh patches out of the eight photographs; fit the mixture and the judges (QDA, 24 components) to them."""
    x, y = photos.patches(PHOTOS, SIDE, per_class, generator=generator(seed, replicate), crops=CROPS)
    components = metrics.Components.fit(x, COMPONENTS)
    classifier = metrics.fit_classifier(components(x), y, pooled=False)
    examples = x.view(len(PHOTOS), per_class, 3, SIDE, SIDE)[:, :4].clone()
    world = PatchWorld(fit_mixture(x, y), components, classifier, examples, {})
    world.real.update(world.scores(x.flatten(1), y))
    return world


def starts(seed: int, replicate: int, samples: int) -> tuple[Tensor, Tensor]:
    """Noise (samples, 192) and labels that go round the classes: the same for every method of a replicate."""
    # a stream of the replicate's own, apart from the one that cuts its patches
    stream = generator(replicate_seed(seed, replicate), 1)
    noise = torch.randn(samples, 3 * SIDE**2, generator=stream)
    return noise, torch.arange(samples) % len(PHOTOS)


@protocol
def experiment_patches(settings: Settings, *, progress: Callable[[int, int], Any] | None = None) -> Grid:
    """Every metric of every method: axes metric, method, w, replicate."""
    size = settings.size
    axes = {"metric": METRICS, "method": METHODS, "w": size.patch_scales, "replicate": range(size.patch_seeds)}
    values = np.full([len(points) for points in axes.values()], np.nan)
    for replicate in range(size.patch_seeds):
        world = patch_world(settings.seed, replicate, size.patches_per_class)
        noise, labels = starts(settings.seed, replicate, size.patch_samples)
        for m, method in enumerate(METHODS):
            for k, w in enumerate(size.patch_scales):
                if method == UNGUIDED and k > 0:
                    values[:, m, k, replicate] = values[:, m, 0, replicate]
                    continue
                with torch.inference_mode():
                    scores = world.scores(guided(method, world.mixture, noise, SIGMAS, labels, w), labels)
                values[:, m, k, replicate] = [scores[name] for name in METRICS]
        if progress is not None:
            progress(replicate + 1, size.patch_seeds)
    return Grid(axes, values)


@dataclass(frozen=True)
class PatchComparison:
    """Three ways from the same noise: no guidance, CFG and the settings' own guidance; and real patches."""

    images: dict[str, Tensor]  # name -> (samples, 3, 8, 8)
    real: Tensor  # (classes, 4, 3, 8, 8)
    radius: float  # the settings' r, 0 when nothing is clipped
    labels: Tensor
    scores: dict[str, dict[str, float]]
    sigmas: np.ndarray  # (steps,)
    norms: dict[str, np.ndarray]  # delta, update, parallel, orthogonal of the own guidance -> (steps,), sample means

    OWN = "yours"


@cached
def compare_patches(settings: Settings, samples: int = 32) -> PatchComparison:
    """Sample part A with the settings' own guidance beside CFG at the same w and no guidance, from the same noise."""
    world = patch_world(settings.seed, 0, settings.size.patches_per_class)
    noise, labels = starts(settings.seed, 0, samples)
    own = AdaptiveProjectedGuidance(settings.w, settings.eta, settings.r if settings.clip else 0.0, settings.beta)
    trace: list[GuidanceNorms | None] = []
    with torch.inference_mode():
        images = {name: guided(name, world.mixture, noise, SIGMAS, labels, settings.w) for name in (UNGUIDED, CFG)}
        images[PatchComparison.OWN] = sample(
            world.mixture, noise, SIGMAS, labels=labels, guidance=own, trace=lambda *_: trace.append(own.last)
        )
    return PatchComparison(
        images={name: x.view(-1, 3, SIDE, SIDE) for name, x in images.items()},
        real=world.examples,
        radius=own.r,
        labels=labels,
        scores={name: world.scores(x, labels) for name, x in images.items()},
        sigmas=SIGMAS[:-1].numpy(),
        norms={
            part: np.array([float(getattr(norms, part).mean()) for norms in trace if norms is not None])
            for part in ("delta", "update", "parallel", "orthogonal")
        },
    )


def _clusters(points: Tensor, k: int, rounds: int = 50) -> Tensor:
    """Lloyd's k-means from quantile groups along the first coordinate: the cluster (n,) of each point."""
    ranks = points[:, 0].argsort().argsort()
    cluster = ranks * k // len(points)
    for _ in range(rounds):
        centers = torch.stack([points[cluster == j].mean(0) for j in range(k)])
        moved = torch.cdist(points, centers).argmin(1)
        if min(moved.bincount(minlength=k)) < 2 or torch.equal(moved, cluster):
            break
        cluster = moved
    return cluster
