"""Figures of the high-dimensional lesson: errors over time, the spectrum, overtraining, stopping, widths."""
from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import torch

from gradscape.dynamics.high_dimensional.experiments import (
    LONG,
    InitialWeights,
    LearningCurves,
    OvertrainingMap,
    RidgeComparison,
    Spectrum,
    StoppingTimes,
    TaskResult,
)
from gradscape.dynamics.high_dimensional.features import Curves
from gradscape.numerics.rmt import mp_atom, mp_density, mp_quadrature, mp_support
from gradscape.workbench import add_band, add_line, add_points, axis, figure, heatmap, mark_x, mark_y, panels
from gradscape.workbench.figures import Axis

TIME = "training time t = lr × steps"
ERROR = "E_g incl. noise"
UNIT = "label variance"
LEAST, MOST = 1e-3, 10.0  # overtraining shown in color: below is invisible, above only α = 1 gets
BINS = 18  # of a drawn spectrum of some hundred eigenvalues
FINE, SPARSE = slice(1, None, 2), slice(4, None, 5)  # times drawn of 60, the last among them: curves are smooth
TALLEST = 1.2  # densities are cut here: at α = 1 the law is infinite at λ = 0


def load(alpha: float) -> str:
    """A load as a reader writes it."""
    return {0.25: "¼", 0.5: "½"}.get(alpha, f"{alpha:g}")


def fig_task(result: TaskResult) -> go.Figure:
    """Both errors of one task over time, its best stop, its ridge, and simulated students if there are any."""
    task, runs = result.task, len(result.runs_gen)
    end = float(result.gen[-1])
    late = end - result.stop.error if result.stop.t < result.times[-1] else 0.0
    fig = figure(
        f"One task over time: α = {task.alpha:.3g}, SNR = {task.var_teacher / task.var_noise:.3g}, "
        f"INR = {task.var_init / task.var_noise:.3g}",
        axis(TIME, log=True), axis("error incl. noise", UNIT),
        takeaway=f"Best stop t = {result.stop.t:.3g} with E_g = {result.stop.error:.3f}, ridge "
                 f"{result.ridge.error:.3f}; training on to t = {float(result.times[-1]):.3g} costs {late:.3g}.",
    )
    both = (("E_g", "fresh", result.gen, result.runs_gen), ("E_t", "training", result.train, result.runs_train))
    for i, (symbol, kind, theory, drawn) in enumerate(both):
        add_line(fig, result.times[FINE], theory[FINE], f"{symbol}, {kind} examples", i, mode="lines")
        if runs:
            name = f"{symbol}, median of {runs} runs, N = {result.n_features}"
            sparse = drawn[:, SPARSE]
            add_points(fig, result.times[SPARSE], sparse.median(0).values, name, i, marker={"size": 6})
            add_band(fig, result.times[SPARSE], sparse.amin(0), sparse.amax(0), name, i)
    if result.stop.t <= result.times[-1]:
        mark_x(fig, max(result.stop.t, float(result.times[0])), "t_opt")
    mark_y(fig, result.ridge.error, "optimal ridge", i=2)
    return fig


def fig_learning(curves: LearningCurves) -> go.Figure:
    """Theory and simulated runs at five loads: both errors over time."""
    runs = curves.gen.shape[1]
    fig = panels(
        "Theory (lines) and simulated students (points) at SNR 5",
        ["fresh examples", "training examples"], [axis(TIME, log=True)] * 2,
        [axis(ERROR, UNIT), axis("E_t", UNIT)],
        takeaway=f"Lines hold no fitted constant; points are means of {runs} runs, bands hold the middle 80 % of them. "
                 "Only near α = 1 does E_g rise far again.",
        height=400,
    )
    both = ((curves.theory_gen, curves.gen), (curves.theory_train, curves.train))
    for i, alpha in enumerate(curves.alphas):
        name = f"α = {load(alpha)}"
        for panel, (theory, drawn) in enumerate(both):
            add_line(fig, curves.times[FINE], theory[i, FINE], name, i, panel=panel, legend=panel == 0, mode="lines")
            if panel == 0:  # runs differ less in E_t: bands there would only hide the lines
                low, high = (torch.quantile(drawn[i, :, SPARSE], q, dim=0) for q in (0.1, 0.9))
                add_band(fig, curves.times[SPARSE], low, high, name, i, opacity=0.1)
            mean = drawn[i, :, SPARSE].mean(0)
            add_points(fig, curves.times[SPARSE], mean, name, i, panel=panel, legend=False, marker={"size": 6})
    return fig


def fig_spectra(curves: LearningCurves) -> go.Figure:
    """Marchenko–Pastur law and one drawn spectrum below, at and above alpha = 1."""
    alphas = curves.spectrum_alphas
    fig = panels(
        "Eigenvalues of the input correlations X Xᵀ", [f"α = {load(alpha)}" for alpha in alphas],
        [axis("eigenvalue λ") for _ in alphas],
        [axis("density" if k == 0 else "", range=(0, TALLEST)) for k in range(len(alphas))],
        takeaway="Below α = 1 a share 1 − α of all directions has λ = 0 and is frozen, and the rest keeps a distance "
                 "λ₋ from 0; at α = 1 the gap closes.",
    )
    for panel, (alpha, drawn) in enumerate(zip(alphas, curves.eigenvalues, strict=True)):
        lam, _ = mp_quadrature(alpha, 64)
        add_line(fig, lam, mp_density(lam, alpha).clamp(max=2 * TALLEST), "law", 0, panel=panel, legend=panel == 0,
                 mode="lines")
        counts, edges = np.histogram(drawn.numpy(), BINS, (0.0, mp_support(alpha)[1]))
        share = min(1.0, alpha) * counts / counts.sum() / np.diff(edges)
        add_points(fig, (edges[1:] + edges[:-1]) / 2, np.where(share > 0, share, np.nan), "one draw", 1, panel=panel,
                   legend=panel == 0, gaps=True, marker={"size": 6})
        frozen = f"{mp_atom(alpha):.0%} at λ = 0;<br>" if mp_atom(alpha) > 0 else ""
        if frozen:
            mark_x(fig, 0.0, panel=panel, i=3)
        if mp_support(alpha)[0] > 0:
            mark_x(fig, mp_support(alpha)[0], f"{frozen}λ₋ = {mp_support(alpha)[0]:.2g}", panel=panel, i=2)
    return fig


def fig_spectrum(result: Spectrum) -> go.Figure:
    """The spectrum with the part that is learned by time t filled in."""
    fig = figure(
        f"What is learned by t = {result.t:.3g} at α = {result.alpha:.3g}", axis("eigenvalue λ"),
        axis("density", range=(0, min(TALLEST, 1.25 * float(result.density.max())))),
        takeaway=f"{result.learned_share:.0%} of all directions are learned, {result.atom:.0%} are frozen for ever; "
                 "mode λ needs a time of about 1/λ.",
    )
    density = result.density.clamp(max=2 * TALLEST)
    add_line(fig, result.lam, density, "spectrum", 0, mode="lines")
    add_line(fig, result.lam, density * result.learned, "learned: times 1 − exp(−λt)", 2, mode="lines", fill="tozeroy",
             line={"dash": "solid"})
    if result.atom > 0:
        mark_x(fig, 0.0, f"frozen: {result.atom:.0%} at λ = 0", i=3)
    return fig


def fig_overtraining(table: OvertrainingMap) -> go.Figure:
    """Overtraining over load and time."""
    fig = figure(
        "Overtraining: E_g(t) minus the least E_g before t, at SNR 5", axis(TIME, log=True),
        axis("load α = examples / weights"),
        takeaway="White: not yet overtrained. The ridge stands at α = 1 and keeps growing, in proportion to √t; "
                 "elsewhere overtraining ends.", height=420,
    )
    # not every load and time: the colors change slowly, and the stored map stays small
    shown, later = table.alphas[table.alphas <= 3.0], table.times >= 1.0
    z = table.excess[: len(shown) : 2, later][:, ::4].clamp(max=MOST)
    heatmap(fig, table.times[later][::4], shown[::2], torch.where(z >= LEAST, z, math.nan), "overtraining", log=True,
            range=(LEAST, MOST), gaps=True)
    return fig


def fig_peak(table: OvertrainingMap) -> go.Figure:
    """Overtraining and squared weights at t = 100 over the load."""
    worst = float(table.alphas[int(table.at_long.argmax())])
    fig = panels(
        f"Trained until t = {LONG:g}", ["overtraining", "mean squared weight of the student"],
        [axis("load α")] * 2, [axis("overtraining", UNIT), axis("(1/N) Σ w²")],
        takeaway=f"Overtraining peaks at α = {worst:.3g}, and with it the norm of the weights, which is what "
                 "norm-based bounds see.",
    )
    for panel, values in enumerate((table.at_long, table.power)):
        add_line(fig, table.alphas[::2], values[::2], "theory", 0, panel=panel, legend=False, mode="lines")
        mark_x(fig, 1.0, "α = 1", panel=panel)
    return fig


def fig_stopping(times: StoppingTimes) -> go.Figure:
    """Best stopping time over SNR, and what each doubling of SNR adds."""
    fig = panels(
        "When to stop", ["best time", "what the last doubling of SNR added"], [axis("SNR", log=2)] * 2,
        [axis("t_opt", log=True), axis("added to t_opt", range=(0, 10))],
        takeaway="With an eigengap each doubling adds at most ln 2/λ₋ (dashed): a logarithm. At α = 1 each doubling "
                 "doubles the time.",
    )
    for i, alpha in enumerate(times.alphas):
        label = f"α = {load(alpha)}"
        add_line(fig, times.snrs, times.t[i], label, i)
        add_line(fig, times.snrs[1:], times.increments[i], label, i, panel=1, legend=False)
        if alpha != 1:
            limit = math.log(2) / mp_support(alpha)[0]
            mark_y(fig, limit, f"ln 2/λ₋ at {label}", panel=1, i=i)
    return fig


def fig_ridge(comparison: RidgeComparison) -> go.Figure:
    """Early stopping over optimal ridge, for each SNR and load."""
    fig = figure(
        "Early stopping over the optimal L2 penalty", axis("load α"), axis("SNR"),
        takeaway=f"Early stopping is at most {100 * float(comparison.ratio.max() - 1):.1f} % worse, and never better: "
                 "ridge is the Bayes-optimal estimator here.",
    )
    heatmap(fig, [f"{alpha:g}" for alpha in comparison.alphas], [f"{snr:g}" for snr in comparison.snrs],
            100 * (comparison.ratio - 1), "% worse")
    fig.update_xaxes(type="category")
    fig.update_yaxes(type="category")
    return fig


def fig_initial(result: InitialWeights) -> go.Figure:
    """Errors over time from small and large initial weights, below and above alpha = 1."""
    names = [f"α = {load(alpha)}" for alpha in result.alphas]
    rises = ", ".join(f"{rise:.2f} at {name}" for rise, name in zip(result.rise.tolist(), names, strict=True))
    fig = panels(
        "Small and large initial weights", names, [axis(TIME, log=True)] * 2, [axis(ERROR, UNIT, range=(0, 1.9)),
                                                                              axis("", range=(0, 1.9))],
        takeaway=f"In the end large initial weights cost {rises}: frozen directions keep them, the others forget them.",
    )
    for panel in range(2):
        for i, inr in enumerate(result.inrs):
            drawn = result.gen[panel, i, :, SPARSE]
            name, where = f"INR = {inr:g}", {"panel": panel, "legend": panel == 0}
            add_line(fig, result.times[FINE], result.theory[panel, i, FINE], name, i, mode="lines", **where)
            add_points(fig, result.times[SPARSE], drawn.mean(0), f"mean of {len(drawn)} runs, {name}", i,
                       marker={"size": 6}, **where)
    return fig


def _fig_widths(curves: Curves, values: torch.Tensor, title: str, error: Axis, at: int, takeaway: str) -> go.Figure:
    fig = figure(title, axis("width N_h (hidden units)", log=2), error, takeaway=takeaway)
    final, best = values[..., -1], values.amin(-1)
    for i, (name, each) in enumerate((("trained for ever", final), ("stopped at the best time", best))):
        low, high = (torch.quantile(each, q, dim=1) for q in (0.25, 0.75))
        add_line(fig, curves.widths, each.median(1).values, name, i, band=(low, high))
    mark_x(fig, at, "N_h = P")
    return fig


def fig_features(curves: Curves) -> go.Figure:
    """Final and early-stopped error of random-feature students over their width."""
    final, best = curves.test[..., -1].median(1).values, curves.test.amin(-1).median(1).values
    worst = curves.widths[int(final.argmax())]
    return _fig_widths(
        curves, curves.test, "ReLU students with a fixed random first layer", axis("test error", UNIT, log=True),
        worst,
        f"Medians over {curves.test.shape[1]} data sets, bands are quartiles. Trained for ever the error peaks at "
        f"N_h = {worst}; stopped in time it goes from {float(best[0]):.2f} to {float(best[-1]):.2f}.",
    )


def fig_images(curves: Curves) -> go.Figure:
    """Final and early-stopped error rate on images over the width."""
    assert curves.error_rate is not None  # image labels are ±1
    final = curves.error_rate[..., -1].median(1).values
    worst = curves.widths[int(final.argmax())]
    return _fig_widths(
        curves, curves.error_rate, "Fashion-MNIST: odd or even class, 15 % of the labels flipped",
        axis("share of test images wrong", range=(0, 0.55)), worst,
        f"Trained for ever, N_h = {worst} is worst: {float(final.max()):.0%} wrong, against {float(final[-1]):.0%} at "
        f"N_h = {curves.widths[-1]}.",
    )


def fig_networks(curves: Curves) -> go.Figure:
    """Overtraining of students with two trained layers over their width, and their errors."""
    over = curves.overtraining
    median = over.median(1).values
    worst = curves.widths[int(median.argmax())]
    fig = panels(
        "Both layers trained", ["overtraining", "test error"], [axis("width N_h (hidden units)", log=2)] * 2,
        [axis("overtraining", UNIT), axis("test error", UNIT)],
        takeaway=f"Overtraining is worst at N_h = {worst}: {float(median.max()):.2f}. At N_h = {curves.widths[-1]} it "
                 f"is {float(median[-1]):.2f}, and {float(median[0]):.2f} at N_h = {curves.widths[0]}.",
    )
    low, high = (torch.quantile(over, q, dim=1) for q in (0.25, 0.75))
    add_line(fig, curves.widths, median, f"median of {over.shape[1]} data sets", 0, band=(low, high))
    both = (("at the end", curves.test[..., -1]), ("at the best step", curves.test.amin(-1)))
    for i, (name, each) in enumerate(both):
        add_line(fig, curves.widths, each.median(1).values, name, i + 1, panel=1)
    return fig
