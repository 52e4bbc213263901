"""Softmax regression in closed form: the training loop of `train_adaptive` for one linear layer, many seeds at once.

The gradient of sample i is a_i d_i' with a_i its pixels and a 1, d_i = p_i - onehot(y_i). So ||g_i||² is a product of
two norms, and the whole experiment is matrix products. It starts at zero and steps with AdaGrad.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gradscape.learning.per_sample import GradientStats, orthogonal
from gradscape.optimizers.adaptive_batch.plans import BatchSizes
from gradscape.optimizers.adaptive_batch.rules import BatchSizeController
from gradscape.optimizers.adaptive_batch.sampler import ResizableBatchSampler
from gradscape.validate import at_least, positive

EPS = 1e-10  # torch.optim.Adagrad's

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Images:
    """Rows with a 1 appended, (n, p + 1), their squared norms, and labels; the same for testing."""

    x: Tensor
    squares: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int

    @classmethod
    def of(cls, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Images:
        """From flat images (n, p) and labels 0, 1, …"""
        x, test_x = (torch.cat([part, part.new_ones(len(part), 1)], 1) for part in (train[0], test[0]))
        return cls(x, x.double().square().sum(1), train[1], test_x, test[1], int(train[1].max()) + 1)


@dataclass(frozen=True)
class Run:
    """One seed's run, one entry a step: ``batch``, ``samples`` used with it, ``required`` T (NaN: not tested),
    ``scheduled`` size after it. At ``marks`` (samples used): ``loss`` on all training images, test ``accuracy``."""

    batch: Array
    samples: Array
    required: Array
    scheduled: Array
    marks: Array
    loss: Array
    accuracy: Array

    @property
    def steps(self) -> int:
        return len(self.batch)

    @property
    def average(self) -> float:
        """Samples per step."""
        return float(self.batch.mean())


def train_softmax(
    images: Images,
    sizes: BatchSizes,
    generators: Sequence[torch.Generator],
    *,
    lr: float,
    budget: int,
    marks: int = 1,
    progress: Progress | None = None,
) -> list[Run]:
    """Train with exactly ``budget`` samples per seed, S = len(generators) seeds in one stack.

    All seeds share the sizes, so a `BatchSizeController` needs S = 1. ``marks`` evaluations, evenly spread over the
    budget, the last at its end. ``ValueError`` for lr <= 0, budget < 1, marks < 1, or a controller with several seeds.
    """
    positive("lr", lr)
    at_least("marks", marks, 1)
    adaptive = isinstance(sizes, BatchSizeController)
    if adaptive and len(generators) != 1:
        raise ValueError(f"generators: {len(generators)} seeds share no controller; one seed is needed")
    first, seeds = sizes.batch_size, len(generators)
    streams = [ResizableBatchSampler(len(images.x), first, generator=g) for g in generators]
    weights = images.x.new_zeros(seeds, images.x.shape[1], images.classes)
    accumulator = torch.zeros_like(weights)
    used, rows = 0, []
    seen: list[tuple[int, list[float], list[float]]] = []
    while used < at_least("budget", budget, 1):
        for stream in streams:
            stream.batch_size = min(sizes.batch_size, budget - used)
        picked = torch.stack([stream.take() for stream in streams]).to(images.x.device)
        b, x = picked.shape[1], images.x[picked]
        d = torch.softmax(x @ weights, -1)
        d.scatter_add_(2, images.y[picked][..., None], d.new_full((seeds, b, 1), -1.0))
        gradient = x.transpose(1, 2) @ d / b
        accumulator += gradient.square()
        weights -= lr * gradient / (accumulator.sqrt() + EPS)
        used += b
        due = sizes.due and b > 1
        if due or not sizes.due:
            sizes.update(_stats(x[0], d[0], images.squares[picked[0]], gradient[0]) if due else None)
        required = sizes.history[-1].required if isinstance(sizes, BatchSizeController) and due else math.nan
        rows.append((b, used, required, sizes.batch_size))
        while len(seen) < marks and used * marks >= (len(seen) + 1) * budget:
            seen.append((used, *_evaluate(images, weights)))
        if progress is not None:
            progress(used, budget)
    batch, samples, needed, scheduled = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    places, losses, shares = zip(*seen, strict=True)
    return [
        Run(batch, samples, needed, scheduled, np.array(places, dtype=float), loss, share)
        for loss, share in zip(np.array(losses).T, np.array(shares).T, strict=True)
    ]


def _stats(x: Tensor, d: Tensor, squares: Tensor, gradient: Tensor) -> GradientStats:
    """The batch's statistics by ghost norms."""
    b, norm = len(x), float(gradient.double().square().sum())
    total = float((d.double().square().sum(1) * squares).sum())
    inner = ((x @ gradient) * d).double().sum(1)
    variance, ip = max(0.0, total - b * norm) / (b - 1), float(inner.var())
    return GradientStats(b, norm, variance, ip, orthogonal(variance, ip, norm))


def _evaluate(images: Images, weights: Tensor) -> tuple[list[float], list[float]]:
    """Mean training loss and test accuracy of each seed."""
    losses = [float(F.cross_entropy(images.x @ w, images.y)) for w in weights]
    shares = [float(((images.test_x @ w).argmax(1) == images.test_y).double().mean()) for w in weights]
    return losses, shares
