"""What is measured of a classifier: hard metrics, the best threshold by an exact scan, stratified folds of a table."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.anyloss.confusion import (
    METRICS,
    Metric,
    SoftConfusion,
    check_labels,
    resolve,
)

BETAS = {"f1": 1.0, "f0.5": 0.5, "f2": 2.0}


def hard_metrics(y: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Every metric of predicted ``labels`` (0 or 1) against ``y``, samples on the last axis: name -> (leading axes).

    F_beta stands as "f1", "f0.5" and "f2". Where a metric divides by nothing it is 0. ``ValueError`` for other labels.

    >>> hard_metrics(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]))["gmean"]
    tensor(0.7071, dtype=torch.float64)
    """
    check_labels("labels", labels)
    c = SoftConfusion.from_probabilities(labels.double(), torch.as_tensor(y), amplify=False)
    found = {name: resolve("fbeta", beta)(c) for name, beta in BETAS.items()}
    return found | {name: metric(c) for name, metric in METRICS.items() if name != "fbeta"}


def tune_threshold(scores: Tensor, y: Tensor, metric: str | Metric, *, beta: float = 1.0) -> float:
    """The threshold t for which "label 1 where score > t" has the largest metric on (scores, y), both (n,).

    Exact: every midpoint between neighboring scores, and both ends, from one sort and one cumulative sum; of equals the
    lowest. ``ValueError`` for scores that are not finite, labels other than 0 and 1, other shapes, an unknown metric.

    >>> tune_threshold(torch.tensor([0.1, 0.2, 0.8]), torch.tensor([0, 1, 1]), "accuracy")
    0.15000000000000002
    """
    value = resolve(metric, beta)
    scores = validate.finite("scores", torch.as_tensor(scores)).double()
    validate.same_shape(scores=scores, y=y)
    if scores.dim() != 1:
        raise ValueError(f"scores has shape {tuple(scores.shape)}: must be (n,)")
    ones = check_labels("y", y).double()
    order = torch.argsort(scores)
    ranked, ones = scores[order], ones[order]
    # entry k: the k lowest scores are labeled 0; a cut between equal scores does not exist
    zero = ones.new_zeros(1)
    below = torch.cat([zero, ones.cumsum(0)])
    count = torch.arange(len(ones) + 1, dtype=torch.float64)
    cut = torch.cat([ranked.new_tensor([True]).bool(), ranked[1:] > ranked[:-1], ranked.new_tensor([True]).bool()])
    positives = below[-1]
    tp = positives - below
    fp = (len(ones) - positives) - (count - below)
    c = SoftConfusion.from_counts(tp, fp, positives.expand_as(tp), (len(ones) - positives).expand_as(tp))
    found = torch.where(cut, value(c), torch.full_like(tp, -math.inf))
    k = int(found.argmax())
    if k == 0:
        return math.nextafter(float(ranked[0]), -math.inf)
    if k == len(ones):
        return float(ranked[-1])
    return float((ranked[k - 1] + ranked[k]) / 2)


@dataclass(frozen=True)
class Folds:
    """Training and test rows of F folds, padded to one length; padded rows have mask 0 and features 0.

    ``x`` (F, n, d + 1) with a first column of ones, standardized by each fold's own training rows; ``y`` and ``mask``
    (F, n); ``test_x``, ``test_y``, ``test_mask`` likewise.
    """

    x: Tensor
    y: Tensor
    mask: Tensor
    test_x: Tensor
    test_y: Tensor
    test_mask: Tensor


def fold_ids(y: Tensor, folds: int, generator: torch.Generator) -> Tensor:
    """A stratified partition: the fold (0 … folds - 1) of each row; each class is shuffled and dealt out in turn.

    ``ValueError`` unless 2 <= folds <= the size of the smaller class.
    """
    y = check_labels("y", y)
    validate.at_least("folds", folds, 2)
    smallest = int(torch.bincount(y.long(), minlength=2).min())
    if folds > smallest:
        raise ValueError(f"folds={folds}: the smaller class has only {smallest} samples")
    ids, dealt = torch.empty(len(y), dtype=torch.long), 0
    for label in (1, 0):
        members = (y == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        ids[members] = (torch.arange(len(members)) + dealt) % folds
        dealt += len(members)
    return ids


def make_folds(x: Tensor, y: Tensor, ids: Tensor) -> Folds:
    """Rows x (n, d) of labels y (n,) by one or several partitions ``ids`` (n,) or (R, n); F = R * folds, split first.

    Mean and deviation come from the training rows alone. ``ValueError`` for entries that are not finite.
    """
    validate.finite("x", x)
    x, y = x.double(), check_labels("y", y).double()
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for partition in ids.reshape(-1, len(y)):
        for k in range(int(partition.max()) + 1):
            test = partition == k
            rows = x[~test]
            deviation = rows.std(0, correction=0)
            scaled = (x - rows.mean(0)) / torch.where(deviation > 0, deviation, torch.ones_like(deviation))
            scaled = torch.cat([torch.ones(len(x), 1, dtype=x.dtype), scaled], 1)
            parts.append((scaled[~test], y[~test], scaled[test], y[test]))
    train_x, train_y, test_x, test_y = (list(side) for side in zip(*parts, strict=True))
    return Folds(*_padded(train_x, train_y), *_padded(test_x, test_y))


def _padded(x: list[Tensor], y: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(x, True), pad(y, True), pad([torch.ones_like(labels) for labels in y], True)
