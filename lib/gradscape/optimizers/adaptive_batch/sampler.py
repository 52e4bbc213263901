"""One endless stream of indices, cut into batches of a size that may change, and a rate that counts samples."""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from gradscape.validate import at_least, nonnegative, positive


class ResizableBatchSampler(Sampler[list[int]]):
    """For ``DataLoader(data, batch_sampler=…)``: permutations of range(n) one after the other, cut as asked.

    Each list has the ``batch_size`` of the moment it is requested. What is left of a permutation is joined to the next
    one: no batch is short, every index comes exactly once in n draws, and ``samples_seen`` counts exactly. All
    iterators share the one stream. With workers, a loader requests ``prefetch_factor * num_workers`` lists ahead: a new
    size takes effect only after those, so statistics must use the actual length of a batch.
    ``state_dict`` holds the stream's place and the generator's state, for resuming. Raises ``ValueError`` for n or
    batch_size < 1 (larger than n is allowed).

    >>> sampler = ResizableBatchSampler(5, 3, generator=torch.Generator().manual_seed(0))
    >>> [len(sampler.take()) for _ in range(2)], sampler.samples_seen
    ([3, 3], 6)
    """

    def __init__(self, n: int, batch_size: int, *, generator: torch.Generator) -> None:
        self.n = at_least("n", n, 1)
        self.batch_size = batch_size
        self.generator = generator
        self.samples_seen = 0
        self._order = torch.empty(0, dtype=torch.int64)
        self._at = 0

    @property
    def batch_size(self) -> int:
        """The length of the next list."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._batch_size = at_least("batch_size", size, 1)

    def take(self) -> Tensor:
        """The next batch's indices, (batch_size,) int64."""
        wanted, parts = self._batch_size, []
        while wanted:
            if self._at >= len(self._order):
                self._order, self._at = torch.randperm(self.n, generator=self.generator), 0
            part = self._order[self._at : self._at + wanted]
            self._at += len(part)
            wanted -= len(part)
            parts.append(part)
        self.samples_seen += self._batch_size
        return torch.cat(parts)

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            yield self.take().tolist()

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is."""
        return {
            "n": self.n, "batch_size": self.batch_size, "samples_seen": self.samples_seen, "position": self._at,
            "permutation": self._order.clone(), "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a saved stream was. ``ValueError`` if it had another n."""
        if state["n"] != self.n:
            raise ValueError(f"n={state['n']!r} in the state: this sampler has n={self.n}")
        self.batch_size = state["batch_size"]
        self.samples_seen = at_least("samples_seen", state["samples_seen"], 0)
        self._order, self._at = state["permutation"].clone(), at_least("position", state["position"], 0)
        self.generator.set_state(state["generator"])


def samples_schedule(samples: float, *, peak: float, floor: float, warmup: float, total: float) -> float:
    """The learning rate after so many *samples*: up to ``peak`` over ``warmup``, a cosine to ``floor`` at ``total``.

    Counted in samples because growing batches would make a schedule counted in steps stand still. From ``total`` on
    it stays at ``floor``. ``ValueError``: a negative or infinite value, peak = 0, floor > peak, warmup >= total.

    >>> samples_schedule(300, peak=1.0, floor=0.2, warmup=100, total=500)
    0.6
    """
    nonnegative("samples", samples)
    nonnegative("floor", floor)
    nonnegative("warmup", warmup)
    if positive("peak", peak) < floor:
        raise ValueError(f"floor={floor!r}: must be at most peak={peak!r}")
    if positive("total", total) <= warmup:
        raise ValueError(f"warmup={warmup!r}: must be less than total={total!r}")
    if samples < warmup:
        return peak * samples / warmup
    share = min(1.0, (samples - warmup) / (total - warmup))
    return floor + 0.5 * (1 + math.cos(math.pi * share)) * (peak - floor)
