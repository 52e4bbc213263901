"""What a reader touches: figures say what was measured, explorers survive their ends, checkers know their answers."""
from __future__ import annotations

import pytest
import torch
from gradscape.dynamics import multiscale_descent as ms
from gradscape.lessons.dynamics import multiscale_descent as view
from gradscape.lessons.dynamics.multiscale_descent.exercises import smallest_kappas

from tests.figures import assert_words_and_data

SMOKE = ms.Settings(profile="smoke")


def curves(*kappas: float) -> list[ms.DescentCurves]:
    return [ms.curves_at(SMOKE, kappa) for kappa in kappas]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("single", lambda: view.fig_single(ms.single_features(ms.TwoScale(130, 100, 70, 100.0), ms.time_grid(61)))),
        ("task", lambda: view.fig_task(ms.one_task(SMOKE))),
        ("theory", lambda: view.fig_task(ms.one_task(SMOKE, 0))),
        ("kappas", lambda: view.fig_kappas(curves(*ms.SHOWN))),
        ("onset", lambda: view.fig_onset(ms.onset(SMOKE))),
        ("plateaus", lambda: view.fig_plateaus([ms.plateau_curves(SMOKE, n, p) for n, p in ms.PLATEAUS])),
        ("collapse", lambda: view.fig_collapse(curves(30.0, 100.0, 300.0), 0.1)),
        ("ridge", lambda: view.fig_ridge(ms.ridge_gaps(SMOKE))),
        ("clock", lambda: view.fig_clock(curves(7.0, 30.0))),
        ("penalty", lambda: view.fig_penalty(ms.penalized(SMOKE))),
        ("map", lambda: view.fig_map(ms.penalty_map(SMOKE))),
        ("examples", lambda: view.fig_examples([ms.example_curves(SMOKE, n) for n in ms.EXAMPLES])),
        ("images", lambda: view.fig_images(ms.image_students(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


@pytest.mark.parametrize("name", ["theory", "descent"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    explorer.set(n=100, noise=1.0)  # where the error without ridge has no bound
    assert explorer.status["kind"] == "ok"
    explorer.set(kappa=0.5)
    assert "kappa" in explorer.errors["kappa"]


def test_descent_explorer_moves_theory_and_simulation_together():
    explorer = view.explorer_descent(SMOKE)
    before = explorer.result.curves
    explorer.set(kappa=4.0)
    after = explorer.result.curves
    assert not torch.allclose(before.mean, after.mean)
    assert not torch.allclose(before.limit, after.limit)
    assert "kappa=4" in explorer.command
    explorer.preset("a penalty on Q")
    assert explorer.result.a0 == 0.6


def test_map_explorer_computes_and_can_be_cancelled():
    explorer = view.explorer_map(SMOKE)
    assert explorer.result is ms.penalty_map(SMOKE)
    explorer.set(kappa=100.0)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert explorer.result.values.shape == (7, 15)


def test_task_figure_says_what_the_curve_does():
    title = view.fig_task(ms.one_task(ms.Settings(kappa=100.0, n=130))).layout.title.text
    assert "double descent" in title
    assert "no bump" in view.fig_task(ms.one_task(ms.Settings(kappa=1.0, n=400))).layout.title.text
    assert "no second descent" in view.fig_task(ms.one_task(ms.Settings(kappa=100.0, n=60))).layout.title.text


def test_smallest_ratio_with_a_bump_by_direct_scan():
    closed, limit = smallest_kappas()
    for theory, found in ((ms.fast_slow, closed), (ms.deterministic_equivalent, limit)):
        seen = []
        for kappa in (0.97 * found, 1.03 * found):
            task, t = ms.TwoScale(200, 100, 70, kappa), ms.time_grid(401, 0.1, 1e9)
            seen.append(ms.descent_shape(t, theory(task, ms.ridge_clock(task, t)).E).is_double)
        assert seen == [False, True]


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    from gradscape.lesson import judge

    measured = ms.measure(ms.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in ms.CLAIMS}
    assert words == {
        "M1": "reproduced", "M2": "reproduced", "M3": "reproduced", "M4": "not reproduced", "M4a": "holds",
        "M4b": "reported", "M5": "reproduced", "M6": "reproduced", "M7": "reproduced", "M8": "holds",
    }
