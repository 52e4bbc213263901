"""Marchenko–Pastur: moments, recorded densities of scikit-rmt, sampled spectra and the resolvent's own equation."""
import json
import math
from pathlib import Path

import pytest
import torch
from gradscape.numerics import rmt
from hypothesis import given, settings
from hypothesis import strategies as st

EXACT = 1e-10  # what the quadrature promises with 256 nodes
ALPHAS = [0.05, 0.25, 0.5, 0.9, 1.0, 1.1, 2.0, 4.0, 10.0]
RECORDED = json.loads((Path(__file__).parents[1] / "oracles" / "marchenko_pastur.json").read_text())["rows"]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_quadrature_moments(alpha):
    lam, weight = rmt.mp_quadrature(alpha)
    assert weight.sum().item() == pytest.approx(min(1, alpha), rel=EXACT)
    assert (weight * lam).sum().item() == pytest.approx(alpha, rel=EXACT)
    # second moment: alpha + alpha², from the count of closed walks
    assert (weight * lam**2).sum().item() == pytest.approx(alpha + alpha**2, rel=EXACT)
    if alpha != 1:
        inverse = 1 / (alpha - 1) if alpha > 1 else alpha / (1 - alpha)
        assert (weight / lam).sum().item() == pytest.approx(inverse, rel=EXACT)


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: f"alpha={row['alpha']}")
def test_density_equals_recorded_scikit_rmt(row):
    ours = rmt.mp_density(torch.tensor(row["lam"], dtype=torch.float64), row["alpha"])
    assert torch.allclose(ours, torch.tensor(row["density"], dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.8, 2.5])
def test_density_and_quadrature_agree(alpha):
    """The density on a fine θ-grid integrates to the quadrature's mass: two codings of one law."""
    low, high = rmt.mp_support(alpha)
    theta = (torch.arange(4000, dtype=torch.float64) + 0.5) * math.pi / 4000
    lam = (low + high) / 2 + (high - low) / 2 * torch.cos(theta)
    mass = (rmt.mp_density(lam, alpha) * (high - low) / 2 * torch.sin(theta)).sum() * math.pi / 4000
    assert mass.item() == pytest.approx(min(1, alpha), rel=1e-6)


def test_sampled_spectrum_follows_the_law():
    generator = torch.Generator().manual_seed(0)
    n, alpha = 600, 0.5
    X = torch.randn(n, int(alpha * n), generator=generator, dtype=torch.float64) / n**0.5
    eigenvalues = torch.linalg.eigvalsh(X @ X.T)
    lam, weight = rmt.mp_quadrature(alpha)
    assert (eigenvalues < 1e-10).double().mean().item() == pytest.approx(rmt.mp_atom(alpha))
    for f in (torch.sqrt, lambda x: torch.exp(-3 * x)):
        theory = (weight * f(lam)).sum() + rmt.mp_atom(alpha) * f(torch.zeros((), dtype=torch.float64))
        # linear statistics fluctuate by O(1/n)
        assert f(eigenvalues.clamp(min=0)).mean().item() == pytest.approx(theory.item(), abs=5 / n)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_resolvent_is_the_integral_with_the_atom(alpha):
    gamma = torch.tensor([1e-3, 0.2, 1.0, 30.0], dtype=torch.float64)
    lam, weight = rmt.mp_quadrature(alpha, 1000)
    integral = (weight / (lam + gamma[:, None])).sum(-1) + rmt.mp_atom(alpha) / gamma
    assert torch.allclose(rmt.mp_resolvent(gamma, alpha), integral, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-8, 1e4), st.floats(1e-3, 1e3))
def test_resolvent_solves_its_quadratic_at_any_scale(gamma, alpha):
    m = rmt.mp_resolvent(gamma, alpha).item()
    terms = [gamma * m * m, gamma * m, (alpha - 1) * m, -1.0]
    assert abs(sum(terms)) <= 1e-11 * max(map(abs, terms))


def test_support_atom_and_density_outside():
    assert rmt.mp_support(4.0) == (1.0, 9.0)
    assert rmt.mp_atom(0.25) == 0.75
    assert rmt.mp_atom(3.0) == 0.0
    assert rmt.mp_density(torch.tensor([-1.0, 0.0, 0.5, 9.5]), 4.0).tolist() == [0.0] * 4
    assert rmt.mp_density(torch.zeros(2, 3), 1.0).shape == (2, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rmt.mp_support(0.0),
        lambda: rmt.mp_atom(-1.0),
        lambda: rmt.mp_quadrature(math.inf),
        lambda: rmt.mp_quadrature(1.0, 1),
        lambda: rmt.mp_density(torch.tensor([math.nan]), 1.0),
        lambda: rmt.mp_resolvent(0.0, 1.0),
        lambda: rmt.mp_resolvent(torch.tensor([]), 1.0),
    ],
)
def test_bad_arguments_raise(call):
    with pytest.raises(ValueError, match=r"alpha|lam|gamma|n="):
        call()
