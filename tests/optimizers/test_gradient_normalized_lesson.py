"""What a reader touches: figures say what was measured, explorers survive their ends."""
from __future__ import annotations

import pytest
from gradscape.lessons.optimizers import gradient_normalized as view
from gradscape.optimizers import gradient_normalized as gn
from gradscape.optimizers.gradient_normalized import single
from gradscape.optimizers.gradient_normalized.tables import sizes_table
from gradscape.results import find

from tests.figures import assert_words_and_data

SMOKE = gn.Settings(profile="smoke")


@pytest.mark.parametrize("make", [
    lambda: view.fig_step(single.picture("double_well", 0.3, 1.0, 5.0)),
    lambda: view.fig_path(single.path(4, 1.0, -1.0, "fisher_term", 10.0)),
    lambda: view.fig_compare(single.compare(10, 0.1, 3)),
    lambda: view.fig_smoothing(None), lambda: view.fig_times(None), lambda: view.fig_sizes(None),
    lambda: view.fig_times(find("optimizers/gradient_normalized", "times")),
    lambda: view.fig_sizes(sizes_table(SMOKE)),
    lambda: view.fig_trials({"LogSumExp, μ = 1, exact": (4, 2),
                             "logistic, none": (3, 2), "logistic, fisher_cholesky": (2, 1)}),
])
def test_figures_have_words_and_data(make):
    assert_words_and_data(make())


@pytest.mark.standard
@pytest.mark.parametrize("name", list(view.EXPLORERS))
def test_explorers_survive_their_ends(name):
    view.EXPLORERS[name](SMOKE).check()


def test_a_vanishing_gradient_is_told_inline():
    explorer = view.explorer_radius(SMOKE)
    explorer.set(point=0.0)
    assert explorer.status["kind"] == "error"
    assert "vanishes" in explorer.status["text"]
    explorer.set(point=1.0)
    assert explorer.status["kind"] == "ok"
