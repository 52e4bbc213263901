"""The lesson's experiments: the fixed protocols of the claims, and one problem at the settings' own values."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets import photos
from gradscape.lesson import Point, cached, generator, protocol
from gradscape.recovery.robust_matrix.method import (
    Trace,
    geometric_schedule,
    gradient_descent_l2,
    identity_start,
    random_start,
    spectral_start,
    subgm,
)
from gradscape.recovery.robust_matrix.problem import Noise, RobustProblem, from_matrix, make_problem
from gradscape.recovery.robust_matrix.settings import Settings
from gradscape.recovery.robust_matrix.sign_rip import phi, sign_rip

Progress = Callable[[int, int], None]

D, R, M = 20, 3, 600  # size, rank and measurements where nothing else is said
ETA0, ALPHA_REF = 0.15, 1e-8
ALPHAS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8)
POINTS = 120  # of a recorded curve
BASELINE_RATES = (0.01, 0.03, 0.1, 0.2)
BASELINE_ALPHAS = (1e-1, 1e-3)
NOISES = {"none": Noise(), "outlier": Noise(p=0.3), "gaussian": Noise(nu=1.0)}
OTHER_RULES = {
    "oracle: η₀‖X − X*‖/‖Q‖": "oracle", "surrogate: η₀√(π/2) f/‖Q‖": "surrogate", "constant: η₀/‖Q‖": "constant",
}
CHOICE_ALPHA, TRAP_ALPHA = 1e-6, 0.1  # a start, and a start whose schedule is used up before that one's signal grows
NEAR = 0.1  # ‖X‖ where Gaussian noise hides the direction; elsewhere ‖X‖ = 1
RECOVERED = 1e-3


def padded(U: Tensor, rank: int) -> Tensor:
    """``U`` with zero columns added up to ``rank``; the method never touches them."""
    return torch.nn.functional.pad(U, (0, rank - U.shape[-1]))


def starts(problem: RobustProblem, ranks: tuple[int, ...], alphas: tuple[float, ...]) -> Tensor:
    """Spectral starts (*batch, ranks, alphas, d, widest rank) of one stack."""
    rows = [[padded(spectral_start(problem, rank, alpha), max(ranks)) for alpha in alphas] for rank in ranks]
    return torch.stack([torch.stack(row, -3) for row in rows], -4)


def solve(
    problem: RobustProblem, U0: Tensor, settings: Settings, *, alpha_ref: float = ALPHA_REF, eta0: float = ETA0,
    kappa: float = 1.0, progress: Progress | None = None, stop: Callable[[], bool] | None = None,
) -> Trace:
    """The geometric rule over its whole horizon (or the largest number of steps that the sizes allow)."""
    rho, horizon = geometric_schedule(eta0, alpha_ref, kappa)
    steps = min(horizon, settings.size.max_steps)
    return subgm(
        problem, U0, steps=steps, eta0=eta0, rho=rho, record_every=math.ceil(steps / POINTS), progress=progress,
        stop=stop)


@dataclass(frozen=True)
class Starts:
    """Runs (seeds, ranks, alphas) from starts of several sizes under one schedule."""

    ranks: tuple[int, ...]
    alphas: tuple[float, ...]
    trace: Trace

    def final(self, rank: int, alpha: float) -> Tensor:
        """Error of the last iterate, (seeds,)."""
        return self.trace.final[:, self.ranks.index(rank), self.alphas.index(alpha)]


@protocol
def small_starts(settings: Settings, *, progress: Progress | None = None) -> Starts:
    """Outliers in a tenth of the measurements; ranks 3 and 20; starts from 1 down to 1e-8."""
    problem = make_problem(D, R, M, "outlier", seed=settings.seed, batch=settings.size.seeds)
    ranks = (R, D)
    return Starts(ranks, ALPHAS, solve(problem, starts(problem, ranks, ALPHAS), settings, progress=progress))


@dataclass(frozen=True)
class Choices:
    """Runs of one problem with other step rules (each trace (1,)), and with other starts (starts,)."""

    rules: dict[str, Trace]
    starts: tuple[str, ...]
    started: Trace


@protocol
def other_choices(settings: Settings, *, progress: Progress | None = None) -> Choices:
    """Outliers, rank 20, α = 1e-6. Rules: geometric with the start's own schedule and with that of α = 0.1, and the
    three others. Starts: spectral, random and a multiple of the identity, under the geometric rule.
    """
    problem = make_problem(D, R, M, "outlier", seed=settings.seed)
    (rho, horizon), (trap, _) = (geometric_schedule(ETA0, alpha) for alpha in (CHOICE_ALPHA, TRAP_ALPHA))
    alpha, steps, g = CHOICE_ALPHA, min(horizon, settings.size.max_steps), generator(settings.seed, 1000)
    U0, options = spectral_start(problem, D, alpha), {"steps": steps, "record_every": math.ceil(steps / POINTS)}
    rules = {f"η₀ρᵗ/‖Q‖, ρ = {r:.4g}": subgm(problem, U0, eta0=ETA0, rho=r, **options) for r in (rho, trap)}
    rules |= {name: subgm(problem, U0, eta0=ETA0, rule=rule, **options) for name, rule in OTHER_RULES.items()}
    made = {"spectral": spectral_start(problem, D, alpha), "random": random_start(problem, D, alpha, g),
            "identity": identity_start(problem, D, alpha)}
    started = solve(problem, torch.stack(list(made.values())), settings, alpha_ref=alpha, progress=progress)
    return Choices(rules, tuple(made), started)


@dataclass(frozen=True)
class HardOutliers:
    """Runs (seeds, 1, 1) with few measurements and with dense outliers; least squares (seeds, rates, ranks, alphas)."""

    sparse: Trace
    dense: Trace
    least_squares: Trace

    @property
    def least_squares_best(self) -> Tensor:
        """The smallest error of any iterate at any rate, rank and start, (seeds,)."""
        return self.least_squares.error.nan_to_num(math.inf).flatten(1).amin(1)


@protocol
def hard_outliers(settings: Settings, *, progress: Progress | None = None) -> HardOutliers:
    """d = 30, rank 2, rank 30 in the factor: 400 measurements, p = 0.1; then 2500, p = 0.6 and outliers of size 1000.

    Least squares runs on the problems of :func:`small_starts`, at four rates, two starts and both ranks.
    """
    size, kept = settings.size, []
    for m, p, scale, seeds in ((400, 0.1, 10.0, size.sparse_seeds), (2500, 0.6, 1000.0, size.dense_seeds)):
        problem = make_problem(30, 2, m, "outlier", p=p, scale=scale, seed=settings.seed, batch=seeds)
        kept.append(solve(problem, starts(problem, (30,), (1e-6,)), settings, alpha_ref=1e-6, progress=progress))
    problem = make_problem(D, R, M, "outlier", seed=settings.seed, batch=size.dense_seeds)
    U0 = starts(problem, (R, D), BASELINE_ALPHAS)
    rates = torch.tensor(BASELINE_RATES, dtype=torch.float64)
    stack = U0[:, None].expand(-1, len(rates), *U0.shape[1:]).clone()
    rates = rates[:, None, None].expand(stack.shape[1:4])
    least = gradient_descent_l2(problem, stack, size.baseline_steps, rates, spectra=False)
    return HardOutliers(kept[0], kept[1], least)


@dataclass(frozen=True)
class GaussianNoise:
    """Runs (seeds, ranks, 1) under Gaussian noise, and the loss at the true matrix, (seeds,)."""

    ranks: tuple[int, ...]
    nu: float
    trace: Trace
    loss_at_truth: Tensor

    def final(self, rank: int) -> Tensor:
        """Error of the last iterate, (seeds,)."""
        return self.trace.final[:, self.ranks.index(rank), 0]


@protocol
def gaussian_noise(settings: Settings, *, progress: Progress | None = None) -> GaussianNoise:
    """All of 1000 measurements are noisy, nu = 0.3."""
    ranks, nu = (R, D), 0.3
    problem = make_problem(D, R, 1000, "gaussian", nu=nu, seed=settings.seed, batch=settings.size.seeds)
    trace = solve(problem, starts(problem, ranks, (ALPHA_REF,)), settings, progress=progress)
    return GaussianNoise(ranks, nu, trace, problem.loss_at_truth)


@dataclass(frozen=True)
class RipStudy:
    """Alignments and deltas (noises, norms, measurements, matrices), and the closed-form phi (noises, norms)."""

    noises: tuple[str, ...]
    norms: tuple[float, ...]
    measurements: tuple[int, ...]
    alignment: Tensor
    delta: Tensor
    phi: Tensor

    def worst(self, noise: str, norm: float = 1.0) -> Tensor:
        """The largest delta over the matrices, (measurements,)."""
        return self.delta[self.noises.index(noise), self.norms.index(norm)].amax(-1)


def directions(count: int, g: torch.Generator) -> Tensor:
    """Random symmetric matrices of rank 3 and norm 1, with eigenvalues of both signs, (count, 20, 20)."""
    L = torch.randn(count, D, R, generator=g, dtype=torch.float64)
    X = (L * torch.randn(count, 1, R, generator=g, dtype=torch.float64)) @ L.mT
    return X / X.flatten(1).norm(dim=1)[:, None, None]


@protocol
def rip_study(settings: Settings, *, progress: Progress | None = None) -> RipStudy:
    """Random symmetric matrices of rank 3 (of both signs) with ‖X‖ = 1 and 0.1, under three kinds of noise; k = 3."""
    size, norms = settings.size, (NEAR, 1.0)
    X = directions(size.rip_matrices, generator(settings.seed))
    shape = (len(NOISES), len(norms), len(size.rip_measurements), size.rip_matrices)
    alignment, delta = torch.empty(shape, dtype=torch.float64), torch.empty(shape, dtype=torch.float64)
    scaling = torch.tensor([[float(phi(n, "both", s.p, s.scale, s.nu)) for n in norms] for s in NOISES.values()])
    for k, m in enumerate(size.rip_measurements):
        g = generator(settings.seed, 1 + k)
        A = torch.randn(m, D * D, generator=g, dtype=torch.float64)
        for i, noise in enumerate(NOISES.values()):
            s = noise.draw(m, g)
            for j, norm in enumerate(norms):
                found = sign_rip(A, s, norm * X, R, float(scaling[i, j]))
                alignment[i, j, k], delta[i, j, k] = found.alignment, found.delta
        if progress is not None:
            progress(k + 1, len(size.rip_measurements))
    return RipStudy(tuple(NOISES), norms, size.rip_measurements, alignment, delta, scaling)


@dataclass(frozen=True)
class Samples:
    """Final errors (measurements, ranks, seeds) of a rank-one matrix."""

    measurements: tuple[int, ...]
    ranks: tuple[int, ...]
    error: Tensor

    def at(self, m: int, rank: int) -> Tensor:
        """Errors of the seeds, (seeds,)."""
        return self.error[self.measurements.index(m), self.ranks.index(rank)]


@protocol
def few_measurements(
    settings: Settings, measurements: tuple[int, ...] = (200, 300), *, progress: Progress | None = None,
) -> Samples:
    """Rank 1, d = 20: at 200 measurements there are fewer than the 210 unknowns of a symmetric matrix."""
    ranks, errors = (1, D), []
    for m in measurements:
        problem = make_problem(D, 1, m, "outlier", seed=settings.seed, batch=settings.size.seeds)
        trace = solve(problem, starts(problem, ranks, (ALPHA_REF,)), settings, progress=progress)
        errors.append(trace.final[..., 0].mT)
    return Samples(measurements, ranks, torch.stack(errors))


@dataclass(frozen=True)
class ImageRun:
    """Recovery of a covariance of image patches: runs (ranks, 1), its eigenvalues and its condition number."""

    ranks: tuple[int, ...]
    eigenvalues: Tensor
    kappa: float
    X: Tensor
    trace: Trace


@protocol
def image_covariance(settings: Settings, *, progress: Progress | None = None) -> ImageRun:
    """The rank-3 part of the covariance of 4 × 6 pixel patches of a photograph, from corrupted measurements."""
    image = photos.load("camera", gray=True, dtype=torch.float64)[0]
    patches = image.unfold(0, 4, 4).unfold(1, 6, 6).reshape(-1, 24)
    patches = patches - patches.mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    kept, V = values[-R:], vectors[:, -R:]
    problem = from_matrix((V * kept) @ V.T, settings.size.image_measurements, "outlier", seed=settings.seed)
    kappa, ranks = float(kept[-1] / kept[0]), (R, 24)
    trace = solve(
        problem, starts(problem, ranks, (1e-6,)), settings, alpha_ref=1e-6, kappa=kappa, progress=progress)
    return ImageRun(ranks, values.flip(0), kappa, problem.X, trace)


@dataclass(frozen=True)
class OwnRip:
    """Alignments and deltas (measurements, matrices) under one noise at one norm, and phi there."""

    noise: Noise
    norm: float
    measurements: tuple[int, ...]
    alignment: Tensor
    delta: Tensor
    phi: float


@cached
def own_rip(settings: Settings, norm: float = 1.0, *, progress: Progress | None = None) -> OwnRip:
    """Sign-RIP under the settings' own outliers and noise, on matrices of norm ``norm``; k = 3."""
    size, noise = settings.size, Noise(settings.p, settings.scale, settings.nu)
    X = norm * directions(size.rip_matrices, generator(settings.seed))
    scaling, found = float(phi(norm, "both", noise.p, noise.scale, noise.nu)), []
    for k, m in enumerate(size.rip_measurements):
        g = generator(settings.seed, 1 + k)
        A = torch.randn(m, D * D, generator=g, dtype=torch.float64)
        found.append(sign_rip(A, noise.draw(m, g), X, R, scaling))
        if progress is not None:
            progress(k + 1, len(size.rip_measurements))
    alignment, delta = (torch.stack([getattr(one, name) for one in found]) for name in ("alignment", "delta"))
    return OwnRip(noise, norm, size.rip_measurements, alignment, delta, scaling)


@dataclass(frozen=True)
class OwnRun:
    """Runs (seeds, ranks, 1) at the settings' values, and the loss at the true matrix, (seeds,).

    ``horizon`` is the number of steps that the run was to take; a run that was stopped has taken fewer.
    """

    settings: Settings
    ranks: tuple[int, ...]
    trace: Trace
    truth_loss: Tensor
    horizon: int


def problem_at(
    settings: Settings, seeds: int = 1, ranks: tuple[int, ...] = (), *, progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> OwnRun:
    """``seeds`` problems at the settings' own values; ``ranks`` are the settings' own one if left out."""
    ranks = ranks or (settings.rank,)
    problem = make_problem(
        D, R, settings.m, "both", settings.p, settings.scale, settings.nu, seed=settings.seed, batch=seeds)
    U0 = starts(problem, ranks, (settings.alpha,))
    trace = solve(
        problem, U0, settings, alpha_ref=settings.alpha, eta0=settings.eta0, progress=progress, stop=stop)
    horizon = min(geometric_schedule(settings.eta0, settings.alpha)[1], settings.size.max_steps)
    return OwnRun(settings, ranks, trace, problem.loss_at_truth, horizon)


own_run = cached(problem_at)


def point(settings: Settings) -> Point:
    """Error, loss, signal and residual at the end of one run at the settings' values."""
    run = own_run(settings)
    last = {name: float(getattr(run.trace, name).flatten()[-1]) for name in (
        "error", "loss", "signal_min", "residual_norm", "spurious")}
    return Point({**last, "loss_at_truth": float(run.truth_loss[0]), "steps": float(run.trace.steps[-1])})
