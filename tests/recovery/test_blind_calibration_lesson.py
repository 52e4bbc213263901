"""What a reader touches: figures say what was measured, explorers survive their ends, settings mean what they say."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.lessons.recovery import blind_calibration as view
from gradscape.recovery import blind_calibration as bc

from tests.figures import assert_words_and_data

torch.set_num_threads(1)

SMOKE = bc.Settings(profile="smoke")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("run", lambda: view.fig_run(bc.own_run(SMOKE))),
        ("transition", lambda: view.fig_transition(bc.diagram(SMOKE))),
        ("gains", lambda: view.fig_gains([bc.descents(SMOKE, rho) for rho in SMOKE.size.rhos])),
        ("noise", lambda: view.fig_noise([bc.trial(SMOKE, *bc.PLENTY, 0.9, s) for s in (1e-3, 1e-2)])),
        ("ignoring", lambda: view.fig_ignoring([bc.trial(SMOKE, *bc.PLENTY, rho) for rho in (0.1, 0.5, 0.9)])),
        ("way", lambda: view.fig_image_way(bc.image(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


def test_images_say_how_near_they_are():
    result = bc.image(SMOKE)
    end, early = view.fig_image(result), view.fig_image(result, 3)
    assert "ratio 2.76" in end.layout.title.text
    assert f"iteration {int(result.run.iterations)}: {result.x_db:.0f} dB" in end.layout.xaxis.ticktext[3]
    assert early.layout.xaxis.ticktext[3].startswith("iteration 3: ")
    assert early.data[0].source != end.data[0].source
    fig = view.fig_prior([bc.low_image(SMOKE, p) for p in (4, 1)], ["p = 4", "p = 1"])
    assert "2.67 (p = 4)" in fig.layout.title.text


def test_recorded_transitions_are_drawn():
    columns = bc.diagram(SMOKE).columns()
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    fig = view.fig_recorded(rows, "recorded")
    assert_words_and_data(fig, "recorded")
    assert len(fig.data) == 1
    assert len(fig.data[0].x) == 2


def test_transition_table_has_one_row_per_cell():
    table = bc.TABLES["transition"](SMOKE)
    made = bc.diagram(SMOKE)
    assert len(list(table.rows())) == len(made.cells)
    assert table.columns["success"] == [cell.success for cell in made.cells]


@pytest.mark.standard
@pytest.mark.parametrize("name", ["problem", "image"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    assert explorer.status["kind"] == "ok"


def test_problem_explorer_moves_every_part():
    explorer = view.explorer_problem(SMOKE)
    explorer.set(n=32, m=32, p=8)
    before = explorer.result
    explorer.set(log_noise=-2.0)
    assert explorer.result.noise == pytest.approx(0.01)
    assert explorer.result.ex > before.ex
    assert "log_noise=-2" in explorer.command
    explorer.set(rho=1.5)
    assert "rho" in explorer.errors["rho"]


def test_a_run_that_was_stopped_is_drawn():
    stopped = bc.solve_at(SMOKE, lambda: True)
    assert int(stopped.run.iterations) == 1
    assert "given up while still moving" in view.fig_run(stopped).layout.title.text


def test_large_problems_skip_direct_solutions():
    large = bc.solve_at(bc.Settings(profile="smoke", n=256, m=256, p=16), lambda: True)
    assert math.isnan(large.linear)
    assert "too large" in view.fig_run(large).layout.title.text


@pytest.mark.parametrize("name", ["prior", "diagram"])
def test_run_explorers_compute_and_can_be_cancelled(name):
    explorer = view.EXPLORERS[name](SMOKE)
    before = explorer.result
    explorer.set(rho=0.5)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result is not before


def test_settings_and_point():
    assert bc.Settings().noise == 0
    assert bc.Settings(log_noise=-2.0).noise == pytest.approx(0.01)
    found = bc.point(bc.Settings(profile="smoke", n=16, m=16, p=8)).scalars
    assert found["success"] == 1
    assert found["ratio"] == pytest.approx(128 / 31)
    assert found["error_linear"] < 1e-12
    assert found["error_x"] < 1e-3 < found["error_ignoring_gains"]


def test_dead_sensor_is_nearly_dead():
    made = view.dead_sensor()
    assert float(made.g[0]) == pytest.approx(0.01, rel=0.1)
    assert float(made.g.mean()) == pytest.approx(1, abs=1e-12)


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    from gradscape.lesson import judge

    measured = bc.measure(bc.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in bc.CLAIMS}
    assert words == {
        "C1": "reproduced", "C2": "reproduced", "C3": "reproduced", "C4": "reproduced", "C5": "reproduced",
        "C6": "reproduced", "C6a": "holds", "C7": "reproduced", "C8": "reproduced", "C9": "holds",
    }
