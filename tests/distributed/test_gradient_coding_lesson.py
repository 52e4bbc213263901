"""What a reader touches: figures say what was measured, explorers survive their ends, checkers give the right hint."""
from __future__ import annotations

import pytest
import torch
from gradscape import results
from gradscape.distributed import gradient_coding as gc
from gradscape.lessons.distributed import gradient_coding as view
from gradscape.workbench import describe
from gradscape.workbench.checking import assert_drawn

from tests.distributed import answers_gradient_coding as answers

torch.set_num_threads(1)

SMOKE = gc.Settings(profile="smoke", workers=16)


def test_functions_are_checked_by_what_they_return():
    assert view.check_1(lambda: (answers.PAIRS, answers.LEAST)).verdict == "try again"  # a value is asked for
    assert "Return two things" in view.check_1(lambda: 3).hint


def test_for_three_workers_the_bursty_model_is_exactly_what_multiplexing_survives():
    """So the checker of exercise 2 needs no case of a broken model that costs nothing."""
    bits = torch.arange(2**12).unsqueeze(1) >> torch.arange(12) & 1
    patterns = bits.bool().view(-1, 4, 3)
    lost = gc.replay(gc.MSGC(3, 1, 2, 1), patterns, jobs=3).undecodable > 0
    assert torch.equal(gc.BurstyModel(1, 2, 1).conforms(patterns), ~lost)


def test_the_tie_is_where_the_search_says():
    low, high = 2.2, 20.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if gc.probe_ratio(middle) > 1 else (low, middle)
    assert low == pytest.approx(answers.SOLUTIONS[3], abs=0.5)


def a_map(rows: int = 8) -> results.Table:
    columns = {"p_ns": [0.01, 0.02] * 4, "p_sn": [0.2, 0.2, 0.9, 0.9] * 2, "alpha": [0.0] * 4 + [5.0] * 4,
               "msgc_over_gc": [1.5, 1.4, 1.1, 1.0, 1.2, 1.1, 0.9, 0.8][:rows]}
    return results.make("distributed/gradient_coding", "map", columns, SMOKE)


PATTERN = gc.BurstyModel(1, 3, 3).sample(12, 8, torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("delays", lambda: view.fig_delays(gc.scenario(SMOKE, "lambda-like")[0].trace)),
        ("code", lambda: view.fig_code(gc.GradientCode(12, 3), (2, 5, 9))),
        ("code errors", lambda: view.fig_code_errors(gc.code_experiment(SMOKE))),
        ("tiles", lambda: view.fig_tiles(PATTERN, {"gc": (3,), "srsgc": (1, 3, 3), "msgc": (1, 3, 3)})),
        ("loads", lambda: view.fig_loads(256, 27)),
        ("loads, all straggle", lambda: view.fig_loads(16, 16, B=3)),
        ("choice", lambda: view.fig_choice(gc.scenario(SMOKE, "compute-heavy")[0])),
        ("race", lambda: view.fig_race(gc.race(SMOKE, "compute-heavy", jobs=12))),
        ("scenarios", lambda: view.fig_scenarios(SMOKE)),
        ("training", lambda: view.fig_training(gc.train_learners(SMOKE, 0))),
        ("wire", lambda: view.fig_wire(gc.train_learners(SMOKE, 0))),
        ("map", lambda: view.fig_map(a_map())),
        ("cluster", lambda: view.fig_cluster(gc.own_design(SMOKE))),
        ("ratio", lambda: view.fig_ratio([2.2, 5.0], [1.2, 1.0])),
    ],
)
def test_figure_has_words_and_data(name, make):
    fig = make()
    assert len(describe(fig)) > 60
    for trace in fig.data:
        assert len(trace.x) > 0, (name, trace.name)


def test_without_a_recorded_map_the_figure_says_how_to_make_one():
    assert "gradscape record distributed/gradient_coding --table map" in describe(view.fig_map(None))


def test_tiles_of_one_job_by_hand():
    pattern = torch.zeros(6, 3, dtype=torch.bool)
    pattern[2, 1] = True
    kinds = gc.TILES
    found = gc.tiles(gc.MSGC(3, 1, 3, 1), pattern, job=2)
    assert [[kinds[k] for k in row] for row in found.state.tolist()] == [
        ["uncoded chunk", "uncoded chunk", "coded task"], ["lost", "uncoded chunk", "repeated chunk"],
        ["uncoded chunk", "uncoded chunk", "coded task"]]
    pattern[2] = torch.tensor([True, True, False])
    found = gc.tiles(gc.SRSGC(3, 1, 2, 2), pattern, job=2)
    assert [[kinds[k] for k in row] for row in found.state.tolist()] == [
        ["lost", "repeated coded task"], ["lost", "nothing"], ["coded task", "nothing"]]


@pytest.mark.parametrize("name", [pytest.param("cluster", marks=pytest.mark.standard), "loads"])
def test_live_explorers_visit_all_their_ends_and_presets(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    assert_drawn(explorer.figure)
    assert explorer.command.startswith("gradscape run distributed/gradient_coding -p profile=smoke")


def test_a_large_cluster_is_explored_at_64_workers():
    assert view.explorer_cluster(gc.Settings(profile="smoke", workers=256)).values.workers == 64


def test_search_explorer_reports_and_can_be_cancelled():
    explorer = view.explorer_search(SMOKE)
    assert explorer.result is gc.searched(SMOKE)
    explorer.set(p_sn=0.5)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.chosen["msgc"].scheme == "msgc"
    explorer.set(p_sn=0.4, workers=256)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"] or explorer.status["kind"] == "ok"
