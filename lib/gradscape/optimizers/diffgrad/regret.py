"""Online convex optimization with diffGrad: Theorem 1 and its counterexample (Dubey et al. 2019, arXiv 1909.11015,
Sec. IV).

The losses are linear, f_t(x) = slope_t x on an interval: their gradients do not depend on x, so moments and frictions
of all rounds come from whole arrays and only the projected walk is a loop. Linear losses are also the hardest convex
ones.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradscape import validate
from gradscape.optimizers.diffgrad.toys import OPTIMIZERS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RegretTrace:
    """T rounds of K games: ``x`` (T, K) played points, ``regret`` (T, K) summed so far, ``average`` = regret / t.

    ``end`` (K,) is the point after the last step; ``slopes`` (T, K) and ``corrected`` (T, K), the bias-corrected second
    moments vhat_t, are what the bound is made of.
    """

    x: Array
    regret: Array
    average: Array
    end: Array
    slopes: Array
    corrected: Array


def periodic_slopes(first: ArrayLike, others: ArrayLike, period: int, T: int) -> Array:
    """Slopes (T, K) of f_t(x) = ``first`` x when t mod ``period`` = 1, else ``others`` x, for t = 1 … T.

    >>> periodic_slopes(3.0, -1.0, period=3, T=4).ravel().tolist()
    [3.0, -1.0, -1.0, 3.0]
    """
    validate.at_least("period", period, 2)
    validate.at_least("T", T, 1)
    strikes = (np.arange(T) % period == 0)[:, None]
    return np.where(strikes, np.atleast_1d(np.asarray(first, float)), np.atleast_1d(np.asarray(others, float)))


def online_regret(
    losses: ArrayLike,
    *,
    alpha: ArrayLike = 0.5,
    betas: tuple[float, ArrayLike] = (0.0, 0.99),
    optimiser: str = "diffgrad",
    domain: tuple[float, float] = (-1.0, 1.0),
    T: int | None = None,
    start: float = 0.0,
    lam: float = 1.0,
    eps: float = 1e-8,
) -> RegretTrace:
    """Play K games of linear losses: each round a step of eq. (20) with rate alpha / sqrt(t), then back into
    ``domain``.

    ``losses``: slopes (T, K); ``T`` cuts them short. ``alpha`` and the second of ``betas`` may differ by game, shape
    (K,); the first decays as b1 ``lam``^(t-1), as the theorem asks. ``optimiser``: ``"adam"``, ``"half"`` or
    ``"diffgrad"``. Regret is against the best fixed point of the domain at each t. ``ValueError`` for values out of
    range.
    """
    slopes = np.asarray(validate.finite("losses", np.asarray(losses, dtype=float)))
    slopes = (slopes[:, None] if slopes.ndim == 1 else slopes)[:T]
    validate.one_of("optimiser", optimiser, tuple(OPTIMIZERS))
    low, high = domain
    if not low < high:
        raise ValueError(f"domain={domain!r}: must be two numbers, the lower one first")
    validate.in_range("start", start, low, high)
    beta1, beta2 = betas[0], np.broadcast_to(np.asarray(betas[1], float), slopes.shape[1:])
    validate.in_range("betas[0]", beta1, 0.0, 1.0, open_high=True)
    validate.in_range("lam", lam, 0.0, 1.0, open_low=True)
    for value in beta2:
        validate.in_range("betas[1]", float(value), 0.0, 1.0, open_high=True)

    t = np.arange(1, len(slopes) + 1)[:, None]
    # b1 and b1 lam^(t-1): the bias correction uses b1 itself, as with a constant b1
    first = _running(slopes, beta1 * lam ** (t - 1.0)) / (1 - beta1**t)
    corrected = _running(slopes**2, np.broadcast_to(beta2, slopes.shape)) / (1 - beta2**t)
    steps = np.asarray(alpha, float) / np.sqrt(t) * _xi(slopes, optimiser) * first / (np.sqrt(corrected) + eps)
    x, end = _walk(steps, low, high, start)
    total = np.cumsum(slopes, axis=0)
    regret = np.cumsum(slopes * x, axis=0) - np.minimum(low * total, high * total)
    return RegretTrace(x, regret, regret / t, end, slopes, corrected)


def regret_bound(
    trace: RegretTrace,
    *,
    alpha: float,
    betas: tuple[float, ArrayLike],
    lam: float = 0.5,
    domain: tuple[float, float] = (-1.0, 1.0),
    largest_moment: bool = False,
) -> Array:
    """The right-hand side that Theorem 1 prints, for each game (K,), at the last round T.

        D^2 / (2 alpha (1 - b1)) (1 + exp(-|g_1|)) sqrt(T vhat_T)
        + alpha (1 + b1) G / ((1 - b1) sqrt(1 - b2) (1 - gamma)^2) ||g_{1:T}||_2
        + D^2 G sqrt(1 - b2) / (2 alpha (1 - b1) (1 - lam)^2),      gamma = b1^2 / sqrt(b2),

    with D the width of the domain and G the largest |g_t|. ``largest_moment`` puts the largest vhat_t in the place of
    vhat_T. ``ValueError`` unless gamma < 1 and 0 < lam < 1, as the theorem asks.
    """
    validate.in_range("lam", lam, 0.0, 1.0, open_low=True, open_high=True)
    beta1, beta2 = betas[0], np.asarray(betas[1], float)
    gamma = beta1**2 / np.sqrt(beta2)
    if not bool((gamma < 1).all()):
        raise ValueError(f"betas={betas!r}: the theorem asks for b1^2 / sqrt(b2) < 1")
    width, rounds = domain[1] - domain[0], len(trace.slopes)
    largest = np.abs(trace.slopes).max(0)
    moment = trace.corrected.max(0) if largest_moment else trace.corrected[-1]
    norm = np.sqrt((trace.slopes**2).sum(0))
    return (
        width**2 / (2 * alpha * (1 - beta1)) * (1 + np.exp(-np.abs(trace.slopes[0]))) * np.sqrt(rounds * moment)
        + alpha * (1 + beta1) * largest / ((1 - beta1) * np.sqrt(1 - beta2) * (1 - gamma) ** 2) * norm
        + width**2 * largest * np.sqrt(1 - beta2) / (2 * alpha * (1 - beta1) * (1 - lam) ** 2)
    )


def _xi(slopes: Array, optimiser: str) -> Array | float:
    if optimiser != "diffgrad":
        return 0.5 if optimiser == "half" else 1.0
    change = np.abs(np.diff(slopes, axis=0, prepend=0.0))
    return 1 / (1 + np.exp(-change))


def _running(values: Array, decay: Any) -> Array:
    """Exponential means s_t = decay_t s_{t-1} + (1 - decay_t) values_t from s_0 = 0."""
    decay = np.broadcast_to(decay, values.shape)
    fresh, result, state = (1 - decay) * values, np.empty_like(values), np.zeros(values.shape[1])
    for t in range(len(values)):
        state = decay[t] * state + fresh[t]
        result[t] = state
    return result


def _walk(steps: Array, low: float, high: float, start: float) -> tuple[Array, Array]:
    """Points before each step, and the last one, of x <- clip(x - step)."""
    x, points = np.full(steps.shape[1], start), np.empty_like(steps)
    for t, step in enumerate(steps):
        points[t] = x
        x = np.minimum(np.maximum(x - step, low), high)
    return points, x
