"""Figures of the robust-matrix lesson: runs of the sub-gradient method, what its start and its steps do to it."""
from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.recovery.robust_matrix import (
    Choices,
    GaussianNoise,
    HardOutliers,
    ImageRun,
    OwnRun,
    Samples,
    Starts,
    Trace,
)
from gradscape.results import Table
from gradscape.workbench import add_band, add_bars, add_line, add_points, axis, figure, mark_y, panels
from gradscape.workbench.figures import Axis

ERROR = "error ‖UUᵀ − X*‖/‖X*‖"
FLOOR = 1e-12  # below, a singular value is rounding
BELOW = {"orientation": "h", "y": -0.22, "yanchor": "top", "font": {"size": 11.5}}  # a legend below the panels
DECADES = (1e-8, 1e-6, 1e-4, 1e-2, 1.0)  # ticks where one panel spans many decades and the other few
GROWN = 0.9  # a signal above has grown; singular values of X* are 1
SHOWN, BAND = 27, 10  # points of a curve, of the edges of a band
FITTED = 0.1  # a spurious part above has fitted noise


def steps(last: int) -> Axis:
    """The axis of steps."""
    return axis("step t", range=(0, last))


def errors(title: str = ERROR, low: float = 1e-7, high: float = 3.0) -> Axis:
    """The axis of relative errors."""
    return axis(title, log=True, range=(low, high))


def some(trace: Trace, count: int = SHOWN) -> Tensor:
    """Indices of about ``count`` of the recorded steps, evenly spread, both ends included."""
    return torch.linspace(0, len(trace.steps) - 1, min(count, len(trace.steps))).round().long()


def curve(fig: go.Figure, trace: Trace, values: Tensor, name: str, i: int, **where: Any) -> None:
    """The median over problems (the first axis of ``values`` (problems, K)), with a band from least to largest."""
    shown, at, few = values.clamp(min=FLOOR), some(trace), some(trace, BAND)
    if len(shown) > 1:
        add_band(fig, trace.steps[few], shown.amin(0)[few], shown.amax(0)[few], name, i, panel=where.get("panel", 0))
    add_line(fig, trace.steps[at], shown.median(0).values[at], name, i, **where)


def column_word(rank: int) -> str:
    """"3 columns"."""
    return f"{rank} column{'s' if rank != 1 else ''}"


def fig_run(run: OwnRun) -> go.Figure:
    """Errors, losses and singular values of runs at the settings' values."""
    s, trace = run.settings, run.trace
    count, last = len(run.truth_loss), int(trace.steps[-1])
    final = {rank: float(trace.final[:, k, 0].median()) for k, rank in enumerate(run.ranks)}
    ends = "; ".join(f"{column_word(rank)}: error {value:.2g}" for rank, value in final.items())
    truth, reached = float(run.truth_loss.median()), float(trace.loss[:, -1, 0, -1].median())
    told = "below" if reached < truth else "not below"
    rank = run.ranks[-1]
    spurious = float(trace.spurious[:, -1, 0, -1].median())
    fig = panels(
        f"α = {s.alpha:.2g}, m = {s.m}, p = {s.p:.2g}, outlier N(0, {s.scale:.3g}²), ν = {s.nu:.2g}, η₀ = {s.eta0:.2g}",
        ["error", "loss f", "signal and spurious part"], [steps(run.horizon)] * 3,
        [errors(), axis("loss f", log=True), axis("size", log=True)], height=440, legend=BELOW,
        takeaway=f"{f'Medians of {count} problems a' if count > 1 else 'A'}fter {last} steps, {ends}. The loss with "
                 f"r′ = {rank} is {reached:.3g}, {told} that of X*, {truth:.3g}. "
                 + ("With r′ < 3 not all of X* can be written." if rank < 3 else
                    "There are no spare columns." if rank == 3 else f"The spurious part is {spurious:.2g}."),
    )
    for k, r in enumerate(run.ranks):
        curve(fig, trace, trace.error[:, k, 0], f"r′ = {r}", k)
        curve(fig, trace, trace.loss[:, k, 0], f"r′ = {r}", k, panel=1, legend=False)
    curve(fig, trace, trace.signal_min[:, -1, 0], f"signal, least singular value, r′ = {rank}", 2, panel=2)
    curve(fig, trace, trace.spurious[:, -1, 0], f"spurious part, r′ = {rank}", 3, panel=2)
    if truth > 0:  # without noise it is 0, which no logarithmic axis shows
        mark_y(fig, truth, "loss of X*", panel=1)
    return fig


def fig_growth(runs: Starts, alphas: tuple[float, float] = (1e-8, 0.1)) -> go.Figure:
    """Signal and rest from a tiny and from a larger start, with as many columns as rows."""
    k, trace = len(runs.ranks) - 1, runs.trace
    at = [runs.alphas.index(alpha) for alpha in alphas]
    high = [(trace.signal_min[:, k, a].median(0).values > GROWN).tolist() + [True] for a in at]
    grown = [min(found.index(True), len(trace.steps) - 1) for found in high]
    when = trace.steps[grown].tolist()
    then = [float(trace.spurious[:, k, a, i].median()) for a, i in zip(at, grown, strict=True)]
    fig = panels(
        f"The signal grows first: r′ = {runs.ranks[k]}, rank 3, a tenth of the measurements wrong",
        [f"start of size α = {alpha:g}" for alpha in alphas], [steps(int(trace.steps[-1]))] * 2,
        [axis("size", log=True, range=(1e-9, 3), ticks=DECADES, labels=[f"{x:g}" for x in DECADES])] * 2,
        height=430, legend=BELOW,
        takeaway=f"Medians of {len(trace.error)} problems, bands from least to largest. When the signal has reached "
                 f"{GROWN}, or at the end (steps {when[0]} and {when[1]}), the spurious part is {then[0]:.1g} and "
                 f"{then[1]:.1g}.",
    )
    for panel, a in enumerate(at):
        where: dict[str, Any] = {"panel": panel, "legend": panel == 0}
        curve(fig, trace, trace.signal_min[:, k, a], "signal: least singular value of VᵀU", 0, **where)
        curve(fig, trace, trace.residual_norm[:, k, a], "rest E: largest singular value of (I − VVᵀ)U", 1, **where)
        curve(fig, trace, trace.spurious[:, k, a], "spurious: E outside the signal's columns", 2, **where)
    return fig


def fig_starts(runs: Starts) -> go.Figure:
    """Errors over steps for starts of several sizes, and at the end, with 3 and with 20 columns."""
    exact, wide = runs.ranks
    trace, final = runs.trace, runs.trace.final
    low, high = (float(final[:, 1, k].median()) for k in (-1, runs.alphas.index(0.1)))
    fig = panels(
        "One schedule, starts of many sizes", [f"r′ = {wide}: error on the way", "error at the end"],
        [steps(int(trace.steps[-1])), axis("size of the start α", log=True)], [errors(), errors("")], height=430,
        takeaway=f"{len(final)} problems: medians, and at the end bands from least to largest. With {wide} columns "
                 f"the error is {high:.2g} at α = 0.1 and {low:.2g} at α = {runs.alphas[-1]:g}; with {exact} it is at "
                 f"most {float(final[:, 0].max()):.2g}, whatever α.",
    )
    for i, k in enumerate((0, 1, 3, 6)):
        at, values = some(trace), trace.error[:, 1, k].median(0).values
        add_line(fig, trace.steps[at], values[at], f"α = {runs.alphas[k]:g}", i, mode="lines")
    for i, rank in enumerate(runs.ranks):
        values = final[:, i]
        add_line(fig, runs.alphas, values.median(0).values, f"r′ = {rank}", 4 + i, panel=1,
                 band=(values.amin(0), values.amax(0)))
    return fig


def fig_choices(result: Choices) -> go.Figure:
    """Step rules, and other small starts."""
    rules = {name: float(trace.final) for name, trace in result.rules.items()}
    last = int(result.started.steps[-1])
    named = zip(result.starts, result.started.final.tolist(), strict=True)
    borrowed, _, *stalled = list(rules.values())[1:]
    fig = panels(
        "Steps and starts, r′ = 20, α = 1e-6", ["step rules, spectral start", "starts, geometric rule"],
        [steps(last)] * 2, [errors(low=1e-8), errors("", low=1e-8)], height=480, legend=BELOW,
        takeaway=f"A schedule made for α = 0.1 is used up before the signal has grown: error {borrowed:.2g}. A "
                 f"constant step stalls at {stalled[1]:.2g}, the surrogate, misled by outliers, at {stalled[0]:.2g}. "
                 "Errors from other starts: "
                 + ", ".join(f"{name} {value:.1g}" for name, value in named) + ".",
    )
    for i, (name, trace) in enumerate(result.rules.items()):
        curve(fig, trace, trace.error[None], name, i)
    for i, name in enumerate(result.starts):
        curve(fig, result.started, result.started.error[i, None], name, 5 + i, panel=1)
    return fig


def fig_outliers(hard: HardOutliers) -> go.Figure:
    """Few measurements, dense and huge outliers; and least squares, which even fewer mislead."""
    lost = not bool(hard.least_squares.error[..., -1].isfinite().all())
    fig = panels(
        "Outliers, many or huge", ["d = 30, rank 2, r′ = 30: the method", "d = 20, rank 3, r′ = 20: least squares"],
        [steps(int(trace.steps[-1])) for trace in (hard.sparse, hard.least_squares)],
        [errors(low=1e-6), errors("", 0.2, 5.0)], height=460, legend=BELOW,
        takeaway=f"Largest errors at the end: {float(hard.sparse.final.max()):.1g} (m = 400, below the 465 unknowns of "
                 f"a symmetric matrix) and {float(hard.dense.final.max()):.1g} (six of ten measurements off by about "
                 f"1000). Least squares, at its best iterate of any rate, rank and start: "
                 f"{float(hard.least_squares_best.min()):.2f}" + (" (a diverging curve ends)." if lost else "."),
    )
    for i, (trace, name) in enumerate(((hard.sparse, "m = 400, p = 0.1, size 10"),
                                       (hard.dense, "m = 2500, p = 0.6, size 1000"))):
        curve(fig, trace, trace.error[:, 0, 0], name, i)
    least = hard.least_squares
    every = some(least)
    for k, name in enumerate(("0.01", "0.03", "0.1", "0.2")):
        values = least.error[:, k, 1, 0].median(0).values
        values = values.where(values.isfinite() & (values < 1e6), torch.nan)
        if bool(values[every].isfinite().any()):
            add_line(fig, least.steps[every], values[every], f"least squares, rate {name}", 2 + k, panel=1, gaps=True)
    return fig


def fig_noise(runs: GaussianNoise) -> go.Figure:
    """Errors and losses of both factors when every measurement is noisy."""
    exact, wide = runs.ranks
    trace = runs.trace
    ratio = runs.final(wide) / runs.final(exact)
    below = int((trace.loss[:, 1, 0, -1] < runs.loss_at_truth).sum())
    worst = int(ratio.argmax())
    rest = float(trace.spurious[worst, 1, 0, -1])
    early = int(trace.steps[trace.error[worst, 1, 0].argmin()])
    fig = panels(
        f"Every measurement is off by N(0, {runs.nu:g}²), m = 1000", ["error", "loss over the loss of X*"],
        [steps(int(trace.steps[-1]))] * 2, [errors(low=0.02), axis("f(U)/f(X*)", range=(0.85, 1.3))], height=420,
        takeaway=f"{len(ratio)} problems. At the end {wide} columns have {float(ratio.min()):.2f} to "
                 f"{float(ratio.max()):.2f} times the error of {exact}; the loss is below that of X* in {below}. "
                 f"In the worst problem the error was least at step {early}"
                 + (f"; then the spurious part grew to {rest:.2f} and fitted noise." if rest > FITTED else "."),
    )
    for k, rank in enumerate(runs.ranks):
        curve(fig, trace, trace.error[:, k, 0], f"r′ = {rank}", k)
        curve(fig, trace, trace.loss[:, k, 0] / runs.loss_at_truth[:, None], f"r′ = {rank}", k, panel=1, legend=False)
    mark_y(fig, 1.0, "X* itself", panel=1)
    return fig


def fig_samples(found: Samples, recorded: Table | None = None) -> go.Figure:
    """Final errors of each problem at few measurements, and the recorded share of recovered problems."""
    sweep = recorded is not None
    shown = ["error at the end, each problem"] + (["share recovered (error ≤ 1e-3), recorded"] if sweep else [])
    counts = [f"{int((found.at(m, rank) <= 1e-3).sum())} of {found.error.shape[-1]} (m = {m}, r′ = {rank})"
             for m in found.measurements for rank in found.ranks]
    counted = axis("measurements m", range=(min(found.measurements) - 30, max(found.measurements) + 30))
    fig = panels(
        "A rank-one matrix of 20 rows: 210 unknowns if only symmetric, 20 in truth", shown,
        [counted, axis("measurements m")][: len(shown)],
        [errors(), axis("share", range=(-0.05, 1.08))][: len(shown)], height=420,
        takeaway=f"Recovered: {', '.join(counts)}." + (f" {recorded.caption}." if recorded else ""),
    )
    for i, rank in enumerate(found.ranks):
        pairs = [(m + (i - 0.5) * 16, value) for m in found.measurements for value in found.at(m, rank).tolist()]
        add_points(fig, *zip(*pairs, strict=True), f"r′ = {rank}", i)
        if recorded is not None:
            rows = [(row["m"], row["recovered"]) for row in recorded.rows() if row["rank"] == rank]
            add_line(fig, *zip(*rows, strict=True), f"r′ = {rank}, recorded", i, panel=1)
    return fig


def fig_kappa(table: Table | None) -> go.Figure:
    """The recorded errors at two condition numbers and two schedules."""
    if table is None:
        title = "Condition number: not recorded yet (gradscape record recovery/robust_matrix)"
        fig = figure(title, axis("κ"), axis(ERROR))
        add_points(fig, [0.0], [0.0], "none", 0)
        return fig
    rows = list(table.rows())
    worst = {row["schedule_kappa"]: row["median_error"] for row in rows if row["kappa"] > 1 and row["rank"] > 3}
    short, own = worst[min(worst)], worst[max(worst)]
    fig = figure(
        "Is a longer schedule better? Condition number κ, α = 1e-8",
        axis("problem and schedule"), errors("median " + ERROR, 1e-7, 1.0),
        takeaway=f"{table.caption}. At κ = {rows[-1]['kappa']:g} and r′ = 20 the schedule of κ = 1 ends at "
                 f"{short:.1g}, the one {rows[-1]['kappa']:g} times as long at {own:.1g}.", barmode="group",
    )
    for i, rank in enumerate(sorted({row["rank"] for row in rows})):
        part = [row for row in rows if row["rank"] == rank]
        names = [f"κ = {row['kappa']:g}, schedule for {row['schedule_kappa']:g}" for row in part]
        add_bars(fig, names, [row["median_error"] for row in part], f"r′ = {rank}", i)
    return fig


def fig_image(run: ImageRun) -> go.Figure:
    """Recovery of a covariance of image patches, and its eigenvalues."""
    trace, last = run.trace, int(run.trace.steps[-1])
    ends = [f"{error:.2g} (r′ = {rank})" for rank, error in zip(run.ranks, trace.final[:, 0].tolist(), strict=True)]
    U = trace.U[-1, 0]
    found = torch.linalg.eigvalsh(U @ U.mT).flip(0).clamp(min=FLOOR)
    order = torch.arange(1, len(found) + 1)
    fig = panels(
        f"The covariance of 4 × 6 pixel patches of a photograph, κ = {run.kappa:.1f}",
        ["error", "eigenvalues, largest = 1"],
        [steps(last), axis("index")], [errors(), axis("eigenvalue", log=True, range=(1e-9, 2))], height=400,
        takeaway=f"Measured is the part of the three largest eigenvalues; a tenth of the measurements is off by about "
                 f"10. Errors at the end: {', '.join(ends)}. The fourth recovered eigenvalue is {float(found[3]):.1g}.",
    )
    for k, rank in enumerate(run.ranks):
        curve(fig, trace, trace.error[k], f"r′ = {rank}", k)
    add_line(fig, order, run.eigenvalues / run.eigenvalues[0], "of the patches", 2, panel=1)
    add_points(fig, order, found, f"recovered with r′ = {run.ranks[-1]}", 3, panel=1)
    return fig
