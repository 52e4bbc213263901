"""Noise2Score: formulas, one pixel and the blind parameter, each against an oracle."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.diffusion import noise2score as n2s
from gradscape.diffusion.noise2score import line
from scipy.special import digamma

EXACT = 1e-10  # closed forms in float64
F32 = 1e-5  # the same in float32
Z = np.arange(5.0)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---- Tweedie's formulas ----------------------------------------------------------------------------------------------


def test_gaussian_prior():
    m, t, sigma, y = 0.4, 0.3, 0.2, np.linspace(-1, 2, 9)
    s = -(y - m) / (t**2 + sigma**2)
    truth = (t**2 * y + sigma**2 * m) / (t**2 + sigma**2)
    np.testing.assert_allclose(n2s.tweedie_gaussian(y, s, sigma), truth, rtol=EXACT)


def test_gaussian_with_the_score_of_noisier_data_is_exact_with_the_corrected_coefficient():
    """E[x | y + a u] from the score of y + a u."""
    m, t, sigma, a, y = 0.4, 0.3, 0.2, 0.1, np.linspace(-1, 2, 9)
    v = sigma**2 + a**2
    s = -(y - m) / (t**2 + v)
    truth = (t**2 * y + v * m) / (t**2 + v)
    np.testing.assert_allclose(n2s.tweedie_gaussian(y, s, sigma, sigma_a=a), truth, rtol=EXACT)
    assert np.abs(n2s.tweedie_gaussian(y, s, sigma) - truth).max() > 0.02


def test_inverse_gamma_prior_is_exact_under_gamma_noise():
    a, b, k, y = 3.0, 1.2, 7.0, np.linspace(0.05, 4, 20)
    s = (k - 1) / y - k * (a + k) / (b + k * y)
    np.testing.assert_allclose(n2s.tweedie_gamma(y, s, k), (b + k * y) / (a + k), rtol=EXACT)
    np.testing.assert_allclose(n2s.tweedie_gamma(y, s, k, beta=k), (b + k * y) / (a + k), rtol=EXACT)


def test_gamma_noise_of_another_rate():
    """y = x g with g of rate β: the marginal is that of rate k with b scaled by β/k."""
    a, b, k, beta, y = 3.0, 1.2, 7.0, 4.0, np.linspace(0.05, 4, 20)
    s = (k - 1) / y - beta * (a + k) / (b + beta * y)
    np.testing.assert_allclose(n2s.tweedie_gamma(y, s, k, beta=beta), (b + beta * y) / (a + k), rtol=EXACT)


def test_gamma_prior_under_poisson_noise():
    """Posterior means under x/ζ ~ Gamma(3, rate 4), worked out by hand for z = 0 ... 4."""
    a, b, zeta = 3.0, 4.0, 0.2
    s = (digamma(Z + a) - digamma(Z + 1) - np.log(1 + b)) / zeta  # in y: that in counts over ζ
    found = n2s.tweedie_poisson(zeta * Z, s, zeta) / zeta
    np.testing.assert_allclose(found, [0.4482, 0.6903, 0.8960, 1.0978, 1.2986], atol=6e-5)
    geometric = np.exp(digamma(Z + a)) / (1 + b)
    np.testing.assert_allclose(geometric, [0.5033, 0.7024, 0.9018, 1.1015, 1.3013], atol=6e-5)
    assert np.all(found < geometric)
    assert np.all(geometric < (Z + a) / (1 + b))  # Jensen


def test_exponential_family_gives_the_natural_parameter():
    """Gaussian: e = x/σ², T = y, p0 = N(0, σ²); Gamma: e = -k/x, T = y, p0 = y^(k-1)."""
    y, s, sigma, k = np.linspace(0.2, 2, 7), np.linspace(-1, 1, 7), 0.3, 5.0
    e = n2s.tweedie_exponential(y, s, -y / sigma**2, np.ones(7))
    np.testing.assert_allclose(sigma**2 * e, n2s.tweedie_gaussian(y, s, sigma), rtol=EXACT)
    e = n2s.tweedie_exponential(y, s, (k - 1) / y, np.ones(7))
    np.testing.assert_allclose(-k / e, n2s.tweedie_gamma(y, s, k), rtol=EXACT)


def test_zero_score():
    y, zero = np.array([0.2, 0.5]), np.zeros(2)
    np.testing.assert_allclose(n2s.tweedie_gaussian(y, zero, 0.3), y)
    np.testing.assert_allclose(n2s.tweedie_gamma(y, zero, 5.0), 5 * y / 4)
    np.testing.assert_allclose(n2s.tweedie_poisson(y, zero, 0.1), y + 0.05)


@pytest.mark.parametrize(("noise_name", "parameter"), [("gaussian", 1e-6), ("poisson", 1e-6), ("gamma", 1e7)])
def test_without_noise_the_estimate_is_the_image(noise_name, parameter):
    y = rand(3, 4, dtype=torch.float64) + 0.1
    torch.testing.assert_close(n2s.tweedie(y, y.cos(), noise_name, parameter), y, atol=1e-5, rtol=0)


def test_equivariance():
    """Gamma commutes with rescaling, s(cy) = s(y)/c; Gaussian with shifts."""
    y, s = rand(5) + 0.5, rand(5, seed=1) - 0.5
    torch.testing.assert_close(n2s.tweedie_gamma(3 * y, s / 3, 9.0), 3 * n2s.tweedie_gamma(y, s, 9.0))
    torch.testing.assert_close(n2s.tweedie_gaussian(y + 2, s, 0.3), n2s.tweedie_gaussian(y, s, 0.3) + 2)


def test_a_sweep_is_one_call_in_numpy_and_in_torch():
    y, s, grid = rand(4, 5), rand(4, 5, seed=1), np.array([2.0, 5.0, 9.0])
    for name in ("gaussian", "poisson", "gamma"):
        swept = n2s.tweedie(y, s, name, torch.tensor(grid, dtype=torch.float32)[:, None, None])
        for value, image in zip(grid, swept, strict=True):
            torch.testing.assert_close(image, n2s.tweedie(y, s, name, float(value)))
            np.testing.assert_allclose(n2s.tweedie(y.numpy(), s.numpy(), name, float(value)), image, rtol=F32)


def test_gamma_denominator_is_kept_at_the_floor_and_counted():
    y, s, k = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.0, 3.9, 8.0]), 5.0  # k - 1 - ys: 4, .1, -4
    torch.testing.assert_close(n2s.tweedie_gamma(y, s, k), torch.tensor([1.25, 20.0, 20.0]))
    assert n2s.gamma_clamps(y, s, k) == 2
    assert n2s.gamma_clamps(y, s, k, floor=0.01) == 1


def test_plug_in_is_the_gaussian_formula_with_the_noise_s_variance():
    y, s = rand(4) + 0.2, rand(4, seed=1)
    torch.testing.assert_close(n2s.plug_in(y, s, "gaussian", 0.3), n2s.tweedie_gaussian(y, s, 0.3))
    torch.testing.assert_close(n2s.plug_in(y, s, "poisson", 0.3), y + 0.3 * y * s)
    torch.testing.assert_close(n2s.plug_in(y, s, "gamma", 8.0), y + y**2 / 8 * s)
    # little noise: all three formulas agree with it to first order
    for name, parameter in (("poisson", 1e-4), ("gamma", 1e4)):
        full = n2s.tweedie(y.double(), s.double(), name, parameter)
        first = n2s.plug_in(y.double(), s.double(), name, parameter)
        bias = 5e-5 if name == "poisson" else y.double() / 1e4  # of geometric and harmonic means
        torch.testing.assert_close(full - bias, first, atol=1e-7, rtol=0)


@pytest.mark.parametrize(("call", "named"), [
    (lambda y, s: n2s.tweedie_gaussian(y, s, 0.0), "sigma=0.0"),
    (lambda y, s: n2s.tweedie_gaussian(y, s, math.nan), "sigma=nan"),
    (lambda y, s: n2s.tweedie_gaussian(y, s, "a"), "sigma='a'"),
    (lambda y, s: n2s.tweedie_gaussian(y, s, 0.1, -1.0), "sigma_a=-1.0"),
    (lambda y, s: n2s.tweedie_gaussian(y, s[:2], 0.1), "broadcast"),
    (lambda y, s: n2s.tweedie_gaussian(y / 0, s, 0.1), "y holds"),
    (lambda y, s: n2s.tweedie_gaussian(y, s * math.inf, 0.1), "score holds"),
    (lambda y, s: n2s.tweedie_gaussian(y[:0], s[:0], 0.1), "empty"),
    (lambda y, s: n2s.tweedie_gaussian("y", s, 0.1), "y is str"),
    (lambda y, s: n2s.tweedie_gaussian(y > 0, s, 0.1), "bool"),
    (lambda y, s: n2s.tweedie_poisson(y, s, -0.1), "zeta=-0.1"),
    (lambda y, s: n2s.tweedie_poisson(y, s, torch.tensor([0.1, 0.0, 0.2])), "zeta"),
    (lambda y, s: n2s.tweedie_gamma(y, s, 1.0), "k=1.0"),
    (lambda y, s: n2s.tweedie_gamma(y, s, 2.0, beta=0.0), "beta=0.0"),
    (lambda y, s: n2s.tweedie_gamma(y, s, 2.0, floor=0.0), "floor=0.0"),
    (lambda y, s: n2s.tweedie_exponential(y, s, s, torch.zeros(3)), "dT"),
    (lambda y, s: n2s.tweedie(y, s, "salt", 0.1), "noise='salt'"),
    (lambda y, s: n2s.tweedie(y, s, "gamma", 5.0, sigma_a=0.1), "sigma_a=0.1"),
    (lambda y, s: n2s.plug_in(y, s, "salt", 0.1), "noise='salt'"),
])
def test_bad_arguments_of_the_formulas(call, named):
    with pytest.raises(ValueError, match=named):
        call(torch.ones(3), torch.ones(3))


# ---- one pixel, everything known -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("noise_name", "parameter"), [("gaussian", 0.2), ("poisson", 0.1), ("gamma", 9.0)])
def test_closed_scores_are_derivatives_of_the_log_density(noise_name, parameter):
    made = n2s.Line(np.array([0.2, 0.5, 0.9]), np.array([1.0, 2.0, 1.0]), noise_name, parameter)
    y = np.linspace(0.1, 1.2, 12)
    np.testing.assert_allclose(made.score(y), line.numerical_score(made.log_density, y, 0.1), rtol=1e-6, atol=1e-6)


def test_a_line_s_density_is_one_in_total():
    atoms, weights = np.array([0.3, 0.8]), np.array([1.0, 3.0])
    y = np.linspace(-3, 6, 20001)
    gaussian = n2s.Line(atoms, weights, "gaussian", 0.2)
    assert np.trapezoid(np.exp(gaussian.log_density(y)), y) == pytest.approx(1, abs=1e-8)
    gamma = n2s.Line(atoms, weights, "gamma", 4.0)
    y = np.linspace(1e-6, 8, 20001)
    assert np.trapezoid(np.exp(gamma.log_density(y)), y) == pytest.approx(1, abs=1e-6)
    poisson = n2s.Line(atoms, weights, "poisson", 0.1)
    assert np.exp(poisson.log_density(0.1 * np.arange(200))).sum() == pytest.approx(1, abs=EXACT)


def test_formula_errors_hold_for_another_seed():
    found = n2s.formula_errors(3)
    assert max(found.gaussian, found.gamma) < 1e-5
    assert 0.015 < found.poisson < 0.02  # the approximation ψ(z+1) ≈ log(z + 1/2) is there
    assert 0.10 < found.poisson_zero < 0.12


def test_bad_lines():
    with pytest.raises(ValueError, match="parameter"):
        n2s.Line(np.ones(2), np.ones(2), "gamma", 1.0)
    with pytest.raises(ValueError, match="atoms"):
        n2s.Line(np.ones(2), np.ones(3), "gaussian", 1.0)
    with pytest.raises(ValueError, match="must be > 0"):
        n2s.Line(np.zeros(2), np.ones(2), "gaussian", 1.0)


# ---- quality and the blind parameter ---------------------------------------------------------------------------------


def test_total_variation_by_hand():
    x = torch.tensor([[0.0, 1.0], [3.0, 3.0]])
    assert float(n2s.total_variation(x)) == (3 + 2) / 2 + (1 + 0) / 2
    stacked = torch.stack([x, 2 * x])
    assert n2s.total_variation(stacked).tolist() == [3.0, 6.0]
    assert n2s.total_variation(x.numpy()) == 3.0
    with pytest.raises(ValueError, match="x has shape"):
        n2s.total_variation(torch.ones(3))


def test_psnr_clips_the_estimate_and_ssim_is_one_for_equal_images():
    truth = torch.zeros(2, 1, 16, 16)
    off = torch.stack([torch.full((1, 16, 16), 0.1), torch.full((1, 16, 16), -3.0)])
    assert n2s.psnr(off, truth).tolist() == pytest.approx([20.0, math.inf])
    x = rand(1, 1, 32, 32)
    assert float(n2s.ssim(x, x)) == pytest.approx(1)
    assert float(n2s.ssim(x.flip(3), x)) < 0.2
    for bad in (truth[0], truth[:1]):
        with pytest.raises(ValueError, match="shape"):
            n2s.psnr(bad, truth)


@pytest.mark.parametrize(("sigma", "seed"), [(0.1, 0), (0.05, 1)])
def test_tv_is_least_where_the_formula_says(sigma, seed):
    """A periodic Gaussian field with the exact score -(C + σ²)^-1 y."""
    n, draws = 128, np.random.default_rng(seed)
    k = np.fft.fftfreq(n)
    spectrum = 0.2**2 * np.exp(-((k[:, None] ** 2 + k**2) / (2 * 0.06**2)))
    spectrum = spectrum / spectrum.mean() * 0.04
    white = np.fft.fft2(draws.standard_normal((n, n)))
    x = np.fft.ifft2(np.sqrt(spectrum) * white).real
    y = x + sigma * draws.standard_normal((n, n))
    score = np.fft.ifft2(-np.fft.fft2(y) / (spectrum + sigma**2)).real
    wanted = n2s.tv_optimal_sigma(spectrum, sigma)
    assert wanted > sigma
    grid = np.linspace(0.5 * sigma, 2 * sigma, 301)
    found = n2s.estimate_parameter(torch.tensor(y), torch.tensor(score), "gaussian", grid)
    assert found.value == pytest.approx(wanted, rel=0.01, abs=grid[1] - grid[0])
    torch.testing.assert_close(found.image, torch.tensor(y + found.value**2 * score))
    assert int(found.curve.argmin()) == int(np.argmin(np.abs(grid - found.value)))


def test_tv_optimal_sigma_limits():
    assert n2s.tv_optimal_sigma(np.zeros((8, 8)), 0.3) == pytest.approx(0.3)
    assert n2s.tv_optimal_sigma(np.full((8, 8), 0.16), 0.3) == pytest.approx(0.5)  # white: the harmonic mean is C + σ²
    with pytest.raises(ValueError, match="spectrum"):
        n2s.tv_optimal_sigma(-np.ones((4, 4)), 0.1)


def test_official_penalties_by_hand():
    y, s = rand(6, 6, dtype=torch.float64) + 0.3, rand(6, 6, seed=1, dtype=torch.float64) - 0.5
    grid = np.array([0.05, 0.1])
    found = n2s.estimate_parameter(y, s, "poisson", grid, "official").curve
    for value, penalty in zip(grid, found, strict=True):
        x = n2s.tweedie_poisson(y, s, value)
        assert penalty == pytest.approx(float(0.1 * n2s.total_variation(x) + (x - y * x.log()).mean()))
    grid = np.array([20.0, 90.0])
    found = n2s.estimate_parameter(y, s, "gamma", grid, "official").curve
    for value, penalty in zip(grid, found, strict=True):
        x = n2s.tweedie_gamma(y, s, value)
        assert penalty == pytest.approx(float(n2s.total_variation(x) + (x.log() + y / x + (y / x) ** 2).mean()))


def test_bad_sweeps():
    y = torch.ones(4, 4)
    for call, named in (
        (lambda: n2s.estimate_parameter(y, y, "salt"), "noise='salt'"),
        (lambda: n2s.estimate_parameter(y, y, "gaussian", rule="x"), "rule='x'"),
        (lambda: n2s.estimate_parameter(y[None], y[None], "gaussian"), "one image"),
        (lambda: n2s.estimate_parameter(y, y[:2], "gaussian"), "shapes differ"),
        (lambda: n2s.estimate_parameter(y, y, "gaussian", [0.1]), "grid"),
        (lambda: n2s.estimate_parameter(y, y, "gaussian", [0.1, -0.1]), "sigma"),
    ):
        with pytest.raises(ValueError, match=named):
            call()
