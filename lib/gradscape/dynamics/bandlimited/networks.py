"""Random nets: hidden weights drawn once and frozen, output weights by least squares (Li et al., arXiv 2008.08427).

``g(x) = Σ_j c_j σ(a_j·x - b_j)`` with ``(a_j, b_j)`` drawn from a box ``[-λ, λ]^{d+1}``. Other names of the same thing:
random vector functional link (with a direct link from input to output), extreme learning machine, random features.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gradscape.validate import at_least, finite, nonnegative, one_of, positive

Array = NDArray[np.float64]
ACTIVATIONS = ("sigmoid", "tanh", "gaussian", "relu")
DISTRIBUTIONS = ("uniform", "gaussian", "cauchy")


def activate(z: ArrayLike, activation: str = "sigmoid") -> Array:
    """``σ(z)``: ``sigmoid``, ``tanh``, ``gaussian`` (``e^{-z²/2}``) or ``relu``; never overflows.

    >>> activate([-1e6, 0.0, 1e6]).tolist()
    [0.0, 0.5, 1.0]
    """
    one_of("activation", activation, ACTIVATIONS)
    # torch: its tanh and exp are several times faster than numpy's on one thread
    values = torch.from_numpy(np.require(z, np.float64, ["C", "W"]))
    if activation == "sigmoid":
        return (0.5 * values).tanh_().add_(1.0).mul_(0.5).numpy()
    if activation == "tanh":
        return values.tanh().numpy()
    if activation == "gaussian":
        return values.square().mul_(-0.5).exp_().numpy()
    return values.clamp(min=0.0).numpy()


def sample_hidden(
    n: int, d: int, lam: float, lam_b: float | None = None, dist: str = "uniform", seed: int | Sequence[int] = 0
) -> tuple[Array, Array]:
    """Hidden parameters ``A`` (n, d) and ``b`` (n,) of the size ``lam`` (Li et al., random nets).

    ``uniform``: on ``[-lam, lam]^d × [-lam_b, lam_b]``; ``gaussian`` and ``cauchy``: with standard deviation or scale
    ``lam`` and ``lam_b``. ``lam_b`` is ``lam`` if left out (boxes can only be compared with the same rule for both); 0
    is allowed. A sequence of seeds puts an axis of seeds in front. The first units of a wide net are the units of a
    narrow one of the same seed, and every ``lam`` scales the same draw.

    >>> A, b = sample_hidden(5, 2, 3.0, seed=[0, 1])
    >>> A.shape, b.shape
    ((2, 5, 2), (2, 5))
    """
    at_least("n", n, 1)
    at_least("d", d, 1)
    positive("lam", lam)
    lam_b = lam if lam_b is None else nonnegative("lam_b", lam_b)
    one_of("dist", dist, DISTRIBUTIONS)
    if isinstance(seed, Sequence | np.ndarray):
        if not len(seed):
            raise ValueError("seed is an empty sequence: at least one is needed")
        drawn = [sample_hidden(n, d, lam, lam_b, dist, one) for one in seed]
        return np.stack([A for A, _ in drawn]), np.stack([b for _, b in drawn])
    rng = np.random.default_rng(at_least("seed", seed, 0))
    if dist == "uniform":
        draw = rng.uniform(-1.0, 1.0, (n, d + 1))
    else:
        draw = rng.standard_normal((n, d + 1)) if dist == "gaussian" else rng.standard_cauchy((n, d + 1))
    return lam * draw[:, :d], lam_b * draw[:, d]


def as_points(name: str, x: ArrayLike) -> Array:
    """Inputs as (N, d); one-dimensional input is d = 1."""
    x = np.asarray(x, dtype=np.float64)
    finite(name, x)
    if x.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {x.shape}: must be (N,) or (N, d)")
    return x[:, None] if x.ndim == 1 else x


def features(x: ArrayLike, A: ArrayLike, b: ArrayLike, activation: str = "sigmoid") -> Array:
    """Hidden layer ``σ(a_j·x_i - b_j)``, (..., N, n), for ``x`` (N,) or (N, d), ``A`` (..., n, d), ``b`` (..., n)."""
    x, A, b = as_points("x", x), np.asarray(A, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if A.ndim < 2 or A.shape[-1] != x.shape[1] or A.shape[:-1] != b.shape:
        raise ValueError(f"shapes differ: x {x.shape}, A {A.shape}, b {b.shape}; must be (N, d), (..., n, d), (..., n)")
    return activate(x @ np.swapaxes(A, -1, -2) - b[..., None, :], activation)


@dataclass(frozen=True)
class Readout:
    """Output weights (n,) or (n, T), the numerical rank of the features, and all their singular values."""

    coef: NDArray[Any]
    rank: int
    singular: NDArray[Any]


def solve_readout(
    H: Array, y: Array, *, ridge: float = 0.0, rcond: float | None = None, budget: float | None = None
) -> Readout:
    """Output weights of the hidden layer ``H`` (N, n) for targets ``y`` (N,) or (N, T) (Li et al., random nets).

    By default minimum-norm least squares (LAPACK ``gelsd``); singular values below ``rcond`` times the largest count as
    0, ``rcond`` being machine epsilon × max(N, n) if left out. ``ridge`` adds ``ridge · Σ c²`` to the sum of squared
    errors. ``budget``: least squares under ``n Σ c² <= budget²``, which is the L2 norm of the weight density ``n c_j``.
    The last two exclude each other. All three are hidden budgets: without them output weights grow until rounding
    stops them.
    """
    if budget is None and ridge == 0:
        coef, _, rank, singular = np.linalg.lstsq(H, y, rcond=rcond)
        return Readout(coef, int(rank), singular)
    if budget is not None and ridge > 0:
        raise ValueError(f"ridge={ridge!r}, budget={budget!r}: must not both be given (a budget chooses its own ridge)")
    U, s, Vt = np.linalg.svd(H, full_matrices=False)
    keep = s > (np.finfo(float).eps * max(H.shape) if rcond is None else rcond) * s[0]
    targets = U.T @ (y if y.ndim == 2 else y[:, None])
    penalty = np.full(targets.shape[1], ridge)
    if budget is not None:
        from gradscape.dynamics.bandlimited.floors import budget_penalty

        # in the features H/√n the weights √n c have the norm that is bounded; the penalty on c itself is n times theirs
        n = H.shape[1]
        bounded = [budget_penalty(np.where(keep, s**2 / n, 0.0), t**2, budget) for t in targets.T]
        penalty = n * np.array(bounded)
    gain = np.where(keep[:, None], s[:, None] / np.maximum(s[:, None] ** 2 + penalty, np.finfo(float).tiny), 0.0)
    coef = Vt.T @ (gain * targets)
    return Readout(coef if y.ndim == 2 else coef[:, 0], int(keep.sum()), s)


@dataclass(frozen=True)
class Fits:
    """Many fitted nets: relative test error (L, S, T), numerical rank (L, S), size of the output weights (L, S, T).

    Axes: box sizes, seeds, targets. ``norm`` is ``√(n Σ c²)`` in units of the target's standard deviation.
    """

    error: Array
    rank: NDArray[np.int64]
    norm: Array


def fit_table(
    x: ArrayLike, y: ArrayLike, x_test: ArrayLike, y_test: ArrayLike, n: int, lams: Sequence[float],
    seeds: Sequence[int], activation: str = "sigmoid", *, dist: str = "uniform",
    progress: Callable[[int, int], None] | None = None,
) -> Fits:
    """Fit nets of width ``n`` for every box size and seed, all targets (columns of ``y``) by one decomposition each.

    ``x`` (N,) or (N, d), ``y`` (N,) or (N, T), the test set likewise. Errors are test RMSE over the standard deviation
    of the training targets.
    """
    x, x_test = as_points("x", x), as_points("x_test", x_test)
    y, y_test = _columns("y", y, x), _columns("y_test", y_test, x_test)
    if y.shape[1] != y_test.shape[1] or x.shape[1] != x_test.shape[1]:
        raise ValueError(f"shapes differ: y {y.shape}, y_test {y_test.shape}, x {x.shape}, x_test {x_test.shape}")
    if not len(lams) or not len(seeds):
        raise ValueError(f"lams={list(lams)!r}, seeds={list(seeds)!r}: at least one of each is needed")
    scale = y.std(axis=0)
    if not (scale > 0).all():
        raise ValueError("y does not vary: an error relative to its standard deviation makes no sense")
    shape = (len(lams), len(seeds), y.shape[1])
    error, norm, rank = np.empty(shape), np.empty(shape), np.empty(shape[:2], dtype=np.int64)
    for s, seed in enumerate(seeds):
        for k, lam in enumerate(lams):
            A, b = sample_hidden(n, x.shape[1], lam, dist=dist, seed=seed)
            readout = solve_readout(features(x, A, b, activation), y)
            residual = features(x_test, A, b, activation) @ readout.coef - y_test
            error[k, s] = np.sqrt(np.mean(residual**2, axis=0)) / scale
            norm[k, s] = np.sqrt(n * np.sum(readout.coef**2, axis=0)) / scale
            rank[k, s] = readout.rank
        if progress is not None:
            progress(s + 1, len(seeds))
    return Fits(error, rank, norm)


def fit_many(
    x: ArrayLike, y: ArrayLike, x_test: ArrayLike, y_test: ArrayLike, n: int, lams: Sequence[float],
    seeds: Sequence[int], activation: str = "sigmoid",
) -> Array:
    """Relative test errors (len(lams), len(seeds)) of nets of width ``n`` (arguments as in :func:`fit_table`).

    With ``y`` (N, T) there is an axis of targets at the end.
    """
    error = fit_table(x, y, x_test, y_test, n, lams, seeds, activation).error
    return error if np.ndim(y) == 2 else error[..., 0]


def _columns(name: str, y: ArrayLike, x: Array) -> Array:
    y = np.asarray(y, dtype=np.float64)
    finite(name, y)
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise ValueError(f"{name} has shape {y.shape}: must be (N,) or (N, T) with N = {len(x)}")
    return y[:, None] if y.ndim == 1 else y


def coefficient_norms(coef: ArrayLike) -> dict[str, Any]:
    """Sizes of output weights (n,) or (n, T), the largest over targets.

    ``l1`` ``Σ|c|``, ``l2`` ``√(n Σ c²)`` (the L2 norm of the density ``n c`` under the law of the hidden weights, what
    a budget bounds; never below ``l1``), ``max`` ``max|c|``.
    """
    c = np.abs(np.asarray(coef, dtype=np.float64))
    c = c[:, None] if c.ndim == 1 else c
    return {
        "l1": float(c.sum(axis=0).max()), "l2": float(np.sqrt(len(c) * np.square(c).sum(axis=0)).max()),
        "max": float(c.max()),
    }
