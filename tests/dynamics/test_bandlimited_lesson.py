"""What a reader touches: figures say what was measured, explorers survive their ends, checkers search by themselves."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.dynamics import bandlimited as bl
from gradscape.lessons.dynamics import bandlimited as view
from gradscape.lessons.dynamics.bandlimited.exercises import floor_of, median_errors, needed_box, uniform_errors

from tests.figures import assert_words_and_data

SMOKE = bl.Settings(profile="smoke", n=50)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("width", lambda: view.fig_width(bl.sweep(SMOKE))),
        ("box", lambda: view.fig_box(bl.sweep(SMOKE))),
        ("spectra", lambda: view.fig_spectra(bl.spectra(SMOKE))),
        ("frequency", lambda: view.fig_frequency(bl.floors(SMOKE))),
        ("floor", lambda: view.fig_floor(bl.floors(SMOKE), bl.budgeted_nets(SMOKE))),
        ("budget", lambda: view.fig_budget(bl.budget_curve(SMOKE))),
        ("filter", lambda: view.fig_filter(bl.low_pass(SMOKE))),
        ("ridgelet", lambda: view.fig_ridgelet(bl.ridgelet_map(SMOKE))),
        ("exact", lambda: view.fig_exact(bl.exact_nets(SMOKE))),
        ("digits", lambda: view.fig_digits(bl.digit_accuracy(SMOKE))),
        ("other", lambda: view.fig_other(bl.other_nets(SMOKE))),
        ("net", lambda: view.fig_net(bl.one_net(SMOKE))),
        ("floors_at", lambda: view.fig_floors_at(bl.floors_at(SMOKE))),
    ],
)
def test_figure_has_words_and_data(name, make):
    assert_words_and_data(make(), name)


def test_width_figure_states_the_measured_errors():
    sweep = bl.sweep(SMOKE)
    title = view.fig_width(sweep).layout.title.text
    assert f"{sweep.median(1.0, sweep.widths[0]):.3f}" in title
    assert f"{sweep.median(1.0, sweep.widths[-1]):.3f}" in title


def test_ridgelet_map_is_symmetric_and_states_the_energy():
    result = bl.ridgelet_map(SMOKE)
    assert np.allclose(result.size, result.size[::-1, ::-1])
    assert f"{result.outside:.1%}" in view.fig_ridgelet(result).layout.title.text


@pytest.mark.parametrize("name", ["net", "floors", "ridgelet"])
def test_explorers_answer_everywhere(name):
    explorer = view.EXPLORERS[name](SMOKE)
    explorer.check()
    for lam in (0.3, 3.0, 300.0):
        explorer.set(lam=lam, target="sine")
        assert explorer.status["kind"] == "ok"
    assert "gradscape run dynamics/bandlimited" in explorer.command or name != "ridgelet"


def test_floor_explorer_shows_what_fits_into_its_time():
    explorer = view.explorer_floors(SMOKE)
    explorer.limit_s = 0.0
    explorer.set(lam=2.0)
    assert explorer.status["kind"] == "stopped"
    assert np.isnan(explorer.result.floors).all()
    assert np.isfinite(explorer.result.floor)


def test_drawn_net_of_the_explorer_depends_on_its_draw_only():
    first, again = (bl.floors_at(SMOKE, 3).nets for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, bl.floors_at(SMOKE, 4).nets)


def test_needed_box_is_where_the_floor_crosses():
    lam = needed_box()
    assert floor_of(lam) < 0.1 < floor_of(lam / 1.02)


def test_uniform_reference_is_the_uniform_box():
    def draw(n, rng):
        return rng.uniform(-30, 30, n), rng.uniform(-30, 30, n)

    # medians of 20 other draws: errors near rounding scatter by several times
    assert np.allclose(np.log10(median_errors(draw)), np.log10(uniform_errors()), atol=1.0)
