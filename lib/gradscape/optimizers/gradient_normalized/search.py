"""The search loop that all methods of this lesson share, for one run or many at once (arXiv 2506.13710, Algorithm 1).

Every pass through the loop is one trial of each run that is still going. A run whose trial is accepted moves on to its
next iteration (a new Hessian); one whose trial is rejected tries again at the same point with the same Hessian. Runs
that have ended leave the stack, and no run notices the others.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradscape.optimizers.gradient_normalized.objective import Objective
from gradscape.optimizers.gradient_normalized.solvers import Metric, Solver

CONVERGED, MAX_ITER, SEARCH_FAILED = "converged", "max_iter", "search_failed"


@dataclass(frozen=True)
class Trial:
    """What a rule may judge: all (s,), one entry per run; norms in the dual metric, ``decrease`` is f(x) - f(y)."""

    decrease: Tensor
    lam: Tensor
    grad_norm: Tensor
    new_grad_square: Tensor
    alignment: Tensor  # <g_y, x - y>


@dataclass(frozen=True)
class Rule:
    """How a scalar c turns into lambda, when a trial is accepted, and how c moves after either answer."""

    lam: Callable[[Tensor, Tensor], Tensor]
    accepts: Callable[[Trial], Tensor]
    accepted: Callable[[Tensor], Tensor]
    rejected: Callable[[Tensor], Tensor]
    radius: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Visit:
    """Points just reached: the ``runs`` (s,), their iteration ``k``, ``value`` and ``gamma`` (s,), and ``x`` (s, n)."""

    runs: Tensor
    k: Tensor
    x: Tensor
    value: Tensor
    gamma: Tensor


@dataclass(frozen=True)
class GnsResult:
    """One run, or S runs with the axis S last in the histories and first in ``x``.

    ``values``, ``grad_norms`` (dual norm) and ``gammas`` have K + 1 entries, at x_0 … x_K; ``lambdas`` (of the accepted
    trial), ``trials`` and ``steps`` (|d| in the metric) have K, one per iteration. Where a run ended earlier than the
    longest, NaN (0 trials) fills the rest. ``status``: "converged", "max_iter" or "search_failed", one per run.
    ``failed_trials`` are those of a last search that found nothing; ``factorizations`` counts matrix decompositions.
    """

    x: Tensor
    status: str | tuple[str, ...]
    iterations: Tensor
    values: Tensor
    grad_norms: Tensor
    gammas: Tensor
    lambdas: Tensor
    trials: Tensor
    steps: Tensor
    failed_trials: Tensor
    factorizations: Tensor
    seconds: float

    @property
    def total_trials(self) -> Tensor:
        """All trials, those of a failed search included: () or (S,)."""
        return self.trials.sum(0) + self.failed_trials

    def single(self) -> GnsResult:
        """The only run of a stack of one, without the axis of runs."""
        parts = {name: getattr(self, name)[:, 0] for name in
                 ("values", "grad_norms", "gammas", "lambdas", "trials", "steps")}
        ends = ("x", "status", "iterations", "failed_trials", "factorizations")
        one = {name: getattr(self, name)[0] for name in ends}
        return GnsResult(seconds=self.seconds, **parts, **one)  # type: ignore[arg-type]


@dataclass
class _Log:
    """Histories of all runs, filled in as they go."""

    length: int
    runs: int
    floats: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("values", "grad_norms", "gammas", "lambdas", "steps", "trials"):
            fill = 0.0 if name == "trials" else float("nan")
            self.floats[name] = torch.full((self.length + 1, self.runs), fill, dtype=torch.float64)

    def put(self, k: Tensor, run: Tensor, **values: Tensor) -> None:
        """Write one entry per run at its own iteration."""
        where = k * self.runs + run
        for name, value in values.items():
            self.floats[name].view(-1)[where] = value

    def grown(self, k: Tensor) -> None:
        """Make room for iteration k: limits of a million iterations cost no memory unless they are used."""
        needed = int(k.max()) + 1
        if needed <= self.length:
            return
        for name, old in self.floats.items():
            more = torch.full_like(old, 0.0 if name == "trials" else float("nan"))
            self.floats[name] = torch.cat([old, more])
        self.length = 2 * self.length + 1


@dataclass(frozen=True)
class Stop:
    """When a run ends: f - minimum < value_tol, |g|_* < grad_tol, ``max_iter`` iterations, ``max_search`` trials."""

    max_iter: int
    max_search: int
    value_tol: float | None
    grad_tol: float | None
    minimum: Tensor | float | None


def search(
    problem: Objective, x: Tensor, rule: Rule, solver: Solver, metric: Metric, c: Tensor, stop: Stop,
    callback: Callable[[Visit], None] | None,
) -> GnsResult:
    """Run the loop from the points ``x`` (S, n) with the search's scalars ``c`` (S,)."""
    began, runs = time.perf_counter(), len(x)
    log = _Log(min(stop.max_iter, 100) + 1, runs)
    ends, status = x.clone(), [MAX_ITER] * runs
    iterations, failed = (torch.zeros(runs, dtype=torch.int64) for _ in range(2))
    run, k, tried = torch.arange(runs), *(torch.zeros(runs, dtype=torch.int64) for _ in range(2))
    minimum = None if stop.minimum is None else torch.as_tensor(stop.minimum, dtype=torch.float64).expand(runs)

    f, g = problem.value_and_gradient(x)
    size = metric.dual_square(g).sqrt()
    fresh = torch.ones(runs, dtype=torch.bool)
    while True:
        if bool(fresh.any()):
            log.grown(k)
            log.put(k[fresh], run[fresh], values=f[fresh], grad_norms=size[fresh],
                    gammas=rule.radius(c, size)[fresh])
            if callback is not None:
                callback(Visit(run[fresh], k[fresh], x[fresh], f[fresh], rule.radius(c, size)[fresh]))
        good = size == 0
        if stop.value_tol is not None and minimum is not None:
            good = good | (f - minimum[run] < stop.value_tol)
        if stop.grad_tol is not None:
            good = good | (size < stop.grad_tol)
        lost = tried >= stop.max_search
        over = (fresh & (good | (k >= stop.max_iter))) | lost
        if bool(over.any()):
            for i in over.nonzero()[:, 0].tolist():
                status[int(run[i])] = SEARCH_FAILED if lost[i] else CONVERGED if good[i] else MAX_ITER
            ends[run[over]], iterations[run[over]] = x[over], k[over]
            failed[run[over]] = tried[over]
            keep = (~over).nonzero()[:, 0]
            if not len(keep):
                break
            run, k, tried, c, fresh = run[keep], k[keep], tried[keep], c[keep], fresh[keep]
            x, f, g, size = x[keep], f[keep], g[keep], size[keep]
            problem, metric = problem.take(keep), metric.take(keep)
            solver.take(keep)
        if bool(fresh.any()):
            solver.prepare(problem, metric, x, g, fresh.nonzero()[:, 0])

        lam = rule.lam(c, size)
        d, solved = solver.solve(problem, metric, x, g, lam)
        y = x + torch.where(solved[:, None], d, torch.zeros_like(d))
        f_y, g_y = problem.value_and_gradient(y)
        square = metric.dual_square(g_y)
        trial = Trial(f - f_y, lam, size, square, -(g_y * d).sum(-1))
        fresh = solved & torch.isfinite(f_y) & torch.isfinite(square) & rule.accepts(trial)
        tried = tried + 1
        if bool(fresh.any()):
            log.put(k[fresh], run[fresh], lambdas=lam[fresh], steps=metric.norm(d)[fresh], trials=tried[fresh].double())
            if bool(fresh.all()):
                x, f, g, size = y, f_y, g_y, square.sqrt()
            else:
                x, g = (torch.where(fresh[:, None], new, old) for new, old in ((y, x), (g_y, g)))
                f, size = torch.where(fresh, f_y, f), torch.where(fresh, square.sqrt(), size)
            k = k + fresh
            tried = torch.where(fresh, 0, tried)
        c = torch.where(fresh, rule.accepted(c), rule.rejected(c))

    last = int(iterations.max())
    h = log.floats
    total = h["trials"].sum(0).long() + failed
    return GnsResult(
        ends, tuple(status), iterations, h["values"][: last + 1], h["grad_norms"][: last + 1], h["gammas"][: last + 1],
        h["lambdas"][:last], h["trials"][:last].long(), h["steps"][:last], failed,
        solver.per_trial * total + solver.per_iteration * (iterations + (failed > 0)), time.perf_counter() - began,
    )
