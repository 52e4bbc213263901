"""What a reader touches: figures say what was measured, explorers survive their ends, presets are in range."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.lessons.optimizers import anyloss as view
from gradscape.optimizers import anyloss
from gradscape.optimizers.anyloss import experiments as ex
from gradscape.optimizers.anyloss.plane import plane
from gradscape.optimizers.anyloss.tables import wins_table

from tests.figures import assert_words_and_data

SMOKE = anyloss.Settings(profile="smoke", steps=60)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("amplifier", view.fig_amplifier),
        ("scores", lambda: view.fig_scores(ex.over_tables(SMOKE))),
        ("tables", lambda: view.fig_tables(ex.over_tables(SMOKE), "gmean")),
        ("gap", lambda: view.fig_gap(ex.soft_gap(rows=500, iterations=20))),
        ("amplifications", lambda: view.fig_amplifications(ex.amplifications(SMOKE))),
        ("starts", lambda: view.fig_starts(ex.starts(SMOKE))),
        ("networks", lambda: view.fig_networks(ex.networks(SMOKE))),
        ("plane", lambda: view.fig_plane(plane(SMOKE.replace(L=1.0, metric="mcc")))),
        ("recorded", lambda: view.fig_recorded(None)),
        ("wins", lambda: view.fig_recorded(wins_table(SMOKE))),
    ],
)
def test_figure_has_words_and_finite_data(name, make):
    assert_words_and_data(make(), name, finite=True)


def test_lines_lie_where_the_rule_changes_its_mind():
    flat = plane(SMOKE)
    for theta, cut in zip(flat.theta, flat.cut, strict=True):
        x, y = view.figures._line(theta, cut)
        np.testing.assert_allclose(theta[0] + theta[1] * x + theta[2] * y, cut, atol=1e-9)


@pytest.mark.standard
@pytest.mark.parametrize("name", view.EXPLORERS)
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_the_plane_answers_and_the_command_repeats_it():
    explorer = view.explorer_plane(SMOKE)
    explorer.set(start=3.0, metric="gmean")
    assert explorer.status["kind"] == "ok"
    assert explorer.result.active[-1] < 0.6
    assert "-p metric=gmean" in explorer.command


def test_a_table_can_be_trained():
    explorer = view.explorer_table(SMOKE)
    explorer.set(table="glass0")
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.tables == ("glass0",)


def test_the_recorded_table_has_a_row_for_each_metric_and_table():
    rows = list(wins_table(SMOKE).rows())
    assert len(rows) == len(ex.MORE_TARGETS) * SMOKE.size.tables
    assert all(0 <= row[rule] <= 1 for row in rows for rule in ex.RULES)
