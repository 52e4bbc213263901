"""Objectives with value, gradient and Hessian, and objectives that are a mean over clients.

Everything broadcasts: a problem may be a stack of problems (``batch``, for instance one per seed), and ``x`` has shape
(*batch, ..., d): any number of points for each of them. Clients sit on the axis before the last one of what they
return, so ``gradients(x)`` is (*batch, ..., n, d). All tensors keep the dtype of the data.
"""
from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gradscape import validate


class Problem(Protocol):
    """An objective f on R^d. Shapes for x (..., d): value (...), gradient (..., d), Hessian (..., d, d)."""

    @property
    def d(self) -> int:
        """Number of variables."""
        ...

    def value(self, x: Tensor) -> Tensor:
        """f(x)."""
        ...

    def gradient(self, x: Tensor) -> Tensor:
        """grad f(x)."""
        ...

    def hessian(self, x: Tensor) -> Tensor:
        """The matrix of second derivatives at x."""
        ...


def saturating(x: Tensor) -> Tensor:
    """The nonconvex penalty sum_k x_k²/(1 + x_k²) of robust regression, (..., d) -> (...); each term stays below 1."""
    square = x * x
    return (square / (1 + square)).sum(-1)


def saturating_gradient(x: Tensor) -> Tensor:
    """Its gradient 2 x/(1 + x²)², entry by entry."""
    return 2 * x / (1 + x * x).square()


def saturating_curvature(x: Tensor) -> Tensor:
    """Its second derivatives 2 (1 - 3 x²)/(1 + x²)³, between -1/2 and 2."""
    square = x * x
    return 2 * (1 - 3 * square) / (1 + square) ** 3


class Clients:
    """f = (1/n) sum_i f_i: a :class:`Problem` whose parts lie with n clients, each f_i with a penalty of its own.

    A subclass gives ``_values``, ``_gradients``, ``_hessians`` and the curvature bounds without the penalty
    ``penalty * saturating(x)``, which is added to every f_i here.
    """

    def __init__(self, n: int, d: int, batch: tuple[int, ...], penalty: float) -> None:
        self.n, self.d, self.batch = n, d, batch
        self.penalty = validate.nonnegative("penalty", penalty)

    def _values(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _gradients(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _hessians(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _bounds(self) -> tuple[Tensor, Tensor]:
        """Largest curvature of every f_i (*batch, n) and of f (*batch), without the penalty."""
        raise NotImplementedError

    @cached_property
    def _curvatures(self) -> tuple[Tensor, Tensor]:
        return self._bounds()

    @property
    def L_i(self) -> Tensor:
        """Smoothness constant of every f_i, the penalty's 2 lambda included, (*batch, n)."""
        return self._curvatures[0] + 2 * self.penalty

    @property
    def L(self) -> Tensor:
        """Smoothness constant of f, (*batch); smaller than the mean of the L_i unless all Hessians share an axis."""
        return self._curvatures[1] + 2 * self.penalty

    def values(self, x: Tensor) -> Tensor:
        """Every f_i at x, (*batch, ..., n)."""
        values = self._values(self._point(x))
        return values + self.penalty * saturating(x)[..., None] if self.penalty else values

    def gradients(self, x: Tensor) -> Tensor:
        """Every client's gradient at x, (*batch, ..., n, d)."""
        gradients = self._gradients(self._point(x))
        return gradients.add_(self._pull(x)) if self.penalty else gradients

    def hessians(self, x: Tensor) -> Tensor:
        """Every client's Hessian at x, (*batch, ..., n, d, d)."""
        hessians = self._hessians(self._point(x))
        bend = torch.diag_embed(self.penalty * saturating_curvature(x))
        return hessians + bend[..., None, :, :] if self.penalty else hessians

    def sampled_gradients(self, x: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """Unbiased gradients from ``batch`` rows per client, drawn with replacement; ``ValueError`` without rows."""
        raise ValueError("batch: these clients hold functions, not rows of data to draw from")

    def part(self, low: int, high: int) -> Clients:
        """Clients ``low`` to ``high - 1`` as a problem of their own: what one machine holds."""
        raise NotImplementedError

    def value(self, x: Tensor) -> Tensor:
        """f(x), (*batch, ...)."""
        return self.values(x).mean(-1)

    def gradient(self, x: Tensor) -> Tensor:
        """grad f(x), (*batch, ..., d)."""
        return self.gradients(x).mean(-2)

    def hessian(self, x: Tensor) -> Tensor:
        """The Hessian of f, (*batch, ..., d, d)."""
        return self.hessians(x).mean(-3)

    def _pull(self, x: Tensor) -> Tensor:
        return (self.penalty * saturating_gradient(x))[..., None, :]

    def _point(self, x: Tensor) -> Tensor:
        rank = len(self.batch)
        if x.dim() <= rank or x.shape[-1] != self.d or tuple(x.shape[:rank]) != self.batch:
            raise ValueError(f"x has shape {tuple(x.shape)}: must be {(*self.batch, '...', self.d)}")
        return x


class QuadraticClients(Clients):
    """f_i(x) = x'H_i x/2 + linear_i'x + constant_i, with a penalty.

    ``hessians`` is (*batch, n, d, d), or (*batch, n) for multiples of the identity; ``linear`` (*batch, n, d);
    ``constant`` (*batch, n), 0 if left out.

    >>> clients = QuadraticClients(torch.tensor([1.0, 3.0]), torch.tensor([[0.0, -2.0], [-4.0, -2.0]]))
    >>> clients.gradient(torch.ones(2)), clients.solution
    (tensor([0., 0.]), tensor([1., 1.]))
    """

    def __init__(
        self, hessians: Tensor, linear: Tensor, constant: Tensor | None = None, *, penalty: float = 0.0
    ) -> None:
        if linear.dim() < 2:
            raise ValueError(f"linear has shape {tuple(linear.shape)}: must be (*batch, n, d)")
        *batch, n, d = linear.shape
        if tuple(hessians.shape) not in ((*batch, n, d, d), (*batch, n)):
            allowed = f"{(*batch, n, d, d)} or {(*batch, n)}"
            raise ValueError(f"hessians has shape {tuple(hessians.shape)}: must be {allowed}")
        super().__init__(n, d, tuple(batch), penalty)
        self.matrices, self.linear = validate.finite("hessians", hessians), validate.finite("linear", linear)
        self.constant = linear.new_zeros(*batch, n) if constant is None else validate.finite("constant", constant)
        self.isotropic = hessians.dim() < linear.dim() + 1

    @cached_property
    def _flat(self) -> Tensor:
        """All Hessians side by side, (*batch, d, n d): one matrix product gives all clients' gradients."""
        return self.matrices.transpose(-3, -2).reshape(*self.batch, self.d, self.n * self.d).contiguous()

    def _gradients(self, x: Tensor) -> Tensor:
        offset = _inserted(self.linear, self.batch, x)
        if self.isotropic:
            return _inserted(self.matrices, self.batch, x)[..., None] * x[..., None, :] + offset
        points = x.reshape(*self.batch, -1, self.d)
        return torch.matmul(points, self._flat).view(*x.shape[:-1], self.n, self.d).add_(offset)

    def _values(self, x: Tensor) -> Tensor:
        linear, constant = _inserted(self.linear, self.batch, x), _inserted(self.constant, self.batch, x)
        # x'(Hx + c)/2 + x'c/2 needs no product beside the gradient
        return ((self._gradients(x) + linear) * x[..., None, :]).sum(-1) / 2 + constant

    def _hessians(self, x: Tensor) -> Tensor:
        matrices = self.matrices
        if self.isotropic:
            matrices = matrices[..., None, None] * torch.eye(self.d, dtype=x.dtype)
        return _inserted(matrices, self.batch, x).expand(*x.shape[:-1], self.n, self.d, self.d)

    def _bounds(self) -> tuple[Tensor, Tensor]:
        if self.isotropic:
            return self.matrices, self.matrices.mean(-1)
        return torch.linalg.eigvalsh(self.matrices)[..., -1], torch.linalg.eigvalsh(self.matrices.mean(-3))[..., -1]

    def part(self, low: int, high: int) -> Clients:
        """Clients ``low`` to ``high - 1``."""
        here = (slice(None),) * len(self.batch) + (slice(low, high),)
        return QuadraticClients(self.matrices[here], self.linear[here], self.constant[here], penalty=self.penalty)

    @property
    def solution(self) -> Tensor:
        """The stationary point of the quadratic f, (*batch, d); ``ValueError`` with a penalty."""
        if self.penalty:
            raise ValueError(f"penalty={self.penalty!r}: the minimum has a closed form only without one")
        linear = self.linear.mean(-2)
        if self.isotropic:
            return -linear / self.matrices.mean(-1, keepdim=True)
        return -torch.linalg.solve(self.matrices.mean(-3), linear)


class LeastSquaresClients(QuadraticClients):
    """f_i(x) = ‖A_i x - b_i‖²/m with a penalty; ``rows`` (*batch, n, m, d), ``targets`` (*batch, n, m)."""

    def __init__(self, rows: Tensor, targets: Tensor, *, penalty: float = 0.0) -> None:
        m = _rows("targets", rows, targets)
        self.rows, self.targets = rows, targets
        transposed = rows.transpose(-1, -2)
        super().__init__(
            2 / m * transposed @ rows, -2 / m * (transposed @ targets[..., None])[..., 0],
            targets.square().mean(-1), penalty=penalty,
        )

    def sampled_gradients(self, x: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """Unbiased gradients from ``batch`` rows of each client, drawn anew for every point."""
        rows, targets = _drawn(self, x, self.rows, self.targets, batch, generator)
        residual = (rows * x[..., None, None, :]).sum(-1) - targets
        return 2 / batch * (residual[..., None] * rows).sum(-2) + self._pull(x)


class LogisticClients(Clients):
    """f_i(x) = mean_j log(1 + exp(-y_ij a_ij'x)) with a penalty.

    ``rows`` (*batch, n, m, d), ``labels`` ±1 (*batch, n, m). Curvature bounds: lambda_max(A_i'A_i)/(4 m), and the same
    of all rows together for f.
    """

    def __init__(self, rows: Tensor, labels: Tensor, *, penalty: float = 0.0) -> None:
        self.m = _rows("labels", rows, labels)
        if not bool((labels.abs() == 1).all()):
            raise ValueError("labels: all must be -1 or 1")
        *batch, n, _, d = rows.shape
        super().__init__(n, d, tuple(batch), penalty)
        self.rows, self.labels = rows, labels
        self.signed = labels[..., None] * rows

    @cached_property
    def _flat(self) -> Tensor:
        return self.signed.reshape(*self.batch, self.n * self.m, self.d).transpose(-1, -2).contiguous()

    def _margins(self, x: Tensor) -> Tensor:
        points = x.reshape(*self.batch, -1, self.d)
        return torch.matmul(points, self._flat).view(*x.shape[:-1], self.n, self.m)

    def _values(self, x: Tensor) -> Tensor:
        return softplus(-self._margins(x)).mean(-1)

    def _gradients(self, x: Tensor) -> Tensor:
        pull = torch.sigmoid(-self._margins(x)).mul_(-1 / self.m)
        if x.dim() == len(self.batch) + 1:
            return torch.matmul(pull[..., None, :], self.signed)[..., 0, :]
        # clients first: one small product for all points of a client, instead of one per point and client
        by_client = pull.reshape(*self.batch, -1, self.n, self.m).transpose(-3, -2)
        return torch.matmul(by_client, self.signed).transpose(-3, -2).reshape(*x.shape[:-1], self.n, self.d)

    def _hessians(self, x: Tensor) -> Tensor:
        p = torch.sigmoid(self._margins(x))
        rows = _inserted(self.rows, self.batch, x)
        return (rows * (p * (1 - p))[..., None]).transpose(-1, -2) @ rows / self.m

    def _bounds(self) -> tuple[Tensor, Tensor]:
        each = torch.linalg.matrix_norm(self.rows, 2).square() / (4 * self.m)
        together = self.rows.reshape(*self.batch, self.n * self.m, self.d)
        return each, torch.linalg.matrix_norm(together, 2).square() / (4 * self.n * self.m)

    def part(self, low: int, high: int) -> Clients:
        """Clients ``low`` to ``high - 1``."""
        here = (slice(None),) * len(self.batch) + (slice(low, high),)
        return LogisticClients(self.rows[here], self.labels[here], penalty=self.penalty)

    def sampled_gradients(self, x: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """Unbiased gradients from ``batch`` rows of each client, drawn anew for every point."""
        rows, labels = _drawn(self, x, self.rows, self.labels, batch, generator)
        margins = labels * (rows * x[..., None, None, :]).sum(-1)
        pull = -labels * torch.sigmoid(-margins) / batch
        return (pull[..., None] * rows).sum(-2) + self._pull(x)


def _rows(name: str, rows: Tensor, targets: Tensor) -> int:
    if rows.dim() < 3 or tuple(targets.shape) != tuple(rows.shape[:-1]):
        shapes = f"rows has shape {tuple(rows.shape)}, {name} {tuple(targets.shape)}"
        raise ValueError(f"{shapes}: must be (*batch, n, m, d) and (*batch, n, m)")
    validate.finite("rows", rows)
    validate.finite(name, targets)
    return rows.shape[-2]


def _inserted(data: Tensor, batch: tuple[int, ...], x: Tensor) -> Tensor:
    """``data`` (*batch, rest) with an axis of length one for every further axis of x (*batch, ..., d)."""
    rank = len(batch)
    return data.reshape(*batch, *[1] * (x.dim() - 1 - rank), *data.shape[rank:])


def _drawn(
    clients: Clients, x: Tensor, rows: Tensor, targets: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """``count`` rows and targets of each client for every point, drawn with replacement."""
    clients._point(x)
    shape = (*x.shape[:-1], clients.n, validate.at_least("batch", count, 1))
    pick = torch.randint(rows.shape[-2], shape, generator=generator)
    spread = _inserted(rows, clients.batch, x).expand(*x.shape[:-1], *rows.shape[-3:])
    aims = _inserted(targets, clients.batch, x).expand(*x.shape[:-1], *targets.shape[-2:])
    return spread.gather(-2, pick[..., None].expand(*pick.shape, clients.d)), aims.gather(-1, pick)
