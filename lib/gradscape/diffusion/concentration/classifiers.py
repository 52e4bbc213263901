"""Linear classifiers on classes of equal size, and the Gaussian mixture with the same two moments."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradscape.validate import at_least, finite, positive

BIAS_PENALTY = 1e-9  # on the unpenalized bias: keeps its equation solvable
NEGATIVE = 1e-6  # an eigenvalue below minus this share of the largest is no rounding error


def balanced(X: Tensor | Sequence[Tensor]) -> Tensor:
    """Classes (K, n, d) as one tensor; ``ValueError`` for one class, n < 2, or classes of different size."""
    if not isinstance(X, Tensor):
        counts = [len(rows) for rows in X]
        if len(set(counts)) != 1:
            raise ValueError(f"X has {counts} samples per class: the theory is for classes of equal size")
        X = torch.stack(list(X))
    if finite("X", X).ndim != 3 or len(X) < 2 or X.shape[1] < 2:
        raise ValueError(f"X has shape {tuple(X.shape)}: must be (K, n, d) with K >= 2 and n >= 2")
    return X


def class_moments(X: Tensor | Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean (K, d) and covariance (K, d, d) of each class; take many more samples than dimensions."""
    X = balanced(X).double()
    mu = X.mean(1)
    centered = X - mu[:, None]
    return mu, centered.mT @ centered / (X.shape[1] - 1)


def square_roots(C: Tensor) -> Tensor:
    """Symmetric square roots (K, d, d) of covariances; ``ValueError`` where one is not positive semidefinite.

    By eigenvalues, not Cholesky: covariances of images are nearly singular, and jitter would change small-n errors.
    """
    values, vectors = torch.linalg.eigh(finite("C", C))
    if bool((values[:, 0] < -NEGATIVE * values[:, -1]).any()):
        raise ValueError(f"C has the eigenvalue {float(values.min()):.3g}: covariances must be positive semidefinite")
    return (vectors * values.clamp_min(0).sqrt()[:, None]) @ vectors.mT


def sample_gmm(mu: Tensor, C: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
    """n samples of each Gaussian N(mu_k, C_k): (K, n, d)."""
    z = torch.randn(len(mu), at_least("n", n, 1), mu.shape[1], generator=generator, dtype=mu.dtype)
    return mu[:, None] + z @ square_roots(C)


def _with_bias(X: Tensor) -> Tensor:
    return torch.cat([X, torch.ones(*X.shape[:-1], 1, dtype=X.dtype)], -1)


def _one_hot(X: Tensor) -> Tensor:
    """Targets (K n, K) of samples (K, n, d) in their order."""
    return torch.eye(len(X), dtype=X.dtype).repeat_interleave(X.shape[1], 0)


def penalty(d: int, lam: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """The diagonal of P: lam for each weight, next to nothing for the bias, (d + 1,)."""
    return torch.cat([torch.full((d,), positive("lam", lam), dtype=dtype), torch.tensor([BIAS_PENALTY], dtype=dtype)])


def ridge_classifier(X: Tensor | Sequence[Tensor], lam: float) -> Tensor:
    """W (d + 1, K), the last row a bias: minimum of the mean of |e_y - Wᵀx|² plus lam |W|², bias unpenalized."""
    X = balanced(X).double()
    rows = _with_bias(X).flatten(0, 1)
    gram = rows.mT @ rows / len(rows)
    return torch.linalg.solve(gram + penalty(X.shape[2], lam).diag(), rows.mT @ _one_hot(X) / len(rows))


def sgd_classifier(
    X: Tensor | Sequence[Tensor], lam: float = 0.0, *, lr: float = 0.05, epochs: int = 100, batch: int = 64,
    restart: int = 20, generator: torch.Generator | None = None,
) -> Tensor:
    """The same objective by minibatch SGD with cosine warm restarts every ``restart`` epochs, from zero."""
    X = balanced(X).double()
    rows, targets = _with_bias(X).flatten(0, 1), _one_hot(X)
    pull = torch.cat([torch.full((X.shape[2],), lam, dtype=rows.dtype), torch.zeros(1, dtype=rows.dtype)])[:, None]
    W = torch.zeros(rows.shape[1], len(X), dtype=rows.dtype)
    base = positive("lr", lr)
    for epoch in range(at_least("epochs", epochs, 1)):
        rate = base * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * (epoch % restart) / restart))).item()
        for chosen in torch.randperm(len(rows), generator=generator).split(batch):
            error = rows[chosen] @ W - targets[chosen]
            W -= 2 * rate * (rows[chosen].mT @ error / len(chosen) + pull * W)
    return W


def classification_error(W: Tensor, X: Tensor | Sequence[Tensor]) -> float:
    """Share of samples (K, n, d) whose largest score is not their class's."""
    X = balanced(X).to(W.dtype)
    guess = (_with_bias(X) @ W).argmax(-1)
    return float((guess != torch.arange(len(X))[:, None]).double().mean())
