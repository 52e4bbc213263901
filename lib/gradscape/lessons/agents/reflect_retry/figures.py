"""Figures of the R^3L lesson: advantage masses, one attempt and its retry, restarts, learning curves, recorded runs."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gradscape.agents.reflect_retry.attempts import Attempts, Contrast, Dominance, Mechanism, Walk
from gradscape.agents.reflect_retry.settings import LABELS
from gradscape.agents.reflect_retry.trainer import MARKS, History
from gradscape.agents.toolworld import HORIZON, Episode, show_call, show_obs
from gradscape.results import Table
from gradscape.workbench import add_bars, add_line, add_points, axis, figure, mark_y, panels

LESSON = "agents/reflect_retry"
RULE_WORDS = {"paper": "paper: α for a success", "code": "code: 1 for a success", "scale": "α·A for a success",
              "none": "A = R − mean (OPMD, GRPO)"}
SERIES = {"r3l": 0, "grpo": 1, "raft": 2, "opmd": 3, "opmd_pa": 4, "reflect_grpo": 5, "no_amplification": 6,
          "no_credit": 7, "random": 1, "unguided": 2, "oracle": 5}
GRID_WORDS = {"none": "no amplification", "code": "code rule", "paper": "paper rule", "grpo": "GRPO (clip, KL)"}
WORDS = LABELS | {"code": "R³L, code rule", "scale": "R³L, α·A"}  # the long runs have two names of their own
STEPS = (1, 2, 4, 6)
HISTORY = {"trigger_rate": "attempts retried", "retry_success": "retries that succeed",
           "batch_success": "first attempts that succeed", "pivot_accuracy": "pivots right, of failures"}
PAPER_SHIFTS = {-5: 0.63, -2: 0.65, 0: 0.66, 2: 0.63, 5: 0.60}  # retry success, from the authors' answer
RATE = (0.0, 1.0)
STRONGEST, MARKED = 5.0, (-3.0, -0.5, 0.0, 0.5, 3.0)  # advantages: end and ticks of the color scale


def fig_dominance(result: Dominance, rule: str = "paper") -> go.Figure:
    """Positive and negative advantage mass of a group by one rule, and the ratio by every rule, against successes."""
    c, ratio = result.successes, {name: result.ratio(name) for name in result.positive}
    N, quarter = len(c) - 1, (len(c) - 1) // 4
    fig = panels(
        "Who pushes harder, successes or failures?", [RULE_WORDS[rule], "positive mass / negative mass"],
        [axis("successes c in the group")] * 2, [axis("sum of |advantages|"), axis("ratio", log=True)],
        takeaway=f"N = {N}. With c = {quarter}: ratio {ratio[rule][quarter]:.3g} by this rule, 1 for A = R − mean. "
                 f"When all succeed: positive mass {result.positive[rule][-1]:.3g}.", height=400,
    )
    for i, (name, mass) in enumerate((("positive", result.positive), ("negative", result.negative))):
        add_bars(fig, [str(k) for k in c.tolist()], mass[rule], f"{name} mass", i)
    for i, name in enumerate(RULE_WORDS):
        inner = np.isfinite(ratio[name])
        add_line(fig, c[inner], ratio[name][inner], RULE_WORDS[name], i + 2, panel=1)
    return fig


def fig_walk(result: Walk) -> go.Figure:
    """An attempt and its retry, turn by turn: advantage as color, shared turns open and gray, the pivot as a line."""
    columns = [("first attempt", result.base, result.base_mask, result.base_advantage)]
    if result.retry is not None:
        columns.append(("retry", result.retry, result.retry_mask, result.retry_advantage))
    fig = figure(
        "One task, attempt and retry",
        axis("attempt", range=(-0.12, 1.75), ticks=range(len(columns)), labels=[column[0] for column in columns]),
        axis("turn", range=(HORIZON - 0.4, -1.3), ticks=range(HORIZON), labels=[str(t) for t in range(HORIZON)]),
        takeaway=f"“{result.sentence}” {_said(result)}", height=500, showlegend=False,
    )
    fig.update_xaxes(showgrid=False)
    for x, (name, episode, mask, advantage) in enumerate(columns):
        head = f"{name}: {'success' if episode.success else 'failure'}, Â = {advantage:+.2f}"
        fig.add_annotation(x=x - 0.04, y=-0.85, text=f"<b>{head}</b>", xanchor="left", showarrow=False)
        for counted in (True, False):
            turns = [t for t in range(len(episode.calls)) if mask[t] == counted]
            if turns:
                _add_turns(fig, x, name, episode, turns, advantage if counted else None)
    if result.retry is not None:
        mark_y(fig, result.pivot - 0.5, "pivot")
    return fig


def _add_turns(
    fig: go.Figure, x: int, name: str, episode: Episode, turns: Sequence[int], advantage: float | None,
) -> None:
    """Turns of one attempt, one below the other; their calls are in the series' name too, for who cannot see them."""
    lines = [f"{show_call(episode.calls[t])} → {show_obs(episode.observations[t])}" for t in turns]
    told = "; ".join(f"turn {t} {line}" for t, line in zip(turns, lines, strict=True))
    what = "masked" if advantage is None else f"advantage {advantage:+.2f}"
    bar = {"title": {"text": "Â", "side": "top"}, "thickness": 12, "len": 0.8,
           "tickvals": [_shade(v) for v in MARKED], "ticktext": [f"{v:+g}" if v else "0" for v in MARKED]}
    end = _shade(STRONGEST)
    looks = {"symbol": "square-open", "color": "#8a939c"} if advantage is None else {
        "symbol": "square", "color": [_shade(advantage)] * len(turns), "colorscale": "RdBu", "cmin": -end, "cmax": end,
        "colorbar": bar}
    fig.add_trace(go.Scatter(
        x=[x] * len(turns), y=list(turns), mode="markers+text", name=f"{name}, {what}: {told}", text=lines,
        textposition="middle right", hovertext=lines, hoverinfo="text",
        textfont={"size": 12, "color": "#6b747d" if advantage is None else "#1f2933"},
        marker={"size": 15, "line": {"width": 1.5 if advantage is None else 1, "color": "#52606d"}, **looks},
    ))


def _shade(advantage: float) -> float:
    """Square root with sign: an advantage of 1/8 must be seen beside one of 3."""
    return math.copysign(math.sqrt(abs(advantage)), advantage)


def _said(result: Walk) -> str:
    """What the reflection says, what came of it, and how the whole group did."""
    judged = f"Reflection: {result.outcome.replace('_', ' ')}"
    group = f"In the group {int(sum(result.rewards))} of {len(result.rewards)} succeed."
    if result.retry is None:
        return f"{judged}; no retry. {group}"
    shifted = f"; tried from turn {result.pivot}" if result.pivot != result.k else ""
    ends = "succeeds" if result.retry.success else "fails"
    masked = "" if all(result.base_mask) else " Open gray squares: turns before the pivot, shared and masked."
    return f"{judged}, from turn {result.k} with {show_call(result.call)}{shifted}. The retry {ends}. {group}{masked}"


def fig_pivots(found: Attempts) -> go.Figure:
    """From which turn the failed attempts are tried again: what lies before it is what pivotal credit masks."""
    pivot, length = (part[found.usable].numpy() for part in (found.said.pivot, found.batch.length))
    last = max(3, int(pivot.max(initial=0)))
    fig = figure(
        "Where do retries begin?", axis("turn k that the reflection names"), axis("share of failed attempts"),
        takeaway=f"{np.mean(pivot == 0):.0%} of {len(pivot)} retries begin at turn 0, where nothing is masked; "
                 f"{pivot.sum() / max(1, length.sum()):.0%} of these attempts' turns lie before the pivot.", height=320,
    )
    add_bars(fig, [str(k) for k in range(last + 1)], [np.mean(pivot == k) for k in range(last + 1)], "attempts", 0)
    return fig


def fig_contrast(made: Sequence[Contrast], group_size: int) -> go.Figure:
    """How often base models solve single tasks: where the rate is 0 or 1 a group of attempts has no contrast."""
    edges = np.linspace(0, 1, 11)
    words = ["0", *[f"{low:.1f} to {low + 0.1:.1f}" for low in edges[:-2]], "0.9 to 1"]
    told = "; ".join(f"known {one.known:g}: {one.never(1):.0%} of the tasks with one violation were never solved, "
                     f"{one.with_contrast(group_size):.0%} of groups of {group_size} have contrast" for one in made)
    fig = figure("How often does a base model solve a task?", axis("share of its attempts that succeed"),
                 axis("share of tasks"), takeaway=f"{told[0].upper()}{told[1:]}.", height=390, barmode="group")
    for i, one in enumerate(made):
        inner, _ = np.histogram(one.rate[one.rate > 0], edges)
        share = np.array([(one.rate == 0).sum(), *inner]) / len(one.rate)
        add_bars(fig, words, share, f"known share {one.known:g}", i)
    return fig


def fig_restarts(result: Mechanism) -> go.Figure:
    """Success of retries and the calls they cost, by where they start and who says what to do."""
    shifts = [name for name in result.success if name == "k" or name.startswith(("k-", "k+"))]
    others = [name for name in ("start", "unguided", "random", "oracle") if name in result.success]
    words = {"start": "from turn 0", "unguided": "no guidance", "random": "random", "oracle": "oracle"}
    fig = panels(
        "Retries of failed attempts", ["success", "generated calls per retry"],
        [axis("retry")] * 2, [axis("share that succeeds"), axis("calls")],
        takeaway=f"{result.retried} failed attempts are retried; k is the turn that the reflection names. From k "
                 f"{result.success['k']:.3f}, one turn later {result.success['k+1']:.3f}, without guidance "
                 f"{result.success['unguided']:.3f}, by the oracle's reflection {result.success['oracle']:.3f}. Calls: "
                 f"{result.calls['k']:.1f} from k, {result.calls['start']:.1f} from the start.",
        height=420, legend={"orientation": "h", "y": -0.42},
    )
    for panel, values in enumerate((result.success, result.calls)):
        add_bars(fig, shifts, [values[name] for name in shifts], "guided by the model's reflection", 0, panel=panel,
                 showlegend=panel == 0)
        add_bars(fig, [words[name] for name in others], [values[name] for name in others], "other retries", 1,
                 panel=panel, showlegend=panel == 0)
    return fig


def fig_runs(runs: Mapping[str, History]) -> go.Figure:
    """Training runs: success on held-out tasks, and generated calls, against iterations."""
    label = {name: LABELS.get(name, name) for name in runs}
    ends = ", ".join(f"{label[name]} {run.success[0]:.2f} → {run.success[-1]:.2f}" for name, run in runs.items())
    fig = panels(
        "Training", ["held-out tasks", "retries"], [axis("iteration"), axis("iteration")],
        [axis("success rate", range=RATE), axis("share", range=RATE)], takeaway=f"{ends}.",
    )
    for name, run in runs.items():
        add_line(fig, run.evaluated, run.success, label[name], SERIES.get(name, 7))
    retrying = {name: run for name, run in runs.items() if np.isfinite(run.trigger_rate).any()}
    for k, (name, run) in enumerate(retrying.items()):
        x = np.arange(1, len(run.trigger_rate) + 1)
        for j, (share, words) in enumerate(((run.trigger_rate, "attempts retried"),
                                            (run.retry_success, "retries that succeed"))):
            add_line(fig, x, share, f"{label[name]}: {words}", 2 * k + 2 + j, panel=1, gaps=True, mode="lines")
    if not retrying:
        any_run = next(iter(runs.values()))
        add_line(fig, np.arange(1, len(any_run.batch_success) + 1), any_run.batch_success, "attempts that succeed", 6,
                 panel=1, mode="lines")
    return fig


def _recorded(table: Table | None, name: str) -> tuple[str, list[dict[str, Any]]]:
    """Caption and rows of a recorded table, or how to record it."""
    if table is None:
        return f"Not recorded yet: gradscape record {LESSON} --table {name}", []
    return table.caption, list(table.rows())


def _curves(rows: Sequence[dict[str, Any]], variant: str) -> tuple[np.ndarray, np.ndarray]:
    """Iterations (E,) and success (replicates, E) of a variant."""
    own = [row for row in rows if row["variant"] == variant]
    iterations = sorted({row["iteration"] for row in own})
    replicates = sorted({row["replicate"] for row in own})
    found = {(row["replicate"], row["iteration"]): row["success"] for row in own}
    return np.array(iterations), np.array([[found[r, i] for i in iterations] for r in replicates], dtype=float)


def fig_recorded(
    table: Table | None, variants: Sequence[str], *, title: str = "Recorded runs", name: str = "runs",
) -> go.Figure:
    """Recorded: mean success of each variant against iterations, with the range over its replicates."""
    caption, rows = _recorded(table, name)
    shown = [v for v in variants if any(row["variant"] == v for row in rows)]
    ends = {v: _curves(rows, v) for v in shown}
    told = ", ".join(f"{WORDS.get(v, v)} {success[:, -1].mean():.2f} ({len(success)})"
                     for v, (_, success) in ends.items())
    fig = figure(f"{title} (recorded)", axis("iteration"), axis("success rate on held-out tasks", range=RATE),
                 takeaway=f"{caption}. At the end, mean over seeds (number of seeds): {told}." if shown else caption,
                 height=430)
    for i, (variant, (iterations, success)) in enumerate(ends.items()):
        add_line(fig, iterations, success.mean(0), WORDS.get(variant, variant), i,
                 band=(success.min(0), success.max(0)))
    if not shown:
        add_line(fig, [0.0, 1.0], [0.0, 0.0], "nothing recorded", 6)
    return fig


def fig_gains(table: Table | None, rivals: Sequence[str]) -> go.Figure:
    """Recorded: area of R^3L minus that of each rival, seed by seed."""
    caption, rows = _recorded(table, "runs")
    shown = [v for v in rivals if any(row["variant"] == v for row in rows)]
    fig = figure(
        "R³L minus each of its variants, seed by seed (recorded)",
        axis("compared with", ticks=range(max(1, len(shown))),
             labels=[LABELS.get(v, v).replace("R³L ", "").replace("R³L, ", "") for v in shown] or ["nothing recorded"]),
        axis("difference of area"), takeaway=f"{caption}. Each point is a seed; area is the mean "
        "success after 10, 20 and 30 iterations." if shown else caption, height=420, showlegend=False,
    )
    ours = _area(rows, "r3l")
    for i, variant in enumerate(shown):
        rival = _area(rows, variant)
        gain = np.array([ours[r] - rival[r] for r in sorted(set(ours) & set(rival))])
        spread = np.linspace(-0.15, 0.15, len(gain)) if len(gain) > 1 else np.zeros(len(gain))
        add_points(fig, i + spread, gain, LABELS.get(variant, variant), i)
    if not shown:
        add_points(fig, [0.0], [0.0], "nothing recorded", 6)
    mark_y(fig, 0.0)
    return fig


def _area(rows: Sequence[dict[str, Any]], variant: str) -> dict[int, float]:
    """Mean success at the marks of each replicate of a variant."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row["variant"] == variant and row["iteration"] in MARKS:
            found.setdefault(row["replicate"], []).append(row["success"])
    return {replicate: float(np.mean(values)) for replicate, values in found.items()}


def fig_grid(table: Table | None) -> go.Figure:
    """Recorded: success at the end by gradient steps on one batch, for each rule, at two learning rates."""
    caption, rows = _recorded(table, "grid")
    rates = sorted({row["lr"] for row in rows}) or [1e-3, 2e-3]
    start = float(np.mean([row["start"] for row in rows])) if rows else 0.0
    fig = panels(
        "Gradient steps on the same batch (recorded)", [f"learning rate {rate:g}" for rate in rates],
        [axis("gradient steps per batch", ticks=STEPS)] * len(rates),
        [axis("success rate", range=(0.0, 0.5))] * len(rates),
        takeaway=f"{caption}. After 30 iterations; the base model has {start:.2f} (dashed)." if rows else caption,
    )
    for panel, rate in enumerate(rates):
        for i, (rule, label) in enumerate(GRID_WORDS.items()):
            own = [row for row in rows if row["lr"] == rate and row["rule"] == rule]
            steps = sorted({row["steps"] for row in own}) or [1]
            mean = [np.mean([row["success"] for row in own if row["steps"] == s]) if own else 0.0 for s in steps]
            add_line(fig, steps, mean, label, i, panel=panel, legend=panel == 0)
        mark_y(fig, start, panel=panel)
    return fig


def fig_history(table: Table | None) -> go.Figure:
    """Recorded: how often R^3L retries, how often a retry succeeds, and how right its reflections are."""
    caption, rows = _recorded(table, "history")
    own = [row for row in rows if row["variant"] == "r3l"] or [{"iteration": 0} | dict.fromkeys(HISTORY, 0.0)]
    x = [row["iteration"] for row in own]
    told = f" Attempts retried: {own[0]['trigger_rate']:.2f} in the first ten iterations, " \
           f"{own[-1]['trigger_rate']:.2f} in the last ten." if rows else ""
    fig = figure("R³L while it trains (recorded)", axis("iterations, means of ten", ticks=x), axis("share", range=RATE),
                 takeaway=f"{caption}.{told}", height=360)
    for i, (name, words) in enumerate(HISTORY.items()):
        add_line(fig, x, [math.nan if row[name] is None else row[name] for row in own], words, i, gaps=True)
    return fig


def fig_offsets(table: Table | None) -> go.Figure:
    """Recorded: success of retries against the shift of the pivot, for both base models; the paper's beside them."""
    caption, rows = _recorded(table, "restarts")
    fig = figure(
        "How wrong may the pivot be? (recorded)", axis("shift of the pivot in turns"),
        axis("retries that succeed", range=(0, 0.8)), height=400,
        takeaway=f"{caption}. Mean over replicates; the paper's figures come from its authors' answer to reviewers.",
    )
    for i, known in enumerate((0.0, 0.04)):
        found: dict[int, list[float]] = {}
        for row in rows:
            shift = row["restart"].removeprefix("k")
            if row["known"] == known and (not shift or shift[1:].isdigit()):
                found.setdefault(int(shift or 0), []).append(row["success"])
        shifts = sorted(found) or [0]
        add_line(fig, shifts, [np.mean(found.get(k, [0.0])) for k in shifts],
                 "base without violations" if not known else "base that knows a little, longer tasks", i)
    add_points(fig, list(PAPER_SHIFTS), list(PAPER_SHIFTS.values()), "paper (ALFWorld)", 2)
    return fig
