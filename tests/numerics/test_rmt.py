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


PENALTIES = torch.tensor([1e-12, 1e-4, 0.3, 1.0, 50.0, 1e6], dtype=torch.float64)


@pytest.mark.parametrize("n", [20, 100, 250])
def test_effective_penalty_of_one_block_is_the_marchenko_pastur_law(n):
    """Degrees of freedom ``d - d r m(r)`` from the resolvent, and ``d σ/(σ + κ̃)``: two derivations of one number."""
    d = 100
    kept = rmt.effective_penalty(PENALTIES, n, torch.tensor([1 / d], dtype=torch.float64), torch.tensor([d]))
    wanted = d - d * PENALTIES * rmt.mp_resolvent(PENALTIES, n / d)
    # the right-hand side is a difference of numbers near d
    assert torch.allclose(1.0 / (1 / d + kept), wanted, rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(1e-10, 1e4), st.floats(1e-6, 1.0), st.integers(1, 99))
def test_effective_penalty_solves_its_equation(n, r, small, few):
    values, counts = torch.tensor([1.0, small], dtype=torch.float64), torch.tensor([few, 100 - few])
    kept = rmt.effective_penalty(r, n, values, counts)
    found = (counts * values / (values + kept)).sum() + r / kept
    assert found.item() == pytest.approx(n, rel=1e-9)


def test_effective_penalty_predicts_sampled_degrees_of_freedom_of_two_blocks():
    generator = torch.Generator().manual_seed(3)
    values, counts, n, r = torch.tensor([1.0, 0.01], dtype=torch.float64), torch.tensor([120, 80]), 150, 2.0
    scales = values.repeat_interleave(counts).sqrt()
    lam = torch.linalg.svdvals(torch.randn(n, 200, generator=generator, dtype=torch.float64) * scales).square()
    kept = rmt.effective_penalty(r, n, values, counts)
    # a linear statistic of the spectrum fluctuates by O(1), whatever the size
    assert (lam / (lam + r)).sum().item() == pytest.approx((counts * values / (values + kept)).sum().item(), abs=1.0)


def test_effective_penalty_at_its_ends():
    one, two = torch.tensor([0.5]), torch.tensor([8.0])
    assert rmt.effective_penalty(0.0, 8, one, two).item() == 0.0
    assert rmt.effective_penalty(0.0, 2, one, two).item() == pytest.approx(1.5)  # 8 · 0.5/(0.5 + κ̃) = 2
    assert rmt.effective_penalty(math.inf, 2, one, two).item() == math.inf


@pytest.mark.parametrize(("r", "n", "values", "counts", "match"), [
    (-1.0, 5, [1.0], [2.0], "r:"), (math.nan, 5, [1.0], [2.0], "r:"), (1.0, 0, [1.0], [2.0], "n="),
    (1.0, 5, [0.0], [2.0], "values"), (1.0, 5, [1.0], [-2.0], "counts"), (1.0, 5, [1.0, 2.0], [2.0], "shapes differ"),
])
def test_effective_penalty_refuses_what_has_no_meaning(r, n, values, counts, match):
    with pytest.raises(ValueError, match=match):
        rmt.effective_penalty(r, n, torch.tensor(values), torch.tensor(counts))
