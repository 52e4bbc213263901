"""The paper's simplified data, where the gradient can be written down (arXiv 2102.12781, Sec. 5).

One coordinate of d carries the label: ``x = y e_j`` with j uniform among the relevant places S, y = ±1, and label-free
noise elsewhere if wanted. A perfect explanation of x is j. The network of maximal margin has the same gradient at every
place of S for every x: it marks where a signal *can* be, never where it *is*.

Definitions follow a lecture on the paper; the constants of its Theorem 1 are not verified here, and the statement for
these data is derived again.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gradscape import validate


class Points(NamedTuple):
    """Points x (N, d), labels y (N,) int64 (0 for -1, 1 for +1), places j of the signal (N,) int64."""

    x: Tensor
    y: Tensor
    place: Tensor


def _places(d: int, relevant: int) -> tuple[int, int]:
    validate.at_least("d", d, 1)
    validate.at_least("relevant", relevant, 1)
    if relevant > d:
        raise ValueError(f"relevant={relevant!r}: must not exceed d, {d}")
    return int(d), int(relevant)


def simplified_points(
    d: int,
    relevant: int,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Points:
    """The 2 ``relevant`` distinct points ±e_j, j < ``relevant`` <= d, in the order +e_0, …, -e_0, ….

    ``noise`` adds a uniform draw from [-noise, noise] at every other coordinate, the same for both labels in law
    (needs ``generator``). ``ValueError`` for sizes out of order, negative noise, noise without a generator.

    >>> simplified_points(3, 2).x.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -0.0, -0.0], [-0.0, -1.0, -0.0]]
    """
    d, relevant = _places(d, relevant)
    validate.nonnegative("noise", noise)
    one = torch.eye(d, dtype=dtype)[:relevant]
    x = torch.cat([one, -one])
    if noise:
        if generator is None:
            raise ValueError(f"noise={noise!r}: needs a generator")
        x = x + noise * (2 * torch.rand(x.shape, generator=generator, dtype=dtype) - 1) * (x == 0)
    y = torch.cat([torch.ones(relevant), torch.zeros(relevant)]).long()
    return Points(x, y, torch.arange(relevant).repeat(2))


def max_margin_gradient(d: int, relevant: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """|df/dx| of the max-margin two-layer ReLU network, (d,), at every point: ``1/sqrt(|S|)`` on S, 0 elsewhere.

    Half of its mass sits at (a, w) ∝ (1, 1_S / sqrt|S|), half at (-1, -1_S / sqrt|S|): f(x) ∝ relu(s·x) - relu(-s·x)
    = s·x with s = 1_S / sqrt|S|. In the mean-field limit gradient flow on the logistic loss reaches it in direction
    (Chizat & Bach 2020, arXiv 2002.04486). ``ValueError`` as :func:`simplified_points`.
    """
    d, relevant = _places(d, relevant)
    gradient = torch.zeros(d, dtype=dtype)
    gradient[:relevant] = 1 / math.sqrt(relevant)
    return gradient


def dual_value(a: Tensor, w: Tensor, relevant: int) -> Tensor:
    """``mean over the 2|S| points of y a relu(w·x)`` for units (a, w), a (…), w (…, d): the certificate's left side.

    With uniform weights on the points it equals ``a sum_S w_j / (2 |S|)``, so that no unit with ``a² + |w|² = 1``
    exceeds ``1 / (4 sqrt|S|)``, and the two atoms of :func:`max_margin_gradient` reach it. ``ValueError`` for shapes.
    """
    if w.shape[:-1] != a.shape:
        raise ValueError(f"w has shape {tuple(w.shape)}: must be {tuple(a.shape)} with one more axis")
    points = simplified_points(w.shape[-1], relevant, dtype=w.dtype)
    sign = 2 * points.y.to(w) - 1
    return a * (torch.relu(w @ points.x.T) * sign).mean(-1)


def largest_robust_eps(relevant: int) -> float:
    """The largest linf radius that a linear rule on S withstands: ``1 - eps > eps (|S| - 1)``, so ``1 / |S|``."""
    return 1 / validate.at_least("relevant", relevant, 1)
