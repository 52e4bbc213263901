"""Two Gaussian classes in the plane: what BCE, AnyLoss and BCE with a tuned threshold make of them."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.lesson import cached, generator
from gradscape.optimizers.anyloss.confusion import SoftConfusion, resolve
from gradscape.optimizers.anyloss.linear import LossSpec, fit_linear
from gradscape.optimizers.anyloss.scoring import tune_threshold
from gradscape.optimizers.anyloss.settings import Settings

PLANE_STEPS = 200
KEPT = 26  # moments of training that are looked at

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """Points ``x`` (n, 2) of classes ``y`` (n,); per rule of ``rules`` a line z = theta . (1, x) - cut; the exact
    metric ``true`` of each line on the whole population. ``soft`` and ``hard`` (K,) are AnyLoss' metrics on the points
    after ``steps``, ``active`` the share of points inside the band that carries gradient.
    """

    x: Array
    y: Array
    rules: tuple[str, ...]
    theta: Array
    cut: Array
    true: Array
    steps: Array
    soft: Array
    hard: Array
    active: Array
    L: float
    metric: str


@cached
def plane(settings: Settings, steps: int = PLANE_STEPS) -> Plane:
    """Train on ``settings.n`` points at ``settings.metric``, ``beta``, ``L``, ``lr`` and ``start``."""
    g = generator(settings.seed, 40_000)
    n, rare = settings.n, max(2, round(settings.n * settings.positive_rate))
    y = (torch.arange(n) < rare).double()
    x = torch.randn(n, 2, generator=g, dtype=torch.float64)
    x[:, 0] += settings.separation * (y - 0.5)
    X = torch.cat([torch.ones(n, 1, dtype=torch.float64), x], 1)[None]
    begin = settings.start * torch.randn(3, generator=g, dtype=torch.float64)
    metric = resolve(settings.metric, settings.beta)
    watched = sorted({round(k) for k in np.linspace(0, steps, KEPT)})
    seen: list[Tensor] = []
    theta = fit_linear(
        X, y, [LossSpec("bce"), LossSpec(settings.metric, settings.beta, settings.L)], iterations=steps,
        lr=[0.1, settings.lr * 73.0 / settings.L], theta0=begin,
        watch=lambda k, now: seen.append(now[1, 0].clone()) if k in watched else None,
    )[:, 0]
    cut = tune_threshold(X[0] @ theta[0], y, settings.metric, beta=settings.beta)
    lines, cuts = theta[[0, 0, 1]], torch.tensor([0.0, cut, 0.0], dtype=torch.float64)
    p = torch.sigmoid(torch.stack(seen) @ X[0].T)
    a = torch.sigmoid(settings.L * (p - 0.5))
    one = torch.ones_like(y)
    soft, hard = (metric(SoftConfusion.from_products(v, y, one)) for v in (a, (p > 0.5).double()))
    active = (4 * a * (1 - a) > 0.01).double().mean(1)
    true = _population(lines, cuts, settings, metric)
    return Plane(
        x.numpy(), y.numpy(), ("bce", "threshold", "anyloss"), lines.numpy(), cuts.numpy(), true.numpy(),
        np.array(watched), soft.numpy(), hard.numpy(), active.numpy(), settings.L, settings.metric,
    )


def _population(lines: Tensor, cuts: Tensor, settings: Settings, metric: object) -> Tensor:
    """Exact: along a line's normal both classes are normal, so their rates are values of the normal distribution."""
    norm = torch.linalg.vector_norm(lines[:, 1:], dim=1).clamp(min=1e-12)
    offset = lines[:, 0] - cuts
    shift = 0.5 * settings.separation * lines[:, 1]
    tpr, fpr = (torch.special.ndtr((offset + side * shift) / norm) for side in (1, -1))
    rate = torch.full_like(tpr, settings.positive_rate)
    c = SoftConfusion.from_counts(rate * tpr, (1 - rate) * fpr, rate, 1 - rate)
    assert callable(metric)
    found: Tensor = metric(c)
    return found
