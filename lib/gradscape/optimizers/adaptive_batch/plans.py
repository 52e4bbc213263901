"""Batch sizes that do not look at gradients: what an adaptive batch is held against.

A plan has the face of `BatchSizeController`: ``batch_size`` is the next size, ``update`` is called after each step.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gradscape.learning.per_sample import GradientStats
from gradscape.validate import at_least


class BatchSizes(Protocol):
    """Who decides on the batch size: a `BatchSizeController` or a `Plan`."""

    @property
    def due(self) -> bool:
        """Whether the next update needs statistics."""
        ...

    @property
    def batch_size(self) -> int:
        """The size of the next batch."""
        ...

    def update(self, stats: GradientStats | None = None) -> int:
        """Take note of a step; the next size."""
        ...


@dataclass
class Plan:
    """Sizes known beforehand: ``size(step, samples)`` for the step that comes (from 0) after so many samples."""

    size: Callable[[int, int], int]
    steps: int = 0
    samples: int = 0
    due: bool = False

    @property
    def batch_size(self) -> int:
        return self.size(self.steps, self.samples)

    def update(self, stats: GradientStats | None = None) -> int:
        self.samples += self.batch_size
        self.steps += 1
        return self.batch_size


def constant(size: int) -> Plan:
    """Always the same size. ``ValueError``: size < 1."""
    at_least("size", size, 1)
    return Plan(lambda step, samples: size)


def linear_ramp(initial: int, steps: int, budget: int) -> Plan:
    """A size that grows by the same amount each step so that ``steps`` steps use ``budget`` samples.

    The authors' ramp, which adds a fixed number each step, with the number chosen for the budget. ``ValueError`` for a
    value below 1, or if even a constant ``initial`` would use more than the budget.

    >>> plan = linear_ramp(10, 3, 60)
    >>> [plan.update() for _ in range(2)]
    [20, 30]
    """
    for name, value in (("initial", initial), ("steps", steps), ("budget", budget)):
        at_least(name, value, 1)
    if initial * steps > budget:
        raise ValueError(f"initial={initial!r}: {steps} steps of it use more than budget={budget!r}")
    gain = 2 * (budget / steps - initial) / max(1, steps - 1)
    return Plan(lambda step, samples: round(initial + gain * step))


def doubling(initial: int, maximum: int, budget: int) -> Plan:
    """Stages of equally many samples, each with twice the batch of the one before, up to ``maximum``.

    >>> plan = doubling(2, 4, 16)
    >>> [plan.batch_size, *(plan.update() for _ in range(4))]
    [2, 2, 2, 2, 4]
    """
    at_least("initial", initial, 1)
    at_least("maximum", maximum, initial)
    at_least("budget", budget, 1)
    sizes = [initial]
    while sizes[-1] < maximum:
        sizes.append(min(2 * sizes[-1], maximum))
    return stages(sizes, budget)


def stages(sizes: Sequence[int], budget: int) -> Plan:
    """The authors' stage-wise ramp: the budget in equal parts, one size in each, the last one after the end too."""
    for size in sizes:
        at_least("sizes", size, 1)
    if not sizes:
        raise ValueError("sizes is empty: at least one stage is needed")
    each = at_least("budget", budget, 1) / len(sizes)
    return Plan(lambda step, samples: sizes[min(int(samples / each), len(sizes) - 1)])
