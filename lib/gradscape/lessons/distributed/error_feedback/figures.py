"""Figures of the lesson about means, bounds and single runs: from results to plotly figures."""
from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gradscape.distributed.error_feedback import (
    Clones,
    Costs,
    Guarantee,
    History,
    Own,
    Together,
    Weighing,
    clone_counts,
    cloned_quadratic_mean,
    mean_smoothness,
)
from gradscape.workbench import Figure, add_bars, add_line, add_points, axis, figure, mark_x, mark_y, panels

DROP = 1e-3  # the fall of ‖∇f‖² that sentences speak of
SHOWN = 32   # points of a curve
HIGHEST, LOWEST = 1e6, 1e-10  # what of a curve is drawn, so that one method does not flatten the others
LOOKS = {"EF21, γ_QM": 0, "EF21-W, γ_AM": 1, "EF21-W": 1, "EF14, γ_AM": 2, "no memory, γ_AM": 3, "EF21, γ_AM": 4,
         "GD, 1/L": 7, "EF21-W-PP": 2, "EF21-W-SGD": 3}


def draw_histories(fig: Figure, histories: Mapping[str, History], panel: int = 0, *, bits: bool = True) -> None:
    """‖∇f‖² of each method over its start, against bits sent (or rounds), within what is worth drawing."""
    for name, history in histories.items():
        square = history.grad_sq.reshape(-1, history.grad_sq.shape[-1])[0]
        along = history.bits.reshape(-1, history.bits.shape[-1])[0] / 1e3 if bits else history.rounds.double()
        keep = np.unique(np.geomspace(1, len(square) - 1, SHOWN).round().astype(int))
        y = (square / square[0])[keep]
        y = torch.where(torch.isfinite(y) & (y < HIGHEST) & (y > LOWEST), y, math.nan)
        add_line(fig, along[keep], y, name, LOOKS[name], gaps=True, panel=panel)


def _bits_to(history: History, drop: float) -> float:
    """Bits per client until ‖∇f‖² has fallen to ``drop`` of its start; NaN if it never does."""
    first = float(history.rounds_until(drop).reshape(-1)[0])
    return math.nan if math.isnan(first) else float(history.bits.reshape(-1, history.bits.shape[-1])[0, int(first)])


def fig_baselines(found: Together) -> Figure:
    """Five ways to send little: ‖∇f‖² against what a client has sent."""
    histories = dict(zip(found.names, found.histories, strict=True))
    spent = {name: _bits_to(history, DROP) / 1e3 for name, history in histories.items()}
    told = ", ".join(f"{name} {kbit:.0f}" for name, kbit in spent.items() if math.isfinite(kbit))
    lost = [name for name, kbit in spent.items() if not math.isfinite(kbit)]
    left = ", ".join(f"{name} gets to {float((h := histories[name].grad_sq[0]).min() / h[0]):.2g} only"
                     for name in lost)
    fig = figure(
        "One entry per message: what it takes to get down", axis("sent by a client", "kbit", log=True),
        axis("‖∇f‖² / start", log=True),
        takeaway=f"kbit until ‖∇f‖² has fallen a thousandfold: {told or 'none gets there'}"
        + (f"; {left}." if left else "."),
    )
    draw_histories(fig, histories)
    mark_y(fig, DROP, "a thousandth")
    return fig


def fig_variants(found: Together) -> Figure:
    """EF21-W with all clients and rows, with half of the clients, with half of the rows."""
    ends = [float(h.grad_sq.reshape(-1)[-1] / h.grad_sq.reshape(-1)[0]) for h in found.histories]
    fig = figure(
        "Half of the clients, or half of the rows", axis("sent by a client, on average", "kbit", log=True),
        axis("‖∇f‖² / start", log=True),
        takeaway="All with γ_AM, which is proved for the first one only. At the end: "
        + ", ".join(f"{name} {end:.1g}" for name, end in zip(found.names, ends, strict=True)) + ".",
    )
    draw_histories(fig, dict(zip(found.names, found.histories, strict=True)))
    return fig


def fig_weights(found: Weighing) -> Figure:
    """How uneven the clients are, and which mean of their L_i each choice of weights leaves in the step."""
    am, qm = (float(mean) for mean in mean_smoothness(found.L_i))
    edges, counts = _octaves(found.L_i)
    fig = panels(
        f"{len(found.L_i)} clients and the mean that counts", ["clients by Lᵢ", "weights wᵢ ∝ Lᵢ^q"],
        [axis("Lᵢ, from"), axis("exponent q")], [axis("clients"), axis("L_w")],
        takeaway=f"L_QM = {qm:.3g} is {qm / am:.3g} times L_AM = {am:.3g}. At q = {found.q:.2g}, L_w = {found.at_q:.3g}"
        f": the safe step is {found.gamma_q / found.gamma_qm:.3g} times γ_QM"
        + ("." if found.q == 1 else f" (at q = 1: {found.gamma_am / found.gamma_qm:.3g})."),
    )
    fig.update_layout(xaxis_type="category")
    add_bars(fig, edges, counts, "clients", 0, showlegend=False)
    add_line(fig, found.exponents, found.L_w, "L_w", 0, panel=1, legend=False)
    add_points(fig, [found.q], [found.at_q], "chosen q", 1, panel=1, legend=False, marker={"size": 12})
    mark_y(fig, am, "L_AM", panel=1, i=2)
    mark_y(fig, qm, "L_QM", panel=1, i=3)
    return fig


def _octaves(L_i: Tensor) -> tuple[list[str], np.ndarray]:
    """Counts of L_i in at most sixteen equal bins of log2 L, with each bin's lower end in words."""
    logs = L_i.log2().numpy()
    low, high = math.floor(logs.min() + 1e-9), math.ceil(logs.max() - 1e-9)
    width = max(1, math.ceil((high - low) / 16))
    edges = np.arange(low, max(high, low + 1) + width, width)
    counts, _ = np.histogram(np.clip(logs, edges[0], edges[-1]), edges)
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    words = [f"{2.0**edge:g}" if -3 <= edge <= 9 else "2" + str(edge).translate(raised) for edge in edges[:-1]]
    return words, counts


def fig_clones(L_i: Tensor, found: Clones) -> Figure:
    """Four clients and their clones, and what cloning does to a thousand random vectors."""
    counts = clone_counts(L_i)
    total = int(counts.sum())
    each = torch.repeat_interleave(L_i * total / (len(L_i) * counts), counts)
    ratios = 2**0.5 * found.mean_ratio
    fig = panels(
        "Cloning lowers the quadratic mean",
        [f"{len(L_i)} clients, {total} clones", f"{len(ratios)} random vectors"],
        [axis("client (clone)"), axis("L_QM / L_AM before", log=True)],
        [axis("smoothness constant"), axis("L_QM of clones / L_AM")],
        takeaway=f"At left the quadratic mean falls from {float(mean_smoothness(L_i)[1]):.4g} to "
        f"{float(cloned_quadratic_mean(L_i)):.4g}. At right it is never above {float(ratios.max()):.4f} L_AM "
        f"(√2 = 1.4142), with at most {float(found.counts_ratio.max()):.3f} n clones.",
    )
    owners = [str(i + 1) for i in range(len(L_i))]
    names = [f"{i + 1}{chr(97 + k)}" for i, count in enumerate(counts.tolist()) for k in range(count)]
    fig.update_layout(xaxis_type="category")
    add_bars(fig, owners, L_i, "clients", 0)
    add_bars(fig, names, each, "clones", 1)
    add_points(fig, found.spread_ratio, ratios, "vectors", 2, panel=1, legend=False, opacity=0.6, marker={"size": 5})
    mark_y(fig, 2**0.5, "√2", panel=1)
    return fig


def fig_guarantee(found: Guarantee) -> Figure:
    """Running mean and bound for one problem; and their ratio, largest over all problems, for every variant."""
    keep = np.unique(np.geomspace(1, len(found.rounds), SHOWN).round().astype(int)) - 1
    T, ratio = found.rounds[keep], found.ratio.amax((1, 2))[:, keep]
    wide = found.spreads[-1]
    higher = float(found.bound[0, -1, 0, -1] / found.bound[2, -1, 0, -1])
    fig = panels(
        "The guarantee holds, with room to spare",
        [f"one problem, spread {wide:g}, compressed start", "mean / bound, largest over all problems"],
        [axis("rounds T", log=True)] * 2, [axis("mean of ‖∇f‖² so far", log=True), axis("share of the bound")],
        takeaway=f"Over {found.ratio[..., 0].numel()} runs the running mean reaches at most "
        f"{float(found.ratio.max()):.2f} of its bound. At left the bound for γ_QM is {higher:.2g} times that for γ_AM.",
        height=400,
    )
    for k, variant in ((0, 0), (1, 2)):
        name = found.names[variant].rsplit(",", 1)[0]
        add_line(fig, T, found.running[variant, -1, 0, keep], f"{name}: mean", k)
        add_line(fig, T, found.bound[variant, -1, 0, keep], f"{name}: bound", k + 2, mode="lines")
    for k, name in enumerate(found.names):
        add_line(fig, T, ratio[k], name, k, panel=1)
    return fig


def fig_costs(found: Costs) -> Figure:
    """ξ and the safe steps against the number of kept entries."""
    at = found.chosen - 1
    fig = panels(
        "What a short message costs in the step", ["ξ = (1 + √(1−α))/α − 1", "safe steps"],
        [axis("kept entries K")] * 2, [axis("ξ"), axis("step γ", log=True)],
        takeaway=f"K = {found.chosen}: ξ = {float(found.xi[at]):.3g}, γ_AM/γ_QM = "
        f"{float(found.gamma_am[at] / found.gamma_qm[at]):.3g}. With K = {len(found.k)} both are 1/L.",
    )
    add_line(fig, found.k, found.xi, "ξ", 2, legend=False)
    mark_x(fig, found.chosen, f"K = {found.chosen}")
    add_line(fig, found.k, found.gamma_qm, "γ_QM", 0, panel=1)
    add_line(fig, found.k, found.gamma_am, "γ_AM", 1, panel=1)
    mark_x(fig, found.chosen, panel=1)
    mark_y(fig, found.gamma_gd, "1/L", panel=1)
    return fig


def fig_own(found: Own) -> Figure:
    """The explorer's race on the settings' own problem, against bits and against rounds."""
    told = []
    for name in ("EF21, γ_AM", "EF21-W"):
        gain = found.gain(name)
        told.append(f"{name} {gain:.3g} times" if math.isfinite(gain) else f"{name} never gets there")
    promised = found.gammas["EF21, γ_AM"] / found.gammas["EF21, γ_QM"]
    fig = panels(
        f"{len(found.L_i)} clients, {len(found.histories)} methods", ["against what is sent", "against rounds"],
        [axis("sent by a client", "kbit", log=True), axis("round", log=True)],
        [axis("‖∇f‖² / start", log=True), axis("", log=True)],
        takeaway=f"As fast as EF21 with γ_QM: {', '.join(told)}. Steps: γ_AM is {promised:.3g} γ_QM, "
        f"1/L is {found.gammas['GD, 1/L'] / found.gammas['EF21, γ_QM']:.3g} γ_QM.", height=420,
    )
    draw_histories(fig, found.histories)
    draw_histories(fig, found.histories, panel=1, bits=False)
    for trace in fig.data[len(found.histories):]:
        trace.showlegend = False
    return fig
