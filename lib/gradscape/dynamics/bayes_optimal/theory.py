"""The least error that any method can reach, in closed form (Maillard et al., arXiv 2408.03733).

A teacher with ``m = kappa d`` quadratic neurons is a Wishart matrix S of size d; ``alpha d²`` labels are as many linear
observations of it, as hard as one observation ``Y = S + Z/√q`` in symmetric Gaussian noise Z. The spectrum of Y is the
free convolution Marchenko–Pastur ⊞ semicircle, and the best estimate of S shrinks Y's eigenvalues. Errors are
``kappa (1/d) ‖Ŝ - S‖²``: 1 without data. Δ (``delta``) is the variance of noise inside the neurons.
"""
from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gradscape.numerics.rmt import noisy_wishart_quadrature, noisy_wishart_resolvent, noisy_wishart_support
from gradscape.validate import at_least, in_range, nonnegative, positive

Array = NDArray[np.float64]
LARGEST_Q = 1e9  # conjugate overlap beyond which rounding, not the law, decides J; the error there is below 1e-8
_Q_STEP = math.exp(2)  # factor by which the upper end of the bracket of q grows without noise


def noise_to_effective(delta: float, kappa: float) -> float:
    """Variance ``2Δ(2 + Δ)/κ`` that noise inside the neurons adds to a scaled label (Maillard et al., model section).

    >>> noise_to_effective(0.25, 0.5)
    2.25
    """
    return 2.0 * nonnegative("delta", delta) * (2.0 + delta) / positive("kappa", kappa)


def recovery_threshold(kappa: float) -> float:
    """Labels per d² from which S is found exactly without noise: ``κ - κ²/2``, ½ for κ ≥ 1 (Maillard et al.).

    It counts: a symmetric matrix of rank ``κ d`` has ``(κ - κ²/2) d²`` free entries.

    >>> recovery_threshold(0.5), recovery_threshold(3.0)
    (0.375, 0.5)
    """
    short = max(0.0, 1.0 - positive("kappa", kappa))
    return (1.0 - short * short) / 2


def spectral_density(x: ArrayLike, kappa: float, q: float) -> tuple[Array, Array]:
    """Hilbert part h and density ρ of ``S + Z/√q`` at ``x``, shaped like ``x`` (Maillard et al., prior channel)."""
    at = torch.as_tensor(np.asarray(x, dtype=np.float64))
    h, density = noisy_wishart_resolvent(at, kappa, 1.0 / positive("q", q))
    return h.numpy(), density.numpy()


def support(kappa: float, q: float) -> Array:
    """Edges of that spectrum, ``(2,)`` for one interval or ``(4,)`` for two."""
    return noisy_wishart_support(kappa, 1.0 / positive("q", q)).numpy()


def _cubed(D: Tensor, kappa: float, nodes: int) -> Tensor:
    """``J = (4π²/3) D ∫ρ_D³``, the share of an observation's noise that shrinking removes."""
    _, weight, density = noisy_wishart_quadrature(kappa, D, nodes)
    return (4 * math.pi**2 / 3) * D * (weight * density**2).sum(-1)


def J(q: float | ArrayLike, kappa: float, nodes: int = 256) -> Any:
    """``J(q) = (4π²/3q) ∫ρ³`` (Maillard et al., scalar equation): falls from 1 at q = 0 to ``(1 - κ)²₊``.

    ``q`` > 0, a number or an array of any shape; a float or an array of that shape comes back.
    """
    at = _as_tensor("q", q)
    value = _cubed(1.0 / at, kappa, nodes)
    return value.item() if value.ndim == 0 else value.numpy()


def rie_mse(D: float | ArrayLike, kappa: float, nodes: int = 256) -> Any:
    """Least mean squared error ``F(D) = D - (4π²/3) D² ∫ρ_D³`` of S seen in noise of variance D (Maillard et al.).

    ``(1/d) E‖Ŝ - S‖²`` of the rotationally invariant estimator, for D > 0 (a number or an array).

    >>> round(rie_mse(0.5, 1e6) * 1e6, 4)  # next to no prior variance is left to lose
    1.0
    """
    at = _as_tensor("D", D)
    value = at * (1.0 - _cubed(at, kappa, nodes))
    return value.item() if value.ndim == 0 else value.numpy()


def _as_tensor(name: str, value: float | ArrayLike) -> Tensor:
    try:
        tensor = torch.as_tensor(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r}: must be a number or an array of numbers") from None
    if tensor.numel() == 0 or not bool((torch.isfinite(tensor) & (tensor > 0)).all()):
        raise ValueError(f"{name}={value!r}: all entries must be finite and > 0")
    return tensor


def mmse(alpha: float, kappa: float, delta: float = 0.0) -> float:
    """The Bayes-optimal error at one point: ``1 - 2α = J(q) - D̃q/2``, error ``κ(2α/q - D̃/2)`` (Maillard et al.).

    ``D̃`` is :func:`noise_to_effective`. Without noise it is 0.0 from :func:`recovery_threshold` on. Raises
    ``ValueError`` for ``alpha <= 0``, ``kappa <= 0`` or ``delta < 0``.

    >>> round(mmse(0.2, 0.5), 6), mmse(0.4, 0.5)
    (0.392196, 0.0)
    """
    q = overlap(alpha, kappa, delta)
    return 0.0 if math.isinf(q) else kappa * (2 * alpha / q - noise_to_effective(delta, kappa) / 2)


@functools.lru_cache(maxsize=4096)
def overlap(alpha: float, kappa: float, delta: float = 0.0) -> float:
    """The q that solves the scalar equation: S is as well known as from one observation in noise of variance 1/q.

    Infinite where S is recovered exactly. Arguments and errors as in :func:`mmse`.
    """
    from scipy.optimize import brentq

    noise = noise_to_effective(delta, kappa)
    positive("alpha", alpha)
    if noise == 0 and alpha >= recovery_threshold(kappa):
        return math.inf

    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        return J(q, kappa) - noise * q / 2 - (1.0 - 2.0 * alpha)

    low = 4 * alpha / (noise + 2 / kappa)
    if noise > 0:
        high = min(4 * alpha / noise, LARGEST_Q)
    else:
        high = low * _Q_STEP
        while high < LARGEST_Q and excess(math.log(high)) > 0:
            high *= _Q_STEP
    if high >= LARGEST_Q and excess(math.log(LARGEST_Q)) > 0:
        return LARGEST_Q
    if excess(math.log(low)) <= 0:  # α so small that the prior alone decides
        return low
    return math.exp(brentq(excess, math.log(low), math.log(high), xtol=1e-13, rtol=1e-13))


def mmse_curve(
    kappa: float, delta: float = 0.0, alphas: ArrayLike | None = None, n: int = 200
) -> tuple[Array, Array]:
    """The whole curve without any root: both α and the error are explicit in q (Maillard et al., scalar equation).

    ``alphas=None`` returns ``n`` points of the curve, α ascending from near 0 to the recovery threshold (with noise: to
    beyond α = 1); given ``alphas`` (each > 0, ascending or not) the curve is interpolated monotonically at them.

    >>> alphas, errors = mmse_curve(0.5)
    >>> bool((np.diff(errors) <= 0).all())
    True
    """
    noise, threshold = noise_to_effective(delta, kappa), recovery_threshold(kappa)
    at_least("n", n, 16)
    low = 4e-3 / (noise + 2 / kappa)
    high = min(16.0 / noise, LARGEST_Q) if noise > 0 else LARGEST_Q
    q = np.exp(np.linspace(math.log(low), math.log(high), n if noise > 0 else n - 1))
    j = np.asarray(J(q, kappa))
    alpha = (1.0 - j + noise * q / 2) / 2
    error = kappa * (1.0 - j) / q
    keep = np.concatenate([[True], np.diff(np.maximum.accumulate(alpha)) > 0]) & (alpha > 0)
    if noise == 0:
        keep &= alpha < threshold
        alpha, error = np.append(alpha[keep], threshold), np.append(error[keep], 0.0)
    else:
        alpha, error = alpha[keep], error[keep]
    if alphas is None:
        return alpha, error
    from scipy.interpolate import PchipInterpolator

    wanted = _as_tensor("alphas", alphas).numpy()
    curve = PchipInterpolator(np.append(0.0, alpha), np.append(1.0, error))
    inside = curve(np.minimum(wanted, alpha[-1]))
    far = wanted > alpha[-1]
    if noise > 0 and far.any():
        inside = np.where(far, [mmse(float(a), kappa, delta) if f else 0.0 for a, f in
                                zip(wanted.ravel(), far.ravel(), strict=True)], inside.ravel()).reshape(wanted.shape)
    return wanted, inside


def state_evolution(alpha: float, kappa: float, delta: float = 0.0, rounds: int = 50, damping: float = 0.0) -> Array:
    """Errors of GAMP-RIE before round 1 and after each, ``(rounds + 1,)``, for large d (Maillard et al., algorithm).

    ``D_t = (D̃ + V_t)/(4α)``, ``V_{t+1} = 2 F(D_t)`` from ``V_0 = 2/κ``; the error is ``κ V/2``. ``damping`` b in
    [0, 1) mixes ``V`` as :func:`gamp_rie` does, which changes the speed but not the end.
    """
    noise = noise_to_effective(delta, kappa)
    positive("alpha", alpha)
    in_range("damping", damping, 0.0, 1.0, open_high=True)
    V, held, errors = 2.0 / kappa, 2.0 / kappa, [1.0]
    for _ in range(at_least("rounds", rounds, 1)):
        held = (1.0 - damping) * V + damping * held
        V = 2.0 * rie_mse(max((noise + held) / (4.0 * alpha), 1.0 / LARGEST_Q), kappa)
        errors.append(kappa * V / 2)
    return np.array(errors)
