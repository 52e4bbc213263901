"""One synthetic problem: all methods and variants from one start, and a point at the settings' own values."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import lesson
from gradscape.distributed.compressors import TopK
from gradscape.distributed.error_feedback import theory
from gradscape.distributed.error_feedback.experiments import (
    DROP,
    SPREAD,
    START,
    starts,
    steps_of,
    synthetic,
)
from gradscape.distributed.error_feedback.methods import History, gain_after, run
from gradscape.distributed.error_feedback.settings import Settings
from gradscape.distributed.error_feedback.tasks import nonconvex_least_squares
from gradscape.learning.problems import LeastSquaresClients
from gradscape.lesson import Point, cached, protocol, replicate_seed

Progress = Callable[[int, int], None]

MOST_ROUNDS, VARIANT_ROUNDS = 2000, 800  # compression without memory never gets there
OWN_D, OWN_ROWS, OWN_ROUNDS = 20, 10, 500
EXPONENTS = 41  # points of a curve over q
VARIANT_CHANCE, VARIANT_DRAWS = 0.5, 2000  # probability of taking part; stream of the variants' draws


@dataclass(frozen=True)
class Together:
    """Several methods on one problem of spread 2, from one start."""

    names: tuple[str, ...]
    histories: tuple[History, ...]


@protocol
def baselines(settings: Settings, *, progress: Progress | None = None) -> Together:
    """EF21 and EF21-W at their safe steps beside gradient descent (1/L), compression without memory and EF14.

    The last two have no step that theory calls safe here; they get gamma_AM.
    """
    size = settings.size
    steps = synthetic(settings.seed, size.clients, size.d, size.rows, SPREAD, 1)
    problem, x0 = steps.problem, starts(settings, steps)
    cases = (
        ("EF21, γ_QM", "ef21", steps.gamma_qm), ("EF21-W, γ_AM", "ef21w", steps.gamma_am),
        ("EF14, γ_AM", "ef14", steps.gamma_am), ("no memory, γ_AM", "dcgd", steps.gamma_am),
        ("GD, 1/L", "gd", 1 / problem.L),
    )
    most = min(size.rounds, MOST_ROUNDS)
    return Together(
        tuple(name for name, _, _ in cases),
        tuple(run(problem, method, gamma, steps.compressor, most, x0, until=DROP) for _, method, gamma in cases),
    )


@protocol
def variants(settings: Settings, *, progress: Progress | None = None) -> Together:
    """EF21-W beside its variants with partial participation and with minibatches, all with the step gamma_AM.

    For the variants that step is a starting value and not a proven one.
    """
    size = settings.size
    steps = synthetic(settings.seed, size.clients, size.d, size.rows, SPREAD, 1)
    x0, most = starts(settings, steps), min(size.rounds, VARIANT_ROUNDS)
    cases: dict[str, dict[str, Any]] = {
        "EF21-W": {}, "EF21-W-PP": {"participation": VARIANT_CHANCE}, "EF21-W-SGD": {"batch": size.rows // 2},
    }
    made = [
        run(steps.problem, "ef21w", steps.gamma_am, steps.compressor, most, x0, **given,
            generator=lesson.generator(settings.seed, VARIANT_DRAWS))
        for given in cases.values()
    ]
    return Together(tuple(cases), tuple(made))


@cached
def own_problem(settings: Settings) -> LeastSquaresClients:
    """The problem at the settings' own n and spread, of 20 variables."""
    return nonconvex_least_squares(settings.n, OWN_D, OWN_ROWS, settings.spread, seed=replicate_seed(settings.seed, 0))


@dataclass(frozen=True)
class Weighing:
    """L_w along the exponents q of w_i ∝ L_i^q, (Q,), for one problem; ``q`` and ``at_q`` are the settings' own."""

    L_i: Tensor
    exponents: Tensor
    L_w: Tensor
    q: float
    at_q: float
    gamma_q: float
    gamma_qm: float
    gamma_am: float


@cached
def weighing(settings: Settings) -> Weighing:
    """How the mean that limits the step depends on the weights."""
    problem, alpha = own_problem(settings), settings.k / OWN_D
    exponents = torch.linspace(0, 2, EXPONENTS, dtype=torch.float64)
    L_w = torch.stack([
        theory.weighted_mean_smoothness(problem.L_i, theory.power_weights(problem.L_i, float(q))) for q in exponents
    ])
    weights = theory.power_weights(problem.L_i, settings.q)
    qm, am = steps_of(problem, TopK(settings.k))
    return Weighing(
        problem.L_i, exponents, L_w, settings.q, float(theory.weighted_mean_smoothness(problem.L_i, weights)),
        float(theory.step_size(problem.L, problem.L_i, alpha, weights)), float(qm), float(am),
    )


@dataclass(frozen=True)
class Costs:
    """What compression costs in the step: xi and both safe steps for every K = 1 … d, and gradient descent's step."""

    k: Tensor
    xi: Tensor
    gamma_qm: Tensor
    gamma_am: Tensor
    gamma_gd: float
    chosen: int


@cached
def costs(settings: Settings) -> Costs:
    """Steps of the settings' own problem for every number of kept entries."""
    problem, ks = own_problem(settings), range(1, OWN_D + 1)
    steps = [steps_of(problem, TopK(k)) for k in ks]
    return Costs(
        torch.tensor(ks), torch.tensor([theory.xi(k / OWN_D) for k in ks]), torch.stack([qm for qm, _ in steps]),
        torch.stack([am for _, am in steps]), float(1 / problem.L), settings.k,
    )


@dataclass(frozen=True)
class Own:
    """One problem at the settings' own values: constants, steps, histories of ``OWN_ROUNDS`` rounds by method."""

    L_i: Tensor
    L: float
    xi: float
    L_am: float
    L_qm: float
    L_w: float
    gammas: dict[str, float]
    histories: dict[str, History]

    def gain(self, name: str, reference: str = "EF21, γ_QM") -> float:
        """Rounds of the reference over rounds of ``name`` to where the reference ended; NaN if never."""
        return gain_after(self.histories[reference], self.histories[name])


@cached
def own(settings: Settings, *, progress: Progress | None = None) -> Own:
    """EF21 with both steps, EF21-W with w_i ∝ L_i^q, EF14 and GD (1/L) on one problem of 20 variables."""
    problem, compressor = own_problem(settings), TopK(settings.k)
    alpha, L_i = compressor.alpha(OWN_D), problem.L_i
    weights = theory.power_weights(L_i, settings.q)
    L_w, (L_am, L_qm) = theory.weighted_mean_smoothness(L_i, weights), theory.mean_smoothness(L_i)
    qm, am = (settings.multiple * step for step in steps_of(problem, compressor))
    own_step = settings.multiple * theory.step_size(problem.L, L_i, alpha, weights)
    x0 = torch.randn(OWN_D, generator=lesson.generator(settings.seed, START), dtype=torch.float64)
    cases: dict[str, tuple[str, Tensor, Tensor | None]] = {
        "EF21, γ_QM": ("ef21", qm, None), "EF21, γ_AM": ("ef21", am, None), "EF21-W": ("ef21w", own_step, weights),
        "EF14, γ_AM": ("ef14", am, None), "GD, 1/L": ("gd", 1 / problem.L, None),
    }
    histories: dict[str, History] = {}
    for name, (method, gamma, given) in cases.items():
        histories[name] = run(problem, method, gamma, compressor, OWN_ROUNDS, x0, weights=given)
        if progress is not None:
            progress(len(histories), len(cases))
    return Own(
        L_i, float(problem.L), theory.xi(alpha), float(L_am), float(L_qm), float(L_w),
        {name: float(gamma) for name, (_, gamma, _) in cases.items()}, histories,
    )


def point(settings: Settings) -> Point:
    """Constants, steps, promised and measured gain, and where the methods end, at the settings' values."""
    result = own(settings)
    ends = {name: float(history.grad_sq[-1]) for name, history in result.histories.items()}
    return Point({
        "L": result.L, "L_am": result.L_am, "L_qm": result.L_qm, "L_w": result.L_w, "xi": result.xi,
        "gamma_qm": result.gammas["EF21, γ_QM"], "gamma_am": result.gammas["EF21, γ_AM"],
        "gamma_w": result.gammas["EF21-W"],
        "gain_promised": result.gammas["EF21, γ_AM"] / result.gammas["EF21, γ_QM"],
        "gain_ef21_am": result.gain("EF21, γ_AM"), "gain_ef21w": result.gain("EF21-W"),
        "grad_sq_qm": ends["EF21, γ_QM"], "grad_sq_am": ends["EF21, γ_AM"], "grad_sq_ef21w": ends["EF21-W"],
        "grad_sq_ef14": ends["EF14, γ_AM"], "grad_sq_gd": ends["GD, 1/L"],
        "bits_per_client": float(result.histories["EF21-W"].bits[-1]),
        "bits_per_client_gd": float(result.histories["GD, 1/L"].bits[-1]),
    })
