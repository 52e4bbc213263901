"""Figures of the calibration lesson: one run, the phase diagram, bad gains, noise, and images seen blindly."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.metrics import rsnr
from gradscape.recovery.blind_calibration import SUCCESS, Descents, ImageRun, OwnRun, PhaseDiagram, Trial
from gradscape.workbench import add_band, add_line, add_points, axis, figure, image_grid, mark_x, mark_y, panels
from gradscape.workbench.figures import Axis, heading

LEAST = 1e-16  # what float64 leaves of an error of exactly 0, for logarithmic axes
LIMITS = (1.05, 2.6)  # ratios between which the transition is asked to lie


def error_axis(title: str = "relative error", low: float = 1e-9, high: float = 3.0) -> Axis:
    """A logarithmic axis of errors."""
    return axis(title, log=True, range=(low, high))


def words_of(value: float) -> str:
    """An error as a reader writes it."""
    return "not computed (too large to wait for)" if math.isnan(value) else f"{value:.2g}"


def fig_run(result: OwnRun) -> go.Figure:
    """One problem: errors and loss over the iterations, and estimated against true gains."""
    problem, run = result.problem, result.run
    assert run.error is not None
    found = max(result.ex, result.eg)
    ending = "recovered" if found < SUCCESS else "not recovered"
    how = "" if bool(run.converged) else ", given up while still moving"
    fig = panels(
        f"n = {problem.n}, m = {problem.m}, p = {problem.p}: {problem.ratio:.2f} measurements per unknown",
        ["the way there", "gains of the sensors"],
        [axis("iteration"), axis("true gain g")], [error_axis("error, loss", 1e-16, 10.0), axis("estimated gain γ")],
        height=430,
        takeaway=f"{ending.capitalize()} after {int(run.iterations)} iterations{how}: errors {result.ex:.2g} of x and "
                 f"{result.eg:.2g} of g. Least squares made linear: {words_of(result.linear)}; gains ignored: "
                 f"{words_of(result.ignoring)}.",
    )
    at = run.at
    add_line(fig, at, run.error.clamp(min=LEAST), "larger error of x and g", 0, mode="lines")
    add_line(fig, at, run.loss.clamp(min=LEAST), "loss", 1, mode="lines")
    mark_y(fig, SUCCESS, "recovered below")
    low, high = float(problem.g.min()), float(problem.g.max())
    add_line(fig, [low, high], [low, high], "γ = g", 7, mode="lines", panel=1)
    add_points(fig, problem.g, torch.ones_like(problem.g), "start", 6, panel=1, marker={"size": 5})
    add_points(fig, problem.g, run.g, "end", 2, panel=1)
    return fig


def fig_transition(made: PhaseDiagram) -> go.Figure:
    """Share of problems recovered, and iterations, over the ratio of measurements to unknowns."""
    found = [made.transition(m) for m in made.sensors]
    said = ", ".join(f"{value:.2f} (m = {m})" for m, value in zip(made.sensors, found, strict=True))
    seen = [cell for cell in made.cells if cell.linear >= 0.9]
    fig = panels(
        f"Where recovery sets in: n = {made.n}, ρ = {made.rho:g}, {made.seeds} problems per cell",
        ["recovered, by descent", "iterations (median)"],
        [axis("measurements per unknown", range=(0, 3.6))] * 2,
        [axis("share", range=(-0.03, 1.05)), axis("iterations", log=True)], height=420,
        takeaway=f"90 % recovered from a ratio of {said} on, within {made.cap} iterations. Linear least squares "
                 f"recovers from {min((cell.ratio for cell in seen), default=math.nan):.2f} on (dashed line).",
    )
    for i, m in enumerate(made.sensors):
        cells = made.of(m)
        x = [cell.ratio for cell in cells]
        add_line(fig, x, [cell.success for cell in cells], f"m = {m}", i)
        add_line(fig, x, [cell.iterations for cell in cells], f"m = {m}", i, panel=1, legend=False)
    if seen:
        mark_x(fig, min(cell.ratio for cell in seen), "")
    mark_y(fig, made.cap, "cap", panel=1)
    return fig


def fig_recorded(rows: list[dict[str, Any]], caption: str) -> go.Figure:
    """The smallest ratio with 90 % success over m, from a recorded table of phase diagrams."""
    groups = sorted({(row["n"], row["rho"]) for row in rows})
    fig = figure(
        "The transition at other sizes and gains", axis("sensors per entry of the signal, m/n", log=2),
        axis("smallest ratio with 90 % success", range=(0, 3.0)),
    )
    found: list[float] = []
    for i, (n, rho) in enumerate(groups):
        ms = sorted({row["m"] for row in rows if (row["n"], row["rho"]) == (n, rho)})
        firsts = [
            min((row["ratio"] for row in rows
                 if (row["n"], row["rho"], row["m"]) == (n, rho, m) and row["success"] >= 0.9 - 1e-9), default=math.nan)
            for m in ms
        ]
        add_line(fig, np.array(ms) / n, firsts, f"n = {n}, ρ = {rho:g}", i, gaps=True)
        found += [first for first in firsts if math.isfinite(first)]
    for limit in LIMITS:
        mark_y(fig, limit, f"{limit:g}")
    said = f"All between {min(found):.2f} and {max(found):.2f}" if found else "Nowhere are 90 % recovered"
    fig.update_layout(heading(
        fig.layout.title.text, f"{said}. Ratios step by m/(n + m − 1): with many sensors there are few values to "
                               f"choose from. {caption}.",
    ))
    return fig


def fig_gains(runs: list[Descents]) -> go.Figure:
    """Errors over the iterations from mild to bad gains."""
    said = ", ".join(f"{run.median:g} (ρ = {run.rho:g})" for run in runs)
    fig = figure(
        "From mild gains to ones that almost vanish: n = m = 64, p = 8", axis("iteration"),
        error_axis("larger relative error of x and g", 1e-10),
        takeaway=f"Median of {len(runs[0].reached)} problems; bands hold all of them at the least and the largest ρ. "
                 f"Iterations to an error of 10⁻⁹: {said}.",
    )
    for i, run in enumerate(runs):
        some = torch.arange(0, run.error.shape[1], 4)
        E = run.error[:, some].clamp(min=LEAST)
        seen = E.amax(0) > 1e-10
        if i in (0, len(runs) - 1):
            add_band(fig, some[seen], E[:, seen].amin(0).clamp(min=1e-10), E[:, seen].amax(0), f"ρ = {run.rho:g}", i)
        add_line(fig, some[seen], E[:, seen].quantile(0.5, 0), f"ρ = {run.rho:g}", i, mode="lines")
    mark_y(fig, 1e-9, "10⁻⁹")
    return fig


def fig_noise(runs: list[Trial]) -> go.Figure:
    """Errors of descent and of linear least squares over the noise."""
    noise = [run.noise for run in runs]
    gains = [float((run.linear / run.error).quantile(0.5)) for run in runs]
    fig = figure(
        "Noise on the measurements: n = m = 64, p = 8, ρ = 0.9",
        axis("standard deviation of the noise σ", log=True), axis("larger relative error of x and g", log=True),
        takeaway=f"Median of {len(runs[0].error)} problems, bands from least to largest. Descent's error is "
                 f"{float((runs[-1].error / runs[-1].noise).quantile(0.5)):.2g} σ; linear least squares, exact "
                 f"without noise, is about {sum(gains) / len(gains):.2g} times worse.",
    )
    for i, (name, series) in enumerate((
        ("descent on both", [run.error for run in runs]), ("least squares made linear", [run.linear for run in runs]),
    )):
        band = ([float(values.min()) for values in series], [float(values.max()) for values in series])
        add_line(fig, noise, [float(values.quantile(0.5)) for values in series], name, i, band=band)
    return fig


def fig_ignoring(runs: list[Trial]) -> go.Figure:
    """The error of x when gains are taken for 1, over rho, with the start's beside it."""
    rho = [run.rho for run in runs]
    ends = [float(run.ignoring.quantile(0.5)) for run in runs]
    share = sum(end / run.rho for end, run in zip(ends, runs, strict=True)) / len(runs)
    first, last = (float(max(getattr(run, name).max() for run in runs)) for name in ("start", "ex"))
    fig = figure(
        "What ignoring the gains costs: n = m = 64, p = 8, no noise", axis("ρ, how bad gains are", range=(0, 1)),
        error_axis("relative error of x", 1e-8, 2.0),
        takeaway=f"Least squares with gains taken for 1 misses x by {', '.join(f'{end:.2g}' for end in ends)}, "
                 f"about {share:.2g} times ρ. Descent starts farther away, at up to {first:.2g}, "
                 f"and ends at {last:.1g} or less.",
    )
    for i, (name, series) in enumerate((
        ("backprojection, the start", [run.start for run in runs]),
        ("least squares, gains taken for 1", [run.ignoring for run in runs]),
        ("descent on both", [run.ex for run in runs]),
    )):
        band = ([float(values.min()) for values in series], [float(values.max()) for values in series])
        add_line(fig, rho, [float(values.quantile(0.5)) for values in series], name, i, band=band)
    return fig


def decibels(truth: Tensor, estimate: Tensor) -> str:
    """A ratio of signal to error as a column's name says it."""
    return f"{float(rsnr(truth, estimate)):.0f} dB"


def fig_image(result: ImageRun, iteration: int | None = None) -> go.Figure:
    """The image, the start, least squares that ignores gains, and the descent at an iteration (its end if left out)."""
    x, side = result.problem.x, result.side
    last = int(result.run.iterations)
    at, seen = (last, result.run.x) if iteration is None or iteration >= last else result.seen(iteration)
    shown = [("truth", x), ("start", result.start), ("gains ignored", result.ignoring), (f"iteration {at}", seen)]
    names = [name if name == "truth" else f"{name}: {decibels(x, value)}" for name, value in shown]
    low, high = float(x.min()), float(x.max())
    end = result.problem
    return image_grid(
        torch.stack([value for _, value in shown]).reshape(1, 4, side, side), columns=names, range=(low, high),
        title=f"{side} x {side} pixels, {end.m} sensors, {end.p} snapshots: ratio {result.ratio:.2f}",
        takeaway=f"Gains between {float(end.g.min()):.2f} and {float(end.g.max()):.2f}. At its end, iteration {last}, "
                 f"the descent has x to {result.x_db:.0f} dB and the gains to {result.g_db:.0f} dB. Values beyond the "
                 "image's own range are drawn black or white; decibels are of the values, not of what is drawn.",
    )


def fig_prior(runs: list[ImageRun], names: list[str]) -> go.Figure:
    """The image of low frequencies, and what several runs make of it."""
    x, side = runs[0].problem.x, runs[0].side
    shown = [x, *(run.run.x for run in runs)]
    columns = ["truth", *(f"{name}: {run.x_db:.0f} dB" for name, run in zip(names, runs, strict=True))]
    ratios = ", ".join(f"{run.ratio:.2f} ({name})" for name, run in zip(names, runs, strict=True))
    return image_grid(
        torch.stack(shown).reshape(1, len(shown), side, side), columns=columns,
        title=f"A prior instead of snapshots: {side} x {side} pixels, {runs[0].problem.m} sensors",
        range=(float(x.min()), float(x.max())), takeaway=f"Measurements per unknown: {ratios}.",
    )


def fig_image_way(result: ImageRun) -> go.Figure:
    """Errors of image and gains over the iterations, and the gains at the end."""
    run, problem = result.run, result.problem
    assert run.error is not None
    fig = panels(
        "The way to the image", ["error", "gains of the sensors"], [axis("iteration"), axis("true gain g")],
        [error_axis("error, loss", 1e-12, 100.0), axis("estimated gain γ")],
        takeaway=f"{problem.m} gains and {problem.n} pixels from {problem.m * problem.p} numbers in "
                 f"{int(run.iterations)} iterations; the largest error of a gain is "
                 f"{float((run.g - problem.g).abs().max()):.1g}.",
    )
    add_line(fig, run.at, run.error.clamp(min=LEAST), "larger relative error of x and g", 0, mode="lines")
    add_line(fig, run.at, run.loss.clamp(min=LEAST), "loss", 1, mode="lines")
    low, high = float(problem.g.min()), float(problem.g.max())
    add_line(fig, [low, high], [low, high], "γ = g", 7, mode="lines", panel=1)
    add_points(fig, problem.g, run.g, "end", 2, panel=1)
    return fig
