"""Logistic and softmax losses with their exact, Gauss-Newton and Fisher matrices (arXiv 2506.13710, applications).

The Fisher matrix here is the empirical one, the mean of g_i g_i' over the samples' own gradients. For these losses it
differs from the exact Hessian by an amount that f itself bounds (the paper's condition with C_1 = f*, beta = 0).
"""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gradscape import validate
from gradscape.optimizers.gradient_normalized.objective import (
    Objective,
    Product,
    double,
    times,
    times_transposed,
    weighted_gram,
)


class LogisticLoss(Objective):
    """f(w) = mean_i log(1 + exp(-y_i <x_i, w>)) + l2 |w|²/2, with X (N, n) or (S, N, n) and y = ±1 (N,) or (S, N).

    Hessians: "exact", X' diag(s (1 - s)) X/N, and "fisher", X' diag(s²) X/N, with s_i = sigmoid(-y_i <x_i, w>); both
    plus l2 I.
    """

    kinds = ("exact", "fisher", "none")

    def __init__(self, X: Any, y: Any, l2: float = 0.0) -> None:
        X, y = double("X", X, 2, 3), double("y", y, 1, 2)
        if tuple(y.shape) != tuple(X.shape[:-1]):
            raise ValueError(f"y has shape {tuple(y.shape)}: must be {tuple(X.shape[:-1])}, one label per row of X")
        if not bool((y.abs() == 1).all()):
            raise ValueError("y: all labels must be -1 or 1")
        self.X, self.y, self.l2 = X, y, validate.nonnegative("l2", l2)
        self._signed = y[..., None] * X
        super().__init__(X.shape[-1], tuple(X.shape[:-2]))

    def take(self, rows: Tensor) -> LogisticLoss:
        return LogisticLoss(self.X[rows], self.y[rows], self.l2) if self.batch else self

    def _shared(self, x: Tensor) -> tuple[Tensor, Tensor]:
        margins = times(self._signed, x)
        return margins, torch.sigmoid(-margins)

    def _value(self, x: Tensor, shared: Any) -> Tensor:
        return softplus(-shared[0]).mean(-1) + self.l2 / 2 * x.square().sum(-1)

    def _gradient(self, x: Tensor, shared: Any) -> Tensor:
        return -times_transposed(self._signed, shared[1]) / shared[1].shape[-1] + self.l2 * x

    def _weights(self, shared: Any, kind: str) -> Tensor:
        s = shared[1]
        return (s * (1 - s) if kind == "exact" else s * s) / s.shape[-1]

    def _hessian(self, x: Tensor, shared: Any, kind: str) -> Tensor:
        return weighted_gram(self.X, self._weights(shared, kind)) + self.l2 * torch.eye(self.n, dtype=x.dtype)

    def _product(self, x: Tensor, shared: Any, kind: str) -> Product:
        weights = self._weights(shared, kind)
        return lambda v: times_transposed(self.X, weights * times(self.X, v)) + self.l2 * v

    def _factor(self, x: Tensor, shared: Any, kind: str) -> tuple[Tensor, Tensor]:
        if kind != "fisher" or self.l2:
            return super()._factor(x, shared, kind)
        weights = self._weights(shared, kind)
        return self.X.expand(*weights.shape, self.n), weights


class SoftmaxLoss(Objective):
    """f(W) = mean_i [log sum_c exp(<w_c, x_i>) - <w_{y_i}, x_i>] + l2 |W|²/2, the point W flattened class by class.

    X is (N, d), y (N,) whole numbers 0 … C - 1; n = C d. Hessians, all plus l2 I, with softmax probabilities p_ic:
    "exact"; "weighted_gauss_newton", the blocks X' diag(p_c) X/N without what couples the classes; "fisher".
    """

    kinds = ("exact", "weighted_gauss_newton", "fisher", "none")

    def __init__(self, X: Any, y: Any, l2: float = 0.0) -> None:
        X = double("X", X, 2)
        y = torch.as_tensor(y)
        if y.dtype not in (torch.int64, torch.int32) or tuple(y.shape) != tuple(X.shape[:1]):
            raise ValueError(f"y of {y.dtype} has shape {tuple(y.shape)}: must be whole numbers of shape ({len(X)},)")
        if int(y.min()) < 0 or int(y.max()) < 1:
            raise ValueError(f"y runs from {int(y.min())} to {int(y.max())}: must be 0 … C - 1 with C >= 2 classes")
        self.X, self.y, self.l2 = X, y.long(), validate.nonnegative("l2", l2)
        self.classes, self.d = int(y.max()) + 1, X.shape[1]
        self._hot = torch.nn.functional.one_hot(self.y, self.classes).to(X.dtype)
        super().__init__(self.classes * self.d)

    def take(self, rows: Tensor) -> SoftmaxLoss:
        return self

    def _weights(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.classes, self.d)

    def _shared(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.X @ self._weights(x).transpose(-1, -2)
        return logits, torch.softmax(logits, -1)

    def _value(self, x: Tensor, shared: Any) -> Tensor:
        logits = shared[0]
        fit = torch.logsumexp(logits, -1) - (logits * self._hot).sum(-1)
        return fit.mean(-1) + self.l2 / 2 * x.square().sum(-1)

    def _gradient(self, x: Tensor, shared: Any) -> Tensor:
        off = (shared[1] - self._hot) / len(self.X)
        return (off.transpose(-1, -2) @ self.X).reshape(x.shape) + self.l2 * x

    def _hessian(self, x: Tensor, shared: Any, kind: str) -> Tensor:
        p = shared[1]
        ridge = self.l2 * torch.eye(self.n, dtype=x.dtype)
        if kind == "fisher":
            return self._outer(p - self._hot) + ridge
        matrix = x.new_zeros(*x.shape[:-1], self.classes, self.d, self.classes, self.d)
        for c in range(self.classes):
            matrix[..., c, :, c, :] = weighted_gram(self.X, p[..., c] / len(self.X))
        matrix = matrix.reshape(*x.shape, self.n)
        return matrix + ridge if kind == "weighted_gauss_newton" else matrix - self._outer(p) + ridge

    def _outer(self, weights: Tensor) -> Tensor:
        """Mean over samples of q q' with q = weights_i ⊗ x_i, for weights (..., N, C)."""
        q = (weights[..., :, None] * self.X[:, None, :]).reshape(*weights.shape[:-1], self.n)
        return q.transpose(-1, -2) @ q / len(self.X)

    def _product(self, x: Tensor, shared: Any, kind: str) -> Product:
        p = shared[1]

        def product(v: Tensor) -> Tensor:
            image = self.X @ self._weights(v).transpose(-1, -2)
            if kind == "fisher":
                off = p - self._hot
                image = off * (off * image).sum(-1, keepdim=True)
            elif kind == "exact":
                image = p * (image - (p * image).sum(-1, keepdim=True))
            else:
                image = p * image
            return (image.transpose(-1, -2) @ self.X).reshape(v.shape) / len(self.X) + self.l2 * v

        return product


def separable_data(
    samples: int, d: int, generator: torch.Generator, *, margin: float = 0.1
) -> tuple[Tensor, Tensor]:
    """A linearly separable two-class problem with margin: X (samples, d), labels ±1 (samples,).

    Rows are N(0, I/d), a unit vector w is drawn first; rows with |<x, w>| <= ``margin`` are drawn again, and the label
    is the sign of <x, w>.
    """
    validate.at_least("samples", samples, 1)
    validate.at_least("d", d, 1)
    validate.nonnegative("margin", margin)
    w = torch.randn(d, generator=generator, dtype=torch.float64)
    w = w / w.norm()
    kept: list[Tensor] = []
    while sum(map(len, kept)) < samples:
        rows = torch.randn(4 * samples, d, generator=generator, dtype=torch.float64) / d**0.5
        rows = rows[(rows @ w).abs() > margin]
        if not len(rows) and not kept:
            raise ValueError(f"margin={margin!r}: no row of {4 * samples} has one, with d={d}")
        kept.append(rows)
    X = torch.cat(kept)[:samples]
    return X, torch.sign(X @ w)
