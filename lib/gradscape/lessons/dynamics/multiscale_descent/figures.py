"""Figures of the multi-scale lesson: error curves, the plane of R and Q, plateaus, ridge regression, penalties."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.dynamics.multiscale_descent.experiments import (
    FAR,
    GEOMETRIES,
    KAPPAS,
    SHOWN_TO,
    DescentCurves,
    ImageStudents,
    Onset,
    Penalized,
    RidgeGaps,
    SingleFeatures,
    TaskResult,
)
from gradscape.dynamics.multiscale_descent.shape import Shape, descent_shape
from gradscape.dynamics.multiscale_descent.theory import plateau
from gradscape.stats.grid import Grid
from gradscape.workbench import add_band, add_line, add_points, axis, figure, heatmap, mark_x, mark_y, panels
from gradscape.workbench.figures import GRID, MUTED, Axis

TIME, ERROR = "training time t", "error E"
PER_DECADE, BAND = 3.0, 2.0  # points drawn per decade of time, on curves and their bands
LOW, HIGH = 0.1, 0.9  # a band holds the middle 80 % of the data sets
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # errors whose lines are drawn in the plane of R and Q
TALLEST = 3.0  # an error above is not worth an axis


def steps(low: float = 1.0, high: float = 1e7) -> Axis:
    """The axis of training time."""
    return axis(TIME, "steps", log=True, range=(low, high))


def few(times: Tensor, per_decade: float = PER_DECADE) -> Tensor:
    """Indices of some of the times from the first step on, about evenly spread in the logarithm, the last included."""
    whole = (times >= 1.0).nonzero().flatten()
    logs = times[whole].log10()
    wanted = torch.linspace(0.0, float(logs[-1]), round(per_decade * float(logs[-1])) + 1, dtype=times.dtype)
    return whole[torch.searchsorted(logs, wanted - 1e-9).clamp(max=len(whole) - 1).unique()]


def curve(
    fig: go.Figure, times: Tensor, E: Tensor, name: str, i: int, *, spread: Tensor | None = None, **where: Any
) -> None:
    """A smooth curve over time (T,), with a band over data sets if their curves ``spread`` (S, T) are given."""
    some, coarse = few(times), few(times, BAND)
    if spread is not None:
        low, high = band_of(spread[:, coarse])
        add_band(fig, times[coarse], low, high, name, i, panel=where.get("panel", 0))
    line = {"shape": "spline"} | where.pop("line", {})
    add_line(fig, times[some], E[some], name, i, mode="lines", line=line, **where)


def name_of(kappa: float) -> str:
    """A ratio of scales as a reader writes it."""
    return "κ = 10⁵" if kappa == FAR else f"κ = {kappa:.3g}"


def band_of(E: Tensor) -> tuple[Tensor, Tensor]:
    """The middle 80 % of curves (S, T) at each time."""
    low, high = torch.quantile(E, torch.tensor([LOW, HIGH], dtype=E.dtype), dim=0)
    return low, high


def draw_levels(fig: go.Figure, high: float, panel: int = 0) -> None:
    """Lines of equal error in the plane of R and Q: ``Q = 2E - 1 + 2R``."""
    n = "" if panel == 0 else str(panel + 1)
    for level in LEVELS:
        left, right = max(0.0, 0.5 - level), min(1.05, (high + 1) / 2 - level)
        ends = {"x0": left, "y0": 2 * level - 1 + 2 * left, "x1": right, "y1": 2 * level - 1 + 2 * right}
        fig.add_shape(type="line", xref=f"x{n}", yref=f"y{n}", layer="below", **ends,
                      line={"color": GRID if level else MUTED, "width": 2 if level == 0 else 1.5})
        fig.add_annotation(x=right, y=ends["y1"], xref=f"x{n}", yref=f"y{n}", text=f"{level:g}", showarrow=False,
                           font={"size": 10, "color": MUTED}, xanchor="right", yanchor="top")


def fig_single(result: SingleFeatures) -> go.Figure:
    """Fast features alone, slow features alone, and both: the closed form (the paper's Fig. 1)."""
    task, shape = result.task, descent_shape(result.times, result.both)
    fast = descent_shape(result.times, result.fast)
    fig = figure(
        f"Two speeds, two descents: closed form, n = {task.n}, p = {task.p}, {name_of(task.kappa)}",
        steps(), axis(ERROR, range=(0, 0.52)),
        takeaway=f"Fast features alone turn at t = {fast.t_min:.3g} and end at {fast.e_end:.3f}. With slow ones the "
                 f"error turns there too, rises to {shape.e_peak:.3f}, and then falls to {shape.e_end:.3f}.",
    )
    for i, (E, name) in enumerate(((result.fast, "fast features learn, slow ones never do"),
                                   (result.slow, "slow features learn, fast ones are fitted"),
                                   (result.both, "both learn"))):
        curve(fig, result.times, E, name, i, line={"width": 3 if i == 2 else 2})
    return fig


def fig_task(result: TaskResult) -> go.Figure:
    """One task: gradient descent on data sets with a band over seeds, and both theories; a cursor links the panels."""
    curves, task, times = result.curves, result.curves.task, result.curves.times
    sets = len(curves.E)
    E = curves.mean if sets else curves.limit
    known = torch.cat([part.flatten() for part in (curves.limit, curves.E)])
    top = min(TALLEST, max(0.55, 1.05 * float(known[known.isfinite()].max())))
    high = max(1.4, min(2 * TALLEST, 1.05 * float(curves.ridge.Q[curves.ridge.Q.isfinite()].max())))
    fig = panels(
        f"n = {task.n}, p = {task.p}, {name_of(task.kappa)}, σ = {task.noise:.2g}, λ = {task.l2:.2g}"
        + (f", a₀ = {result.a0:.2g}" if result.a0 else ""),
        ["R and Q (gray: equal error)", "error over time"],
        [axis("alignment R", range=(0, 1.05)), steps()], [axis("norm Q", range=(0, high)), axis(ERROR, range=(0, top))],
        takeaway=words_of(result, E), height=420,
    )
    draw_levels(fig, high)
    i, path = int((times.log() - math.log(result.t)).abs().argmin()), few(times)
    series = [(curves.closed, "closed form for κ → ∞ (ridge)", 1), (curves.ridge, "limit of large sizes (ridge)", 2)]
    for orders, name, k in series:
        add_line(fig, orders.R[path], orders.Q[path], name, k, mode="lines", gaps=True)
        curve(fig, times, orders.E, name, k, panel=1, legend=False, gaps=True)
    where = curves.ridge
    if sets:
        name = f"gradient descent, mean of {sets} data sets"
        R, Q = curves.orders.R.mean(0), curves.orders.Q.mean(0)
        add_line(fig, R[path], Q[path], name, 0, mode="lines", line={"width": 3})
        some = few(times)
        add_band(fig, times[some], curves.E[:, some].amin(0), curves.E[:, some].amax(0), name, 0, panel=1)
        curve(fig, times, E, name, 0, panel=1, legend=False, line={"width": 3})
        where = type(curves.ridge)(R, Q)
    add_points(fig, [float(where.R[i])], [float(where.Q[i])], "at time t", 7, marker={"size": 11})
    mark_x(fig, float(times[i]), f"t = {float(times[i]):.4g}", panel=1)
    return fig


def words_of(result: TaskResult, E: Tensor) -> str:
    """What a task's curve does, in one sentence, and where theory and simulation part most."""
    curves = result.curves
    shape = descent_shape(curves.times, E)
    who = "Gradient descent" if len(curves.E) else "Ridge regression, r = λ + 1/(ηt),"
    if shape.is_double:
        words = (f"{who} falls to {shape.e_min:.3f} at t = {shape.t_min:.3g}, rises to {shape.e_peak:.3f} at "
                 f"{shape.t_peak:.3g}, ends at {shape.e_end:.3f}: double descent.")
    elif shape.rise > 0:
        words = (f"{who} falls to {shape.e_min:.3f} at t = {shape.t_min:.3g}, then overfits to {shape.e_peak:.3f} and "
                 f"ends at {shape.e_end:.3f}: no second descent below the first.")
    else:
        words = f"{who} has no bump of 0.005 or more: its least error is {shape.e_min:.3f}, its end {shape.e_end:.3f}."
    other = curves.limit if len(curves.E) else curves.closed.E
    gap = (other - E).abs()
    gap = gap[gap.isfinite()]
    which = "The limit of ridge" if len(curves.E) else "The closed form"
    return f"{words} {which} is off by up to {float(gap.max()):.2g}."


def fig_kappas(all_curves: list[DescentCurves]) -> go.Figure:
    """Gradient descent at several κ: paths in the plane of R and Q, and errors over time (the paper's Fig. 4)."""
    doubles = [name_of(c.task.kappa) for c in all_curves if descent_shape(c.times, c.mean).is_double]
    sets = len(all_curves[0].E)
    fig = panels(
        "Gradient descent from equal to very different speeds, n = 110, p = 70 of 100",
        ["R and Q (gray: equal error)", "error over time"],
        [axis("alignment R", range=(0, 1.05)), steps()],
        [axis("norm Q", range=(0, 1.4)), axis(ERROR, range=(0, 0.52))], height=440,
        takeaway=f"Exact, means of {sets} data sets; bands hold the middle 80 % of them. Mean curves with "
                 f"a double descent within these times: {', '.join(doubles) or 'none'}.",
    )
    draw_levels(fig, 1.4)
    for i, curves in enumerate(all_curves):
        name = name_of(curves.task.kappa)
        path = few(curves.times)
        add_line(fig, curves.orders.R.mean(0)[path], curves.orders.Q.mean(0)[path], name, i, mode="lines")
        curve(fig, curves.times, curves.mean, name, i, spread=curves.E, panel=1, legend=False)
    return fig


def fig_onset(result: Onset) -> go.Figure:
    """Share of data sets with a bump, and its height, over κ."""
    most = result.kappas[result.share >= 0.5]
    fig = panels(
        "From which κ on is there a bump?", ["gradient descent: share of data sets", "height of the bump"],
        [axis("κ", log=True), axis("κ", log=True)], [axis("share", range=(-0.03, 1.05)), axis("rise of E")],
        takeaway=f"Bumps of 0.002 and more. Half of the data sets have one from κ = {float(most[0]):.2g} on; ridge "
                 "regression on the clock r = 1/(ηt) needs a larger κ." if len(most) else
                 "Bumps of 0.002 and more: fewer than half of the data sets have one.",
    )
    add_line(fig, result.kappas, result.share, "gradient descent", 0)
    add_line(fig, result.kappas, result.rise, "gradient descent", 0, panel=1, legend=False)
    add_line(fig, result.kappas, result.ridge_rise, "ridge, limit of large sizes", 2, panel=1)
    return fig


def fig_plateaus(all_curves: list[DescentCurves]) -> go.Figure:
    """Error curves at κ = 1e5 beside the formula of the plateau."""
    ratios = [float(c.at(FAR).mean()) / plateau(c.task) for c in all_curves]
    fig = figure(
        "Slow features as noise: gradient descent at κ = 10⁵", steps(), axis(ERROR, range=(0, 0.52)),
        takeaway=f"Bands hold the middle 80 % of {len(all_curves[0].E)} data sets; dashed: ½(1 − p/d) n/(n − p). The "
                 f"means at t = κ are {', '.join(f'{ratio:.3f}' for ratio in ratios)} of it.",
    )
    for i, curves in enumerate(all_curves):
        name = f"n = {curves.task.n}, p = {curves.task.p}"
        curve(fig, curves.times, curves.mean, name, i, spread=curves.E)
        mark_y(fig, plateau(curves.task), "", i=i)
    return fig


def fig_collapse(all_curves: list[DescentCurves], level: float) -> go.Figure:
    """The second descent over t/κ²."""
    fig = figure(
        "The second descent in units of κ²", axis("t/κ²", "steps", log=True, range=(1e-2, 1e3)),
        axis(ERROR, range=(0, 0.52)),
        takeaway="Mean error passes " + f"{level:g} at t/κ² = "
                 + ", ".join(f"{c.crossing(level) / c.task.kappa**2:.3g} ({name_of(c.task.kappa)})" for c in all_curves)
                 + ".",
    )
    for i, curves in enumerate(all_curves):
        x = curves.times / curves.task.kappa**2
        inside = (x >= 1e-2) & (x <= 1e3)
        add_line(fig, x[inside][::3], curves.mean[inside][::3], name_of(curves.task.kappa), i)
    mark_y(fig, level, f"E = {level:g}")
    return fig


def fig_ridge(gaps: RidgeGaps) -> go.Figure:
    """Exact ridge regression beside the closed form and the limit of large sizes (the paper's Fig. 3)."""
    x = 1.0 / gaps.penalties
    some = ((x >= 1e-2) & (x <= 1e13)).nonzero().flatten()[::9]
    fig = panels(
        "Ridge regression (points) and its theories (lines)",
        [f"n = {n}, p = {p} of 100" for n, p in GEOMETRIES],
        [axis("1/r", log=True, range=(0.01, 1e13))] * 2, [axis(ERROR, range=(0, 0.52))] * 2, height=430,
        takeaway=f"Solid: limit of large sizes, off by at most {float(gaps.limit.max()):.2g}. Dashed: closed form, off "
                 f"by up to {float(gaps.closed[:, 1].max()):.2g} at κ = 50 and {float(gaps.closed[:, 2].max()):.2g} at "
                 "κ = 10⁵ (not drawn at κ = 1), at the second descent. Fig. 3 of the paper ends at 1/r = 10⁶.",
    )
    for panel in (0, 1):
        for k, kappa in enumerate(KAPPAS):
            where: dict[str, Any] = {"panel": panel, "legend": panel == 0}
            add_line(fig, x[some], gaps.limit_E[panel, k, some], f"limit, {name_of(kappa)}", k, mode="lines",
                     line={"dash": "solid", "shape": "spline"}, **where)
            if kappa > 1:
                add_line(fig, x[some], gaps.closed_E[panel, k, some], f"closed form, {name_of(kappa)}", k, mode="lines",
                         line={"dash": "dash", "width": 1.5, "shape": "spline"}, **where)
            add_points(fig, x[some][::2], gaps.simulated[panel, k, some][::2], f"data, {name_of(kappa)}", k,
                       marker={"size": 6}, **where)
        mark_x(fig, 1.0 / SHOWN_TO, "Fig. 3 ends", panel=panel)
    return fig


def peak_of(shape: Shape) -> str:
    """The peak of a curve in words."""
    return f"{shape.e_peak:.3f} at t = {shape.t_peak:.3g}" if shape.is_double else "no bump"


def fig_clock(all_curves: list[DescentCurves]) -> go.Figure:
    """Gradient descent beside ridge regression on the clock ``r = 1/(ηt)``."""
    peaks = [[descent_shape(c.times, E) for E in (c.mean, c.limit)] for c in all_curves]
    said = "; ".join(f"{name_of(c.task.kappa)}: {peak_of(a)} against {peak_of(b)}"
                     for c, (a, b) in zip(all_curves, peaks, strict=True))
    fig = panels(
        "Gradient descent at time t, and ridge regression at 1/(ηt)", [name_of(c.task.kappa) for c in all_curves],
        [steps()] * len(all_curves), [axis(ERROR, range=(0, 0.52))] * len(all_curves),
        takeaway=f"Descent against ridge, peaks: {said}. The lemma gives the shape, not the height; both are means or "
                 "limits, nothing is fitted.",
    )
    for panel, curves in enumerate(all_curves):
        where: dict[str, Any] = {"panel": panel, "legend": panel == 0}
        curve(fig, curves.times, curves.mean, "gradient descent", 0, spread=curves.E, **where)
        curve(fig, curves.times, curves.limit, "ridge, limit of large sizes", 2, **where)
    return fig


def fig_penalty(result: Penalized) -> go.Figure:
    """Descent with and without the penalty on Q (the paper's Fig. 6)."""
    peaks = result.peaks.mean(1).tolist()
    ends = [float(E[:, -1].mean()) for E in (result.plain, result.penalized)]
    left = descent_shape(result.times, result.penalized.mean(0))
    fig = figure(
        "A penalty on Q that fades: n = 120, p = 70, κ = 30, a₀ = 0.6", steps(high=1e5), axis(ERROR, range=(0, 0.52)),
        takeaway=f"Mean peak {peaks[0]:.3f} → {peaks[1]:.3f}; error after 10⁵ steps {ends[0]:.4f} → "
                 f"{ends[1]:.4f}. The bump is lower, not gone: with the "
                 f"penalty the mean still rises by {left.rise:.3f}." if left.is_double else
                 f"Mean peak {peaks[0]:.3f} → {peaks[1]:.3f}: no bump is left.",
    )
    for i, (E, name) in enumerate(((result.plain, "without"), (result.penalized, "with the penalty"))):
        curve(fig, result.times, E.mean(0), f"{name}, mean of {len(E)} data sets", i, spread=E)
    return fig


def fig_map(grid: Grid) -> go.Figure:
    """Error over ridge penalty and training time (the paper's Fig. 5 c-d)."""
    l2, t = np.array(grid.axes["l2"]), np.array(grid.axes["t"])
    shapes = [descent_shape(torch.from_numpy(t), torch.from_numpy(row)) for row in grid.values]
    double = l2[[shape.is_double for shape in shapes]]
    row, column = np.unravel_index(int(grid.values.argmin()), grid.values.shape)
    fig = figure(
        "Error over ridge coefficient and time", steps(), axis("ridge coefficient λ", log=True), height=420,
        takeaway=(f"Double descent for λ up to {double.max():.1g}. " if len(double) else "No double descent here. ")
        + f"Least error {float(grid.values.min()):.3f} at λ = {l2[row]:.1g}, t = {t[column]:.1g}.",
    )
    heatmap(fig, t[::3], l2[::2], grid.values[::2, ::3].round(3), "error E", zsmooth="best")
    return fig


def fig_examples(all_curves: list[DescentCurves]) -> go.Figure:
    """Error curves for fewer and more examples than fast features."""
    ends = ", ".join(f"{float(c.mean[-1]):.2f} (n = {c.task.n})" for c in all_curves)
    fig = figure(
        "How many examples does the second descent need? p = 70, κ = 100", steps(), axis(ERROR, range=(0, 1.6)),
        takeaway=f"Error at the end: {ends}. With n ≤ p fast features fit every label, no error is left to drive slow "
                 "ones, and the second descent never comes.",
    )
    for i, curves in enumerate(all_curves):
        curve(fig, curves.times, curves.mean, f"n = {curves.task.n}", i, spread=curves.E)
    return fig


def fig_images(result: ImageStudents) -> go.Figure:
    """The linear student on images: random teachers beside Gaussian factors, and the images' own labels."""
    error = result.given.err
    shape = descent_shape(result.times, error.mean(0))
    second = float(error.mean(0)[result.times >= shape.t_peak].min())
    fig = panels(
        "A linear student on Fashion-MNIST, n = 130, p = 70, κ = 100 of 100 components",
        ["(a) labels from random linear teachers", "(b) the images' own labels: odd or even class"],
        [steps()] * 2, [axis(ERROR, range=(0, 0.55)), axis("share of test images wrong", range=(0, 0.55))],
        takeaway=f"Bands hold the middle 80 % of {len(error)} draws. (b) falls to {shape.e_min:.3f}, rises to "
                 f"{shape.e_peak:.3f}, falls to {second:.3f}, and ends at {shape.e_end:.3f}: three turns, not two.",
        height=400,
    )
    for i, (E, name) in enumerate(((result.teacher.E, "image components"), (result.gaussian, "Gaussian factors"))):
        curve(fig, result.times, E.mean(0), name, i, spread=E)
    curve(fig, result.times, error.mean(0), "0–1 error", 2, spread=error, panel=1)
    return fig
