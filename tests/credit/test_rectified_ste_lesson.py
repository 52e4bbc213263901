"""What a reader touches: curves in closed form, figures that say what was measured, explorers at their ends."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.credit import rectified_ste as rs
from gradscape.credit.rectified_ste import curves as cv
from gradscape.credit.rectified_ste import experiments as ex
from gradscape.credit.rectified_ste import tables
from gradscape.lessons.credit import rectified_ste as view

from tests.figures import assert_words_and_data

SMOKE = rs.Settings(profile="smoke", epochs=2)
SAMPLED = 0.005  # 2e5 normal weights, per-weight errors of order 0.5


def test_the_error_of_normal_weights_is_that_of_many():
    w = 0.18 * torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for o in (1.0, 3.0, 30.0):
        e = float(rs.estimating_error(w, o)) / math.sqrt(len(w))
        assert float(cv.normal_error(o, 0.18)) == pytest.approx(e, abs=SAMPLED)
    inside, beyond = cv.normal_shares(0.1, 0.3, 0.18)
    assert inside == pytest.approx(float((w.abs() <= 0.1).double().mean()), abs=SAMPLED)
    assert beyond == pytest.approx(float((w.abs() > 0.3).double().mean()), abs=SAMPLED)


def test_the_error_of_normal_weights_at_the_ends():
    tiny = float(cv.normal_error(1.0, 1e-3))
    assert tiny == pytest.approx(1 - 1e-3 * math.sqrt(2 / math.pi), abs=1e-6)
    assert bool((np.diff(cv.normal_error(cv.O_GRID, 0.5)) < 0).all())
    for call, words in (
        (lambda: cv.normal_error(0.5, 0.1), "o=0.5"), (lambda: cv.normal_error(2.0, 0.0), "sigma=0.0"),
        (lambda: cv.normal_shares(0.1, math.nan, 0.1), "t=nan"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_curves_have_the_identity_beside_reste_and_the_named_estimator_else():
    found = cv.curves(SMOKE)
    np.testing.assert_allclose(found.other_forward, np.clip(found.z, -1, 1))
    np.testing.assert_allclose(cv.curves(SMOKE.replace(kind="bireal")).other_backward,
                               np.maximum(2 - 2 * abs(found.z), 0))
    with pytest.raises(ValueError, match="must be below t"):
        cv.curves(SMOKE.replace(t=0.5, m=0.5))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("estimators", view.fig_estimators),
        ("schedule", view.fig_schedule),
        ("curves", lambda: view.fig_curves(cv.curves(SMOKE.replace(kind="ede")))),
        ("sweep", lambda: view.fig_sweep(ex.sweep(SMOKE, "fashion"), "fashion")),
        ("training", lambda: view.fig_training(ex.sweep(SMOKE, "digits"), "digits")),
        ("paired", lambda: view.fig_paired(ex.sweep(SMOKE, "fashion"))),
        ("weights", lambda: view.fig_weights(ex.sweep(SMOKE, "digits"))),
        ("gradients", lambda: view.fig_gradients(ex.gradients(rs.Arm(o_end=10.0), 1, 4, 0))),
        ("tuned", lambda: view.fig_tuned(ex.tuned(SMOKE, "digits"))),
        ("alone", lambda: view.fig_alone(view.explorers.network(SMOKE))),
        ("plane", lambda: view.fig_plane(view.explorers.plane_rows(SMOKE, "digits", 0.5, False))),
        ("convnet", lambda: view.fig_convnet(None)),
        ("recorded", lambda: view.fig_recorded(None)),
        ("estimators table", lambda: view.fig_recorded(tables.estimators_table(SMOKE), "digits")),
    ],
)
def test_figure_has_words_and_finite_data(name, make):
    assert_words_and_data(make(), name, finite=True)


@pytest.mark.standard
def test_the_convnet_figure_shows_its_table():
    table = tables.convnet_table(SMOKE.replace(sizes="conv_seeds:1,conv_epochs:1"))
    assert_words_and_data(view.fig_convnet(table), "convnet", finite=True)


def test_the_paired_figure_says_whether_zero_is_inside():
    history = ex.sweep(SMOKE, "fashion")
    assert "1" in [f"{history.arms[k].o_end:g}" for k in view.figures.reste(history)]
    said = view.fig_paired(history).layout.title.text.replace("<br>", " ")
    assert ("holds 0" in said) != ("leaves 0 out" in said)


@pytest.mark.standard
@pytest.mark.parametrize("name", view.EXPLORERS)
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_the_curves_answer_and_the_command_repeats_it():
    explorer = view.explorer_curves(SMOKE)
    explorer.set(o_end=10.0, kind="bireal")
    assert explorer.status["kind"] == "ok"
    assert explorer.result.settings.o_end == 10.0
    assert "-p o_end=10.0" in explorer.command
    explorer.set(t=0.5)
    explorer.set(m=0.5)
    assert "must be below t" in explorer.status["text"]


def test_the_plane_takes_s_as_the_paper_logs_it():
    mean, last = (view.explorers.plane_rows(SMOKE, "digits", 1.0, flag) for flag in (False, True))
    assert [row["e"] for row in mean] == [row["e"] for row in last]
    assert [row["s_last"] for row in mean] == [row["s"] for row in last]


def test_a_network_can_be_trained():
    explorer = view.explorer_network(SMOKE)
    explorer.set(kind="ste", epochs=1)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert [arm.kind for arm in explorer.result.history.arms] == ["ste", "reste"]
