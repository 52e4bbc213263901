"""Kernels, surrogates and regressions against closed forms, limits, Monte Carlo and neural-tangents."""
from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from gradscape.credit import surrogate_ntk as sn
from gradscape.credit.surrogate_ntk.surrogates import Surrogate
from gradscape.credit.surrogate_ntk.theory import slopes

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "surrogate_ntk.json").read_text())
PEER = 1e-9  # relative; both are closed forms in float64
EXACT = 1e-12  # float64, a handful of operations
LIMIT = 1e-3  # erf_m at m = 1e4 against sign
QUADRATURE = 1e-8  # rules of 64 nodes against a fine sum
SURROGATES = (sn.erf(0.3), sn.erf(1.0), sn.erf(4.0), sn.rectangle(0.7), sn.triangle(1.2), sn.fast_sigmoid(3.0))


def points(count, dim=5, seed=0, dtype=torch.float64):
    return torch.randn(count, dim, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("case", ORACLE["cases"], ids=lambda case: f"L{case['depth']}-m{case['m']:g}")
def test_nngp_and_ntk_are_those_of_neural_tangents(case):
    X, Y = (torch.tensor(ORACLE[name], dtype=torch.float64) for name in "XY")
    nngp, ntk = sn.kernels(X, Y, case["depth"], ("erf", case["m"]), kind="ntk")
    torch.testing.assert_close(nngp, torch.tensor(case["nngp"], dtype=torch.float64), rtol=PEER, atol=0)
    torch.testing.assert_close(ntk, torch.tensor(case["ntk"], dtype=torch.float64), rtol=PEER, atol=0)


@pytest.mark.parametrize("depth", [1, 3])
def test_surrogate_equal_to_the_derivative_gives_the_ntk(depth):
    X, Y = points(6), points(4, seed=1)
    for m in (1.0, 5.0):
        sg = sn.kernels(X, Y, depth, ("erf", m), sn.erf(m), kind="sg")[1]
        torch.testing.assert_close(sg, sn.kernels(X, Y, depth, ("erf", m), kind="ntk")[1], rtol=1e-10, atol=0)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
@pytest.mark.parametrize("depth", [1, 2])
def test_sign_is_the_limit_of_erf(depth, surrogate):
    X, Y = points(6), points(4, seed=1)
    near, sign = (sn.kernels(X, Y, depth, act, surrogate)[1] for act in (("erf", 1e4), "sign"))
    torch.testing.assert_close(near, sign, rtol=LIMIT, atol=0)


@pytest.mark.parametrize("surrogate", SURROGATES, ids=str)
def test_gaussian_means_against_a_fine_sum(surrogate):
    t = torch.linspace(-14, 14, 2_800_001, dtype=torch.float64)
    weight = torch.exp(-t * t / 2) / math.sqrt(2 * math.pi) * float(t[1] - t[0])
    for s in (0.05, 0.6, 3.0):
        exact = float((surrogate.derivative(math.sqrt(s) * t) * weight).sum())
        # the sum meets a jump of the rectangle somewhere within a step of 1e-5
        assert float(surrogate.gauss_mean(s)) == pytest.approx(exact, rel=1e-5)
    assert float(surrogate.gauss_mean(0.0)) == pytest.approx(float(surrogate.derivative(torch.zeros(1))))


def test_a_surrogate_of_ones_own_needs_its_derivative_only():
    class Bump(Surrogate):
        def derivative(self, z):
            return sn.erf(0.8).derivative(z)

    for kind in ("sign", ("erf", 2.0)):
        mine = sn.kernels(points(5), points(3, seed=1), 2, kind, Bump())[1]
        torch.testing.assert_close(mine, sn.kernels(points(5), points(3, seed=1), 2, kind, sn.erf(0.8))[1],
                                   rtol=QUADRATURE, atol=0)


def test_mixed_slopes_have_the_closed_form_of_two_erfs():
    a, b, c = (torch.tensor(v, dtype=torch.float64) for v in (1.3, 0.7, 0.5))
    assert float(slopes(a, b, c, 8.0, sn.erf(1.7))) == pytest.approx(0.67416, abs=5e-6)
    assert float(slopes(a, b, c, math.inf, sn.erf(1.7))) == pytest.approx(0.67675, abs=5e-6)
    # roles: the delta sits on u, whose variance is a
    assert float(slopes(b, a, c, math.inf, sn.erf(1.7))) != pytest.approx(0.67675, rel=0.05)


def test_an_all_pass_surrogate_leaves_the_density_of_u():
    X, Y = points(5), points(3, seed=1)
    a = X.square().sum(1, keepdim=True) / 5 + 0.1
    nngp, theta = sn.kernels(X, Y, 1, "sign", sn.rectangle(1e9))
    first = X @ Y.T / 5 + 0.1
    torch.testing.assert_close(theta, nngp + first * (2 / (math.pi * a)).sqrt(), rtol=EXACT, atol=0)


def test_a_flat_surrogate_leaves_the_last_layer():
    X = points(6)
    nngp, theta = sn.kernels(X, X, 3, "sign", sn.erf(1e-9))
    torch.testing.assert_close(theta, nngp, rtol=1e-7, atol=0)
    torch.testing.assert_close(sn.kernels(X, X, 3, kind="nngp")[1], nngp, rtol=0, atol=0)


def test_symmetric_on_the_circle_not_off_it():
    t = sn.angles(9)
    for depth in (1, 3):
        on = sn.Model(depth).between(t, t)[1]
        torch.testing.assert_close(on, on.T, rtol=EXACT, atol=0)
        off = sn.kernels(points(20), points(20), depth)[1]
        assert float((off - off.T).norm() / off.norm()) > 0.01
        assert float(torch.linalg.eigvals(off).real.min()) > 0


def test_the_ntk_of_sign_warns_and_is_infinite_where_inputs_coincide():
    X = points(4)
    with pytest.warns(UserWarning, match="does not exist"):
        _, theta = sn.kernels(X, X, 3, kind="ntk")
    assert torch.isinf(theta.diagonal()).all()
    assert int(torch.isinf(theta).sum()) == 4
    with pytest.warns(UserWarning, match="does not exist"):
        away = sn.kernels(X, points(3, seed=1), 3, kind="ntk")[1]
    near = sn.kernels(X, points(3, seed=1), 3, ("erf", 1e4), kind="ntk")[1]
    torch.testing.assert_close(away, near, rtol=LIMIT, atol=0)


def test_diagonal_grows_with_the_power_of_the_depth():
    for depth in (1, 2, 3):
        assert sn.growth(depth, 1e4, 1e5) == pytest.approx(depth, abs=1e-3)
    table = sn.diagonals()
    assert bool((table.ntk.diff(dim=1) > 0).all())
    torch.testing.assert_close(table.sg[:, -1], table.sign, rtol=0.01, atol=0)


# ---- regression


def theta(n=6):
    return sn.kernels(points(n), points(n), 2)[1], sn.kernels(points(4, seed=1), points(n), 2)[1]


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 64, 1000])
def test_kernel_flow_is_gradient_descent_in_function_space(steps):
    square, across = theta()
    eta, y = 0.7 * sn.stable_eta(square), points(6, 1, seed=2)[:, 0]
    at_train, at_test = torch.zeros(6, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    for _ in range(steps):
        error = at_train - y
        at_test, at_train = at_test - eta * across @ error, at_train - eta * square @ error
    torch.testing.assert_close(sn.kernel_flow(across, square, eta, steps) @ y, at_test, rtol=1e-10, atol=1e-12)


def test_kernel_flow_ends_in_interpolation():
    square, across = theta()
    G = sn.kernel_flow(across, square)
    torch.testing.assert_close(G @ square, across, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(sn.kernel_flow(square, square), torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-10)
    torch.testing.assert_close(sn.kernel_flow(across, square, steps=10**8), G, rtol=1e-6, atol=1e-8)


def test_a_singular_kernel_is_no_obstacle_to_finitely_many_steps():
    one = torch.ones(3, 3, dtype=torch.float64)
    G = sn.kernel_flow(one[:1], one, 1 / 3, 50)
    torch.testing.assert_close(G, one[:1] / 3)


def test_ensemble_prediction_is_the_law_of_trained_processes():
    generator = torch.Generator().manual_seed(0)
    square, across = theta()
    K = sn.kernels(torch.cat([points(6), points(4, seed=1)]), torch.cat([points(6), points(4, seed=1)]), 2)[0]
    G, y = sn.kernel_flow(across, square, steps=30), points(6, 1, seed=2)[:, 0]
    start = torch.randn(200_000, 10, dtype=torch.float64, generator=generator) @ torch.linalg.cholesky(K).T
    end = start[:, 6:] + (y - start[:, :6]) @ G.T
    mean, cov = sn.ensemble_prediction(G, y, K[6:, 6:], K[6:, :6], K[:6, :6])
    torch.testing.assert_close(end.mean(0), mean, rtol=0, atol=5 / math.sqrt(200_000))
    torch.testing.assert_close(torch.cov(end.T), cov, rtol=0, atol=0.02)
    reduced = sn.control_variate_mean(end, start[:, 6:], start[:, :6], G)
    torch.testing.assert_close(reduced, mean, rtol=0, atol=1e-9)  # these processes follow the theory to the letter


def test_rates_of_a_rotating_kernel():
    # eigenvalues 1 ± 3i: the real part alone would allow 1.9, the circle allows eta < 2/10
    turn = torch.tensor([[1.0, 3.0], [-3.0, 1.0]], dtype=torch.float64)
    assert sn.stable_eta(turn) == pytest.approx(1.0)
    assert sn.check_eta(turn, 0.19) == 0.19
    with pytest.raises(ValueError, match="diverges"):
        sn.check_eta(turn, 0.21)
    assert sn.check_eta(torch.eye(2), 1.9) == 1.9
    with pytest.raises(ValueError, match=r"1\.9/max Re ev = 1\.9"):
        sn.check_eta(torch.eye(2), 1.91)


GOOD = torch.eye(2, dtype=torch.float64)
BAD = torch.full((2, 2), math.nan)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: sn.kernels(GOOD, GOOD, 0), "depth=0"),
        (lambda: sn.kernels(BAD, GOOD, 1), "X1 holds"),
        (lambda: sn.kernels(GOOD, torch.zeros(0, 2), 1), "X2 is empty"),
        (lambda: sn.kernels(GOOD, GOOD[0], 1), "X2 has shape"),
        (lambda: sn.kernels(GOOD, torch.ones(2, 3), 1), "same number of columns"),
        (lambda: sn.kernels(GOOD.to(torch.complex64), GOOD, 1), "X1 has shape"),
        (lambda: sn.kernels(GOOD, GOOD, 1, sw2=0.0), "sw2=0"),
        (lambda: sn.kernels(GOOD, GOOD, 1, sb2=-0.1), "sb2=-0.1"),
        (lambda: sn.kernels(GOOD, GOOD, 1, ("erf", 0.0)), "m=0"),
        (lambda: sn.kernels(GOOD, GOOD, 1, "relu"), "activation='relu'"),
        (lambda: sn.kernels(GOOD, GOOD, 1, kind="sgd"), "kind='sgd'"),
        (lambda: sn.kernels(0 * GOOD, GOOD, 1, sb2=0.0), "row of zeros"),
        (lambda: sn.erf(0.0), "k=0"), (lambda: sn.rectangle(math.nan), "w=nan"), (lambda: sn.triangle(-1), "w=-1"),
        (lambda: sn.fast_sigmoid(math.inf), "beta=inf"), (lambda: sn.erf(1.0).gauss_mean(-1.0), "s holds"),
        (lambda: sn.rectangle(1.0).gauss_mean(math.nan), "s holds"),
        (lambda: sn.stable_eta(torch.ones(2, 3)), "must be square"), (lambda: sn.stable_eta(BAD), "theta_XX holds"),
        (lambda: sn.stable_eta(-GOOD), "no learning rate"),
        (lambda: sn.kernel_flow(torch.ones(1, 3), GOOD), "theta_tX has shape"),
        (lambda: sn.kernel_flow(BAD, GOOD), "theta_tX holds"),
        (lambda: sn.kernel_flow(GOOD, GOOD, 0.5, 0), "steps=0"),
        (lambda: sn.kernel_flow(GOOD, GOOD, 0.5, math.nan), "steps"),
        (lambda: sn.kernel_flow(GOOD, GOOD, 2.5, 5), "eta=2.5"),
        (lambda: sn.kernel_flow(GOOD, GOOD, -1.0, 5), "eta=-1"),
        (lambda: sn.ensemble_prediction(GOOD, torch.ones(3), GOOD, GOOD, GOOD), "y has shape"),
        (lambda: sn.ensemble_prediction(GOOD, torch.ones(2), GOOD, GOOD, BAD), "K_XX holds"),
        (lambda: sn.control_variate_mean(GOOD, torch.ones(3, 2), GOOD, GOOD), "shapes differ"),
        (lambda: sn.control_variate_mean(GOOD, GOOD, torch.ones(2, 3), GOOD), "f_0_train"),
        (lambda: sn.control_variate_mean(BAD, GOOD, GOOD, GOOD), "f_T holds"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()
