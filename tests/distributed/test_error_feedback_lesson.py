"""What a reader touches: figures say what was measured, explorers survive their ends, checkers give the right hint."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape import results
from gradscape.distributed import error_feedback as ef
from gradscape.distributed.wire import WireLog
from gradscape.lessons.distributed import error_feedback as view
from gradscape.lessons.distributed.error_feedback import exercises
from gradscape.workbench import describe
from gradscape.workbench.checking import assert_drawn

from tests.distributed import answers_error_feedback as answers

torch.set_num_threads(1)

SMOKE = ef.Settings(profile="smoke", n=30)


def a_table() -> results.Table:
    columns = {"spread": [0.5, 0.5, 3.0, 3.0], "problem": [0, 1, 0, 1], "rounds": [1.1, 1.2, 6.0, 9.0],
               "steps": [1.1, 1.2, 6.1, 9.1]}
    return results.make("distributed/error_feedback", "growth", columns, SMOKE)


def a_wire() -> ef.Wire:
    simulated = torch.ones(6, 20, dtype=torch.float64)
    return ef.Wire(simulated, WireLog(simulated * (1 + 1e-15), 64 * 24, 5 * 24, 640), 1656, 640)


EXAMPLE = torch.tensor([100.0, 1, 1, 1], dtype=torch.float64)
FIGURES = {
    "baselines": lambda: view.fig_baselines(ef.baselines(SMOKE)),
    "variants": lambda: view.fig_variants(ef.variants(SMOKE)),
    "weights": lambda: view.fig_weights(ef.weighing(SMOKE)),
    "clones": lambda: view.fig_clones(EXAMPLE, ef.clones(SMOKE)),
    "guarantee": lambda: view.fig_guarantee(ef.held_guarantee(SMOKE)),
    "costs": lambda: view.fig_costs(ef.costs(SMOKE)),
    "own": lambda: view.fig_own(ef.own(SMOKE)),
    "race": lambda: view.fig_race(ef.race(SMOKE)),
    "growth": lambda: view.fig_growth(ef.growth(SMOKE)),
    "growth, recorded": lambda: view.fig_growth(ef.growth(SMOKE), a_table()),
    "twins": lambda: view.fig_twins(ef.twins(SMOKE)),
    "tables": lambda: view.fig_tables(ef.real_tables(SMOKE)),
    "tuned": lambda: view.fig_tuned(ef.tuned(SMOKE)),
    "wire": lambda: view.fig_wire(a_wire()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_words_and_data(name):
    fig = FIGURES[name]()
    assert len(describe(fig)) > 60
    assert_drawn(fig)
    assert "nan" not in fig.layout.title.text


def test_a_method_that_never_gets_there_is_named_in_the_takeaway():
    text = view.fig_baselines(ef.baselines(SMOKE)).layout.title.text.replace("<br>", " ")
    assert "no memory, γ_AM gets to" in text


def test_a_diverging_run_is_drawn_with_gaps_and_told():
    found = ef.own(SMOKE.replace(multiple=128.0, k=1, n=10))
    diverged = {**found.histories, "EF21-W": ef.run(
        ef.own_problem(SMOKE), "ef21w", 50.0, ef.TopK(1), ef.one_problem.OWN_ROUNDS, torch.ones(20).double())}
    assert not bool(torch.isfinite(diverged["EF21-W"].grad_sq[-1]))
    fig = view.fig_own(ef.Own(**{**vars(found), "histories": diverged}))
    assert_drawn(fig)
    assert "EF21-W never gets there" in fig.layout.title.text


def test_the_histogram_counts_every_client():
    for spread in (0.0, 0.3, 3.0):
        fig = view.fig_weights(ef.weighing(SMOKE.replace(spread=spread)))
        assert sum(fig.data[0].y) == SMOKE.n
        assert len(fig.data[0].x) <= 17


def test_figures_state_the_numbers_of_the_means():
    found = ef.weighing(SMOKE.replace(q=1.0))
    assert found.at_q == pytest.approx(float(found.L_i.mean()), rel=1e-12)
    assert float(found.L_w[0]) == pytest.approx(float(found.L_i.square().mean().sqrt()), rel=1e-12)
    assert int(found.L_w.argmin()) == 20  # q = 1
    costs = ef.costs(SMOKE)
    assert float(costs.gamma_qm[-1]) == float(costs.gamma_am[-1]) == pytest.approx(costs.gamma_gd)
    assert float(costs.xi[-1]) == 0


@pytest.mark.parametrize("name", ["weights", "compressor", pytest.param("race", marks=pytest.mark.standard)])
def test_explorers_visit_all_their_ends_and_presets(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    assert_drawn(explorer.figure)
    assert explorer.command.startswith("gradscape run distributed/error_feedback -p profile=smoke")


def test_many_clients_race_at_most_200_at_once():
    assert view.explorer_race(SMOKE.replace(n=800)).values.n == 200


def test_run_explorer_reports_and_can_be_cancelled():
    explorer = view.explorer_many(SMOKE)
    assert explorer.result is ef.own(SMOKE)
    explorer.set(spread=0.7)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.gammas["EF21, γ_AM"] > explorer.result.gammas["EF21, γ_QM"]
    explorer.set(spread=2.0, n=1000)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"] or explorer.status["kind"] == "ok"


def test_exercises_state_the_numbers_of_their_checkers():
    assert (exercises.GIVEN_L, exercises.GIVEN_L_I) == (answers.L, answers.L_I)
    assert pytest.approx(answers.ROOT * answers.XI + 2.5) == 1 / answers.STEP_QM
    assert exercises.SQUARES.tolist() == answers.SQUARES
    assert math.sqrt(sum(value**2 for value in answers.SOLUTIONS[3]) / 100) >= exercises.WANTED
    for number, check in ((1, view.check_1), (2, view.check_2), (3, view.check_3)):
        assert check(answers.SOLUTIONS[number]).verdict == "correct"
        for answer, hint in answers.WRONG[number]:
            assert hint in check(answer).hint, (number, answer, check(answer))
        assert check(...).verdict == "not attempted"
