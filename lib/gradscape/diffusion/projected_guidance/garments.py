"""Part B: guidance with a *trained* conditional denoiser on Fashion-MNIST, 14 x 14."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.datasets import fashion
from gradscape.diffusion.projected_guidance import metrics
from gradscape.diffusion.projected_guidance.denoiser import MLPDenoiser, OperationCount, fit_denoiser
from gradscape.diffusion.projected_guidance.guidance import AdaptiveProjectedGuidance, cfg
from gradscape.diffusion.projected_guidance.methods import (
    APG_GARMENTS,
    APG_PATCHES,
    CFG,
    MOMENTUM_ONLY,
    NOISE_SPACE,
    ORTHOGONAL,
    PARALLEL,
    RADIUS_ONLY,
    SETTINGS,
    UNGUIDED,
    guided,
)
from gradscape.diffusion.projected_guidance.settings import Settings
from gradscape.generative.edm import EDMDenoiser, karras_sigmas, sample
from gradscape.generative.mixture import Mixture
from gradscape.lesson import cached, generator, protocol, replicate_seed
from gradscape.stats import Grid

SIDE, CLASSES, COMPONENTS = 14, 10, 24
SIGMAS = karras_sigmas(32, 0.002, 80.0)
METHODS = (UNGUIDED, CFG, ORTHOGONAL, RADIUS_ONLY, MOMENTUM_ONLY, APG_PATCHES, APG_GARMENTS, PARALLEL, NOISE_SPACE)
Progress = Callable[[int, int], Any]
METRICS = ("norm", "overshoot", "clip", "frechet", "precision", "recall", "accuracy")
# the scale at which the ablation is made, and the methods compared at the others
ABLATION_SCALE, OUTLINE = 4.0, (UNGUIDED, CFG, ORTHOGONAL, APG_GARMENTS)


@dataclass(frozen=True)
class GarmentJudge:
    """What real images say about generated ones, always on images as shown: clipped to [-1, 1]."""

    components: metrics.Components
    classifier: Mixture
    train: Tensor  # features of the real training images
    test: Tensor   # features of as many held-out real images as there are generated ones

    def scores(self, x: Tensor, labels: Tensor) -> dict[str, float]:
        """All metrics of samples (B, 196) meant to be of the classes ``labels``."""
        features = self.components(x.clamp(-1, 1))
        precision, recall = metrics.precision_recall(self.test, features)
        return {
            "norm": metrics.mean_norm(x),
            "overshoot": metrics.overshoot(x),
            "clip": metrics.clip_fraction(x),
            "frechet": metrics.frechet(features, self.train),
            "precision": precision,
            "recall": recall,
            "accuracy": metrics.accuracy(self.classifier, features, labels),
        }


@cached
def garment_judge(samples: int) -> GarmentJudge:
    """Fit the principal components and the linear classifier to the real training images."""
    x, y = fashion.load("train", pool=2, flat=True, scale="symmetric")
    held_out = fashion.load("test", n=samples, pool=2, flat=True, scale="symmetric").x
    components = metrics.Components.fit(x, COMPONENTS)
    features = components(x)
    return GarmentJudge(components, metrics.fit_classifier(features, y, pooled=True), features, components(held_out))


@cached
def trained_denoiser(
    seed: int, replicate: int, steps: int, device: str = "cpu", *, progress: Progress | None = None
) -> EDMDenoiser:
    """Train one replicate's network on the 10,000 training images."""
    x, y = fashion.load("train", pool=2, flat=True, scale="symmetric")
    denoiser = MLPDenoiser(SIDE**2, CLASSES, seed=replicate_seed(seed, replicate) % 2**32).to(device)
    stream = generator(seed, replicate)
    return fit_denoiser(denoiser, x.to(device), y.to(device), steps=steps, generator=stream, progress=progress)


def denoiser_of(settings: Settings, replicate: int = 0, *, progress: Progress | None = None) -> EDMDenoiser:
    """The replicate's trained network at the settings' sizes: trained once per process."""
    return trained_denoiser(settings.seed, replicate, settings.size.train_steps, settings.device, progress=progress)


def starts(seed: int, replicate: int, samples: int) -> tuple[Tensor, Tensor]:
    """Noise (samples, 196) and labels that go round the classes: the same for every method of a replicate."""
    # a stream of the replicate's own, apart from the one that trains its network
    stream = generator(replicate_seed(seed, replicate), 1)
    return torch.randn(samples, SIDE**2, generator=stream), torch.arange(samples) % CLASSES


def generate(method: str, settings: Settings, replicate: int, w: float, samples: int) -> tuple[Tensor, Tensor]:
    """Samples (n, 196) of one method on the CPU, and the labels asked for."""
    noise, labels = starts(settings.seed, replicate, samples)
    net, device = denoiser_of(settings, replicate), settings.device
    with torch.inference_mode():
        return guided(method, net, noise.to(device), SIGMAS, labels.to(device), w).cpu(), labels


@protocol
def experiment_garments(settings: Settings, *, progress: Progress | None = None) -> Grid:
    """Every metric of every method: axes metric, method, w, replicate; NaN where a method was not tried at a scale."""
    size = settings.size
    axes = {"metric": METRICS, "method": METHODS, "w": size.garment_scales, "replicate": range(size.train_seeds)}
    values = np.full([len(points) for points in axes.values()], np.nan)
    judge = garment_judge(size.garment_samples)
    for replicate in range(size.train_seeds):
        for m, method in enumerate(METHODS):
            for k, w in enumerate(size.garment_scales):
                if method == UNGUIDED and k > 0:
                    values[:, m, k, replicate] = values[:, m, 0, replicate]
                elif size.whole_ablation or w == ABLATION_SCALE or method in OUTLINE:
                    scores = judge.scores(*generate(method, settings, replicate, w, size.garment_samples))
                    values[:, m, k, replicate] = [scores[name] for name in METRICS]
        if progress is not None:
            progress(replicate + 1, size.train_seeds)
    return Grid(axes, values)


@dataclass(frozen=True)
class GarmentComparison:
    """Images of no guidance, CFG and the settings' own guidance from the same noise, with their metrics."""

    images: dict[str, Tensor]  # name -> (shown, 14, 14), four of each class
    labels: Tensor
    scores: dict[str, dict[str, float]]

    OWN = "yours"


@cached
def compare_garments(settings: Settings, *, progress: Progress | None = None) -> GarmentComparison:
    """Sample part B with the settings' own guidance beside CFG at the same w and no guidance, from the same noise."""
    noise, labels = starts(settings.seed, 0, settings.size.garment_samples)
    judge, net = garment_judge(len(labels)), denoiser_of(settings, progress=progress)
    own = AdaptiveProjectedGuidance(settings.w, settings.eta, settings.r if settings.clip else 0.0, settings.beta)
    start, given = noise.to(settings.device), labels.to(settings.device)
    jobs = {UNGUIDED: None, CFG: AdaptiveProjectedGuidance(settings.w, *SETTINGS[CFG]), GarmentComparison.OWN: own}
    samples, steps = {}, len(SIGMAS) - 1
    for k, (name, guidance) in enumerate(jobs.items()):

        def tell(step: int, *_: Any, before: int = k * steps) -> None:
            if progress is not None:
                progress(before + step + 1, len(jobs) * steps)

        with torch.inference_mode():
            samples[name] = sample(net, start, SIGMAS, labels=given, guidance=guidance, trace=tell).cpu()
    shown = slice(0, 4 * CLASSES)
    return GarmentComparison(
        images={name: x[shown].view(-1, SIDE, SIDE) for name, x in samples.items()},
        labels=labels[shown],
        scores={name: judge.scores(x, labels) for name, x in samples.items()},
    )


@dataclass(frozen=True)
class Cost:
    """Arithmetic (operations) and time (milliseconds of CPU) of one guided evaluation of a batch."""

    operations: dict[str, int]
    milliseconds: dict[str, float]


def experiment_cost(settings: Settings) -> Cost:
    """Count and time a network call pair, CFG and APG (eta = 0, r = 2.5, beta = -0.75) on the lesson's batch."""
    return _cost(settings.protocol)


@cached
def _cost(settings: Settings, repeats: int = 20) -> Cost:
    net = denoiser_of(settings)
    noise, labels = starts(settings.seed, 0, settings.size.garment_samples)
    x, given = noise.to(settings.device), labels.to(settings.device)
    with torch.no_grad():
        pair = net.pair(x, 1.0, given)
        apg = AdaptiveProjectedGuidance(4.0, *SETTINGS[APG_GARMENTS])
        apg(*pair)  # from the second call on the momentum has a past
        jobs = {
            "network pair": lambda: net.pair(x, 1.0, given), "CFG": lambda: cfg(*pair, 4.0), "APG": lambda: apg(*pair),
        }
        operations, milliseconds = {}, {}
        for name, job in jobs.items():
            with OperationCount() as count:
                job()
            operations[name] = count.total
            start = time.process_time()
            for _ in range(repeats):
                job()
            milliseconds[name] = 1e3 * (time.process_time() - start) / repeats
    return Cost(operations, milliseconds)
