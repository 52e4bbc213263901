"""Heavy tails: data that have them, and how to tell."""
from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gradscape.lesson import generator
from gradscape.validate import at_least, finite, positive

FAR = 0.999  # the quantile of the norms that is compared with their median


def student_t(n: int, d: int, nu: float, seed: int) -> Tensor:
    """Multivariate Student-t, z sqrt(nu/χ²_nu), (n, d), float64: tails of the norm fall like r^-nu."""
    draws = generator(seed)
    positive("nu", nu)
    z = torch.randn(at_least("n", n, 1), at_least("d", d, 1), generator=draws, dtype=torch.float64)
    # χ² with nu degrees is twice a Gamma(nu/2); torch's sampler takes the generator
    half = torch._standard_gamma(torch.full((n, 1), nu / 2, dtype=torch.float64), generator=draws)
    return z * (nu / (2 * half)).sqrt()


class TailReport(NamedTuple):
    """Hill's tail index, the 0.999 quantile over the median, and the kurtosis (3 for a Gaussian)."""

    hill: float
    q_ratio: float
    kurtosis: float


def hill_index(values: Tensor, k: int = 100) -> float:
    """Hill's estimate of the index a of a tail P(X > r) ~ r^-a, from the k largest of the positive values (n,)."""
    if finite("values", values).ndim != 1 or bool((values <= 0).any()):
        raise ValueError(f"values: shape {tuple(values.shape)}, least {float(values.min()):g}; must be (n,), all > 0")
    if not 1 <= at_least("k", k, 1) < len(values):
        raise ValueError(f"k={k!r}: must be below the number of values, {len(values)}")
    top = values.sort(descending=True).values[: k + 1].log()
    return 1 / float((top[:-1] - top[-1]).mean())


def tail_report(norms: Tensor, k: int = 100) -> TailReport:
    """What the norms (n,) of samples say about their tail."""
    index = hill_index(norms, k)
    far, middle = torch.quantile(norms, torch.tensor([FAR, 0.5], dtype=norms.dtype)).tolist()
    centered = norms - norms.mean()
    variance = float((centered**2).mean())
    kurtosis = float((centered**4).mean()) / variance**2 if variance > 0 else math.nan
    return TailReport(index, far / middle, kurtosis)
