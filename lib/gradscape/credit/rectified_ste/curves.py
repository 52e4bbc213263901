"""What one choice of o, t and m means, without any training: curves, and normal weights in closed form."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, ndtr
from torch import Tensor

from gradscape import validate
from gradscape.credit.rectified_ste.estimators import estimator, estimator_grad, tau_schedule
from gradscape.credit.rectified_ste.settings import Settings

Array = NDArray[np.float64]
O_GRID = np.geomspace(1.0, 30.0, 40)


def z_grid(*jumps: float, limit: float = 2.0) -> Tensor:
    """Few values from -``limit`` to ``limit`` that show a slope's jumps at these sizes; float64, rising."""
    fine = [side * (size + shift) for size in jumps if size < limit for side in (-1, 1) for shift in (0.0, 1e-6)]
    return torch.tensor(sorted({*np.linspace(-limit, limit, 81).tolist(), *fine}), dtype=torch.float64)


def normal_error(o: ArrayLike, sigma: float) -> Array:
    """Root mean square of sign(w) - f(w) for w ~ N(0, sigma^2): e of a layer of n such weights is about sqrt(n) of it.

    1 - 2 E|w|^a + E|w|^(2a) with a = 1/o and E|w|^a = sigma^a 2^(a/2) Gamma((a+1)/2) / sqrt(pi). ``ValueError`` for
    o < 1 or sigma <= 0.

    >>> normal_error([1.0, 10.0], 0.18).round(3).tolist()
    [0.875, 0.214]
    """
    validate.positive("sigma", sigma)
    powers = 1 / np.asarray(o, dtype=np.float64)
    if not ((powers > 0) & (powers <= 1)).all():
        raise ValueError(f"o={o!r}: must be finite and >= 1")

    def moment(a: Array) -> Array:
        found: Array = np.exp(a * math.log(sigma * math.sqrt(2)) + gammaln((a + 1) / 2)) / math.sqrt(math.pi)
        return found

    error: Array = np.sqrt(1 - 2 * moment(powers) + moment(2 * powers))
    return error


def normal_shares(m: float, t: float, sigma: float) -> tuple[float, float]:
    """P(|w| <= m) and P(|w| > t) for w ~ N(0, sigma^2).

    >>> [round(share, 4) for share in normal_shares(0.1, 1.5, 0.18)]
    [0.4215, 0.0]
    """
    for name, value in (("m", m), ("t", t), ("sigma", sigma)):
        validate.positive(name, value)
    return float(1 - 2 * ndtr(-m / sigma)), float(2 * ndtr(-t / sigma))


@dataclass(frozen=True)
class Curves:
    """Estimators and slopes over ``z``, ReSTE's and another's; ``error`` over ``o_grid``; shares of normal weights."""

    z: Array
    forward: Array
    backward: Array
    other_forward: Array
    other_backward: Array
    o_grid: Array
    error: Array
    inside: float
    beyond: float
    settings: Settings


def curves(settings: Settings) -> Curves:
    """ReSTE at the settings' o, t, m, beside the settings' estimator (a ReSTE has STE beside it).

    EDE is shown in the middle of its schedule. ``ValueError`` when m is not below t.
    """
    z = z_grid(settings.m, settings.t, 1.0)
    o, t, m = settings.o_end, settings.t, settings.m
    kind = "ste" if settings.kind == "reste" else settings.kind
    other = {"tau": tau_schedule(1, 2)} if kind == "ede" else {}
    inside, beyond = normal_shares(m, t, settings.sigma)
    return Curves(
        z.numpy(), estimator(z, "reste", o=o).numpy(), estimator_grad(z, "reste", o=o, t=t, m=m).numpy(),
        estimator(z, kind, **other).numpy(), estimator_grad(z, kind, truncated=True, **other).numpy(), O_GRID,
        normal_error(O_GRID, settings.sigma), inside, beyond, settings,
    )
