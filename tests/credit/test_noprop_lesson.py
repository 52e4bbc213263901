"""What a reader touches: figures say what was measured, explorers survive their ends, presets are in range."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.credit import noprop
from gradscape.credit.noprop import experiments as ex
from gradscape.credit.noprop.tables import TABLES
from gradscape.lessons.credit import noprop as view

from tests.figures import assert_words_and_data

SMOKE = noprop.Settings(profile="smoke", epochs=1)


def readings():
    study, others = ex.dt(SMOKE), ex.rivals(SMOKE)
    return view.fig_readings([("DT", [one.late for one in study]), ("chain", others["chain"])])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("schedule", lambda: view.fig_schedule(view.schedule_view(4, "linear"))),
        ("learned", lambda: view.fig_schedule(view.schedule_view(4, "learned"))),
        ("learning", lambda: view.fig_learning(ex.dt(SMOKE)[0])),
        ("readings", readings),
        ("memory", lambda: view.fig_memory(ex.memory((2, 4), batch=16, width=8))),
        ("listening", lambda: view.fig_listening(ex.dt(SMOKE)[0].listening)),
        ("way", lambda: view.fig_way(view.way(SMOKE, "late", 7, 1.0))),
        ("retrain", lambda: view.fig_retrain(ex.retrain(SMOKE))),
        ("nothing recorded", lambda: view.fig_recorded([])),
    ],
)
def test_figure_has_words_and_finite_data(name, make):
    if name == "way":  # its first panel is an image
        fig = make()
        assert len(fig.data) == 7
        return
    assert_words_and_data(make(), name, finite=True)


def test_the_learning_figure_undoes_the_weights():
    """What is drawn is |û − u|²: at most 2 for one-hot labels."""
    fig = view.fig_learning(ex.dt(SMOKE)[0])
    drawn = np.concatenate([np.asarray(trace.y) for trace in fig.data])
    assert drawn.min() > 0
    assert drawn.max() < 2


def test_a_way_without_noise_is_the_noise_free_one():
    found = view.way(SMOKE, "early", 3, 0.0)
    np.testing.assert_allclose(found.run, found.free, atol=1e-6)
    assert found.counts.max() == found.counts.sum() == 11


def test_what_blocks_hear_is_counted_right():
    """Without noise the states are known: what is counted can be counted again."""
    found = view.hearing(SMOKE, "late", 100, 0.0)
    model, data = view.views.model_and_data(SMOKE, "late")
    x, y = data.test_x[:100], data.test_y[:100]
    clean = model.alpha_bar[:-1].float().sqrt().view(-1, 1, 1) * model.embed[y]
    for name, z, shown in (("noise", 0 * clean, x), ("label", clean, x), ("wrong", clean, x.roll(1, 0))):
        share = (model.block_logits(shown, z).argmax(-1) == y).double().mean(-1)
        np.testing.assert_allclose(getattr(found, name), share)


@pytest.mark.standard
@pytest.mark.parametrize("name", view.EXPLORERS)
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_the_schedule_answers():
    explorer = view.explorer_schedule(SMOKE)
    explorer.set(T=3, shape="linear")
    assert explorer.status["kind"] == "ok"
    assert explorer.result.alpha_bar == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_a_model_can_be_retrained_and_stopped():
    explorer = view.explorer_retrain(SMOKE)
    explorer.set(T=2)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.denoise.shape == (1, 2)
    assert "-p T=2" in explorer.command


@pytest.mark.standard
def test_the_recorded_tables_have_a_row_for_each_model():
    tiny = SMOKE.replace(sizes="train:200,test:100,epochs:2,chain_epochs:1,one_epochs:1,steps:2")
    made = {name: make(tiny) for name, make in TABLES.items()}
    assert {name: len(list(table.rows())) for name, table in made.items()} == {
        "variants": 4, "rates": 6, "fashion": 2, "convolutions": 1, "schedule": 41,
    }
    learned = made.pop("schedule")
    assert np.all(np.diff(learned.columns["alpha_bar"]) > 0)
    for name, table in made.items():
        assert table.table == name
        for row in table.rows():
            assert all(0 <= row[key] <= 1 for key in ("single", "noise_free", "vote", "first_block"))
    assert_words_and_data(view.fig_recorded(list(made.values())), "recorded", finite=True)
