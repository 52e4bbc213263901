"""What a reader touches: figures say what was measured, explorers survive their ends."""
from __future__ import annotations

import pytest
from gradscape.lessons.optimizers import adaptive_batch as view
from gradscape.optimizers import adaptive_batch as ab
from gradscape.optimizers.adaptive_batch import experiments as ex

from tests.figures import assert_words_and_data

SMOKE = ab.Settings(profile="smoke")


def streams(alpha):
    return {eta: ex.streams(SMOKE, eta=eta, alpha=alpha) for eta in (0.5, 0.9)}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("frozen", lambda: view.fig_frozen(ex.frozen())),
        ("errors", lambda: view.fig_errors(streams(0.1), ex.constant_streams(SMOKE, alpha=0.1, steps=50))),
        ("rates", lambda: view.fig_rates_of_convergence(
            streams(0.5), ex.constant_streams(SMOKE, alpha=0.5, steps=50))),
        ("own stream", lambda: view.fig_own_stream(ex.own_stream(SMOKE))),
        ("one batch", lambda: view.fig_one_batch(ex.one_batch(16, 0.5, 0.5, 0.5, 1.0, 0.5, 0))),
        ("batches", lambda: view.fig_batches({"η = 0.9": ex.adaptive_runs(SMOKE, "norm", 0.9)})),
        ("schedules", lambda: view.fig_schedules(ex.schedules(SMOKE))),
        ("learning rates", lambda: view.fig_learning_rates(ex.rates(SMOKE))),
        ("trained", lambda: view.fig_trained(ex.own_training(SMOKE))),
        ("networks", lambda: view.fig_networks(None)),
    ],
)
def test_figure_has_words_and_finite_data(name, make):
    assert_words_and_data(make(), name, finite=True)


@pytest.mark.standard
@pytest.mark.parametrize("name", ["stream", "batch"])
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_the_stream_answers_to_its_test():
    explorer = view.explorer_stream(SMOKE)
    explorer.set(eta=1.2)
    grown = explorer.result.run.batch[-1]
    explorer.set(eta=0.25)
    assert explorer.result.run.batch[-1] > grown
    explorer.preset("the test of AdaGrad's theory")
    assert explorer.status["kind"] == "ok"
    assert "-p test=coordinate" in explorer.command


def test_the_batch_shows_the_identity():
    explorer = view.explorer_batch(SMOKE)
    for b in (2, 300):
        explorer.set(b=b)
        assert len(explorer.result.along) == b
        assert explorer.result.along.mean() == pytest.approx(1.0)
    explorer.set(distance=3.0, sigma=0.0)
    assert explorer.status["kind"] == "ok"


def test_training_reports_and_can_be_cancelled():
    explorer = view.explorer_train(SMOKE)
    assert explorer.result is ex.own_training(SMOKE)
    explorer.set(test="inner product", eta=0.9)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result[0].name == "inner product"
    explorer.settings = SMOKE.replace(sizes="epochs:5000")
    explorer.values = type(explorer.values)({**explorer.values, "lr": 0.2}, explorer.settings)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"]


def test_presets_are_in_range():
    for make in view.EXPLORERS.values():
        for values in make(SMOKE).presets.values():
            values.settings.size  # builds the settings, which checks every value
