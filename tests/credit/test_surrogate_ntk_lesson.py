"""What a reader touches: figures say what was measured, explorers survive their ends and can be cancelled."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.credit import surrogate_ntk as sn
from gradscape.lessons.credit import surrogate_ntk as view
from gradscape.lessons.credit.surrogate_ntk import exercises, explorers

from tests.figures import assert_words_and_data

SMOKE = sn.Settings(profile="smoke", width=20, networks=10, steps=20)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("ntk", lambda: view.fig_kernels(sn.kernel_study(SMOKE, "ntk"))),
        ("sg", lambda: view.fig_kernels(sn.kernel_study(SMOKE, "sg"))),
        ("convergence", lambda: view.fig_convergence(sn.kernel_study(SMOKE, "sg"))),
        ("diagonals", lambda: view.fig_diagonals(sn.diagonals())),
        ("spikes", lambda: view.fig_spikes(sn.spikes())),
        ("ensembles", lambda: view.fig_ensembles([sn.ensemble(SMOKE, k, 300) for k in (0.3, 1.0, 4.0)])),
        ("widths", lambda: view.fig_widths(sn.width_scan(SMOKE))),
        ("spread", lambda: view.fig_spread(sn.spread_run(SMOKE))),
        ("single", lambda: view.fig_single(sn.single_scan(SMOKE))),
        ("digits", lambda: view.fig_digits(sn.digits_study(SMOKE))),
        ("run", lambda: view.fig_run(sn.run_point(SMOKE))),
        ("kernel view", lambda: view.fig_kernel_view(explorers.kernel_view(SMOKE))),
        ("regression view", lambda: view.fig_regression_view(explorers.regression_view(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name, finite=True)


def test_takeaways_hold_the_measured_numbers():
    run = sn.spread_run(SMOKE)
    assert f"{float(run.f_T.std(0).mean()):.3f}" in view.fig_spread(run).layout.title.text
    found = sn.digits_study(SMOKE)
    assert f"{found.kernel:.1%}" in view.fig_digits(found).layout.title.text


def test_kernel_explorer_shows_the_ntk_rising_with_m():
    explorer = view.explorer_kernels(SMOKE)
    peaks = []
    for m in (1.0, 30.0, 1000.0):
        explorer.set(m=m)
        peaks.append([float(curve.max()) for curve in explorer.result.curves.values()])
    ntk, sg, nngp = np.array(peaks).T
    assert bool((np.diff(ntk) > 1).all())
    assert np.ptp(sg) == np.ptp(nngp) == 0


def test_regression_explorer_interpolates_with_each_kernel():
    explorer = view.explorer_regression(SMOKE)
    explorer.set(n_train=4)
    for each in explorer.result.found.values():
        places = [int(np.argmin(np.abs(each.t.numpy() - t))) for t in sn.angles(4).tolist()]
        np.testing.assert_allclose(each.mean[places], sn.target(sn.angles(4)), atol=1e-6)
        assert float(each.sd[places].max()) < 1e-4


@pytest.mark.standard
@pytest.mark.parametrize("name", ["kernels", "regression"])
def test_live_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_ensemble_explorer_trains_and_can_be_cancelled():
    explorer = view.explorer_ensemble(SMOKE)
    assert explorer.result is sn.run_point(SMOKE)
    explorer.set(k=0.3, networks=12)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert len(explorer.result.f_T) == 12
    explorer.preset("wide")
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert explorer.status["kind"] in ("stopped", "ok")  # it may have ended before the wish arrived
    assert "gradscape run credit/surrogate_ntk" in explorer.command


def test_the_best_surrogate_is_a_minimum_inside_its_range():
    best = exercises.best_k()
    assert exercises.test_error(best) < min(exercises.test_error(best * 1.1), exercises.test_error(best / 1.1))


def test_sampling_agrees_with_the_closed_form():
    from tests.credit.answers_surrogate_ntk import sign_rectangle

    for case in exercises.CASES:
        assert exercises.sampled(*case) == pytest.approx(sign_rectangle(*case), rel=exercises.MC_TOLERANCE / 2)
