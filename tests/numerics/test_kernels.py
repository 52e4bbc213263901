"""Gaussian expectations against Monte Carlo and quadrature, their limits, and what is refused."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.numerics import kernels
from gradscape.numerics.quadrature import gauss_expect

CASE = (1.3, 0.7, 0.5)  # a, b, c of most tests
NODES = 201  # of each one-dimensional rule; smooth integrands are then exact to EXACT
EXACT = 1e-9
DRAWN = 4.0  # standard errors of a Monte-Carlo mean; a fixed seed, so it passes always or never
LIMIT = 1e-3  # erf_m at m = 1e4 against sign


def nested(f, g, a, b, c):
    """E[f(u) g(v)] by two one-dimensional rules."""
    w = gauss_expect_nodes(a)
    inner = [float(gauss_expect(lambda e, u=u: g(c / a * u + e), b - c**2 / a, NODES)) for u in w[0].tolist()]
    return float((w[1] * f(w[0]) * torch.tensor(inner, dtype=torch.float64)).sum())


def gauss_expect_nodes(a):
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(NODES)
    return torch.from_numpy(nodes) * math.sqrt(a), torch.from_numpy(weights / weights.sum())


def erf_slope(m):
    return lambda z: 2 * m / math.sqrt(math.pi) * torch.exp(-((m * z) ** 2))


@pytest.mark.parametrize(("m", "k"), [(1.0, 1.0), (0.4, 1.7), (2.0, 0.3)])
def test_erf_against_quadrature(m, k):
    product = nested(lambda u: torch.erf(m * u), lambda v: torch.erf(k * v), *CASE)
    assert float(kernels.erf_product(*CASE, m, k)) == pytest.approx(product, rel=EXACT, abs=EXACT)
    slopes = nested(erf_slope(m), erf_slope(k), *CASE)
    assert float(kernels.erf_slopes(*CASE, m, k)) == pytest.approx(slopes, rel=EXACT)


def pairs(count=400_000):
    a, b, c = CASE
    draws = torch.randn(2, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u = math.sqrt(a) * draws[0]
    return u, c / a * u + math.sqrt(b - c**2 / a) * draws[1]


@pytest.mark.parametrize(
    ("exact", "sample"),
    [
        (kernels.sign_product, lambda u, v: torch.sign(u) * torch.sign(v)),
        (kernels.relu_product, lambda u, v: u.relu() * v.relu()),
        (kernels.relu_slopes, lambda u, v: ((u > 0) & (v > 0)).double()),
        (lambda *case: kernels.erf_slopes(*case, 8.0, 1.7), lambda u, v: erf_slope(8.0)(u) * erf_slope(1.7)(v)),
    ],
)
def test_against_monte_carlo(exact, sample):
    drawn = sample(*pairs())
    assert abs(float(exact(*CASE)) - float(drawn.mean())) < DRAWN * float(drawn.std()) / math.sqrt(len(drawn))


def test_erf_turns_into_sign():
    far = 1e4
    assert float(kernels.erf_product(*CASE, far)) == pytest.approx(float(kernels.sign_product(*CASE)), rel=LIMIT)
    assert float(kernels.erf_slopes(*CASE, far, far)) == pytest.approx(float(kernels.sign_slopes(*CASE)), rel=LIMIT)
    mixed = kernels.sign_erf_slopes(*CASE, 1.7)
    assert float(kernels.erf_slopes(*CASE, far, 1.7)) == pytest.approx(float(mixed), rel=LIMIT)
    assert float(mixed) == pytest.approx(0.67675, abs=5e-6)


def test_coincident_inputs():
    a = torch.tensor([0.3, 0.6, 1.7], dtype=torch.float64)
    assert torch.isinf(kernels.sign_slopes(a, a, a)).all()
    assert torch.isinf(kernels.sign_slopes(a, a, -a)).all()
    torch.testing.assert_close(kernels.sign_product(a, a, a), torch.ones_like(a))
    torch.testing.assert_close(kernels.relu_product(a, a, a), a / 2)
    assert torch.isfinite(kernels.sign_erf_slopes(a, a, a, 5.0)).all()
    assert kernels.conditional_variance(a, a, a).abs().max() < 1e-15


def test_independent_inputs_factorize():
    a, b = 0.9, 1.4
    assert float(kernels.erf_product(a, b, 0.0, 2.0)) == 0
    delta = 2 / math.sqrt(2 * math.pi * a)
    smooth = float(gauss_expect(erf_slope(0.7), b, NODES))
    assert float(kernels.sign_erf_slopes(a, b, 0.0, 0.7)) == pytest.approx(delta * smooth, rel=EXACT)
    assert float(kernels.relu_slopes(a, b, 0.0)) == pytest.approx(0.25)


def test_derivative_of_a_product_is_the_product_of_slopes():
    # Price's theorem: d E[f(u) g(v)] / dc = E[f'(u) g'(v)]
    a, b, c = CASE
    h = 1e-5
    for product, slopes in (
        (lambda c: kernels.erf_product(a, b, c, 1.5, 0.8), kernels.erf_slopes(a, b, c, 1.5, 0.8)),
        (lambda c: kernels.sign_product(a, b, c), kernels.sign_slopes(a, b, c)),
        (lambda c: kernels.relu_product(a, b, c), kernels.relu_slopes(a, b, c)),
    ):
        rise = float(product(c + h) - product(c - h)) / (2 * h)
        assert rise == pytest.approx(float(slopes), rel=1e-8)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: kernels.erf_product(1.0, 1.0, 0.5, 0.0), "m=0"),
        (lambda: kernels.erf_slopes(1.0, 1.0, 0.5, 1.0, -2.0), "k=-2"),
        (lambda: kernels.sign_product(0.0, 1.0, 0.0), "variances must be > 0"),
        (lambda: kernels.sign_slopes(1.0, 1.0, 1.5), "c² <= a b"),
        (lambda: kernels.relu_product(1.0, math.nan, 0.5), "b holds NaN"),
        (lambda: kernels.sign_erf_slopes(1.0, 1.0, math.inf, 1.0), "c holds"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()
