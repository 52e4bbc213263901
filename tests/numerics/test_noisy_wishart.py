"""Marchenko–Pastur ⊞ semicircle: moments, its own equation, adaptive integrals with a complex root, drawn spectra."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.numerics import rmt
from hypothesis import given, settings
from hypothesis import strategies as st

EXACT = 1e-9  # what 256 nodes promise where the spectrum has one scale or two well apart
CASES = [(0.5, 1.0), (0.5, 1 / 30), (0.5, 1e-4), (0.05, 0.01), (0.9, 1e-4), (1.0, 0.1), (2.0, 5.0), (100.0, 0.3)]


def complex_root(x: float, kappa: float, noise: float) -> complex:
    """The transform at x - i0 from the unscaled cubic by a companion matrix: another path to the same number."""
    q = 1 / noise
    roots = np.roots([noise, -(x + kappa / q), 1 - kappa + kappa * x, -kappa])
    return roots[np.argmax(roots.imag)]


@pytest.mark.parametrize(("kappa", "noise"), CASES)
def test_moments(kappa, noise):
    x, weight, _ = rmt.noisy_wishart_quadrature(kappa, noise)
    assert weight.sum().item() == pytest.approx(1.0, rel=EXACT)
    assert (weight * x).sum().item() == pytest.approx(1.0, rel=EXACT)
    assert (weight * x**2).sum().item() == pytest.approx(1 + 1 / kappa + noise, rel=EXACT)
    # third moment: free cumulants 1, 1/κ + noise and 1/κ² give k3 + 3 k2 k1 + k1³
    assert (weight * x**3).sum().item() == pytest.approx(1 / kappa**2 + 3 * (1 / kappa + noise) + 1, rel=EXACT)


@settings(max_examples=80, deadline=None)
@given(st.floats(0.02, 50), st.floats(1e-4, 100))
def test_mass_is_one_whatever_the_shape(kappa, noise):
    _, weight, _ = rmt.noisy_wishart_quadrature(kappa, noise, 1024)
    assert weight.sum().item() == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize(("kappa", "noise"), CASES)
def test_resolvent_is_the_root_in_the_upper_half_plane(kappa, noise):
    x, _, density = rmt.noisy_wishart_quadrature(kappa, noise, 16)
    h, rho = rmt.noisy_wishart_resolvent(x, kappa, noise)
    wanted = np.array([complex_root(float(at), kappa, noise) for at in x])
    # a companion matrix loses half of the digits near an edge, where two roots meet
    assert np.allclose(h.numpy(), wanted.real, rtol=1e-6, atol=1e-6 * abs(wanted).max())
    assert np.allclose(rho.numpy(), wanted.imag / math.pi, rtol=1e-6, atol=1e-6 * abs(wanted).max())
    assert torch.allclose(rho, density, rtol=1e-9)


@pytest.mark.parametrize(("kappa", "noise"), CASES)
def test_hilbert_part_outside_is_the_integral(kappa, noise):
    """Left, right and in the gap: g(x) = ∫ρ/(x - λ), which tells the physical root from the two others."""
    lam, weight, _ = rmt.noisy_wishart_quadrature(kappa, noise, 1024)
    edges = rmt.noisy_wishart_support(kappa, noise)
    width = float(edges[-1] - edges[0])
    outside = [float(edges[0]) - 0.1 * width, float(edges[-1]) + 0.1 * width, float(edges[-1]) + 20 * width]
    if len(edges) == 4:
        outside.append(float(edges[1] + edges[2]) / 2)
    x = torch.tensor(outside, dtype=torch.float64)
    h, rho = rmt.noisy_wishart_resolvent(x, kappa, noise)
    assert rho.tolist() == [0.0] * len(outside)
    assert torch.allclose(h, (weight / (x.unsqueeze(-1) - lam)).sum(-1), rtol=1e-7)


def test_number_of_intervals_and_limits():
    assert len(rmt.noisy_wishart_support(0.5, 1.0)) == 2
    assert len(rmt.noisy_wishart_support(0.5, 1e-4)) == 4
    # hardly any noise: the edges of Marchenko–Pastur, divided by κ
    low, high = rmt.mp_support(0.5)
    assert rmt.noisy_wishart_support(0.5, 1e-8)[2:].tolist() == pytest.approx([low / 0.5, high / 0.5], rel=1e-3)
    # many neurons: a semicircle of variance 1/κ + noise around 1
    x = torch.linspace(-0.9, 2.9, 50, dtype=torch.float64)
    _, rho = rmt.noisy_wishart_resolvent(x, 1e6, 1.0)
    assert torch.allclose(rho, rmt.semicircle_density(x - 1, 1.0), atol=1e-3)


def test_drawn_spectrum_follows_the_law():
    draws, d, kappa, noise = torch.Generator().manual_seed(0), 400, 0.5, 0.2
    W, G = torch.randn(200, d, generator=draws).double(), torch.randn(d, d, generator=draws).double()
    lam = torch.linalg.eigvalsh(W.T @ W / 200 + math.sqrt(noise) * (G + G.T) / math.sqrt(2 * d))
    x, weight, _ = rmt.noisy_wishart_quadrature(kappa, noise)
    for f in (torch.sin, lambda v: torch.exp(-v), lambda v: (v > 1.0).double()):
        # linear statistics fluctuate by O(1/d)
        assert f(lam).mean().item() == pytest.approx((weight * f(x)).sum().item(), abs=6 / d)


def test_batches_equal_single_calls():
    noise = torch.tensor([0.01, 1.0, 30.0], dtype=torch.float64)
    x, weight, density = rmt.noisy_wishart_quadrature(0.5, noise, 64)
    assert x.shape == (3, 64)
    h, rho = rmt.noisy_wishart_resolvent(x, 0.5, noise)
    for k, one in enumerate(noise.tolist()):
        again = rmt.noisy_wishart_quadrature(0.5, one, 64)
        assert all(torch.allclose(a[k], b) for a, b in zip((x, weight, density), again, strict=True))
        assert torch.allclose(h[k], rmt.noisy_wishart_resolvent(x[k], 0.5, one)[0])
        assert torch.allclose(rho[k], density[k], rtol=1e-9)


def test_semicircle_has_mass_one_and_its_variance():
    theta = (torch.arange(2000, dtype=torch.float64) + 0.5) * math.pi / 2000
    x = 2 * math.sqrt(3.0) * torch.cos(theta)
    mass = rmt.semicircle_density(x, 3.0) * 2 * math.sqrt(3.0) * torch.sin(theta) * math.pi / 2000
    assert mass.sum().item() == pytest.approx(1.0, abs=1e-9)
    assert (mass * x**2).sum().item() == pytest.approx(3.0, abs=1e-9)
    assert rmt.semicircle_density(4.0, 3.0).item() == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: rmt.semicircle_density(0.0, 0.0),
        lambda: rmt.semicircle_density(math.nan),
        lambda: rmt.noisy_wishart_support(0.0, 1.0),
        lambda: rmt.noisy_wishart_support(1.0, math.inf),
        lambda: rmt.noisy_wishart_resolvent(0.0, 1.0, 0.0),
        lambda: rmt.noisy_wishart_resolvent(torch.tensor([]), 1.0, 1.0),
        lambda: rmt.noisy_wishart_quadrature(1.0, 1.0, 15),
        lambda: rmt.noisy_wishart_quadrature(1.0, 1.0, 2),
        lambda: rmt.noisy_wishart_quadrature(-1.0, 1.0),
    ],
)
def test_bad_arguments_raise(call):
    with pytest.raises(ValueError, match=r"variance|kappa|noise|x|n="):
        call()
