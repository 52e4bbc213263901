"""One step on the line, one path in the plane, one LogSumExp problem: at a reader's own values (arXiv 2506.13710)."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.lesson import cached
from gradscape.optimizers.gradient_normalized.experiments import (
    EXACT,
    GRADIENT_B,
    NONE,
    TOL,
    WEIGHTED,
    Runs,
    random_logsumexp,
)
from gradscape.optimizers.gradient_normalized.methods import gns_minimize, gns_minimize_batch, gradient_method
from gradscape.optimizers.gradient_normalized.problems import rosenbrock
from gradscape.optimizers.gradient_normalized.search import GnsResult, Visit
from gradscape.optimizers.gradient_normalized.smoothness import (
    GALLERY,
    Scalar,
    positive_part,
    progress_constant,
    smoothness_1d,
)

PATH_LIMIT, CURVE_LIMIT = 120, 200
SHOWN = (EXACT, WEIGHTED, NONE)


@dataclass(frozen=True)
class Step:
    """A step from ``x`` to ``y`` with slope ``g``, model curvature ``H`` and radius ``gamma``; ``largest`` = gamma(x).

    ``constant`` is (f(x) - f(y)) |g|/(gamma g_y²), to be compared with 1/8 (and 1/2 where f is convex).
    """

    problem: Scalar
    x: float
    y: float
    g: float
    H: float
    gamma: float
    largest: float
    constant: float


@cached
def picture(function: str, x: float, theta: float, ratio: float) -> Step:
    """The step with gamma = ratio * gamma(x) and H = theta max(f'', 0); ``ValueError`` where the gradient vanishes."""
    problem = GALLERY[function]
    at = torch.tensor([x], dtype=torch.float64)
    H, g = positive_part(problem, at, theta), problem.grad(at)
    if abs(float(g)) < 1e-12:
        raise ValueError(f"point={x:g}: the gradient of {problem.formula} vanishes there; move x")
    largest = smoothness_1d(problem.grad, H, at)
    gamma = ratio * largest
    y = at - g / (H + g.abs() / gamma)
    constant = progress_constant(problem.f(at), problem.f(y), g, problem.grad(y), gamma)
    return Step(problem, x, *(float(value) for value in (y, g, H, gamma, largest, constant)))


@dataclass(frozen=True)
class Walk:
    """A run on Rosenbrock's residual with power p: the ``points`` (K + 1, 2) it visits, and its result."""

    p: int
    kind: str
    points: Tensor
    result: GnsResult


@cached
def path(p: int, start_1: float, start_2: float, kind: str, gamma0: float, limit: int = PATH_LIMIT) -> Walk:
    """The method from one start until f < 1e-8, at most ``limit`` iterations."""
    points: list[Tensor] = []
    start = torch.tensor([start_1, start_2], dtype=torch.float64)
    result = gns_minimize(
        rosenbrock(p), start, hessian=kind, gamma0=gamma0, value_tol=TOL, max_iter=limit,
        callback=lambda visit: points.append(visit.x[0]),
    )
    return Walk(p, kind, torch.stack(points), result)


@dataclass(frozen=True)
class Comparison(Runs):
    """Runs on one LogSumExp problem with ``n`` variables and smoothing ``mu``."""

    n: int = 0
    mu: float = 1.0


@cached
def compare(
    n: int, mu: float, seed: int, limit: int = CURVE_LIMIT, progress: Callable[[int, int], None] | None = None
) -> Comparison:
    """Exact, weighted Gauss-Newton, H = 0 and gradient descent in the metric, from one start until f - f* < 1e-8.

    ``progress(done, total)`` is told iterations; it may raise to stop.
    """
    problem = random_logsumexp(n, mu, seed, 1)
    x0, results = torch.ones(1, n, dtype=torch.float64), {}
    for part, kind in enumerate(SHOWN):
        results[kind] = gns_minimize_batch(
            problem, x0, hessian=kind, metric=problem.gram, value_tol=TOL, max_iter=limit,
            callback=_counted(progress, part, limit),
        )
    results[GRADIENT_B] = gradient_method(
        problem, x0, metric=problem.gram, value_tol=TOL, max_iter=limit, callback=_counted(progress, len(SHOWN), limit)
    )
    return Comparison(results, problem.minimum, n, mu)


def _counted(progress: Callable[[int, int], None] | None, part: int, limit: int) -> Callable[[Visit], None] | None:
    if progress is None:
        return None
    return lambda visit: progress(part * limit + int(visit.k[0]), (len(SHOWN) + 1) * limit)
