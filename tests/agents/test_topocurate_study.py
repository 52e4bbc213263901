"""Pools, settings, claims and experiments of the TopoCurate lesson."""
from __future__ import annotations

import math

import numpy as np
import pytest
from gradscape.agents.toolworld import make_tasks, replay
from gradscape.agents.topocurate import CLAIMS, SIZES, VARIANTS, Settings, make_pool, measure, point
from gradscape.agents.topocurate.experiments import (
    TaskSNR,
    chosen_trials,
    curated,
    held_out,
    own_models,
    pool,
    rank_correlation,
    rl_pool,
    study,
    task_snr,
)
from gradscape.agents.topocurate.pools import TEACHERS
from gradscape.agents.topocurate.tables import TABLES
from gradscape.lesson import judge

SMOKE = Settings(profile="smoke")


@pytest.fixture(scope="module")
def tasks():
    return make_tasks(12, pviol=0.5, seed=3)


def test_teachers(tasks):
    pools = {teachers: make_pool(tasks, 8, teachers=teachers, seed=1) for teachers in TEACHERS}
    for made in pools.values():
        assert [len(trials) for trials in made.trials] == [8] * 12
        assert [g.pass_rate for g in made.graphs] == [np.mean([e.success for e in t]) for t in made.trials]
        assert 0 < made.pass_rate <= 1
    assert pools["slip"] == make_pool(tasks, 8, teachers="slip", seed=1)
    assert pools["slip"].trials != make_pool(tasks, 8, teachers="slip", seed=2).trials
    for task, trials in zip(tasks, pools["slip"].trials, strict=True):
        for episode in trials:  # what was seen is what the world answers
            again = replay(task, episode.calls)
            assert len(episode.calls) <= 12
            assert (again.calls, again.observations, again.success) == (
                episode.calls, episode.observations, episode.success)
    known = [e for trials in pools["peek"].trials for e in trials if e.style == "oracle"]
    assert 24 < len(known) < 72
    assert all(e.success for e in known)


def test_wandering_teachers_take_longer():
    tasks = make_tasks(100, pviol=0.5, seed=5)
    calls = {}
    for ploop in (0.0, 0.8):
        made = make_pool(tasks, 8, ploop=ploop, seed=1)
        calls[ploop] = np.mean([len(e.calls) for trials in made.trials for e in trials if e.success])
    assert calls[0.8] > calls[0.0] + 0.4


@pytest.mark.parametrize(("change", "named"), [
    ({"trials": 0}, "trials"), ({"teachers": "guess"}, "teachers"), ({"ploop": 1.5}, "ploop"), ({"tasks": []}, "tasks"),
])
def test_bad_pools_are_refused(tasks, change, named):
    given = {"tasks": tasks, "trials": 4, **change}
    with pytest.raises(ValueError, match=named):
        make_pool(given.pop("tasks"), given.pop("trials"), seed=0, **given)


def test_a_replicate_has_its_own_tasks_and_tests_on_others():
    first, second = (pool(SMOKE, 0.8, r).tasks for r in (0, 1))
    assert first == pool(SMOKE, 0.0, 0).tasks
    assert first != second
    assert not {t.key for t in first} & {t.key for t in held_out(SMOKE.protocol, 0)}


def test_every_variant_learns_from_as_many_trials():
    made = pool(SMOKE, 0.8, 0)
    chosen = {variant: chosen_trials(made, variant, 3, 0) for variant in VARIANTS}
    assert len({len(picked) for picked in chosen.values()}) == 1
    assert chosen["E"] == chosen["shortest"]  # what "shortest first" means
    assert len({tuple(picked) for picked in chosen.values()}) == len(VARIANTS) - 1


def test_claims_are_those_of_the_paper_and_smoke_judges_none():
    found = measure(SMOKE)
    assert list(found) == [claim.id for claim in CLAIMS] == [f"T{k}" for k in range(1, 8)]
    assert {judge(claim, found[claim.id]).word for claim in CLAIMS} == {"not tested at this scale"}


def test_profiles():
    assert set(SIZES["full"].variants) == set(VARIANTS)
    assert SIZES["full"].seeds >= 5
    assert SIZES["full"].rl_seeds >= 3
    assert set(SIZES["quick"].variants) >= {"outcome", "RE"}


def test_rank_correlation():
    a = np.array([1.0, 2.0, 3.0, 4.0])
    assert rank_correlation(a, a**3) == pytest.approx(1.0)
    assert rank_correlation(a, -a) == pytest.approx(-1.0)
    assert rank_correlation(np.array([1.0, 1.0, 2.0, 3.0]), a) == pytest.approx(0.9486833, abs=1e-6)  # scipy's value
    assert math.isnan(rank_correlation(a, np.ones(4)))


def test_a_third_by_each_rule():
    p = np.array([0.1, 0.5, 0.9, 0.45, 0.2, 0.8])
    found = TaskSNR(p, p, p, np.array([0, 1, 5, 2, 3, 4.0]), np.arange(6.0), p)
    assert found.top_third("topo").tolist() == [2, 5]
    assert found.top_third("variance").tolist() == [1, 3]
    assert found.mean_snr("topo") == 3.5
    assert found.mean_snr() == 2.5


@pytest.mark.standard
def test_experiments_at_smoke_size():
    model = curated(SMOKE, 0.8, 0, "RE")
    assert model.trajectories == curated(SMOKE, 0.8, 0, "outcome").trajectories
    assert 0 <= model.pass_1 <= model.pass_3 <= 1
    assert study(SMOKE, 0.8, ("RE", "outcome"), 1).of("RE", "pass_1").tolist() == [model.pass_1]
    snr = task_snr(SMOKE, 0)
    assert ((snr.pass_rate > 0) & (snr.pass_rate < 1)).all()
    assert (snr.snr >= 0).all()
    assert len(rl_pool(SMOKE, 0).tasks) == SMOKE.size.rl_tasks


@pytest.mark.standard
def test_own_models_are_those_of_the_study_where_they_agree():
    own = own_models(SMOKE.replace(diversity=0.0))
    assert own.outcome == curated(SMOKE, 0.8, 0, "outcome")
    assert own.selection.pass_1 == curated(SMOKE, 0.8, 0, "RE").pass_1
    steps: list[tuple[int, int]] = []
    own_models(SMOKE.replace(per_task=2), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(k, 20) for k in range(1, 21)]


@pytest.mark.standard
def test_point_at_smoke_size():
    found = point(SMOKE).scalars
    assert found["pass_1_gain"] == pytest.approx(found["pass_1"] - found["pass_1_outcome"])
    assert point(SMOKE) == point(SMOKE)


def test_tables_are_declared():
    assert set(TABLES) == {"models", "snr", "grpo"}
