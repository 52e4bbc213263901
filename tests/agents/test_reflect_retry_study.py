"""Settings, experiments, claims and recorded tables of the R3L lesson."""
from __future__ import annotations

import math

import numpy as np
import pytest
from gradscape.agents.reflect_retry import CLAIMS, LABELS, METHODS, SIZES, TABLES, VARIANTS, Settings, measure, point
from gradscape.agents.reflect_retry.attempts import walk_tasks
from gradscape.agents.reflect_retry.experiments import (
    Contrast,
    Study,
    attempts,
    contrast,
    dominance,
    mechanism,
    own_run,
    own_runs,
    study,
    task_pool,
    trained,
    walk,
)
from gradscape.agents.reflect_retry.settings import CENTRAL, LATE, SIDE
from gradscape.agents.reflect_retry.trainer import History
from gradscape.agents.toolworld import replay
from gradscape.lesson import judge

SMOKE = Settings(profile="smoke")


def history(*success: float) -> History:
    nothing = np.zeros(0)
    marks = np.array([0, 10, 20, 30])[: len(success)]
    return History(marks, np.array(success), nothing, nothing, nothing, nothing, nothing, nothing, nothing)


def test_area_is_the_mean_over_three_marks_without_the_start():
    assert history(0.9, 0.1, 0.2, 0.6).area == pytest.approx(0.3)
    assert history(0.9, 0.1).area == pytest.approx(0.1)
    made = Study({"a": (history(0, 0.3, 0.6, 0.9), history(0, 1, 1, 1)), "b": (history(0, 0, 0, 0.3),) * 2})
    assert made.gain("a", "b").tolist() == pytest.approx([0.5, 0.9])
    assert made.at("b", 30).tolist() == [0.3, 0.3]


def test_held_out_tasks_are_not_trained_on():
    train, test = task_pool(SMOKE, 0)
    assert not {t.key for t in train} & {t.key for t in test}
    assert task_pool(SMOKE, 1)[0] != train
    assert {len(task.goals) for task in train} == {1, 2}


def test_variants():
    assert set(CENTRAL) | set(SIDE) == set(VARIANTS) == set(LABELS)
    assert set(METHODS) <= set(VARIANTS)
    assert set(SIZES["full"].variants) == set(CENTRAL)
    assert SIZES["full"].seeds >= 5
    assert SIZES["full"].side_seeds >= 3
    assert set(SIZES["quick"].variants) == {"r3l", "grpo"}
    assert LATE["r3l"] == VARIANTS["r3l"]


def test_dominance_has_the_masses_of_the_advantages():
    made = dominance(Settings(group=8, alpha=3.0))
    assert made.successes.tolist() == list(range(9))
    assert made.positive["paper"].tolist() == [3 * c for c in range(9)]
    assert made.negative["paper"].tolist() == pytest.approx([c * (8 - c) / 8 for c in range(9)])
    assert made.ratio("none")[1:8] == pytest.approx(np.ones(7))
    assert made.ratio("scale")[1:8] == pytest.approx(np.full(7, 3.0))
    assert made.ratio("code")[4] == pytest.approx(2.0)
    assert math.isinf(made.ratio("paper")[8])
    assert math.isnan(made.ratio("paper")[0])


def test_contrast():
    made = Contrast(0.0, np.array([0.0, 0.0, 0.5, 1.0]), np.array([1, 1, 1, 0]))
    assert made.never(1) == pytest.approx(2 / 3)
    assert made.never(0) == 0.0
    assert math.isnan(made.never(2))
    assert made.with_contrast(2) == pytest.approx(0.5 / 4)
    assert contrast(SMOKE, 0.0, 0).rate.shape == (SMOKE.size.test,)


def test_usable_attempts_are_failures_with_one_violation():
    made = attempts(SMOKE, 0.0, 0)
    assert 10 < int(made.usable.sum()) < len(made.tasks)
    for row in made.usable.nonzero()[:, 0].tolist():
        assert made.tasks[row].viol == 1
        assert made.batch.success[row] == 0
        assert made.said.outcome[row] > 0
        assert made.said.pivot[row] < made.batch.length[row]


@pytest.mark.parametrize("known", [0.0, 0.04])
def test_mechanism_at_smoke_size(known):
    made = mechanism(SMOKE, known, 0)
    assert set(made.success) == {"k-1", "k", "k+1", "start", "unguided", "oracle", "random"} == set(made.calls)
    assert all(0 <= rate <= 1 for rate in made.success.values())
    assert made.success["k"] > made.success["unguided"]
    assert made.calls["k"] < made.calls["start"]
    assert made.outcome_accuracy > 0.8


def test_walk_is_a_faithful_pair():
    seen = 0
    for task in range(1, 9):
        found = walk(Settings(task=task, draw=2))
        assert len(found.base_mask) == len(found.base.calls)
        assert found.triggered == (found.retry is not None)
        if found.retry is None:
            assert all(found.base_mask)
            assert math.isnan(found.retry_advantage)
            continue
        seen += 1
        k = found.pivot
        assert found.base.calls[:k] == found.retry.calls[:k]
        assert found.base.observations[:k] == found.retry.observations[:k]
        assert found.base_mask == tuple(turn >= k for turn in range(len(found.base.calls)))
        assert found.retry_mask == tuple(turn >= k for turn in range(len(found.retry.calls)))
        assert found.rewards[0] in (0.0, 1.0)
        assert 5 <= len(found.rewards) <= 8
        if found.retry.success:
            assert found.retry_advantage == 3.0
    assert seen >= 4
    assert walk(Settings(task=5)) == walk(Settings(task=5))
    assert len({walk(Settings(task=5, draw=draw)).rewards for draw in range(8)}) > 1
    assert all(walk(Settings(task=5, credit=False)).base_mask)


def test_offset_moves_the_first_generated_turn():
    moved = {shift: walk(Settings(task=5, offset=shift)) for shift in (-5, 0, 5)}
    assert moved[-5].pivot == 0
    assert moved[5].pivot == len(moved[5].base.calls) - 1
    assert moved[0].pivot == moved[0].k
    assert moved[5].base == moved[0].base


def test_claims_are_declared_and_smoke_judges_none_but_the_closed_form():
    found = measure(SMOKE)
    assert list(found) == [claim.id for claim in CLAIMS]
    words = {claim.id: judge(claim, found[claim.id]).word for claim in CLAIMS}
    assert words.pop("R8") == "holds"
    assert set(words.values()) == {"not tested at this scale"}


def test_a_walk_replays():
    found = walk(Settings(task=3))
    task = walk_tasks(Settings().protocol)[2]
    assert task.sentence == found.sentence
    assert replay(task, found.base.calls).observations == found.base.observations


@pytest.mark.standard
def test_runs_at_smoke_size():
    made = study(SMOKE, ("r3l", "grpo"), 1)
    run = trained(SMOKE, "r3l", 0)
    assert made.histories["r3l"] == (run,)
    assert run.evaluated.tolist() == [0, 2]
    assert (run.trigger_rate > 0).all()
    assert np.isnan(made.histories["grpo"][0].trigger_rate).all()


@pytest.mark.standard
def test_own_runs():
    steps: list[tuple[int, int]] = []
    made = own_runs(SMOKE.replace(steps=1), ("raft", "opmd"), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert made["raft"] is own_run(SMOKE.replace(steps=1, method="raft", task=5))
    found = point(SMOKE).scalars
    assert found["success"] == own_run(SMOKE).success[-1]
    assert found["generated_calls"] == own_run(SMOKE).generated[-1]


@pytest.mark.slow
def test_the_own_run_at_its_defaults_is_the_protocols():
    assert own_run(Settings(iterations=10)).success.tolist() == trained(Settings(), "r3l", 0).success[:2].tolist()


@pytest.mark.standard
def test_tables_at_smoke_size():
    assert set(TABLES) == {"runs", "history", "late", "grid", "restarts"}
    runs = TABLES["runs"](SMOKE)
    assert runs.columns["variant"] == ["r3l", "r3l", "grpo", "grpo"]
    assert runs.columns["iteration"] == [0, 2, 0, 2]
    restarts = TABLES["restarts"](SMOKE)
    assert len(restarts.columns["known"]) == 14
