"""EDM: schedule, preconditioning, loss and sampler against closed forms on Gaussian data."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.generative.edm import EDMDenoiser, edm_loss, karras_sigmas, precondition, sample
from torch import nn

# data N(0, diag(4, 1, .25)): the sampler is a diagonal map with these entries (18 Heun steps, default levels)
VARIANCES = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)


def wiener(x, sigma, labels=None):
    return x * VARIANCES / (VARIANCES + sigma**2)


class Halving(nn.Module):
    """A stand-in backbone that sees its inputs: returns x/2 plus the label."""

    def forward(self, x, c_noise, labels):
        shift = 0.0 if labels is None else labels.to(x.dtype)[:, None]
        return x / 2 + shift


def test_levels_fall_from_smax_to_smin_and_end_in_zero():
    sigmas = karras_sigmas(5, 0.002, 80.0)
    assert sigmas.shape == (6,)
    assert float(sigmas[0]) == pytest.approx(80)
    assert float(sigmas[4]) == pytest.approx(0.002)
    assert float(sigmas[5]) == 0
    middle = ((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7
    assert float(sigmas[2]) == pytest.approx(middle)
    assert karras_sigmas(1).tolist() == pytest.approx([80, 0])


@pytest.mark.parametrize("bad", [{"n": 0}, {"n": 3, "smin": 0.0}, {"n": 3, "smin": 99.0}, {"n": 3, "rho": -1.0}])
def test_levels_refuse_bad_values(bad):
    with pytest.raises(ValueError):
        karras_sigmas(**bad)


def test_preconditioning_keeps_unit_variance():
    sigma = torch.logspace(-3, 3, 7, dtype=torch.float64)
    c = precondition(sigma, 0.5)
    torch.testing.assert_close(c.inp**2 * (sigma**2 + 0.25), torch.ones_like(sigma))
    # the network's target (x0 - skip x)/out has unit variance as well
    torch.testing.assert_close(((1 - c.skip) ** 2 * 0.25 + c.skip**2 * sigma**2) / c.out**2, torch.ones_like(sigma))
    torch.testing.assert_close(c.noise, sigma.log() / 4)


def test_denoiser_is_the_formula_and_pair_is_two_calls():
    net = EDMDenoiser(Halving(), sigma_data=0.5, null_label=7).double()
    x, labels = torch.randn(3, 2, dtype=torch.float64), torch.tensor([0, 1, 2])
    sigma = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    c = precondition(sigma[:, None], 0.5)
    expected = c.skip * x + c.out * (c.inp * x / 2 + labels[:, None])
    torch.testing.assert_close(net(x, sigma, labels), expected)
    for level in (sigma, 1.5):
        cond, uncond = net.pair(x, level, labels)
        torch.testing.assert_close(cond, net(x, level, labels))
        torch.testing.assert_close(uncond, net(x, level, torch.full((3,), 7)))
    with pytest.raises(ValueError, match="null_label"):
        EDMDenoiser(Halving()).pair(x, 1.0, labels)


def test_loss_of_the_exact_denoiser_is_its_error():
    """For data N(0, .25) the exact F is 0, and the weighted error of skip x is 1 on average."""

    class Zero(nn.Module):
        def forward(self, x, c_noise, labels):
            return torch.zeros_like(x)

    g = torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(20000, 4, generator=g, dtype=torch.float64)
    loss = edm_loss(EDMDenoiser(Zero(), 0.5), x, generator=g)
    # 80000 squares of unit variance: standard error sqrt(2/80000) = .005
    assert float(loss) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("n", "heun", "expected"), [
    (18, True, (2.0721, 1.0447, 0.5276)),
    (40, True, (2.0124, 1.0079, 0.5049)),
    (100, True, (2.0013, 1.0011, 0.5007)),
])
def test_sampler_is_the_known_linear_map_on_gaussian_data(n, heun, expected):
    out = sample(wiener, torch.ones(1, 3, dtype=torch.float64), karras_sigmas(n), heun=heun)
    torch.testing.assert_close(out[0], torch.tensor(expected, dtype=torch.float64), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("heun", "order"), [(False, 1), (True, 2)])
def test_order_of_convergence(heun, order):
    """Log-spaced levels on N(0, 1) down to sigma = .1: the error falls with the method's order."""
    def run(n):
        sigmas = torch.cat([torch.logspace(1, -1, n + 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])
        held = []
        start = torch.ones(1, 1, dtype=torch.float64)
        sample(lambda x, s, y: held.append(x) or x / (1 + s**2), start, sigmas, heun=heun)
        return float(held[-1])  # the state at sigma = .1; the last step is Euler in either case

    exact = 10 * math.sqrt((1 + 0.01) / (1 + 100))
    ratio = abs(run(40) - exact) / abs(run(80) - exact)
    assert math.log2(ratio) == pytest.approx(order, abs=0.15)


def test_churn_keeps_the_distribution():
    g = torch.Generator().manual_seed(1)
    noise = torch.randn(20000, 3, generator=g, dtype=torch.float64)
    out = sample(wiener, noise, karras_sigmas(60), heun=True, churn=20.0, churn_noise=1.0, generator=g)
    # 2 % discretization, 1.5 % sampling error of a standard deviation
    torch.testing.assert_close(out.std(0), VARIANCES.sqrt(), rtol=0.05, atol=0)
    calm = sample(wiener, noise, karras_sigmas(60), heun=True)
    assert not torch.allclose(out, calm)


def test_sampler_is_differentiable_in_the_noise():
    noise = torch.ones(1, 3, dtype=torch.float64, requires_grad=True)
    sample(wiener, noise, karras_sigmas(18), heun=True).sum().backward()
    slopes = torch.tensor([2.0721, 1.0447, 0.5276], dtype=torch.float64)
    torch.testing.assert_close(noise.grad[0], slopes, atol=1e-4, rtol=0)


def test_guidance_is_called_per_evaluation_and_reset_first():
    class Counting:
        calls, resets = 0, 0

        def __call__(self, cond, uncond):
            self.calls += 1
            return cond

        def reset(self):
            self.resets += 1

    class Both:
        def pair(self, x, sigma, labels):
            return wiener(x, sigma), wiener(x, sigma)

    noise, sigmas = torch.ones(2, 3, dtype=torch.float64), karras_sigmas(6)
    euler, heun = Counting(), Counting()
    seen = []
    out = sample(Both(), noise, sigmas, guidance=euler, trace=lambda step, sigma, d: seen.append((step, sigma)))
    sample(Both(), noise, sigmas, guidance=heun, heun=True)
    assert (euler.calls, heun.calls) == (6, 11)
    assert (euler.resets, heun.resets) == (1, 1)
    assert [step for step, _ in seen] == list(range(6))
    torch.testing.assert_close(out, sample(wiener, noise, sigmas))


@pytest.mark.parametrize("sigmas", [[1.0, 2.0, 0.0], [2.0, 1.0], [0.0]])
def test_sampler_refuses_levels_that_do_not_fall_to_zero(sigmas):
    with pytest.raises(ValueError, match="sigmas"):
        sample(wiener, torch.ones(1, 3), torch.tensor(sigmas))
