"""What a reader touches: figures say what was measured, explorers survive their ends, tables come back as recorded."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape import results
from gradscape.credit import recoding as rc
from gradscape.credit.recoding import tables, training
from gradscape.lessons.credit import recoding as view
from gradscape.lessons.credit.recoding.explorers import _plain
from gradscape.lessons.credit.recoding.figures import exact_prediction

from tests.figures import assert_words_and_data

SMOKE = rc.Settings(profile="smoke")
MADE = tables.RecordedWays(("plain LSTM", "entropy", "the grammar itself"), (1e-3, 1e-2), torch.ones(3, 2),
                           torch.tensor([[3.0, 3.0], [2.97, 2.97], [2.9, 2.9]]), "Recorded")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("signals", view.fig_signals),
        ("baseline", lambda: view.fig_baseline(rc.language(SMOKE))),
        ("sentence", lambda: view.fig_sentence(rc.one_sentence(SMOKE))),
        ("words", lambda: view.fig_words(rc.one_sentence(SMOKE))),
        ("sweep", lambda: view.fig_sweep(rc.sweep(SMOKE, "surprisal"))),
        ("sweep entropy", lambda: view.fig_sweep(rc.sweep(SMOKE, "entropy"))),
        ("entropy", lambda: view.fig_entropy(rc.sweep(SMOKE, "entropy"))),
        ("reversal", lambda: view.fig_reversal(rc.reversal(SMOKE))),
        ("garden", lambda: view.fig_garden([rc.garden_paths(SMOKE, kind) for kind in rc.PAIRS])),
        ("once", lambda: view.fig_once(rc.once(SMOKE))),
        ("ways", lambda: view.fig_ways(MADE, "ways")),
        ("no ways", lambda: view.fig_ways(None, "ways")),
        ("prose", lambda: view.fig_prose(rc.on_prose(SMOKE))),
        ("train", lambda: view.fig_train(_plain(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


@pytest.mark.standard
@pytest.mark.parametrize("name", ["sentence", "words", "sweep"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    assert explorer.status["kind"] == "ok"


def test_sentence_explorer_says_what_is_recoded():
    explorer = view.explorer_sentence(SMOKE)
    explorer.set(kind="simple", where="one word", t0=9)
    assert "No word is recoded" in explorer.figure.layout.title.text
    explorer.set(kind="rr", where="before the verb")
    assert explorer.result.recoded == tuple(range(6))
    plain, recoded = explorer.result.plain, explorer.result.trace.nll[0]
    assert float(plain[0]) == pytest.approx(float(recoded[0]))
    assert not torch.allclose(plain[1:], recoded[1:])
    explorer.set(alpha=0.0)
    assert "alpha" in explorer.errors["alpha"]
    assert "kind=" not in explorer.command
    assert "where='before the verb'" in explorer.command or "before the verb" in explorer.command


def test_train_explorer_trains_both_and_can_be_cancelled():
    explorer = view.explorer_train(SMOKE)
    assert "Press Run" in explorer.figure.layout.title.text
    explorer.set(signal="entropy", alpha=0.1, passes=2)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert len(explorer.result.plain) == len(explorer.result.recoded) == 2
    assert explorer.result.plain != explorer.result.recoded


def test_exact_prediction_is_the_grammars():
    vocab = rc.Vocabulary.of_grammar()
    found = exact_prediction(["the", "horse", "raced", "past", "the", "barn"], vocab.words)
    assert found.sum() == pytest.approx(1)
    assert found[vocab.number("fell")] == pytest.approx(1 / 108)
    assert found[vocab.number(".")] == pytest.approx(17 / 18)


def test_reversal_is_one_step_by_hand():
    one, seen = rc.language(SMOKE), rc.reversal(SMOKE)
    first = one.twin.nll(one.test)[0, 0]
    assert float(seen.before[0]) == pytest.approx(math.exp(-float(first)))


def test_tables_come_back_as_recorded(monkeypatch):
    made = training.WaysResult(rc.WAYS[:2], torch.tensor([[3.0, 3.1], [2.9, 2.8]]), torch.tensor([[3.0], [2.9]]),
                               torch.tensor([2.7]))
    monkeypatch.setattr(tables, "trained_ways", lambda settings: made)
    monkeypatch.setattr(tables, "RATES", (0.1, 0.2))
    table = tables.ways_table(SMOKE)
    monkeypatch.setattr(results, "find", lambda lesson, name: table)
    back = tables.recorded("ways")
    assert back.names == ("plain LSTM", "surprisal, α = 0.5", "the grammar itself")
    assert torch.allclose(back.test, torch.tensor([[3.0], [2.9], [2.7]]))
    assert torch.allclose(back.validation[:2], made.validation)
    assert back.rates == (0.1, 0.2)
    monkeypatch.setattr(results, "find", lambda lesson, name: None)
    assert tables.recorded("ways") is None
    prose = tables.prose_table(SMOKE)
    assert np.shape(prose.columns["validation"]) == (2, len(training.PROSE_RATES))


def test_ways_are_trained_and_read():
    vocab = rc.Vocabulary.of_grammar()
    data = vocab.encode(rc.garden_path_corpus(60, 0))
    for way in rc.WAYS:
        made = training.taught(way, vocab, data, rc.Recipe(epochs=1, batch=30), 0)
        assert 1 < training.perplexity_of(made, data) < 50, way.name


def test_prose_study_chooses_on_validation():
    result = rc.on_prose(SMOKE)
    for k, signal in enumerate(training.PROSE_SIGNALS):
        assert float(result.tried[k, result.chosen(signal)]) == float(result.tried[k].min())
        assert result.tuned(signal) == float(result.swept[k, result.chosen(signal)])
        assert float(result.swept[k, 0]) == pytest.approx(float(result.test[0, 0]), rel=1e-4)
