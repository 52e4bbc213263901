"""The lesson's experiments on a line: swept boxes and widths, floors, budgeted nets, the filter, exact arithmetic."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray

from gradscape.dynamics.bandlimited.floors import (
    DualBound,
    FloorResult,
    Modes,
    band_kernel,
    dual_bound,
    floor_from_modes,
)
from gradscape.dynamics.bandlimited.networks import features, fit_table, sample_hidden
from gradscape.dynamics.bandlimited.precision import PreciseFit, high_precision_fits
from gradscape.dynamics.bandlimited.ridgelet import bandlimited_reconstruction
from gradscape.dynamics.bandlimited.settings import Settings
from gradscape.dynamics.bandlimited.targets import bumps, sine, unit
from gradscape.lesson import cached, protocol, replicate_seed, seeds_of
from gradscape.stats.powerlaw import Power, fit

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

FREQUENCIES = (1, 2, 4, 8, 16)  # of the sines
BUDGET = 1e3  # L2 norm of the output weights in the protocols, in standard deviations of the target
REACHED = 0.1  # floor at which a box counts as large enough
FEW = 200  # up to this width there are `seeds` nets, above `wide_seeds`
FLOOR_BOXES = (0.3, 100.0)  # ends of a floor's curve
BUDGET_BOXES = (1.0, 3.0, 10.0)
BUDGET_WIDTHS = (50, 800)
TEST_STREAM = 1_000_000  # replicate number that draws the test points; nets use 0, 1, 2, …
DENSE = 5000  # points between which the narrowest bump cannot hide
HALVINGS = 12  # of one step of the grid of boxes: to 1e-5 of the box


def sample_points(settings: Settings) -> tuple[Array, Array]:
    """Equispaced training points and uniform random test points on [0, 1]."""
    size = settings.size
    rng = np.random.default_rng(replicate_seed(settings.seed, TEST_STREAM))
    return np.linspace(0, 1, size.train_points), rng.uniform(0, 1, size.test_points)


@dataclass(frozen=True)
class Sweep:
    """Relative test errors per width, each (L, S, T): box sizes, seeds, targets (bumps first, then the sines).

    ``ranks`` (L, S) and ``norms`` (L, S, T) per width likewise.
    """

    lambdas: tuple[float, ...]
    widths: tuple[int, ...]
    targets: tuple[str, ...]
    errors: tuple[Array, ...]
    ranks: tuple[NDArray[np.int64], ...]
    norms: tuple[Array, ...]

    def holds(self, lambdas: Sequence[float], widths: Sequence[int]) -> bool:
        """Whether these boxes and widths are in the sweep."""
        return set(lambdas) <= set(self.lambdas) and set(widths) <= set(self.widths)

    def at(self, lam: float, n: int, target: int = 0) -> Array:
        """Errors of the nets of one box and width, (S,)."""
        return self.errors[self.widths.index(n)][self.lambdas.index(lam), :, target]

    def median(self, lam: float, n: int, target: int = 0) -> float:
        """Their median."""
        return float(np.median(self.at(lam, n, target)))

    def rank(self, lam: float, n: int) -> float:
        """Median numerical rank of the hidden layer."""
        return float(np.median(self.ranks[self.widths.index(n)][self.lambdas.index(lam)]))


def line_targets(x: Array) -> Array:
    """Bumps and sines at ``x`` as columns, (N, T)."""
    return np.column_stack([bumps(x), *(sine(x, nu) for nu in FREQUENCIES)])


@protocol
def sweep(settings: Settings, *, progress: Progress | None = None) -> Sweep:
    """Sigmoid nets of all widths in all boxes, for all targets (Li et al., simulations; own targets)."""
    size = settings.size
    x, x_test = sample_points(settings)
    y, y_test = line_targets(x), line_targets(x_test)
    tables = []
    for done, n in enumerate(size.widths):
        seeds = seeds_of(settings, size.seeds if n <= FEW else size.wide_seeds)
        tables.append(fit_table(x, y, x_test, y_test, n, size.lambdas, seeds))
        if progress is not None:
            progress(done + 1, len(size.widths))
    return Sweep(
        size.lambdas, size.widths, ("bumps", *(f"sine {nu}" for nu in FREQUENCIES)), tuple(t.error for t in tables),
        tuple(t.rank for t in tables), tuple(t.norm for t in tables),
    )


@protocol
def dense_errors(settings: Settings, *, progress: Progress | None = None) -> tuple[float, float]:
    """Median errors of the box 1 at 50 units and at the widest net on 5000 points: free of the 300 points' own scatter.

    The same nets as in :func:`sweep`. Bumps.
    """
    size = settings.size
    x, dense = np.linspace(0, 1, size.train_points), np.linspace(0, 1, DENSE)
    medians = []
    for n in (50, size.widths[-1]):
        seeds = seeds_of(settings, size.seeds if n <= FEW else size.wide_seeds)
        medians.append(float(np.median(fit_table(x, bumps(x), dense, bumps(dense), n, [1.0], seeds).error)))
    return medians[0], medians[1]


@dataclass(frozen=True)
class Spectra:
    """Singular values of one hidden layer per box, each (n,), over the largest; ``rank``: those above ``cut``."""

    lambdas: tuple[float, ...]
    singular: tuple[Array, ...]
    cut: float

    @property
    def ranks(self) -> list[int]:
        """How many directions float64 can tell from rounding."""
        return [int((values > self.cut).sum()) for values in self.singular]


@protocol
def spectra(settings: Settings, *, progress: Progress | None = None) -> Spectra:
    """Singular values of the widest hidden layer in the boxes 1, 10 and 100, sigmoid."""
    x, _ = sample_points(settings)
    n, boxes, found = settings.size.widths[-1], (1.0, 10.0, 100.0), []
    for lam in boxes:
        A, b = sample_hidden(n, 1, lam, seed=replicate_seed(settings.seed, 0))
        values = np.linalg.svd(features(x, A, b), compute_uv=False)
        found.append(values / values[0])
    return Spectra(boxes, tuple(found), max(len(x), n) * float(np.finfo(float).eps))


@cached
def kernel_modes(points: int, lam: float, activation: str, nodes: int) -> Modes:
    """Eigenvalues and eigenvectors of the box's kernel on equispaced points of [0, 1]."""
    return Modes.of(band_kernel(np.linspace(0, 1, points), lam, activation, nodes))


def floor_at(settings: Settings, f: Array, lam: float, activation: str = "tanh", budget: float = BUDGET) -> FloorResult:
    """The floor of one box at the sizes of the settings, for the target values ``f`` on the floor's points."""
    return floor_from_modes(kernel_modes(settings.size.floor_points, lam, activation, settings.size.nodes), f, budget)


@dataclass(frozen=True)
class Floors:
    """Floors over the box's size: ``bumps`` (L,), ``sines`` (F, L); ``needed`` (F,): least box with a floor below 0.1.

    ``slope``: the power law of ``needed`` over the frequencies from the second on.
    """

    lambdas: Array
    bumps: Array
    sines: Array
    frequencies: tuple[int, ...]
    needed: Array
    slope: Power


@protocol
def floors(settings: Settings, *, progress: Progress | None = None) -> Floors:
    """Floors of tanh nets with the budget 1000 over the box's size, and the box that each frequency needs."""
    size = settings.size
    x = np.linspace(0, 1, size.floor_points)
    f = unit(np.column_stack([bumps(x), *(sine(x, nu) for nu in FREQUENCIES)]))
    lambdas = np.geomspace(*FLOOR_BOXES, size.floor_lambdas)
    table = np.empty((f.shape[1], len(lambdas)))
    for k, lam in enumerate(lambdas.tolist()):
        table[:, k] = [floor_at(settings, column, lam).error for column in f.T]
        if progress is not None:
            progress(k + 1, len(lambdas))
    needed = np.array([smallest_box(settings, f[:, i + 1], lambdas, table[i + 1]) for i in range(len(FREQUENCIES))])
    return Floors(lambdas, table[0], table[1:], FREQUENCIES, needed, fit(FREQUENCIES[1:], needed[1:]))


def smallest_box(settings: Settings, f: Array, lambdas: Array, values: Array) -> float:
    """The least box with a floor below 0.1, bisected within the first step of the grid that crosses; else infinite."""
    below = np.flatnonzero(values < REACHED)
    if not len(below):
        return math.inf
    if below[0] == 0:
        return float(lambdas[0])
    low, high = float(lambdas[below[0] - 1]), float(lambdas[below[0]])
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if floor_at(settings, f, middle).error < REACHED else (middle, high)
    return high


@dataclass(frozen=True)
class BudgetedNets:
    """Floors (L,) and the errors of drawn nets with the same budget, (W, L, S)."""

    lambdas: tuple[float, ...]
    widths: tuple[int, ...]
    floors: Array
    errors: Array


@protocol
def budgeted_nets(settings: Settings, *, progress: Progress | None = None) -> BudgetedNets:
    """Tanh nets of 50 and 800 units with the budget 1000 beside the floor, on the floor's own points, bumps."""
    size = settings.size
    x = np.linspace(0, 1, size.floor_points)
    f, seeds = unit(bumps(x)), seeds_of(settings, settings.size.seeds)
    errors = np.empty((len(BUDGET_WIDTHS), len(BUDGET_BOXES), len(seeds)))
    for w, n in enumerate(BUDGET_WIDTHS):
        for k, lam in enumerate(BUDGET_BOXES):
            for s, seed in enumerate(seeds):
                H = features(x, *sample_hidden(n, 1, lam, seed=seed), "tanh")
                errors[w, k, s] = floor_from_modes(Modes.of(H @ H.T / n), f, BUDGET).error
        if progress is not None:
            progress(w + 1, len(BUDGET_WIDTHS))
    bounds = np.array([floor_at(settings, f, lam).error for lam in BUDGET_BOXES])
    return BudgetedNets(BUDGET_BOXES, BUDGET_WIDTHS, bounds, errors)


@dataclass(frozen=True)
class BudgetCurve:
    """What more output weight buys in one box: floors (C,) for an L2 budget, certificates (C,) for an l1 budget.

    ``unlimited``: what float64 reaches with any budget on the same points.
    """

    lam: float
    budgets: Array
    floors: Array
    certificates: Array
    unlimited: float


@protocol
def budget_curve(settings: Settings, *, progress: Progress | None = None) -> BudgetCurve:
    """Floor and certificate of the box 1 for budgets from 10 to 10⁵, tanh, bumps."""
    x = np.linspace(0, 1, settings.size.floor_points)
    f, budgets = unit(bumps(x)), np.array([1e1, 1e2, 1e3, 1e4, 1e5])
    bounds = [floor_at(settings, f, 1.0, budget=budget).error for budget in budgets.tolist()]
    dual: list[DualBound] = []
    for done, budget in enumerate(budgets.tolist()):
        dual.append(dual_bound(x, f, 1.0, "tanh", budget))
        if progress is not None:
            progress(done + 1, len(budgets))
    unlimited = floor_at(settings, f, 1.0, budget=1e200).error
    return BudgetCurve(1.0, budgets, np.array(bounds), np.array([one.value for one in dual]), unlimited)


@dataclass(frozen=True)
class LowPass:
    """``f = e^{-x²/2} cos(nu x)`` and its reconstructions (P, N) for P pairs ``(nu, lam)``: integrals and filter."""

    x: Array
    pairs: tuple[tuple[float, float], ...]
    f: Array
    reconstructed: Array
    filtered: Array

    @property
    def gap(self) -> float:
        """Largest difference between integrals and filter."""
        return float(np.abs(self.reconstructed - self.filtered).max())

    @property
    def lost(self) -> Array:
        """Relative L2 error of each reconstruction, (P,)."""
        return np.linalg.norm(self.f - self.reconstructed, axis=1) / np.linalg.norm(self.f, axis=1)


def filtered_wave(x: Array, nu: float, lam: float) -> Array:
    """``e^{-x²/2} cos(nu x)`` with each frequency ``ξ`` multiplied by ``e^{-(ξ/lam)²}``, in closed form.

    The multiplier is a convolution with a Gaussian of variance ``v = 2/lam²``; it makes ``e^{-x²/2 + i nu x}`` into
    ``(1+v)^{-1/2} exp((-x²/2 + i nu x - nu² v/2)/(1+v))``.
    """
    v = 2 / lam**2
    return np.exp((-(x**2) - nu**2 * v) / (2 * (1 + v))) * np.cos(nu * x / (1 + v)) / math.sqrt(1 + v)


@protocol
def low_pass(settings: Settings, *, progress: Progress | None = None) -> LowPass:
    """The infinite net cut to ``|a| <= λ``, by integrals in (x, a, b), beside the filter ``e^{-(ξ/λ)²}``."""
    x = np.linspace(-8, 8, settings.size.line_points)
    pairs = tuple((nu, lam) for nu in (1.0, 3.0) for lam in (2.0, 5.0, 10.0))
    f = np.stack([np.exp(-(x**2) / 2) * np.cos(nu * x) for nu, _ in pairs])
    made = []
    for done, (row, (_, lam)) in enumerate(zip(f, pairs, strict=True)):
        made.append(bandlimited_reconstruction(row, x, lam))
        if progress is not None:
            progress(done + 1, len(pairs))
    return LowPass(x, pairs, f, np.stack(made), np.stack([filtered_wave(x, nu, lam) for nu, lam in pairs]))


EXACT_NU = 2  # sin(4πx)


@dataclass(frozen=True)
class ExactNets:
    """Tanh nets of the box 1 on sin(4πx): exact arithmetic (S draws × W widths), and float64 medians (W,) of the same.

    ``float64_sigmoid`` (W,): the same boxes with sigmoid units.
    """

    widths: tuple[int, ...]
    digits: int
    fits: tuple[tuple[PreciseFit, ...], ...]
    float64: Array
    float64_sigmoid: Array

    def of(self, n: int) -> list[PreciseFit]:
        """The fits of one width, one per draw."""
        return [row[self.widths.index(n)] for row in self.fits]


@protocol
def exact_nets(settings: Settings, *, progress: Progress | None = None) -> ExactNets:
    """The same draws with many digits and in float64, box 1 (a limit of the paper's reading that is ours)."""
    size = settings.size
    seeds = seeds_of(settings, size.exact_seeds)

    def wave(x: object) -> object:
        return mpmath.sin(2 * EXACT_NU * mpmath.pi * x)

    fits = []
    for done, seed in enumerate(seeds):
        with mpmath.workdps(size.digits + 10):  # of the target's own π
            fits.append(tuple(high_precision_fits(size.exact_widths, 1.0, wave, size.digits, seed)))
        if progress is not None:
            progress(done + 1, len(seeds))
    x, x_test = sample_points(settings)
    rounded = [
        np.array([
            np.median(fit_table(x, sine(x, EXACT_NU), x_test, sine(x_test, EXACT_NU), n, [1.0], seeds, kind).error)
            for n in size.exact_widths
        ])
        for kind in ("tanh", "sigmoid")
    ]
    return ExactNets(size.exact_widths, size.digits, tuple(fits), *rounded)
