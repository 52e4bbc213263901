"""Figures of the NoProp lesson."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from gradscape.credit.noprop.experiments import DTStudy, Listening, Looked, Memory
from gradscape.credit.noprop.tables import READINGS
from gradscape.generative.schedule import cosine_alpha_bar, posterior_coefficients
from gradscape.lessons.credit.noprop.views import ScheduleView, Way
from gradscape.results import Table
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, heatmap, mark_y, panels

NAMES = {"single": "single run", "vote": "vote of 5", "noise_free": "noise-free", "first_block": "block 1 alone"}
SHOWN = ("single", "vote", "noise_free", "first_block")


def fig_schedule(view: ScheduleView) -> go.Figure:
    """alpha_bar over t, the coefficients of each step, the weight of each block's loss."""
    T, step = len(view.step.a), view.step
    last = float(step.snr_diff[-1] / step.snr_diff.sum())
    fig = panels(
        f"From noise to label in {T} steps: {view.origin}",
        ["how much label is in z", "one step: a û + b z + √c ε", "SNR(t) − SNR(t−1)"],
        [axis("t"), axis("step t"), axis("step t")],
        [axis("ᾱ", range=(-0.03, 1.03)), axis("coefficient", range=(-0.03, 1.2)), axis("weight", log=True)],
        takeaway=f"ᾱ rises from {view.alpha_bar[0]:.3f} to {view.alpha_bar[-1]:.3f}. The last step copies û with "
                 f"weight {float(step.a[-1]):.2f}, and its block has {last:.0%} of the summed weight.",
    )
    add_line(fig, np.arange(T + 1), view.alpha_bar, "ᾱ", 0)
    steps = np.arange(1, T + 1)
    for i, (name, values) in enumerate((("a, of û", step.a), ("b, of z", step.b), ("√c, of ε", step.c.sqrt())), 1):
        add_line(fig, steps, values, name, i, panel=1)
    add_line(fig, steps, step.snr_diff, "weight", 4, panel=2)
    return fig


def fig_learning(study: DTStudy) -> go.Figure:
    """Mean squared distance of some blocks' guesses from the label's embedding, over epochs."""
    epochs, T = study.denoise.shape
    weight = 0.5 * 0.1 * T * posterior_coefficients(cosine_alpha_bar(T)).snr_diff.numpy()
    error = study.denoise / weight
    shown = sorted({0, T // 3, 2 * T // 3, T - 1})
    fig = figure(
        "Each block learns alone", axis("epoch"), axis("|û − u|², mean over the training set", log=True),
        takeaway=f"After {epochs} epochs block 1 is off by {error[-1, 0]:.3f} and block {T}, which is handed the label "
                 f"almost clean, by {error[-1, -1]:.3f}.",
    )
    for i, t in enumerate(shown):
        add_line(fig, np.arange(1, epochs + 1), error[:, t], f"block {t + 1}", i)
    return fig


def fig_readings(looks: Sequence[tuple[str, Sequence[Looked]]]) -> go.Figure:
    """Test accuracy by model and way of reading it, means over seeds."""
    values = {name: [np.mean([look.reading.by_name[name] for look in group]) for _, group in looks] for name in SHOWN}
    gap = np.array(values["noise_free"]) - np.array(values["single"])
    k = int(gap.argmax())
    drawn = {name: np.array(found) for name, found in values.items()}
    low = min(min(drawn[name]) for name in SHOWN[:3]) - 0.04
    hidden = [f"{looks[i][0]}, {v:.3f}" for i, v in enumerate(drawn["first_block"]) if v < low]
    fig = figure(
        "The same models, read in four ways", axis("model"), axis("test accuracy", range=(low, 1.005)),
        takeaway=f"The noise of a single run costs most for {looks[k][0]}: {values['single'][k]:.3f} against "
                 f"{values['noise_free'][k]:.3f} without noise."
                 + (f" Below the axis: block 1 of {', '.join(hidden)}." if hidden else ""),
    )
    at = np.arange(len(looks))
    for i, name in enumerate(SHOWN):
        add_points(fig, at + 0.13 * (i - 1.5), drawn[name], NAMES[name], i)
    fig.update_xaxes(tickmode="array", tickvals=at.tolist(), ticktext=[label for label, _ in looks])
    return fig


def fig_memory(result: Memory) -> go.Figure:
    """Bytes that autograd keeps for one step, over depth."""
    block, chain = (np.array(kept) / 1e3 for kept in (result.block, result.chain))
    fig = figure(
        "What a training step must remember", axis("blocks T"), axis("saved for the backward pass", "kB"),
        takeaway=f"From T = {result.depths[0]} to T = {result.depths[-1]} the chain's memory grows by a factor of "
                 f"{chain[-1] / chain[0]:.2f}; a NoProp block stays at {block[0]:.0f} kB. Training all blocks in one "
                 "stack, as this lesson does for speed, would give that up.",
    )
    add_line(fig, result.depths, chain, "back-propagation through T blocks", 1)
    add_line(fig, result.depths, block, "one NoProp block and the head", 0)
    return fig


def fig_listening(result: Listening) -> go.Figure:
    """Accuracy of each block's own guess on noise, on its noised label, and on that beside a wrong image."""
    T = len(result.noise)
    blocks = np.arange(1, T + 1)
    fig = figure(
        "Which block listens to what", axis("block"), axis("share of guesses that are y", range=(-0.03, 1.03)),
        takeaway=f"On pure noise block 1 finds {result.noise[0]:.3f} of the labels and block {T} "
                 f"{result.noise[-1]:.3f}. Beside a wrong image block 1 says y in {result.wrong[0]:.3f} of cases, "
                 f"block {T} in {result.wrong[-1]:.3f}.",
    )
    add_line(fig, blocks, result.noise, "pure noise, right image", 0)
    add_line(fig, blocks, result.label, "noised label, right image", 2)
    add_line(fig, blocks, result.wrong, "noised label y, wrong image", 1)
    mark_y(fig, 0.1, "chance")
    return fig


def fig_way(result: Way) -> go.Figure:
    """A digit, the probability of its class along the chain, and where the state ends."""
    T, won = len(result.run) - 1, int(result.counts[result.label])
    fig = panels(
        f"One {result.label} on its way", ["the image x", "p(true class) read from z", "the last state z"],
        [axis("column"), axis("t"), axis("class")],
        [axis("row"), axis("probability", range=(-0.03, 1.03)), axis("coordinate")],
        takeaway=f"{won} of {int(result.counts.sum())} runs end at {result.label}; the run shown ends at "
                 f"{int(result.run[-1].argmax())}, and without noise it is {int(result.free[-1].argmax())}.",
    )
    heatmap(fig, np.arange(8), np.arange(8), result.image, "ink", range=(0.0, 1.0), showscale=False)
    fig.update_yaxes(autorange="reversed", row=1, col=1)
    t, classes = np.arange(T + 1), [str(k) for k in range(len(result.counts))]
    for i, (p, z, name) in enumerate((
        (result.p_run, result.run, "one run"), (result.p_average, result.average, "mean of 11"),
        (result.p_free, result.free, "noise-free"),
    )):
        add_line(fig, t, p, name, i, panel=1)
        add_bars(fig, classes, z[-1], name, i, panel=2, showlegend=False)
    return fig


def fig_retrain(study: DTStudy) -> go.Figure:
    """A model of one's own: four readings, and which block listens to what."""
    found, heard = study.late.reading.by_name, study.listening
    T = len(heard.noise)
    fig = panels(
        f"{T} blocks, {study.late.epochs} epochs", ["test accuracy", "which block listens to what"],
        [axis("reading"), axis("block")], [axis("accuracy", range=(0, 1.03)), axis("share", range=(-0.03, 1.03))],
        takeaway=f"Single run {found['single']:.3f}, noise-free {found['noise_free']:.3f}, block 1 alone "
                 f"{found['first_block']:.3f}.",
    )
    add_bars(fig, [NAMES[name] for name in SHOWN], [found[name] for name in SHOWN], "accuracy", 3)
    for i, name, values in ((0, "noise", heard.noise), (2, "label", heard.label), (1, "wrong image", heard.wrong)):
        add_line(fig, np.arange(1, T + 1), values, name, i, panel=1)
    return fig


def fig_recorded(tables: Sequence[Table | None]) -> go.Figure:
    """The recorded models, read in four ways, means over seeds; tables that are missing are left out."""
    found = [table for table in tables if table is not None]
    groups: dict[str, list[dict[str, float]]] = {}
    for row in (row for table in found for row in table.rows()):
        place, plural = row["data"].split(" ")[0], "s" if row["epochs"] > 1 else ""
        label = f"{place}: {row['method']} {row['variant']}, {row['epochs']} epoch{plural}"
        groups.setdefault(label, []).append({name: row[name] for name in READINGS})
    labels = list(groups) or ["nothing recorded"]
    mean = {
        name: np.array([float(np.mean([row[name] for row in rows])) for rows in groups.values()] or [0.0])
        for name in SHOWN
    }
    ahead = int((mean["first_block"] >= mean["single"] - 0.005)[["DT" in label for label in labels]].sum())
    count = sum("DT" in label for label in labels)
    captions = " · ".join(dict.fromkeys(table.caption for table in found)) or "Not recorded yet"
    low = float(min(mean["single"].min(), mean["noise_free"].min())) - 0.05
    fig = figure(
        "Recorded: other embeddings, heads, rates, data", axis("data: method, variant, epochs"),
        axis("test accuracy", range=(max(low, 0.0), 1.005)), height=560,
        takeaway=f"{captions}. In {ahead} of {count} DT models block 1 alone is as good as a single run of the chain, "
                 "or within 0.005.",
    )
    at = np.arange(len(labels))
    for i, name in enumerate(SHOWN):
        add_points(fig, at + 0.13 * (i - 1.5), mean[name], NAMES[name], i)
    fig.update_xaxes(tickmode="array", tickvals=at.tolist(), ticktext=labels, tickangle=40)
    return fig
