"""Figures of the SGD-noise lesson: a perceptron, lazy networks, the stable edge, who gains from noise."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gradscape.dynamics.sgd_noise import (
    GridRuns,
    PerceptronRuns,
    Settings,
    Trace,
    critical_temperature,
    edge_temperature,
    predicted_exponents,
    predicted_k,
)
from gradscape.dynamics.sgd_noise.network_studies import (
    CHANGE_AT_TC,
    BatchScan,
    Edges,
    LazyGain,
    LazyScaling,
    NoiseBenefit,
    Phase,
)
from gradscape.dynamics.sgd_noise.perceptron_studies import DIM, SizeScan, TemperatureScan
from gradscape.stats import powerlaw
from gradscape.workbench import add_band, add_bars, add_line, add_points, axis, figure, mark_x, mark_y, panels

TIME = "time t = lr × steps"
T_AXIS = axis("temperature T = lr / (h B)", log=2)
P_AXIS = axis("training points P", log=2)
CHANGE = "relative weight change"
ERROR = "test error"
REGIMES = {"feature": "α = 2^−10", "balanced": "α = 1", "lazy": "α = 2^15, lazy"}


@dataclass(frozen=True)
class Course:
    """Perceptron runs, with traces, at the settings that made them."""

    settings: Settings
    runs: tuple[PerceptronRuns, ...]

    @property
    def traces(self) -> tuple[Trace, ...]:
        """One per run."""
        return tuple(trace for runs in self.runs for trace in runs.traces)

    @property
    def fitted(self) -> int:
        """How many runs fitted all points."""
        return sum(int(runs.fitted.sum()) for runs in self.runs)


def fig_course(course: Course) -> go.Figure:
    """Signal and noise weights of the perceptron over time, and how many points are unfitted."""
    settings, traces = course.settings, course.traces
    P, chi = settings.perceptron_P, settings.chi
    stop = P ** (-1 / (1 + chi))
    end = np.mean([np.log(trace.t[-1]) for trace in traces])
    found = f"Stopped at t* ≈ {np.exp(end):.3g}" if course.fitted == len(traces) else (
        f"{course.fitted} of {len(traces)} runs fitted all points within their events; up to t ≈ {np.exp(end):.3g}")
    fig = panels(
        f"Perceptron: χ = {chi:.3g}, P = {P}, T = {settings.perceptron_T:.3g}, d = {settings.d}",
        ["weights", "λ = |w⊥|/w₁, and the unfitted share"],
        [axis(TIME, log=True)] * 2, [axis("weight", log=True), axis("λ or share", log=True)],
        takeaway=f"{found}. The noise weights settle early; the signal grows on until no point is left unfitted, at "
                 f"a λ of the order P^(−1/(1+χ)) = {stop:.2g}, up to a constant.",
    )
    for r, trace in enumerate(traces):
        later = (trace.t > 0) & (trace.w1 > 0) & (trace.unfitted > 0)  # both axes are logarithmic
        keep = _spread(trace.t[later])
        t, w1, perp, share = (each[later][keep] for each in (trace.t, trace.w1, trace.w_perp, trace.unfitted))
        looks = {"legend": r == 0, "mode": "lines", "line": {"width": 1.4}}
        add_line(fig, t, w1, "signal w₁", 0, **looks)
        add_line(fig, t, perp, "noise |w⊥|", 1, **looks)
        add_line(fig, t, perp / w1, "λ", 2, panel=1, **looks)
        add_line(fig, t, share, "unfitted share", 3, panel=1, **looks)
    mark_y(fig, stop, "P^(−1/(1+χ))", panel=1, i=2)
    mark_y(fig, 1 / P, "one point of P", panel=1, i=3)
    return fig


def _spread(t: np.ndarray, points: int = 40) -> np.ndarray:
    """Indices of about ``points`` times, evenly spread over their logarithms."""
    if len(t) <= points:
        return np.arange(len(t))
    return np.unique(np.searchsorted(t, np.geomspace(t[0], t[-1], points)).clip(max=len(t) - 1))


def _center(values: np.ndarray) -> np.ndarray:
    return np.exp(np.log(values).mean(-1))


def fig_temperature(scan: TemperatureScan) -> go.Figure:
    """Training time and signal of the perceptron over temperature."""
    time, signal = scan.slope("t_star"), scan.slope("w1")
    fig = panels(
        "Perceptron: everything grows in proportion to T", ["training time", "signal at the end"],
        [axis("temperature T = lr / B", log=True)] * 2, [axis("t* = lr × steps", log=True), axis("w₁", log=True)],
        takeaway=f"Measured t* ~ T^{time.exponents[0]:.2f} and w₁ ~ T^{signal.exponents[0]:.3f}; predicted is 1 for "
                 f"both. χ = 1, P = 1024; {scan.t_star.shape[1]} runs per point, bands hold 80 % of them.",
    )
    for panel, (name, law) in enumerate((("t_star", time), ("w1", signal))):
        values = getattr(scan, name)
        low, high = np.quantile(values, (0.1, 0.9), axis=1)
        add_points(fig, scan.T, _center(values), "measured", 0, panel=panel, legend=panel == 0)
        add_band(fig, scan.T, low, high, "measured", 0, panel=panel)
        add_line(fig, scan.T, law(scan.T), "fitted power", 1, panel=panel, legend=panel == 0, mode="lines")
    return fig


def fig_sizes(scans: dict[tuple[float, int], SizeScan]) -> go.Figure:
    """Signal over noise, signal and training time over the training-set size, for three densities at the boundary."""
    shown = {chi: scan for (chi, d), scan in scans.items() if d == DIM or all(d != DIM for _, d in scans)}
    kinds = (("ratio", "w₁/|w⊥|"), ("w1", "w₁"), ("t_star", "t*"))
    fig = panels(
        "Perceptron: more data ask for larger weights and longer training", [title for _, title in kinds],
        [P_AXIS] * 3, [axis(title, log=True) for _, title in kinds],
        takeaway="Points measured, lines fitted; the legend has the fitted powers of P with the predicted ones. The "
                 "fewer points near the boundary (the larger χ), the weaker the growth.",
        height=400,
    )
    for i, (chi, scan) in enumerate(shown.items()):
        ideal = predicted_exponents(chi)
        fits = {name: scan.slope(name) for name, _ in kinds}
        ratio, time = (float(fits[name].exponents[0]) for name in ("ratio", "t_star"))
        label = f"χ = {chi:g}: γ {ratio:.2f} ({ideal.gamma:.2g}), b {time:.2f} ({ideal.b:.2g})"
        for panel, (name, _) in enumerate(kinds):
            values = scan.w1 / scan.w_perp if name == "ratio" else getattr(scan, name)
            add_points(fig, scan.P, _center(values), label, i, panel=panel, legend=panel == 0)
            add_line(fig, scan.P, fits[name](scan.P), label, i, panel=panel, legend=False, mode="lines")
    fig.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top"}, margin={"b": 110})
    return fig


def fig_lazy(grid: LazyScaling) -> go.Figure:
    """Training time and weight change of lazy networks over T for each P, and the temperature that ends laziness."""
    time, change = grid.time_law, grid.change_law
    fig = panels(
        "Lazy networks (α = 2^15) on digits", ["training time", CHANGE, "T_c"], [T_AXIS, T_AXIS, P_AXIS],
        [axis("t* = lr × steps", log=True), axis("|w − w₀| / |w₀|", log=True), axis("T_c", log=True)],
        takeaway=f"t* ~ T^{time.T_exp:.2f} P^{time.P_exp:.2f} and Δw ~ T^{change.T_exp:.2f} P^{change.P_exp:.2f}. So "
                 f"the temperature T_c at which weights change by {CHANGE_AT_TC} falls with every doubling of P.",
        height=400,
    )
    for i, P in enumerate(grid.P):
        for panel, (values, law) in enumerate(((grid.t_star, time), (grid.rel_change, change))):
            add_points(fig, grid.T, _center(values[i]), f"P = {P:g}", i, panel=panel, legend=panel == 0, gaps=True)
            add_line(fig, grid.T, law(grid.T, P), f"P = {P:g}", i, panel=panel, legend=False, mode="lines")
    mark_y(fig, CHANGE_AT_TC, f"{CHANGE_AT_TC}", panel=1)
    whole = np.isfinite(grid.critical)
    add_points(fig, grid.P, grid.critical, "T_c", 4, panel=2, gaps=True)
    if whole.sum() > 1:
        fall = powerlaw.fit(grid.P[whole], grid.critical[whole])
        name = f"P^{fall.exponents[0]:.2f}".replace("-", "−")
        add_line(fig, grid.P[whole], fall(grid.P[whole]), name, 4, panel=2, mode="lines")
    return fig


def fig_edges(edges: Edges) -> go.Figure:
    """The largest stable temperature over the output scale, for each depth, with the predicted powers."""
    slopes = ", ".join(f"{k:.2f} at D = {depth}" for depth, k in zip(edges.depths, edges.slopes, strict=True))
    fig = figure(
        "The largest temperature at which half of the networks fit", axis("output scale α", log=2),
        axis("T_max", log=2),
        takeaway=f"Slopes {slopes}; lines have the predicted k = (D−1)/(D+1): 0, 1/3, 1/2. The deeper the network, the "
                 "less noise it bears once it must grow features.",
    )
    for i, (depth, row) in enumerate(zip(edges.depths, edges.edge, strict=True)):
        line = edges.alpha ** predicted_k(depth)
        if np.isfinite(row).any():
            add_points(fig, edges.alpha, row, f"D = {depth}", i, gaps=True)
            level = np.exp(np.nanmean(np.log(row / line)))
            add_line(fig, edges.alpha, level * line, f"predicted slope, D = {depth}", i, mode="lines")
    return fig


def fig_phase(phase: Phase, pick: tuple[int, int] | None = None) -> go.Figure:
    """Test error over output scale and temperature; ``pick`` = (alpha, T) index adds the cell's learning curve."""
    error, change = phase.cells["test_error"], phase.cells["rel_change"]
    chosen = _named(phase, pick) if pick else ""
    titles = [f"{ERROR} (color)", f"test error while training, {chosen}"] if pick else [f"{ERROR} (color)"]
    best = np.unravel_index(np.nanargmin(error), error.shape) if np.isfinite(error).any() else None
    fig = panels(
        f"Phase diagram: {phase.dataset}, D = {phase.depth}, P = 128", titles,
        [axis("output scale α", log=2), axis("steps", log=2)][: len(titles)],
        [axis("temperature T", log=2), axis(ERROR, range=(0, 0.55))][: len(titles)],
        takeaway=(f"Least error {error[best]:.3f} at {_named(phase, best)}. " if best else "")
        + f"Squares are means over {phase.seeds} seeds, crosses cells in which some seed did not fit. Above and "
          "left of the black line weights change by more than 8 %: networks are not lazy there."
        + (f" {phase.recorded}." if phase.recorded else ""),
        height=430,
    )
    alphas = np.repeat(phase.alpha, phase.T.shape[1])
    whole = np.isfinite(error).ravel()
    bar = {"title": {"text": ERROR, "side": "right"}, "thickness": 12, "len": 0.9, "x": 0.40 if pick else 1.01}
    marker = {"size": 17, "symbol": "square", "color": error.ravel()[whole], "colorscale": "Viridis", "colorbar": bar}
    if whole.any():
        add_points(fig, alphas[whole], phase.T.ravel()[whole], ERROR, 0, marker=marker, legend=False,
                   text=[f"error {e:.3f}, Δw {c:.3f}" for e, c in zip(error.ravel()[whole], change.ravel()[whole],
                                                                      strict=True)])
    if not whole.all():
        add_points(fig, alphas[~whole], phase.T.ravel()[~whole], "not all fitted", 4)
    edge = [edge_temperature(float(alpha), phase.depth) for alpha in phase.alpha]
    add_line(fig, phase.alpha, edge, "predicted edge ~ α^k", 1, mode="lines")
    border = critical_temperature(change[:, ::-1], np.arange(1, change.shape[1] + 1), CHANGE_AT_TC)
    if np.isfinite(border).any():
        add_line(fig, phase.alpha, _temperatures(phase, border), f"Δw = {CHANGE_AT_TC}", 7, mode="lines", gaps=True)
    if pick:
        place = {"size": 26, "symbol": "square-open", "color": "#cf4a00", "line": {"width": 3}}
        add_points(fig, phase.alpha[[pick[0]]], phase.T[pick[0], [pick[1]]], "picked", 1, marker=place)
        add_line(fig, phase.marks, phase.curves[pick], "picked cell", 1, panel=1, gaps=True, legend=False)
        fig.update_xaxes(domain=[0, 0.39], col=1, row=1)
        fig.update_xaxes(domain=[0.60, 1], col=2, row=1)
        fig.layout.annotations[0].x, fig.layout.annotations[1].x = 0.195, 0.8
    fig.update_layout(legend={"orientation": "h", "y": -0.18, "yanchor": "top"}, margin={"b": 90})
    return fig


def _named(phase: Phase, cell: Sequence[Any]) -> str:
    alpha, T = float(phase.alpha[cell[0]]), float(phase.T[cell[0], cell[1]])
    return f"α = {_power(alpha)}, T = {_power(T)}"


def _power(value: float) -> str:
    """A power of two as a reader writes it."""
    return f"2^{round(float(np.log2(value)), 1):g}".replace("-", "−")


def _temperatures(phase: Phase, place: np.ndarray) -> np.ndarray:
    """Temperatures (A,) from places on the rising grid, counted from 1, of which interpolation made fractions."""
    count = phase.T.shape[1]
    logs = np.log(phase.T[:, ::-1])
    return np.array([np.exp(np.interp(at, np.arange(1, count + 1), row)) if np.isfinite(at) else np.nan
                     for at, row in zip(place, logs, strict=True)])


def fig_benefit(result: NoiseBenefit) -> go.Figure:
    """Test errors at a low and a high temperature in three regimes, and the gain from noise, seed by seed."""
    labels = [REGIMES[name] for name in result.names]
    gains = [result.gain(name) for name in result.names]
    n, feature = result.error.shape[-1], result.feature_gain
    fig = panels(
        "Who gains from noise?", ["test error", "error saved by 16 times the temperature"],
        [axis("output scale")] * 2, [axis(ERROR, range=(0, float(1.25 * result.error.mean(-1).max()))), axis("gain")],
        takeaway=f"{n} seeds, paired. Noise saves " + ", ".join(
            f"{gain.mean:+.3f} at {REGIMES[name]}" for name, gain in zip(result.names, gains, strict=True))
        + f". Lowering α from 2^15 to 1 at the low T saves {feature.mean:+.3f} ± {feature.stderr:.3f}.",
    )
    for k, name in enumerate(("low T", "high T")):
        errors = result.error[:, k]
        spread = errors.std(-1, ddof=min(1, n - 1)) / np.sqrt(n)
        add_bars(fig, labels, errors.mean(-1), name, k, error=spread)
    add_bars(fig, labels, [gain.mean for gain in gains], "gain ± standard error", 2,
             error=[gain.stderr if np.isfinite(gain.stderr) else 0.0 for gain in gains], panel=1)
    mark_y(fig, 0.0, panel=1)
    return fig


def fig_counter(result: LazyGain) -> go.Figure:
    """Lazy networks that do gain: each seed's error at a low and at a high temperature."""
    low, high = result.error
    gain = result.gain
    fig = figure(
        "A counter-example: D = 1, relu, P = 512, α = 2^15", axis(f"{ERROR} at T = {_power(result.T[0])}"),
        axis(f"{ERROR} at T = {_power(result.T[1])}"),
        takeaway=f"Below the line noise helped. Mean {low.mean():.4f} → {high.mean():.4f}: noise saves "
                 f"{gain.mean:+.4f} ± {gain.stderr:.4f}, {gain.share_positive:.0%} of the seeds gain.",
    )
    ends = np.array([min(low.min(), high.min()), max(low.max(), high.max())])
    add_line(fig, ends, ends, "no difference", 6, mode="lines")
    add_points(fig, low, high, "one seed", 0)
    return fig


def fig_batches(scan: BatchScan) -> go.Figure:
    """Time and weight change over the batch size at one temperature."""
    small = scan.t_star.mean(1)[:3]
    fig = panels(
        f"The same temperature, T = {_power(scan.T)}, made with different batches",
        ["training time", CHANGE], [axis("batch size B; lr = T h B", log=2)] * 2,
        [axis("t* = lr × steps", range=(0, 1.05 * float(np.nanmax(scan.t_star)))),
         axis("|w − w₀| / |w₀|", log=True)],
        takeaway=f"From B = 4 to 16 only T counts: t* differs by a factor of {small.max() / small.min():.2f}. Large "
                 "batches with their large steps are another dynamics.",
    )
    for panel, values in enumerate((scan.t_star, scan.rel_change)):
        low, high = values.min(1), values.max(1)
        add_line(fig, scan.batch, values.mean(1), f"mean of {values.shape[1]} seeds", 0, panel=panel, gaps=True,
                 legend=panel == 0, band=(low, high))
        mark_x(fig, 16.0, "B = 16", panel=panel)
    return fig


def fig_network(runs: GridRuns) -> go.Figure:
    """Networks of one cell while they train: test error and relative weight change over steps."""
    fitted, n = int(runs.fitted.sum()), len(runs.fitted)
    done = f"ended at test error {float(runs.test_error[runs.fitted].mean()):.3f}" if fitted else "none got there"
    fig = panels(
        f"{n} networks of one cell", [ERROR, CHANGE], [axis("steps", log=2)] * 2,
        [axis(ERROR, range=(0, 0.6)), axis("|w − w₀| / |w₀|", log=True)],
        takeaway=f"{fitted} of {n} fitted all points ({done}), {int(runs.diverged.sum())} diverged. Weights "
                 "stand still once a run has ended.",
    )
    steps = runs.marks.double().numpy()
    for panel, curves in enumerate((runs.curve_error, runs.curve_change)):
        values = np.where(np.isfinite(curves.numpy()), curves.numpy(), np.nan)
        kept = np.isfinite(values).all(0) & (values.min(0) > (0 if panel else -1))
        if kept.any():
            add_line(fig, steps[kept], values.mean(0)[kept], f"mean of {n} seeds", panel, panel=panel,
                     band=(values.min(0)[kept], values.max(0)[kept]))
    if fitted:
        last = float(np.exp(np.log(runs.steps[runs.fitted].double().clamp_min(1).numpy()).mean()))
        for panel in range(2):
            mark_x(fig, last, "last update", panel=panel)
    return fig
