"""Soft confusion matrices: amplified outputs, the four entries, the metrics made of them (arXiv 2405.14745).

The paper's construction: push a sigmoid output p through an amplifier A(p), so that it is almost a label and still has
a derivative; sum up true and false positives and negatives; a metric of these is smooth, and 1 - metric is a loss.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate

L_PAPER = 73.0  # the paper's amplification; the largest integer L with A(1) < 1 in float64

Metric = Callable[["SoftConfusion"], Tensor]


def amplify(p: Tensor, L: float = L_PAPER) -> Tensor:
    """A(p) = 1 / (1 + exp(-L (p - 1/2))), the paper's amplifying function, for probabilities of any shape.

    A(1/2) = 1/2 and A rises, so p and A(p) give the same label. ``ValueError`` for p outside [0, 1] or L <= 0.

    >>> amplify(torch.tensor([0.4, 0.5, 0.6]))
    tensor([6.7550e-04, 5.0000e-01, 9.9932e-01])
    """
    validate.positive("L", L)
    return torch.sigmoid(L * (check_probabilities("p", p) - 0.5))


def active_band(L: float, fraction: float = 0.01) -> float:
    """Half-width in p of the band around 1/2 where A(1 - A), and with it the gradient, is above ``fraction`` of its
    peak: 2 arcosh(1 / sqrt(fraction)) / L, about 6 / L at 1 %.

    >>> round(active_band(73.0), 3)
    0.082
    """
    validate.positive("L", L)
    validate.in_range("fraction", fraction, 0.0, 1.0, open_low=True)
    return 2 * math.acosh(1 / math.sqrt(fraction)) / L


@dataclass(frozen=True)
class SoftConfusion:
    """The four entries of a confusion matrix whose predictions may lie between 0 and 1, and their margins.

    All are tensors of one shape: the leading axes of what they were summed from (folds, seeds, losses).
    """

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor
    n: Tensor
    positives: Tensor
    negatives: Tensor

    @classmethod
    def from_probabilities(
        cls, p: Tensor, y: Tensor, *, L: float = L_PAPER, amplify: bool = True, weight: Tensor | None = None,
        dim: int = -1,
    ) -> SoftConfusion:
        """Sum the entries over ``dim``: TP = sum y a, FP = sum (1-y) a, FN = sum y (1-a), TN = sum (1-y)(1-a).

        ``p`` probabilities, ``y`` labels 0 or 1 of the same shape, a = A(p), or p itself with ``amplify=False``.
        ``weight`` (broadcast to p, nonnegative) counts a sample so many times; 0 leaves it out. n is the number of
        samples *summed here*, a batch's own. ``ValueError`` for p outside [0, 1], other labels, other shapes, L <= 0.
        """
        validate.positive("L", L)
        check_probabilities("p", p)
        validate.same_shape(p=p, y=y)
        ones = check_labels("y", y).to(p)
        a = torch.sigmoid(L * (p - 0.5)) if amplify else p
        w = torch.ones_like(p) if weight is None else check_weight(weight, p)
        return cls.from_products(a, ones, w, dim)

    @classmethod
    def from_products(cls, a: Tensor, y: Tensor, weight: Tensor, dim: int = -1) -> SoftConfusion:
        """The sums themselves, of checked tensors that broadcast with each other."""
        yes, no = weight * y, weight * (1 - y)
        tp, fp, fn, tn = ((side * part).sum(dim) for part in (a, 1 - a) for side in (yes, no))
        positives, negatives = yes.sum(dim), no.sum(dim)
        return cls(tp, fp, fn, tn, positives + negatives, positives, negatives)

    @classmethod
    def from_counts(cls, tp: Tensor, fp: Tensor, positives: Tensor, negatives: Tensor) -> SoftConfusion:
        """The matrix with known margins: FN = P - TP, TN = N - FP, not below 0 where rounding would put them there."""
        fn, tn = (positives - tp).clamp(min=0), (negatives - fp).clamp(min=0)
        return cls(tp, fp, fn, tn, positives + negatives, positives, negatives)

    @property
    def predicted(self) -> Tensor:
        """S = TP + FP, the number of (softly) predicted positives."""
        return self.tp + self.fp


def accuracy(c: SoftConfusion) -> Tensor:
    """(TP + TN) / n."""
    return ratio(c.tp + c.tn, c.n)


def fbeta(c: SoftConfusion, beta: float | Tensor = 1.0) -> Tensor:
    """F_beta = (1 + beta^2) TP / (beta^2 P + S); beta < 1 leans to precision, beta > 1 to recall."""
    return ratio((1 + beta**2) * c.tp, beta**2 * c.positives + c.predicted)


def gmean(c: SoftConfusion) -> Tensor:
    """Geometric mean of recall and specificity, sqrt(TP TN / (P N))."""
    return root(ratio(c.tp * c.tn, c.positives * c.negatives))


def balanced_accuracy(c: SoftConfusion) -> Tensor:
    """Arithmetic mean of recall and specificity, (TP / P + TN / N) / 2."""
    return (recall(c) + specificity(c)) / 2


def precision(c: SoftConfusion) -> Tensor:
    """TP / S."""
    return ratio(c.tp, c.predicted)


def recall(c: SoftConfusion) -> Tensor:
    """TP / P."""
    return ratio(c.tp, c.positives)


def specificity(c: SoftConfusion) -> Tensor:
    """TN / N."""
    return ratio(c.tn, c.negatives)


def jaccard(c: SoftConfusion) -> Tensor:
    """TP / (TP + FP + FN)."""
    return ratio(c.tp, c.tp + c.fp + c.fn)


def informedness(c: SoftConfusion) -> Tensor:
    """Youden's J, recall + specificity - 1."""
    return recall(c) + specificity(c) - 1


def mcc(c: SoftConfusion) -> Tensor:
    """Matthews' correlation, (TP TN - FP FN) / sqrt(S (n - S) P N)."""
    spread = c.predicted * (c.fn + c.tn) * c.positives * c.negatives
    return ratio(c.tp * c.tn - c.fp * c.fn, root(spread))


METRICS: dict[str, Callable[..., Tensor]] = {
    "accuracy": accuracy, "fbeta": fbeta, "gmean": gmean, "balanced_accuracy": balanced_accuracy,
    "precision": precision, "recall": recall, "specificity": specificity, "jaccard": jaccard,
    "informedness": informedness, "mcc": mcc,
}
# What a batch must hold for a metric to say anything; F_beta, precision and Jaccard are 0 without positives, a value.
NEEDS: dict[str, tuple[str, ...]] = {
    "gmean": ("positives", "negatives"), "balanced_accuracy": ("positives", "negatives"), "recall": ("positives",),
    "specificity": ("negatives",), "informedness": ("positives", "negatives"), "mcc": ("positives", "negatives"),
}


def resolve(metric: str | Metric, beta: float = 1.0) -> Metric:
    """A metric by name (``fbeta`` with its beta), or the callable itself; ``ValueError`` for an unknown name."""
    if callable(metric):
        return metric
    validate.one_of("metric", metric, tuple(METRICS))
    validate.positive("beta", beta)
    return (lambda c: fbeta(c, beta)) if metric == "fbeta" else METRICS[metric]


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0, with a gradient of 0 there (what scikit-learn calls ``zero_division=0``)."""
    empty = b == 0
    return torch.where(empty, torch.zeros_like(a), a / torch.where(empty, torch.ones_like(b), b))


def root(x: Tensor) -> Tensor:
    """sqrt(x), with a gradient of 0 instead of infinity at 0."""
    zero = x <= 0
    return torch.where(zero, torch.zeros_like(x), torch.where(zero, torch.ones_like(x), x).sqrt())


def check_probabilities(name: str, p: Tensor) -> Tensor:
    """Return floats in [0, 1]; ``ValueError`` otherwise."""
    if not isinstance(p, Tensor) or not p.is_floating_point():
        raise ValueError(f"{name} is {_kind(p)}: must be a tensor of floats in [0, 1]")
    validate.finite(name, p)
    low, high = float(p.detach().min()), float(p.detach().max())
    if low < 0 or high > 1:
        raise ValueError(f"{name} runs from {low:g} to {high:g}: must lie in [0, 1] (probabilities, not logits)")
    return p


def check_labels(name: str, y: Tensor) -> Tensor:
    """Return labels that are all 0 or 1; ``ValueError`` otherwise."""
    if not isinstance(y, Tensor) or y.is_complex() or y.numel() == 0:
        raise ValueError(f"{name} is {_kind(y)}: must be a tensor of at least one label, 0 or 1")
    wrong = (y != 0) & (y != 1)
    if bool(wrong.any()):
        raise ValueError(f"{name} holds {y[wrong][0].item()!r}: labels must be 0 or 1")
    return y


def check_weight(weight: Tensor, p: Tensor) -> Tensor:
    """Return weights broadcast to the shape of ``p``; ``ValueError`` unless finite and not negative."""
    validate.finite("weight", weight)
    if bool((weight < 0).any()):
        raise ValueError(f"weight has a smallest entry of {float(weight.min()):g}: must not be negative")
    try:
        return weight.to(p).expand_as(p)
    except RuntimeError as error:
        shapes = f"weight {tuple(weight.shape)}, p {tuple(p.shape)}"
        raise ValueError(f"weight does not broadcast to p: {shapes}") from error


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of dtype {value.dtype} and shape {tuple(value.shape)}"
    return type(value).__name__
