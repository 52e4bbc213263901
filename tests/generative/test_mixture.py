"""Mixtures: the denoiser against the Wiener filter, against autograd of log p, and against its own samples."""
from __future__ import annotations

import pytest
import torch
from gradscape.generative.mixture import Mixture

D = 4


def full(components=3, labels=None, seed=0):
    g = torch.Generator().manual_seed(seed)
    root = torch.randn(components, D, D, generator=g, dtype=torch.float64)
    weights = torch.rand(components, generator=g, dtype=torch.float64) + 0.2
    means = 2 * torch.randn(components, D, generator=g, dtype=torch.float64)
    return Mixture(weights, means, root @ root.transpose(1, 2), labels)


def points(n=7, seed=1):
    return 2 * torch.randn(n, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_component_is_the_wiener_filter():
    g = torch.Generator().manual_seed(3)
    root, mean = torch.randn(D, D, generator=g, dtype=torch.float64), torch.randn(D, generator=g, dtype=torch.float64)
    cov, x, sigma = root @ root.T, points(), 0.7
    mixture = Mixture(torch.ones(1), mean[None], cov[None])
    gain = torch.linalg.solve(cov + sigma**2 * torch.eye(D, dtype=torch.float64), cov)
    torch.testing.assert_close(mixture(x, sigma), mean + (x - mean) @ gain)


def test_log_density_is_torchs():
    mixture, x, sigma = full(), points(), 0.5
    total = mixture.bases @ torch.diag_embed(mixture.eigenvalues + sigma**2) @ mixture.bases.transpose(1, 2)
    parts = torch.distributions.MultivariateNormal(mixture.means, total)
    choice = torch.distributions.Categorical(logits=mixture.log_weights)
    reference = torch.distributions.MixtureSameFamily(choice, parts)
    torch.testing.assert_close(mixture.log_prob(x, sigma), reference.log_prob(x))


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_score_is_the_gradient_of_log_density(conditional, sigma):
    mixture = full(labels=torch.tensor([0, 1, 1]))
    x = points().requires_grad_(True)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1]) if conditional else None
    (gradient,) = torch.autograd.grad(mixture.log_prob(x, sigma, labels).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach(), sigma, labels), gradient, rtol=1e-6, atol=1e-9)


def test_isotropic_and_diagonal_are_special_cases_of_full():
    means, weights = torch.randn(3, D, dtype=torch.float64), torch.ones(3)
    isotropic = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    diagonal = isotropic[:, None].expand(3, D).contiguous()
    x, labels = points(), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    expected = Mixture(weights, means, torch.diag_embed(diagonal), torch.arange(3)).pair(x, 0.3, labels)
    for covs in (isotropic, diagonal):
        got = Mixture(weights, means, covs, torch.arange(3)).pair(x, 0.3, labels)
        torch.testing.assert_close(got, expected)


def test_pair_is_two_calls_and_one_class_needs_no_condition():
    mixture, x = full(labels=torch.tensor([0, 1, 1])), points()
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1])
    cond, uncond = mixture.pair(x, 0.8, labels)
    torch.testing.assert_close(cond, mixture(x, 0.8, labels))
    torch.testing.assert_close(uncond, mixture(x, 0.8))
    single_cond, single = full().pair(x, 0.8, torch.zeros(7, dtype=torch.long))
    torch.testing.assert_close(single_cond, single)


def test_limits_of_the_noise_level():
    mixture, x = full(), points()
    torch.testing.assert_close(mixture(x, 0.0), x)
    prior = mixture.log_weights.exp() @ mixture.means
    torch.testing.assert_close(mixture(x, 1e6), prior.expand_as(x), rtol=1e-4, atol=1e-4)


def test_draws_have_the_moments():
    mixture, n = full(), 40000
    x = mixture.draw(n, torch.Generator().manual_seed(5))
    weights = mixture.log_weights.exp()
    mean = weights @ mixture.means
    # ten standard errors at the largest standard deviation
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=10 * float(x.std()) / n**0.5)
    centered = mixture.means - mean
    covs = mixture.bases @ torch.diag_embed(mixture.eigenvalues) @ mixture.bases.transpose(1, 2)
    cov = torch.einsum("m,mde->de", weights, covs + centered[:, :, None] * centered[:, None])
    assert float(torch.linalg.norm(x.T.cov() - cov) / torch.linalg.norm(cov)) < 0.03


def test_draws_of_a_class_come_from_its_components():
    mixture = Mixture(torch.ones(2), torch.tensor([[0.0] * D, [100.0] * D]), torch.ones(2), torch.tensor([0, 1]))
    x = mixture.draw(10, torch.Generator().manual_seed(0), torch.tensor([0, 1] * 5))
    assert ((x > 50).all(1) == torch.tensor([False, True] * 5)).all()


@pytest.mark.parametrize("build", [
    lambda: Mixture(torch.ones(2), torch.zeros(3, D), torch.ones(3)),
    lambda: Mixture(torch.tensor([1.0, 0.0]), torch.zeros(2, D), torch.ones(2)),
    lambda: Mixture(torch.ones(1), torch.zeros(1, D), -torch.eye(D)[None]),
    lambda: Mixture(torch.ones(1), torch.full((1, D), float("nan")), torch.ones(1)),
    lambda: full()(torch.zeros(2, D + 1, dtype=torch.float64), 1.0),
    lambda: full()(points(), -1.0),
    lambda: full().score(points(), 0.0),
])
def test_bad_values_are_refused(build):
    with pytest.raises(ValueError):
        build()


def test_posterior_of_a_class_is_bayes_rule():
    mixture, x = full(labels=torch.tensor([0, 1, 1])), points()
    weights = mixture.log_weights.exp()
    prior = torch.stack([weights[0], weights[1] + weights[2]]).log()
    zeros, ones = torch.zeros(7, dtype=torch.long), torch.ones(7, dtype=torch.long)
    joint = torch.stack([mixture.log_prob(x, 0.4, zeros), mixture.log_prob(x, 0.4, ones)], 1) + prior
    torch.testing.assert_close(mixture.log_posterior(x, 0.4), joint.log_softmax(1))


def test_guidance_direction_is_the_gradient_of_the_posterior():
    """D_c - D_u = sigma^2 grad log p(c | x): guidance is gradient ascent, the paper's second view."""
    mixture, x = full(labels=torch.tensor([0, 1, 1])), points().requires_grad_(True)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1])
    chosen = mixture.log_posterior(x, 0.7).gather(1, labels[:, None]).sum()
    (gradient,) = torch.autograd.grad(chosen, x)
    cond, uncond = mixture.pair(x.detach(), 0.7, labels)
    torch.testing.assert_close(cond - uncond, 0.7**2 * gradient, rtol=1e-6, atol=1e-9)


def test_one_class_alone():
    mixture, x = full(labels=torch.tensor([0, 1, 1])), points()
    alone = mixture.given(1)
    torch.testing.assert_close(alone(x, 0.6), mixture(x, 0.6, torch.ones(7, dtype=torch.long)))
    torch.testing.assert_close(alone.log_prob(x, 0.6), mixture.log_prob(x, 0.6, torch.ones(7, dtype=torch.long)))
    assert alone.components == 2
    with pytest.raises(ValueError, match="label"):
        mixture.given(5)
