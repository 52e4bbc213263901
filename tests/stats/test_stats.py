"""Power laws, paired comparisons and grids against closed forms and scipy."""
from __future__ import annotations

import numpy as np
import pytest
from gradscape.stats import Grid, paired, powerlaw
from scipy import stats


def test_exact_power_law_is_recovered() -> None:
    T, P = np.meshgrid([0.5, 1.0, 2.0], [10.0, 20.0, 40.0, 80.0])
    X = np.column_stack([T.ravel(), P.ravel()])
    power = powerlaw.fit(X, 3 * X[:, 0] ** 1.5 * X[:, 1] ** -0.25)
    assert power.exponents == pytest.approx([1.5, -0.25])
    assert power.prefactor == pytest.approx(3)
    assert power.r2 == pytest.approx(1)
    assert power([[4.0, 16.0]]) == pytest.approx([3 * 8 * 0.5])


def test_one_variable_agrees_with_scipy_linregress() -> None:
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 100, 12)
    y = 2 * x**0.7 * np.exp(0.1 * rng.standard_normal(12))
    power, line = powerlaw.fit(x, y), stats.linregress(np.log(x), np.log(y))
    assert power.exponents[0] == pytest.approx(line.slope)
    assert power.stderr[0] == pytest.approx(line.stderr)
    assert power.r2 == pytest.approx(line.rvalue**2)


def test_band_covers_the_true_line_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    x, hits = np.geomspace(1, 50, 8), 0
    for _ in range(800):
        low, high = powerlaw.fit(x, x**1.2 * np.exp(0.2 * rng.standard_normal(8))).band([10.0], level=0.9)
        hits += low[0] < 10**1.2 < high[0]
    # 800 trials at 90 %: four standard errors are 4.2 %
    assert hits / 800 == pytest.approx(0.9, abs=0.042)


def test_too_few_points_leave_an_infinite_band() -> None:
    power = powerlaw.fit([1.0, 2.0], [3.0, 6.0])
    assert power.exponents[0] == pytest.approx(1)
    assert np.isnan(power.stderr[0])
    assert power.band([1.0])[1][0] == np.inf


@pytest.mark.parametrize(("X", "y", "message"), [
    ([1, 2, np.nan], [1, 2, 3], "X: 1 of 3"), ([1, 2, 3], [1, -2, 0], "y: 2 of 3"),
    ([1, 2], [1, 2, 3], "shapes differ"), ([2, 2, 2], [1, 2, 3], "do not determine"), ([], [], "X: 0 of 0"),
])
def test_bad_power_law_data_are_named(X, y, message) -> None:
    with pytest.raises(ValueError, match=message):
        powerlaw.fit(X, y)


def test_paired_agrees_with_scipy() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal(15) + 0.5, rng.standard_normal(15)
    found, wanted = paired.compare(a, b), stats.ttest_rel(a, b)
    interval = wanted.confidence_interval(0.95)
    assert found.ci == pytest.approx((interval.low, interval.high))
    assert found.share_positive == np.mean(a > b)
    assert found.mean / found.stderr == pytest.approx(wanted.statistic)


def test_one_pair_has_no_finite_interval() -> None:
    assert paired.compare([1.0], [0.5]).ci == (-np.inf, np.inf)


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1]), ([], []), ([1, np.nan], [1, 2])])
def test_bad_pairs_are_refused(a, b) -> None:
    with pytest.raises(ValueError, match=r"a has shape|NaN"):
        paired.compare(a, b)


def test_grid_selects_reduces_and_lists_its_cells() -> None:
    grid = Grid.of({"T": (1, 2, 4), "seed": (0, 1)}, lambda T, seed: 10.0 * T + seed)
    assert grid.at(T=2, seed=1) == 21
    assert grid.select(seed=0).values.tolist() == [10, 20, 40]
    assert grid.mean("seed").values.tolist() == [10.5, 20.5, 40.5]
    assert grid.reduce("T", np.max).values.tolist() == [40, 41]
    columns = Grid({"T": (1, 2)}, [1.0, np.nan]).columns("error")
    assert columns == {"T": [1, 2], "error": [1.0, None]}


def test_grid_refuses_wrong_shapes_and_unknown_places() -> None:
    grid = Grid({"T": (1, 2)}, [1.0, 2.0])
    with pytest.raises(ValueError, match="need"):
        Grid({"T": (1, 2)}, [1.0])
    with pytest.raises(ValueError, match="T=3"):
        grid.select(T=3)
    with pytest.raises(ValueError, match="'alpha'"):
        grid.mean("alpha")
    with pytest.raises(ValueError, match="missing for T"):
        grid.at()
