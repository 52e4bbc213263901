"""The paper's test problems: LogSumExp, and powers of the norm of a residual (arXiv 2506.13710, experiments).

Names and constants follow the authors' code; their generic residual class has a wrong factor p/|u|² on the
second-derivative term, which is right here (and in their Rosenbrock and Chebyshev classes).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.gradient_normalized.objective import (
    Objective,
    Product,
    double,
    times,
    times_transposed,
    weighted_gram,
)

Map = Callable[[Tensor], Tensor]
Pull = Callable[[Tensor, Tensor], Tensor]


class LogSumExp(Objective):
    """f(x) = mu log sum_i exp((<a_i, x> - b_i)/mu), a smooth maximum of m affine functions.

    ``A`` is (m, n) or a stack (S, m, n), ``b`` (m,) or (S, m), ``mu`` > 0. With ``centre`` the gradient at 0 is
    subtracted from every row, so that the minimum lies at 0. ``gram`` is sum_i a_i a_i' of the rows as given: the
    metric B of the paper's experiments. Hessians: "exact" and "weighted_gauss_newton", A' diag(pi) A/mu with the
    softmax pi, which is exact + g g'/mu.
    """

    kinds = ("exact", "weighted_gauss_newton", "none")

    def __init__(self, A: Any, b: Any, mu: float, centre: bool = True) -> None:
        A, b = double("A", A, 2, 3), double("b", b, 1, 2)
        if tuple(b.shape) != tuple(A.shape[:-1]):
            raise ValueError(f"b has shape {tuple(b.shape)}: must be {tuple(A.shape[:-1])}, one for each row of A")
        self.mu = validate.positive("mu", mu)
        self.b = b
        self.gram = A.transpose(-1, -2) @ A
        batch = tuple(A.shape[:-2])
        minimum = solution = None
        if centre:
            A = A - (torch.softmax(-b / mu, -1)[..., None] * A).sum(-2, keepdim=True)
            minimum = mu * torch.logsumexp(-b / mu, -1)
            solution = A.new_zeros(*batch, A.shape[-1])
        self.A = A
        super().__init__(A.shape[-1], batch, minimum=minimum, solution=solution)

    def take(self, rows: Tensor) -> LogSumExp:
        if not self.batch:
            return self
        part = LogSumExp.__new__(LogSumExp)
        part.A, part.b, part.mu, part.gram = self.A[rows], self.b[rows], self.mu, self.gram[rows]
        minimum = self.minimum[rows] if isinstance(self.minimum, Tensor) else None
        solution = None if self.solution is None else self.solution[rows]
        Objective.__init__(part, self.n, (len(rows),), minimum=minimum, solution=solution)
        return part

    def _shared(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = (times(self.A, x) - self.b) / self.mu
        pi = torch.softmax(z, -1)
        return z, pi, times_transposed(self.A, pi)

    def _value(self, x: Tensor, shared: Any) -> Tensor:
        return self.mu * torch.logsumexp(shared[0], -1)

    def _gradient(self, x: Tensor, shared: Any) -> Tensor:
        return shared[2]

    def _hessian(self, x: Tensor, shared: Any, kind: str) -> Tensor:
        _, pi, g = shared
        matrix = weighted_gram(self.A, pi)
        if kind == "exact":
            matrix = matrix - g[..., :, None] * g[..., None, :]
        return matrix / self.mu

    def _product(self, x: Tensor, shared: Any, kind: str) -> Product:
        _, pi, g = shared

        def product(v: Tensor) -> Tensor:
            image = times_transposed(self.A, pi * times(self.A, v))
            if kind == "exact":
                image = image - g * (g * v).sum(-1, keepdim=True)
            return image / self.mu

        return product


class PowerResidual(Objective):
    """f(x) = |u(x)|^p / p with p >= 2, for a residual u: R^n -> R^m with Jacobian J.

    ``residual(x)`` gives u (..., m), ``jacobian(x)`` J (..., m, n), and ``second(x, u)`` sum_i u_i Hess u_i (..., n, n)
    where wanted; without it there is no "exact" Hessian. ``p`` is one number, or one per point of a stack (S,).
    ``pullback(x, u)`` may give J'u cheaper than the Jacobian does. With r = |u| and v = J'u the Hessians are

    - "gauss_newton" (the paper's inexact Hessian): r^(p-2) J'J + (p-2) r^(p-4) v v';
    - "fisher_term": its second term alone, (p-2)/r^p grad grad', of rank one and zero for p = 2;
    - "exact": the first plus r^(p-2) sum_i u_i Hess u_i.
    """

    def __init__(
        self, p: Any, residual: Map, jacobian: Map, second: Pull | None = None, *, n: int, pullback: Pull | None = None,
        solution: Tensor | None = None,
    ) -> None:
        self.p = double("p", p, 0, 1)
        if not bool((self.p >= 2).all()):
            raise ValueError(f"p={p!r}: must be >= 2")
        self.residual, self.jacobian, self.second, self.pullback = residual, jacobian, second, pullback
        kinds = ("gauss_newton", "fisher_term", "none")
        self.kinds = kinds if second is None else ("exact", *kinds)
        super().__init__(
            validate.at_least("n", n, 1), tuple(self.p.shape), minimum=None if solution is None else 0.0,
            solution=solution,
        )

    def take(self, rows: Tensor) -> PowerResidual:
        if not self.batch:
            return self
        return PowerResidual(
            self.p[rows], self.residual, self.jacobian, self.second, n=self.n, pullback=self.pullback,
            solution=self.solution,
        )

    def _shared(self, x: Tensor) -> dict[str, Tensor]:
        u = self.residual(x)
        shared = {"u": u, "r": u.norm(dim=-1)}
        if self.pullback is None:
            shared["J"] = self.jacobian(x)
        return shared

    def _v(self, x: Tensor, shared: Any) -> Tensor:
        """v = J'u."""
        if "v" not in shared:
            if self.pullback is not None:
                shared["v"] = self.pullback(x, shared["u"])
            else:
                shared["v"] = (shared["u"][..., None, :] @ shared["J"])[..., 0, :]
        return shared["v"]

    def _value(self, x: Tensor, shared: Any) -> Tensor:
        return shared["r"] ** self.p / self.p

    def _gradient(self, x: Tensor, shared: Any) -> Tensor:
        return (shared["r"] ** (self.p - 2))[..., None] * self._v(x, shared)

    def _weight(self, r: Tensor) -> Tensor:
        """(p - 2) r^(p-4), the weight of v v'; zero where r = 0, since v is zero there too."""
        safe = torch.where(r > 0, r, torch.ones_like(r))
        return torch.where(r > 0, (self.p - 2) * safe ** (self.p - 4), torch.zeros_like(r))

    def _hessian(self, x: Tensor, shared: Any, kind: str) -> Tensor:
        u, r, v = shared["u"], shared["r"], self._v(x, shared)
        matrix = self._weight(r)[..., None, None] * v[..., :, None] * v[..., None, :]
        if kind == "fisher_term":
            return matrix
        inner = self._inner(x, shared)
        if kind == "exact":
            assert self.second is not None  # else "exact" is no kind of this objective
            inner = inner + self.second(x, u)
        return matrix + (r ** (self.p - 2))[..., None, None] * inner

    def _inner(self, x: Tensor, shared: Any) -> Tensor:
        J = shared["J"] if "J" in shared else self.jacobian(x)
        return J.transpose(-1, -2) @ J

    def _factor(self, x: Tensor, shared: Any, kind: str) -> tuple[Tensor, Tensor]:
        if kind != "fisher_term":
            return super()._factor(x, shared, kind)
        return self._v(x, shared)[..., None, :], self._weight(shared["r"])[..., None]


def rosenbrock(p: Any, a: float = 1.0, b: float = 100.0) -> PowerResidual:
    """Powers of Rosenbrock's residual u = (a - x_1, sqrt(b) (x_2 - x_1²)); its minimum 0 lies at (a, a²)."""
    root = validate.positive("b", b) ** 0.5

    def residual(x: Tensor) -> Tensor:
        first, second = x[..., 0], x[..., 1]
        return torch.stack([a - first, root * (second - first * first)], -1)

    def jacobian(x: Tensor) -> Tensor:
        J = x.new_zeros(*x.shape, 2)
        J[..., 0, 0], J[..., 1, 0], J[..., 1, 1] = -1.0, -2 * root * x[..., 0], root
        return J

    def bend(x: Tensor, u: Tensor) -> Tensor:
        matrix = x.new_zeros(*x.shape, 2)
        matrix[..., 0, 0] = -2 * root * u[..., 1]
        return matrix

    def pullback(x: Tensor, u: Tensor) -> Tensor:
        return torch.stack([-u[..., 0] - 2 * root * x[..., 0] * u[..., 1], root * u[..., 1]], -1)

    solution = torch.tensor([a, a * a], dtype=torch.float64)
    return PowerResidual(p, residual, jacobian, bend, n=2, pullback=pullback, solution=solution)


def chebyshev(n: int, p: Any) -> PowerResidual:
    """Powers of the Chebyshev chain u_1 = (1 - x_1)/2, u_i = x_i - 2 x_{i-1}² + 1; its minimum 0 lies at (1, …, 1)."""
    validate.at_least("n", n, 2)

    def residual(x: Tensor) -> Tensor:
        return torch.cat([(1 - x[..., :1]) / 2, x[..., 1:] - 2 * x[..., :-1] ** 2 + 1], -1)

    def jacobian(x: Tensor) -> Tensor:
        main = torch.ones_like(x)
        main[..., 0] = -0.5
        return torch.diag_embed(main) + torch.diag_embed(-4 * x[..., :-1], -1)

    def bend(x: Tensor, u: Tensor) -> Tensor:
        return torch.diag_embed(torch.cat([-4 * u[..., 1:], torch.zeros_like(u[..., :1])], -1))

    def pullback(x: Tensor, u: Tensor) -> Tensor:
        first = torch.cat([-u[..., :1] / 2, u[..., 1:]], -1)
        return first - torch.cat([4 * x[..., :-1] * u[..., 1:], torch.zeros_like(u[..., :1])], -1)

    solution = torch.ones(n, dtype=torch.float64)
    return PowerResidual(p, residual, jacobian, bend, n=n, pullback=pullback, solution=solution)


class LinearPower(PowerResidual):
    """f(x) = |A x - b|^p / p for A (m, n) or a stack (S, m, n); made by :func:`linear_power`.

    ``gram`` is A'A + 1e-8 I, the metric of the paper's experiment.
    """

    def __init__(self, A: Tensor, b: Tensor, p: Tensor, solution: Tensor | None = None) -> None:
        self.A, self.b = A, b
        self._square = A.transpose(-1, -2) @ A
        self.gram = self._square + 1e-8 * torch.eye(A.shape[-1], dtype=A.dtype)
        super().__init__(
            p, lambda x: times(A, x) - b, lambda x: A.expand(*x.shape[:-1], *A.shape[-2:]),
            lambda x, u: A.new_zeros(()), n=A.shape[-1], pullback=lambda x, u: times_transposed(A, u),
            solution=solution,
        )

    def take(self, rows: Tensor) -> LinearPower:
        if not self.batch:
            return self
        solution = None if self.solution is None else self.solution[rows]
        return LinearPower(self.A[rows], self.b[rows], self.p[rows], solution)

    def _inner(self, x: Tensor, shared: Any) -> Tensor:
        return self._square


def linear_power(A: Any, b: Any, p: float) -> LinearPower:
    """f(x) = |A x - b|^p / p. Its minimum is 0, at the least-norm solution, when A has no more rows than columns."""
    A, b = double("A", A, 2, 3), double("b", b, 1, 2)
    if tuple(b.shape) != tuple(A.shape[:-1]):
        raise ValueError(f"b has shape {tuple(b.shape)}: must be {tuple(A.shape[:-1])}, one for each row of A")
    solution = None
    if A.shape[-2] <= A.shape[-1]:
        solution = torch.linalg.lstsq(A, b[..., None], driver="gelsd").solution[..., 0]
    return LinearPower(A, b, double("p", p, 0).expand(A.shape[:-2]), solution)
