"""The shape of an error curve: where it first turns, how high it rises, where it ends."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.validate import finite, positive, same_shape

WIGGLE = 1e-9  # differences below this are rounding of a converged curve


@dataclass(frozen=True)
class Shape:
    """First minimum, the peak after it and the end of an error curve.

    Without a rise of ``min_rise`` after any minimum the minimum and the peak are both the curve's least error.
    """

    t_min: float
    e_min: float
    t_peak: float
    e_peak: float
    e_end: float
    is_double: bool

    @property
    def rise(self) -> float:
        """Height of the bump over the first minimum."""
        return self.e_peak - self.e_min


def descent_shape(t: Tensor, E: Tensor, min_rise: float = 0.005) -> Shape:
    """Find epoch-wise double descent: a first minimum, a rise of at least ``min_rise`` after it, an end below it.

    ``t``, ``E``: (T,) in order of time. The first minimum is the least error before the curve has risen by ``min_rise``
    above it for the first time, so that smaller wiggles do not count (nor any below 1e-9); the peak is the largest
    error after it. Raises ``ValueError`` for entries that are not finite or shapes that differ.

    >>> descent_shape(torch.arange(5.0), torch.tensor([0.5, 0.3, 0.4, 0.2, 0.1])).is_double
    True
    """
    t, E = (torch.as_tensor(value, dtype=torch.float64) for value in (t, E))
    positive("min_rise", min_rise)
    same_shape(t=t, E=E)
    if E.ndim != 1:
        raise ValueError(f"E: shape {tuple(E.shape)}; must be one curve, (T,)")
    finite("t", t)
    finite("E", E)
    end = float(E[-1])
    least = E.cummin(0)
    risen = (E - least.values >= max(min_rise, WIGGLE)).nonzero()
    if not len(risen):
        low = int(E.argmin())
        return Shape(float(t[low]), float(E[low]), float(t[low]), float(E[low]), end, False)
    low = int(least.indices[int(risen[0])])
    peak = low + int(E[low:].argmax())
    return Shape(float(t[low]), float(E[low]), float(t[peak]), float(E[peak]), end, end < float(E[low]) - WIGGLE)
