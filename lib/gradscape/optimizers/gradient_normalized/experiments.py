"""The lesson's experiments: pure functions to frozen results, cached per process (arXiv 2506.13710, experiments)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape.datasets import tables
from gradscape.lesson import cached, generator
from gradscape.optimizers.gradient_normalized.losses import LogisticLoss, SoftmaxLoss, separable_data
from gradscape.optimizers.gradient_normalized.methods import gns_minimize_batch, gradient_method
from gradscape.optimizers.gradient_normalized.objective import Objective
from gradscape.optimizers.gradient_normalized.problems import LogSumExp, chebyshev, linear_power, rosenbrock
from gradscape.optimizers.gradient_normalized.search import GnsResult
from gradscape.optimizers.gradient_normalized.settings import Settings
from gradscape.optimizers.gradient_normalized.smoothness import (
    GALLERY,
    positive_part,
    progress_constant,
    smoothness_1d,
)

TOL = 1e-8  # the paper's: iterations are counted until f - f* falls below it
POWERS = (2, 3, 4, 5, 6, 8)
VALLEY_START = (-2.0, 2.0)
SMOOTH_MU, SHARP_MU = 1.0, 0.2
POWER = 4  # p of the linear residual and of the chain
LOGISTIC_TOL, LOGISTIC_LIMIT = 1e-9, 400
SAMPLES, FEATURES, MARGIN = 300, 20, 0.1
NO_FLOOR = 1e-300  # a lower limit of L that is never met
GALLERY_RANGE, GALLERY_FLAT, GALLERY_RATIO = 3.0, 1e-2, 1e-2
DIGITS_L2 = 1e-4

# What each run is called in figures and tables
EXACT, INEXACT, WEIGHTED, FISHER, NONE = "exact", "gauss_newton", "weighted_gauss_newton", "fisher", "none"
GRADIENT, GRADIENT_B = "gradient", "gradient_in_metric"


@dataclass(frozen=True)
class Runs:
    """Results by method, all from the same problems and starts; ``minimum`` is f* (a number or one per run)."""

    results: Mapping[str, GnsResult]
    minimum: Any = 0.0

    def __getitem__(self, name: str) -> GnsResult:
        return self.results[name]

    def gaps(self, name: str) -> Tensor:
        """f - f* over iterations, (K + 1, S)."""
        return self.results[name].values - self.minimum

    def last(self, name: str) -> Tensor:
        """f - f* where each run ended, (S,)."""
        return self.gaps(name).gather(0, self.results[name].iterations[None])[0]

    def first_below(self, name: str, tol: float) -> Tensor:
        """The first iteration with f - f* < tol, (S,); infinite where there is none."""
        below = self.gaps(name) < tol
        first = below.double().argmax(0).double()
        return torch.where(below.any(0), first, torch.inf)


def _gradient(problem: Objective, x0: Tensor, steps: int, **options: Any) -> GnsResult:
    return gradient_method(problem, x0, max_iter=steps, **options)


@cached
def valley(steps: int, powers: tuple[float, ...] = POWERS, start: tuple[float, float] = VALLEY_START) -> Runs:
    """Powers of Rosenbrock's residual, all from one start, until f < 1e-8 (claim N1); runs are powers."""
    problem = rosenbrock(torch.tensor(powers, dtype=torch.float64))
    x0 = torch.tensor(start, dtype=torch.float64).repeat(len(powers), 1)
    results = {
        kind: gns_minimize_batch(problem, x0, hessian=kind, value_tol=TOL, max_iter=1000) for kind in (EXACT, INEXACT)
    }
    return Runs(results | {GRADIENT: _gradient(problem, x0, steps, value_tol=TOL)})


def random_logsumexp(n: int, mu: float, seed: int, seeds: int) -> LogSumExp:
    """A stack of centered problems with n rows and variables, entries of A and b uniform in [-1, 1]."""
    A, b = [], []
    for r in range(seeds):
        g = generator(seed, r)
        A.append(2 * torch.rand(n, n, generator=g, dtype=torch.float64) - 1)
        b.append(2 * torch.rand(n, generator=g, dtype=torch.float64) - 1)
    return LogSumExp(torch.stack(A), torch.stack(b), mu)


@cached
def smooth_max(
    n: int, mu: float, seed: int, seeds: int, gradient_steps: int, kinds: tuple[str, ...] = (EXACT, WEIGHTED)
) -> Runs:
    """LogSumExp from x = (1, …, 1) in the metric sum a_i a_i' until f - f* < 1e-8 (claim N2).

    The gradient method, with and without the metric, runs ``gradient_steps`` iterations whatever it reaches.
    """
    problem = random_logsumexp(n, mu, seed, seeds)
    x0 = torch.ones(seeds, n, dtype=torch.float64)
    results = {
        kind: gns_minimize_batch(problem, x0, hessian=kind, metric=problem.gram, value_tol=TOL) for kind in kinds
    }
    results[GRADIENT] = _gradient(problem, x0, gradient_steps)
    results[GRADIENT_B] = _gradient(problem, x0, gradient_steps, metric=problem.gram)
    return Runs(results, problem.minimum)


@cached
def equations(rows: int, seed: int, seeds: int) -> Runs:
    """|A x - b|⁴/4 with twice as many unknowns as rows, metric A'A + 1e-8 I, until f < 1e-8 (claim N5).

    "fisher" solves by Sherman-Morrison, "fisher_cholesky" takes the same steps by factorizations.
    """
    A, b = [], []
    for r in range(seeds):
        g = generator(seed, r)
        A.append(2 * torch.rand(rows, 2 * rows, generator=g, dtype=torch.float64) - 1)
        b.append(2 * torch.rand(rows, generator=g, dtype=torch.float64) - 1)
    problem = linear_power(torch.stack(A), torch.stack(b), POWER)
    x0 = torch.ones(seeds, 2 * rows, dtype=torch.float64)
    options: dict[str, Any] = {"metric": problem.gram, "value_tol": TOL}
    return Runs({
        EXACT: gns_minimize_batch(problem, x0, **options),
        FISHER: gns_minimize_batch(problem, x0, hessian="fisher_term", solver="rank_one", **options),
        "fisher_cholesky": gns_minimize_batch(problem, x0, hessian="fisher_term", **options),
        GRADIENT: _gradient(problem, x0, 1000, value_tol=TOL),
        GRADIENT_B: _gradient(problem, x0, 1000, **options),
    })


@cached
def logistic(seed: int, seeds: int, gradient_steps: int) -> Runs:
    """Separable logistic loss from 0 until f < 1e-9 (claims N6 and N7); the gradient method runs on.

    "gradient_no_floor" is the gradient method whose L may fall without limit, until f < 1e-9.
    """
    data = [separable_data(SAMPLES, FEATURES, generator(seed, r), margin=MARGIN) for r in range(seeds)]
    problem = LogisticLoss(torch.stack([x for x, _ in data]), torch.stack([y for _, y in data]))
    x0 = torch.zeros(seeds, FEATURES, dtype=torch.float64)
    options: dict[str, Any] = {"value_tol": LOGISTIC_TOL, "minimum": 0.0, "max_iter": LOGISTIC_LIMIT}
    results = {kind: gns_minimize_batch(problem, x0, hessian=kind, **options) for kind in (EXACT, FISHER, NONE)}
    results[GRADIENT] = _gradient(problem, x0, gradient_steps)
    results["gradient_no_floor"] = gradient_method(problem, x0, L_min=NO_FLOOR, **options)
    return Runs(results)


@cached
def cancer(steps: int) -> Runs:
    """Logistic loss of the breast-cancer table (569 x 30 standardized and a constant), from 0 (claim N8)."""
    x, y = tables.breast_cancer(scale="standard")
    problem = LogisticLoss(torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1), 2.0 * y.double() - 1)
    x0 = torch.zeros(1, problem.n, dtype=torch.float64)
    options: dict[str, Any] = {"value_tol": 1e-6, "minimum": 0.0, "max_iter": steps}
    results = {kind: gns_minimize_batch(problem, x0, hessian=kind, **options) for kind in (EXACT, FISHER, NONE)}
    return Runs(results | {GRADIENT: gradient_method(problem, x0, **options)})


@cached
def chain(n: int, seed: int, starts: int) -> Runs:
    """The Chebyshev chain, p = 4, from starts uniform in [0, 1]^n until f < 1e-8 or a stationary point (claim N9)."""
    problem = chebyshev(n, POWER)
    x0 = torch.stack([torch.rand(n, generator=generator(seed, r), dtype=torch.float64) for r in range(starts)])
    options: dict[str, Any] = {"value_tol": TOL, "grad_tol": 1e-12, "max_iter": 200}
    results = {kind: gns_minimize_batch(problem, x0, hessian=kind, **options) for kind in (EXACT, INEXACT)}
    return Runs(results | {GRADIENT: gradient_method(problem, x0, **(options | {"max_iter": 1000}))})


@dataclass(frozen=True)
class Constants:
    """For one function: points ``x``, radii ``gamma`` <= ``largest`` = gamma(x), progress constants, all (P,)."""

    x: Tensor
    gamma: Tensor
    largest: Tensor
    constant: Tensor


@cached
def gallery(points: int, seed: int) -> Mapping[str, Constants]:
    """The progress lemma on the line: random x, and gamma between 0.01 gamma(x) and gamma(x) (claim N3).

    Points are uniform in [-3, 3] where |f'| >= 0.01; every tenth radius is gamma(x) itself.
    """
    made = {}
    for k, (name, problem) in enumerate(GALLERY.items()):
        g = generator(seed, k)
        x = GALLERY_RANGE * (2 * torch.rand(2 * points, generator=g, dtype=torch.float64) - 1)
        x = x[problem.grad(x).abs() >= GALLERY_FLAT][:points]
        H = positive_part(problem, x)
        largest = smoothness_1d(problem.grad, H, x)
        share = GALLERY_RATIO ** torch.rand(len(x), generator=g, dtype=torch.float64)
        share[::10] = 1.0
        gamma, slope = share * largest, problem.grad(x)
        y = x - slope / (H + slope.abs() / gamma)
        constant = progress_constant(problem.f(x), problem.f(y), slope, problem.grad(y), gamma)
        made[name] = Constants(x, gamma, largest, constant)
    return made


@cached
def softmax(steps: int, gradient_steps: int) -> Runs:
    """Softmax regression on digits with a constant feature, l2 = 1e-4 (claim N10): 650 variables, from 0."""
    x, y = tables.digits(dtype=torch.float64)
    problem = SoftmaxLoss(torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1), y, DIGITS_L2)
    x0 = torch.zeros(1, problem.n, dtype=torch.float64)
    results = {
        kind: gns_minimize_batch(problem, x0, hessian=kind, max_iter=steps, grad_tol=1e-8)
        for kind in (EXACT, WEIGHTED, FISHER, NONE)
    }
    return Runs(results | {GRADIENT: _gradient(problem, x0, gradient_steps)})


def settings_runs(settings: Settings) -> dict[str, Runs]:
    """Every experiment of the claims that runs the method, at the settings' sizes (claim N4 counts their trials)."""
    size, seed = settings.size, settings.seed
    return {
        "Rosenbrock": valley(size.valley_steps),
        "LogSumExp, μ = 1": smooth_max(size.smooth_n, SMOOTH_MU, seed, size.seeds, size.gradient_steps),
        "LogSumExp, μ = 0.2": smooth_max(size.sharp_n, SHARP_MU, seed, size.seeds, size.gradient_steps),
        "linear equations": equations(size.equations, seed, size.seeds),
        "logistic": logistic(seed, size.seeds, size.logistic_steps),
        "breast cancer": cancer(size.cancer_steps),
        "Chebyshev": chain(size.chain, seed, size.starts),
        "softmax": softmax(size.digits_steps, size.digits_gradient),
    }
