"""Pictures of a sweep by the number of its axes, and the explorer that answers from its table."""
from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradscape.dynamics.sgd_noise.settings import Settings
from gradscape.sweeptable import SweepTable
from gradscape.workbench import explore_sweep, fig_sweep, fig_verdicts

AXES = {"T": [0.01, 0.1, 1.0], "alpha": [0.5, 2.0], "depth": [1, 2], "seed": [0, 1, 2]}


def table(axes: dict[str, list[Any]], hole: bool = False) -> SweepTable:
    """Every value is T + 10 alpha + 100 depth + 0.001 (seed - 1), so that each cell can be told."""
    rows = []
    for values in itertools.product(*axes.values()):
        at = {"T": 0.0, "alpha": 0.0, "depth": 0, "seed": 1, **dict(zip(axes, values, strict=True))}
        value = at["T"] + 10 * at["alpha"] + 100 * at["depth"] + 0.001 * (at["seed"] - 1)
        missing = hole and not rows
        rows.append({
            "key": str(len(rows)), "status": "done", "settings": {**at, "act": at.get("act", "gelu")},
            "scalars": {"error": None if missing else value, "other": 1.0},
            "claims": {"N1": {"measured": "x", "verdict": "reproduced" if at["seed"] else "partly"}},
        })
    about = {
        "lesson": "dynamics/sgd_noise", "axes": axes, "fixed": {}, "total": len(rows), "function": True,
        "scales": {"T": "log2", "alpha": "log2"}, "symbols": {"alpha": "α"},
    }
    return SweepTable(Path("sweep"), about, tuple(rows))


def some(*names: str) -> dict[str, list[Any]]:
    return {name: AXES[name] for name in names}


def test_one_axis_is_a_curve_with_a_band_over_seeds():
    fig = fig_sweep(table(some("T", "seed")), "error")
    band, line = fig.data
    np.testing.assert_allclose(line.y, AXES["T"])
    np.testing.assert_allclose(band.y[:3], np.array(AXES["T"]) + 0.0008)  # the 90th percentile of -1, 0, 1 thousandths
    assert fig.layout.xaxis.type == "log"


def test_two_axes_are_a_heat_map_of_medians_with_gaps_told():
    fig = fig_sweep(table(some("T", "alpha", "seed")), "error")
    np.testing.assert_allclose(fig.data[0].z, [[5.01, 5.1, 6.0], [20.01, 20.1, 21.0]])
    assert "missing" in fig_sweep(table(some("T", "alpha"), hole=True), "error").layout.title.text


def test_three_axes_are_small_multiples_in_one_color_scale():
    fig = fig_sweep(table(some("T", "alpha", "depth", "seed")), "error")
    assert len(fig.data) == 2
    assert fig.data[0].zmin == fig.data[1].zmin == pytest.approx(105.01)
    np.testing.assert_allclose(fig.data[1].z, np.array(fig.data[0].z) + 100)


def test_no_axis_or_one_of_words_is_bars():
    assert fig_sweep(table(some("seed")), "error").data[0].type == "bar"
    fig = fig_sweep(table({"act": ["gelu", "relu"], "seed": [0, 1]}), "error")
    assert list(fig.data[0].x) == ["gelu", "relu"]


def test_verdicts_are_shown_with_those_that_move():
    fig = fig_verdicts(table(some("T", "seed")))
    assert {trace.name: trace.y[0] for trace in fig.data} == pytest.approx({"partly": 1 / 3, "reproduced": 2 / 3})
    assert "N1 (reproduced for 6 of 9)" in fig.layout.title.text


def test_the_explorer_answers_from_the_table():
    explorer = explore_sweep(table(some("T", "alpha", "depth", "seed")), Settings(), scalar="error")
    explorer.set(along="T", alpha=1.9, depth=2)
    line = next(trace for trace in explorer.figure.data if trace.name == "error" and not (trace.meta or {}).get("band"))
    np.testing.assert_allclose(line.y, np.array(AXES["T"]) + 220)  # 1.9 is nearest to 2
    explorer.set(along="alpha", T=0.01)
    assert explorer.result[1] == "alpha"
    assert explorer.seconds < 1.0
    explorer.check()


def test_the_explorer_on_one_axis_and_on_a_grid_with_a_hole():
    explorer = explore_sweep(table(some("T", "seed"), hole=True), Settings())
    assert list(explorer.controls) == ["scalar"]
    explorer.check()


@pytest.mark.parametrize(("axes", "scalar", "message"), [
    (some("T"), "nothing", "must be one of error, other"), (some("seed"), None, "axis of numbers"),
])
def test_what_cannot_be_explored_is_refused(axes, scalar, message):
    with pytest.raises(ValueError, match=message):
        explore_sweep(table(axes), Settings(), scalar=scalar)


def test_a_sweep_of_another_lesson_is_refused():
    from gradscape.optimizers.diffgrad import Settings as Other

    with pytest.raises(ValueError, match="is of dynamics/sgd_noise, these are settings of optimizers/diffgrad"):
        explore_sweep(table(some("T")), Other())


def test_an_unknown_scalar_is_refused():
    with pytest.raises(ValueError, match="scalar='t'"):
        fig_sweep(table(some("T")), "t")
    assert math.isnan(table(some("T"), hole=True).values("error")[0])
