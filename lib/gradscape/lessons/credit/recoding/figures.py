"""Figures of the recoding lesson: signals, sentences, sweeps of the step size, garden paths, ways of training."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from gradscape.credit.recoding.experiments import (
    ALPHA,
    LATER,
    T0,
    GardenPaths,
    Language,
    Once,
    Reversal,
    SentenceResult,
    Sweep,
)
from gradscape.credit.recoding.grammar import exact_surprisal
from gradscape.credit.recoding.model import perplexity
from gradscape.credit.recoding.tables import RecordedWays
from gradscape.credit.recoding.training import PROSE_SIGNALS, ProseResult
from gradscape.workbench import (
    add_bars,
    add_line,
    add_points,
    axis,
    figure,
    heatmap,
    mark_x,
    mark_y,
    panels,
)
from gradscape.workbench.figures import Axis

STEP = axis("step size α", log=True)
SHOWN_WORDS = 12  # words of a prediction that are drawn
NATS = "nats per word"
NAMES = {"surprisal": "surprisal −log p", "surprisal_thesis": "published surprisal", "entropy": "entropy"}


def word_axis(words: Sequence[str]) -> Axis:
    """The words of a sentence along the axis."""
    places = list(range(len(words)))
    made = axis("word that is predicted", ticks=places, labels=list(words), range=(-0.5, len(words) - 0.5))
    made.update(tickangle=-35)
    return made


def fig_signals() -> go.Figure:
    """Both surprisals over the probability of the true word, and where a step moves it."""
    p = torch.linspace(1e-3, 1, 200, dtype=torch.float64)
    thesis = torch.expm1(-p * p.log())
    fig = figure(
        "Two signals of one name", axis("probability p of the true word", range=(0, 1)), axis("signal δ", range=(0, 2)),
        takeaway=f"The published code's signal is greatest at p = 1/e, {float(thesis.max()):.3f}. A step downhill from "
                 "the left of it lowers p: away from the true word.",
    )
    add_line(fig, p, -p.log(), "−log p", 0, mode="lines")
    add_line(fig, p, thesis, "p^(−p) − 1, as published", 1, mode="lines")
    mark_x(fig, 1 / math.e, "1/e", i=1)
    return fig


def fig_baseline(one: Language) -> go.Figure:
    """Mean surprisal at each position: the trained LSTM beside the grammar."""
    nll = one.twin.nll(one.test)
    mine, exact = perplexity(nll), perplexity(one.exact)
    places = np.arange(1, nll.shape[1] + 1)
    fig = panels(
        "The plain LSTM beside the grammar that made its corpus", ["mean surprisal", "LSTM minus exact grammar"],
        [axis("position in the sentence")] * 2, [axis("mean surprisal", "nats"), axis("difference", "nats")],
        takeaway=f"Perplexity {mine:.3f} on {len(one.test)} test sentences; the exact grammar has {exact:.3f} on the "
                 f"same ones. No method can gain more than {1 - exact / mine:.1%} here.",
    )
    add_line(fig, places, nll.nanmean(0), "LSTM", 0)
    add_line(fig, places, one.exact.nanmean(0), "exact", 2)
    add_line(fig, places, nll.nanmean(0) - one.exact.nanmean(0), "LSTM minus exact", 3, panel=1)
    mark_y(fig, 0.0, panel=1)
    return fig


def _where(result: SentenceResult) -> str:
    settings = result.settings
    if not result.recoded:
        return "No word is recoded: the sentence is shorter."
    if settings.where == "one word":
        return f"One step, after the prediction of word {settings.t0} (“{result.words[settings.t0]}”)."
    return f"Steps at {settings.where if settings.where == 'every word' else 'every word before the verb'}."


def fig_sentence(result: SentenceResult) -> go.Figure:
    """The signal at each word before and after its step, and what counts: surprisal plain and with recoding."""
    settings, T = result.settings, len(result.words)
    places, trace = np.arange(T), result.trace
    gain = float((trace.nll[0] - result.plain).mean())
    lowered = int((trace.delta_after <= trace.delta + 1e-12)[0, list(result.recoded)].sum()) if result.recoded else 0
    fig = panels(
        " ".join(result.words), [f"signal: {NAMES[settings.signal]}", "surprisal of the true word, honest output"],
        [word_axis(result.words)] * 2, [axis("δ"), axis("−log p", "nats")], height=430,
        takeaway=f"{_where(result)} The signal falls (or stays) at {lowered} of {len(result.recoded)} of them; the "
                 f"mean surprisal of the sentence changes by {gain:+.4f} nats.",
    )
    add_points(fig, places, trace.delta[0], "before the step", 0)
    add_points(fig, places, trace.delta_after[0], "after the step", 1)
    add_line(fig, places, result.plain, "plain LSTM", 3, panel=1)
    add_line(fig, places, trace.nll[0], "with recoding", 1, panel=1)
    add_points(fig, places, result.exact, "exact grammar", 2, panel=1, marker={"size": 9})
    fig.update_layout(hovermode="x unified")
    return fig


def exact_prediction(before: Sequence[str], vocab: Sequence[str]) -> np.ndarray:
    """The grammar's own probabilities of the next word (V,)."""
    found = np.zeros(len(vocab))
    for k, word in enumerate(vocab):
        try:
            found[k] = math.exp(-exact_surprisal([*before, word])[-1])
        except ValueError:  # the grammar does not allow it
            continue
    return found


def fig_words(result: SentenceResult) -> go.Figure:
    """Prediction of one word: the exact grammar's, the LSTM's, and the LSTM's after the step."""
    t = min(result.settings.t0, len(result.words) - 1)
    assert result.trace.before is not None
    assert result.trace.after is not None
    rows = np.stack([exact_prediction(result.words[:t], result.vocab), result.trace.before[0, t].numpy(),
                     result.trace.after[0, t].numpy()])
    true = result.vocab.index(result.words[t])
    order = np.argsort(-rows.max(0))[:SHOWN_WORDS].tolist()
    if true not in order:
        order[-1] = true
    before = " ".join(result.words[:t])
    fig = figure(
        f"Next word after “{before or 'the start'}”", axis("word"), axis("prediction of"), height=330,
        takeaway=f"The true word is “{result.words[t]}”: {rows[0, true]:.3f} by the grammar, {rows[1, true]:.3f} "
                 f"before the step, {rows[2, true]:.3f} after it. With a gold surprisal, the step has seen it.",
    )
    heatmap(fig, [result.vocab[k] for k in order], ["exact grammar", "before the step", "after the step"],
            rows[:, order], "probability", range=(0.0, max(0.05, float(rows.max()))))
    return fig


def fig_sweep(swept: Sweep) -> go.Figure:
    """Honest and leaky change of NLL over the step size (mean over replicates)."""
    x, change, leak = swept.alphas[1:], swept.change.mean(0)[1:], swept.leak.mean(0)[1:]
    room = float((swept.exact - swept.nll[:, 0]).mean())
    best = int(change.argmin())
    gain = -float(change[best])
    gained = f"gains at most {gain:.1g} (at α = {float(x[best]):g})" if gain > 0 else "never gains"
    leaks = swept.signal != "entropy"
    wide = (1.15 * min(float(leak.min()) if leaks else room, room) - 0.01, min(0.3, float(change.max())) + 0.02)
    fig = panels(
        f"Recoding with {NAMES[swept.signal]} at test time", ["as it looks", "the honest output alone"], [STEP] * 2,
        [axis("change of NLL", NATS, range=wide), axis("change of NLL", NATS, range=(1.3 * room - 0.002, 0.02))],
        takeaway=f"The honest output {gained}, where the grammar itself would gain {-room:.4f}, and loses "
                 f"{float(change[swept.at(5.0) - 1]):.3f} at α = 5."
                 + (" Decoded anew, the output has seen the word it is scored on: that curve is no result."
                    if leaks else ""),
    )
    add_line(fig, x, change, "honest output", 0)
    add_line(fig, x, change, "honest output", 0, panel=1, legend=False)
    if leaks:
        add_line(fig, x, leak, "a leak: scored after the step", 1)
    mark_y(fig, room, "all there is to gain", panel=1, i=2)
    return fig


def fig_entropy(swept: Sweep) -> go.Figure:
    """Recoding with entropy: how confident, and how right, over the step size."""
    x, at = swept.alphas[1:], swept.at(2.0)
    entropy, change = swept.entropy_change.mean(0), swept.change.mean(0)
    start = float((swept.entropy - swept.nll)[:, 0].mean())
    fig = panels(
        "More confident, not more right", ["change against the plain LSTM", "calibration"], [STEP, STEP],
        [axis("change", NATS, range=(-0.5, 0.6)), axis("mean entropy − NLL", "nats", range=(-1.0, 0.2))],
        takeaway=f"At α = 2 entropy falls by {-float(entropy[at]):.3f} and NLL rises by {float(change[at]):.3f}. "
                 f"Before recoding the two are {start:+.3f} apart: there is no doubt left to take away.",
    )
    add_line(fig, x, entropy[1:], "entropy", 1)
    add_line(fig, x, change[1:], "NLL", 0)
    add_line(fig, x, (swept.entropy - swept.nll).mean(0)[1:], "entropy − NLL", 3, panel=1)
    mark_y(fig, 0.0, "calibrated", panel=1)
    return fig


def fig_reversal(seen: Reversal) -> go.Figure:
    """Change of the true word's probability by one step on the published code's signal."""
    change = seen.after - seen.before
    up, down = (float(np.mean(seen.share_falling(side))) for side in (False, True))
    keep = torch.arange(0, len(change), max(1, len(change) // 300))
    fig = figure(
        "One step downhill on p^(−p) − 1", axis("probability p of the true word before the step", range=(0, 1)),
        axis("change of p"),
        takeaway=f"Words with p below 1/e: p falls in {down:.1%} of the steps. Words above: in {up:.1%}. "
                 f"{float((seen.before < 1 / math.e).double().mean()):.0%} of all words are of the first sort.",
    )
    add_points(fig, seen.before[keep], change[keep], "words of test sentences", 1, marker={"size": 5})
    mark_x(fig, 1 / math.e, "1/e", i=1)
    mark_y(fig, 0.0)
    return fig


def fig_garden(paths: Sequence[GardenPaths]) -> go.Figure:
    """Surprisal word by word of garden paths and controls; recoded before the verb."""
    said = "; ".join(f"{g.kind}: {float(g.spike.mean()):.2f} above the control, "
                     f"{float(g.repaired.mean()):+.2f} by recoding" for g in paths)
    fig = panels(
        "Where a garden path ends", [f"{g.kind}: {' '.join(g.words)}" for g in paths],
        [axis("words before the verb (0: the verb)", range=(-6.4, 1.4))] * len(paths),
        [axis("mean surprisal", "nats", range=(0, 6))] * len(paths), height=420,
        takeaway=f"At the verb, in nats. {said}. The exact grammar is surprised as well: it is no fault of the model.",
    )
    for panel, g in enumerate(paths):
        for k, (values, at, name) in enumerate((
            (g.plain.mean(0), g.at, "garden path"), (g.recoded.mean(0), g.at, "garden path, recoded before the verb"),
            (g.exact, g.at, "garden path, exact grammar"), (g.control.mean(0), g.at_control, "control"),
        )):
            places = torch.arange(len(values)) - at
            kept = places >= -6
            add_line(fig, places[kept], values[kept], name, k, panel=panel, legend=panel == 0)
    return fig


def fig_once(seen: Once) -> go.Figure:
    """One step after one word: what changes at that word and at the three after it."""
    mean = seen.change.mean(0)
    fig = panels(
        "One step, and the words after it", ["at the word itself (decoded anew: a leak)", "at later words"],
        [axis("step after word t₀")] * 2, [axis("change of −log p", "nats")] * 2,
        takeaway=f"The word itself gains {-float(mean[:, 0].mean()):.2f} nats. Later words change by at most "
                 f"{float(mean[:, 1:].abs().max()):.4f} on average; {float(seen.improved.mean()):.0%} of them improve.",
    )
    labels = [f"t₀ = {t0}" for t0 in T0]
    add_bars(fig, labels, mean[:, 0], "the word itself", 3)
    for k in range(1, LATER + 1):
        add_bars(fig, labels, mean[:, k], f"{k} word{'s' if k > 1 else ''} later", k - 1, panel=1)
    fig.update_layout(barmode="group")
    return fig


def fig_ways(made: RecordedWays | None, title: str) -> go.Figure:
    """Test perplexity of every way of training, relative to the plain LSTM; recorded at full size."""
    if made is None:
        fig = figure(title, axis("way of training"), axis("test perplexity against the plain LSTM", "%"),
                     takeaway="Nothing is recorded yet: gradscape record recoding makes the table.")
        add_bars(fig, ["plain LSTM"], [0.0], "plain LSTM")
        return fig
    relative, seeds = 100 * (made.test / made.test[0] - 1), made.test.shape[1]
    runs = f"{seeds} seeds (bars: half their range)" if seeds > 1 else "one seed"
    mean, half = relative.mean(1), (relative.amax(1) - relative.amin(1)) / 2
    ways = [k for k, name in enumerate(made.names) if k and "grammar" not in name]
    best = min(ways, key=lambda k: float(mean[k]))
    fig = figure(
        title, axis("way of training"), axis("perplexity against the plain LSTM", "%"), height=480,
        takeaway=f"{made.caption}: {runs}, each way at the best of "
                 f"{len(made.rates)} learning rates. Plain: {float(made.test[0].mean()):.3f}. Best with recoding: "
                 f"{made.names[best]}, {float(mean[best]):+.2f} %.",
    )
    order = list(range(1, len(made.names)))
    add_bars(fig, [made.names[k] for k in order], mean[order], "against the plain LSTM", 0, error=half[order])
    fig.update_xaxes(tickangle=-30)
    mark_y(fig, 0.0)
    return fig


def fig_prose(result: ProseResult) -> go.Figure:
    """English prose: test perplexity over the step size, at test time; and models trained with recoding."""
    x, plain = result.alphas[1:], float(result.test[0, 0])
    pairs = list(zip(result.ways, result.test, strict=True))
    trained = ", ".join(f"{way.name}: {float(row.mean()):.2f}" for way, row in pairs)
    tuned = ", ".join(f"{signal}: {result.tuned(signal):.2f} (α = {float(result.alphas[result.chosen(signal)]):g})"
                      for signal in PROSE_SIGNALS)
    gap = result.entropy - result.swept.log()
    fig = panels(
        "Genesis and Exodus, word by word", ["test perplexity", "calibration"],
        [axis("step size α", log=True, ticks=x.tolist(), labels=[f"{value:.2g}" for value in x.tolist()])] * 2,
        [axis("perplexity", range=(0.94 * plain, 1.3 * plain)),
         axis("mean entropy − NLL", "nats", range=(-1.5, max(0.3, 1.3 * float(gap[0, 0]))))], height=430,
        takeaway=f"Trained: {trained}. At test time, α chosen on other chapters: {tuned}. The plain LSTM's entropy "
                 f"and NLL are {float(gap[0, 0]):+.2f} apart.",
    )
    for k, signal in enumerate(PROSE_SIGNALS):
        add_line(fig, x, result.swept[k, 1:], f"{signal}, at test time", k)
        add_line(fig, x, gap[k, 1:], f"{signal}, at test time", k, panel=1, legend=False)
    for k, (way, row) in enumerate(pairs):
        if k:
            add_points(fig, [way.alpha], [float(row[0])], f"{way.name}, trained", 2 + k, marker={"size": 11})
    mark_y(fig, plain, "plain LSTM")
    mark_y(fig, 0.0, "calibrated", panel=1)
    return fig


@dataclass(frozen=True)
class TrainRun:
    """Two trainings of equal length: loss per pass, test perplexities, and the grammar's own."""

    name: str
    plain: tuple[float, ...]
    recoded: tuple[float, ...]
    perplexities: tuple[float, float, float]


def fig_train(run: TrainRun) -> go.Figure:
    """Training with recoding in the loop beside the plain LSTM."""
    plain, recoded, exact = run.perplexities
    fig = figure(
        f"Training with recoding: {run.name}", axis("pass over the sentences"), axis("training loss", NATS),
        takeaway=f"Test perplexity: plain {plain:.3f}, with recoding {recoded:.3f}, the grammar itself {exact:.3f}."
        if run.recoded else f"The plain LSTM: test perplexity {plain:.3f}, the grammar itself {exact:.3f}. Press Run.",
    )
    for i, (losses, name) in enumerate(((run.plain, "plain LSTM"), (run.recoded, "with recoding"))):
        if losses:
            add_line(fig, np.arange(1, len(losses) + 1), losses, name, i)
    mark_y(fig, math.log(exact), "exact grammar on the test sentences")
    return fig


@dataclass(frozen=True)
class SweepResult:
    """One sweep over step sizes at test time: changes of NLL, leaky NLL and entropy, (A,), and the room there is."""

    signal: str
    sentences: str
    alphas: Tensor
    change: Tensor
    leak: Tensor
    entropy: Tensor
    room: float


def fig_sweeps(result: SweepResult) -> go.Figure:
    """Honest NLL, leaky NLL and entropy over the step size."""
    at = int((result.alphas - ALPHA).abs().argmin())
    fig = figure(
        f"{NAMES[result.signal]}, {result.sentences}", STEP, axis("change", NATS, range=(-0.6, 0.6)),
        takeaway=f"At α = 0.5: honest NLL {float(result.change[at]):+.4f}, entropy {float(result.entropy[at]):+.4f}. "
                 f"The exact grammar: {result.room:+.4f}.",
    )
    add_line(fig, result.alphas, result.change, "honest NLL", 0)
    add_line(fig, result.alphas, result.leak, "NLL after the step", 1)
    add_line(fig, result.alphas, result.entropy, "entropy of the honest output", 3)
    mark_y(fig, result.room, "exact grammar", i=2)
    return fig
