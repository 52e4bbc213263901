"""Explorers of the recoding lesson: a sentence, a prediction (live), step sizes (quick), training (run)."""
from __future__ import annotations

from typing import Any

import torch

from gradscape.credit.recoding.experiments import (
    SentenceResult,
    exact_nll,
    language,
    one_sentence,
    swept,
)
from gradscape.credit.recoding.grammar import garden_path_corpus
from gradscape.credit.recoding.model import LSTMLanguageModel, Recipe, perplexity, train
from gradscape.credit.recoding.recoder import STEPS, Recoder, StepSize
from gradscape.credit.recoding.settings import PLACES, Settings
from gradscape.credit.recoding.signals import DETERMINISTIC
from gradscape.lesson import replicate_seed
from gradscape.lessons.credit.recoding.figures import (
    SweepResult,
    TrainRun,
    fig_sentence,
    fig_sweeps,
    fig_train,
    fig_words,
)
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

SENTENCES = {
    "the whole corpus": None, "garden paths": {"rr": 1.0, "npz": 1.0}, "their controls": {"urr": 1.0, "npzc": 1.0},
}
SWEPT = torch.cat([torch.zeros(1), torch.logspace(-2, 1, 13)]).double()
READ = 150  # sentences of a sweep: enough for a curve, few enough for a second
TRAINED = 1000  # sentences of the training explorer


def explorer_sentence(settings: Settings) -> Explorer:
    """One sentence: the signal before and after each step, and the surprisal that counts."""

    def compute(values: Values, task: Task) -> SentenceResult:
        return one_sentence(values.settings)

    return explore(
        compute, redraw(fig_sentence),
        [field(name) for name in ("kind", "number", "signal", "alpha", "target", "where", "t0")],
        settings=settings, name="sentence",
        presets={"a garden path": {}, "recode before the verb": {"where": PLACES[1]},
                 "one step": {"where": PLACES[2], "t0": 3}, "published signal": {"signal": "surprisal_thesis",
                                                                               "alpha": 5.0}},
    )


def explorer_words(settings: Settings) -> Explorer:
    """The prediction of one word before and after the step, beside the grammar's."""

    def compute(values: Values, task: Task) -> SentenceResult:
        return one_sentence(values.settings.replace(where=PLACES[0], t0=values.place))

    return explore(
        compute, redraw(fig_words),
        [field("kind"), field("number"),
         Control("place", "int", 0, 10, default=6, about="word that is predicted, from 0 on"), field("signal"),
         field("alpha")],
        settings=settings, name="words",
        presets={"the verb of a garden path": {}, "entropy": {"signal": "entropy", "alpha": 2.0},
                 "a control": {"kind": "urr", "place": 8}},
    )


def explorer_sweep(settings: Settings) -> Explorer:
    """Honest NLL, leaky NLL and entropy over the step size, on other sentences and with other signals."""

    def compute(values: Values, task: Task) -> SweepResult:
        one = language(settings)
        sentences = garden_path_corpus(READ, replicate_seed(settings.seed, 5000), SENTENCES[values.sentences])
        data, exact = one.vocab.encode(sentences), float(exact_nll(sentences).nanmean())
        nll, leaky, entropy, _ = swept(one.twin, values.signal, SWEPT, data)
        return SweepResult(values.signal, values.sentences, SWEPT[1:], nll[1:] - nll[0], leaky[1:] - nll[0],
                           entropy[1:] - entropy[0], exact - float(nll[0]))

    return explore(
        compute, redraw(fig_sweeps),
        [field("signal"), Control("sentences", "choice", options=tuple(SENTENCES), about="sentences that are read")],
        settings=settings, name="sweep", mode="quick",
        presets={"surprisal": {}, "entropy": {"signal": "entropy"},
                 "entropy on garden paths": {"signal": "entropy", "sentences": "garden paths"},
                 "published signal": {"signal": "surprisal_thesis"}},
    )


def _plain(settings: Settings) -> TrainRun:
    one = language(settings)
    found, exact = perplexity(one.twin.nll(one.test)), perplexity(one.exact)
    return TrainRun("not yet", one.losses, (), (found, found, exact))


def explorer_train(settings: Settings) -> Explorer:
    """Train with recoding in the loop beside the plain LSTM, both on the same sentences from the same weights."""
    count = min(TRAINED, settings.size.train)

    def compute(values: Values, task: Task) -> TrainRun:
        one, seed = language(settings), replicate_seed(settings.seed, 6000)
        data = one.vocab.encode(garden_path_corpus(count, seed))
        recipe = Recipe(lr=1e-2, batch=50, epochs=values.passes)
        models = [LSTMLanguageModel(one.vocab, seed=seed) for _ in range(2)]
        step = StepSize(values.step, values.alpha, models[1].hidden)
        recoder = Recoder(models[1], values.signal, step, target=values.target)

        def progress(done: int, total: int, offset: int = 0) -> None:
            task.step(done + offset * total, 2 * total)

        losses = [
            train(models[0], data, recipe, seed=seed, progress=progress),
            train(models[1], data, recipe, seed=seed, recoder=recoder,
                  progress=lambda done, total: progress(done, total, 1)),
        ]
        recoder.target = "gold"
        found = (perplexity(models[0].nll(one.test)), perplexity(recoder.run(one.test.x, one.test.y).nll))
        name = f"{values.signal}, α = {values.alpha:g} ({values.step})"
        return TrainRun(name, tuple(losses[0]), tuple(losses[1]), (*found, perplexity(one.exact)))

    return explore(
        compute, redraw(fig_train),
        [
            Control("signal", "choice", options=DETERMINISTIC, symbol="δ", about="what a recoding step lowers"),
            Control("alpha", lo=1e-3, hi=10.0, scale="log", default=0.5, symbol="α",
                    about="step size, or where it starts"),
            Control("step", "choice", options=STEPS, about="fixed, learned, or from a network"),
            Control("target", "choice", options=("gold", "argmax"), about="word of a surprisal while training"),
            Control("passes", "int", 1, 20, default=6, about="passes over the training sentences"),
        ],
        settings=settings, name="train", mode="run", initial=_plain(settings),
        presets={"surprisal": {}, "entropy": {"signal": "entropy", "alpha": 0.1},
                 "as published": {"signal": "surprisal_thesis", "alpha": 5.0, "target": "argmax"},
                 "learned step": {"signal": "entropy", "alpha": 0.1, "step": "learned"}},
    )


EXPLORERS: dict[str, Any] = {
    "sentence": explorer_sentence, "words": explorer_words, "sweep": explorer_sweep, "train": explorer_train,
}
