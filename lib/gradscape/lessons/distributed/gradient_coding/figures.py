"""Figures of the lesson: from results to plotly figures."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gradscape import results
from gradscape.distributed.gradient_coding import (
    SCENARIOS,
    SCHEMES,
    TILES,
    Candidate,
    Cluster,
    CodeResult,
    Comparison,
    GradientCode,
    OwnDesign,
    Race,
    Settings,
    Tiles,
    Training,
    load,
    load_lower_bound,
    make,
    scenario,
    tiles,
)
from gradscape.distributed.workers import DelayTrace
from gradscape.workbench import (
    Figure,
    add_bars,
    add_line,
    add_points,
    axis,
    figure,
    heatmap,
    mark_y,
    panels,
)

NAMES = {"uncoded": "no coding", "gc": "GC", "srsgc": "SR-SGC", "msgc": "M-SGC"}
SHOWN_WORKERS, SHOWN_ROUNDS = 24, 60
# One color and one letter per tile, so that the picture reads without color too
TILE_COLORS = ("#f3f4f6", "#9ecae9", "#2b7bba", "#8fd1a8", "#2c8f5c", "#cf4a00")
TILE_SIGNS = ("", "1", "↻", "C", "C↻", "×")
EVERY = 3      # jobs between two points of a race
EXACT = 1e-18  # where exact agreement is drawn on a logarithmic axis


def fig_delays(trace: DelayTrace, mu: float = 1.0) -> Figure:
    """Who takes how long: one cell per worker and round, in units of the round's fastest."""
    seconds = trace.seconds[:SHOWN_ROUNDS]
    relative = (seconds / seconds.amin(1, keepdim=True)).T
    late, shown = (relative > 1 + mu).sum(0), relative[:SHOWN_WORKERS].numpy()
    fig = panels(
        "Delays of a simulated cluster", ["time / fastest of the round", f"late workers of {len(relative)}"],
        [axis("round"), axis("round")], [axis("worker"), axis("late workers", range=(0, 1.1 * float(late.max()) + 1))],
        takeaway=f"In {int((late > 0).sum())} of {len(late)} rounds somebody takes over {1 + mu:g} times as long as "
        "the fastest, and mostly somebody else each time.",
    )
    heatmap(fig, np.arange(shown.shape[1]), np.arange(len(shown)), shown.round(1), "× fastest", range=(1, 4))
    add_bars(fig, [str(r) for r in range(len(late))], late, "late", 0, panel=1, showlegend=False)
    return fig


def fig_code(code: GradientCode, dead: Sequence[int]) -> Figure:
    """The coding matrix, and the decoding weights when ``dead`` workers are missing."""
    alive = torch.ones(code.n, dtype=torch.bool)
    alive[list(dead)] = False
    weights, numbers = code.decode_vector(alive), np.arange(code.n)
    size = code.matrix.abs().log10().where(code.matrix != 0, torch.nan)
    fig = panels(
        f"A cyclic code: n = {code.n} workers, any s = {code.s} may be missing",
        ["log₁₀ |C|: who combines which parts", f"decoding weights without {', '.join(map(str, dead))}"],
        [axis("part of the data"), axis("worker")], [axis("worker"), axis("weight a")],
        takeaway=f"Each worker sends one combination of {code.s + 1} parts; weights that vanish on the missing "
        "workers still give every part exactly once.",
    )
    heatmap(fig, numbers, numbers, size.numpy().round(2), "log₁₀ |C|", gaps=True)
    fig.update_yaxes(autorange="reversed", row=1, col=1)
    add_bars(fig, [str(i) for i in numbers], weights, "weight", 0, panel=1, showlegend=False)
    return fig


def fig_code_errors(result: CodeResult) -> Figure:
    """Relative errors of the decoded gradient over all straggler sets, sorted."""
    errors = result.errors.sort().values.clamp(min=EXACT)
    shown = np.unique(np.linspace(0, len(errors) - 1, 45).round().astype(int))
    fig = figure(
        "Every set of 3 stragglers out of 12", axis("straggler sets, sorted"), axis("relative error", log=True),
        takeaway=f"The decoded gradient of a real model is off by {float(errors[-1]):.0e} at worst: rounding, times "
        "the largest decoding weights.",
    )
    add_line(fig, shown + 1, errors[shown], "decoded gradient", 0, legend=False)
    mark_y(fig, 1e-8, "criterion 1e-8")
    return fig


def draw_tiles(fig: Figure, found: Tiles, panel: int = 0) -> None:
    """One job's history as tiles: workers down, rounds across."""
    state = found.state.numpy()
    steps = np.repeat(np.arange(len(TILES) + 1) / len(TILES), 2)[1:-1]
    scale = [[float(at), TILE_COLORS[k // 2]] for k, at in enumerate(steps)]
    heatmap(
        fig, np.arange(state.shape[1]), np.arange(state.shape[0]), state, "tile", panel=panel, showscale=False,
        range=(0, len(TILES) - 1), text=np.array(TILE_SIGNS)[state], texttemplate="%{text}", xgap=2,
        ygap=1 if len(state) <= 24 else 0, hovertext=np.array(TILES)[state],
    )
    fig.data[-1].update(hovertemplate="round +%{x}, worker %{y}: %{hovertext}<extra></extra>", colorscale=scale)


def fig_tiles(pattern: Tensor, designs: dict[str, tuple[int, ...]], job: int = 3) -> Figure:
    """The same job in several schemes under the same pattern of stragglers (R, n)."""
    n = pattern.shape[1]
    titles = [f"{NAMES[name]} ({', '.join(map(str, params))})" for name, params in designs.items()]
    fig = panels(
        f"One job, worker by worker (n = {n}, the same stragglers)", titles,
        [axis("rounds after the job's start", ticks=list(range(9))) for _ in titles],
        [axis("worker" if k == 0 else "") for k in range(len(titles))],
        takeaway="1: own uncoded chunk · C: coded task · ↻: second attempt · ×: lost. M-SGC repeats a lost chunk in a "
        "later round; only its last tasks are coded.", height=360,
    )
    fig.update_yaxes(autorange="reversed")
    for k, (name, params) in enumerate(designs.items()):
        draw_tiles(fig, tiles(make(name, n, params), pattern, job), panel=k)
    return fig


def fig_loads(n: int, lam: int, B: int = 1, longest: int = 40) -> Figure:
    """Load of M-SGC and SR-SGC against the window, with the bound below and GC's load for comparison."""
    windows = sorted({round(W) for W in np.geomspace(B + 1, longest, 16)})
    fitting = sorted({1 + B * max(1, round((W - 1) / B)) for W in windows})
    ours, bound = ([100 * function(W) for W in windows] for function in (
        lambda W: load("msgc", n, (B, W, lam)), lambda W: load_lower_bound(n, B, W, lam)))
    repeating = [100 * load("srsgc", n, (B, W, lam)) for W in fitting]
    plain = 100 * load("gc", n, (min(lam, n - 1),))
    fig = figure(
        f"Load against the window (n = {n}, λ = {lam}, B = {B})", axis("window W", "rounds", log=2),
        axis("normalized load L", "% of a job", log=True),
        takeaway=f"M-SGC carries {ours[0]:.3g} % of a job at W = {windows[0]}, {ours[0] / bound[0]:.2f} times the "
        f"bound; GC for the same {min(lam, n - 1)} stragglers {plain:.3g} %.",
    )
    add_line(fig, windows, [plain] * len(windows), f"GC, s = {min(lam, n - 1)}", 1, mode="lines")
    add_line(fig, fitting, repeating, "SR-SGC", 2)
    add_line(fig, windows, ours, "M-SGC", 3)
    add_line(fig, windows, bound, "lower bound L*", 7, mode="lines")
    add_line(fig, windows, [100 / n] * len(windows), "no coding", 0, mode="lines")
    return fig


def fig_choice(cluster: Cluster) -> Figure:
    """Replayed time of every candidate against its load; the chosen ones carry names."""
    fig = figure(
        "Choosing parameters: every candidate on the recorded probe", axis("normalized load L", "% of a job", log=True),
        axis("replayed time", "s"),
        takeaway="Little load waits too often, much load computes too long; each scheme takes its own best.",
    )
    for k, name in enumerate(SCHEMES):
        mine = [c for c in cluster.candidates if c.scheme == name]
        if name != "uncoded":
            add_points(fig, [100 * c.load for c in mine], [c.time for c in mine], NAMES[name], k, opacity=0.55,
                       marker={"size": 6})
        pick = cluster.chosen[name]
        add_points(fig, [100 * pick.load], [pick.time], f"chosen: {label(pick)}", k,
                   marker={"size": 13, "line": {"width": 1.5, "color": "#1f2933"}})
    return fig


def label(pick: Candidate) -> str:
    """A scheme's name with its parameters."""
    return f"{NAMES[pick.scheme]} ({', '.join(map(str, pick.params))})" if pick.params else NAMES[pick.scheme]


def fig_race(race: Race) -> Figure:
    """Jobs finished against time."""
    labels = [label(pick) for pick in race.picks]
    fig = figure("Jobs finished against time", axis("time", "s"), axis("finished jobs"), takeaway=_order(race, labels))
    _race_lines(fig, race, labels)
    return fig


def _race_lines(fig: Figure, race: Race | OwnDesign, labels: Sequence[str], panel: int = 0) -> None:
    for k, (label, run) in enumerate(zip(labels, race.runs, strict=True)):
        times = run.finish_times.sort().values
        shown = np.arange(len(times) - 1, -1, -EVERY)[::-1].copy()
        add_line(fig, times[shown], shown + 1, label, k, panel=panel)


def _order(race: Race | OwnDesign, labels: Sequence[str]) -> str:
    totals = sorted((run.total, label) for run, label in zip(race.runs, labels, strict=True))
    return "Fastest first: " + ", ".join(f"{label} {total:.1f} s" for total, label in totals) + "."


def fig_scenarios(settings: Settings) -> Figure:
    """Times over GC's in all scenarios: one point per cluster."""
    fig = figure(
        "Time relative to GC, each scheme at its own best parameters",
        axis("", range=(-0.5, 2.5), ticks=range(len(SCENARIOS)), labels=[
            f"{name}<br>α = {kind.alpha:g} s, p_sn = {kind.delays.p_sn:g}" for name, kind in SCENARIOS.items()]),
        axis("time / GC's time"), takeaway=_scenario_sentence(settings),
    )
    for k, scheme in ((2, "srsgc"), (3, "msgc")):
        x, y = [], []
        for at, name in enumerate(SCENARIOS):
            clusters = scenario(settings, name)
            spread = np.linspace(-0.08, 0.08, len(clusters)) if len(clusters) > 1 else np.zeros(1)
            x += (at + (0.18 if scheme == "msgc" else -0.18) + spread).tolist()
            y += [cluster.ratio(scheme, "gc") for cluster in clusters]
        add_points(fig, x, y, NAMES[scheme], k, marker={"size": 7}, opacity=0.75)
    mark_y(fig, 1.0, "as fast as GC")
    return fig


def _scenario_sentence(settings: Settings) -> str:
    means = {name: float(np.mean([c.ratio("msgc", "gc") for c in scenario(settings, name)])) for name in SCENARIOS}
    return "M-SGC over GC, mean: " + ", ".join(f"{mean:.2f} ({name})" for name, mean in means.items()) + "."


def fig_training(training: Training) -> Figure:
    """Loss of the four models together against simulated time."""
    fig = figure(
        "Four models in turn, 16 workers", axis("simulated time", "s"), axis("cross entropy of the batch", "nats"),
        takeaway="The same losses in the same order, at other times: coding changes when a step is taken, not which.",
    )
    for k, (name, log) in enumerate(training.logs.items()):
        order = log.finish_times.argsort()
        add_line(fig, log.finish_times[order], log.losses[order], f"{NAMES[name]}: {log.total:.1f} s", k)
    return fig


def fig_wire(training: Training) -> Figure:
    """Bits of results per job, in gradients per worker."""
    logs = training.logs
    jobs, gradient = len(logs["gc"].losses), 64 * logs["gc"].parameters.shape[1]
    sent = [float(log.up.double().mean()) / (jobs * gradient) for log in logs.values()]
    fig = figure(
        "On the wire: results that arrive", axis(""), axis("gradients per worker and job"),
        takeaway=f"M-SGC computes least but sends {sent[3]:.2f} gradients per worker and job: one per mini-task "
        f"(one gradient here: {gradient:,} bits).",
    )
    add_bars(fig, [NAMES[name] for name in logs], sent, "gradients", 0, showlegend=False)
    return fig


def fig_real(found: Comparison) -> Figure:
    """Simulator against real processes: parameters after each job, and bits."""
    differences = found.differences.clamp(min=EXACT)
    simulated, real = found.hosted_bits
    fig = panels(
        "Two real processes on this machine take the simulator's steps",
        ["difference of the trained model", "results of 8 workers"],
        [axis("job"), axis("")], [axis("relative difference", log=True, range=(1e-19, 1e-12)), axis("Mbit")],
        takeaway=f"After every job the parameters agree to {float(found.differences.max()):.0e}, and the wire carried "
        f"exactly the {real:,} bits that the simulator had counted.",
    )
    add_line(fig, np.arange(1, len(differences) + 1), differences, "real − simulated", 0, legend=False)
    add_bars(fig, ["simulated", "real"], [simulated / 1e6, real / 1e6], "Mbit", 1, panel=1, showlegend=False)
    return fig


def fig_map(table: results.Table | None) -> Figure:
    """Recorded map of M-SGC's time over GC's; an empty note where nothing was recorded."""
    if table is None:
        command = "gradscape record distributed/gradient_coding --table map"
        return figure("No recorded map", takeaway=f"Record it with: {command}")
    rows = list(table.rows())
    p_ns, p_sn, alphas = (sorted({row[name] for row in rows}) for name in ("p_ns", "p_sn", "alpha"))
    cells = {(row["p_ns"], row["p_sn"], row["alpha"]): row["msgc_over_gc"] for row in rows}
    fig = panels(
        "Where sequential coding pays: M-SGC's time over GC's", [f"α = {alpha:g} s" for alpha in alphas],
        [axis("p_ns") for _ in alphas], [axis("p_sn" if k == 0 else "") for k in range(len(alphas))],
        takeaway="Blue: M-SGC is faster. Costly computing (large α) decides; short slow spells (large p_sn) help. "
        f"In the blue corner of α = 0 more workers are slow than any searched GC survives (s ≤ 39). {table.caption}.",
        height=345,
    )
    fig.update_xaxes(type="category")
    fig.update_yaxes(type="category")
    for k, alpha in enumerate(alphas):
        z = np.log2([[cells[a, b, alpha] for a in p_ns] for b in p_sn])
        heatmap(fig, [f"{a:g}" for a in p_ns], [f"{b:g}" for b in p_sn], z.round(3), "log₂ ratio", diverging=True,
                range=(-0.7, 0.7), panel=k, showscale=k == len(alphas) - 1,
                text=np.array([[f"{2**v:.2f}" for v in row] for row in z]), texttemplate="%{text}")
    return fig


def fig_cluster(found: OwnDesign) -> Figure:
    """The explorer's picture: whose results are lost under M-SGC, one job's tiles, and the race of four schemes."""
    run, names = found.runs[3], [NAMES[name] for name in SCHEMES]
    at, who = run.effective[:SHOWN_ROUNDS].nonzero().T
    job = int(run.effective[: len(run.finish_times)].sum(1).argmax())
    fig = panels(
        "Four schemes on one cluster",
        ["results lost under M-SGC", f"M-SGC's job {job}", "jobs finished"],
        [axis("round", range=(-1, SHOWN_ROUNDS)), axis("rounds after start", ticks=range(20)), axis("time", "s")],
        [axis("worker", range=(-1, run.effective.shape[1])), axis(""), axis("finished jobs")],
        takeaway=f"{_order(found, names)} M-SGC: load {100 * found.loads[3]:.3g} %, T = {found.T[3]}, waited in "
        f"{run.waits} of {len(run.durations)} rounds.", height=420,
    )
    add_points(fig, at, who, "lost result", 4, legend=False, marker={"symbol": "x", "size": 5, "color": TILE_COLORS[5]})
    draw_tiles(fig, tiles(make("msgc", run.effective.shape[1], found.design), run.effective, job), panel=1)
    _race_lines(fig, found, names, panel=2)
    return fig


def fig_ratio(alphas: Sequence[float], values: Sequence[float]) -> Figure:
    """M-SGC over GC against the load slope, on the probe of exercise 3."""
    fig = figure(
        "Long bursts: what computing must cost for M-SGC to pay", axis("load slope α", "s per job"),
        axis("M-SGC's time / GC's"), takeaway="The dearer the computing, the more M-SGC's small load is worth.",
    )
    add_line(fig, alphas, values, "M-SGC over GC", 3, legend=False)
    mark_y(fig, 1.0, "tie")
    return fig
