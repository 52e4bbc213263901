"""Figures of the lesson: each method keeps its own series number everywhere."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import torch

from gradscape.optimizers.gradient_normalized.experiments import (
    EXACT,
    FISHER,
    GRADIENT,
    GRADIENT_B,
    INEXACT,
    NONE,
    POWERS,
    TOL,
    WEIGHTED,
    Constants,
    Runs,
)
from gradscape.optimizers.gradient_normalized.single import Comparison, Step, Walk
from gradscape.optimizers.gradient_normalized.smoothness import GALLERY
from gradscape.results import Table
from gradscape.workbench import add_line, add_points, axis, figure, mark_x, mark_y, panels
from gradscape.workbench.figures import Axis

LABELS = {
    EXACT: "exact Hessian", INEXACT: "Gauss–Newton (inexact)", WEIGHTED: "weighted Gauss–Newton", FISHER: "Fisher",
    "fisher_term": "Fisher term", NONE: "H = 0", GRADIENT: "gradient descent", GRADIENT_B: "gradient descent in B",
    "gradient_no_floor": "gradient descent, no floor on L",
}
SERIES = {EXACT: 0, INEXACT: 1, WEIGHTED: 1, FISHER: 2, "fisher_term": 2, NONE: 3, GRADIENT: 4, GRADIENT_B: 5,
          "gradient_no_floor": 6}
# the same methods where there is little room
SHORT = {EXACT: "exact", INEXACT: "Gauss–Newton", WEIGHTED: "weighted GN", FISHER: "Fisher",
         "fisher_term": "Fisher term", NONE: "H = 0"}
SOLVERS = {"cholesky": "Cholesky", "eigen": "eigenvalues", "rank_one": "Sherman–Morrison"}
TRIALS = {"exact": (EXACT,), "(weighted) Gauss–Newton": (INEXACT, WEIGHTED), "Fisher (term)": (FISHER, "fisher_term"),
          "H = 0": (NONE,), "Fisher term, by Cholesky": ("fisher_cholesky",)}
FLOOR = 1e-13  # gaps below are rounding and not drawn
VALLEY_LEVELS = (0.5, 2.0, 6.0, 16.0)
DRAWN = 20  # points of each function in the figure of the progress lemma


def _curve(fig: go.Figure, runs: Runs, name: str, run: int = 0, *, legend: bool = True, panel: int = 0,
           solves: bool = False) -> None:
    """f - f* of one run over its iterations, or over its linear solves."""
    result, last = runs[name], int(runs[name].iterations[run])
    gap = np.maximum(runs.gaps(name)[: last + 1, run].numpy(), FLOOR)
    along = np.arange(last + 1)
    if solves:
        along = np.concatenate([[0], np.cumsum(result.trials[:last, run].numpy())])
    keep = np.unique(np.round(np.geomspace(1, last + 1, 22)).astype(int)) - 1 if last > 22 else slice(None)
    add_line(fig, along[keep], gap[keep], LABELS[name], SERIES[name], legend=legend, panel=panel)


def _gap(title: str = "f − f*") -> Axis:
    return axis(title, log=True)


def fig_step(step: Step) -> go.Figure:
    """The function with its step, and the gradient with its linear model and the admissible band."""
    good = "inside" if step.gamma <= step.largest * (1 + 1e-9) else "beyond"
    bound = 0.5 if step.problem.convex else 0.125
    fig = panels(
        f"One step on {step.problem.formula}", ["function and step", "gradient and its linear model"],
        [axis("x"), axis("displacement h")], [axis("f"), axis("f′(x + h)")],
        takeaway=f"γ = {step.gamma:.3g} is {good} γ(x) = {step.largest:.3g}. Progress constant {step.constant:.3g} "
                 f"(at least {bound:g} is promised up to γ(x)).",
    )
    reach = max(min(step.gamma, step.largest, 3.0), 1.3 * abs(step.y - step.x), 0.3)
    reach = min(reach, 6.0)
    h = torch.linspace(-reach, reach, 41, dtype=torch.float64)
    x = step.x + h
    add_line(fig, x, step.problem.f(x), step.problem.formula, 6, mode="lines", line={"dash": "solid"})
    ends = torch.tensor([step.x, step.y], dtype=torch.float64)
    add_line(fig, ends, step.problem.f(ends), "step", 0)
    # the region of Definition 1 with C = H: displacements along which the model falls, at most gamma long
    longest = min(step.gamma, reach, abs(step.g) / step.H if step.H > 0 else reach)
    toward = -float(np.sign(step.g)) * longest
    h = toward * torch.linspace(-0.4, 1.6, 41, dtype=torch.float64)
    add_line(fig, h, step.g + step.H * h, "model g + H h", 1, panel=1, mode="lines")
    inside = toward * torch.linspace(0, 1, 31, dtype=torch.float64)
    model, band = step.g + step.H * inside, abs(step.g) * inside.abs() / step.gamma
    add_line(fig, inside, model, "band |g||h|/γ, where it counts", 1, panel=1, mode="lines",
             band=(model - band, model + band), line={"width": 4, "dash": "solid"})
    add_line(fig, h, step.problem.grad(step.x + h), "true gradient", 7, panel=1, mode="lines", line={"dash": "solid"})
    return fig


def fig_constants(parts: Mapping[str, Constants]) -> go.Figure:
    """Progress constants over the radius."""
    low = {name: float(part.constant.min()) for name, part in parts.items()}
    convex = min(value for name, value in low.items() if GALLERY[name].convex)
    fig = figure(
        "The progress lemma on the line", axis("γ / γ(x)", log=True),
        axis("(f − f₊) |g| / (γ g₊²)", log=True, range=(0.09, 150)),
        takeaway=f"The smallest constant is {convex:.2f} for the convex functions and {low['double_well']:.2f} for the "
                 f"double well; the lemma promises 1/2 and 1/8. Of each function {DRAWN} draws are shown, its smallest "
                 "among them, and values above 100 at 100.",
    )
    for i, (name, part) in enumerate(parts.items()):
        drawn = torch.unique(torch.cat([part.constant.argmin()[None], torch.arange(min(DRAWN, len(part.constant)))]))
        finite = part.constant.nan_to_num(posinf=100.0).clamp(max=100.0)[drawn]
        add_points(fig, (part.gamma / part.largest)[drawn], finite, GALLERY[name].formula, i, marker={"size": 5})
    mark_y(fig, 0.5, "1/2")
    mark_y(fig, 0.125, "1/8")
    return fig


def fig_valley(runs: Runs) -> go.Figure:
    """Iterations by power."""
    gradient = runs[GRADIENT].iterations
    newton = torch.stack([runs[name].iterations for name in (EXACT, INEXACT)])
    fig = figure(
        "Powers of Rosenbrock's residual from (−2, 2)", axis("power p"), axis("iterations to f < 1e-8", log=True),
        takeaway=f"Both Hessians need {int(newton.min())} to {int(newton.max())} iterations, gradient descent "
                 f"{int(gradient.min())} to {int(gradient.max())}.",
    )
    for name in (EXACT, INEXACT, GRADIENT):
        add_line(fig, POWERS, runs[name].iterations, LABELS[name], SERIES[name])
    return fig


def fig_smooth_max(smooth: Runs, sharp: Runs) -> go.Figure:
    """f - f* on LogSumExp for two smoothings, first seed."""
    met = smooth.first_below(GRADIENT_B, TOL)
    words = f"gets there too, in {int(met[0])} iterations: part" if bool(torch.isfinite(met[0])) else \
        "does not get there in time; part"
    fig = panels(
        "LogSumExp, first seed", ["μ = 1", "μ = 0.2"], [axis("iteration k", log=True)] * 2, [_gap(), _gap("")],
        takeaway=f"At μ = 1 gradient descent in the same metric B {words} of the lead is the "
                 "metric's. At μ = 0.2 the Hessians are needed, and the exact one is ahead.",
    )
    for panel, runs in enumerate((smooth, sharp)):
        for name in (EXACT, WEIGHTED, GRADIENT, GRADIENT_B):
            _curve(fig, runs, name, legend=panel == 0, panel=panel)
    return fig


def fig_trials(groups: Mapping[str, tuple[int, int]]) -> go.Figure:
    """Trials per iteration of every method on every problem, one row a problem."""
    rates = {tuple(name.rsplit(", ", 1)): trials / iterations for name, (trials, iterations) in groups.items()}
    problems = list(dict.fromkeys(problem for problem, _ in rates))[::-1]
    fig = figure(
        "What the search costs", axis("trials per iteration", range=(0.9, 2.4)),
        axis("", ticks=range(len(problems)), labels=problems), height=420,
        takeaway=f"Between {min(rates.values()):.2f} and {max(rates.values()):.2f} trials per iteration; the dashed "
                 "line is the criterion's 2.2.",
    )
    for i, (label, kinds) in enumerate(TRIALS.items()):
        shown = [(rate, problems.index(problem) + 0.16 * (2 - i)) for (problem, kind), rate in rates.items()
                 if kind in kinds]
        if shown:
            add_points(fig, *np.transpose(shown), label, i)
    mark_x(fig, 2.2)
    return fig


def fig_equations(runs: Runs) -> go.Figure:
    """f on the linear residual, first seed."""
    counts = {name: int(runs[name].iterations[0]) for name in (FISHER, EXACT, GRADIENT_B, GRADIENT)}
    fig = figure(
        "|Ax − b|⁴/4, first seed", axis("iteration k"), _gap("f"),
        takeaway=f"Iterations: Fisher term {counts[FISHER]}, exact {counts[EXACT]}, gradient descent in the metric A′A "
                 f"{counts[GRADIENT_B]}, without it {counts[GRADIENT]}.",
    )
    for name in (EXACT, FISHER, GRADIENT, GRADIENT_B):
        _curve(fig, runs, name)
    return fig


def fig_logistic(runs: Runs) -> go.Figure:
    """f on the separable logistic loss, first seed."""
    counts = {name: int(runs[name].iterations[0]) for name in (FISHER, NONE, "gradient_no_floor")}
    fig = figure(
        "Separable logistic loss, first seed", axis("iteration k", log=True), _gap("f"),
        takeaway=f"Fisher {counts[FISHER]}, H = 0 {counts[NONE]}, gradient descent whose L may fall freely "
                 f"{counts['gradient_no_floor']} iterations. Only the floor L ≥ 1e-5 makes gradient descent slow.",
    )
    for name in (EXACT, FISHER, NONE, GRADIENT, "gradient_no_floor"):
        _curve(fig, runs, name)
    return fig


def fig_margin(runs: Runs) -> go.Figure:
    """f on the breast-cancer table."""
    last = {name: float(runs.last(name)) for name in runs.results}
    fig = figure(
        "Breast cancer: separable, with almost no margin", axis("iteration k", log=True), _gap("f"),
        takeaway=f"The exact Hessian reaches {last[EXACT]:.1e}; Fisher ends at {last[FISHER]:.3f}, H = 0 at "
                 f"{last[NONE]:.3f}, gradient descent at {last[GRADIENT]:.3f}.",
    )
    for name in (EXACT, FISHER, NONE, GRADIENT):
        _curve(fig, runs, name)
    return fig


def fig_chain(runs: Runs) -> go.Figure:
    """Iterations of each start on the Chebyshev chain."""
    solved = {name: int((runs.last(name) < TOL).sum()) for name in runs.results}
    fig = figure(
        "The Chebyshev chain from random starts", axis("start"), axis("iterations", log=True),
        takeaway=f"Starts that reach f < 1e-8: inexact {solved[INEXACT]}, exact {solved[EXACT]}, gradient descent "
                 f"{solved[GRADIENT]} of {len(runs.last(EXACT))}; runs that do not are left out.",
    )
    for name in (EXACT, INEXACT, GRADIENT):
        done = (runs.last(name) < TOL).nonzero()[:, 0]
        if len(done):
            add_points(fig, done, runs[name].iterations[done], LABELS[name], SERIES[name])
    return fig


def fig_digits(runs: Runs) -> go.Figure:
    """f of softmax regression on digits."""
    fig = figure(
        "Softmax regression on digits, 650 variables", axis("iteration k", log=True), axis("f", log=True),
        takeaway=f"Exact {float(runs.last(EXACT)):.4f}, weighted Gauss–Newton {float(runs.last(WEIGHTED)):.4f}, Fisher "
                 f"{float(runs.last(FISHER)):.4f}; gradient descent {float(runs.last(GRADIENT)):.4f}, after "
                 f"{int(runs[GRADIENT].iterations[0])} iterations that are much cheaper.",
    )
    for name in (EXACT, WEIGHTED, FISHER, NONE, GRADIENT):
        _curve(fig, runs, name)
    return fig


def fig_path(walk: Walk) -> go.Figure:
    """The path over level sets of the residual, f and gamma over iterations."""
    result, K = walk.result, int(walk.result.iterations)
    fig = panels(
        f"Rosenbrock's residual to the power {walk.p}, {LABELS[walk.kind]}", ["path", "f", "radius γ"],
        [axis("x₁", range=(-3, 3)), axis("iteration k"), axis("iteration k")],
        [axis("x₂", range=(-3, 6)), _gap(""), axis("", log=True)],
        takeaway=f"{K} iterations, {int(result.total_trials)} trials, f = {float(result.values[-1]):.2g}; the gray "
                 "curves are level sets, the same for every p.",
    )
    for level in VALLEY_LEVELS:  # |u| = level, as x2 over the x1 that the picture shows
        x = np.linspace(max(1 - level, -3.0), min(1 + level, 3.0), 25)
        half = np.sqrt(np.maximum(level**2 - (1 - x) ** 2, 0)) / 10
        both = np.concatenate([x * x + half, [np.nan], (x * x - half)[::-1]]).round(2)
        around = np.concatenate([x, [np.nan], x[::-1]])
        add_line(fig, around, np.where(np.abs(both) < 6.5, both, np.nan), "level", 6, mode="lines", legend=False,
                 gaps=True, line={"width": 0.7, "dash": "solid"})
    add_line(fig, walk.points[:, 0], walk.points[:, 1], "path", 0, marker={"size": 5})
    add_line(fig, np.arange(K + 1), result.values.clamp(min=1e-300), "f", 1, panel=1, legend=False)
    add_line(fig, np.arange(K + 1), result.gammas, "γ", 2, panel=2, legend=False)
    return fig


def fig_compare(runs: Comparison) -> go.Figure:
    """f - f* over iterations and over linear solves on one LogSumExp problem."""
    counts = ", ".join(f"{LABELS[name]} {int(result.iterations[0])}" for name, result in runs.results.items())
    fig = panels(
        f"LogSumExp with n = {runs.n}, μ = {runs.mu:g}", ["over iterations", "over trials"],
        [axis("iteration k", log=True), axis("trials", log=True)], [_gap(), _gap("")],
        takeaway=f"Iterations until 1e-8 or the limit: {counts}.",
    )
    for name in runs.results:
        _curve(fig, runs, name)
        _curve(fig, runs, name, panel=1, legend=False, solves=True)
    return fig


def fig_smoothing(table: Table | None) -> go.Figure:
    """The recorded smoothing sweep."""
    if table is None:
        fig = figure("LogSumExp by smoothing: nothing recorded yet", axis("smoothing μ"), axis("iterations"))
        add_points(fig, [0.0], [0.0], "none", 0)
        return fig
    c = table.columns
    ratios = [float(r) for r in c["ratio"]]
    fig = figure(
        "LogSumExp by smoothing", axis("smoothing μ", log=True), axis("median iterations to 1e-8", log=True),
        takeaway=f"{table.caption}. Weighted Gauss–Newton needs {ratios[0]:.1f} times the exact one's iterations at "
                 f"μ = {c['mu'][0]:g} and {ratios[-1]:.1f} times at μ = {c['mu'][-1]:g}. "
                 "1000 is the limit: not reached.",
    )
    for name, key in ((EXACT, "exact"), (WEIGHTED, "weighted"), (NONE, "none")):
        add_line(fig, c["mu"], c[key], LABELS[name], SERIES[name])
    return fig


def fig_times(table: Table | None) -> go.Figure:
    """Recorded CPU times of solvers and of scipy's minimizers."""
    if table is None:
        fig = figure("CPU time: nothing recorded yet", axis("run"), axis("CPU seconds"))
        add_points(fig, [0.0], [0.0], "none", 0)
        return fig
    rows = [row for row in table.rows() if row["gap"] < TOL]
    missed: dict[str, list[str]] = {}
    for row in table.rows():
        if row["gap"] >= TOL:
            missed.setdefault(row["method"].removeprefix("scipy "), []).append(row["problem"])
    spent = {row["method"]: row["seconds"] for row in rows if row["problem"] == "linear equations"}
    ratio = spent["fisher_term, cholesky"] / spent["fisher_term, rank_one"]
    said = "; ".join(f"{method} ({', '.join(problems)})" for method, problems in missed.items())
    fig = figure(
        "CPU time of whole runs", axis("CPU seconds", log=True),
        axis("", ticks=range(len(rows)), labels=[_method(row["method"]) for row in rows[::-1]]), height=480,
        takeaway=f"{table.caption}. Sherman–Morrison takes the same steps as Cholesky in 1/{ratio:.1f} of the time. "
                 f"Not drawn, as they ended above the tolerance, of scipy: {said or 'none'}.",
    )
    for i, problem in enumerate(dict.fromkeys(row["problem"] for row in rows)):
        shown = [(row["seconds"], k) for k, row in enumerate(rows[::-1]) if row["problem"] == problem]
        add_points(fig, *np.transpose(shown), problem, i)
    return fig


def _method(name: str) -> str:
    """A recorded method in words: "weighted_gauss_newton, eigen" is weighted GN, eigenvalues."""
    kind, _, solver = name.partition(", ")
    return f"{SHORT[kind]}, {SOLVERS[solver]}" if solver else name


def fig_sizes(table: Table | None) -> go.Figure:
    """The recorded iterations on larger LogSumExp problems."""
    if table is None:
        fig = figure("Larger problems: nothing recorded yet", axis("n"), axis("iterations"))
        add_points(fig, [0.0], [0.0], "none", 0)
        return fig
    rows = list(table.rows())
    smooth = [row for row in rows if row["problem"] == "LogSumExp"]
    long = [row for row in rows if row["problem"] != "LogSumExp"]
    smoothings = sorted({row["mu"] for row in smooth}, reverse=True)
    missed = sorted({LABELS[row["method"]] for row in smooth if row["gap"] >= TOL})
    said = ", ".join(f"{LABELS[row['method']]} {row['iterations']:.0f} (f = {row['gap']:.0e})" for row in long)
    fig = panels(
        "Larger problems", [f"LogSumExp, μ = {mu:g}" for mu in smoothings],
        [axis("variables n", ticks=sorted({row["n"] for row in smooth}))] * len(smoothings),
        [axis("" if k else "iterations to 1e-8", log=True) for k in range(len(smoothings))],
        takeaway=f"{table.caption}. Means of up to 3 seeds; stopped before 1e-8, at their limit, somewhere: "
                 f"{', '.join(missed) or 'none'}. One Chebyshev chain of {long[0]['n']}: {said}.",
    )
    for name in (EXACT, WEIGHTED, GRADIENT, GRADIENT_B):
        for panel, mu in enumerate(smoothings):
            part = [row for row in smooth if row["method"] == name and row["mu"] == mu]
            add_line(fig, [row["n"] for row in part], [row["iterations"] for row in part], LABELS[name], SERIES[name],
                     panel=panel, legend=panel == 0)
    return fig
