"""Roots, fixed points and singular values against closed forms and full decompositions."""
import math

import pytest
import torch
from gradscape.numerics.solve import bisect, fixed_point, top_singular

ROOT = 1e-14  # a bracket in float64 is halved down to the last digits
EXACT = 1e-9


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_roots_of_rising_and_falling_functions():
    powers = doubles(1.0, 2.0, 5.0)
    root = bisect(lambda x: x**powers - 3.0, doubles(0.0), doubles(4.0))
    torch.testing.assert_close(root, 3.0 ** (1 / powers), rtol=ROOT, atol=0)
    falling = bisect(lambda x: torch.exp(-x) - doubles(0.5, 0.01), doubles(0.0, 0.0), doubles(9.0, 9.0))
    torch.testing.assert_close(falling, -torch.log(doubles(0.5, 0.01)), rtol=ROOT, atol=0)


def test_a_condition_is_enough_and_the_tolerance_is_kept():
    root = bisect(lambda x: torch.where(x < math.pi, 1.0, -1.0), doubles(0.0), doubles(10.0), tol=1e-3)
    assert abs(root.item() - math.pi) <= 1e-3
    calls = []
    bisect(lambda x: (calls.append(1), x - 0.3)[1], doubles(0.0), doubles(1.0), tol=2.0**-10)
    assert len(calls) == 12  # two ends and ten halvings


def test_roots_at_the_ends():
    assert bisect(lambda x: x, doubles(0.0, -1.0), doubles(1.0, 0.0)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("low", "high", "words"), [
    (doubles(2.0), doubles(3.0), "no change of sign"), (doubles(1.0), doubles(0.0), "low <= high"),
    (doubles(math.nan), doubles(0.0), "low"), (doubles(0.0), doubles(math.inf), "high"),
])
def test_bisect_refuses(low, high, words):
    with pytest.raises(ValueError, match=words):
        bisect(lambda x: x - 1.5, low, high)


def test_bisect_refuses_a_function_that_is_nan():
    with pytest.raises(ValueError, match="1 of 2"):
        bisect(lambda x: x * doubles(1.0, math.nan), doubles(-1.0, -1.0), doubles(2.0, 2.0))


def test_fixed_points_of_contractions():
    slopes = doubles(0.1, 0.5, -0.9)
    found = fixed_point(lambda x: slopes * x + 1, torch.zeros(3, dtype=torch.float64), tol=1e-13)
    assert bool(found.converged.all())
    torch.testing.assert_close(found.value, 1 / (1 - slopes), rtol=1e-11, atol=0)
    assert found.steps[0] < found.steps[1] < found.steps[2]


def test_an_entry_does_not_notice_the_others():
    slopes = doubles(0.1, 0.5, 0.99)
    together = fixed_point(lambda x: slopes * x + 1, torch.zeros(3, dtype=torch.float64), tol=1e-6)
    for k, slope in enumerate(slopes):
        alone = fixed_point(lambda x, s=slope: s * x + 1, torch.zeros(1, dtype=torch.float64), tol=1e-6)
        assert together.value[k] == alone.value[0]
        assert together.steps[k] == alone.steps[0]


def test_damping_turns_a_swing_into_convergence():
    assert not fixed_point(lambda x: -x + 2, doubles(0.0), max_steps=50).converged.any()
    damped = fixed_point(lambda x: -x + 2, doubles(0.0), damping=0.5)
    assert damped.value.item() == pytest.approx(1.0, abs=EXACT)


def test_a_vector_converges_as_one():
    matrix = doubles([0.0, 0.5], [0.2, 0.0])
    start = torch.zeros(2, 2, dtype=torch.float64)
    found = fixed_point(lambda x: x @ matrix.T + doubles(1.0, -1.0), start, unknown_dims=1)
    expected = torch.linalg.solve(torch.eye(2, dtype=torch.float64) - matrix, doubles(1.0, -1.0))
    torch.testing.assert_close(found.value, expected.expand(2, 2), rtol=EXACT, atol=EXACT)
    assert found.steps.shape == (2,)


def test_divergence_is_told():
    """x² from 3 grows beyond all floats; it must not count as standing still at infinity."""
    found = fixed_point(lambda x: x * x, doubles(0.5, 3.0), tol=1e-12)
    assert found.converged.tolist() == [True, False]


@pytest.mark.parametrize(("options", "words"), [
    ({"damping": 1.0}, "damping=1.0"), ({"tol": -1.0}, "tol=-1.0"), ({"max_steps": 0}, "max_steps=0"),
    ({"unknown_dims": 2}, "unknown_dims=2"), ({"start": doubles(math.nan)}, "start"),
])
def test_fixed_point_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        fixed_point(**{"step": torch.cos, "start": doubles(0.0), **options})
    with pytest.raises(ValueError, match="returned shape"):
        fixed_point(lambda x: x[:1], doubles(0.0, 1.0))


@pytest.mark.parametrize("shape", [(4, 7), (3, 6, 5), (2, 2, 1, 8)])
def test_top_singular_is_that_of_the_full_decomposition(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = top_singular(matrix, tol=1e-10, max_steps=5000)
    full = torch.linalg.svd(matrix)
    torch.testing.assert_close(found.s, full.S[..., 0], rtol=1e-10, atol=0)
    overlap = (found.v * full.Vh[..., 0, :]).sum(-1).abs()
    torch.testing.assert_close(overlap, torch.ones_like(overlap), rtol=0, atol=EXACT)
    image = (matrix @ found.v[..., None])[..., 0]
    torch.testing.assert_close(image, found.s[..., None] * found.u, rtol=1e-7, atol=1e-7)


def test_equal_top_values_do_no_harm():
    assert top_singular(torch.eye(5, dtype=torch.float64) * 2).s.item() == pytest.approx(2.0)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"matrix": torch.zeros(2, 3)}, "zero matrix"), ({"matrix": torch.zeros(3)}, "must be"),
    ({"matrix": torch.full((2, 2), math.nan)}, "matrix"), ({"start": torch.zeros(2)}, "start"),
    ({"start": torch.ones(3)}, "start has shape"), ({"tol": -1.0}, "tol"), ({"max_steps": 0}, "max_steps"),
])
def test_top_singular_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        top_singular(**{"matrix": torch.ones(2, 2), **arguments})
