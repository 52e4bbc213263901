"""Small things that every labeled data set needs: the pair that loaders return, parity, random splits, checks."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gradscape import validate


class Labeled(NamedTuple):
    """Inputs ``x`` (N, ...) and labels ``y`` (N,) int64; unpacks as ``x, y``."""

    x: Tensor
    y: Tensor


def parity(labels: Tensor) -> Tensor:
    """Turn class indices into the two signs (-1)^label: +1 for even classes, -1 for odd ones; float32, same shape.

    Raises ValueError for labels that are not integers or are negative.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels have dtype {labels.dtype}: integers >= 0 are needed")
    if labels.numel() and int(labels.min()) < 0:
        raise ValueError(f"labels hold {int(labels.min())}: integers >= 0 are needed")
    return 1 - 2 * (labels % 2).to(torch.float32)


def random_split(count: int, sizes: Sequence[int], generator: torch.Generator) -> tuple[Tensor, ...]:
    """Draw disjoint random index sets of the given ``sizes`` out of ``count`` rows.

    Returns one int64 tensor per size.
    Raises ValueError when a size is not an integer >= 1 or they add up to more than ``count``.

    >>> train, test = random_split(1797, (1100, 697), torch.Generator().manual_seed(0))
    """
    wanted = [validate.at_least(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)]
    if sum(wanted) > count:
        raise ValueError(f"sizes={tuple(wanted)}: together {sum(wanted)}, but there are {count} rows")
    order = torch.randperm(count, generator=generator)
    return torch.split(order[: sum(wanted)], wanted)


def keep_classes(y: Tensor, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Find the rows of some classes; returns their indices and their new labels, the positions in ``classes``.

    Raises ValueError for an empty, repeated or unknown class.
    """
    known = sorted(set(y.tolist()))
    if not isinstance(classes, Sequence) or isinstance(classes, str):
        raise ValueError(f"classes={classes!r}: a sequence of class indices is needed")
    if not classes or len(set(classes)) != len(classes) or not set(classes) <= set(known):
        raise ValueError(f"classes={tuple(classes)}: must be one or more different ones of {known[0]} to {known[-1]}")
    lookup = torch.full((known[-1] + 1,), -1, dtype=torch.int64)
    lookup[torch.tensor(list(classes))] = torch.arange(len(classes))
    new = lookup[y]
    rows = torch.nonzero(new >= 0).squeeze(1)
    return rows, new[rows]


def first(n: int | None, available: int, what: str) -> int:
    """Check how many rows are wanted; ``None`` means all. Raises ValueError unless 1 <= n <= available."""
    if n is None:
        return available
    if validate.at_least("n", n, 1) > available:
        raise ValueError(f"n={n!r}: {what} has {available} rows; ask for 1 to {available} or None for all")
    return int(n)


def float_dtype(dtype: torch.dtype) -> torch.dtype:
    """Check that a dtype is float32 or float64."""
    return validate.one_of("dtype", dtype, (torch.float32, torch.float64))
