"""Real images, a generator trained on them, and what it samples."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import fashion, tables
from gradscape.datasets.labels import Labeled
from gradscape.diffusion.concentration.denoiser import Trained, make_denoiser, train_edm
from gradscape.diffusion.concentration.lipschitz import edm_sample, sampler_lipschitz
from gradscape.diffusion.concentration.settings import GROUPS, Settings
from gradscape.lesson import cached, generator, replicate_seed
from gradscape.validate import one_of

Progress = Callable[[int, int], None]

POOLS = {"7x7": 4, "14x14": 2}  # pixels per side of a block of Fashion-MNIST
SCALE = 0.5  # standard deviation of the data, EDM's sigma_data
TRAINED_DIGITS = 140  # per class; the rest are for testing
WEIGHTS, TRAINING, NOISE, POWER = range(4)  # streams of random numbers


@dataclass(frozen=True)
class Images:
    """Images of each class, (K, n, d) and (K, m, d), minus the mean image and divided to standard deviation 1/2."""

    train: Tensor
    test: Tensor
    mean: Tensor
    scale: float

    @property
    def all(self) -> Tensor:
        """Training and test images of each class."""
        return torch.cat([self.train, self.test], 1)

    def pixels(self, X: Tensor) -> Tensor:
        """Samples (..., d) as gray images (..., side, side) between 0 and 1."""
        side = round(X.shape[-1] ** 0.5)
        return (X * self.scale + self.mean).unflatten(-1, (side, side))


def _by_class(data: Labeled, first: int | None = None) -> list[Tensor]:
    rows = [data.x[data.y == k] for k in range(int(data.y.max()) + 1)]
    few = min(map(len, rows)) if first is None else first
    return [row[:few] for row in rows]


@cached
def images(features: str, classes: str) -> Images:
    """Fashion-MNIST as block means, or digits of 8 x 8, in equal numbers per class; float32."""
    chosen = GROUPS[one_of("classes", classes, tuple(GROUPS))]
    if one_of("features", features, (*POOLS, "digits")) == "digits":
        x, y = tables.digits()
        rows = [x[y == k] for k in chosen]
        few = min(map(len, rows))
        train, test = (torch.stack([row[a:b] for row in rows]) for a, b in ((0, TRAINED_DIGITS), (TRAINED_DIGITS, few)))
    else:
        train, test = (torch.stack(_by_class(fashion.load(part, classes=chosen, pool=POOLS[features], flat=True)))
                       for part in ("train", "test"))
    mean = train.mean((0, 1))
    scale = float((train - mean).std()) / SCALE
    return Images((train - mean) / scale, (test - mean) / scale, mean, scale)


@dataclass(frozen=True)
class Plan:
    """All that decides a generator of images."""

    features: str
    classes: str
    steps: int
    width: int
    depth: int
    seed: int

    @property
    def images(self) -> Images:
        """What it is trained on."""
        return images(self.features, self.classes)


def plan_of(settings: Settings) -> Plan:
    """The generator at the settings' own values."""
    size = settings.size
    steps = settings.train_steps or size.steps
    return Plan(settings.features, settings.classes, steps, size.width, size.depth, replicate_seed(settings.seed, 0))


def protocol_plan(settings: Settings) -> Plan:
    """The generator of the claims."""
    return plan_of(settings.protocol.replace(features=settings.size.features))


@cached
def trained(plan: Plan, *, progress: Progress | None = None) -> Trained:
    """The class-conditional generator, with its loss at each step."""
    rows = plan.images.train
    K, n, d = rows.shape
    model = make_denoiser(d, K, plan.width, plan.depth, SCALE, seed=replicate_seed(plan.seed, WEIGHTS))
    y = torch.arange(K).repeat_interleave(n)
    return train_edm(model, rows.flatten(0, 1), y, plan.steps, generator=generator(plan.seed, TRAINING),
                     progress=progress)


@cached
def generated(plan: Plan, count: int, sampler_steps: int = 18, churn: float = 0.0) -> Tensor:
    """``count`` samples of each class, (K, count, d), float32."""
    K, _, d = plan.images.train.shape
    stream = generator(plan.seed, NOISE)
    z, y = torch.randn(K * count, d, generator=stream), torch.arange(K).repeat_interleave(count)
    average = trained(plan).average  # trained outside of inference mode
    with torch.inference_mode():
        X = edm_sample(average, z, y, sampler_steps, churn=churn, generator=stream)
    return X.clone().unflatten(0, (K, count))


@cached
def local_stretch(plan: Plan, count: int, sampler_steps: int = 18) -> Tensor:
    """The sampler's largest singular value at ``count`` draws of its noise for each class, (K, count)."""
    K, _, d = plan.images.train.shape
    stream = generator(plan.seed, POWER)
    z, y = torch.randn(K * count, d, generator=stream), torch.arange(K).repeat_interleave(count)
    return sampler_lipschitz(trained(plan).average, z, y, sampler_steps, generator=stream).unflatten(0, (K, count))
