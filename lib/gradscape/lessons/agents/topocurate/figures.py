"""Figures of the TopoCurate lesson."""
from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import plotly.graph_objects as go

from gradscape.agents.toolworld import show_call, show_obs
from gradscape.agents.topocurate.experiments import OneTask, Own, Study, TaskSNR, rank_correlation
from gradscape.agents.topocurate.graph import LOSE, START, WIN, Node, QuotientGraph
from gradscape.results import Table
from gradscape.workbench import add_bars, add_points, axis, figure, mark_y, panels

LESSON = "agents/topocurate"
SERIES = {"outcome": 0, "RE": 1, "shortest": 2, "full": 3, "R": 4, "E": 5, "D": 6, "ED": 7, "RD": 8}
LABELS = {"outcome": "random successes", "RE": "recovery + efficiency", "shortest": "shortest", "full": "R + E + D",
          "R": "recovery alone", "E": "efficiency alone", "D": "diversity alone", "ED": "without recovery",
          "RD": "without efficiency"}
MEASURED = {"pass_1": "pass@1", "pass_3": "pass@3", "recovery": "after an error", "flaky_pass_1": "flaky: pass@1",
            "flaky_recovery": "flaky: after an error"}
ZIGZAG = (0.0, 0.22, -0.18, 0.1, -0.26)
WEIGHTS_OF_TRAFFIC = ((1, 1, 1.0), (2, 4, 2.5), (5, 10_000, 5.0))  # from, to, width of the line


def layout(graph: QuotientGraph) -> dict[Node, tuple[float, float]]:
    """Places of nodes: across by distance from S, WIN and LOSE last; down by potential.

    Nodes of one column stand in a zigzag, so that edges between them do not cover one another.
    """
    last = max(d for v, d in graph.depth.items() if v not in (WIN, LOSE)) + 1
    layers: dict[int, list[Node]] = defaultdict(list)
    for v in graph.nodes:
        layers[last if v in (WIN, LOSE) else graph.depth[v]].append(v)
    places = {}
    for x, nodes in layers.items():
        nodes = sorted(nodes, key=lambda v: (-graph.potential[v], str(v)))
        for k, v in enumerate(nodes):
            aside = ZIGZAG[k % len(ZIGZAG)] if len(nodes) > 2 else 0.0
            places[v] = (x + aside, 0.5 if len(nodes) == 1 else 1 - k / (len(nodes) - 1))
    return places


def _name(graph: QuotientGraph, v: Node) -> str:
    if v in (START, WIN, LOSE):
        return str(v)
    call, obs = graph.turns[v]
    return f"{show_call(call)} → {show_obs(obs)}"  # type: ignore[arg-type]


def transcript(result: OneTask) -> str:
    """The shortest success and the first failure of a task, turn by turn, with each turn's potential."""
    graph, told = result.graph, [f"“{result.sentence}”"]
    won = sorted(result.trials.tolist(), key=lambda i: len(graph.paths[i]))
    lost = [i for i, success in enumerate(graph.success) if not success]
    for i, what in [(i, "success") for i in won[:1]] + [(i, "failure") for i in lost[:1]]:
        told.append(f"\nTrial {i}, {what}:")
        told += [f"  Φ = {graph.potential[v]:.2f}  {_name(graph, v)}" for v in graph.paths[i][1:-1]]
    return "\n".join(told)


def _segments(pairs: list, places: dict) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of each edge and a gap after it; as arrays, since a live figure's lists may not hold NaN."""
    ends = np.array([(places[u], places[v], (math.nan, math.nan)) for u, v in pairs]).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def fig_graph(result: OneTask) -> go.Figure:
    """All trials of a task as one graph, nodes colored by potential; the selected trials in bold."""
    graph, places = result.graph, layout(result.graph)
    fig = figure(
        "One task, all its trials", axis("calls from the start, at least"),
        axis("order by potential, within a column", ticks=[], labels=[]),
        takeaway=f"“{result.sentence}” {len(graph)} trials, {sum(graph.success)} succeed; {len(graph.turns)} different "
                 f"turns, {len(graph.branching)} nodes where trials part. Dashed: back to where a trial had been.",
        height=460,
    )
    back = [e for e in graph.edges if e[1] not in (WIN, LOSE) and graph.depth[e[1]] <= graph.depth[e[0]]]
    for low, high, width in WEIGHTS_OF_TRAFFIC:
        ahead = [e for e, (n, _) in graph.edges.items() if low <= n <= high and e not in back]
        if not ahead:
            continue
        x, y = _segments(ahead, places)
        fig.add_trace(go.Scatter(x=x, y=y, mode="lines", hoverinfo="skip", meta={"gaps": True},
                                 line={"width": width, "color": "#b8b8b8"},
                                 name="1 trial" if low == high else f"{low} to {high} trials"
                                 if high < 100 else f"{low} trials and more"))
    for name, pairs, line in (
        ("back edges", back, {"width": 1.5, "color": "#b8b8b8", "dash": "dash"}),
        ("selected", [e for i in sorted(result.picked)
                      for e in zip(graph.paths[i][:-1], graph.paths[i][1:], strict=True)],
         {"width": 2.0, "color": "#111111", "dash": "dot"}),
    ):
        if pairs:
            x, y = _segments(pairs, places)
            fig.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=name, hoverinfo="skip",
                                     meta={"gaps": True}))
    nodes = list(graph.nodes)
    fig.add_trace(go.Scatter(
        x=[places[v][0] for v in nodes], y=[places[v][1] for v in nodes], mode="markers+text", name="turns",
        text=[str(v) if v in (START, WIN, LOSE) else "" for v in nodes], textposition="top center",
        hovertext=[f"{_name(graph, v)}<br>Φ = {graph.potential[v]:.2f}" for v in nodes], hoverinfo="text",
        marker={"size": 13, "color": [graph.potential[v] for v in nodes], "colorscale": "RdBu", "cmin": 0, "cmax": 1,
                "line": {"width": 1, "color": "#333333"},
                "colorbar": {"title": "Φ", "thickness": 12, "y": 0, "yanchor": "bottom", "len": 0.5}},
    ))
    return fig


def fig_scores(result: OneTask) -> go.Figure:
    """The three scores of each success, as they are, and the weight that they add up to."""
    labels = [f"{i}{'*' if i in result.picked else ''}" for i in result.trials.tolist()] or ["none"]
    columns = result.scores if len(result.scores) else np.zeros((1, 3))
    calls = [len(result.graph.trajectories[i].calls) for i in result.trials.tolist()]
    fig = figure(
        "Scores of the successes", axis("trial (* selected)"), axis("score"),
        takeaway=f"{len(calls)} successes of {min(calls, default=0)} to {max(calls, default=0)} calls. Within a task "
                 "efficiency ranks exactly as shortness does. Each score is stretched to 0 to 1 before it enters w.",
    )
    for k, name in enumerate(("recovery R", "efficiency E", "diversity D")):
        add_bars(fig, labels, columns[:, k], name, k)
    add_bars(fig, labels, result.weights if len(result.weights) else [0.0], "weight w", 4)
    fig.update_xaxes(type="category")  # else "7" and "7*" would be a number and a text
    return fig


def fig_study(result: Study) -> go.Figure:
    """Rates of the models that learned from each selection, on held-out tasks."""
    told = ", ".join(f"{LABELS[v]} {result.of(v, 'pass_1').mean():.3f}" for v in result.models)
    fig = panels(
        "Same number of trials, selected differently", ["held-out tasks", "calls of a success"],
        [axis("measured on"), axis("world")], [axis("success rate", range=(0, 0.7)), axis("calls")],
        takeaway=f"pass@1: {told} ({result.seeds} seed{'s' * (result.seeds > 1)}).", height=420,
    )
    for variant in result.models:
        add_bars(fig, list(MEASURED.values()), [result.of(variant, f).mean() for f in MEASURED], LABELS[variant],
                 SERIES[variant])
        add_bars(fig, ["clean", "flaky"], [result.of(variant, f).mean() for f in ("turns", "flaky_turns")],
                 LABELS[variant], SERIES[variant], panel=1, showlegend=False)
    broken = [label.replace(": ", ":<br>").replace("after an ", "after<br>") for label in MEASURED.values()]
    fig.update_xaxes(tickmode="array", tickvals=list(MEASURED.values()), ticktext=broken, tickangle=0, row=1, col=1)
    return fig


def fig_models(table: Table | None) -> go.Figure:
    """Recorded: pass@1 of every selection minus that of random successes, seed by seed, in both pools."""
    caption = table.caption if table is not None else f"Not recorded yet: gradscape record {LESSON}"
    rows = list(table.rows()) if table is not None else []
    base = {(r["ploop"], r["replicate"]): r["pass_1"] for r in rows if r["variant"] == "outcome"}
    variants = [v for v in SERIES if v != "outcome" and any(r["variant"] == v for r in rows)] or ["RE"]
    fig = figure(
        "Every selection against random successes (recorded)", axis("selection", ticks=range(len(variants)),
                                                                    labels=[LABELS[v] for v in variants]),
        axis("difference of pass@1"), takeaway=f"{caption}. Each point is a seed; at 0 the selection gains nothing.",
        height=440,
    )
    for i, (name, ploop) in enumerate((("redundant pool", 0.8), ("lean pool", 0.0))):
        own = [r for r in rows if r["ploop"] == ploop and r["variant"] in variants]
        x = [variants.index(r["variant"]) + 0.2 * i - 0.1 for r in own] or [0.0]
        y = [r["pass_1"] - base[ploop, r["replicate"]] for r in own] or [0.0]
        add_points(fig, x, y, name, i)
    mark_y(fig, 0.0)
    return fig


def fig_snr(result: TaskSNR) -> go.Figure:
    """Gradient signal-to-noise ratio of tasks over their pass rate; larger marks have the higher EBR + SH."""
    rho = rank_correlation(result.sh, result.pass_rate)
    top = np.isin(np.arange(len(result.snr)), result.top_third("topo"))
    fig = figure(
        "Which tasks give a clear gradient?", axis("pass rate of the base model"), axis("gradient SNR"),
        takeaway=f"Mean SNR: all {result.mean_snr():.2f}, the third by EBR + SH {result.mean_snr('topo'):.2f}, the "
                 f"third nearest to a pass rate of 1/2 {result.mean_snr('variance'):.2f} ({len(result.snr)} "
                 f"tasks). Rank correlation of SH with the pass rate: {rho:.2f}.",
    )
    add_points(fig, result.pass_rate[~top], result.snr[~top], "other tasks", 0, marker={"size": 8})
    add_points(fig, result.pass_rate[top], result.snr[top], "third by EBR + SH", 1, marker={"size": 12})
    return fig


def fig_grpo(table: Table | None) -> go.Figure:
    """Recorded: success on fresh tasks after GRPO on 50 tasks of each rule."""
    caption = table.caption if table is not None else f"Not recorded yet: gradscape record {LESSON}"
    rows = list(table.rows()) if table is not None else []
    names = {"topo": "EBR + SH", "random": "random, 0 < p < 1", "variance": "p nearest 1/2"}
    fig = figure("GRPO on selected tasks (recorded)", axis("replicate"), axis("success on fresh tasks"),
                 takeaway=f"{caption}. The same 100 iterations for each rule.")
    for i, (mode, label) in enumerate(names.items()):
        own = [r for r in rows if r["mode"] == mode]
        values = [r["success"] for r in own] or [0.0]
        add_bars(fig, [f"seed {r['replicate']}" for r in own] or ["none"], values, label, i)
    return fig


def fig_own(result: Own) -> go.Figure:
    """Two models on the reader's pool: its selection beside random successes."""
    gain = result.selection.pass_1 - result.outcome.pass_1
    fig = figure(
        "Your selection against random successes", axis("held-out tasks"), axis("success rate", range=(0, 0.9)),
        takeaway=f"pass@1 {gain:+.3f}; calls of a success {result.outcome.turns:.2f} → {result.selection.turns:.2f}. "
                 f"{result.pass_rate:.0%} of the pool's trials succeed.",
    )
    for i, (label, model) in enumerate((("random successes", result.outcome), ("selection", result.selection))):
        add_bars(fig, list(MEASURED.values()), np.nan_to_num([getattr(model, f) for f in MEASURED]), label, i)
    return fig
