"""When to stop: by the kernel's eigenvalues (Raskutti, Wainwright & Yu 2014), or by held-out examples."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.diffusion.score_estimation.kernel import KernelPath
from gradscape.diffusion.score_estimation.process import T_END, ScoreData, embed
from gradscape.lesson import generator
from gradscape.validate import finite, in_range, positive


def complexity(eigenvalues: Tensor, eps: Tensor) -> Tensor:
    """R̂(ε) = sqrt((1/n) Σ min(ev_i, ε²)) for eigenvalues (n,) of K/n; in the shape of ε."""
    n = len(eigenvalues)
    return (torch.minimum(eigenvalues, eps[..., None] ** 2).sum(-1) / n).sqrt()


def stopping_sides(eigenvalues: Tensor, sigma: float, times: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides of the rule at each time, (T,): R̂(1/sqrt(e)) and 1/(2·2.718·σ·e); it trains while left <= right."""
    positive("sigma", sigma)
    if finite("eigenvalues", eigenvalues).ndim != 1 or bool((eigenvalues < 0).any()):
        raise ValueError(f"eigenvalues: shape {tuple(eigenvalues.shape)}; must be (n,), all >= 0")
    if not bool((finite("times", times) > 0).all()):
        raise ValueError(f"times={times.tolist()[:3]}: running step sums must be positive")
    return complexity(eigenvalues, times.rsqrt()), 1 / (2 * math.e * sigma * times)


def rwy_stopping(eigenvalues: Tensor, sigma: float, times: Tensor) -> int:
    """Index of the last time before the rule is violated; -1 if the first violates it already.

    Raskutti, Wainwright & Yu (2014, eq. 6): T̂ = min{k: R̂(1/sqrt(e_k)) > 1/(2 e σ e_k)} - 1 with running step sums
    e_k = ``times`` (ascending), eigenvalues of K/n and the standard deviation ``sigma`` of the labels' noise.
    """
    left, right = stopping_sides(eigenvalues, sigma, times)
    violated = (left > right).nonzero()
    return int(violated[0]) - 1 if len(violated) else len(times) - 1


@dataclass(frozen=True)
class Holdout:
    """Loss per coordinate on held-out examples at each time (T,)."""

    losses: Tensor

    @property
    def index(self) -> int:
        """Where it is least."""
        return int(self.losses.argmin())

    @property
    def sigma(self) -> float:
        """The noise level that the least loss bounds from above."""
        return math.sqrt(float(self.losses.min()))


def holdout_stopping(data: ScoreData, times: Tensor, frac: float = 0.2, seed: int = 0, T: float = T_END) -> Holdout:
    """Train on the other examples, and read the loss on a share ``frac`` of them drawn at random."""
    in_range("frac", frac, 0.0, 1.0, open_low=True, open_high=True)
    order = torch.randperm(len(data), generator=generator(seed, 3))
    held = max(1, round(frac * len(data)))
    test, train = data.rows(order[:held]), data.rows(order[held:])
    path = KernelPath(embed(train.t, train.x, T), train.x0)
    return Holdout(((path.predict(embed(test.t, test.x, T), times) - test.x0) ** 2).mean((1, 2)))
