"""The lesson's experiments on quadratics: the claims' fixed protocols, and one problem at the settings' own values.

Histories are stacked (seeds, settings..., rounds). All methods of one seed see the same problem, start and noise.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import lesson
from gradscape.distributed.compressors import TopK
from gradscape.distributed.econtrol.methods import critical_eta, linear_model_roots
from gradscape.distributed.econtrol.settings import Settings
from gradscape.distributed.econtrol.simulator import History, Plan, run_all
from gradscape.distributed.econtrol.tasks import (
    Noise,
    OptimalClients,
    equal_quadratic,
    gaussian_noise,
    koloskova_quadratic,
    skewed_noise,
)
from gradscape.lesson import Point, cached, protocol, replicate_seed

Progress = Callable[[int, int], None]

CLIENTS, DELTA = 10, 0.1
ZETA, SIGMA, MILD_ZETA = 100.0, 10.0, 10.0
GAMMA, CLEAN_GAMMA = 0.003, 0.05  # with and without noise
GAMMAS = (0.001, 0.003, 0.01, 0.03)  # where steps are tuned
GAINS = (0.0, 1 / 40, 1 / 10, 1 / 2, 1.0, 3.0)  # eta/delta
SPEEDUP = (4, 16, 64)
SKEWED_CLIENTS, SKEWED_GAMMA, SKEWED_DELTA = (1, 10, 100, 1000), 0.01, 0.5
DISTANCE = 10.0  # root mean square distance of the start from the minimum
PROBLEM_STREAM, START_STREAM = 0, 2  # of a replicate's seed; the simulator's noise takes stream 1
OWN_RECORD = 5
RECORD = 10  # rounds between two records where no mean over rounds is taken
TUNED = ("sgd", "ec", "ef21", "ef21sgdm", "econtrol")
ERRORS: dict[str, tuple[str, ...]] = dict.fromkeys(("ec", "ecideal", "econtrol"), ("e_norm",))


@dataclass(frozen=True)
class Task:
    """A stack of problems with starts x0 (S, d), one per seed."""

    problem: OptimalClients
    x0: Tensor
    seeds: tuple[int, ...]

    def run(self, plans: dict[str, Plan], rounds: int, **options) -> dict[str, History]:
        """`simulator.run_all` on this stack."""
        return run_all(self.problem, plans, rounds, seeds=self.seeds, x0=self.x0, **options)


def started(problem: OptimalClients, seeds: tuple[int, ...]) -> Task:
    """x0 = x* + N(0, (100/d) I), drawn from each seed."""
    drawn = [torch.randn(problem.d, generator=lesson.generator(s, START_STREAM), dtype=torch.float64) for s in seeds]
    return Task(problem, problem.x_star + DISTANCE / math.sqrt(problem.d) * torch.stack(drawn), seeds)


def quadratics(seed: int, seeds: int, n: int, d: int, zeta: float) -> Task:
    """The quadratics of replicates 0 … seeds - 1."""
    own = tuple(replicate_seed(seed, replicate) for replicate in range(seeds))
    return started(koloskova_quadratic(n, d, zeta, [replicate_seed(s, PROBLEM_STREAM) for s in own]), own)


def top(d: int, share: float = DELTA) -> TopK:
    """Keep a share of d entries, at least one."""
    return TopK(max(1, round(share * d)))


@protocol
def clean(settings: Settings, *, progress: Progress | None = None) -> dict[str, History]:
    """Clients that differ, no noise (C1): every method at gamma = 0.05, "ec" and "csgd" also at 0.003 (on axis 1)."""
    size = settings.size
    task, compressor = quadratics(settings.seed, size.seeds, CLIENTS, size.d, ZETA), top(size.d)
    both = torch.tensor([GAMMA, CLEAN_GAMMA], dtype=torch.float64)
    plans = {name: Plan(name, both if name in ("ec", "csgd") else CLEAN_GAMMA)
             for name in ("sgd", "csgd", "ec", "ef21")}
    plans["econtrol"] = Plan("econtrol", CLEAN_GAMMA, compressor.alpha(size.d))
    return task.run(plans, size.clean_rounds, compressor=compressor, record_every=RECORD, progress=progress)


@protocol
def noisy(settings: Settings, *, progress: Progress | None = None) -> dict[str, History]:
    """Clients that differ, with noise (C2): "csgd" and "ecideal" at gamma = 0.003, all others at GAMMAS (axis 1)."""
    size = settings.size
    task, compressor = quadratics(settings.seed, size.seeds, CLIENTS, size.d, ZETA), top(size.d)
    steps, delta = torch.tensor(GAMMAS, dtype=torch.float64), compressor.alpha(size.d)
    plans = {name: Plan(name, steps, delta if name == "econtrol" else None, track=ERRORS.get(name, ()))
             for name in TUNED}
    plans |= {name: Plan(name, GAMMA, track=ERRORS.get(name, ())) for name in ("csgd", "ecideal")}
    return task.run(plans, size.rounds, compressor=compressor, noise=gaussian_noise(SIGMA, size.d), progress=progress)


def at_gamma(history: History, gamma: float = GAMMA) -> Tensor:
    """Errors at one of GAMMAS, (S, K)."""
    return history.dist_sq if history.dist_sq.dim() == 2 else history.dist_sq[:, GAMMAS.index(gamma)]


def noise_errors(settings: Settings) -> dict[str, Tensor]:
    """Mean error over the last third at gamma = 0.003, (S,) per method."""
    return {name: history.noise_error if history.noise_error.dim() == 1
            else history.noise_error[:, GAMMAS.index(GAMMA)] for name, history in noisy(settings).items()}


@dataclass(frozen=True)
class Gains:
    """EControl at every gain of GAINS times delta: ``history`` (S, gains, K); ``ef21`` (S, K)."""

    delta: float
    history: History
    ef21: History

    @property
    def zero_difference(self) -> float:
        """Largest relative difference between eta = 0 and EF21-SGD: of any round's error, and of the last iterate."""
        ours, theirs = self.history.dist_sq[:, 0], self.ef21.dist_sq
        last = (self.history.x[:, 0] - self.ef21.x).norm(dim=-1) / self.ef21.x.norm(dim=-1)
        return max(float(((ours - theirs).abs() / theirs).max()), float(last.max()))


@protocol
def gains(settings: Settings, *, progress: Progress | None = None) -> Gains:
    """The problem of C2 with other gains (C5)."""
    size = settings.size
    task, compressor = quadratics(settings.seed, size.seeds, CLIENTS, size.d, ZETA), top(size.d)
    delta = compressor.alpha(size.d)
    etas = delta * torch.tensor(GAINS, dtype=torch.float64)
    plans = {"econtrol": Plan("econtrol", GAMMA, etas, track=("e_norm",)), "ef21": Plan("ef21", GAMMA)}
    made = task.run(plans, size.rounds, compressor=compressor, noise=gaussian_noise(SIGMA, size.d), progress=progress)
    return Gains(delta, made["econtrol"], made["ef21"])


@dataclass(frozen=True)
class Scaling:
    """Noise errors (N, S) of methods for ``clients`` (N,)."""

    clients: tuple[int, ...]
    errors: dict[str, Tensor]

    def ratio(self, method: str, few: int, many: int) -> Tensor:
        """Error with few clients over error with many, (S,)."""
        return self.errors[method][self.clients.index(few)] / self.errors[method][self.clients.index(many)]


def scaling(
    clients: tuple[int, ...], made: Callable[[int], Task], gamma: float, rounds: int, compressor: TopK, noise: Noise,
    progress: Progress | None,
) -> Scaling:
    """SGD, EF21-SGD and EControl (eta = delta) for several numbers of clients."""
    methods = ("sgd", "ef21", "econtrol")
    errors: dict[str, list[Tensor]] = {name: [] for name in methods}
    for k, n in enumerate(clients):
        task = made(n)
        delta = compressor.alpha(task.problem.d)
        plans = {name: Plan(name, gamma, delta if name == "econtrol" else None) for name in methods}
        for name, history in task.run(plans, rounds, compressor=compressor, noise=noise).items():
            errors[name].append(history.noise_error)
        if progress is not None:
            progress(k + 1, len(clients))
    return Scaling(clients, {name: torch.stack(found) for name, found in errors.items()})


@protocol
def speedup(settings: Settings, *, progress: Progress | None = None) -> Scaling:
    """Gaussian noise, more and more clients (C3)."""
    size, seed = settings.size, settings.seed
    clients = SPEEDUP + ((256,) if size.widest >= 256 else ())
    return scaling(
        clients, lambda n: quadratics(seed, size.seeds, n, size.d, MILD_ZETA), GAMMA, size.rounds, top(size.d),
        gaussian_noise(SIGMA, size.d), progress)


@protocol
def skewed(settings: Settings, *, progress: Progress | None = None) -> Scaling:
    """Equal clients in two dimensions with skewed noise and Top-1 (C4)."""
    size = settings.size
    own = tuple(replicate_seed(settings.seed, replicate) for replicate in range(size.seeds))
    return scaling(
        SKEWED_CLIENTS, lambda n: started(equal_quadratic(n, 2), own), SKEWED_GAMMA, size.rounds, TopK(1), skewed_noise,
        progress)


def largest_gain_holds(ratio: float, seeds: int = 20, rounds: int = 2500, d: int = 100) -> float:
    """Share of noisy runs (10 clients, zeta = 100, sigma = 10, gamma = 0.003, Top-10) that stay finite at
    eta = ratio times delta: what exercise 2 bisects.
    """
    task, compressor = _exercise_task(seeds, d), top(d)
    plans = {"econtrol": Plan("econtrol", GAMMA, ratio * compressor.alpha(d))}
    made = task.run(plans, rounds, compressor=compressor, noise=gaussian_noise(SIGMA, d), record_every=rounds)
    return float(torch.isfinite(made["econtrol"].final).double().mean())


@cached
def _exercise_task(seeds: int, d: int) -> Task:
    return quadratics(0, seeds, CLIENTS, d, ZETA)


@cached
def error_at(n: int, seeds: int = 3, seed: int = 0, rounds: int = 3000, d: int = 100) -> float:
    """EControl's mean noise error with n clients (zeta = 10, sigma = 10, gamma = 0.003, Top-10): for exercise 3."""
    task, compressor = quadratics(seed, seeds, n, d, MILD_ZETA), top(d)
    plans = {"econtrol": Plan("econtrol", GAMMA, compressor.alpha(d))}
    made = task.run(plans, rounds, compressor=compressor, noise=gaussian_noise(SIGMA, d))
    return float(made["econtrol"].noise_error.mean())


@dataclass(frozen=True)
class Own:
    """One problem at the settings' own values: ``histories`` of one seed per method, the compressor's delta, eta."""

    delta: float
    eta: float
    gamma: float
    histories: dict[str, History]


@cached
def own(settings: Settings, *, progress: Progress | None = None) -> Own:
    """All methods on the settings' own problem, one seed."""
    size = settings.size
    task = quadratics(settings.seed, 1, settings.n, size.own_d, settings.zeta)
    compressor = top(size.own_d, settings.kept)
    delta = compressor.alpha(size.own_d)
    noise = gaussian_noise(settings.sigma, size.own_d) if settings.sigma else None
    eta = settings.eta_ratio * delta
    plans = {name: Plan(name, settings.gamma, eta if name == "econtrol" else None, track=ERRORS.get(name, ()))
             for name in TUNED}
    made = task.run(plans, size.own_rounds, compressor=compressor, noise=noise, record_every=OWN_RECORD,
                    progress=progress)
    return Own(delta, eta, settings.gamma, made)


@dataclass(frozen=True)
class Sweep:
    """EControl's noise error (S, gains) over ``ratios`` = eta/delta on the settings' own problem; SGD's and EF21's
    (S,).
    """

    delta: float
    ratios: Tensor
    econtrol: Tensor
    sgd: Tensor
    ef21: Tensor


@cached
def own_sweep(settings: Settings, *, progress: Progress | None = None) -> Sweep:
    """The settings' own problem at many gains; ``eta_ratio`` itself plays no part."""
    size = settings.size
    task = quadratics(settings.seed, 3, settings.n, size.own_d, settings.zeta)
    compressor = top(size.own_d, settings.kept)
    delta, ratios = compressor.alpha(size.own_d), torch.logspace(-3, math.log10(5), size.own_gains, dtype=torch.float64)
    noise = gaussian_noise(settings.sigma, size.own_d) if settings.sigma else None
    rounds = max(3, round(size.rounds * 2 / 3))
    plans = {"econtrol": Plan("econtrol", settings.gamma, delta * ratios)}
    plans |= {name: Plan(name, settings.gamma) for name in ("sgd", "ef21")}
    made = task.run(plans, rounds, compressor=compressor, noise=noise, progress=progress)
    return Sweep(delta, ratios, *(made[name].noise_error for name in ("econtrol", "sgd", "ef21")))


def point(settings: Settings) -> Point:
    """The settings' own problem: errors of all methods over the last third, and the linear model at the same gain."""
    found = own(settings)
    errors = {name: float(history.noise_error) for name, history in found.histories.items()}
    return Point({
        **{f"error_{name}": value for name, value in errors.items()},
        "econtrol_over_sgd": errors["econtrol"] / errors["sgd"],
        "ef21_over_econtrol": errors["ef21"] / errors["econtrol"],
        "critical_eta_ratio": critical_eta(found.delta) / found.delta,
        "linear_radius": float(linear_model_roots(found.delta, found.eta).abs().max()),
    })
