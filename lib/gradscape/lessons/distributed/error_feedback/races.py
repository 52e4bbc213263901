"""Figures of the lesson that hold two methods, or two worlds, against each other."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from gradscape import results
from gradscape.distributed.error_feedback import Growth, Race, Table, Tuned, Twins, Wire
from gradscape.distributed.error_feedback.experiments import RESOLVED
from gradscape.lessons.distributed.error_feedback.figures import DROP, draw_histories
from gradscape.workbench import Figure, add_bars, add_line, add_points, axis, figure, mark_y, panels

EXACT = 1e-18  # where exact agreement is drawn on a logarithmic axis


def fig_race(found: Race) -> Figure:
    """EF21(γ_QM) against EF21-W(γ_AM): one problem's curves, and what every problem gains."""
    measured, promised = found.measured.reshape(-1), found.gain.reshape(-1)
    quotient = measured / promised
    fig = panels(
        "The larger safe step is the whole gain", ["one problem", "every problem"],
        [axis("round", log=True), axis("promised: γ_AM / γ_QM")],
        [axis("‖∇f‖² / start", log=True), axis("measured: ratio of rounds")],
        takeaway=f"Rounds saved and ratio of steps agree: their quotient is {float(quotient.min()):.3f} to "
        f"{float(quotient.max()):.3f} over {len(quotient)} problems.",
    )
    draw_histories(fig, {"EF21, γ_QM": found.qm[0], "EF21-W, γ_AM": found.am[0]}, bits=False)
    mark_y(fig, DROP)
    ends = [0.9 * float(promised.min()), 1.1 * float(promised.max())]
    add_line(fig, ends, ends, "as promised", 6, panel=1, mode="lines")
    add_points(fig, promised, measured, "problems", 2, panel=1)
    return fig


def fig_growth(found: Growth, recorded: results.Table | None = None) -> Figure:
    """Gain against the spread of the L_i, every problem; beside it the recorded run with 2000 clients."""
    here = [(spread, float(value)) for spread, row in zip(found.spreads, found.race.measured, strict=True)
            for value in row]
    steps = [(spread, float(row.mean())) for spread, row in zip(found.spreads, found.race.gain, strict=True)]
    shown = [("this run", here, steps)]
    if recorded is not None:
        rows = list(recorded.rows())
        spreads = sorted({row["spread"] for row in rows})
        mean = [(s, float(np.mean([row["steps"] for row in rows if row["spread"] == s]))) for s in spreads]
        shown.append(("recorded, 2000 clients", [(row["spread"], row["rounds"]) for row in rows], mean))
    means = ", ".join(f"{float(row.mean()):.2f} ({spread:g})" for spread, row in
                      zip(found.spreads, found.race.measured, strict=True))
    fig = panels(
        "The gain grows with the spread of the Lᵢ", [title for title, _, _ in shown],
        [axis("spread of log Lᵢ") for _ in shown], [axis("ratio of rounds", log=2) for _ in shown],
        takeaway=f"Mean ratio of rounds (at spread): {means}." + (f" Right: {recorded.caption}." if recorded else ""),
    )
    for k, (_, points, line) in enumerate(shown):
        add_line(fig, *zip(*line, strict=True), "γ_AM/γ_QM, mean", 6, panel=k, legend=k == 0)
        add_points(fig, *zip(*points, strict=True), "measured, each problem", 2, panel=k, legend=k == 0, opacity=0.7,
                   marker={"size": 6})
    return fig


def fig_twins(found: Twins) -> Figure:
    """How far apart EF21 and EF21-W with the same step are, under Top-1 and under rounding."""
    resolved = (found.natural_fall > RESOLVED).all(0)
    fig = figure(
        "EF21 and EF21-W with the same step", axis("round"),
        axis("relative difference of ‖∇f‖²", log=True, range=(EXACT / 3, 3)),
        takeaway=f"Under Top-1 they differ by at most {float(found.top.max()):.0e}: rounding errors. Under rounding to "
        f"powers of two, which is not homogeneous, by up to {found.natural_largest:.2g}.",
    )
    every = slice(None, None, 4)
    top, natural = (values.amax(0).clamp(min=EXACT) for values in (found.top, found.natural))
    add_line(fig, found.rounds[every], top[every], "Top-1", 0)
    add_line(fig, found.rounds[resolved][every], natural[resolved][every], "powers of two, above rounding", 1)
    mark_y(fig, 1e-10, "criterion 1e-10")
    return fig


def fig_tables(found: Sequence[Table]) -> Figure:
    """Real data: the curves of the first table, and promised and measured gains of all."""
    first = found[0]
    fig = panels(
        "The same on real data", [f"{first.name}: {first.n} clients", "gains, and L_QM / L_AM below the name"],
        [axis("round", log=True), axis("", range=(-0.5, len(found) - 0.5), ticks=range(len(found)),
                                       labels=[f"{t.name.replace(' ', '<br>')}<br>{t.unevenness:.2f}" for t in found])],
        [axis("‖∇f‖² / start", log=True), axis("ratio", range=(0.95, 1.1 * max(t.promised for t in found)))],
        takeaway="Measured over promised: " + ", ".join(f"{t.measured / t.promised:.3f} ({t.name})" for t in found)
        + ". Even clients, no gain.", height=400,
    )
    fig.update_layout(xaxis2_tickangle=0)
    draw_histories(fig, {"EF21, γ_QM": first.qm, "EF21-W, γ_AM": first.am}, bits=False)
    at = np.arange(len(found))
    add_points(fig, at - 0.12, [t.promised for t in found], "promised: γ_AM / γ_QM", 6, panel=1)
    add_points(fig, at + 0.12, [t.measured for t in found], "measured: ratio of rounds", 2, panel=1)
    return fig


def fig_tuned(found: Tuned) -> Figure:
    """Where both methods end for multiples of the safe step."""
    best = float(found.multiples[found.plain.median(-1).values.argmin()])
    plain, weighted = (torch.where(torch.isfinite(end), end, torch.nan) / found.first
                       for end in (found.plain, found.weighted))
    fig = figure(
        "Tune both, and they are one method again", axis("step / γ_AM", log=2),
        axis("‖∇f‖² at the end / start", log=True),
        takeaway=f"The best ends differ by {float(found.differences.max()):.0e} at most. The best step is about "
        f"{best:g} γ_AM: the safe step is far from the best one.",
    )
    add_line(fig, found.multiples, plain.median(-1).values, "EF21, median problem", 0, gaps=True)
    for k, name, ends in ((0, "EF21", plain), (1, "EF21-W", weighted)):
        shift = 1.06 if k else 1 / 1.06
        x = (found.multiples * shift)[:, None].expand(ends.shape)
        add_points(fig, x.reshape(-1), ends.reshape(-1), f"{name}, each problem", k, gaps=True, opacity=0.6,
                   marker={"size": 6})
    return fig


def fig_wire(found: Wire) -> Figure:
    """Simulator against real processes: iterates after every round, and bits."""
    counted, sent = found.counted_bits / 1e3, found.wire_bits / 1e3
    fig = panels(
        "Two real processes make the simulator's iterates",
        ["difference of the iterates", "sent by the second process"],
        [axis("round"), axis("")], [axis("relative difference", log=True, range=(1e-19, 1e-12)), axis("kbit")],
        takeaway=f"After every round the iterates agree to {max(float(found.differences.max()), EXACT):.0e}. The wire "
        f"carried {found.wire_bits:,} bits, {found.wire_bits - found.counted_bits:,} more than counted: places are "
        "filled up to whole bytes.",
    )
    rounds = np.arange(len(found.differences))
    add_line(fig, rounds, found.differences.clamp(min=EXACT), "real − simulated", 0, legend=False)
    add_bars(fig, ["counted", "real"], [counted, sent], "kbit", 1, panel=1, showlegend=False)
    return fig
