"""Gauss–Legendre: exact for polynomials up to its degree and not beyond, exponential for analytic functions."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.numerics.quadrature import gauss_expect, gauss_legendre


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_exact_up_to_its_degree(n):
    x, w = gauss_legendre(n, -1.0, 3.0)
    for degree in range(2 * n):
        exact = (3.0 ** (degree + 1) - (-1.0) ** (degree + 1)) / (degree + 1)
        assert float((w * x**degree).sum()) == pytest.approx(exact, rel=1e-12)
    degree = 2 * n
    exact = (3.0 ** (degree + 1) + 1.0) / (degree + 1)
    if n <= 5:
        assert float((w * x**degree).sum()) != pytest.approx(exact, rel=1e-6)


def test_analytic_integral_to_full_precision():
    x, w = gauss_legendre(20, 0.0, math.pi)
    assert float((w * torch.sin(x)).sum()) == pytest.approx(2.0, abs=1e-14)
    assert bool((x.diff() > 0).all())


def test_gaussian_moments_and_a_zero_variance():
    variance = torch.tensor([[0.0, 0.5], [1.0, 4.0]], dtype=torch.float64)
    torch.testing.assert_close(gauss_expect(lambda v: v**4, variance, 3), 3 * variance**2)
    torch.testing.assert_close(gauss_expect(torch.cos, variance), torch.exp(-variance / 2))
    assert float(gauss_expect(lambda v: v**6, 1.0, 3)) != pytest.approx(15.0, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: gauss_legendre(0), "n=0"),
        (lambda: gauss_legendre(3, 1.0, 1.0), "low < high"),
        (lambda: gauss_legendre(3, math.nan, 1.0), "low"),
        (lambda: gauss_legendre(3, 0.0, math.inf), "high"),
        (lambda: gauss_expect(torch.cos, -1.0), "variance"),
        (lambda: gauss_expect(torch.cos, math.nan), "variance"),
        (lambda: gauss_expect(torch.cos, 1.0, 0), "n=0"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()
