"""Closed-form derivatives of the metric losses (arXiv 2405.14745), and the authors' own for the geometric mean.

A metric sees its samples through two sums only, TP and FP (P and N are given). So the derivative by one sample's
amplified output is one of two numbers: u for a positive (it adds to TP), v for a negative (it adds to FP).
"""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.anyloss.confusion import (
    L_PAPER,
    Metric,
    SoftConfusion,
    check_labels,
    check_probabilities,
    resolve,
    root,
)

Slopes = tuple[Tensor, Tensor]
# metrics that are linear in the amplified outputs: their slopes never change
LINEAR = ("accuracy", "balanced_accuracy", "recall", "specificity")


def inverse(x: Tensor) -> Tensor:
    """1 / x, and 0 where x is 0: a metric without its class has no gradient."""
    return torch.where(x == 0, 0.0, 1 / x)


def accuracy_slopes(c: SoftConfusion) -> Slopes:
    """-(2y - 1) / n."""
    each = inverse(c.n)
    return -each, each


def fbeta_slopes(c: SoftConfusion, beta: float | Tensor = 1.0) -> Slopes:
    """-(1 + b^2)(y D - TP) / D^2 with D = b^2 P + S."""
    scale = beta**2
    per = inverse(scale * c.positives + c.predicted)
    v = (1 + scale) * c.tp * per**2
    return v - (1 + scale) * per, v


def gmean_slopes(c: SoftConfusion) -> Slopes:
    """-(1/2)(y TN - (1-y) TP) / sqrt(P N TP TN)."""
    half = 0.5 * inverse(root(c.positives * c.negatives * c.tp * c.tn))
    return -half * c.tn, half * c.tp


def balanced_accuracy_slopes(c: SoftConfusion) -> Slopes:
    """-(1/2)(y / P - (1-y) / N): as a cost-sensitive loss, linear in a."""
    return -0.5 * inverse(c.positives), 0.5 * inverse(c.negatives)


def precision_slopes(c: SoftConfusion) -> Slopes:
    """-(y S - TP) / S^2."""
    per = inverse(c.predicted)
    v = c.tp * per**2
    return v - per, v


def recall_slopes(c: SoftConfusion) -> Slopes:
    """-y / P."""
    return -inverse(c.positives), torch.zeros_like(c.tp)


def specificity_slopes(c: SoftConfusion) -> Slopes:
    """+(1-y) / N."""
    return torch.zeros_like(c.tp), inverse(c.negatives)


CLOSED: dict[str, Callable[..., Slopes]] = {
    "accuracy": accuracy_slopes, "fbeta": fbeta_slopes, "gmean": gmean_slopes,
    "balanced_accuracy": balanced_accuracy_slopes, "precision": precision_slopes, "recall": recall_slopes,
    "specificity": specificity_slopes,
}


def slopes(metric: str | Metric, c: SoftConfusion, *, beta: float | Tensor = 1.0) -> Slopes:
    """(u, v): derivative of 1 - metric by the amplified output of a positive and of a negative sample.

    In closed form where :data:`CLOSED` has it, else by autograd through two numbers. ``ValueError``: unknown name.
    """
    if isinstance(metric, str) and metric in CLOSED:
        return CLOSED[metric](c, beta) if metric == "fbeta" else CLOSED[metric](c)
    value = resolve(metric)
    with torch.enable_grad():
        tp, fp = (x.detach().clone().requires_grad_() for x in (c.tp, c.fp))
        free = SoftConfusion(tp, fp, c.fn + (c.tp - tp), c.tn + (c.fp - fp), c.n, c.positives, c.negatives)
        loss = (1 - value(free)).sum()
        u, v = torch.autograd.grad(loss, (tp, fp), allow_unused=True)
    zero = torch.zeros_like(c.tp)
    return (zero if u is None else u), (zero if v is None else v)


def metric_gradient(
    metric: str | Metric, p: Tensor, y: Tensor, *, L: float = L_PAPER, beta: float = 1.0
) -> Tensor:
    """Derivative of the loss 1 - metric by each logit z, p = sigmoid(z); shape of ``p``, samples on the last axis.

    dloss/dz = dloss/da * da/dz with da/dz = L a(1-a) p(1-p). Leading axes are separate batches.
    ``ValueError`` for p outside [0, 1], labels other than 0 and 1, other shapes, L or beta <= 0, an unknown metric.
    """
    validate.positive("beta", beta)
    c = SoftConfusion.from_probabilities(p, y, L=L)
    u, v = slopes(metric, c, beta=beta)
    yes = y.to(p)
    a = torch.sigmoid(L * (p - 0.5))
    return (u[..., None] * yes + v[..., None] * (1 - yes)) * L * a * (1 - a) * p * (1 - p)


def official_gmean_gradient(p: Tensor, y: Tensor, *, L: float = L_PAPER) -> Tensor:
    """The geometric mean's gradient as the authors' published code has it: a factor 2 where the derivative has 1/2.

    Four times :func:`metric_gradient`, for demonstration: its direction is right, its learning rate silently times 4.
    """
    check_probabilities("p", p)
    check_labels("y", y)
    c = SoftConfusion.from_probabilities(p, y, L=L)
    yes = y.to(p)
    a = torch.sigmoid(L * (p - 0.5))
    per = 2 * inverse(root(c.positives * c.negatives * c.tp * c.tn))
    toward = yes * c.tn[..., None] - (1 - yes) * c.tp[..., None]
    return -per[..., None] * toward * L * a * (1 - a) * p * (1 - p)
