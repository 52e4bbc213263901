"""What the paper claims, what is measured for it, and by which criterion (arXiv 2506.13710)."""
from __future__ import annotations

import numpy as np
import torch

from gradscape import lesson
from gradscape.lesson import (
    Claim,
    Measured,
    Point,
    above,
    at_least,
    at_most,
    below,
    between,
    every,
)
from gradscape.optimizers.gradient_normalized.experiments import (
    EXACT,
    FISHER,
    GRADIENT,
    GRADIENT_B,
    INEXACT,
    NONE,
    SHARP_MU,
    SMOOTH_MU,
    TOL,
    WEIGHTED,
    Runs,
    cancer,
    chain,
    equations,
    gallery,
    logistic,
    settings_runs,
    smooth_max,
    softmax,
    valley,
)
from gradscape.optimizers.gradient_normalized.search import GnsResult
from gradscape.optimizers.gradient_normalized.settings import Settings
from gradscape.optimizers.gradient_normalized.single import compare, path, picture
from gradscape.optimizers.gradient_normalized.smoothness import GALLERY
from gradscape.stats import powerlaw

CLAIMS = (
    Claim(
        "N1", "paper", "approximate Hessians are as good as exact ones on non-convex residuals, far ahead of gradient "
        "descent", "experiments: Rosenbrock", "authors' code, p = 2 … 8: exact 51 … 59, inexact 49 … 58 iterations",
        {"exact, iterations": at_most(70), "inexact, iterations": at_most(70), "|inexact - exact|": at_most(5),
         "gradient / slower of the two": at_least(15)},
    ),
    Claim(
        "N2", "paper", "the same on LogSumExp, a quasi-self-concordant function", "experiments: LogSumExp",
        "nearly the same speed (n = 1000, μ = 1)",
        {"weighted GN / exact, μ = 1": every(at_most(2)), "weighted GN / exact, μ = 0.2": every(at_most(3.5)),
         "smallest gap of gradient descent, μ = 1": above(1e-6),
         "smallest gap of gradient descent, μ = 0.2": above(1e-3)},
    ),
    Claim(
        "N3", "paper", "every γ up to γ(x) brings progress of at least (γ/8) |g+|²/|g|", "Lemma 1", "1/8",
        {"convex, smallest constant": at_least(1 / 2), "double well, smallest constant": at_least(1 / 8)},
    ),
    Claim(
        "N4", "paper", "the adaptive search is cheap", "Algorithm 1", "about 2 trials an iteration",
        {"trials per iteration, all runs": at_most(2.2), "trials per iteration, largest group": at_most(2.2)},
    ),
    Claim(
        "N5", "paper", "the rank-one Fisher term is enough in the metric A'A, and cheap",
        "experiments: linear operator", None,
        {"Fisher / exact iterations": every(at_most(1)), "values of both solvers apart, relative": every(at_most(1e-4)),
         "operations Cholesky / Sherman–Morrison": every(at_least(3))},
    ),
    Claim(
        "N6", "paper", "the Fisher matrix gives a global linear rate on separable logistic loss", "abstract", None,
        {"Fisher, iterations": every(at_most(160)), "Fisher, R² of log f": every(at_least(0.97)),
         "gradient descent, slope": every(between(-1.3, -0.8)), "gradient descent, f": every(above(1e-8))},
    ),
    Claim(
        "N7", "control", "the normalized step makes the linear rate of N6, not the Fisher curvature", "", None,
        {"H = 0 / Fisher iterations": every(between(1 / 1.3, 1.3))},
    ),
    Claim(
        "N8", "control", "with a margin near 0 (no bounded sublevel set) the Fisher matrix does not help", "", None,
        {"exact, iterations to 1e-4": at_most(100), "Fisher, f at the end": above(1e-3)},
    ),
    Claim(
        "N9", "paper", "on the non-convex Chebyshev chain the inexact Hessian needs no more iterations than the exact "
        "one (shares of solved starts are reported)", "experiments: Chebyshev", None,
        {"median iterations inexact / exact": at_most(1)},
    ),
    Claim(
        "N10", "paper", "softmax regression is fast with approximate Hessians", "abstract", None,
        {"exact / better approximation": below(1), "worse approximation / gradient descent": below(1)},
    ),
    Claim(
        "N11", "paper", "deep networks", "", None, {"iterations": above(0)},
    ),
)


def measure_n1(settings: Settings) -> Measured:
    """Iterations to f < 1e-8 for six powers; deterministic."""
    runs = valley(settings.size.valley_steps)
    exact, inexact, gradient = (runs[name].iterations.double() for name in (EXACT, INEXACT, GRADIENT))
    return Measured({
        "exact, iterations": float(exact.max()), "inexact, iterations": float(inexact.max()),
        "|inexact - exact|": float((inexact - exact).abs().max()),
        "gradient / slower of the two": float((gradient / torch.maximum(exact, inexact)).min()),
    }, note="p = 2, 3, 4, 5, 6, 8: exact {}, inexact {}, gradient {}".format(*map(_counts, (exact, inexact, gradient))))


def measure_n2(settings: Settings) -> Measured:
    """Ratios of iterations to 1e-8, and the gradient method's smallest gap over seeds at the end."""
    size, seed = settings.size, settings.seed
    values: dict[str, list[float] | float] = {}
    notes = []
    for n, mu in ((size.smooth_n, SMOOTH_MU), (size.sharp_n, SHARP_MU)):
        runs = smooth_max(n, mu, seed, size.seeds, size.gradient_steps)
        values[f"weighted GN / exact, μ = {mu:g}"] = _ratios(runs[WEIGHTED], runs[EXACT])
        values[f"smallest gap of gradient descent, μ = {mu:g}"] = float(runs.last(GRADIENT).min())
        notes.append(
            f"μ = {mu:g}, n = {n}: exact {_span(runs[EXACT])}, weighted GN {_span(runs[WEIGHTED])} iterations; "
            f"gradient descent in the same metric {_reached(runs, GRADIENT_B, size.gradient_steps)}"
        )
    return Measured(values, n=size.seeds, note="; ".join(notes))


def measure_n3(settings: Settings) -> Measured:
    """Smallest (f - f+) |g|/(γ g+²) over random x and γ <= γ(x), γ(x) by bisection."""
    found = {name: float(part.constant.min()) for name, part in gallery(settings.size.gallery, settings.seed).items()}
    convex = {name: value for name, value in found.items() if GALLERY[name].convex}
    note = ", ".join(f"{GALLERY[name].formula} {value:.3f}" for name, value in found.items())
    return Measured({
        "convex, smallest constant": min(convex.values()), "double well, smallest constant": found["double_well"],
    }, n=settings.size.gallery, note=f"smallest: {note}")


def measure_n4(settings: Settings) -> Measured:
    """Trials over iterations, of all runs together and of each method on each problem."""
    groups = trials_per_iteration(settings)
    means = {name: trials / iterations for name, (trials, iterations) in groups.items()}
    most = max(means, key=lambda name: means[name])
    trials, iterations = (sum(pair[k] for pair in groups.values()) for k in (0, 1))
    return Measured({
        "trials per iteration, all runs": trials / iterations, "trials per iteration, largest group": means[most],
        "smallest group": min(means.values()),
    }, n=len(groups), note=f"largest: {most}; searches that fail at a stationary point count with all their trials")


def measure_n5(settings: Settings) -> Measured:
    """Iterations, agreement of the two solvers' values, and floating-point operations of both whole runs."""
    size = settings.size
    runs = equations(size.equations, settings.seed, size.seeds)
    fast, slow = runs[FISHER], runs["fisher_cholesky"]
    both = min(len(fast.values), len(slow.values))
    apart = (fast.values[:both] / slow.values[:both] - 1).abs().nan_to_num(0.0).amax(0)
    apart = torch.where(fast.iterations == slow.iterations, apart, torch.inf)
    work = {name: operations(runs[name], size.equations, name != FISHER) for name in (FISHER, "fisher_cholesky")}
    return Measured({
        "Fisher / exact iterations": _ratios(fast, runs[EXACT]),
        "values of both solvers apart, relative": apart.tolist(),
        "operations Cholesky / Sherman–Morrison": (work["fisher_cholesky"] / work[FISHER]).tolist(),
    }, n=size.seeds, note=(
        f"iterations: exact {_span(runs[EXACT])}, Fisher {_span(fast)}, gradient descent in the metric "
        f"{_span(runs[GRADIENT_B])}, without it {_span(runs[GRADIENT])}; operations stand for time"
    ))


def measure_n6(settings: Settings) -> Measured:
    """Iterations to f < 1e-9 and straightness of log f for Fisher; slope and end of gradient descent."""
    size = settings.size
    runs = logistic(settings.seed, size.seeds, size.logistic_steps)
    floor = runs["gradient_no_floor"]
    reached = sum(word == "converged" for word in floor.status)
    return Measured({
        "Fisher, iterations": runs[FISHER].iterations.tolist(), "Fisher, R² of log f": straightness(runs[FISHER]),
        "gradient descent, slope": slopes(runs[GRADIENT]), "gradient descent, f": runs[GRADIENT].values[-1].tolist(),
    }, n=size.seeds, note=(
        f"exact: {_span(runs[EXACT])} iterations; gradient descent without the floor L >= 1e-5 reaches 1e-9 in "
        f"{_span(floor)} iterations ({reached} of {size.seeds} runs)"
    ))


def measure_n7(settings: Settings) -> Measured:
    """Iterations with H = 0 over those with the Fisher matrix."""
    size = settings.size
    runs = logistic(settings.seed, size.seeds, size.logistic_steps)
    return Measured(
        {"H = 0 / Fisher iterations": _ratios(runs[NONE], runs[FISHER])}, n=size.seeds,
        note=f"H = 0 {_span(runs[NONE])}, Fisher {_span(runs[FISHER])} iterations",
    )


def measure_n8(settings: Settings) -> Measured:
    """Breast-cancer logistic regression; deterministic."""
    runs = cancer(settings.size.cancer_steps)
    last = {name: float(runs.last(name)) for name in runs.results}
    return Measured({
        "exact, iterations to 1e-4": float(runs.first_below(EXACT, 1e-4)),
        "Fisher, f at the end": last[FISHER],
    }, note=f"f at the end: exact {last[EXACT]:.2g} after {int(runs[EXACT].iterations[0])} iterations, H = 0 "
            f"{last[NONE]:.2g} and gradient descent {last[GRADIENT]:.2g} after {settings.size.cancer_steps}")


def measure_n9(settings: Settings) -> Measured:
    """Starts that reach f < 1e-8, and the median of their iterations."""
    size = settings.size
    runs = chain(size.chain, settings.seed, size.starts)
    solved = {name: solved_runs(runs, name) for name in runs.results}
    medians = {name: float(runs[name].iterations[solved[name]].double().median()) if solved[name].any() else np.nan
               for name in solved}
    rest = torch.cat([runs.last(name)[~solved[name]] for name in (EXACT, INEXACT)])
    stuck = f"; the others stop at f = {float(rest.min()):.4g} to {float(rest.max()):.4g}" if len(rest) else ""
    return Measured({
        "median iterations inexact / exact": medians[INEXACT] / medians[EXACT],
        "solved by inexact": int(solved[INEXACT].sum()), "solved by exact": int(solved[EXACT].sum()),
        "solved by gradient descent": int(solved[GRADIENT].sum()),
    }, n=size.starts, note=f"median iterations: exact {medians[EXACT]:g}, inexact {medians[INEXACT]:g}, gradient "
                           f"descent {medians[GRADIENT]:g}{stuck}")


def measure_n10(settings: Settings) -> Measured:
    """f of softmax regression on digits after 40 iterations, gradient descent after 100."""
    runs = softmax(settings.size.digits_steps, settings.size.digits_gradient)
    ends = {name: float(runs.last(name)) for name in (EXACT, WEIGHTED, FISHER, NONE)}
    gradient = runs[GRADIENT].values[:, 0]
    after = {k: float(gradient[min(k, len(gradient) - 1)]) for k in (40, 100, 1000)}
    return Measured({
        "exact / better approximation": ends[EXACT] / min(ends[WEIGHTED], ends[FISHER]),
        "worse approximation / gradient descent": max(ends[WEIGHTED], ends[FISHER]) / after[100],
    }, note=(
        f"f: exact {ends[EXACT]:.4f} ({int(runs[EXACT].iterations[0])} iterations), weighted GN {ends[WEIGHTED]:.4f}, "
        f"Fisher {ends[FISHER]:.4f}, H = 0 {ends[NONE]:.4f}; gradient descent {after[40]:.4f} after 40, "
        f"{after[100]:.4f} after 100, {after[1000]:.4f} after 1000"
    ))


def measure_n11(settings: Settings) -> Measured:
    """Not at laptop scale, and not in the paper's experiments either as far as known."""
    return Measured.not_tested("no deep network here; as far as the paper's summaries tell, none in the paper either")


def trials_per_iteration(settings: Settings) -> dict[str, tuple[int, int]]:
    """Trials and iterations of every method on every problem, all runs of a group together."""
    groups = {}
    for problem, runs in settings_runs(settings).items():
        for name, result in runs.results.items():
            if not name.startswith("gradient"):
                groups[f"{problem}, {name}"] = (int(result.total_trials.sum()), int(result.iterations.sum()))
    return groups


def operations(result: GnsResult, rows: int, factored: bool) -> torch.Tensor:
    """Floating-point operations of a run on the linear residual with ``rows`` equations and n = 2 ``rows`` unknowns.

    Both: f and g (two products with A) and a dual norm (n²) per trial. A factorization costs n³/3 and its solve 2 n²
    per trial, and n² per iteration to write H down; Sherman-Morrison 4 n² per iteration and 4 n per trial.
    """
    n = 2 * rows
    trials, iterations = result.total_trials.double(), result.iterations.double()
    shared = trials * (4 * rows * n + n**2)
    if factored:
        return shared + trials * (n**3 / 3 + 2 * n**2) + iterations * n**2
    return shared + iterations * 4 * n**2 + trials * 4 * n


def straightness(result: GnsResult, first: int = 10) -> list[float]:
    """R² of the straight line through log f against k from k = ``first`` on, one per run."""
    found = []
    for s, last in enumerate(result.iterations.tolist()):
        k = np.arange(min(first, max(last - 2, 0)), last + 1)
        log = np.log(result.values[k, s].numpy())
        residual = log - np.polyval(np.polyfit(k, log, 1), k)
        found.append(float(1 - residual.var() / log.var()))
    return found


def slopes(result: GnsResult) -> list[float]:
    """Slope of log f against log k over the last nineteen twentieths of the iterations, one per run."""
    last = len(result.values) - 1
    k = np.arange(max(last // 20, 1), last + 1)
    return [float(powerlaw.fit(k, result.values[k, s].numpy()).exponents[0]) for s in range(result.values.shape[1])]


def solved_runs(runs: Runs, name: str) -> torch.Tensor:
    """Which runs reached f - f* < 1e-8."""
    return runs.last(name) < TOL


def _reached(runs: Runs, name: str, steps: int) -> str:
    """In how many iterations all runs got there, or how near they came."""
    first = runs.first_below(name, TOL)
    if bool(torch.isfinite(first).all()):
        return f"{int(first.min())}–{int(first.max())} iterations"
    return f"ends between {float(runs.last(name).min()):.2g} and {float(runs.last(name).max()):.2g} after {steps}"


def _ratios(one: GnsResult, other: GnsResult) -> list[float]:
    return (one.iterations.double() / other.iterations).tolist()


def _span(result: GnsResult) -> str:
    low, high = int(result.iterations.min()), int(result.iterations.max())
    return f"{low}" if low == high else f"{low}–{high}"


def _counts(values: torch.Tensor) -> str:
    return ", ".join(f"{int(value)}" for value in values)


MEASURES = {
    "N1": measure_n1, "N2": measure_n2, "N3": measure_n3, "N4": measure_n4, "N5": measure_n5, "N6": measure_n6,
    "N7": measure_n7, "N8": measure_n8, "N9": measure_n9, "N10": measure_n10, "N11": measure_n11,
}


def measure(settings: Settings) -> dict[str, Measured]:
    """Every claim, by its fixed protocol."""
    return lesson.measure(CLAIMS, MEASURES, settings)


def point(settings: Settings) -> Point:
    """One path on Rosenbrock's residual and one LogSumExp problem, at the settings' own values."""
    step = picture(settings.function, settings.point, settings.theta, settings.ratio)
    walk = path(settings.p, settings.start_1, settings.start_2, settings.kind, settings.gamma0)
    curves = compare(settings.n, settings.mu, settings.seed)
    return Point({
        "gamma": step.largest, "progress": step.constant, "path_iterations": float(walk.result.iterations),
        "path_trials": float(walk.result.total_trials), "path_f": float(walk.result.values[-1]),
        "lse_exact": float(curves[EXACT].iterations[0]), "lse_weighted": float(curves[WEIGHTED].iterations[0]),
        "lse_none": float(curves[NONE].iterations[0]),
    })
