"""Solving (H + lambda B) d = -g for many runs and many lambda (arXiv 2506.13710, Algorithm 1).

A solver prepares what does not change while lambda is searched (H, its eigenvectors, its factors) and then answers
each trial. All tensors carry one row per run.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.gradient_normalized.objective import Objective, Product, double

SOLVERS = ("cholesky", "eigen", "rank_one", "low_rank", "cg")
CG_TOL = 1e-13  # relative residual in the dual norm: the steps then agree with a factorization's to about 1e-10


class Metric:
    """A symmetric positive definite B, (n, n) or one per run (S, n, n): |h|² = h'Bh and |s|_*² = s'B^{-1}s.

    ``None`` is the identity. ``ValueError`` if B is not symmetric positive definite or has the wrong shape.
    """

    def __init__(self, B: Any, n: int, runs: int) -> None:
        self.B: Tensor | None = None
        self._down: Tensor | None = None  # L^{-1} with B = L L'
        if B is None:
            return
        B = double("metric", B, 2, 3)
        if tuple(B.shape) not in ((n, n), (runs, n, n)):
            raise ValueError(f"metric has shape {tuple(B.shape)}: must be {(n, n)}, or {(runs, n, n)} for {runs} runs")
        if not torch.allclose(B, B.transpose(-1, -2), rtol=1e-10, atol=1e-12):
            raise ValueError("metric: must be symmetric")
        L, info = torch.linalg.cholesky_ex(B)
        if bool((info > 0).any()):
            raise ValueError("metric: must be positive definite")
        eye = torch.eye(n, dtype=B.dtype).expand(B.shape)
        self.B, self._down = B, torch.linalg.solve_triangular(L, eye, upper=False)

    def take(self, rows: Tensor) -> Metric:
        """The metric of the runs ``rows``."""
        if self.B is None or self.B.dim() == 2:
            return self
        assert self._down is not None
        part = Metric(None, 0, 0)
        part.B, part._down = self.B[rows], self._down[rows]
        return part

    def dual_square(self, s: Tensor) -> Tensor:
        """|s|_*² for s (S, n)."""
        return (s if self._down is None else _apply(self._down, s)).square().sum(-1)

    def norm(self, h: Tensor) -> Tensor:
        """|h| for h (S, n)."""
        image = h if self.B is None else _apply(self.B, h)
        return (h * image).sum(-1).clamp(min=0).sqrt()

    def raised(self, s: Tensor) -> Tensor:
        """B^{-1} s for s (S, n), or for each row of (S, r, n)."""
        if self._down is None:
            return s
        if s.dim() == 2:
            return _apply(self._down.transpose(-1, -2), _apply(self._down, s))
        return s @ self._down.transpose(-1, -2) @ self._down

    def reduced(self, H: Tensor) -> Tensor:
        """L^{-1} H L'^{-1}, whose eigenvalues are those of H relative to B."""
        return H if self._down is None else self._down @ H @ self._down.transpose(-1, -2)

    def lifted(self, Q: Tensor) -> Tensor:
        """L'^{-1} Q."""
        return Q if self._down is None else self._down.transpose(-1, -2) @ Q

    def added(self, H: Tensor, lam: Tensor) -> Tensor:
        """H + lambda B."""
        if self.B is not None:
            return H + lam[:, None, None] * self.B
        shifted = H.clone()
        shifted.diagonal(dim1=-2, dim2=-1).add_(lam[:, None])
        return shifted


class Solver:
    """Base: keeps one row of each prepared tensor per run in ``kept``; ``factorizations`` per preparation and trial."""

    per_iteration, per_trial = 0, 0

    def __init__(self, kind: str | Callable[[Objective, Tensor], Tensor]) -> None:
        self.kind, self.kept = kind, dict[str, Tensor]()

    def prepare(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, rows: Tensor) -> None:
        """Compute what the search at x[rows] needs; the other rows keep theirs."""
        part = (problem, metric, x, g)
        if len(rows) < len(x):
            part = (problem.take(rows), metric.take(rows), x[rows], g[rows])
        for name, value in self._prepared(*part).items():
            if name not in self.kept:
                self.kept[name] = value.new_empty(len(x), *value.shape[1:])
            self.kept[name][rows] = value

    def take(self, rows: Tensor) -> None:
        """Keep only the runs ``rows``."""
        self.kept = {name: value[rows] for name, value in self.kept.items()}

    def matrix(self, problem: Objective, x: Tensor) -> Tensor:
        """H(x), (S, n, n)."""
        H = self.kind(problem, x) if callable(self.kind) else problem.hessian(x, self.kind)
        if tuple(H.shape) != (*x.shape, x.shape[-1]):
            raise ValueError(f"hessian: returned shape {tuple(H.shape)}, must be {(*x.shape, x.shape[-1])}")
        return H

    def _prepared(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError

    def solve(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Steps d (S, n), and which of them could be computed (S,)."""
        raise NotImplementedError


class NoHessian(Solver):
    """H = 0: d = -B^{-1} g / lambda, a gradient step in the metric."""

    def _prepared(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor) -> dict[str, Tensor]:
        return {"w": metric.raised(g)}

    def solve(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        return -self.kept["w"] / lam[:, None], lam > 0


class Cholesky(Solver):
    """Factor H + lambda B anew at each trial; a matrix that is not positive definite is a rejected trial."""

    per_trial = 1

    def _prepared(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor) -> dict[str, Tensor]:
        return {"H": self.matrix(problem, x)}

    def solve(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        L, info = torch.linalg.cholesky_ex(metric.added(self.kept["H"], lam))
        return -torch.cholesky_solve(g[..., None], L)[..., 0], info == 0


class Eigen(Solver):
    """One eigen-decomposition of H relative to B per iteration; every trial then costs two products with vectors."""

    per_iteration = 1

    def _prepared(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor) -> dict[str, Tensor]:
        values, Q = torch.linalg.eigh(metric.reduced(self.matrix(problem, x)))
        vectors = metric.lifted(Q)
        return {"values": values, "vectors": vectors, "g": _apply(vectors.transpose(-1, -2), g)}

    def solve(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        shifted = self.kept["values"] + lam[:, None]
        return -_apply(self.kept["vectors"], self.kept["g"] / shifted), (shifted > 0).all(-1)


class LowRank(Solver):
    """H = V' diag(a) V with r rows: Woodbury's formula, an r x r system per trial; r = 1 is Sherman-Morrison's."""

    def _prepared(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor) -> dict[str, Tensor]:
        assert isinstance(self.kind, str)  # a function has no factors: refused where the solver is made
        V, a = problem.factor(x, self.kind)
        Z = metric.raised(V)
        root = a.sqrt()
        inner = root[..., :, None] * (V @ Z.transpose(-1, -2)) * root[..., None, :]
        w = metric.raised(g)
        return {"w": w, "Z": Z * root[..., None], "inner": inner, "c": root * _apply(V, w)}

    def solve(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        w, Z, inner, c = (self.kept[name] for name in ("w", "Z", "inner", "c"))
        if c.shape[-1] == 1:
            share = c / (lam[:, None] + inner[:, 0])
        else:
            eye = torch.eye(c.shape[-1], dtype=c.dtype)
            share = torch.linalg.solve(inner + lam[:, None, None] * eye, c)
        return (torch.bmm(share[:, None], Z)[:, 0] - w) / lam[:, None], lam > 0


class ConjugateGradients(Solver):
    """CG on H + lambda B with products only, preconditioned by B; for n where a matrix is too large."""

    def _prepared(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor) -> dict[str, Tensor]:
        return {}

    def solve(self, problem: Objective, metric: Metric, x: Tensor, g: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        if callable(self.kind):
            H = self.matrix(problem, x)
            product: Product = lambda v: _apply(H, v)  # noqa: E731 - one name for both kinds of product
        else:
            product = problem.product(x, self.kind)
        d, r = torch.zeros_like(g), -g
        z = metric.raised(r)
        p, rz = z, (r * z).sum(-1)
        goal, ok = CG_TOL**2 * rz, torch.ones_like(lam, dtype=torch.bool)
        for _ in range(2 * g.shape[-1] + 20):
            image = product(p) + lam[:, None] * (p if metric.B is None else _apply(metric.B, p))
            curvature = (p * image).sum(-1)
            moving = (rz > goal) & ok
            ok = ok & ((curvature > 0) | ~moving)
            moving = moving & ok
            if not bool(moving.any()):
                break
            length = torch.where(moving, rz / curvature, torch.zeros_like(rz))[:, None]
            d, r = d + length * p, r - length * image
            z = metric.raised(r)
            after = (r * z).sum(-1)
            p, rz = z + (after / rz)[:, None] * p, torch.where(moving, after, rz)
        return d, ok


def make_solver(name: str, kind: str | Callable[[Objective, Tensor], Tensor], problem: Objective, x: Tensor) -> Solver:
    """The solver ``name`` for the Hessian ``kind`` (one of the problem's, or a function of problem and points)."""
    validate.one_of("solver", name, SOLVERS)
    if not callable(kind):
        problem.check_kind(kind)
        if kind == "none":
            return NoHessian(kind)
    if name in ("rank_one", "low_rank"):
        if callable(kind):
            raise ValueError(f"solver={name!r}: needs a Hessian by name, with known factors; hessian is a function")
        rank = problem.factor(x, kind)[1].shape[-1]
        if name == "rank_one" and rank != 1:
            raise ValueError(f"solver='rank_one': hessian={kind!r} has rank {rank} here; must be 1")
    kinds = {"cholesky": Cholesky, "eigen": Eigen, "rank_one": LowRank, "low_rank": LowRank, "cg": ConjugateGradients}
    return kinds[name](kind)


def rank_one_solve(B_inv: Tensor, v: Tensor, a: float | Tensor, lam: float | Tensor, rhs: Tensor) -> Tensor:
    """(lam B + a v v')^{-1} rhs by the Sherman-Morrison formula, from B^{-1} (n, n) and vectors v, rhs (n,).

    With w = B^{-1} rhs and z = B^{-1} v it is w/lam - (a/lam) z (v'w)/(lam + a v'z). Needs ``a`` >= 0 and ``lam`` > 0.

    >>> rank_one_solve(torch.eye(2), torch.tensor([1.0, 0.0]), 3.0, 1.0, torch.tensor([4.0, 2.0]))
    tensor([1., 2.])
    """
    n = v.shape[-1]
    if tuple(B_inv.shape) != (n, n) or v.dim() != 1 or tuple(rhs.shape) != (n,):
        shapes = f"B_inv {tuple(B_inv.shape)}, v {tuple(v.shape)}, rhs {tuple(rhs.shape)}"
        raise ValueError(f"shapes differ: {shapes}; must be (n, n), (n,) and (n,)")
    for name, tensor in (("B_inv", B_inv), ("v", v), ("rhs", rhs)):
        validate.finite(name, tensor)
    validate.positive("lam", lam)  # type: ignore[arg-type]
    validate.nonnegative("a", a)  # type: ignore[arg-type]
    w, z = B_inv @ rhs, B_inv @ v
    return w / lam - (a / lam) * z * (v @ w) / (lam + a * (v @ z))


def _apply(matrix: Tensor, v: Tensor) -> Tensor:
    """A v for v (S, n) and A (n, n) or (S, m, n)."""
    return v @ matrix.T if matrix.dim() == 2 else torch.bmm(matrix, v[..., None])[..., 0]
