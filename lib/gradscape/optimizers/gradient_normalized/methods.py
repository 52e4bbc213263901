"""Gradient-normalized smoothness (Algorithm 1 of arXiv 2506.13710), and what the paper compares it with.

Not to be confused with Levenberg-Marquardt (a constant regularization), gradient-regularized Newton methods with
lambda = sqrt(L |g|), or the Super-Universal Newton method (lambda = H |g|^alpha and another test), which is here too.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.gradient_normalized.objective import Objective, double
from gradscape.optimizers.gradient_normalized.search import GnsResult, Rule, Stop, Visit, search
from gradscape.optimizers.gradient_normalized.solvers import Metric, NoHessian, make_solver

Hessian = str | Callable[[Objective, Tensor], Tensor]
Callback = Callable[[Visit], None] | None


def gns_rule(progress: float, eps: float, gamma_min: float) -> Rule:
    """lambda = |g|_*/(gamma + eps); accept when f falls by progress |g_y|_*²/lambda, then double gamma; else halve."""
    return Rule(
        lam=lambda gamma, size: size / (gamma + eps),
        accepts=lambda trial: trial.decrease >= progress * trial.new_grad_square / trial.lam,
        accepted=lambda gamma: (2 * gamma).clamp(min=gamma_min),
        rejected=lambda gamma: gamma / 2,
        radius=lambda gamma, size: gamma,
    )


def gns_minimize_batch(
    problem: Objective,
    x0: Tensor,
    *,
    hessian: Hessian = "exact",
    metric: Any = None,
    gamma0: float = 1.0,
    gamma_min: float = 1e-9,
    eps: float = 1e-8,
    progress: float = 0.125,
    max_iter: int = 1000,
    max_search: int = 60,
    value_tol: float | None = None,
    minimum: Tensor | float | None = None,
    grad_tol: float | None = None,
    solver: str = "cholesky",
    callback: Callback = None,
) -> GnsResult:
    """Minimize from S points ``x0`` (S, n) at once; run s gives what :func:`gns_minimize` gives from ``x0[s]``.

    ``problem`` is one objective for all runs or a stack of S. ``hessian`` names one of its Hessians or is a function
    ``(problem, x (s, n)) -> (s, n, n)``. ``metric`` is B, (n, n) or (S, n, n), the identity if left out. A run ends
    when f - ``minimum`` < ``value_tol`` (the problem's own minimum if left out), |g|_* < ``grad_tol``, after
    ``max_iter`` iterations, or when ``max_search`` trials in a row are rejected; a gradient of zero also ends it.
    ``solver``: "cholesky" (a factorization per trial), "eigen" (one per iteration), "rank_one" and "low_rank" (none),
    "cg" (products only). ``callback`` sees every point reached. An exact Hessian that is not positive semidefinite lies
    outside the paper's theory; trials that cannot be solved are rejected.

    ``ValueError`` for a start that is not finite or of the wrong shape, a metric that is not symmetric positive
    definite, and options out of range.
    """
    x = double("x0", x0, 2)
    _fits(problem, x)
    for name, value in (("gamma0", gamma0), ("gamma_min", gamma_min), ("progress", progress)):
        validate.positive(name, value)
    validate.nonnegative("eps", eps)
    stop = _stop(problem, max_iter, max_search, value_tol, minimum, grad_tol)
    return search(
        problem, x, gns_rule(progress, eps, gamma_min), make_solver(solver, hessian, problem, x),
        Metric(metric, x.shape[1], len(x)), torch.full((len(x),), float(gamma0), dtype=x.dtype), stop, callback,
    )


def gns_minimize(problem: Objective, x0: Tensor, **options: Any) -> GnsResult:
    """Minimize from one point ``x0`` (n,), with the options of :func:`gns_minimize_batch`.

    >>> from gradscape.optimizers.gradient_normalized.problems import rosenbrock
    >>> start = torch.tensor([-2.0, 2.0], dtype=torch.float64)
    >>> int(gns_minimize(rosenbrock(2), start, value_tol=1e-8).iterations)
    51
    """
    if problem.batch:
        raise ValueError(f"problem: is a stack of {problem.batch[0]}; use gns_minimize_batch")
    return gns_minimize_batch(problem, double("x0", x0, 1)[None], **options).single()


def gradient_method(
    problem: Objective,
    x0: Tensor,
    *,
    metric: Any = None,
    L0: float = 1.0,
    L_min: float = 1e-5,
    max_iter: int = 1000,
    max_search: int = 60,
    value_tol: float | None = None,
    minimum: Tensor | float | None = None,
    grad_tol: float | None = None,
    callback: Callback = None,
) -> GnsResult:
    """The gradient method x - B^{-1} g/L from one point (n,) or many (S, n), with the paper's line search.

    A trial is accepted when f(y) <= f(x) + <g, y - x> + L |y - x|²/2; then L is halved (not below ``L_min``), else
    doubled. ``lambdas`` of the result are the L used and ``gammas`` the step lengths |g|_*/L. The authors' code gives
    up after 30 doublings, which is too few for their p >= 6.
    """
    for name, value in (("L0", L0), ("L_min", L_min)):
        validate.positive(name, value)
    rule = Rule(
        lam=lambda L, size: L,
        accepts=lambda trial: trial.decrease >= trial.grad_norm.square() / (2 * trial.lam),
        accepted=lambda L: (L / 2).clamp(min=L_min),
        rejected=lambda L: 2 * L,
        radius=lambda L, size: size / L,
    )
    return _many_or_one(
        problem, x0, rule, "none", metric, L0, (max_iter, max_search, value_tol, minimum, grad_tol), callback
    )


def super_universal_newton(
    problem: Objective,
    x0: Tensor,
    *,
    hessian: Hessian = "exact",
    metric: Any = None,
    H0: float = 1.0,
    alpha: float = 1.0,
    H_min: float = 1e-5,
    max_iter: int = 1000,
    max_search: int = 60,
    value_tol: float | None = None,
    minimum: Tensor | float | None = None,
    grad_tol: float | None = None,
    callback: Callback = None,
) -> GnsResult:
    """The Super-Universal Newton method (Doikov, Mishchenko and Nesterov 2024), the paper's closest relative.

    lambda = H |g|_*^alpha; a trial is accepted when <g_y, x - y> >= |g_y|_*²/(4 lambda); then H is divided by 4 (not
    below ``H_min``), else multiplied by 4. ``gammas`` of the result are |g|_*/lambda.
    """
    for name, value in (("H0", H0), ("H_min", H_min)):
        validate.positive(name, value)
    validate.in_range("alpha", alpha, 0.0, 1.0)
    rule = Rule(
        lam=lambda H, size: H * size**alpha,
        accepts=lambda trial: trial.alignment >= trial.new_grad_square / (4 * trial.lam),
        accepted=lambda H: (H / 4).clamp(min=H_min),
        rejected=lambda H: 4 * H,
        radius=lambda H, size: size ** (1 - alpha) / H,
    )
    return _many_or_one(
        problem, x0, rule, hessian, metric, H0, (max_iter, max_search, value_tol, minimum, grad_tol), callback
    )


def _many_or_one(
    problem: Objective, x0: Tensor, rule: Rule, hessian: Hessian, metric: Any, start: float, stops: Any,
    callback: Callback,
) -> GnsResult:
    x = double("x0", x0, 1, 2)
    points = x if x.dim() == 2 else x[None]
    _fits(problem, points)
    solver = NoHessian("none") if hessian == "none" else make_solver("cholesky", hessian, problem, points)
    c = torch.full((len(points),), float(start), dtype=x.dtype)
    result = search(
        problem, points, rule, solver, Metric(metric, points.shape[1], len(points)), c, _stop(problem, *stops), callback
    )
    return result if x.dim() == 2 else result.single()


def _fits(problem: Objective, x: Tensor) -> None:
    if x.shape[1] != problem.n or (problem.batch and len(x) != problem.batch[0]):
        runs = problem.batch[0] if problem.batch else "S"
        raise ValueError(f"x0 has shape {tuple(x.shape)}: must be ({runs}, {problem.n})")


def _stop(
    problem: Objective, max_iter: int, max_search: int, value_tol: float | None, minimum: Tensor | float | None,
    grad_tol: float | None,
) -> Stop:
    validate.at_least("max_iter", max_iter, 1)
    validate.at_least("max_search", max_search, 1)
    for name, value in (("value_tol", value_tol), ("grad_tol", grad_tol)):
        if value is not None:
            validate.positive(name, value)
    if minimum is None:
        minimum = problem.minimum
    if value_tol is not None and minimum is None:
        raise ValueError(f"value_tol={value_tol!r}: needs minimum, which this problem does not know")
    return Stop(max_iter, max_search, value_tol, grad_tol, minimum)
