"""What a reader touches: figures say what was measured, explorers survive their ends."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.dynamics import bayes_optimal as bo
from gradscape.lessons.dynamics import bayes_optimal as view
from gradscape.lessons.dynamics.bayes_optimal.exercises import KAPPAS, last_error

from tests.figures import assert_words_and_data

SMOKE = bo.Settings(profile="smoke", d=40, starts=3)

FIGURES = {
    "curves": lambda: view.fig_curves(bo.optimum_curves(SMOKE)),
    "optimum": lambda: view.fig_optimum(bo.optimum_at(0.5, 0.0, 0.2)),
    "noisy": lambda: view.fig_optimum(bo.optimum_at(0.5, 0.3, 0.2)),
    "spectrum": lambda: view.fig_spectrum(bo.drawn_spectrum(SMOKE)),
    "two parts": lambda: view.fig_spectrum(bo.spectrum_at(0.5, 1e4)),
    "map": lambda: view.fig_map(bo.phase_map(0.0)),
    "gamp": lambda: view.fig_gamp(bo.gamp_study(SMOKE)),
    "rounds": lambda: view.fig_rounds(bo.gamp_study(SMOKE)[0]),
    "descent": lambda: view.fig_descent(bo.own_descent(SMOKE)),
    "averaging": lambda: view.fig_averaging(bo.descent_scaling(SMOKE), bo.noisy_descent(SMOKE)),
    "meeting": lambda: view.fig_meeting([*bo.gamp_study(SMOKE), *bo.gamp_extra(SMOKE)], bo.least_squares_study(SMOKE),
                                        bo.descent_study(SMOKE)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_words_and_data(name):
    assert_words_and_data(FIGURES[name](), name)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_errors_end_at_the_threshold(kappa):
    assert last_error(kappa) == pytest.approx(bo.recovery_threshold(kappa), abs=1e-4)


@pytest.mark.parametrize("name", ["optimum", "spectrum", "map"])
def test_live_and_quick_explorers_answer_at_all_ends(name):
    view.EXPLORERS[name](SMOKE).check()


@pytest.mark.parametrize("name", ["gamp", "gd"])
def test_simulations_run_report_and_can_be_cancelled(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.set(alpha=0.1, kappa=1.0, delta=0.3)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    explorer.set(d=160, alpha=0.6)
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert "cancelled" in explorer.status["text"]
    assert "gradscape run dynamics/bayes_optimal" in explorer.command


@pytest.mark.standard
@pytest.mark.parametrize("alpha", [0.01, 0.6])
@pytest.mark.parametrize("kappa", [0.05, 5.0])
@pytest.mark.parametrize("delta", [0.0, 1.0])
def test_simulations_stay_finite_at_every_corner(alpha, kappa, delta):
    scalars = bo.point(SMOKE.replace(alpha=alpha, kappa=kappa, delta=delta)).scalars
    assert all(np.isfinite(value) for value in scalars.values()), scalars
