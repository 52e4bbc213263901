"""Figures of the Bayes-optimal lesson: the optimum, the spectrum, GAMP-RIE, gradient descent, and all in one."""
from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import torch

from gradscape.dynamics.bayes_optimal.experiments import (
    DescentCell,
    DescentRun,
    GampCell,
    Optimum,
    PhaseMap,
    Spectrum,
    optimum_at,
)
from gradscape.lessons.dynamics.bayes_optimal import published
from gradscape.workbench import add_line, add_points, axis, figure, heatmap, mark_x, mark_y, panels
from gradscape.workbench.figures import Axis

LOAD = "labels per squared input α = n/d²"
ERROR = "error κ‖Ŝ − S‖²/d"
BINS = 40
TALLEST = 1.0  # densities are cut here: hardly any noise leaves a tall narrow peak at 0


def errors_axis(top: float = 1.05) -> Axis:
    """The scale of every error of this lesson: 1 without data."""
    return axis(ERROR, range=(0, top))


def fig_curves(curves: list[Optimum]) -> go.Figure:
    """The optimal error over the load for several widths, without noise."""
    few, many = curves[0], curves[-1]
    fig = figure(
        "The optimal error without noise", axis(LOAD), errors_axis(),
        takeaway=f"Few neurons need few labels: exact recovery at α = {few.threshold:.3g} for κ = {few.kappa:g}, at "
                 f"{many.threshold:.3g} for κ = {many.kappa:g}, where the curve is nearly the line 1 − 2α.",
    )
    for i, curve in enumerate(curves):
        add_line(fig, curve.alphas, curve.errors, f"κ = {curve.kappa:g}", i, mode="lines")
        add_points(fig, [curve.threshold], [0.0], f"threshold, κ = {curve.kappa:g}", i, legend=False)
    return fig


def fig_optimum(result: Optimum) -> go.Figure:
    """One curve, its threshold, and the point that was chosen."""
    noisy = result.delta > 0
    where = "without noise" if not noisy else f"with noise Δ = {result.delta:.3g}"
    fig = figure(
        f"The optimal error at κ = {result.kappa:.3g}, {where}", axis(LOAD), errors_axis(),
        takeaway=f"With α = {result.alpha:.3g} no method gets below {result.error:.3g}. "
                 + ("Noise leaves an error at every α." if noisy else
                    f"Exact recovery begins at α = {result.threshold:.3g}."),
    )
    add_line(fig, result.alphas, result.errors, "optimum", 0, mode="lines")
    if noisy:
        add_line(fig, result.alphas, result.noiseless, "without noise", 1, mode="lines")
    else:
        add_line(fig, result.alphas, np.maximum(0, 1 - 2 * result.alphas), "κ → ∞: 1 − 2α", 1, mode="lines")
    mark_x(fig, result.threshold, "α_PR without noise", i=2)
    add_points(fig, [result.alpha], [result.error], "chosen α", 3, marker={"size": 11})
    return fig


def fig_spectrum(result: Spectrum) -> go.Figure:
    """The spectrum that the estimator sees, and where it moves each eigenvalue."""
    parts = len(result.edges) // 2
    fig = panels(
        f"Seen through noise of variance 1/q = {1 / result.q:.3g} (κ = {result.kappa:.3g})",
        ["eigenvalues of Y = S + Z/√q", "what becomes of an eigenvalue"], [axis("eigenvalue l of Y")] * 2,
        [axis("density", range=(0, min(TALLEST, 1.2 * float(result.density.max())))), axis("l − 2 D h(l)")],
        takeaway=("Two parts: the eigenvalues that are 0 in S stand apart from the others. " if parts == 2 else
                  "One part: noise covers the gap between zero and other eigenvalues of S, if there is one. ")
                 + "Each eigenvalue is moved along the curve; the dashed diagonal would leave it where it is.",
    )
    shown = np.minimum(result.density, 2 * TALLEST)
    add_line(fig, result.x, shown, "law", 0, mode="lines")
    if len(result.drawn):
        counts, edges = np.histogram(result.drawn, BINS, (float(result.edges[0]), float(result.edges[-1])))
        add_points(fig, (edges[1:] + edges[:-1]) / 2, counts / len(result.drawn) / np.diff(edges),
                   f"one draw, d = {result.d}", 1, marker={"size": 6})
    add_line(fig, result.x, result.shrunk, "estimator", 2, panel=1, mode="lines", line={"dash": "solid"})
    add_line(fig, result.x[[0, -1]], result.x[[0, -1]], "unchanged", 6, panel=1, mode="lines", line={"dash": "dash"})
    return fig


def fig_map(result: PhaseMap) -> go.Figure:
    """The optimal error over load and width."""
    noisy = result.delta > 0
    fig = figure(
        f"The optimal error over load and width, Δ = {result.delta:.3g}", axis(LOAD), axis("κ = m/d", log=True),
        takeaway="The line is α = κ − κ²/2 (½ for κ ≥ 1): "
                 + ("with noise nothing special happens there." if noisy else "right of it the error is 0."),
        height=420,
    )
    heatmap(fig, result.alphas[::2], result.kappas[::2], result.errors[::2, ::2], "error", range=(0, 1))
    keep = result.thresholds <= result.alphas[-1]
    add_line(fig, result.thresholds[keep], result.kappas[keep], "recovery threshold", 1, mode="lines",
             line={"color": "#ffffff"}, legend=False)
    return fig


def fig_gamp(cells: list[GampCell]) -> go.Figure:
    """Error of each run of GAMP-RIE over the optimal error."""
    means = [float(cell.ratio.mean()) for cell in cells]
    fig = figure(
        f"GAMP-RIE over the optimum, d = {cells[0].d}",
        axis("teacher", ticks=list(range(len(cells))),
             labels=[f"κ = {c.kappa:g}, Δ = {c.delta:g}, α = {c.alpha:g}" for c in cells]),
        axis("error / optimal error"),
        takeaway=f"Means over {len(cells[0].errors)} teachers lie between {min(means):.3f} and {max(means):.3f}; the "
                 "optimum is 1, and single teachers scatter around the mean.",
    )
    for k, cell in enumerate(cells):
        add_points(fig, np.full(len(cell.ratio), float(k)), cell.ratio, "one teacher", 0, legend=k == 0)
    add_points(fig, np.arange(len(cells)), means, "mean", 1, marker={"size": 12, "symbol": "line-ew-open"})
    mark_y(fig, 1.0, "optimum", i=2)
    return fig


def fig_rounds(cell: GampCell) -> go.Figure:
    """Errors round by round, beside state evolution and the optimum."""
    rounds, runs = np.arange(1, cell.history.shape[1] + 1), len(cell.errors)
    fig = figure(
        f"GAMP-RIE round by round: κ = {cell.kappa:.3g}, Δ = {cell.delta:.3g}, α = {cell.alpha:.3g}, d = {cell.d}",
        axis("round"), errors_axis(max(1.05, 1.1 * float(cell.history.max()))),
        takeaway=f"{'Mean of the' if runs > 1 else 'The'} last ten rounds: {float(cell.errors.mean()):.3g}, optimum "
                 f"{cell.theory:.3g}. State evolution damps only V, so that the first rounds differ.",
    )
    add_line(fig, rounds, cell.predicted, "state evolution", 0, mode="lines")
    name = f"mean of {runs} runs" if runs > 1 else "one run"
    add_line(fig, rounds, cell.history.mean(0), name, 1)
    mark_y(fig, cell.theory, "optimum", i=2)
    return fig


def fig_descent(result: DescentRun) -> go.Figure:
    """Error of the mean of 1, 2, … solutions of gradient descent on one teacher."""
    told = result.summary
    fig = figure(
        f"Averaging solutions of gradient descent: κ = {result.kappa:.3g}, Δ = {result.delta:.3g}, "
        f"α = {result.task_alpha:.3g}, d = {result.d}",
        axis("solutions averaged"), errors_axis(max(1.05, 1.1 * float(result.averaged.max()))),
        takeaway=f"One solution has {told['single']:.3g}, infinitely many would have {told['infinite']:.3g}, the "
                 f"optimum is {result.theory:.3g}. Nishimori ratio {told['ratio']:.3f} (posterior samples: 1).",
    )
    add_line(fig, result.counts, result.averaged, "error of the mean", 0)
    mark_y(fig, result.theory, "optimum", i=2)
    add_line(fig, result.counts[[0, -1]], [told["infinite"]] * 2, "mean of infinitely many", 1, mode="lines")
    return fig


def fig_averaging(scaling: list[DescentCell], noisy: DescentCell) -> go.Figure:
    """Single and averaged solutions over the optimum as d grows, and with noise."""
    fig = panels(
        "Gradient descent over the optimum", [f"no noise, α = {scaling[0].alpha:g}",
                                              f"Δ = {noisy.delta:g}, α = {noisy.alpha:g}, d = {noisy.d}"],
        [axis("inputs d"), axis("replicate")], [axis("error / optimal error", range=(0, 3))] * 2,
        takeaway=_averaging_words(scaling, noisy),
    )
    sizes = [float(cell.d) for cell in scaling]
    for i, (name, key) in enumerate((("one solution", "single"), ("mean of infinitely many", "infinite"))):
        ratios = [cell.values(key) / cell.theory for cell in scaling]
        error = [float(r.std() / len(r) ** 0.5) for r in ratios]
        add_points(fig, sizes, [float(r.mean()) for r in ratios], name, i, error=error)
        values = noisy.values(key) / noisy.theory
        add_points(fig, np.arange(1.0, len(values) + 1), values, name, i, panel=1, legend=False)
    for panel in range(2):
        mark_y(fig, 1.0, "optimum", panel=panel, i=2)
    return fig


def _averaging_words(scaling: list[DescentCell], noisy: DescentCell) -> str:
    infinite = [float((cell.values("infinite") / cell.theory).mean()) for cell in scaling]
    bad = float((noisy.values("infinite") / noisy.theory).mean())
    listed = ", ".join(f"{ratio:.3f} at d = {cell.d}" for ratio, cell in zip(infinite, scaling, strict=True))
    return (f"Without noise infinitely many solutions would average to {listed} times the optimum (bars: standard "
            f"error over teachers). With noise the average stays at {bad:.2f} times the optimum.")


def fig_meeting(gamp: list[GampCell], squares: list[torch.Tensor], descent: list[DescentCell]) -> go.Figure:
    """Theory and simulation at κ = ½ without noise: the optimum, GAMP-RIE, least squares, gradient descent."""
    curve = optimum_at(0.5, 0.0, 0.2)
    d, small = gamp[0].d, descent[0].d
    fig = figure(
        "One teacher, many methods: κ = ½, no noise", axis(LOAD), errors_axis(1.7),
        takeaway=f"Points are simulated (d = {d}; gradient descent d = {small}), lines are theory without a fitted "
                 "constant. One solution of gradient descent is about twice as bad as the optimum; their average is "
                 "near it.", height=460,
    )
    add_line(fig, curve.alphas, curve.errors, "optimum", 0, mode="lines")
    add_line(fig, curve.alphas, np.maximum(0, 1 - 2 * curve.alphas), "κ → ∞: 1 − 2α", 6, mode="lines")
    cells = sorted((cell for cell in gamp if (cell.kappa, cell.delta) == (0.5, 0.0)), key=lambda cell: cell.alpha)
    add_points(fig, [c.alpha for c in cells], [float(c.errors.mean()) for c in cells], "GAMP-RIE", 1)
    add_points(fig, published.GAMP_ALPHAS, published.GAMP_ERRORS, "GAMP-RIE, the authors, d = 200", 4,
               marker={"symbol": "x-thin-open", "size": 9})
    add_points(fig, [0.2, 0.3], [float(each.mean()) for each in squares], "least squares", 5)
    loads = [cell.alpha for cell in descent]
    for i, (name, key) in ((2, ("one solution of gradient descent", "single")),
                           (3, (f"mean of {descent[0].starts} solutions", "averaged"))):
        add_points(fig, loads, [float(cell.values(key).mean()) for cell in descent], name, i)
    add_points(fig, [published.AVERAGED_ALPHA], [published.AVERAGED_ERROR], "mean of 64, the authors, d = 200", 7,
               marker={"symbol": "star-open", "size": 10})
    mark_x(fig, curve.threshold, "α_PR", i=6)
    return fig
