"""Schedules from noise to data: the step's coefficients against Bayes' rule, identities, and sampling."""
from __future__ import annotations

import pytest
import torch
from gradscape.generative.schedule import (
    check_schedule,
    cosine_alpha_bar,
    linear_alpha_bar,
    posterior_coefficients,
    sample_q,
)

EXACT = 1e-12  # a handful of float64 operations on numbers of size 1
SCHEDULES = [cosine_alpha_bar(10), cosine_alpha_bar(1), linear_alpha_bar(20), torch.tensor([1e-3, 0.5, 0.999]).double()]


def test_the_cosine_schedule_by_its_formula_and_by_hand():
    expected = [0.0170, 0.0670, 0.1464, 0.2500, 0.3706, 0.5000, 0.6294, 0.7500, 0.8536, 0.9330, 0.9830]
    torch.testing.assert_close(cosine_alpha_bar(10), torch.tensor(expected).double(), atol=5e-5, rtol=0)
    diffs = [0.0545, 0.0998, 0.1618, 0.2555, 0.4112, 0.6984, 1.3016, 2.8284, 8.0998, 43.7673]
    found = posterior_coefficients(cosine_alpha_bar(10)).snr_diff
    torch.testing.assert_close(found, torch.tensor(diffs).double(), atol=5e-5, rtol=0)
    assert cosine_alpha_bar(3, dtype=torch.float32).dtype == torch.float32
    torch.testing.assert_close(linear_alpha_bar(3), torch.arange(1, 5).double() / 5, atol=EXACT, rtol=0)


@pytest.mark.parametrize("alpha_bar", SCHEDULES)
def test_the_step_keeps_the_marginals(alpha_bar):
    step = posterior_coefficients(alpha_bar)
    before, now = alpha_bar[:-1], alpha_bar[1:]
    torch.testing.assert_close(step.a + step.b * before.sqrt(), now.sqrt(), atol=EXACT, rtol=0)
    torch.testing.assert_close(step.b**2 * (1 - before) + step.c, 1 - now, atol=EXACT, rtol=0)
    torch.testing.assert_close(step.a**2 / step.c, step.snr_diff, rtol=1e-10, atol=0)


@pytest.mark.parametrize("alpha_bar", SCHEDULES)
def test_the_step_is_bayes_rule(alpha_bar):
    """Posterior of z_t from z_{t-1} = sqrt(r) z_t + noise of variance 1 - r and the prior N(sqrt(alpha_bar_t) u, …)."""
    step = posterior_coefficients(alpha_bar)
    for t in range(1, len(alpha_bar)):
        r = alpha_bar[t - 1] / alpha_bar[t]
        precision = 1 / (1 - alpha_bar[t]) + r / (1 - r)
        torch.testing.assert_close(step.c[t - 1], 1 / precision, rtol=1e-10, atol=0)
        torch.testing.assert_close(step.b[t - 1], r.sqrt() / (1 - r) / precision, rtol=1e-10, atol=0)
        a = alpha_bar[t].sqrt() / (1 - alpha_bar[t]) / precision
        torch.testing.assert_close(step.a[t - 1], a, rtol=1e-10, atol=0)


def test_a_chain_of_steps_reproduces_q():
    """With the true u in every step, mean and variance at each t are those of q; 5 standard errors of 200,000 draws."""
    alpha_bar, n = cosine_alpha_bar(5), 200_000
    step, g, u = posterior_coefficients(alpha_bar), torch.Generator().manual_seed(0), 1.5
    z = sample_q(torch.full((n,), u).double(), alpha_bar[0], generator=g)
    for t in range(1, 6):
        noise = torch.randn(n, generator=g, dtype=torch.float64)
        z = step.a[t - 1] * u + step.b[t - 1] * z + step.c[t - 1].sqrt() * noise
        variance = 1 - float(alpha_bar[t])
        assert abs(float(z.mean()) - float(alpha_bar[t].sqrt()) * u) < 5 * (variance / n) ** 0.5
        assert abs(float(z.var()) - variance) < 5 * variance * (2 / n) ** 0.5


def test_sampling_broadcasts_and_repeats():
    u = torch.ones(3, 4)
    levels = torch.tensor([0.1, 0.9]).view(2, 1, 1)
    draw = [sample_q(u, levels, generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    assert draw[0].shape == (2, 3, 4)
    assert torch.equal(*draw)
    assert torch.equal(sample_q(u, 1.0), u)


@pytest.mark.parametrize(
    "bad",
    [
        torch.tensor([0.5, 0.4]), torch.tensor([0.2, 0.2]), torch.tensor([0.2, 1.0]), torch.tensor([0.0, 0.5]),
        torch.tensor([0.5]), torch.tensor([[0.1, 0.2]]), torch.tensor([0.1, float("nan")]), torch.tensor([1, 2]),
    ],
)
def test_a_schedule_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="alpha_bar"):
        check_schedule(bad)
    with pytest.raises(ValueError, match="alpha_bar"):
        posterior_coefficients(bad)


def test_bad_arguments_are_named():
    for make in (cosine_alpha_bar, linear_alpha_bar):
        with pytest.raises(ValueError, match="T=0"):
            make(0)
    with pytest.raises(ValueError, match="alpha_bar_t"):
        sample_q(torch.ones(2), 1.5)
    with pytest.raises(ValueError, match="u holds"):
        sample_q(torch.tensor([float("inf")]), 0.5)
