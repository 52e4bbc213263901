"""The teacher and its data, and what quadratic least squares makes of them (Maillard et al., arXiv 2408.03733).

A network of ``m = kappa d`` quadratic neurons is a linear function of the d × d matrix ``S = WᵀW/m``, so learning it is
estimating S from ``n = alpha d²`` numbers ``xᵀ S x``. The n × d × d sensing matrices are never formed.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.dynamics.bayes_optimal.theory import noise_to_effective
from gradscape.lesson import replicate_seed
from gradscape.validate import at_least, finite, nonnegative, positive

JITTER = 1e-12  # of the mean diagonal: rounding of the Gram matrix, far below its smallest eigenvalue away from α = 1/2


@dataclass(frozen=True)
class QuadraticTask:
    """Inputs ``X`` (n, d), labels ``y`` (n,), the teacher's ``W`` (m, d) and ``S = WᵀW/m`` (d, d), all float64.

    ``delta``: noise variance inside the neurons. ``kappa = m/d`` and ``alpha = n/d²`` are those of the rounded sizes.
    """

    X: Tensor
    y: Tensor
    S: Tensor
    W: Tensor
    delta: float

    @property
    def n(self) -> int:
        """Number of labels."""
        return len(self.X)

    @property
    def d(self) -> int:
        """Number of inputs."""
        return self.X.shape[1]

    @property
    def kappa(self) -> float:
        """Hidden neurons per input, m/d."""
        return len(self.W) / self.d

    @property
    def alpha(self) -> float:
        """Labels per squared input, n/d²."""
        return self.n / self.d**2

    @property
    def noise(self) -> float:
        """Variance of the noise of a scaled label ``√d (y - 1 - Δ)``, :func:`noise_to_effective`."""
        return noise_to_effective(self.delta, self.kappa)

    def error(self, estimate: Tensor) -> Tensor:
        """``κ (1/d) ‖Ŝ - S‖²`` of estimates (…, d, d): the scale of :func:`mmse`, 1 for Ŝ = I."""
        if estimate.shape[-2:] != self.S.shape:
            raise ValueError(f"estimate: shape {tuple(estimate.shape)}; must be (…, {self.d}, {self.d})")
        return self.kappa * (estimate.to(self.S) - self.S).square().sum((-2, -1)) / self.d


def quadratic_form(X: Tensor, S: Tensor) -> Tensor:
    """``xᵀ S x`` for every row x of ``X`` (n, d), in O(n d²)."""
    return ((X @ S) * X).sum(-1)


def teacher(d: int, kappa: float, alpha: float, delta: float = 0.0, seed: int = 0) -> QuadraticTask:
    """Draw a teacher and its labels ``y = (1/m) Σ_k (w_k·x/√d + √Δ z_k)²`` (Maillard et al., model).

    Weights, inputs and noise z are standard normal; ``m = round(kappa d)``, ``n = round(alpha d²)``. Raises
    ``ValueError`` for ``d < 2``, ``kappa`` or ``alpha`` not > 0 or so small that m or n would be 0, ``delta < 0``.

    >>> task = teacher(d=20, kappa=0.5, alpha=0.3)
    >>> task.X.shape, task.W.shape
    (torch.Size([120, 20]), torch.Size([10, 20]))
    """
    at_least("d", d, 2)
    m, n = round(positive("kappa", kappa) * d), round(positive("alpha", alpha) * d * d)
    nonnegative("delta", delta)
    if m < 1 or n < 1:
        raise ValueError(f"kappa={kappa!r}, alpha={alpha!r}: m = {m} neurons and n = {n} labels; both must be >= 1")
    draws = torch.Generator().manual_seed(replicate_seed(at_least("seed", seed, 0), 0))
    W, X = (torch.randn(rows, d, generator=draws, dtype=torch.float64) for rows in (m, n))
    hidden = X @ W.T / math.sqrt(d)
    if delta > 0:
        hidden += math.sqrt(delta) * torch.randn(n, m, generator=draws, dtype=torch.float64)
    return QuadraticTask(X, hidden.square().mean(-1), W.T @ W / m, W, float(delta))


def least_squares(task: QuadraticTask) -> Tensor:
    """The quadratic function nearest to the prior mean that fits the labels: ``Ŝ`` (d, d), ``‖Ŝ - I‖`` least.

    All symmetric matrices are allowed, so a teacher with few neurons is nothing special to it. For ``α < 1/2`` it
    interpolates (error ``1 - 2α`` without noise, the ``κ → ∞`` curve); with more labels it is ordinary least squares.
    """
    X, d = task.X, task.d
    rest = task.y - task.delta - X.square().mean(-1)  # y - Δ - xᵀ I x/d
    unknowns = d * (d + 1) // 2
    if task.n < unknowns:
        gram = (X @ X.T).div_(d).square_()
        gram.diagonal().add_(JITTER * gram.diagonal().mean())
        weights = torch.cholesky_solve(rest.unsqueeze(-1), torch.linalg.cholesky(gram)).squeeze(-1)
        return torch.eye(d, dtype=torch.float64) + X.T @ (weights.unsqueeze(-1) * X) / d
    row, column = torch.triu_indices(d, d)
    twice = torch.where(row == column, 1.0, 2.0).double()
    features = X[:, row] * X[:, column] * twice / d
    upper = torch.linalg.lstsq(features, rest.unsqueeze(-1)).solution.squeeze(-1)
    found = torch.zeros(d, d, dtype=torch.float64)
    found[row, column] = found[column, row] = upper
    return torch.eye(d, dtype=torch.float64) + found


def square_matrices(name: str, value: Tensor) -> Tensor:
    """``value`` (…, d, d) as float64; ``ValueError`` unless it is finite, not empty and square."""
    matrix = torch.as_tensor(value, dtype=torch.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"{name}: shape {tuple(matrix.shape)}; must be (…, d, d)")
    return finite(name, matrix)
