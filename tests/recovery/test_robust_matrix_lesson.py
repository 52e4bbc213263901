"""What a reader touches: figures say what was measured, explorers survive their ends, checkers know their answers."""
from __future__ import annotations

import dataclasses

import pytest
import torch
from gradscape import results
from gradscape.lessons.recovery import robust_matrix as view
from gradscape.lessons.recovery.robust_matrix import exercises
from gradscape.recovery import robust_matrix as rm
from gradscape.workbench import Task

from tests.figures import assert_words_and_data

torch.set_num_threads(1)
SMOKE = rm.Settings(profile="smoke")
LESSON = "recovery/robust_matrix"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("growth", lambda: view.fig_growth(rm.small_starts(SMOKE))),
        ("starts", lambda: view.fig_starts(rm.small_starts(SMOKE))),
        ("choices", lambda: view.fig_choices(rm.other_choices(SMOKE))),
        ("outliers", lambda: view.fig_outliers(rm.hard_outliers(SMOKE))),
        ("noise", lambda: view.fig_noise(rm.gaussian_noise(SMOKE))),
        ("samples", lambda: view.fig_samples(rm.few_measurements(SMOKE))),
        ("samples", lambda: view.fig_samples(rm.few_measurements(SMOKE), results.find(LESSON, "recovery"))),
        ("kappa", lambda: view.fig_kappa(None)),
        ("kappa", lambda: view.fig_kappa(results.find(LESSON, "kappa"))),
        ("image", lambda: view.fig_image(rm.image_covariance(SMOKE))),
        ("rip", lambda: view.fig_rip(rm.rip_study(SMOKE))),
        ("limit", lambda: view.fig_limit(rm.rip_study(SMOKE))),
        ("sweep", lambda: view.fig_sweep(rm.own_rip(SMOKE, 0.1))),
        ("phi", lambda: view.fig_phi(rm.Noise(0.3, 10.0, 0.5))),
        ("run", lambda: view.fig_run(rm.own_run(SMOKE))),
        ("runs", lambda: view.fig_run(rm.own_run(SMOKE, 2, (3, 20)))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


@pytest.mark.parametrize("name", [pytest.param("run", marks=pytest.mark.standard), "phi"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    explorer.set(p=0.0, nu=0.0)  # no noise at all: the loss of X* is 0, on a logarithmic axis
    assert explorer.status["kind"] == "ok"
    explorer.set(p=0.9)
    assert "p" in explorer.errors["p"]


@pytest.mark.parametrize("name", ["problems", "rip"])
def test_run_explorers_compute_what_is_asked(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.set(p=0.3)
    assert explorer.status["kind"] == "stale"
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    noise = explorer.result.noise if name == "rip" else explorer.result.settings
    assert noise.p == 0.3


def test_problems_explorer_sets_the_exact_rank_beside():
    explorer = view.explorer_problems(SMOKE)
    assert explorer.result.ranks == (3, 20)
    explorer.set(rank=3)
    explorer.run(wait=True)
    assert explorer.result.ranks == (3,)


def test_a_run_that_is_stopped_is_drawn_as_far_as_it_came():
    whole = rm.problem_at(SMOKE, 1)
    part = rm.problem_at(SMOKE, 1, stop=lambda: True)
    assert part.trace.steps.tolist() == [0]
    assert part.horizon == whole.horizon == int(whole.trace.steps[-1])
    assert_words_and_data(view.fig_run(part), "run")
    explorer = view.explorer_run(SMOKE)
    task = Task(0.0)
    assert len(explorer.compute(explorer.start, task).trace.steps) == 1
    assert task.stopped_early


def test_run_figure_counts_what_it_shows():
    run = rm.own_run(SMOKE, 2, (3, 20))
    title = view.fig_run(run).layout.title.text
    assert "Medians of 2 problems" in title
    assert "not below" in title  # 60 steps are too few
    low = dataclasses.replace(run, truth_loss=torch.full_like(run.truth_loss, 99.0))
    assert "not below" not in view.fig_run(low).layout.title.text


def test_phi_figure_names_both_limits():
    title = view.fig_phi(rm.Noise(0.6, 1000.0, 0.0)).layout.title.text
    assert "1 − p = 0.40" in title


def test_schedule_exercise_asks_for_a_range_around_the_formula():
    rho = rm.geometric_schedule(exercises.ETA0, exercises.ALPHA)[0]
    assert rho == pytest.approx(0.9946, abs=1e-4)


@pytest.mark.standard
def test_schedules_that_exercise_two_takes_and_refuses():
    assert all(exercises.check_2(rho) for rho in (0.9925, 0.9946, 0.996))
    assert not any(exercises.check_2(rho) for rho in (0.98, 0.99, 0.999))


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    from gradscape.lesson import judge

    measured = rm.measure(rm.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in rm.CLAIMS}
    assert words == {
        "C1": "reproduced", "C2": "reproduced", "C3": "reproduced", "C4": "reproduced", "C5": "partly",
        "C6": "reproduced", "C7": "holds", "C8": "reproduced", "C9": "not tested at this scale", "R1": "reported",
    }


@pytest.mark.standard
def test_a_longer_schedule_lets_the_rest_grow():
    image = rm.image_covariance(rm.Settings())
    problem = rm.from_matrix(image.X, 800, "outlier", seed=0)
    rho, horizon = rm.geometric_schedule(0.15, 1e-6)
    U0 = rm.spectral_start(problem, 24, 1e-6)
    short = rm.subgm(problem, U0, steps=horizon, eta0=0.15, rho=rho, record_every=horizon)
    assert float(short.final) < 0.02 * float(image.trace.final[-1, 0])
    assert float(short.spurious[-1]) < 0.1 * float(image.trace.spurious[-1, 0, -1])
