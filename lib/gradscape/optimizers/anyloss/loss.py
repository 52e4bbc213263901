"""AnyLoss as a torch loss, and batches in which every class appears (arXiv 2405.14745)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.optimizers.anyloss.confusion import (
    L_PAPER,
    METRICS,
    NEEDS,
    Metric,
    SoftConfusion,
    check_labels,
    resolve,
)

BOTH = ("positives", "negatives")


class AnyLoss(nn.Module):
    """1 - metric of the amplified outputs of a batch, a differentiable loss.

    ``metric``: a name of ``METRICS`` or any callable of a :class:`SoftConfusion` (larger is better). ``beta`` is that
    of ``"fbeta"``. ``L``: amplification; 73 is the paper's and the largest integer that float64 bears, 33 in float32:
    above it A(1) rounds to 1 and such a sample has no gradient. ``from_logits``: inputs are logits, else probabilities.
    ``weight``: how often each sample counts, broadcast to the input.

    n is the batch's own size (the authors' mini-batch losses put the training set's there). A batch without a class
    that the metric divides by has no metric: ``empty="skip"`` returns 0 with a graph and counts it in ``skipped``,
    ``"error"`` raises ``ValueError``. F_beta, precision and Jaccard are 0 without positives: loss 1, gradient 0.
    ``ValueError`` also for inputs that are not finite, labels other than 0 and 1, and other shapes.

    >>> loss = AnyLoss("fbeta")
    >>> loss(torch.tensor([-0.1, 0.2, 0.3]), torch.tensor([0.0, 1.0, 1.0]))
    tensor(0.0517)
    """

    def __init__(
        self, metric: str | Metric = "fbeta", *, beta: float = 1.0, L: float = L_PAPER, from_logits: bool = True,
        empty: Literal["skip", "error"] = "skip", weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.weight: Tensor | None
        if not callable(metric):
            validate.one_of("metric", metric, tuple(METRICS))
        self.metric, self.beta = metric, validate.positive("beta", beta)
        self.L, self.from_logits = validate.positive("L", L), from_logits
        self.empty = validate.one_of("empty", empty, ("skip", "error"))
        self.register_buffer("weight", weight)
        self.needs = BOTH if callable(metric) else NEEDS.get(metric, ())
        self.skipped = 0

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of one batch (a scalar); input and target of one shape, every entry a sample."""
        validate.finite("input", input)
        validate.same_shape(input=input, target=target)
        p = torch.sigmoid(input) if self.from_logits else input
        weight = None if self.weight is None else self.weight.expand_as(p).flatten()
        c = SoftConfusion.from_probabilities(p.flatten(), target.flatten(), L=self.L, weight=weight)
        missing = [side for side in self.needs if not bool(getattr(c, side) > 0)]
        if missing:
            if self.empty == "error":
                raise ValueError(f"target holds no {missing[0]}: the metric is not defined on such a batch")
            self.skipped += 1
            return 0.0 * p.sum()
        return 1 - resolve(self.metric, self.beta)(c)

    def extra_repr(self) -> str:
        """What ``print(loss)`` shows."""
        name = self.metric if isinstance(self.metric, str) else getattr(self.metric, "__name__", "callable")
        beta = f", beta={self.beta:g}" if self.metric == "fbeta" else ""
        return f"{name}{beta}, L={self.L:g}, empty={self.empty!r}"


class StratifiedBatchSampler(torch.utils.data.Sampler[list[int]]):
    """Batches of exactly ``batch_size`` indices in which each class has its share, and at least ``min_per_class``.

    ``y`` (n,) of 0 and 1. An epoch has n // batch_size batches; within it no index comes twice unless a class is too
    small for its minimum. For ``DataLoader(batch_sampler=...)``. ``ValueError`` for a missing class or a batch that is
    too small or too large.

    >>> batches = StratifiedBatchSampler(torch.tensor([1, 0, 0, 0, 0, 1, 0, 0]), 4, generator=torch.Generator())
    >>> [len(batch) for batch in batches]
    [4, 4]
    """

    def __init__(
        self, y: Tensor, batch_size: int, min_per_class: int = 1, *, generator: torch.Generator | None = None
    ) -> None:
        y = check_labels("y", torch.as_tensor(y)).flatten()
        validate.at_least("min_per_class", min_per_class, 0)
        validate.at_least("batch_size", batch_size, max(1, 2 * min_per_class))
        if batch_size > len(y):
            raise ValueError(f"batch_size={batch_size}: must not exceed the {len(y)} samples of y")
        self.classes = [(y == label).nonzero().flatten() for label in (0, 1)]
        for label, members in enumerate(self.classes):
            if len(members) == 0:
                raise ValueError(f"y holds no label {label}: both classes are needed")
        self.batch_size, self.min_per_class, self.generator = batch_size, min_per_class, generator
        self.batches = len(y) // batch_size

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch_size * len(self.classes[1]) / (len(self.classes[0]) + len(self.classes[1]))
        streams = [self._stream(members) for members in self.classes]
        given = 0
        for k in range(1, self.batches + 1):
            wanted = round(k * share) - given  # running totals stay within half a sample of the exact share
            given += wanted
            ones = min(max(wanted, self.min_per_class), self.batch_size - self.min_per_class)
            counts = (self.batch_size - ones, ones)
            batch = [next(stream) for stream, count in zip(streams, counts, strict=True) for _ in range(count)]
            order = torch.randperm(len(batch), generator=self.generator).tolist()
            yield [batch[i] for i in order]

    def _stream(self, members: Tensor) -> Iterator[int]:
        while True:
            yield from members[torch.randperm(len(members), generator=self.generator)].tolist()
