"""Targets to learn: three bumps of different width, sines, Franke's surface (Li et al., arXiv 2008.08427, simulations).

The bumps are standard in the literature of random weights; whether the paper itself uses them could not be checked.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradscape.validate import finite, one_of, positive

Array = NDArray[np.float64]
TARGETS = ("bumps", "sine")


def bumps(x: ArrayLike) -> Array:
    """One broad and two narrow bumps: ``0.2 e^{-(10x-4)²} + 0.5 e^{-(80x-40)²} + 0.3 e^{-(80x-20)²}``, any shape of x.

    >>> round(float(bumps(0.5)), 3)
    0.574
    """
    x = np.asarray(x, dtype=np.float64)
    broad = 0.2 * np.exp(-((10 * x - 4) ** 2))
    return broad + 0.5 * np.exp(-((80 * x - 40) ** 2)) + 0.3 * np.exp(-((80 * x - 20) ** 2))


def sine(x: ArrayLike, nu: float) -> Array:
    """``sin(2π nu x)``: ``nu`` full periods on [0, 1]."""
    return np.sin(2 * np.pi * positive("nu", nu) * np.asarray(x, dtype=np.float64))


def target_function(name: str, nu: float = 4) -> Callable[[Any], Array]:
    """The target of that name as a function of x; ``nu`` counts only for ``"sine"``."""
    one_of("target", name, TARGETS)
    return bumps if name == "bumps" else lambda x: sine(x, nu)


def franke(X: ArrayLike) -> Array:
    """Franke's surface on the unit square, (..., 2) -> (...): two hills, a dip, a ridge (Franke 1979).

    >>> round(float(franke([0.0, 0.0])), 4)
    0.7664
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim == 0 or X.shape[-1] != 2:
        raise ValueError(f"X has shape {X.shape}: must be (..., 2)")
    u, v = 9 * X[..., 0], 9 * X[..., 1]
    return (
        0.75 * np.exp(-((u - 2) ** 2 + (v - 2) ** 2) / 4) + 0.75 * np.exp(-((u + 1) ** 2) / 49 - (v + 1) / 10)
        + 0.5 * np.exp(-((u - 7) ** 2 + (v - 3) ** 2) / 4) - 0.2 * np.exp(-((u - 4) ** 2) - (v - 7) ** 2)
    )


def unit(f: ArrayLike) -> Array:
    """``f`` over its standard deviation along the first axis: errors of it are relative errors.

    Raises ``ValueError`` for values that are not finite or do not vary.
    """
    f = np.asarray(f, dtype=np.float64)
    finite("f", f)
    spread = np.std(f, axis=0)
    if not np.all(spread > 0):
        raise ValueError("f does not vary: an error relative to its standard deviation makes no sense")
    return f / spread
