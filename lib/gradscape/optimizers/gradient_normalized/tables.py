"""The lesson's recorded tables: larger problems, the smoothing sweep, and CPU time of solvers and peers."""
from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import torch

from gradscape import results
from gradscape.lesson import generator
from gradscape.optimizers.gradient_normalized.experiments import (
    EXACT,
    GRADIENT,
    GRADIENT_B,
    INEXACT,
    NONE,
    SHARP_MU,
    SMOOTH_MU,
    TOL,
    WEIGHTED,
    chain,
    random_logsumexp,
    smooth_max,
)
from gradscape.optimizers.gradient_normalized.losses import LogisticLoss, separable_data
from gradscape.optimizers.gradient_normalized.methods import gns_minimize
from gradscape.optimizers.gradient_normalized.objective import Objective
from gradscape.optimizers.gradient_normalized.problems import LogSumExp, linear_power
from gradscape.optimizers.gradient_normalized.settings import Settings

LESSON = "optimizers/gradient_normalized"
MUS = (2.0, 1.0, 0.5, 0.2, 0.1, 0.05)
PEERS = ("trust-exact", "trust-krylov", "Newton-CG", "L-BFGS-B")
REPEATS = 5


def sizes_table(settings: Settings) -> results.Table:
    """Iterations to 1e-8 on larger LogSumExp problems (3 seeds) and on one long Chebyshev chain."""
    rows: list[tuple[str, int, float, str, float, float]] = []
    for n in settings.size.large:
        for mu in (SMOOTH_MU, SHARP_MU):
            runs = smooth_max(n, mu, settings.seed, min(3, settings.size.seeds), settings.size.gradient_steps)
            for name in (EXACT, WEIGHTED, GRADIENT, GRADIENT_B):
                mean = float(runs[name].iterations.double().mean())
                rows.append(("LogSumExp", n, mu, name, mean, float(runs.last(name).max())))
    runs = chain(settings.size.long_chain, settings.seed, 1)
    rows += [("Chebyshev", settings.size.long_chain, float("nan"), name, float(runs[name].iterations[0]),
              float(runs.last(name)[0])) for name in (EXACT, INEXACT, GRADIENT)]
    names = ("problem", "n", "mu", "method", "iterations", "gap")
    return results.make(LESSON, "sizes", {name: [row[k] for row in rows] for k, name in enumerate(names)}, settings)


def smoothing_table(settings: Settings) -> results.Table:
    """Median iterations to 1e-8 on LogSumExp by smoothing, with the quartiles of the ratio."""
    columns: dict[str, list[float]] = {name: [] for name in ("mu", "exact", "weighted", "none", "low", "ratio", "high")}
    for mu in MUS:
        runs = smooth_max(settings.size.smooth_n, mu, settings.seed, settings.size.seeds, 1, (EXACT, WEIGHTED, NONE))
        exact, weighted, none = (runs[name].iterations.double() for name in (EXACT, WEIGHTED, NONE))
        quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=exact.dtype)
        low, middle, high = torch.quantile(weighted / exact, quartiles).tolist()
        medians = (float(part.median()) for part in (exact, weighted, none))
        for name, value in zip(columns, (mu, *medians, low, middle, high), strict=True):
            columns[name].append(value)
    return results.make(LESSON, "smoothing", columns, settings)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Median CPU seconds of five runs, and the last result."""
    spent = []
    for _ in range(REPEATS):
        began = time.process_time()
        made = run()
        spent.append(time.process_time() - began)
    return float(np.median(spent)), made


def times_table(settings: Settings) -> results.Table:
    """CPU seconds of whole runs: solvers of one method, and scipy's minimizers on the same problems from one start."""
    rows: list[tuple[str, str, float, int, float]] = []
    size, g = settings.size, generator(settings.seed, 0)
    A = 2 * torch.rand(size.equations, 2 * size.equations, generator=g, dtype=torch.float64) - 1
    b = 2 * torch.rand(size.equations, generator=g, dtype=torch.float64) - 1
    linear, start = linear_power(A, b, 4), torch.ones(2 * size.equations, dtype=torch.float64)
    for kind, solver in (("exact", "cholesky"), ("fisher_term", "cholesky"), ("fisher_term", "rank_one")):
        spent, run = timed(lambda k=kind, s=solver: gns_minimize(  # type: ignore[misc]
            linear, start, hessian=k, solver=s, metric=linear.gram, value_tol=TOL))
        rows.append(("linear equations", f"{kind}, {solver}", spent, int(run.iterations), float(run.values[-1])))

    stack = random_logsumexp(size.sharp_n, SHARP_MU, settings.seed, 1)
    smooth = LogSumExp(stack.A[0], stack.b[0], SHARP_MU, centre=False)
    smooth.minimum = float(torch.as_tensor(stack.minimum)[0])
    logistic = LogisticLoss(*separable_data(300, 20, generator(settings.seed, 0)))
    cases: tuple[tuple[str, Objective, torch.Tensor, Any, float, float], ...] = (
        ("LogSumExp", smooth, torch.ones(smooth.n, dtype=torch.float64), stack.gram[0], float(smooth.minimum), TOL),
        ("logistic", logistic, torch.zeros(20, dtype=torch.float64), None, 0.0, 1e-9),
    )
    for name, problem, x0, metric, minimum, tol in cases:
        for kind in [kind for kind in problem.kinds if kind != "none"]:
            for solver in ("cholesky", "eigen"):
                spent, run = timed(lambda k=kind, s=solver: gns_minimize(  # type: ignore[misc]
                    problem, x0, hessian=k, solver=s, metric=metric, value_tol=tol, minimum=minimum))  # noqa: B023
                gap = float(run.values[-1]) - minimum
                rows.append((name, f"{kind}, {solver}", spent, int(run.iterations), gap))
        rows += [(name, f"scipy {method}", *_peer(problem, x0, method, minimum, tol)) for method in PEERS]
    names = ("problem", "method", "seconds", "iterations", "gap")
    return results.make(LESSON, "times", {name: [row[k] for row in rows] for k, name in enumerate(names)}, settings)


class _Reached(Exception):
    pass


def minimize_by_scipy(
    problem: Objective, x0: torch.Tensor, method: str, minimum: float, tol: float
) -> tuple[int, float]:
    """Iterations and gap of a scipy minimizer that is stopped as soon as f - f* < tol."""
    steps, best = 0, float(problem.value(x0))

    def callback(x: np.ndarray) -> None:
        nonlocal steps, best
        steps, best = steps + 1, float(problem.value(torch.from_numpy(x.copy())))
        if best - minimum < tol:
            raise _Reached

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = problem.value_and_gradient(torch.from_numpy(x.copy()))
        return float(f), g.numpy()

    def hess(x: np.ndarray) -> np.ndarray:
        return problem.hessian(torch.from_numpy(x.copy())).numpy()

    options = {"maxiter": 2000} | ({"ftol": 0.0, "maxfun": 10_000} if method == "L-BFGS-B" else {})
    with contextlib.suppress(_Reached):
        scipy.optimize.minimize(
            both, x0.numpy(), jac=True, hess=None if method == "L-BFGS-B" else hess, method=method,
            callback=callback, tol=1e-14, options=options,
        )
    return steps, best - minimum


def _peer(problem: Objective, x0: torch.Tensor, method: str, minimum: float, tol: float) -> tuple[float, int, float]:
    """CPU seconds, iterations and gap of :func:`minimize_by_scipy`."""
    spent, (steps, gap) = timed(lambda: minimize_by_scipy(problem, x0, method, minimum, tol))
    return spent, steps, gap


TABLES: dict[str, Callable[[Any], results.Table]] = {
    "sizes": sizes_table, "smoothing": smoothing_table, "times": times_table,
}
