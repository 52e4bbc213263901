"""Experiments on codes and clusters: what survives, what it costs, how long it takes."""
from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradscape import lesson
from gradscape.datasets import fashion
from gradscape.distributed.gradient_coding import loads
from gradscape.distributed.gradient_coding.code import DecodeError, GradientCode
from gradscape.distributed.gradient_coding.schemes import Scheme, make
from gradscape.distributed.gradient_coding.selection import Candidate, best, default_grids, replay_times, search
from gradscape.distributed.gradient_coding.settings import Settings, Sizes
from gradscape.distributed.gradient_coding.simulation import Simulation, fit_load_slope, replay, simulate
from gradscape.distributed.gradient_coding.stragglers import (
    ArbitraryModel,
    BurstyModel,
    PerRoundModel,
    StragglerModel,
)
from gradscape.distributed.gradient_coding.training import Gradients
from gradscape.distributed.workers import DelayModel, DelayTrace
from gradscape.lesson import Point, cached

Progress = Callable[[int, int], None]

# The small code is decoded for all its straggler sets; the large one has the size of the paper's cluster.
SMALL_CODE, LARGE_CODE = (12, 3), (256, 27)
# (n, B, W, lam) of the tolerance test: short and long bursts and windows, one with everybody straggling (lam = n)
DESIGNS = ((12, 1, 2, 3), (16, 2, 3, 5), (9, 1, 2, 9), (10, 1, 4, 4), (16, 2, 5, 7), (20, 3, 4, 6))
TOLERANCE_JOBS = 24
SPARSE = 0.1  # share of stragglers that a pattern starts with before it is filled in random order
T_MAX = 3  # four models are trained in turn
SLOPE_LOADS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Scenario:
    """A kind of cluster: its delays at load zero, and the seconds that one whole job costs a worker."""

    title: str
    delays: DelayModel
    alpha: float


SCENARIOS = {
    "lambda-like": Scenario("like the paper's Lambda functions", DelayModel(), 2.2),
    "compute-heavy": Scenario("computing costs more", DelayModel(), 5.0),
    "long bursts": Scenario("slow spells last", DelayModel(p_sn=0.4), 2.2),
}


@dataclass(frozen=True)
class CodeResult:
    """``errors`` (sets,): relative error of the decoded gradient for each straggler set of the small code;
    ``refused``, ``beyond``: how many sets of s + 1 raised, of how many; ``residuals``, ``largest`` (k,): of random
    sets of the large code.
    """

    errors: Tensor
    refused: int
    beyond: int
    residuals: Tensor
    largest: Tensor


@cached
def code_experiment(settings: Settings) -> CodeResult:
    """Lose every set of s workers of a small code that carries gradients of a real model, and random sets of a large
    one."""
    (n, s), size, seed = SMALL_CODE, settings.size, lesson.replicate_seed(settings.seed, 0)
    x, y = fashion.load("train", n=50 * n, pool=size.pool, flat=True, dtype=torch.float64)
    gradients = Gradients(nn.Linear(x.shape[1], 10).double())
    theta = 0.1 * torch.randn(gradients.size, generator=lesson.generator(settings.seed), dtype=torch.float64)
    parts, _ = gradients.chunks(theta, x.view(n, 50, -1), y.view(n, 50), len(x))
    code, full = GradientCode(n, s, seed=seed), gradients.chunks(theta, x[None], y[None], len(x))[0][0]
    messages, errors, refused = code.encode(parts), [], 0
    for dead in itertools.combinations(range(n), s):
        arrived = messages.clone()
        arrived[list(dead)] = torch.nan
        errors.append((code.decode(arrived, _alive(n, dead)) - full).norm() / full.norm())
    beyond = list(itertools.combinations(range(n), s + 1))
    for dead in beyond:
        try:
            code.decode_vector(_alive(n, dead))
        except DecodeError:
            refused += 1
    n, s = LARGE_CODE
    code, generator, residuals, largest = GradientCode(n, s, seed=seed), lesson.generator(settings.seed, 1), [], []
    for _ in range(size.random_sets):
        a = code.decode_vector(_alive(n, torch.randperm(n, generator=generator)[:s].tolist()))
        residuals.append((code.matrix.T @ a - 1).abs().max())
        largest.append(a.abs().max())
    return CodeResult(torch.stack(errors), refused, len(beyond), torch.stack(residuals), torch.stack(largest))


def _alive(n: int, dead: tuple[int, ...] | list[int]) -> Tensor:
    alive = torch.ones(n, dtype=torch.bool)
    alive[list(dead)] = False
    return alive


@dataclass(frozen=True)
class Tolerance:
    """One scheme under one straggler model: ``patterns`` of a mean share ``density`` of lost results, with the
    ``waits`` and ``undecodable`` jobs in all of them together.
    """

    scheme: str
    design: tuple[int, int, int, int]
    model: str
    patterns: int
    density: float
    undecodable: int
    waits: int


@cached
def tolerance(settings: Settings) -> tuple[Tolerance, ...]:
    """Random maximal patterns of each straggler model through the schemes that are made for it.

    Half of them are filled round by round, so that all straggle as long as they may; half in random order, so that
    bursts have gaps.
    """
    rows, generator = [], lesson.generator(settings.seed)
    half = -(-settings.size.patterns // (2 * len(DESIGNS)))

    def drawn(model: StragglerModel, rounds: int, n: int) -> Tensor:
        early = model.sample(rounds, n, generator, count=half)
        return torch.cat([early, model.sample(rounds, n, generator, density=SPARSE, count=half, maximal=True)])

    for n, B, W, lam in DESIGNS:
        srsgc, msgc = make("srsgc", n, (B, W, lam)), make("msgc", n, (B, W, lam))
        rounds = TOLERANCE_JOBS + max(srsgc.T, msgc.T)
        bursty = drawn(BurstyModel(B, W, lam), rounds, n)
        per_round = drawn(PerRoundModel(loads.srsgc_s(B, W, lam)), rounds, n)
        arbitrary = drawn(ArbitraryModel(B, W + B - 1, lam), rounds, n)
        for scheme, model, patterns in ((srsgc, "bursty", bursty), (msgc, "bursty", bursty),
                                        (srsgc, "per round", per_round), (msgc, "arbitrary", arbitrary)):
            found = replay(scheme, patterns, jobs=TOLERANCE_JOBS)
            rows.append(Tolerance(scheme.name, (n, B, W, lam), model, 2 * half, float(patterns.double().mean()),
                                  int(found.undecodable.sum()), int(found.waits.sum())))
    return tuple(rows)


@dataclass(frozen=True)
class Cluster:
    """One cluster: ``trace`` recorded at load zero, the ``slope`` fitted from it, the best ``chosen`` candidate per
    scheme with its time on the trace, and the ``seconds`` these took on fresh rounds.
    """

    trace: DelayTrace
    slope: float
    candidates: tuple[Candidate, ...]
    chosen: dict[str, Candidate]
    seconds: dict[str, float]

    def ratio(self, scheme: str, other: str) -> float:
        """Time of one scheme over another's, on the fresh rounds."""
        return self.seconds[scheme] / self.seconds[other]


def one_cluster(
    settings: Settings, n: int, delays: DelayModel, alpha: float, replicate: int = 0, *, mu: float = 1.0,
    progress: Progress | None = None,
) -> Cluster:
    """Record a probe, fit the load slope, choose each scheme's parameters on the probe, time them on fresh rounds."""
    size, generator = settings.size, lesson.generator(settings.seed, replicate)
    probe = DelayTrace(delays.sample(size.search_jobs + T_MAX, n, generator))
    profiles = {load: delays.sample(size.slope_rounds, n, generator) + alpha * load for load in SLOPE_LOADS}
    slope, _ = fit_load_slope(profiles)
    slope = max(slope, 0.0)  # noise may tilt the line where computing costs nothing
    found = search(n, probe, slope, jobs=size.search_jobs, t_max=T_MAX, mu=mu, progress=progress,
                   grids=default_grids(n, lam_step=size.lam_step))
    chosen, fresh = best(found), delays.sample(size.jobs + T_MAX, n, generator)
    seconds = {
        name: float(replay_times(name, n, [pick.params], fresh, torch.tensor([alpha * pick.load], dtype=torch.float64),
                                 jobs=size.jobs, mu=mu))
        for name, pick in chosen.items()
    }
    return Cluster(probe, slope, tuple(found), chosen, seconds)


@cached
def scenario(settings: Settings, name: str, progress: Progress | None = None) -> tuple[Cluster, ...]:
    """All clusters of one scenario, one per seed; the same draws serve every scenario with the same chain."""
    kind, clusters = SCENARIOS[name], []
    for replicate in range(settings.size.seeds):
        clusters.append(one_cluster(settings, settings.size.workers, kind.delays, kind.alpha, replicate))
        if progress is not None:
            progress(replicate + 1, settings.size.seeds)
    return tuple(clusters)


def ratios(settings: Settings, name: str, scheme: str, other: str) -> Tensor:
    """Time of one scheme over another's in a scenario, (seeds,)."""
    return torch.tensor([cluster.ratio(scheme, other) for cluster in scenario(settings, name)], dtype=torch.float64)


@dataclass(frozen=True)
class Race:
    """Simulations ``runs`` of the four schemes with their chosen parameters ``picks`` on fresh rounds of a cluster."""

    picks: tuple[Candidate, ...]
    runs: tuple[Simulation, ...]


@cached
def race(settings: Settings, name: str, jobs: int = 60) -> Race:
    """The first cluster of a scenario, round by round."""
    kind, cluster = SCENARIOS[name], scenario(settings, name)[0]
    delays = kind.delays.sample(jobs + T_MAX, settings.size.workers, lesson.generator(settings.seed, 10_000))
    picks = tuple(cluster.chosen[scheme] for scheme in loads.SCHEMES)
    runs = tuple(simulate(pick.build(), delays + kind.alpha * pick.load, jobs=jobs) for pick in picks)
    return Race(picks, runs)


@dataclass(frozen=True)
class OwnDesign:
    """The four schemes at the settings' own ``design`` (B, W, lam): load and T of each and their ``runs``, in the
    order of ``loads.SCHEMES``.
    """

    design: tuple[int, int, int]
    loads: tuple[float, ...]
    T: tuple[int, ...]
    runs: tuple[Simulation, ...]

    def total(self, scheme: str) -> float:
        """Seconds that a scheme took."""
        return self.runs[loads.SCHEMES.index(scheme)].total


@cached
def own_design(settings: Settings, jobs: int = 60) -> OwnDesign:
    """Run the four schemes with the settings' own parameters on one draw of the settings' own cluster."""
    design, n = settings.design, settings.workers
    schemes = [make("uncoded", n), make("gc", n, (settings.s,)), make("srsgc", n, design), make("msgc", n, design)]
    longest = jobs + max(scheme.T for scheme in schemes)
    delays = settings.delays.sample(longest, n, lesson.generator(settings.seed))
    runs = tuple(
        simulate(scheme, delays + settings.load_slope * scheme.load, jobs=jobs, mu=settings.mu) for scheme in schemes
    )
    carried, late = tuple(scheme.load for scheme in schemes), tuple(scheme.T for scheme in schemes)
    return OwnDesign(design, carried, late, runs)


@cached
def searched(settings: Settings, progress: Progress | None = None) -> Cluster:
    """The settings' own cluster with parameters searched on its probe."""
    return one_cluster(
        settings, settings.workers, settings.delays, settings.load_slope, mu=settings.mu, progress=progress
    )


@cached
def probe_ratio(alpha: float, seed: int = 0) -> float:
    """M-SGC's time over GC's, each at its best on one probe of the long-bursts scenario (n = 256, 80 jobs), at a load
    slope of ``alpha`` seconds: what exercise 3 looks for the tie of.
    """
    n, kind, size = 256, SCENARIOS["long bursts"], Sizes()
    probe = DelayTrace(kind.delays.sample(size.search_jobs + T_MAX, n, lesson.generator(seed)))
    grids = {name: grid for name, grid in default_grids(n, lam_step=size.lam_step).items() if name in ("gc", "msgc")}
    found = best(search(n, probe, alpha, jobs=size.search_jobs, t_max=T_MAX, grids=grids))
    return found["msgc"].time / found["gc"].time


@dataclass(frozen=True)
class Tiles:
    """What happened to one job, worker by worker: ``state`` (n, T + 1) holds positions in `TILES`."""

    scheme: str
    state: Tensor


TILES = ("nothing", "uncoded chunk", "repeated chunk", "coded task", "repeated coded task", "lost")


def tiles(scheme: Scheme, pattern: Tensor, job: int) -> Tiles:
    """Follow ``job`` through a pattern (at least job + T + 1 rounds, n) of lost results: one column per round from its
    own on.
    """
    scheme.reset()
    state = torch.zeros(scheme.n, scheme.T + 1, dtype=torch.int64)
    for r in range(job + scheme.T + 1):
        given = scheme.assign(r)
        serves = given.job == job
        if r >= job and bool(serves.any()):
            kind = torch.where(given.chunk >= 0, 1, 3) + given.repeat.to(torch.int64)
            state[:, r - job] = torch.where(serves, kind, 0).amax(1)
            state[:, r - job].masked_fill_(serves.any(1) & pattern[r], TILES.index("lost"))
        scheme.observe(r, pattern[r] & given.busy)
    return Tiles(scheme.name, state)


def point(settings: Settings) -> Point:
    """The settings' own cluster: times at the searched parameters and at the settings' own design, loads and bound."""
    found, own = searched(settings), own_design(settings)
    B, W, lam = settings.design
    return Point({
        "msgc_over_gc": found.ratio("msgc", "gc"),
        "srsgc_over_gc": found.ratio("srsgc", "gc"),
        "gc_over_uncoded": found.ratio("gc", "uncoded"),
        **{f"seconds_{scheme}": found.seconds[scheme] for scheme in loads.SCHEMES},
        "own_msgc_over_gc": own.total("msgc") / own.total("gc"),
        "own_waits_msgc": own.runs[3].waits,
        "load_msgc": own.loads[3],
        "load_bound": loads.load_lower_bound(settings.workers, B, W, lam),
        "delay_msgc": own.T[3],
    })
