"""Figures of the AnyLoss lesson: BCE is always series 0, BCE with a tuned threshold 1, AnyLoss 2."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from gradscape.optimizers.anyloss.confusion import active_band
from gradscape.optimizers.anyloss.experiments import NET_LOSSES, RULES, Gap, Nets, Scores, Sweep
from gradscape.optimizers.anyloss.plane import Plane
from gradscape.optimizers.anyloss.settings import NET_TABLES
from gradscape.results import Table
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, mark_x, mark_y, panels

LABELS = {
    "bce": "BCE", "threshold": "BCE + tuned threshold", "anyloss": "AnyLoss", "weighted_bce": "class-weighted BCE",
    "mse": "squared error",
}
SERIES = {"bce": 0, "threshold": 1, "anyloss": 2, "weighted_bce": 3, "mse": 4}
SHORT = {"accuracy": "accuracy", "fbeta": "F1", "gmean": "G", "balanced_accuracy": "BA"}
Target = tuple[str, float]


def title_of(target: Target) -> str:
    """F1, F0.5, G, BA, …"""
    metric, beta = target
    return f"F{beta:g}" if metric == "fbeta" else SHORT.get(metric, metric)


def fig_amplifier(values: Sequence[float] = (5.0, 20.0, 73.0)) -> go.Figure:
    """A(p) and its derivative for some L."""
    L = max(values)
    fig = panels(
        "The amplifier", ["amplified output", "its derivative, divided by L"],
        [axis("probability p"), axis("probability p")], [axis("A(p)"), axis("A(1 − A)")],
        takeaway=f"At L = {L:g} only samples with |p − 1/2| < {active_band(L):.3f} have a gradient above 1 % of the "
                 "largest.",
    )
    p = np.linspace(0, 1, 201)
    for i, value in enumerate(values):
        a = 1 / (1 + np.exp(-value * (p - 0.5)))
        add_line(fig, p, a, f"L = {value:g}", i)
        add_line(fig, p, a * (1 - a), f"L = {value:g}", i, panel=1, legend=False)
    return fig


def fig_scores(scores: Scores) -> go.Figure:
    """Mean test metric over tables for every rule, and AnyLoss' lead on BCE and on BCE with a tuned threshold."""
    names = [title_of(target) for target in scores.targets]
    means = scores.values.mean(3)  # rules, targets, splits
    ours, bce, tuned = (means[RULES.index(rule)] for rule in ("anyloss", "bce", "threshold"))
    lead, rest = (ours - bce).mean(1), (ours - tuned).mean(1)
    said = ", ".join(f"{name} {a:+.3f} and {b:+.3f}" for name, a, b in zip(names, lead, rest, strict=True))
    fig = panels(
        f"{len(scores.tables)} tables, {means.shape[2]} splits",
        ["test metric, mean over tables", "its lead: AnyLoss minus …"],
        [axis("metric"), axis("metric")], [axis("test metric"), axis("")],
        takeaway=f"AnyLoss minus BCE, and minus BCE with a tuned threshold: {said}.",
    )
    for rule in ("mse", "bce", "weighted_bce", "threshold", "anyloss"):
        add_bars(fig, names, means[RULES.index(rule)].mean(1), LABELS[rule], SERIES[rule])
    at = np.arange(len(names))
    for k, (other, label, i) in enumerate(((bce, "… BCE", 0), (tuned, "… BCE + tuned threshold", 1))):
        diff = ours - other
        middle, half = (diff.max(1) + diff.min(1)) / 2, (diff.max(1) - diff.min(1)) / 2
        add_points(fig, at + 0.12 * (2 * k - 1), middle, label, i, error=half, panel=1)
    fig.update_layout(xaxis2={"tickmode": "array", "tickvals": at.tolist(), "ticktext": names})
    mark_y(fig, 0.0, panel=1)
    return fig


def fig_tables(scores: Scores, metric: str = "fbeta") -> go.Figure:
    """Table by table: the test metric of BCE, of the tuned threshold and of AnyLoss, means over splits."""
    won = int((scores.of("anyloss", metric).mean(0) > scores.of("bce", metric).mean(0)).sum())
    even = int((scores.of("anyloss", metric).mean(0) > scores.of("threshold", metric).mean(0)).sum())
    count = len(scores.tables)
    order = np.argsort(scores.of("anyloss", metric).mean(0))
    fig = figure(
        f"{title_of((metric, 1.0))}, table by table", axis("test metric", range=(-0.03, 1.03)),
        axis("", ticks=range(count), labels=[scores.tables[k] for k in order]), height=440,
        takeaway=f"AnyLoss is ahead of BCE on {won} of {count} tables, and of BCE with a tuned threshold on {even}.",
    )
    for rule in ("bce", "threshold", "anyloss"):
        add_points(fig, scores.of(rule, metric).mean(0)[order], np.arange(count), LABELS[rule], SERIES[rule])
    return fig


def fig_gap(result: Gap) -> go.Figure:
    """Soft and hard F1 after training, over L."""
    k = result.L.index(73.0) if 73.0 in result.L else len(result.L) - 1
    fig = figure(
        "Does the soft metric mean the hard one?", axis("amplification L", log=True), axis("F1 on the training rows"),
        takeaway=f"At L = {result.L[0]:g} the soft F1 is off by {abs(result.gap[0]):.3f}, at L = {result.L[k]:g} by "
                 f"{abs(result.gap[k]):.4f}.",
    )
    add_line(fig, result.L, result.soft, "soft F1, what is trained", 3)
    add_line(fig, result.L, result.hard, "hard F1, what is wanted", 2)
    return fig


def fig_amplifications(result: Sweep) -> go.Figure:
    """Test F1 and balanced accuracy over L."""
    best = {name: result.at[int(result.mean(name).argmax())] for name in ("fbeta", "balanced_accuracy")}
    fig = figure(
        f"Is L = 73 special? Means of {len(result.tables)} tables", axis("amplification L", log=True),
        axis("test metric"),
        takeaway=f"F1 is best at L = {best['fbeta']:g}, BA at L = {best['balanced_accuracy']:g}; from L = 30 to 300 "
                 f"they move by {np.ptp(result.mean('fbeta')[1:]):.3f} and "
                 f"{np.ptp(result.mean('balanced_accuracy')[1:]):.3f}.",
    )
    for i, name in ((2, "fbeta"), (3, "balanced_accuracy")):
        add_line(fig, result.at, result.mean(name), f"{SHORT[name]}, trained on {SHORT[name]}", i)
    mark_x(fig, 73.0, "L = 73")
    return fig


def fig_starts(result: Sweep) -> go.Figure:
    """Test F1 over the scale of the starting weights."""
    ours, bce = result.mean("fbeta"), result.mean("bce")
    where = result.tables[0] if len(result.tables) == 1 else f"means of {len(result.tables)} tables"
    fig = figure(
        f"Start somewhere else: {where}",
        axis("standard deviation s of the starting weights"), axis("test F1"),
        takeaway=f"From s = 0 to s = {result.at[-1]:g} AnyLoss goes from {ours[0]:.3f} to {ours[-1]:.3f}, BCE from "
                 f"{bce[0]:.3f} to {bce[-1]:.3f}.",
    )
    add_line(fig, result.at, bce, LABELS["bce"], 0)
    add_line(fig, result.at, ours, "AnyLoss-F1", 2)
    return fig


def fig_networks(result: Nets) -> go.Figure:
    """Test F1 and balanced accuracy of the small network on four tables."""
    f1, balanced = result.f1.mean(1), result.balanced.mean(1)
    ahead = int((f1[1] > f1[0]).sum())
    fig = panels(
        "A network of two hidden units", ["F1", "balanced accuracy"], [axis("table"), axis("table")],
        [axis("test F1"), axis("test BA")],
        takeaway=f"AnyLoss-F1 is ahead of BCE in F1 on {ahead} of {len(NET_TABLES)} tables. With the training set's n "
                 f"in a batch, BA falls from {balanced[2].mean():.3f} to {balanced[3].mean():.3f} on average.",
    )
    names = [f"{'AnyLoss-' if loss.metric != 'bce' else ''}{SHORT.get(loss.metric, 'BCE')}" for loss in NET_LOSSES]
    names[3] += ", n of the training set"
    for k, i in ((0, 0), (1, 2)):
        add_bars(fig, NET_TABLES, f1[k], names[k], i)
    for k, i in ((2, 3), (3, 4)):
        add_bars(fig, NET_TABLES, balanced[k], names[k], i, panel=1)
    return fig


def fig_plane(result: Plane) -> go.Figure:
    """Two classes with three lines and the active band; soft and hard metric over steps; points that carry gradient."""
    said = ", ".join(f"{LABELS[rule]} {value:.3f}" for rule, value in zip(result.rules, result.true, strict=True))
    name = SHORT.get(result.metric, result.metric) if result.metric != "fbeta" else "F-beta"
    fig = panels(
        f"Two classes, three lines, L = {result.L:.3g}", ["the plane", "AnyLoss in training", "points in the band"],
        [axis("x1"), axis("step"), axis("step")],
        [axis("x2", range=(-4, 4)), axis(name, range=(-0.05, 1.05)), axis("share", range=(-0.05, 1.05))],
        takeaway=f"{name} on the whole population: {said}.",
    )
    for label, i, size, opacity in ((0, 6, 4, 0.5), (1, 7, 6, 0.9)):
        chosen = result.x[result.y == label]
        add_points(fig, chosen[:, 0], chosen[:, 1], ("frequent", "rare")[label], i, marker={"size": size},
                   opacity=opacity)
    for k, rule in enumerate(result.rules):
        add_line(fig, *_line(result.theta[k], result.cut[k]), LABELS[rule], SERIES[rule], mode="lines")
    half = min(active_band(result.L), 0.499)
    edge = np.log((0.5 + half) / (0.5 - half))
    for side in (-1, 1):
        add_line(fig, *_line(result.theta[2], side * edge), "edge of the band", 5, mode="lines", legend=side > 0,
                 line={"width": 1})
    add_line(fig, result.steps, result.soft, "soft", 3, panel=1)
    add_line(fig, result.steps, result.hard, "hard", 2, panel=1)
    add_line(fig, result.steps, result.active, "share in the band", 5, panel=2, legend=False)
    fig.update_xaxes(range=[-5, 5], row=1, col=1)
    return fig


def _line(theta: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Two far points of theta_0 + theta . x = level; a flat theta has no line and gives a point outside the plane."""
    normal = theta[1:]
    size = float(normal @ normal)
    if size < 1e-12:
        return np.array([50.0, 51.0]), np.array([50.0, 51.0])
    foot, along = normal * (level - theta[0]) / size, np.array([-normal[1], normal[0]]) / np.sqrt(size)
    ends = np.stack([foot - 20 * along, foot + 20 * along])
    return ends[:, 0], ends[:, 1]


def fig_table_run(result: Scores) -> go.Figure:
    """All targets on one table: the rules as bars."""
    names = [title_of(target) for target in result.targets]
    means = result.values.mean((2, 3))
    ours, tuned = means[RULES.index("anyloss")], means[RULES.index("threshold")]
    fig = figure(
        f"{result.tables[0]}: every metric, trained on it", axis("metric"), axis("test metric", range=(0, 1.03)),
        takeaway="AnyLoss minus BCE with a tuned threshold: "
                 + ", ".join(f"{name} {a - b:+.3f}" for name, a, b in zip(names, ours, tuned, strict=True)) + ".",
    )
    for rule in ("mse", "bce", "weighted_bce", "threshold", "anyloss"):
        add_bars(fig, names, means[RULES.index(rule)], LABELS[rule], SERIES[rule])
    return fig


def fig_recorded(table: Table | None) -> go.Figure:
    """The recorded wins of AnyLoss over BCE and over BCE with a tuned threshold, for the paper's six metrics."""
    rows = list(table.rows()) if table is not None else []
    targets: list[Target] = list(dict.fromkeys((row["metric"], row["beta"]) for row in rows)) or [("fbeta", 1.0)]
    caption = table.caption if table is not None else "Not recorded yet: gradscape record optimizers/anyloss"
    count = len({row["table"] for row in rows})
    fig = figure(
        "Tables won, for the six metrics of the paper", axis("metric"), axis(f"tables won, of {count}"),
        takeaway=f"{caption}. Ties count as not won.",
    )
    for rule in ("bce", "threshold"):
        won = [
            sum(row["anyloss"] > row[rule] for row in rows if (row["metric"], row["beta"]) == target)
            for target in targets
        ]
        add_bars(fig, [title_of(target) for target in targets], won, f"against {LABELS[rule]}", SERIES[rule])
    return fig
