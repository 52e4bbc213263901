"""The lesson's test problems: nonconvex logistic regression on real tables, least squares with a chosen spread of L_i.

Penalty and constants as in EF21's code (Richtárik et al. 2021, arXiv 2106.05203); the spread is ours.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from gradscape import validate
from gradscape.learning.problems import LeastSquaresClients, LogisticClients

NOISE = 0.1  # of the targets of the least-squares clients


def nonconvex_logistic(
    X: Tensor, y: Tensor, n_clients: int, lam: float = 1e-3, sort: Literal["norm"] | None = "norm"
) -> LogisticClients:
    """Nonconvex logistic regression: rows cut into ``n_clients`` equal chunks, one per client.

    ``X`` (N, d), ``y`` (N,) with two values, the larger one becoming +1. ``sort="norm"`` first sorts the rows by norm,
    so that clients differ in L_i. The last N mod ``n_clients`` rows of that order are left out.
    f_i(x) = mean_j log(1 + exp(-y_ij a_ij'x)) + lam sum_k x_k²/(1 + x_k²).
    """
    validate.finite("X", X)
    if X.dim() != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X has shape {tuple(X.shape)}, y {tuple(y.shape)}: must be (N, d) and (N,)")
    validate.in_range("n_clients", validate.at_least("n_clients", n_clients, 1), 1, len(X))
    levels = y.unique()
    if len(levels) != 2:
        raise ValueError(f"y holds {len(levels)} different values: two are needed")
    labels = torch.where(y == levels[1], 1.0, -1.0).to(X.dtype)
    if validate.one_of("sort", sort, ("norm", None)) == "norm":
        order = X.norm(dim=1).argsort(stable=True)
        X, labels = X[order], labels[order]
    m = len(X) // n_clients
    used = m * n_clients
    return LogisticClients(
        X[:used].reshape(n_clients, m, -1), labels[:used].reshape(n_clients, m), penalty=lam
    )


def nonconvex_least_squares(
    n: int, d: int, n_i: int, spread: float | Sequence[float], lam: float = 1e-3, seed: int | Sequence[int] = 0
) -> LeastSquaresClients:
    """Least squares whose curvatures spread like exp(spread N(0, 1)), scaled to mean 1; L_i = l_i + 2 lam exactly.

    f_i(x) = ‖A_i x - b_i‖²/n_i + lam sum_k x_k²/(1 + x_k²), A_i Gaussian scaled to (2/n_i) lambda_max(A_i'A_i) = l_i,
    b_i = A_i z_i + 0.1 noise with an own z_i per client. Several spreads or seeds make a stack of problems,
    ``batch`` = (spreads, seeds) (an axis only for what is a sequence); all spreads of a seed share their draws.
    """
    validate.at_least("n", n, 1)
    validate.at_least("d", d, 1)
    validate.at_least("n_i", n_i, 1)
    spreads = [spread] if isinstance(spread, int | float) else list(spread)
    seeds = [seed] if isinstance(seed, int) else list(seed)
    for value in spreads:
        validate.nonnegative("spread", value)
    drawn = [_draws(n, d, n_i, s) for s in seeds]
    shape, centers, noise, z = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    scale = torch.stack([torch.exp(value * z) for value in spreads])
    scale = scale / scale.mean(-1, keepdim=True)
    top = torch.linalg.matrix_norm(shape, 2)
    rows = shape * ((scale * n_i / 2).sqrt() / top)[..., None, None]
    targets = (rows @ centers[..., None])[..., 0] + NOISE * noise
    if isinstance(seed, int):
        rows, targets = rows[:, 0], targets[:, 0]
    if isinstance(spread, int | float):
        rows, targets = rows[0], targets[0]
    return LeastSquaresClients(rows, targets, penalty=lam)


def _draws(n: int, d: int, n_i: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Matrices (n, n_i, d), optima (n, d), noise (n, n_i) and log-curvatures (n,), all standard normal."""
    generator = torch.Generator().manual_seed(seed)
    sizes = ((n, n_i, d), (n, d), (n, n_i), (n,))
    made = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
    return made[0], made[1], made[2], made[3]
