"""What a reader touches: figures say what was measured, explorers survive their ends, checkers give the right hint."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.dynamics import high_dimensional as hd
from gradscape.lessons.dynamics import high_dimensional as view
from gradscape.lessons.dynamics.high_dimensional.exercises import growing_interval
from gradscape.workbench import describe

SMOKE = hd.Settings(profile="smoke", n_features=50)


def test_interval_brackets_growth():
    low, high = growing_interval()

    def error(alpha: float) -> float:
        return float(hd.generalization_error(hd.LinearTask.from_snr(alpha, 5.0), 100.0, 1000))

    assert error(low - 0.02) > error(low) < error(low + 0.02)
    assert error(high - 0.02) < error(high) > error(high + 0.02)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("task", lambda: view.fig_task(hd.one_task(SMOKE))),
        ("learning", lambda: view.fig_learning(hd.learning_curves(SMOKE))),
        ("spectra", lambda: view.fig_spectra(hd.learning_curves(SMOKE))),
        ("spectrum", lambda: view.fig_spectrum(hd.spectrum_at(0.5, 1.0))),
        ("overtraining", lambda: view.fig_overtraining(hd.overtraining_map(SMOKE))),
        ("peak", lambda: view.fig_peak(hd.overtraining_map(SMOKE))),
        ("stopping", lambda: view.fig_stopping(hd.stopping_times(SMOKE))),
        ("ridge", lambda: view.fig_ridge(hd.ridge_comparison(SMOKE))),
        ("initial", lambda: view.fig_initial(hd.initial_weights(SMOKE))),
        ("features", lambda: view.fig_features(hd.feature_students(SMOKE))),
        ("images", lambda: view.fig_images(hd.image_students(SMOKE))),
        ("networks", lambda: view.fig_networks(hd.two_layer_students(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    fig = make()
    assert len(fig.data) > 0
    words = describe(fig)
    assert "X axis" in words
    for trace in fig.data:
        y = np.asarray(trace.y, dtype=object)
        assert len(y) > 0, name


def test_spectrum_share_is_the_integral():
    late = hd.spectrum_at(0.5, 1e6)
    assert late.learned_share == pytest.approx(0.5)
    assert hd.spectrum_at(2.0, 1e6).learned_share == pytest.approx(1.0)
    # for short times the learned share is t times the mean eigenvalue, alpha
    assert hd.spectrum_at(2.0, 1e-6).learned_share == pytest.approx(2e-6, rel=1e-4)


@pytest.mark.parametrize("name", ["errors", "spectrum"])
def test_live_explorers_answer(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    for alpha in (0.3, 1.0, 7.0):
        explorer.set(alpha=alpha)
        assert explorer.status["kind"] == "ok"


def test_simulation_explorer_shows_what_fits_into_its_time():
    explorer = view.explorer_simulation(SMOKE)
    assert len(explorer.result.runs_gen) == SMOKE.size.overlay
    explorer.limit_s = 0.0
    explorer.set(alpha=2.0)
    assert explorer.status["kind"] == "stopped"
    assert len(explorer.result.runs_gen) == 1


def test_network_explorer_trains_reports_and_can_be_cancelled():
    explorer = view.explorer_networks(SMOKE)
    assert explorer.result is hd.two_layer_students(SMOKE)
    explorer.set(steps=200, P=30)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.times[-1] == 200
    explorer.set(steps=20_000)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"]


def test_errors_explorer_names_its_command():
    explorer = view.explorer_errors(SMOKE)
    explorer.set(alpha=2.0)
    assert "gradscape run dynamics/high_dimensional" in explorer.command
    assert "alpha=2" in explorer.command
