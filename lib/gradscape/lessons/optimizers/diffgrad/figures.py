"""Figures of the diffGrad lesson: Adam is always series 0, Adam at half the rate 1, diffGrad 2."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from gradscape.optimizers.diffgrad.cnn import FrictionRun
from gradscape.optimizers.diffgrad.experiments import (
    ALPHAS,
    LRS,
    NAMES,
    SCALES,
    STRIKES,
    Alias,
    Basins,
    Descent,
    Games,
    Grid,
    Limits,
)
from gradscape.optimizers.diffgrad.friction import change_for
from gradscape.optimizers.diffgrad.networks import Trained
from gradscape.results import Table
from gradscape.stats import paired
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, mark_x, mark_y, panels

LABELS = {"adam": "Adam", "half": "Adam at lr/2", "diffgrad": "diffGrad"}
RECORDED = LABELS | {"amsgrad": "AMSGrad", "rmsprop": "RMSProp", "adagrad": "AdaGrad", "sgdm": "SGD + momentum"}
ADAM, HALF, DIFFGRAD = range(3)
RATE_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
THIN = 3  # steps from point to point where three panels share a figure's width
MARGIN = 0.25  # of the paths' own width, drawn of the landscape on either side


def fig_toys(runs: Sequence[Descent]) -> go.Figure:
    """x over time on the paper's functions (Fig. 4)."""
    fig = panels(
        "Three functions of one variable, from x = −1 with lr = 0.1",
        [run.problem.name for run in runs], [axis("step t") for _ in runs], [axis("x"), *[axis("") for _ in runs[1:]]],
        takeaway="Adam leaves the basin of the global minimum on F1 and F2 and diffGrad does not; neither does Adam at "
                 "half the rate.",
    )
    for panel, run in enumerate(runs):
        for i, name in enumerate(NAMES):
            path = run.paths[::THIN, i]
            add_line(fig, THIN * np.arange(len(path)), path, LABELS[name], i, panel=panel, legend=panel == 0)
        mark_y(fig, run.problem.global_minimum, "x*", panel=panel)
    return fig


def fig_descent(run: Descent) -> go.Figure:
    """The landscape with three paths on it, x over time and the friction over time."""
    ends = ", ".join(f"{LABELS[name]} {run.paths[-1, i]:.3f}" for i, name in enumerate(NAMES))
    fig = panels(
        f"Three paths on {run.problem.name}", ["loss along the paths", "position", "friction"],
        [axis("x"), axis("step t"), axis("step t")], [axis("loss"), axis("x"), axis("ξ")],
        takeaway=f"Ends: {ends}; the global minimum is {run.problem.global_minimum:.3f}.",
    )
    low, high = float(run.paths.min()), float(run.paths.max())
    room = MARGIN * max(high - low, 0.2)
    x = np.linspace(low - room, high + room, 100)
    add_line(fig, x, run.problem.f(x), "loss", 6, mode="lines", line={"dash": "solid", "width": 1.5})
    for i, name in enumerate(NAMES):
        path, xi = run.paths[:, i].numpy(), run.xi[:, i].numpy()
        kept = np.unique(np.round(np.geomspace(1, len(path), 40)).astype(int)) - 1
        add_points(fig, path[kept], run.problem.f(path[kept]), LABELS[name], i, marker={"size": 6})
        add_line(fig, THIN * np.arange(len(path[::THIN])), path[::THIN], LABELS[name], i, panel=1, legend=False)
        add_line(fig, 1 + 2 * np.arange(len(xi[::2])), xi[::2], LABELS[name], i, panel=2, legend=False)
    mark_y(fig, run.problem.global_minimum, "x*", panel=1)
    return fig


def fig_basins(result: Basins) -> go.Figure:
    """Share of starts that reach the global minimum, by learning rate."""
    gap = float(np.abs(result.shares[DIFFGRAD] - result.shares[HALF]).max())
    fig = figure(
        f"Which starts reach the global minimum of {result.toy}?",
        axis("learning rate lr", log=True, ticks=RATE_TICKS, labels=[f"{tick:g}" for tick in RATE_TICKS]),
        axis(f"share of {result.starts} starts in [−2, −0.5]", range=(-0.03, 1.05)),
        takeaway=f"diffGrad and Adam at half the rate differ by at most {gap:.2f}. Which of Adam and diffGrad is ahead "
                 "depends on the learning rate.",
    )
    for i, name in enumerate(NAMES):
        add_line(fig, result.lrs, result.shares[i], LABELS[name], i)
    return fig


def fig_friction(runs: Sequence[FrictionRun]) -> go.Figure:
    """The friction of a CNN's weights in training, and where it lies on its curve."""
    run = runs[0]
    steps = [record.step for record in run.records]
    median, top = (max(getattr(record, name) for record in run.records) for name in ("median", "max"))
    fig = panels(
        "The friction of every weight of a small CNN", ["in training at lr = 0.001", "on the curve ξ = sigmoid(|Δ|)"],
        [axis("step t"), axis("change of the gradient |Δ|", log=True)], [axis("ξ", range=(0.49, 0.72)), axis("ξ")],
        takeaway=f"In no step is the median above ξ = {median:.3f}, and no weight is ever above {top:.3f}: gradients "
                 "of this size change too little to be seen.",
    )
    for i, (name, label) in enumerate((("median", "median"), ("q99", "99 % quantile"), ("max", "largest"))):
        add_line(fig, steps, [getattr(record, name) for record in run.records], label, i)
    change = np.geomspace(1e-4, 30, 120)
    add_line(fig, change, 1 / (1 + np.exp(-change)), "ξ", 3, panel=1, mode="lines", line={"dash": "solid"})
    mark_x(fig, change_for(median), "median", panel=1, i=0)
    mark_x(fig, change_for(top), "largest", panel=1, i=2)
    return fig


def fig_grid(result: Grid, limits: Limits) -> go.Figure:
    """Test accuracy over the learning rate, and paired differences."""
    fig = panels(
        "An MLP on Fashion-MNIST, five learning rates", ["test accuracy", "paired differences of accuracy"],
        [axis("learning rate lr", log=True) for _ in range(2)], [axis("accuracy"), axis("difference")],
        takeaway="diffGrad runs where Adam at half the rate runs. It loses to Adam where Adam's rate is too small and "
                 "wins where it is too large.",
    )
    diffgrad, n = result.accuracy[:, 1], len(limits.half)
    for i, values in enumerate((result.accuracy[:, 0], limits.half, diffgrad)):
        add_line(fig, LRS, values.mean(0), LABELS[NAMES[i]], i, band=(values.min(0), values.max(0)))
    compared = (
        (diffgrad, result.accuracy[:, 0], "diffGrad − Adam"), (diffgrad[:n], limits.half, "diffGrad − Adam at lr/2")
    )
    for i, (ours, other, label) in enumerate(compared, 3):
        pairs = [paired.compare(ours[:, k], other[:, k]) for k in range(len(LRS))]
        error = [pair.ci[1] - pair.mean for pair in pairs] if len(ours) > 1 else None
        add_points(fig, LRS, [pair.mean for pair in pairs], label, i, error=error, panel=1)
    mark_y(fig, 0.0, panel=1)
    return fig


def fig_scale(result: Limits) -> go.Figure:
    """Distances of trained diffGrad to its two limits, over the loss scale."""
    fig = figure(
        "Multiply the loss by c and diffGrad becomes another optimizer", axis("loss scale c", log=True),
        axis("distance / own way from the start", range=(0.0, 0.7)),
        takeaway="Small gradients: Adam at half the rate. Large gradients: Adam. Adam itself does not notice c (eps is "
                 "scaled with it).",
    )
    for i, (row, label) in enumerate(((1, "to Adam"), (0, "to Adam at lr/2"))):
        values = result.distance[:, row]
        add_line(fig, SCALES, values.mean(0), label, i, band=(values.min(0), values.max(0)))
    return fig


def fig_regret(result: Games) -> go.Figure:
    """Average regret of the first game with its limit, and the points played in the second."""
    fig = panels(
        "Two online games on [−1, 1]", ["C once in 3 rounds: regret of diffGrad", "1010 once in 101 rounds: point x"],
        [axis("rounds T", log=True) for _ in range(2)], [axis("R(T)/T"), axis("point x", range=(-1.1, 1.1))],
        takeaway="Left: the average regret goes to 2(C − 2)/3, not to 0, so the theorem cannot hold. Right, where x = "
                 "−1 is best: friction turns diffGrad the right way and Adam stays wrong.",
    )
    for i, strike in enumerate(STRIKES):
        add_line(fig, result.t, result.average[DIFFGRAD, :, i], f"C = {strike:g}", i + 3)
        mark_y(fig, 2 * (strike - 2) / 3, i=i + 3)
    middle = ALPHAS.index(0.5)
    for i, name in enumerate(NAMES):
        add_line(fig, result.t, result.points[i, :, middle], LABELS[name], i, panel=1)
    return fig


def fig_alias(result: Alias) -> go.Figure:
    """The largest friction of each step with and without the aliased gradient."""
    fig = figure(
        "One missing copy", axis("step t"), axis("largest ξ", range=(0.45, 1.02)),
        takeaway="With gradients that are zeroed in place, the first published code compares a gradient with itself: "
                 "ξ = 1/2 from the second step on, which is Adam at half the rate.",
    )
    shown = ((result.copied, "copy"), (result.fresh, "no copy, fresh gradients"), (result.reused, "no copy, reused"))
    for i, (values, label) in enumerate(shown):
        add_line(fig, np.arange(1, len(values) + 1), values, label, (2, 3, 1)[i])
    return fig


def fig_train(run: Trained) -> go.Figure:
    """Losses and distances of three networks that started alike."""
    member = run.members[DIFFGRAD]
    distances = [run.distance(member.lr, member.scale, name) for name in ("adam", "half")]
    shares = ", ".join(f"{LABELS[name]} {run.accuracy[i]:.3f}" for i, name in enumerate(NAMES))
    fig = panels(
        f"Three networks, one start, lr = {member.lr:.3g}, loss scale c = {member.scale:.3g}",
        ["batch loss", "how far diffGrad ends from …"], [axis("step"), axis("")],
        [axis("cross-entropy / c", "nats"), axis("distance / own way", range=(0.0, max(0.7, 1.1 * max(distances))))],
        takeaway=f"Test accuracy: {shares}.",
    )
    for i, name in enumerate(NAMES):
        add_line(fig, run.steps, run.losses[i], LABELS[name], i)
    add_bars(fig, [LABELS["adam"], LABELS["half"]], distances, "distance", 2, panel=1, showlegend=False)
    return fig


def fig_table(table: Table | None) -> go.Figure:
    """The recorded counterpart of the paper's Tables I and II: the CNN with every optimizer at lr = 0.001."""
    caption = table.caption if table is not None else "not recorded yet: gradscape record optimizers/diffgrad"
    columns: Mapping[str, Sequence] = table.columns if table is not None else {}
    labels = [RECORDED.get(name, name.removeprefix("diffgrad ").upper()) for name in columns.get("optimizer", ("—",))]
    low, high, middle = (np.array(columns.get(name, (0.0,)), float) for name in ("lowest", "highest", "accuracy"))
    fig = figure(
        "A small CNN on Fashion-MNIST, every optimizer at lr = 0.001",
        axis("optimizer"), axis("test accuracy", range=(max(0.0, float(low.min()) - 0.02), float(high.max()) + 0.01)),
        takeaway=f"{caption}. Mean of the seeds, and lowest to highest.",
    )
    add_points(fig, np.arange(len(labels)), middle, "mean", 2, error=np.maximum(high - middle, middle - low))
    fig.update_xaxes(tickmode="array", tickvals=list(range(len(labels))), ticktext=labels)
    return fig
