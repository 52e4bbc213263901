"""What a reader touches of the TopoCurate lesson: figures, explorers, and the claims at quick sizes."""
from __future__ import annotations

import pytest
from gradscape.agents import topocurate as tc
from gradscape.agents.topocurate.experiments import one_task, own_models, study, task_snr
from gradscape.lesson import judge
from gradscape.lessons.agents import topocurate as view

from tests.figures import assert_words_and_data

SMOKE = tc.Settings(profile="smoke")


@pytest.mark.standard
@pytest.mark.parametrize(("name", "make"), [
    ("graph", lambda: view.fig_graph(one_task(SMOKE))),
    ("scores", lambda: view.fig_scores(one_task(SMOKE))),
    ("study", lambda: view.fig_study(study(SMOKE, 0.8, ("outcome", "RE", "shortest"), 1))),
    ("models", lambda: view.fig_models(None)),
    ("snr", lambda: view.fig_snr(task_snr(SMOKE, 0))),
    ("grpo", lambda: view.fig_grpo(None)),
    ("own", lambda: view.fig_own(own_models(SMOKE))),
])
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


@pytest.mark.standard
@pytest.mark.parametrize("name", ["graph", "pool"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    explorer.set(task=99)
    assert "task" in explorer.errors["task"]


@pytest.mark.parametrize("task", range(1, 25))
def test_transcript_tells_the_shortest_success_and_a_failure(task):
    found = one_task(SMOKE.replace(task=task))
    told = view.transcript(found)
    assert found.sentence in told
    assert ("success" in told, "failure" in told) == (any(found.graph.success), not all(found.graph.success))
    won = [len(found.graph.trajectories[i].calls) for i in found.trials]
    lost = [len(t.calls) for t in found.graph.trajectories if not t.success]
    assert told.count("Φ") == min(won, default=0) + (lost[0] if lost else 0)


def test_every_selected_trial_succeeded_and_no_more_than_asked():
    found = one_task(SMOKE.replace(per_task=2))
    assert len(found.picked) <= 2
    assert all(found.graph.success[i] for i in found.picked)
    assert one_task(SMOKE.replace(efficiency=0.0, diversity=0.0)).picked <= set(found.trials.tolist())


@pytest.mark.standard
def test_learn_explorer_trains_on_other_weights():
    explorer = view.explorer_learn(SMOKE)
    before = explorer.result
    explorer.set(per_task=1)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.selection.trajectories < before.selection.trajectories


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    measured = tc.measure(tc.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in tc.CLAIMS}
    assert words.pop("T2") == "reproduced"
    assert set(words.values()) == {"not tested at this scale"}
