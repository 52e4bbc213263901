"""What a reader touches of the R^3L lesson: figures, explorers, and which claims quick can judge."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.agents import reflect_retry as rr
from gradscape.agents.reflect_retry.attempts import Walk, attempts, contrast, dominance, mechanism, walk
from gradscape.agents.reflect_retry.experiments import own_runs
from gradscape.lessons.agents import reflect_retry as view
from gradscape.lessons.agents.reflect_retry.figures import LESSON
from gradscape.results import Table
from gradscape.workbench import describe

from tests.figures import assert_words_and_data

SMOKE = rr.Settings.of({"profile": "smoke"})


def table(**columns: list) -> Table:
    return Table(lesson=LESSON, table="made", columns=columns, settings={"profile": "full"}, code="", date="2026-01-01",
                 versions={})


RUNS = table(variant=["r3l"] * 4 + ["grpo"] * 4, replicate=[0, 0, 1, 1] * 2, iteration=[0, 30] * 4,
             success=[0.2, 0.6, 0.2, 0.5, 0.2, 0.3, 0.2, 0.4], generated=[0, 900] * 4)
GRID = table(rule=["none", "paper"], steps=[4, 4], lr=[1e-3, 1e-3], replicate=[0, 0], success=[0.1, 0.4],
             start=[0.2, 0.2])
HISTORY = table(variant=["r3l", "r3l"], iteration=[10, 20], trigger_rate=[0.7, 0.4], retry_success=[0.2, None],
                batch_success=[0.2, 0.5], pivot_accuracy=[0.7, 0.6])
RESTARTS = table(known=[0.0] * 4, replicate=[0] * 4, restart=["k", "k-1", "k+1", "start"],
                 success=[0.6, 0.5, 0.1, 0.6], calls=[3.0, 4.0, 2.0, 4.0])


@pytest.mark.standard
@pytest.mark.parametrize(("name", "make"), [
    ("dominance", lambda: view.fig_dominance(dominance(SMOKE))),
    ("walk", lambda: view.fig_walk(walk(SMOKE))),
    ("pivots", lambda: view.fig_pivots(attempts(SMOKE, 0.0, 0))),
    ("contrast", lambda: view.fig_contrast([contrast(SMOKE, 0.0, 0), contrast(SMOKE, 0.04, 0)], 8)),
    ("restarts", lambda: view.fig_restarts(mechanism(SMOKE, 0.0, 0))),
    ("runs", lambda: view.fig_runs(own_runs(SMOKE, ("r3l", "grpo")))),
    ("runs without retries", lambda: view.fig_runs(own_runs(SMOKE, ("grpo",)))),
    ("recorded", lambda: view.fig_recorded(RUNS, ("r3l", "grpo", "raft"))),
    ("gains", lambda: view.fig_gains(RUNS, ("grpo", "raft"))),
    ("grid", lambda: view.fig_grid(GRID)),
    ("history", lambda: view.fig_history(HISTORY)),
    ("offsets", lambda: view.fig_offsets(RESTARTS)),
])
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


@pytest.mark.parametrize("make", [
    lambda: view.fig_recorded(None, ("r3l",)), lambda: view.fig_gains(None, ("grpo",)), lambda: view.fig_grid(None),
    lambda: view.fig_history(None), lambda: view.fig_offsets(None),
])
def test_a_missing_table_says_how_to_record_it(make):
    fig = make()
    assert_words_and_data(fig)
    assert "gradscape record" in describe(fig)


def test_recorded_runs_are_averaged_and_compared_seed_by_seed():
    said = describe(view.fig_recorded(RUNS, ("r3l", "grpo")))
    assert "R³L 0.55 (2)" in said
    gains = view.fig_gains(RUNS, ("grpo",))
    np.testing.assert_allclose(sorted(gains.data[0].y), [0.1, 0.3])


def shown(**changes: object) -> tuple[Walk, str]:
    found = walk(SMOKE.replace(task=5, reflector="oracle", **changes))
    return found, describe(view.fig_walk(found))


def test_the_walk_tells_calls_masks_and_advantages_in_words():
    found, said = shown()
    assert found.pivot == found.k > 0
    assert "first attempt, masked: turn 0" in said
    assert f"retry, advantage {found.retry_advantage:+.2f}: turn {found.pivot}" in said
    assert "Open gray squares" in said
    whole, said = shown(credit=False)
    assert all(whole.base_mask)
    assert "masked" not in said


def test_a_shifted_pivot_is_told():
    found, said = shown(offset=1)
    assert found.pivot == found.k + 1
    assert f"tried from turn {found.pivot}" in said


def test_the_solved_group_keeps_its_weight_by_the_papers_rule_only():
    made = dominance(SMOKE)
    masses = {rule: view.fig_dominance(made, rule).data[0].y[-1] for rule in ("paper", "code", "scale")}
    assert masses == {"paper": 24.0, "code": 8.0, "scale": 0.0}


@pytest.mark.standard
@pytest.mark.parametrize("name", ["walk", "dominance"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    bad = {"walk": {"task": 99}, "dominance": {"alpha": 0.5}}[name]
    explorer.set(**bad)
    assert set(explorer.errors) == set(bad)


@pytest.mark.standard
def test_training_explorer_runs_what_is_switched_on():
    explorer = view.explorer_training(SMOKE)
    assert set(explorer.result) == {"r3l", "grpo"}
    explorer.set(raft=True, r3l=False, grpo=False)
    explorer.run(wait=True)
    assert set(explorer.result) == {"raft"}
    explorer.set(raft=False)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "error"
    assert "switch on one" in explorer.status["text"]
    assert set(explorer.result) == {"raft"}
