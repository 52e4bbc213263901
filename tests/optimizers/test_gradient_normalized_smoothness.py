"""gamma(x) on the line against closed forms and bounds, and the progress lemma; the lesson's experiments."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape import lesson
from gradscape.optimizers import gradient_normalized as gn
from gradscape.optimizers.gradient_normalized import claims, experiments, single
from gradscape.optimizers.gradient_normalized.smoothness import QSC, positive_part

SMOKE = gn.Settings(profile="smoke")
CLOSED = 1e-6  # bisection is exact to rounding; the largest error between grid points is not
POINTS = torch.tensor([-2.3, -0.7, 0.4, 1.0, 2.0], dtype=torch.float64)


@pytest.mark.parametrize("name", gn.GALLERY)
def test_derivatives_are_central_differences(name):
    problem, h = gn.GALLERY[name], 1e-6
    slope = (problem.f(POINTS + h) - problem.f(POINTS - h)) / (2 * h)
    torch.testing.assert_close(problem.grad(POINTS), slope, rtol=1e-7, atol=1e-8)
    bend = (problem.grad(POINTS + h) - problem.grad(POINTS - h)) / (2 * h)
    torch.testing.assert_close(problem.hess(POINTS), bend, rtol=1e-7, atol=1e-8)


def test_closed_forms():
    exp, cubic = torch.exp, gn.GALLERY["cubic"]
    torch.testing.assert_close(gn.smoothness_1d(exp, exp, POINTS), torch.full_like(POINTS, math.e), rtol=CLOSED, atol=0)
    free = gn.smoothness_1d(exp, exp, POINTS, region=False)
    torch.testing.assert_close(torch.exp(free), 2 + free, rtol=CLOSED, atol=0)  # 1.1462
    size = POINTS.abs()
    found = gn.smoothness_1d(cubic.grad, cubic.hess, POINTS)
    torch.testing.assert_close(found, 2 * size, rtol=CLOSED, atol=0)
    found = gn.smoothness_1d(cubic.grad, cubic.hess, POINTS, region=False)
    torch.testing.assert_close(found, size, rtol=CLOSED, atol=0)
    for theta, value in ((0.0, 1.0), (0.5, 2.0), (1.0, math.e), (1.5, 1.2985), (2.0, 0.8244)):
        assert gn.smoothness_1d(exp, lambda x, t=theta: t * torch.exp(x), 0.0) == pytest.approx(value, rel=1e-4)


def test_lower_bounds():
    assert gn.lower_bound_hoelder(2.0, 1.0) == pytest.approx(2.0)
    assert gn.lower_bound_smooth(3.0, 2.0) == 1.5
    assert gn.lower_bound_qsc(2.0) == pytest.approx(QSC / 2)
    assert math.exp(QSC) == pytest.approx(1 + 2 * QSC)
    assert gn.combine(2.0, math.inf, 2.0) == 1.0
    assert gn.combine(math.inf) == math.inf
    tanh, sech = torch.tanh, lambda x: 1 - torch.tanh(x) ** 2
    assert bool((gn.smoothness_1d(tanh, 0.0, POINTS) >= tanh(POINTS).abs() * (1 - CLOSED)).all())  # L = 1
    assert bool((gn.smoothness_1d(tanh, sech, POINTS) >= QSC / 2).all())  # |f'''| <= 2 f''
    assert bool((gn.smoothness_1d(torch.exp, torch.exp, POINTS) >= QSC).all())


def test_errors_combine():
    """gamma with a wrong H is at least the harmonic combination of gamma with the right one and |g|/|H - f''|."""
    for theta in (0.3, 0.8, 1.4):
        right = gn.smoothness_1d(torch.exp, torch.exp, 0.5, region=False)
        wrong = gn.smoothness_1d(torch.exp, lambda x, t=theta: t * torch.exp(x), 0.5, region=False)
        assert wrong >= gn.combine(right, 1 / abs(1 - theta)) * (1 - CLOSED)


def test_an_exact_model_has_no_limit_and_bad_points_are_refused():
    assert gn.smoothness_1d(lambda x: 3 * x, 3.0, 1.0) == math.inf
    for arguments, words in (
        ((torch.tanh, 1.0, 0.0), "vanishes"), ((torch.exp, -1.0, 1.0), "negative"), ((torch.exp, 1.0, math.nan), "x"),
    ):
        with pytest.raises(ValueError, match=words):
            gn.smoothness_1d(*arguments)
    for call, words in (
        (lambda: gn.combine(), "at least one"), (lambda: gn.combine(-1.0), "gamma"),
        (lambda: gn.lower_bound_smooth(1.0, 0.0), "L"), (lambda: gn.lower_bound_hoelder(1.0, 1.0, 2.0), "nu"),
        (lambda: gn.lower_bound_qsc(-1.0), "M"), (lambda: gn.lower_bound_smooth(math.nan, 1.0), "grad_norm"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize("name", gn.GALLERY)
def test_every_radius_up_to_gamma_is_good_and_the_step_keeps_within(name):
    problem = gn.GALLERY[name]
    H, g = positive_part(problem, POINTS[:-2]), problem.grad(POINTS[:-2])
    largest = gn.smoothness_1d(problem.grad, H, POINTS[:-2])
    for share in (0.05, 0.5, 1.0):
        d = -g / (H + g.abs() / (share * largest))
        error = (problem.grad(POINTS[:-2] + d) - g - H * d).abs()
        assert bool((d.abs() <= share * largest).all())
        assert bool((error <= g.abs() * d.abs() / largest * (1 + CLOSED) + 1e-12).all())


def test_progress_has_its_constants():
    for name, part in experiments.gallery(200, 3).items():
        assert float(part.constant.min()) >= (0.5 if gn.GALLERY[name].convex else 0.125)
        assert bool((part.gamma <= part.largest * (1 + 1e-12)).all())


def test_claims_are_measured_once_and_say_something_at_smoke():
    measured = gn.measure(SMOKE)
    assert set(measured) == {claim.id for claim in gn.CLAIMS}
    for claim in gn.CLAIMS:
        assert lesson.judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"


def test_counts_of_the_first_claim():
    values = claims.measure_n1(SMOKE)
    assert "exact 51, 53, 55, 56, 58, 59, inexact 49, 50, 55, 57, 57, 58" in values.note


@pytest.mark.standard
def test_the_gradient_method_needs_thousands():
    assert experiments.valley(20_000)["gradient"].iterations.tolist() == [6852, 4331, 2892, 2132, 1584, 1141]


def test_operations_by_hand():
    runs = experiments.equations(8, 0, 2)
    fast, slow = runs["fisher"], runs["fisher_cholesky"]
    trials, iterations = int(fast.total_trials[0]), int(fast.iterations[0])
    assert claims.operations(fast, 8, False)[0] == trials * (4 * 8 * 16 + 256 + 64) + iterations * 1024
    assert claims.operations(slow, 8, True)[0] > claims.operations(fast, 8, False)[0]


def test_straightness_and_slope():
    k = torch.arange(201, dtype=torch.float64)[:, None]
    fake = experiments.valley(200)["exact"]
    straight = type(fake)(**{**fake.__dict__, "values": torch.exp(-0.1 * k), "iterations": torch.tensor([200])})
    assert claims.straightness(straight) == pytest.approx([1.0])
    power = type(fake)(**{**fake.__dict__, "values": (k + 1e-9) ** -1.0, "iterations": torch.tensor([200])})
    assert claims.slopes(power) == pytest.approx([-1.0], abs=1e-6)
    assert claims.straightness(power)[0] < 0.97


def test_single_runs_follow_the_settings():
    point = gn.point(SMOKE.replace(p=2, kind="exact"))
    assert point.scalars["path_iterations"] == 51
    assert point.scalars["gamma"] == pytest.approx(gn.smoothness_1d(torch.expm1, torch.exp, 1.2))
    with pytest.raises(ValueError, match="vanishes"):
        single.picture("exp", 0.0, 1.0, 1.0)
    told = []
    single.compare(10, 1.0, 1, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] <= told[-1][1]


@pytest.mark.parametrize("name", ["sizes", "smoothing"])
@pytest.mark.standard
def test_tables_are_made(name):
    table = gn.TABLES[name](SMOKE)
    assert len(list(table.rows())) > 3
