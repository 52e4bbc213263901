"""Error floors that no width removes: what a box of hidden weights can reach with bounded output weights.

The computable form of the lower bound of Li et al. (arXiv 2008.08427), derived for this lesson. A net of infinite width
over the box V is ``g = ∫ γ(a, b) σ(ax - b) dU(a, b)`` with the uniform law U on V. For ``‖γ‖_{L2(U)} <= C`` the best
``g`` is kernel ridge regression with the kernel ``∫ σ(ax - b) σ(ax' - b) dU``, its penalty chosen such that the budget
is used up.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gradscape.dynamics.bandlimited.networks import ACTIVATIONS, activate, features
from gradscape.numerics.quadrature import gauss_legendre
from gradscape.numerics.solve import bisect
from gradscape.validate import at_least, finite, one_of, positive

Array = NDArray[np.float64]
SMALLEST = 1e-4  # penalty over the cut below which the budget counts as not used up
PENALTIES = np.logspace(-15, 2, 69)  # of the dual certificate, over the kernel's largest eigenvalue
CHUNK = 4096  # hidden units whose features are held at a time


def _line(name: str, x: ArrayLike) -> Array:
    x = np.asarray(x, dtype=np.float64)
    finite(name, x)
    if x.ndim != 1:
        raise ValueError(f"{name} has shape {x.shape}: must be (N,), points on a line")
    return x


def band_kernel(x: ArrayLike, lam: float, activation: str = "sigmoid", nodes: int = 100) -> Array:
    """``k(x, x') = ∫ σ(ax - b) σ(ax' - b) dU(a, b)`` over the box ``[-lam, lam]²``, (N, N), for ``x`` (N,).

    By the ``nodes`` × ``nodes`` Gauss–Legendre rule. For sigmoid and tanh its relative error falls like
    ``e^{-π nodes/lam}``: 100 nodes hold all digits up to lam = 8, three at lam = 40.
    """
    x = _line("x", x)
    one_of("activation", activation, ACTIVATIONS)
    a, w = (values.numpy() for values in gauss_legendre(at_least("nodes", nodes, 1), -positive("lam", lam), lam))
    w = w / (2 * lam)
    K = np.zeros((len(x), len(x)))
    for first in range(0, nodes, max(1, CHUNK // nodes)):
        chunk = slice(first, first + max(1, CHUNK // nodes))
        pre = (a[chunk, None] * x)[:, None, :] - a[None, :, None]  # (chunk, nodes, N): slope, bias, point
        H = activate(pre, activation) * np.sqrt(w[chunk, None, None] * w[None, :, None])
        H = H.reshape(-1, len(x))
        K += H.T @ H
    return 0.5 * (K + K.T)


@dataclass(frozen=True)
class Modes:
    """A kernel's eigenvalues (N,), those within rounding set to 0, and its eigenvectors (N, N) in columns."""

    values: Array
    vectors: Array

    @classmethod
    def of(cls, K: ArrayLike) -> Modes:
        """Decompose a symmetric positive semidefinite matrix; ``ValueError`` if it is not one."""
        K = np.asarray(K, dtype=np.float64)
        finite("K", K)
        if K.ndim != 2 or K.shape[0] != K.shape[1] or not np.allclose(K, K.T, rtol=1e-9, atol=1e-12 * np.abs(K).max()):
            raise ValueError(f"K: shape {K.shape}; must be a symmetric matrix")
        values, vectors = np.linalg.eigh(K)
        cut = len(K) * np.finfo(float).eps * np.abs(values).max()
        if values[0] < -1e3 * cut:
            raise ValueError(f"K: smallest eigenvalue {values[0]:.3g}; must be positive semidefinite")
        return cls(np.where(values > cut, values, 0.0), vectors)

    @property
    def rank(self) -> int:
        """Eigenvalues that float64 can tell from 0."""
        return int((self.values > 0).sum())


def budget_penalty(values: Array, squares: Array, budget: float) -> float:
    """The penalty ``mu >= 0`` with ``Σ ev c²/(ev + mu)² = budget²``; 0 where the budget is not used up.

    ``values``: eigenvalues ``ev`` >= 0 (N,); ``squares``: squared components ``c²`` of the target (N,).
    """
    positive("budget", budget)
    known = values > 0
    ev, c2 = values[known], squares[known]
    if not len(ev) or not c2.any():
        return 0.0
    lowest = np.log(SMALLEST * ev.min())
    highest = 0.5 * np.log((ev * c2).sum()) - np.log(budget) + 1e-9  # Σ ev c²/(ev + mu)² < Σ ev c²/mu²
    ev_t, c2_t = torch.from_numpy(ev), torch.from_numpy(c2)

    def excess(log_mu: torch.Tensor) -> torch.Tensor:
        mu = log_mu.exp()
        return (ev_t * c2_t / (ev_t + mu.unsqueeze(-1)) ** 2).sum(-1) / budget**2 - 1.0

    if highest <= lowest or float(excess(torch.tensor([lowest], dtype=torch.float64))) <= 0:
        return 0.0
    ends = (torch.tensor([end], dtype=torch.float64) for end in (lowest, highest))
    return float(bisect(excess, *ends, tol=1e-12).exp())


@dataclass(frozen=True)
class FloorResult:
    """Least RMS error within a budget, the penalty that reaches it (0: budget not used up), the norm it takes."""

    error: float
    mu: float
    coef_norm: float


def floor_from_modes(modes: Modes, f: ArrayLike, budget: float) -> FloorResult:
    """As :func:`error_floor`, from a kernel that is already decomposed."""
    f = _line("f", f)
    if len(f) != len(modes.values):
        raise ValueError(f"shapes differ: f {f.shape}, K has {len(modes.values)} rows")
    ev, c2 = modes.values, np.square(modes.vectors.T @ f)
    mu = budget_penalty(ev, c2, budget)
    kept = ev > 0
    lost = np.where(kept, mu / np.where(kept, ev + mu, 1.0), 1.0)
    norm = np.where(kept, ev / np.where(kept, ev + mu, 1.0) ** 2, 0.0) @ c2
    return FloorResult(float(np.sqrt(np.mean(lost**2 * c2))), mu, float(np.sqrt(norm)))


def error_floor(K: ArrayLike, f: ArrayLike, budget: float) -> FloorResult:
    """Least RMS error on the N points of any ``∫ γ σ dU`` with ``‖γ‖_{L2(U)} <= budget``: no width goes below it.

    ``K`` (N, N): :func:`band_kernel`, or ``H Hᵀ/n`` for the net with the hidden layer ``H`` and ``n Σ c² <= budget²``;
    ``f`` (N,): the target, usually of unit standard deviation (then the error is relative). With the eigenvectors
    ``U`` and ``c = Uᵀ f`` the error is ``rms(mu/(ev + mu) c)``. Eigenvalues below N × machine epsilon × the largest
    count as 0, so that a large budget ends at what float64 can reach.
    """
    return floor_from_modes(Modes.of(K), f, budget)


@dataclass(frozen=True)
class DualBound:
    """No net within the budget has a smaller RMS error than ``value``; ``h`` (N,) proves it."""

    value: float
    h: Array
    mu: float


def dual_bound(
    x: ArrayLike, f: ArrayLike, lam: float, activation: str = "sigmoid", budget_l1: float = 1.0, grid: int = 201
) -> DualBound:
    """A certificate: a lower bound on the RMS error of every net with hidden weights in the box and ``Σ|c| <= budget``.

    For any ``h`` (N,) with ``mean(h²) = 1``: ``rms(f - g) >= mean(f h) - budget · max_V |mean(σ(a·-b) h)|``, whatever
    the width and the hidden weights, drawn or trained. ``h ∝ (K + mu I)^{-1} f`` with the best ``mu`` of a grid; the
    maximum is taken over ``grid`` × ``grid`` points of the box, its edges among them. Never below 0.
    """
    x, f = _line("x", x), _line("f", f)
    if x.shape != f.shape:
        raise ValueError(f"shapes differ: x {x.shape}, f {f.shape}")
    positive("budget_l1", budget_l1)
    at_least("grid", grid, 2)
    modes = Modes.of(band_kernel(x, lam, activation))
    mus = PENALTIES * modes.values.max()
    H = modes.vectors @ ((modes.vectors.T @ f)[:, None] / (modes.values[:, None] + mus))  # (N, M)
    H /= np.sqrt(np.mean(H**2, axis=0))
    ticks = np.linspace(-lam, lam, grid)
    slopes, biases = (values.ravel() for values in np.meshgrid(ticks, ticks, indexing="ij"))
    most = np.zeros(len(mus))
    for first in range(0, len(slopes), CHUNK):
        chunk = slice(first, first + CHUNK)
        units = features(x, slopes[chunk, None], biases[chunk], activation)
        most = np.maximum(most, np.abs(units.T @ H).max(axis=0) / len(x))
    values = f @ H / len(x) - budget_l1 * most
    best = int(values.argmax())
    return DualBound(max(0.0, float(values[best])), H[:, best], float(mus[best]))
