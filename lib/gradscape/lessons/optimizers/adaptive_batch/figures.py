"""Figures of the adaptive-batch lesson: adaptive runs are series 0 to 2, a small constant batch 3, all data 4."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from gradscape.optimizers.adaptive_batch.experiments import (
    ETAS,
    LARGE_STEP,
    RATES,
    Frozen,
    OneBatch,
    OwnStream,
    Rates,
    Trained,
)
from gradscape.optimizers.adaptive_batch.softmax import Run
from gradscape.optimizers.adaptive_batch.stream import Stream
from gradscape.results import Table
from gradscape.workbench import add_line, add_points, axis, figure, mark_y, panels

SMALL, ALL = 3, 4
LONGEST = 1e6   # T is drawn up to here; it may be infinite


def fig_frozen(result: Frozen) -> go.Figure:
    """T of the norm test against the batch it is computed from, at a point that does not move."""
    low, middle, high = result.quantiles
    fig = figure(
        f"What the norm test asks for at one point, η = {result.eta:g}",
        axis("batch size b", log=2), axis("required T (samples)", log=True),
        takeaway=f"Small batches ask for too little: noise makes ‖ḡ‖ look larger than ‖∇F‖. T rises with b and meets "
                 f"the line T = b near {result.settled:.0f}, below V/(η²‖∇F‖²) = {result.naive:.0f}.",
    )
    add_line(fig, result.sizes, middle, "median T, 10 to 90 %", 0, band=(low, high))
    add_line(fig, result.sizes, result.sizes, "T = b: passed below", 5, mode="lines")
    ends = result.sizes[[0, -1]]
    add_line(fig, ends, np.full(2, result.settled), "b* = (1 − η²)V/(η²‖∇F‖²)", 2, mode="lines")
    add_line(fig, ends, np.full(2, result.naive), "V/(η²‖∇F‖²)", 1, mode="lines")
    return fig


def fig_errors(runs: Mapping[float, Sequence[Stream]], constant: Sequence[Stream]) -> go.Figure:
    """Relative error and batch size along one run for each eta, and with a constant batch."""
    late = ", ".join(f"{np.median([run.late_error() for run in of]):.2g} (η² = {eta**2:.2g})"
                     for eta, of in runs.items())
    fixed = np.median([run.late_error() for run in constant])
    fig = panels(
        "Streaming problem: the test holds the relative error",
        ["error of the batch gradient (dashed: η²)", "batch size"],
        [axis("step k", log=True), axis("step k", log=True)],
        [axis("‖ḡ−∇F‖²/‖∇F‖²", log=True), axis("b", log=2)],
        takeaway=f"Median over the second half of the runs: {late}; constant b = 16: {fixed:.0f}. Shown is one seed.",
    )
    for i, (eta, of) in enumerate(runs.items()):
        _watch(fig, of[0], f"η = {eta:g}", i)
        mark_y(fig, eta**2, i=i)
    _watch(fig, constant[0], "constant 16", SMALL)
    return fig


def _watch(fig: go.Figure, run: Stream, name: str, i: int) -> None:
    k = np.arange(1, len(run.error) + 1)
    kept = np.unique(np.geomspace(1, len(k), 70).astype(int)) - 1  # enough for the eye; all steps enter the medians
    add_line(fig, k[kept], run.error[kept], name, i)
    add_line(fig, k[kept], run.batch[kept], name, i, panel=1, legend=False)


def fig_rates_of_convergence(runs: Mapping[float, Sequence[Stream]], constant: Sequence[Stream]) -> go.Figure:
    """The lowest squared gradient so far against steps and against samples."""
    slopes = ", ".join(f"{np.median([run.slope() for run in of]):.1f} (η = {eta:g})" for eta, of in runs.items())
    fixed = np.median([run.slope() for run in constant])
    fig = panels(
        f"Streaming problem, α = {LARGE_STEP:g}: no floor of noise", ["against steps", "against samples"],
        [axis("step k", log=True), axis("samples", log=True)],
        [axis("min ‖∇F‖²", log=True), axis("", log=True)],
        takeaway=f"Median slopes against steps: {slopes}, constant b = 16: {fixed:.2f}. Near its solution this problem "
                 "is strongly convex, so the adaptive runs are faster than the bound 1/K. One seed is shown.",
    )
    for i, (name, run) in enumerate([*((f"η = {eta:g}", of[0]) for eta, of in runs.items())]):
        _fall(fig, run, name, i)
    _fall(fig, constant[0], "constant 16", SMALL)
    k = np.array([5.0, len(constant[0].lowest)])
    add_line(fig, k, constant[0].lowest[4] * 5 / k, "slope −1", 6, mode="lines")
    return fig


def _fall(fig: go.Figure, run: Stream, name: str, i: int) -> None:
    kept = np.unique(np.geomspace(1, len(run.lowest), 70).astype(int)) - 1
    add_line(fig, kept + 1, run.lowest[kept], name, i)
    add_line(fig, run.samples[kept], run.lowest[kept], name, i, panel=1, legend=False)


def fig_own_stream(result: OwnStream) -> go.Figure:
    """Gradient and error against steps and samples, and the batch as a staircase."""
    run, k = result.run, np.arange(1, len(result.run.batch) + 1)
    end = "the batch reached its maximum" if run.batch[-1] >= result.cap else "the last step was reached"
    fig = panels(
        f"Streaming problem, {result.test} test", ["against steps", "against samples", "batch size"],
        [axis("step k"), axis("samples", log=True), axis("step k")],
        [axis("", log=True), axis("", log=True), axis("b", log=2)],
        takeaway=f"{len(k)} steps, {run.samples[-1]:,.0f} samples, then {end}; ‖∇F‖² fell to {run.lowest[-1]:.2g}, and "
                 f"the median relative error of the second half was {run.late_error():.2g}.",
    )
    for panel, x in ((0, k), (1, run.samples)):
        add_line(fig, x, run.gradient, "‖∇F‖²", 0, panel=panel, legend=panel == 0)
        add_line(fig, x, run.error, "relative error", 1, panel=panel, legend=panel == 0)
        mark_y(fig, result.bound, "η²", panel=panel, i=1)
    add_line(fig, k, run.batch, "batch size", 2, panel=2, legend=False, line={"shape": "hv"})
    return fig


def fig_one_batch(result: OneBatch) -> go.Figure:
    """The per-sample gradients of one batch in the plane along and across their mean, and what each test asks for."""
    b = len(result.along)
    finite = {name: min(T, LONGEST) for name, T in result.required.items()}
    told = ", ".join(f"{name} {T:,.0f}" if T < LONGEST else f"{name} over {LONGEST:g}"
                     for name, T in result.required.items())
    fig = panels(
        f"One batch of {b} samples at distance {result.distance:g}", ["per-sample gradients", "required T (samples)"],
        [axis("along ḡ: ⟨gᵢ, ḡ⟩/‖ḡ‖²"), axis("test")], [axis("across, in units of ‖ḡ‖"), axis("T", log=True)],
        takeaway=f"T: {told}. The norm test would settle at b* = {result.settled:,.0f} at this point.",
    )
    add_points(fig, result.along, result.across, "gᵢ", 0, legend=False, marker={"size": 6})
    add_points(fig, [1.0], [0.0], "ḡ", 1, legend=False, marker={"size": 12})
    add_points(fig, np.arange(len(finite)), list(finite.values()), "T", 2, panel=1, legend=False, marker={"size": 11})
    mark_y(fig, b, f"b = {b}", panel=1, i=0)
    fig.update_xaxes(
        tickmode="array", tickvals=list(range(len(finite))), ticktext=["norm", "inner<br>product", "aug-<br>mented",
                                                                        "coordi-<br>nate"],
        range=[-0.5, len(finite) - 0.5], row=1, col=2,
    )
    return fig


def fig_batches(runs: Mapping[str, Sequence[Run]]) -> go.Figure:
    """Batch sizes of softmax regression against steps and against samples, one seed."""
    told = ", ".join(f"{name}: {np.median([run.average for run in of]):.0f}" for name, of in runs.items())
    fig = panels(
        "Softmax regression on Fashion-MNIST: the batch", ["against steps", "against samples"],
        [axis("step k", log=True), axis("samples")], [axis("batch size b", log=2), axis("", log=2)],
        takeaway=f"Median average batch over seeds — {told}. One seed is shown; the last batch is what was left.",
    )
    for i, (name, of) in enumerate(runs.items()):
        run, series = of[0], i if i < len(ETAS) else 5
        add_line(fig, np.arange(1, run.steps + 1), run.scheduled, name, series)
        add_line(fig, run.samples, run.scheduled, name, series, panel=1, legend=False)
    return fig


SERIES = {"adaptive η = 0.9": 2, "constant 32": SMALL, "constant n": ALL, "constant, same steps": 0,
          "linear ramp, same steps": 1, "doubling": 5}


def fig_schedules(runs: Mapping[str, Sequence[Run]]) -> go.Figure:
    """Training loss and test accuracy against samples, and the final accuracy against the steps it took."""
    steps = {name: float(np.median([run.steps for run in of])) for name, of in runs.items()}
    final = {name: float(np.mean([run.accuracy[-1] for run in of])) for name, of in runs.items()}
    told = ", ".join(f"{name} {final[name]:.3f} in {steps[name]:g} steps" for name in runs)
    fig = panels(
        "Six schedules, the same samples, the same rate", ["training loss", "test accuracy", "at the end"],
        [axis("samples"), axis("samples"), axis("steps", log=True)],
        [axis("loss", log=True), axis("accuracy"), axis("accuracy")],
        takeaway=f"Final accuracy: {told}. Means of {len(next(iter(runs.values())))} seeds.",
    )
    for name, of in runs.items():
        i = SERIES[name]
        samples, loss, accuracy = (np.mean([getattr(run, part) for run in of], 0) for part in
                                   ("marks", "loss", "accuracy"))
        add_line(fig, samples, loss, name, i, legend=False)
        add_line(fig, samples, accuracy, name, i, panel=1, legend=False)
        add_points(fig, [steps[name]], [final[name]], name, i, panel=2, marker={"size": 11})
    fig.update_layout(height=420, legend={"orientation": "h", "y": -0.35, "yanchor": "top"}, margin={"b": 130})
    return fig


def fig_learning_rates(result: Rates) -> go.Figure:
    """Accuracy and loss of three schedules at five learning rates."""
    best = ", ".join(
        f"{name} {row.max():.3f} (lr {RATES[int(row.argmax())]:g})" for name, row in result.accuracy.items()
    )
    fig = panels(
        "Every schedule at every learning rate", ["test accuracy", "training loss"],
        [axis("learning rate", log=True) for _ in range(2)], [axis("accuracy"), axis("loss", log=True)],
        takeaway=f"Best accuracy at the end: {best}; the rate is chosen on the test images, for all alike. Means of "
                 f"{result.seeds} seeds.",
    )
    for name, row in result.accuracy.items():
        add_line(fig, RATES, row, name, SERIES[name])
        add_line(fig, RATES, result.loss[name], name, SERIES[name], panel=1, legend=False)
    return fig


def fig_trained(result: tuple[Trained, Trained]) -> go.Figure:
    """A run with the reader's test beside one with a constant batch of 32."""
    told = "; ".join(f"{run.name}: {len(run.history.batch)} steps, loss {run.loss:.3f}, accuracy {run.accuracy:.3f}"
                     for run in result)
    fig = panels(
        "Images: your test against a constant batch", ["batch size", "loss of the batch (smoothed)"],
        [axis("samples"), axis("samples")], [axis("b", log=2), axis("loss")], takeaway=f"{told}.",
    )
    for run, i in zip(result, (2, SMALL), strict=True):
        samples = run.history.samples
        add_line(fig, samples, run.history.scheduled, run.name, i)
        add_line(fig, samples, _smoothed(run.history.loss, samples), run.name, i, panel=1, legend=False)
    return fig


def _smoothed(loss: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Means over the last twentieth of all samples, so that small and large batches are averaged alike."""
    width, batch = samples[-1] / 20, np.diff(samples, prepend=0)
    total, count = np.cumsum(loss * batch), np.cumsum(batch)
    start = np.searchsorted(samples, samples - width, side="right")
    before = np.concatenate([[0.0], total])[start]
    return (total - before) / (count - np.concatenate([[0.0], count])[start])


def fig_networks(table: Table | None) -> go.Figure:
    """The recorded network with one hidden layer: accuracy against steps."""
    caption = table.caption if table is not None else "not recorded yet: gradscape record optimizers/adaptive_batch"
    columns: Mapping[str, Sequence] = table.columns if table is not None else {}
    names = list(columns.get("schedule", ("—",)))
    steps, mean, low, high = (
        np.array(columns.get(name, (1.0,)), float) for name in ("steps", "accuracy", "lowest", "highest")
    )
    fig = figure(
        "A network 784-32-10 under seven schedules, the same samples", axis("steps", log=True), axis("test accuracy"),
        takeaway=f"{caption}. Means of the seeds; bars reach to the farthest seed.",
    )
    for i, name in enumerate(names):
        add_points(fig, steps[[i]], mean[[i]], name, i, error=np.maximum(high - mean, mean - low)[[i]],
                   marker={"size": 11})
    return fig
