"""Ridgelet transform in one dimension: why a box of hidden weights is a low-pass filter (Li et al., arXiv 2008.08427).

``R[f](a, b) = ∫ f(x) ρ(ax - b) dx`` are the output weights of an infinitely wide net, and
``S[γ](x) = ∫∫ γ(a, b) σ(ax - b) da db`` is that net. If ``K = ∫ ρ^(w) σ^(w)/|w| dw`` is finite and not 0 (with
``f^(w) = ∫ f e^{-iwx} dx``), then ``S R[f] = K f``. Restricting to ``|a| <= λ`` multiplies ``f^(ξ)`` by ``M(|ξ|/λ)``,
``M(s) = (1/K) ∫_{|w| >= s} ρ^ σ^/|w| dw``. Here ``σ(z) = e^{-z²/2}``; everything is derived for this lesson.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gradscape.numerics.quadrature import gauss_legendre
from gradscape.validate import finite, one_of, positive

Array = NDArray[np.float64]
RIDGELETS = ("mexican_hat", "fourth_derivative")
PAIRS = ("gauss",)
ADMISSIBLE = 2 * math.pi  # K, the same for both ridgelets beside the Gaussian
STEP = 0.4  # of the trapezoid rule in b: exact to rounding for functions as smooth as a Gaussian of width 1
REACH = 8.0  # beyond which e^{-z²/2} times a polynomial is below 1e-11
FINEST = 0.8  # largest step of x times λ: the trapezoid rule in x then keeps 11 digits
SLOPES = 64  # Gauss–Legendre nodes in a, per panel
PANEL = 4.0  # largest panel in a
STRIP = 41  # slopes at which the energy beyond the box in b is summed


def ridgelet(z: ArrayLike, rho: str = "mexican_hat") -> Array:
    """``ρ(z)``: ``(1 - z²) e^{-z²/2}`` or, two derivatives on, ``(z⁴ - 6z² + 3) e^{-z²/2}``.

    Their Fourier transforms are ``√(2π) w² e^{-w²/2}`` and ``√(2π) w⁴ e^{-w²/2}``.
    """
    one_of("rho", rho, RIDGELETS)
    square = torch.from_numpy(np.require(z, np.float64, ["C", "W"])).square()
    bell = square.mul(-0.5).exp_()
    return bell.mul_(1 - square if rho == "mexican_hat" else square * (square - 6) + 3).numpy()


def _samples(f: ArrayLike, x: ArrayLike) -> tuple[Array, Array, float]:
    f, x = np.asarray(f, dtype=np.float64), np.asarray(x, dtype=np.float64)
    finite("f", f)
    finite("x", x)
    if x.ndim != 1 or f.shape != x.shape or len(x) < 2:
        raise ValueError(f"shapes differ: f {f.shape}, x {x.shape}; must both be (N,) with N >= 2")
    step = (x[-1] - x[0]) / (len(x) - 1)
    if not np.allclose(np.diff(x), step, rtol=1e-6, atol=0) or step <= 0:
        raise ValueError("x: must be ascending and equally spaced (the integral over x is a trapezoid rule)")
    return f, x, float(step)


def ridgelet_transform(
    f: ArrayLike, x: ArrayLike, a: ArrayLike, b: ArrayLike, rho: str = "mexican_hat"
) -> Array:
    """``R[f](a, b) = ∫ f(x) ρ(ax - b) dx``, (len(a), len(b)) (Li et al., ridgelet transform).

    ``f``: samples (N,) at equally spaced ``x`` (N,), 0 outside; ``a`` (Q,), ``b`` (M,). The trapezoid rule in x needs a
    step below about 1/|a|; a larger ``|a|`` raises ``ValueError``.
    """
    f, x, step = _samples(f, x)
    a, b = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (a, b))
    finite("a", a)
    finite("b", b)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"a {a.shape}, b {b.shape}: must be (Q,) and (M,)")
    if np.abs(a).max() * step > 1.0:
        raise ValueError(f"a={np.abs(a).max():g}: must be at most {1 / step:g}, one over the step of x")
    weighted = f * step
    weighted[[0, -1]] *= 0.5
    return np.stack([ridgelet(slope * x - b[:, None], rho) @ weighted for slope in a])


def bandlimited_reconstruction(f: ArrayLike, x: ArrayLike, lam: float, rho: str = "mexican_hat") -> Array:
    """``(1/K) ∫_{|a| <= lam} ∫ R[f](a, b) σ(ax - b) db da`` at the points ``x``, (N,): the infinite net cut to a band.

    All three integrals are done as they stand (trapezoid rules in x and b, Gauss–Legendre in a), no Fourier transform
    enters; ``σ(z) = e^{-z²/2}``. ``f``: samples (N,) at equally spaced ``x`` (N,), negligible at both ends. Raises
    ``ValueError`` if the step of x is larger than 0.8/lam.
    """
    f, x, step = _samples(f, x)
    if step * positive("lam", lam) > FINEST:
        raise ValueError(f"lam={lam!r}: must be at most {FINEST / step:g}, {FINEST} over the step of x")
    panels = math.ceil(lam / PANEL)
    result = np.zeros_like(f)
    for panel in range(panels):
        slopes, weights = gauss_legendre(SLOPES, panel * lam / panels, (panel + 1) * lam / panels)
        for slope, weight in zip(slopes.tolist(), weights.tolist(), strict=True):
            reach = slope * np.abs(x).max() + REACH
            b = STEP * np.arange(-math.ceil(reach / STEP), math.ceil(reach / STEP) + 1)
            density = ridgelet_transform(f, x, slope, b, rho)[0] * STEP
            unit = torch.from_numpy(slope * x[:, None] - b).square_().mul_(-0.5).exp_().numpy()
            result += 2 * weight * (unit @ density)  # a and -a contribute the same: σ and ρ are even
    return result / ADMISSIBLE


def lowpass_multiplier(s: ArrayLike, pair: str = "gauss") -> Array:
    """``M(s)``, by which the band ``|a| <= λ`` multiplies the frequency ``s λ``: ``e^{-s²}`` for the pair ``"gauss"``.

    That pair is ``σ = e^{-z²/2}`` and the Mexican hat. ``s`` >= 0, any shape.

    >>> lowpass_multiplier([0.0, 1.0]).round(4).tolist()
    [1.0, 0.3679]
    """
    one_of("pair", pair, PAIRS)
    s = np.asarray(s, dtype=np.float64)
    finite("s", s)
    if (s < 0).any():
        raise ValueError(f"s: smallest entry is {s.min()!r}; all must be >= 0")
    return np.exp(-(s**2))


def multiplier_by_quadrature(s: ArrayLike, spectrum: Callable[[Array], Any], nodes: int = 400) -> Array:
    """``M(s) = ∫_s^∞ p(w)/w dw / ∫_0^∞ p(w)/w dw`` for ``p = ρ^ σ^``, even and below 1e-14 of its peak beyond w = 12.

    ``s`` >= 0, any shape; ``spectrum`` maps positive frequencies (n,) to ``p``, up to a constant.
    """
    s = np.asarray(s, dtype=np.float64)
    finite("s", s)

    def tail(low: float) -> float:
        w, weight = (values.numpy() for values in gauss_legendre(nodes, low, max(12.0, low + 1.0)))
        return float(weight @ (np.asarray(spectrum(w)) / w))

    whole = tail(0.0)
    return np.array([tail(value) for value in s.ravel().tolist()]).reshape(s.shape) / whole


def energy_outside(f: ArrayLike, x: ArrayLike, lam: float) -> float:
    """Share of ``∫∫ |R[f]|² da db`` that lies outside the box ``[-lam, lam]²`` (Mexican hat).

    The whole is ``2π ∫ f² dx`` by Plancherel, and ``|a| <= lam`` with all b keeps ``(1 + s²) e^{-s²}`` of the energy at
    the frequency ``s lam``. What lies at ``|a| <= lam < |b|`` is integrated by trapezoid rules. ``f``: samples (N,) at
    equally spaced ``x`` (N,), 0 outside, with a step of at most 1/lam.
    """
    f, x, step = _samples(f, x)
    positive("lam", lam)
    power = np.abs(np.fft.rfft(f, 8 * len(f))) ** 2
    if not power.any():
        raise ValueError("f is 0: it has no energy")
    power[1:] *= 2  # negative frequencies
    s = 2 * math.pi * np.fft.rfftfreq(8 * len(f), step) / lam
    inside = float(((1 + s**2) * np.exp(-(s**2))) @ power / power.sum())
    reach = float(np.abs(x).max())
    a = np.linspace(max(0.0, (lam - REACH) / max(reach, 1.0)), lam, STRIP)
    b = np.arange(lam, lam * max(reach, 1.0) + REACH, STEP / 2)
    strip = sum(np.trapezoid(ridgelet_transform(f, x, a, side) ** 2, b, axis=1) for side in (b, -b))
    beyond = 2 * float(np.trapezoid(strip, a)) / (ADMISSIBLE * float(np.sum(f**2)) * step)
    return float(np.clip(1 - inside + beyond, 0.0, 1.0))
