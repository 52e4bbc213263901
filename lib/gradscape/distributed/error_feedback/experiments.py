"""The lesson's experiments on synthetic clients: the claims' fixed protocols, and one problem at the settings' values.

Runs are stacked (spreads, seeds, steps); each has the problem and the start of its seed.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import lesson
from gradscape.distributed.compressors import Compressor, NaturalRound, TopK
from gradscape.distributed.error_feedback import theory
from gradscape.distributed.error_feedback.methods import (
    INITS,
    History,
    estimate_error,
    first_estimate,
    run,
)
from gradscape.distributed.error_feedback.settings import Settings
from gradscape.distributed.error_feedback.tasks import nonconvex_least_squares
from gradscape.learning.problems import Clients, LeastSquaresClients
from gradscape.lesson import cached, protocol, replicate_seed

Progress = Callable[[int, int], None]

SPREAD = 2.0  # of every protocol that does not vary it
DROP = 1e-3  # a run is over once the squared gradient has fallen to this share
START = 1000  # replicate r starts from stream START + r
RESOLVED = 1e-24  # a squared gradient below this share of its start is rounding error, and so are its differences
FALLEN = 0.1  # a tuned run that ends above this share of its start does not count as converging


@dataclass(frozen=True)
class Steps:
    """A stack of problems with their means and safe steps, all of shape ``problem.batch``."""

    problem: LeastSquaresClients
    compressor: Compressor
    L_am: Tensor
    L_qm: Tensor
    gamma_qm: Tensor
    gamma_am: Tensor

    @property
    def gain(self) -> Tensor:
        """What the theory promises: gamma_AM/gamma_QM."""
        return self.gamma_am / self.gamma_qm


def steps_of(problem: Clients, compressor: Compressor) -> tuple[Tensor, Tensor]:
    """The safe steps with L_QM and with L_AM."""
    alpha = compressor.alpha(problem.d)
    return (theory.step_size(problem.L, problem.L_i, alpha, "uniform"),
            theory.step_size(problem.L, problem.L_i, alpha, "smoothness"))


@cached
def synthetic(
    seed: int, n: int, d: int, rows: int, spread: float | tuple[float, ...], seeds: int, k: int = 1
) -> Steps:
    """Least-squares clients of replicates 0 … seeds - 1 (all spreads of one replicate share their draws)."""
    problem = nonconvex_least_squares(
        n, d, rows, spread, seed=[replicate_seed(seed, replicate) for replicate in range(seeds)]
    )
    compressor = TopK(k)
    return Steps(problem, compressor, *theory.mean_smoothness(problem.L_i), *steps_of(problem, compressor))


def starts(settings: Settings, steps: Steps) -> Tensor:
    """x⁰ ~ N(0, I) of every replicate, (*batch, d)."""
    *_, seeds = steps.problem.batch
    drawn = [
        torch.randn(steps.problem.d, generator=lesson.generator(settings.seed, START + r), dtype=torch.float64)
        for r in range(seeds)
    ]
    return torch.stack(drawn).expand(*steps.problem.batch, -1).contiguous()


@dataclass(frozen=True)
class Guarantee:
    """Running mean of ‖grad f‖² and its bound for every variant, (V, spreads, seeds, T)."""

    names: tuple[str, ...]
    spreads: tuple[float, ...]
    rounds: Tensor
    running: Tensor
    bound: Tensor

    @property
    def ratio(self) -> Tensor:
        """Running mean over bound; the theorem says it never exceeds 1."""
        return self.running / self.bound


@protocol
def guarantee(settings: Settings, *, progress: Progress | None = None) -> Guarantee:
    """EF21 with both steps and EF21-W, both starting estimates, held against the bound (theorems 2 and 3)."""
    size = settings.size
    steps = synthetic(settings.seed, size.clients, size.d, size.rows, size.spreads, size.seeds)
    problem, x0, alpha = steps.problem, starts(settings, steps), steps.compressor.alpha(size.d)
    gap, gradients = problem.value(x0), problem.gradients(x0)  # both terms of f are >= 0: inf f >= 0
    smooth = theory.client_weights(problem.L_i, "smoothness")
    cases: tuple[tuple[str, Tensor, Tensor | None, Tensor | None], ...] = (
        ("EF21, γ_QM", steps.gamma_qm, None, None),
        ("EF21, γ_AM", steps.gamma_am, None, smooth),
        ("EF21-W, γ_AM", steps.gamma_am, smooth, smooth),
    )
    most = size.guarantee_rounds
    T = torch.arange(1, most + 1)
    pair = x0[..., None, :].expand(*problem.batch, 2, size.d).contiguous()
    names, running, bound = [], [], []
    for init in INITS:
        plain = run(problem, "ef21", torch.stack([steps.gamma_qm, steps.gamma_am], -1), steps.compressor, most, pair,
                    init=init)
        weighted = run(problem, "ef21w", steps.gamma_am, steps.compressor, most, x0, init=init)
        squares = (*plain.grad_sq.unbind(-2), weighted.grad_sq)
        for (name, gamma, weights, analysis), square in zip(cases, squares, strict=True):
            g = first_estimate(gradients, steps.compressor, weights, init)
            error = estimate_error(g, gradients, weights, analysis)
            running.append(square[..., :-1].cumsum(-1) / T)
            bound.append(theory.guarantee(gap, error, gamma, alpha, T))
            names.append(f"{name}, {init} start")
            if progress is not None:
                progress(len(names), len(cases) * len(INITS))
    return Guarantee(tuple(names), size.spreads, T, torch.stack(running), torch.stack(bound))


@dataclass(frozen=True)
class Race:
    """EF21 with gamma_QM against EF21-W with gamma_AM on the same problems (..., seeds): rounds until the drop."""

    gain: Tensor
    rounds_qm: Tensor
    rounds_am: Tensor
    qm: tuple[History, ...]
    am: tuple[History, ...]

    @property
    def measured(self) -> Tensor:
        """Ratio of rounds."""
        return self.rounds_qm / self.rounds_am


def _race(settings: Settings, steps: list[Steps], progress: Progress | None) -> Race:
    """Every stack of problems on its own, so that fast ones do not wait for slow ones."""
    qm, am = [], []
    for done, each in enumerate(steps):
        x0, most = starts(settings, each), settings.size.rounds
        qm.append(run(each.problem, "ef21", each.gamma_qm, each.compressor, most, x0, until=DROP))
        am.append(run(each.problem, "ef21w", each.gamma_am, each.compressor, most, x0, until=DROP))
        if progress is not None:
            progress(done + 1, len(steps))
    first = [torch.stack([h.rounds_until(DROP) for h in histories]) for histories in (qm, am)]
    return Race(torch.stack([each.gain for each in steps]), first[0], first[1], tuple(qm), tuple(am))


@protocol
def race(settings: Settings, *, progress: Progress | None = None) -> Race:
    """Spread 2 on every seed (claim C2); one stack, so the first axis has length 1."""
    size = settings.size
    steps = synthetic(settings.seed, size.clients, size.d, size.rows, SPREAD, size.seeds)
    return _race(settings, [steps], progress)


@dataclass(frozen=True)
class Growth:
    """The race for growing spreads, (spreads, seeds)."""

    spreads: tuple[float, ...]
    race: Race

    def at(self, spread: float) -> Tensor:
        """Measured ratio of every problem at one of the spreads, (seeds,); NaN where it was not run."""
        return self._row(self.race.measured, spread)

    def promised_at(self, spread: float) -> Tensor:
        """Ratio of the steps of every problem at one of the spreads, (seeds,); NaN where it was not run."""
        return self._row(self.race.gain, spread)

    def _row(self, values: Tensor, spread: float) -> Tensor:
        if spread not in self.spreads:
            return torch.full_like(values[0], torch.nan)
        return values[self.spreads.index(spread)]

    @property
    def rises(self) -> Tensor:
        """Whether the ratio rises from every spread to the next, for every problem, (seeds,)."""
        return (self.race.measured.diff(dim=0) > 0).all(0)


@protocol
def growth(settings: Settings, *, progress: Progress | None = None) -> Growth:
    """How the gain grows with the spread of L_i (claim C3)."""
    size = settings.size
    steps = [
        synthetic(settings.seed, size.growth_clients, size.d, size.rows, spread, size.growth_seeds)
        for spread in size.growth_spreads
    ]
    return Growth(size.growth_spreads, _race(settings, steps, progress))


@dataclass(frozen=True)
class Twins:
    """Relative difference of ‖grad f‖² between EF21 and EF21-W at the same step, (seeds, K), for two compressors.

    ``natural_fall`` (seeds, K): ‖grad f‖² of EF21-W under rounding, over its start.
    """

    rounds: Tensor
    top: Tensor
    natural: Tensor
    natural_fall: Tensor

    @property
    def natural_largest(self) -> float:
        """Largest difference under rounding while the gradient is above what float64 resolves."""
        return float(self.natural[self.natural_fall > RESOLVED].max())


@protocol
def twins(settings: Settings, *, progress: Progress | None = None) -> Twins:
    """EF21(gamma_AM) and EF21-W(gamma_AM) under Top-1, and under rounding, which is not homogeneous (claim C4)."""
    size = settings.size
    steps = synthetic(settings.seed, size.clients, size.d, size.rows, SPREAD, size.seeds)
    problem, x0 = steps.problem, starts(settings, steps)
    compared = []
    compressors: tuple[Compressor, ...] = (steps.compressor, NaturalRound())
    for compressor in compressors:
        gamma = steps_of(problem, compressor)[1]
        plain = run(problem, "ef21", gamma, compressor, size.identity_rounds, x0)
        weighted = run(problem, "ef21w", gamma, compressor, size.identity_rounds, x0)
        compared.append(((plain.grad_sq - weighted.grad_sq).abs() / plain.grad_sq, weighted))
    (top, weighted), (natural, rounded) = compared
    return Twins(weighted.rounds, top, natural, rounded.grad_sq / rounded.grad_sq[..., :1])


@dataclass(frozen=True)
class Tuned:
    """‖grad f‖² at the end for every multiple of gamma_AM, (multiples, seeds), for both methods; ``first`` (seeds,)."""

    multiples: Tensor
    plain: Tensor
    weighted: Tensor
    first: Tensor

    @property
    def largest_falling(self) -> float:
        """Largest multiple with which every run of both methods ended below ``FALLEN`` times its start; 0 if none."""
        fallen = ((self.plain < FALLEN * self.first) & (self.weighted < FALLEN * self.first)).all(-1)
        return float((self.multiples * fallen).max())

    @property
    def differences(self) -> Tensor:
        """Relative difference of the two methods' best ends, (seeds,)."""
        best = self.plain.amin(0)
        return (self.weighted.amin(0) - best).abs() / best


@protocol
def tuned(settings: Settings, *, progress: Progress | None = None) -> Tuned:
    """Both methods with steps 1, 2, 4, … times gamma_AM (claim C6)."""
    size = settings.size
    steps = synthetic(settings.seed, size.clients, size.d, size.rows, SPREAD, size.seeds)
    multiples = 2.0 ** torch.arange(size.multiples, dtype=torch.float64)
    gamma = steps.gamma_am[:, None] * multiples
    x0 = starts(settings, steps)[:, None].expand(-1, size.multiples, -1).contiguous()
    methods, rounds = ("ef21", "ef21w"), size.tuned_rounds
    plain, weighted = (run(steps.problem, name, gamma, steps.compressor, rounds, x0).grad_sq for name in methods)
    ends = [torch.where(torch.isfinite(h[..., -1]), h[..., -1], torch.inf).T for h in (plain, weighted)]
    return Tuned(multiples, ends[0], ends[1], plain[:, 0, 0])


@dataclass(frozen=True)
class Clones:
    """Cloning bounds for random vectors: copies per client, and quadratic mean over sqrt(2) L_AM, (vectors,)."""

    counts_ratio: Tensor
    mean_ratio: Tensor
    spread_ratio: Tensor


@protocol
def clones(settings: Settings, *, progress: Progress | None = None) -> Clones:
    """Heavy-tailed L of 2 … 200 clients: log-normal with spread up to 4, or Pareto (claim C7)."""
    generator = lesson.generator(settings.seed, 0)
    counts, means, spreads = [], [], []
    for vector in range(settings.size.clone_vectors):
        n = int(torch.randint(2, 201, (1,), generator=generator))
        heavy = 4 * torch.rand(1, generator=generator, dtype=torch.float64)
        if vector % 2:
            L_i = (heavy * torch.randn(n, generator=generator, dtype=torch.float64)).exp()
        else:
            L_i = (1 - torch.rand(n, generator=generator, dtype=torch.float64)) ** -heavy
        am, qm = theory.mean_smoothness(L_i)
        counts.append(theory.clone_counts(L_i).sum().double() / n)
        means.append(theory.cloned_quadratic_mean(L_i) / (2**0.5 * am))
        spreads.append(qm / am)
    return Clones(torch.stack(counts), torch.stack(means), torch.stack(spreads))
