"""Comparing two treatments run with the same seeds: the difference per seed cancels what the seeds share."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from gradscape.validate import in_range


@dataclass(frozen=True)
class Paired:
    """Differences a - b per seed, their mean, standard error and confidence interval, and the share above 0."""

    diffs: NDArray[np.float64]
    mean: float
    stderr: float
    ci: tuple[float, float]
    share_positive: float


def compare(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> Paired:
    """Compare two equally long sequences, entry by entry, with Student's interval for the mean difference.

    Raises ``ValueError`` for different lengths, fewer than one pair, or entries that are not finite. With one pair the
    interval is infinite.

    >>> compare([2.0, 3.0, 4.0], [1.0, 1.0, 1.0]).mean
    2.0
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    in_range("level", level, 0, 1, open_low=True, open_high=True)
    if first.ndim != 1 or first.shape != second.shape or len(first) == 0:
        raise ValueError(f"a has shape {first.shape}, b {second.shape}: both must be (n,) with one n >= 1")
    diffs = first - second
    if not np.isfinite(diffs).all():
        raise ValueError(f"{int((~np.isfinite(diffs)).sum())} of {len(diffs)} pairs hold NaN or infinite entries")
    mean, n = float(diffs.mean()), len(diffs)
    stderr = float(diffs.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * stderr if n > 1 else float("inf")
    return Paired(diffs, mean, stderr, (mean - half, mean + half), float((diffs > 0).mean()))
