"""Figures of the lesson on rectified straight-through estimators: o_end 1, the STE, is always series 0."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch

from gradscape.credit.rectified_ste.curves import Curves, normal_error, z_grid
from gradscape.credit.rectified_ste.estimators import estimator, estimator_grad, o_schedule
from gradscape.credit.rectified_ste.experiments import RATES, RIVALS, Alone, Gradients, Tuned
from gradscape.credit.rectified_ste.training import History
from gradscape.results import Table
from gradscape.stats import paired
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, mark_x, mark_y, panels

SHOWN: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("ste", {}, "STE"), ("reste", {"o": 3.0}, "ReSTE, o = 3"), ("reste", {"o": 10.0}, "ReSTE, o = 10"),
    ("ede", {"tau": 1.0}, "EDE, τ = 1"), ("bireal", {}, "Bi-Real"),
)
NAMES = {"ste": "STE", "reste": "ReSTE", "ede": "EDE", "bireal": "Bi-Real"}
SETS = {"digits": "digits", "fashion": "Fashion-MNIST"}


def fig_estimators() -> go.Figure:
    """Five estimators and the slopes with which they pass a gradient back."""
    z = z_grid(0.1, 1.0, 1.5)
    peak, edge = (float(estimator_grad(torch.tensor(v).double(), "reste", o=3.0)) for v in (0.05, 0.11))
    fig = panels(
        "What stands in for sign's derivative", ["the pretended function f(z)", "the slope d(z) of training"],
        [axis("z"), axis("z")], [axis("f(z)", range=(-1.6, 1.6)), axis("d(z)", range=(-0.2, 8.4))],
        takeaway=f"The nearer f comes to sign, the more uneven its slope: at o = 3 it is {peak:.2f} up to |z| = 0.1 "
                 f"and {edge:.2f} just beyond.",
    )
    for i, (kind, params, label) in enumerate(SHOWN):
        add_line(fig, z, estimator(z, kind, **params), label, i, mode="lines")
        add_line(fig, z, estimator_grad(z, kind, **params), label, i, panel=1, legend=False, mode="lines")
    return fig


def fig_schedule(o_end: float = 3.0) -> go.Figure:
    """o over training: the code's cosine, and the straight line of some summaries."""
    share = np.linspace(0, 1, 101)
    half = o_schedule(0.5, 1, o_end)
    fig = figure(
        "o rises slowly at first", axis("share of training done"), axis("o"),
        takeaway=f"Half way through o is {half:.2f} of {o_end:g}; a straight line would be at {(1 + o_end) / 2:.2f}.",
    )
    for i, (kind, label) in enumerate((("cosine", "cosine, the code's"), ("linear", "linear"))):
        add_line(fig, share, [o_schedule(s, 1, o_end, kind) for s in share], label, i)
    return fig


def fig_curves(result: Curves) -> go.Figure:
    """ReSTE at one o, t and m beside another estimator, and what that means for normal weights."""
    now = result.settings
    error = float(normal_error(now.o_end, now.sigma))
    other = "STE" if now.kind == "reste" else NAMES[now.kind]
    fig = panels(
        f"ReSTE at o = {now.o_end:.3g}", ["f(z)", "d(z)", f"error of N(0, {now.sigma:.3g}²) weights"],
        [axis("z"), axis("z"), axis("o", log=True)],
        [axis("f(z)", range=(-1.8, 1.8)), axis("d(z)"), axis("error per weight", range=(0, 1.05))],
        takeaway=f"{result.inside:.1%} of such weights lie on the plateau |w| ≤ m, {result.beyond:.1%} beyond t get no "
                 f"gradient. The error per weight is {error:.3f}, with STE {result.error[0]:.3f}.",
    )
    for i, (label, f, d) in enumerate((
        (other, result.other_forward, result.other_backward), ("ReSTE", result.forward, result.backward),
    )):
        add_line(fig, result.z, f, label, i, mode="lines")
        add_line(fig, result.z, d, label, i, panel=1, legend=False, mode="lines")
    add_line(fig, result.o_grid, result.error, "ReSTE", 1, panel=2, legend=False, mode="lines")
    mark_x(fig, now.o_end, "o", panel=2)
    return fig


def reste(history: History) -> list[int]:
    """Positions of the ReSTE arms, by rising o_end."""
    found = [k for k, arm in enumerate(history.arms) if arm.kind == "reste"]
    return sorted(found, key=lambda k: history.arms[k].o_end)


def fig_sweep(history: History, dataset: str) -> go.Figure:
    """e, s and accuracy over o_end, means and every seed."""
    arms = reste(history)
    o = [history.arms[k].o_end for k in arms]
    shown = [history.e[arms, :, -1], history.s[arms].mean(2), history.acc[arms, :, -1]]
    e, s, acc = (values.mean(1) for values in shown)
    best = o[int(acc.argmax())]
    fig = panels(
        f"The equilibrium on {SETS[dataset]}, {history.acc.shape[1]} seeds",
        ["estimating error e", "gradient instability s", "test accuracy"],
        [axis("o at the end", log=True)] * 3, [axis("e"), axis("s", log=True), axis("accuracy")],
        takeaway=f"From o = {o[0]:g} to {o[-1]:g} e goes from {e[0]:.0f} to {e[-1]:.0f}, s becomes {s[-1] / s[0]:.0f} "
                 f"times as large. Mean accuracy is highest at {best:g} ({acc.max():.3f}); at {o[-1]:g} it is "
                 f"{acc[-1]:.3f}.",
    )
    for k, values in enumerate(shown):
        add_line(fig, o, values.mean(1), "mean", 0, panel=k, legend=k == 0)
        add_points(fig, np.repeat(o, values.shape[1]), values.flatten(), "one seed", 1, panel=k, legend=k == 0,
                   marker={"size": 5}, opacity=0.6)
    return fig


def fig_training(history: History, dataset: str) -> go.Figure:
    """Loss and test accuracy after each epoch, means over seeds."""
    arms = [k for k in reste(history) if history.arms[k].o_end in (1.0, 3.0, 10.0, 30.0)]
    epochs = np.arange(1, history.acc.shape[2] + 1)
    loss = history.loss.mean(1)
    fig = panels(
        f"Training on {SETS[dataset]}", ["training loss", "test accuracy"], [axis("epoch"), axis("epoch")],
        [axis("cross-entropy"), axis("accuracy")],
        takeaway="Final training loss at o_end " + ", ".join(
            f"{history.arms[k].o_end:g}: {loss[k, -1]:.3f}" for k in arms) + ".",
    )
    for i, k in enumerate(arms):
        label = f"o_end = {history.arms[k].o_end:g}"
        add_line(fig, epochs, loss[k], label, i)
        add_line(fig, epochs, history.acc[k].mean(0), label, i, panel=1, legend=False)
    return fig


def fig_paired(history: History) -> go.Figure:
    """Accuracy of o_end 3 minus that of 1, 10 and 30, seed by seed."""
    against = (1.0, 10.0, 30.0)
    ours = history.acc[history.at(kind="reste", o_end=3.0), :, -1]
    found = [paired.compare(ours, history.acc[history.at(kind="reste", o_end=o), :, -1]) for o in against]
    low, high = found[0].ci
    verdict = "holds 0: the gain in accuracy is within noise here" if low <= 0 <= high else "leaves 0 out"
    fig = figure(
        "o_end = 3 minus others, seed by seed", axis("seed"), axis("difference of test accuracy"),
        takeaway=f"Against o_end = 1 the mean is {found[0].mean:+.4f}; its 95 % interval, {low:+.4f} to {high:+.4f}, "
                 f"{verdict}. Against 10 and 30: {found[1].mean:+.3f} and {found[2].mean:+.3f}.",
    )
    for i, (o, result) in enumerate(zip(against, found, strict=True)):
        add_points(fig, np.arange(len(ours)), result.diffs, f"minus o_end = {o:g}", i)
    mark_y(fig, 0.0)
    fig.update_xaxes(dtick=1)
    return fig


def fig_weights(history: History) -> go.Figure:
    """Where latent weights lie at the end of training, and the share of them on the plateau."""
    arms, edges = reste(history), np.linspace(0, 0.8, 41)
    shares = history.inside[arms].mean(1)
    o = [history.arms[k].o_end for k in arms]
    fig = panels(
        "Where latent weights end", ["latent binary weights at the end", "share with |w| ≤ m = 0.1"],
        [axis("|w|"), axis("o at the end", log=True)], [axis("density"), axis("share", range=(0, 1))],
        takeaway=f"Between {shares.min():.0%} and {shares.max():.0%} of the weights lie on the plateau, where "
                 "the slope is one constant; weights beyond t = 1.5: "
                 f"{history.beyond[arms].max():.2%} at most.",
    )
    for i, k in enumerate(arms):
        if o[i] in (1.0, 3.0, 30.0):
            density = np.histogram(history.weights[k].abs().numpy(), edges, density=True)[0]
            add_line(fig, (edges[1:] + edges[:-1]) / 2, density, f"o_end = {o[i]:g}", i, mode="lines")
    add_line(fig, o, shares, "share", 6, panel=1, legend=False)
    mark_x(fig, 0.1, "m")
    return fig


def fig_gradients(result: Gradients) -> go.Figure:
    """log10 |g| of the binary layers."""
    sizes = np.abs(result.by_layer)
    shown = np.log10(np.maximum(sizes, 1e-9))
    edges = np.linspace(min(-6.0, shown.min()), max(-1.0, shown.max()), 50)
    spread = [float(np.subtract(*np.quantile(layer, [0.95, 0.05]))) for layer in shown]
    fig = figure(
        f"Gradients of the latent weights after epoch {result.epoch}, o = {result.o:.3g}",
        axis("log₁₀ |g|"), axis("share of the weights"),
        takeaway="Decades between the 5th and 95th percentile: " + ", ".join(
            f"layer {k + 1} {value:.2f}" for k, value in enumerate(spread)
        ) + "; instability s " + ", ".join(f"{s:.1e}" for s in result.instability) + ".",
    )
    for k, layer in enumerate(shown):
        counts = np.histogram(layer, edges)[0] / layer.size
        add_line(fig, (edges[1:] + edges[:-1]) / 2, counts, f"binary layer {k + 1}", k, mode="lines")
    return fig


def fig_tuned(result: Tuned) -> go.Figure:
    """Validation accuracy over rates, and test accuracy at each estimator's best rate, seed by seed."""
    names = [arm.name for arm in RIVALS]
    acc = result.best.acc[:, :, -1]
    fig = panels(
        f"Every estimator at its own best rate, {SETS[result.dataset]}", ["choice of the rate", "at the best rate"],
        [axis("learning rate", log=True), axis("estimator")], [axis("validation accuracy"), axis("test accuracy")],
        takeaway="Mean test accuracy: " + ", ".join(
            f"{name} {value:.3f}" for name, value in zip(names, acc.mean(1), strict=True)) + ".",
    )
    for i, name in enumerate(names):
        add_line(fig, RATES, result.validation[i], name, i)
        add_points(fig, np.full(acc.shape[1], float(i)), acc[i], name, i, panel=1, legend=False)
    fig.update_layout(xaxis2={"tickmode": "array", "tickvals": list(range(len(names))), "tickangle": 30,
                              "ticktext": [name.replace(", real activations", ", 32A") for name in names]})
    return fig


def fig_alone(result: Alone) -> go.Figure:
    """One arm beside the identity: loss, accuracy, e against s."""
    history = result.history
    epochs = np.arange(1, history.acc.shape[2] + 1)
    acc, s = history.acc[:, :, -1].mean(1), history.s.mean((1, 2))
    fig = panels(
        f"{history.arms[0].name} on {SETS[result.dataset]}", ["training loss", "test accuracy"],
        [axis("epoch"), axis("epoch")], [axis("cross-entropy"), axis("accuracy")],
        takeaway=f"Accuracy {acc[0]:.3f}, with o = 1 {acc[1]:.3f}; instability {s[0] / s[1]:.2f} times that of o = 1; "
                 f"{history.inside[0].mean():.0%} of the weights end with |w| ≤ m.",
    )
    for k, i, label in ((1, 0, "o = 1"), (0, 1, history.arms[0].name)):
        add_line(fig, epochs, history.loss[k].mean(0), label, i)
        add_line(fig, epochs, history.acc[k].mean(0), label, i, panel=1, legend=False)
    return fig


def fig_plane(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """e against s after one epoch; the color is the accuracy. ``rows`` of the table "sweep" (one epoch, one set)."""
    first = rows[0]
    best = max(rows, key=lambda row: row["acc"])
    name = NAMES[best["kind"]] + (f" {best['o_end']:g}" if best["kind"] == "reste" else "")
    acc = [row["acc"] for row in rows]
    line = sorted((row for row in rows if row["kind"] == "reste"), key=lambda row: row["o_end"])
    fig = figure(
        f"Equilibrium plane: {SETS[first['dataset']]}, epoch {first['epoch']}", axis("estimating error e"),
        axis("gradient instability s", log=True),
        takeaway=f"Best accuracy {best['acc']:.3f}: {name}. Along the line of ReSTE, o_end {line[0]['o_end']:g} to "
                 f"{line[-1]['o_end']:g}, e goes from {line[0]['e']:.0f} to {line[-1]['e']:.0f} and s from "
                 f"{line[0]['s']:.1e} to {line[-1]['s']:.1e}. Color is accuracy.",
    )
    for i, kind in enumerate(kind for kind in NAMES if any(row["kind"] == kind for row in rows)):
        own = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["o_end"])
        label = [f"{row['o_end']:g}" if kind == "reste" else NAMES[kind] for row in own]
        add_points(
            fig, [row["e"] for row in own], [row["s"] for row in own], NAMES[kind], i,
            mode="lines+markers+text" if kind == "reste" else "markers+text", text=label,
            textposition="top center" if kind == "reste" else "bottom center",
            cliponaxis=False, marker={
                "color": [row["acc"] for row in own], "colorscale": "Viridis", "cmin": min(acc), "cmax": max(acc),
                "size": 12, "showscale": i == 0, "colorbar": {"title": "accuracy", "x": 1.02, "len": 0.9},
            },
        )
    fig.update_layout(legend={"orientation": "h", "y": -0.22}, height=430)
    return fig


def fig_convnet(table: Table | None) -> go.Figure:
    """The recorded runs of the small convolutional network."""
    rows = list(table.rows()) if table is not None else []
    caption = table.caption if table is not None else "Not recorded yet: gradscape record credit/rectified_ste"
    o = sorted({row["o_end"] for row in rows}) or [1.0]
    mean = {
        name: [float(np.mean([row[name] for row in rows if row["o_end"] == value] or [0.0])) for value in o]
        for name in ("acc", "e", "s")
    }
    span = max(mean["acc"]) - min(mean["acc"])
    fig = panels(
        "A small convolutional network", ["estimating error e", "gradient instability s", "test accuracy"],
        [axis("o at the end", log=True)] * 3, [axis("e"), axis("s", log=bool(rows)), axis("accuracy")],
        takeaway=f"{caption}." + (f" The mean accuracies differ by {span:.3f} at most." if rows else ""),
    )
    for k, name in enumerate(("e", "s", "acc")):
        add_line(fig, o, mean[name], "mean", 0, panel=k, legend=k == 0)
        if rows:
            add_points(fig, [row["o_end"] for row in rows], [row[name] for row in rows], "one seed", 1, panel=k,
                       legend=k == 0, marker={"size": 6})
    return fig


def fig_recorded(table: Table | None, dataset: str = "fashion") -> go.Figure:
    """The recorded test accuracies of every estimator at its own best rate."""
    rows = [row for row in table.rows() if row["dataset"] == dataset] if table is not None else []
    caption = table.caption if table is not None else "Not recorded yet: gradscape record credit/rectified_ste"
    names = list(dict.fromkeys(row["estimator"] for row in rows)) or ["STE"]
    by_name = {name: np.array([row["acc"] for row in rows if row["estimator"] == name] or [0.0]) for name in names}
    rates = {row["estimator"]: row["lr"] for row in rows}
    binary = [name for name in names if "real" not in name]
    best = max(binary, key=lambda name: float(by_name[name].mean()))
    fig = figure(
        f"Estimators on {SETS[dataset]}, each at its own best rate", axis("estimator"),
        axis("test accuracy", range=(min(float(v.min()) for v in by_name.values()) - 0.02,
                                     max(float(v.max()) for v in by_name.values()) + 0.01)),
        takeaway=f"{caption}." + (
            f" With binary activations the highest mean is {by_name[best].mean():.4f}, {best} at rate {rates[best]:g}; "
            "whiskers are standard deviations over seeds." if rows else ""),
    )
    spread = [float(by_name[name].std(ddof=1)) if len(by_name[name]) > 1 else 0.0 for name in names]
    add_bars(fig, names, [float(by_name[name].mean()) for name in names], "mean", 0, error=spread)
    return fig
