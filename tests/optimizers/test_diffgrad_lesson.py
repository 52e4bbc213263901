"""What a reader touches: figures say what was measured, explorers survive their ends, checkers give the right hint."""
from __future__ import annotations

import dataclasses

import pytest
from gradscape.lessons.optimizers import diffgrad as view
from gradscape.lessons.optimizers.diffgrad.exercises import leaving_rate
from gradscape.optimizers import diffgrad
from gradscape.optimizers.diffgrad import experiments
from gradscape.optimizers.diffgrad.tables import grid_table

from tests.figures import assert_words_and_data

SMOKE = diffgrad.Settings(profile="smoke")


def test_adam_stays_just_below_its_rate_and_leaves_above():
    for name in ("adam", "half", "diffgrad"):
        rate = leaving_rate(name)
        below, above = (
            diffgrad.minimise_scalar(diffgrad.SYNTHETIC["F1"], -1.0, lr=lr, optimiser=name)[-1].item()
            for lr in (rate - 1e-3, rate + 1e-4)
        )
        assert below < 0 < above
    # half of the rate leaves at twice the rate
    assert leaving_rate("half") == pytest.approx(2 * leaving_rate("adam"), abs=2e-4)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("toys", lambda: view.fig_toys([experiments.descent(toy) for toy in ("F1", "F2", "F3")])),
        ("descent", lambda: view.fig_descent(experiments.descent("F2", 0.5, 0.3, 0.0, 100.0, "dfc2"))),
        ("basins", lambda: view.fig_basins(experiments.basins(starts=5))),
        ("friction", lambda: view.fig_friction(experiments.cnn_friction(SMOKE))),
        ("grid", lambda: view.fig_grid(experiments.grid(SMOKE), experiments.limits(SMOKE))),
        ("scale", lambda: view.fig_scale(experiments.limits(SMOKE))),
        ("regret", lambda: view.fig_regret(experiments.games(SMOKE))),
        ("alias", lambda: view.fig_alias(experiments.alias_demo())),
        ("train", lambda: view.fig_train(experiments.single(SMOKE))),
        ("table", lambda: view.fig_table(None)),
    ],
)
def test_figure_has_words_and_finite_data(name, make):
    assert_words_and_data(make(), name, finite=True)


@pytest.mark.standard
@pytest.mark.parametrize("name", ["landscape", "basins"])
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_the_landscape_answers():
    explorer = view.explorer_landscape(SMOKE)
    for x0 in (-0.7, 0.4, 1.9):
        explorer.set(x0=x0)
        assert explorer.status["kind"] == "ok"
    explorer.set(toy="F2", x0=-1.5)
    assert "-p toy=F2" in explorer.command


def test_the_basins_have_a_share_for_each_rate():
    explorer = view.explorer_basins(SMOKE)
    explorer.set(toy="F2")
    assert explorer.result.shares.shape == (3, 24)
    assert explorer.result.shares.min() >= 0


def test_training_reports_and_can_be_cancelled():
    explorer = view.explorer_train(SMOKE)
    assert explorer.result is experiments.single(SMOKE)
    explorer.set(lr=0.01, loss_scale=100.0)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.members[0].lr == 0.01
    explorer.settings = SMOKE.replace(sizes="epochs:500")
    explorer.values = type(explorer.values)({**explorer.values, "lr": 0.02}, explorer.settings)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"]


def test_the_recorded_grid_has_a_row_for_each_optimizer_and_rate():
    table = grid_table(SMOKE)
    assert len(list(table.rows())) == 3 * len(experiments.LRS)
    assert all(0 <= row["accuracy"] <= 1 for row in table.rows())


def test_presets_are_in_range():
    for make in view.EXPLORERS.values():
        for title, values in make(SMOKE).presets.items():
            assert dataclasses.is_dataclass(SMOKE.size), title
            values.settings.size  # builds the settings, which checks every value
