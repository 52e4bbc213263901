"""What a reader touches of the score lesson: figures, explorers, and the claims at quick sizes."""
from __future__ import annotations

import pytest
import torch
from gradscape.diffusion import score_estimation as se
from gradscape.lesson import judge
from gradscape.lessons.diffusion import score_estimation as view

from tests.figures import assert_words_and_data

SMOKE = se.Settings(profile="smoke", n=100)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("labels", lambda: view.fig_labels(SMOKE.mixture())),
        ("paths", lambda: view.fig_paths(se.paths(SMOKE))),
        ("targets", lambda: view.fig_targets(se.paths(SMOKE))),
        ("decomposition", lambda: view.fig_decomposition(se.decomposition(SMOKE))),
        ("networks", lambda: view.fig_networks(se.networks(SMOKE))),
        ("curve", lambda: view.fig_curve(se.learning_curve(SMOKE))),
        ("field", lambda: view.fig_field(se.own_field(SMOKE))),
        ("fields", lambda: view.fig_fields([se.field_at(se.training_set(SMOKE), e, 0.5) for e in (2.0, 1e7)])),
        ("rule", lambda: view.fig_rule(se.own_rule(SMOKE))),
        ("samples", lambda: view.fig_samples(se.samples(SMOKE)[0])),
        ("digits", lambda: view.fig_digits(se.digit_paths(SMOKE))),
        ("network", lambda: view.fig_network(se.network_run(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


@pytest.mark.parametrize("name", ["path", "rule", pytest.param("data", marks=pytest.mark.standard)])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    explorer.set(e=0.01)
    assert "e" in explorer.errors["e"]


def test_field_is_true_and_learned_on_one_grid():
    field = se.own_field(SMOKE.replace(t=0.5))
    mixture = SMOKE.mixture()
    x = field.points
    torch.testing.assert_close(field.true, mixture.score(0.5, x))
    assert 0 < field.gap < 1
    assert se.field_at(field.made, 1e-9, 0.5).gap > field.gap  # nothing learned yet: s = -x/h


def test_data_explorer_takes_digits():
    explorer = view.explorer_data(SMOKE)
    explorer.preset("digits")
    assert explorer.status["kind"] == "ok"
    assert explorer.result.true is None
    assert "dataset=digits" in explorer.command


def test_network_explorer_trains_another_width():
    explorer = view.explorer_network(SMOKE)
    before = explorer.result
    explorer.set(width=51)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.width == 52
    assert not torch.equal(before.network, explorer.result.network)


def test_network_is_tested_on_images_it_was_not_trained_on():
    settings = SMOKE.replace(dataset="digits", d=4)
    made, run = se.training_set(settings), se.network_run(settings)
    kernel = se.KernelPath(se.embed(made.data.t, made.data.x, made.T), made.data.x0)
    torch.testing.assert_close(run.kernel, kernel.discrete(made.test, 0.5, torch.tensor(run.steps)))
    train = {tuple(row) for row in made.data.x0.tolist()}
    assert train.isdisjoint(map(tuple, made.labels.tolist()))


def test_point_reads_the_settings_own_training_set():
    values = se.point(SMOKE.replace(e=1e7)).scalars
    assert values["error_at_e"] == values["error_end"] > values["error_best"]
    told = se.point(SMOKE.replace(sigma=0.01)).scalars
    assert told["e_rule"] > values["e_rule"]


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    settings = se.Settings()
    measured = se.measure(settings)
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in se.CLAIMS}
    assert words == {
        "C1": "reproduced", "C2": "reproduced", "C3": "reproduced", "C4": "reproduced", "C5": "reproduced",
        "C6": "reproduced", "C7": "reproduced", "C8": "reported", "C9": "holds", "C10": "not tested at this scale",
    }
