"""What every objective of this lesson offers: value, gradient and Hessians by name (arXiv 2506.13710, experiments).

One objective may be a stack of S (one data set per seed); its points are then (S, n), one for each. Without a stack
any number of points (n,) or (S, n) may be evaluated together. Everything is float64.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate

KINDS = ("exact", "gauss_newton", "weighted_gauss_newton", "fisher", "fisher_term", "none")
Product = Callable[[Tensor], Tensor]


class Objective:
    """f on R^n. A subclass gives ``_shared``, ``_value``, ``_gradient`` and ``_hessian``, and says which ``kinds``.

    ``minimum`` and ``solution`` are None where unknown. What value, gradient and Hessian at one point have in common
    (residuals, Jacobian, softmax weights) is computed once and kept for the last point.
    """

    kinds: tuple[str, ...] = ("exact", "none")

    def __init__(
        self, n: int, batch: tuple[int, ...] = (), *, minimum: Tensor | float | None = None,
        solution: Tensor | None = None,
    ) -> None:
        self.n, self.batch, self.minimum, self.solution = n, batch, minimum, solution
        self._last: tuple[Tensor, int, Any] | None = None

    def _shared(self, x: Tensor) -> Any:
        raise NotImplementedError

    def _value(self, x: Tensor, shared: Any) -> Tensor:
        raise NotImplementedError

    def _gradient(self, x: Tensor, shared: Any) -> Tensor:
        raise NotImplementedError

    def _hessian(self, x: Tensor, shared: Any, kind: str) -> Tensor:
        raise NotImplementedError

    def _product(self, x: Tensor, shared: Any, kind: str) -> Product:
        matrix = self._hessian(x, shared, kind)
        return lambda v: (matrix @ v[..., None])[..., 0]

    def _factor(self, x: Tensor, shared: Any, kind: str) -> tuple[Tensor, Tensor]:
        raise ValueError(f"kind={kind!r}: {type(self).__name__} has no factors of it")

    def take(self, rows: Tensor) -> Objective:
        """The stack's members ``rows`` (k,) as a smaller stack; an objective that is no stack is its own part."""
        raise NotImplementedError

    def value(self, x: Tensor) -> Tensor:
        """f(x): () for a point (n,), (S,) for points (S, n)."""
        return self._value(x, self._at(x))

    def gradient(self, x: Tensor) -> Tensor:
        """The gradient, in the shape of x."""
        return self._gradient(x, self._at(x))

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both at once: a trial of the search needs both."""
        shared = self._at(x)
        return self._value(x, shared), self._gradient(x, shared)

    def hessian(self, x: Tensor, kind: str = "exact") -> Tensor:
        """The Hessian or its approximation ``kind``, (..., n, n); "none" is zero. ``ValueError`` if unavailable."""
        self.check_kind(kind)
        if kind == "none":
            self._check(x)
            return x.new_zeros(*x.shape, self.n)
        return self._hessian(x, self._at(x), kind)

    def product(self, x: Tensor, kind: str = "exact") -> Product:
        """The map v -> H(x) v for v in the shape of x, without the matrix where that is cheaper."""
        self.check_kind(kind)
        if kind == "none":
            return torch.zeros_like
        return self._product(x, self._at(x), kind)

    def factor(self, x: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        """Rows V (..., r, n) and weights a (..., r) >= 0 with H = sum_k a_k v_k v_k'; ``ValueError`` where there are
        none."""
        self.check_kind(kind)
        return self._factor(x, self._at(x), kind)

    def check_kind(self, kind: str) -> None:
        """``ValueError`` for a kind that is unknown, or that this objective does not have."""
        validate.one_of("kind", kind, KINDS)
        if kind not in self.kinds:
            raise ValueError(f"kind={kind!r}: {type(self).__name__} offers {', '.join(self.kinds)}")

    def _check(self, x: Tensor) -> None:
        if not isinstance(x, Tensor) or x.dtype != torch.float64:
            raise ValueError(f"x={type(x).__name__} of {getattr(x, 'dtype', 'no dtype')}: must be a float64 tensor")
        shape = tuple(x.shape)
        if not shape or shape[-1] != self.n or len(shape) > 2 or (self.batch and shape[:-1] != self.batch):
            allowed = f"{(*self.batch, self.n)}" if self.batch else f"({self.n},) or (S, {self.n})"
            raise ValueError(f"x has shape {shape}: must be {allowed}")

    def _at(self, x: Tensor) -> Any:
        if self._last is not None and self._last[0] is x and self._last[1] == x._version:
            return self._last[2]
        self._check(x)
        shared = self._shared(x)
        self._last = (x, x._version, shared)
        return shared


def times(matrix: Tensor, x: Tensor) -> Tensor:
    """A x for one matrix (m, n) and any points, or a stack (S, m, n) and one point each."""
    return x @ matrix.transpose(-1, -2) if matrix.dim() == 2 else torch.bmm(matrix, x[..., None])[..., 0]


def times_transposed(matrix: Tensor, u: Tensor) -> Tensor:
    """A' u in the same two cases."""
    return u @ matrix if matrix.dim() == 2 else torch.bmm(u[:, None], matrix)[:, 0]


def weighted_gram(matrix: Tensor, weights: Tensor) -> Tensor:
    """A' diag(w) A for weights (..., m) >= 0, (..., n, n)."""
    scaled = matrix * weights.sqrt()[..., None]
    return scaled.transpose(-1, -2) @ scaled


def double(name: str, data: Any, *dims: int) -> Tensor:
    """Data as a finite float64 tensor with one of the allowed numbers of dimensions."""
    if isinstance(data, Tensor) and data.dtype != torch.float64:
        raise ValueError(f"{name} has dtype {data.dtype}: must be float64")
    try:
        tensor = torch.as_tensor(data, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}={data!r}: must be numbers") from None
    validate.finite(name, tensor)
    if tensor.dim() not in dims:
        allowed = " or ".join(map(str, dims))
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}: must have {allowed} dimensions")
    return tensor
