"""Deterministic equivalents against the Marchenko–Pastur law, their own equation and sampled spectra."""
import math

import pytest
import torch
from gradscape.numerics.equivalents import effective_penalty
from gradscape.numerics.rmt import mp_resolvent
from hypothesis import given, settings
from hypothesis import strategies as st

PENALTIES = torch.tensor([1e-12, 1e-4, 0.3, 1.0, 50.0, 1e6], dtype=torch.float64)


@pytest.mark.parametrize("n", [20, 100, 250])
def test_effective_penalty_of_one_block_is_the_marchenko_pastur_law(n):
    """Degrees of freedom ``d - d r m(r)`` from the resolvent, and ``d σ/(σ + κ̃)``: two derivations of one number."""
    d = 100
    kept = effective_penalty(PENALTIES, n, torch.tensor([1 / d], dtype=torch.float64), torch.tensor([d]))
    wanted = d - d * PENALTIES * mp_resolvent(PENALTIES, n / d)
    # the right-hand side is a difference of numbers near d
    assert torch.allclose(1.0 / (1 / d + kept), wanted, rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(1e-10, 1e4), st.floats(1e-6, 1.0), st.integers(1, 99))
def test_effective_penalty_solves_its_equation(n, r, small, few):
    values, counts = torch.tensor([1.0, small], dtype=torch.float64), torch.tensor([few, 100 - few])
    kept = effective_penalty(r, n, values, counts)
    found = (counts * values / (values + kept)).sum() + r / kept
    assert found.item() == pytest.approx(n, rel=1e-9)


def test_effective_penalty_predicts_sampled_degrees_of_freedom_of_two_blocks():
    generator = torch.Generator().manual_seed(3)
    values, counts, n, r = torch.tensor([1.0, 0.01], dtype=torch.float64), torch.tensor([120, 80]), 150, 2.0
    scales = values.repeat_interleave(counts).sqrt()
    lam = torch.linalg.svdvals(torch.randn(n, 200, generator=generator, dtype=torch.float64) * scales).square()
    kept = effective_penalty(r, n, values, counts)
    # a linear statistic of the spectrum fluctuates by O(1), whatever the size
    assert (lam / (lam + r)).sum().item() == pytest.approx((counts * values / (values + kept)).sum().item(), abs=1.0)


def test_effective_penalty_at_its_ends():
    one, two = torch.tensor([0.5]), torch.tensor([8.0])
    assert effective_penalty(0.0, 8, one, two).item() == 0.0
    assert effective_penalty(0.0, 2, one, two).item() == pytest.approx(1.5)  # 8 · 0.5/(0.5 + κ̃) = 2
    assert effective_penalty(math.inf, 2, one, two).item() == math.inf


@pytest.mark.parametrize(("r", "n", "values", "counts", "match"), [
    (-1.0, 5, [1.0], [2.0], "r:"), (math.nan, 5, [1.0], [2.0], "r:"), (1.0, 0, [1.0], [2.0], "n="),
    (1.0, 5, [0.0], [2.0], "values"), (1.0, 5, [1.0], [-2.0], "counts"), (1.0, 5, [1.0, 2.0], [2.0], "shapes differ"),
])
def test_effective_penalty_refuses_what_has_no_meaning(r, n, values, counts, match):
    with pytest.raises(ValueError, match=match):
        effective_penalty(r, n, torch.tensor(values), torch.tensor(counts))
