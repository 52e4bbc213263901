"""What a reader touches: figures say what was measured, explorers survive their ends, checkers give the right hint."""
from __future__ import annotations

import math

import numpy as np
import pytest
from gradscape import results
from gradscape.dynamics import sgd_noise as sgd
from gradscape.dynamics.sgd_noise import tables
from gradscape.dynamics.sgd_noise.network_studies import Phase
from gradscape.lessons.dynamics import sgd_noise as view
from gradscape.lessons.dynamics.sgd_noise.exercises import CASES, brute_force
from gradscape.workbench import describe

DRAWN = 0.05  # relative, four standard errors of the brute-force variance

SMOKE = sgd.Settings(profile="smoke", P=64)


@pytest.mark.parametrize("case", CASES)
def test_brute_force_is_geometric(case):
    P, U, B = case
    idle = math.comb(P - U, B) / math.comb(P, B)
    mean, variance = brute_force(*case)
    assert mean == pytest.approx(1 / (1 - idle), rel=DRAWN)
    assert variance == pytest.approx(idle / (1 - idle) ** 2, rel=DRAWN)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("course", lambda: view.fig_course(view.Course(SMOKE, (sgd.perceptron_course(SMOKE),)))),
        ("temperature", lambda: view.fig_temperature(sgd.temperature_scan(SMOKE))),
        ("sizes", lambda: view.fig_sizes(sgd.size_scans(SMOKE))),
        ("lazy", lambda: view.fig_lazy(sgd.lazy_scaling(SMOKE))),
        ("edges", lambda: view.fig_edges(sgd.stability_edges(SMOKE))),
        ("phase", lambda: view.fig_phase(sgd.phase(SMOKE))),
        ("pick", lambda: view.fig_phase(sgd.phase(SMOKE), (0, 1))),
        ("benefit", lambda: view.fig_benefit(sgd.noise_benefit(SMOKE))),
        ("counter", lambda: view.fig_counter(sgd.lazy_gain(SMOKE))),
        ("batches", lambda: view.fig_batches(sgd.batch_scan(SMOKE))),
        ("network", lambda: view.fig_network(sgd.run_point(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    fig = make()
    assert len(fig.data) > 0
    assert fig.layout.title.text
    assert "X axis" in describe(fig)
    for letter in "xy":
        axes = [fig.layout[key] for key in fig.layout.to_plotly_json() if key.startswith(f"{letter}axis")]
        assert all(axis.title.text for axis in axes), name
    for trace in fig.data:
        assert len(np.asarray(trace.y, dtype=object)) > 0, name


def test_a_course_that_never_fits_is_drawn_and_called_so():
    settings = SMOKE.replace(chi=0.0, perceptron_P=1024, perceptron_T=10.0)
    runs = sgd.perceptron(1024, 32, 0.0, 10.0, max_events=50, runs=2, trace=True)
    assert "0 of 2 runs fitted" in view.fig_course(view.Course(settings, (runs,))).layout.title.text


def test_networks_that_diverge_are_drawn_and_counted():
    hot = sgd.run_point(SMOKE.replace(T=2.0, alpha=2.0**-14, depth=3))
    assert "0 of 2 fitted" in view.fig_network(hot).layout.title.text


def test_recorded_phase_is_the_one_that_was_computed(monkeypatch):
    made: dict[tuple[str, int], Phase] = {}

    def phase(settings, *, depth, dataset):
        made[dataset, depth] = sgd.phase(settings, depth=2 if dataset == "digits" else depth)
        return made[dataset, depth]

    monkeypatch.setattr(tables, "phase", phase)
    monkeypatch.setattr(tables, "DEPTHS", (2,))
    table = tables.phase_table(SMOKE)
    monkeypatch.setattr(tables, "_recorded", lambda: table)
    again, original = tables.recorded_phase(2, "fashion"), made["fashion", 2]
    assert again is not None
    np.testing.assert_allclose(again.alpha, original.alpha, rtol=1e-4)
    assert again.marks.tolist() == original.marks.tolist()
    np.testing.assert_allclose(again.T, original.T, rtol=1e-4)
    np.testing.assert_allclose(again.cells["test_error"], original.cells["test_error"], rtol=1e-4)
    np.testing.assert_allclose(again.curves, original.curves, rtol=1e-4)
    assert again.recorded == table.caption
    assert "Recorded" in view.fig_phase(again).layout.title.text
    assert tables.recorded_phase(3, "digits") is None
    assert tables.phase_at(SMOKE, 2, "digits").seeds == SMOKE.size.phase_seeds


def test_the_lesson_has_a_recorded_phase_diagram():
    table = results.load(tables.LESSON, "phase")
    assert table.profile == "quick"
    assert {(row["dataset"], row["depth"]) for row in table.rows()} == {
        (dataset, depth) for dataset in tables.DATASETS for depth in (1, 2, 3)}


def test_phase_explorer_picks_the_nearest_cell():
    explorer = view.explorer_phase(SMOKE)
    explorer.check()
    explorer.set(alpha=2.0**-10, T=2.0**-12)
    phase, (a, k) = explorer.result
    assert (a, k) == (0, phase.T.shape[1] - 1)
    for alpha in (2.0**-6, 1.0, 2.0**6):
        explorer.set(alpha=alpha)
        assert explorer.status["kind"] == "ok"


def test_perceptron_explorer_shows_what_fits_into_its_time():
    explorer = view.explorer_perceptron(SMOKE)
    assert explorer.result.fitted == 4
    explorer.limit_s = 0.0
    explorer.set(perceptron_P=256)
    assert explorer.status["kind"] == "stopped"
    assert len(explorer.result.runs) == 1


def test_network_explorer_trains_and_can_be_cancelled():
    explorer = view.explorer_networks(SMOKE)
    assert explorer.result is sgd.run_point(SMOKE)
    explorer.set(alpha=2.0**15, T=2.0**-5)
    explorer.run(wait=True)
    assert explorer.status["kind"] == "ok"
    assert bool(explorer.result.fitted.all())
    explorer.preset("lazy, cold")
    explorer.run()
    explorer.cancel()
    explorer.wait(60)
    assert explorer.status["kind"] in ("stopped", "ok")  # it may have ended before the wish arrived
    assert "gradscape run dynamics/sgd_noise" in explorer.command
