"""Concentration: the sampler's stretch, tails, linear classifiers, and errors predicted from two moments."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.diffusion import concentration as co
from gradscape.generative.edm import karras_sigmas
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

SPECTRUM = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def wiener(x, sigma, labels=None):
    """The exact denoiser of N(0, diag(4, 1, 1/4))."""
    return x * SPECTRUM / (SPECTRUM + sigma**2)


# ---- the sampler's stretch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [(18, (2.0721, 1.0447, 0.5276)), (40, (2.0124, 1.0079, 0.5049)), (100, (2.0013, 1.0011, 0.5007))],
)
def test_sampler_of_gaussian_data_is_a_diagonal_map(steps, wanted):
    made = co.edm_sample(wiener, torch.eye(3, dtype=torch.float64), steps=steps)
    torch.testing.assert_close(made, torch.tensor(wanted, dtype=torch.float64).diag(), rtol=0, atol=6e-5)
    z = torch.randn(4, 3, generator=draws(), dtype=torch.float64)
    found = co.sampler_lipschitz(wiener, z, steps=steps, generator=draws(1))
    torch.testing.assert_close(found, torch.full((4,), wanted[0], dtype=torch.float64), rtol=0, atol=1e-4)


def test_largest_singular_value_is_that_of_the_whole_jacobian():
    net = co.make_denoiser(5, classes=2, width=16, seed=3).double()
    for p in net.parameters():
        p.data += 0.2 * torch.randn(p.shape, generator=draws(4), dtype=torch.float64)
    z, y = torch.randn(3, 5, generator=draws(5), dtype=torch.float64), torch.tensor([0, 1, 1])
    found = co.sampler_lipschitz(net, z, y, steps=6, iters=120, generator=draws(6))
    for k in range(3):
        J = torch.func.jacrev(lambda v, k=k: co.edm_sample(net, v[None], y[k : k + 1], 6)[0])(z[k]).detach()
        assert float(found[k]) == pytest.approx(float(torch.linalg.matrix_norm(J, 2)), rel=2e-4)


def test_limit_of_many_steps_and_the_product_bound():
    limit = co.gaussian_lipschitz(4.0)
    assert limit == pytest.approx(1.9994, abs=5e-5)
    schedule = karras_sigmas(2000)
    constants = [float((SPECTRUM / (SPECTRUM + s**2)).max()) for s in schedule[:-1].tolist()]
    assert co.lipschitz_bound(constants, schedule) == pytest.approx(limit, rel=0.01)
    exact = co.edm_sample(wiener, torch.eye(3, dtype=torch.float64), steps=2000, heun=False)
    assert co.lipschitz_bound(constants, schedule) == pytest.approx(float(exact[0, 0]), rel=1e-9)


def test_tail_bound_holds_for_samples_of_the_linear_sampler():
    X = co.edm_sample(wiener, torch.randn(100_000, 3, generator=draws(), dtype=torch.float64), steps=40)
    lam = float(co.sampler_lipschitz(wiener, torch.ones(1, 3, dtype=torch.float64), steps=40, generator=draws())[0])
    ways = torch.eye(3, dtype=torch.float64)
    r = torch.linspace(0.5, 8, 20, dtype=torch.float64)
    for name, values in co.lipschitz_functions(X, torch.ones(2, 3, dtype=torch.float64), ways).items():
        assert float(values.var()) <= lam**2 * 1.02, name  # a variance of 1e5 draws is known to about 1 %
        far = ((values - values.mean()).abs()[:, None] >= r).double().mean(0)
        assert bool((far <= co.envelope(r, lam)).all()), name


def test_functions_are_lipschitz():
    X = torch.randn(200, 4, generator=draws(), dtype=torch.float64)
    Y = torch.randn(200, 4, generator=draws(1), dtype=torch.float64)
    anchors, way = X[:3] + 1, torch.full((1, 4), 0.5, dtype=torch.float64)
    a, b = (co.lipschitz_functions(Z, anchors, way) for Z in (X, Y))
    assert len(a) == 5
    for name, values in a.items():
        assert bool(((values - b[name]).abs() <= (X - Y).norm(dim=1) + 1e-12).all()), name


# ---- the network -----------------------------------------------------------------------------------------------------


def test_untrained_denoiser_shrinks_and_training_learns_two_points():
    net = co.make_denoiser(2, classes=2, width=32, seed=0)
    x = torch.tensor([[0.5, 0.5], [-0.5, -0.5]]).repeat(64, 1)
    y = torch.tensor([0, 1]).repeat(64)
    torch.testing.assert_close(net(x, 1.0, y), 0.2 * x)
    found = co.train_edm(net, x, y, steps=300, batch=64, decay=0.9, generator=draws())
    assert float(found.losses[-50:].mean()) < 0.2 * float(found.losses[:10].mean())
    made = co.edm_sample(found.average, torch.randn(64, 2, generator=draws(1)), y[:64], steps=10)
    assert bool((made.sign() == x[:64].sign()).all())
    assert float((made - x[:64]).norm(dim=1).mean()) < 0.3  # the classes are 1.41 apart


def test_making_a_network_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    first, second = (co.make_denoiser(3, seed=1).backbone.inlet.weight for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


# ---- tails -----------------------------------------------------------------------------------------------------------


def test_hill_index_of_a_pareto_tail():
    u = torch.rand(100_000, generator=draws(), dtype=torch.float64)
    assert co.hill_index(u ** (-1 / 3), 2000) == pytest.approx(3, rel=0.1)
    assert co.hill_index(u**-0.5, 2000) == pytest.approx(2, rel=0.1)


def test_student_t_has_its_tail_and_its_gaussian_limit():
    heavy, light = (co.student_t(10_000, 10, nu, seed=1) for nu in (3.0, 1e6))
    assert co.tail_report(heavy.norm(dim=1)).hill < 4
    report = co.tail_report(light.norm(dim=1))
    assert report.hill > 10
    assert report.q_ratio == pytest.approx(math.sqrt(29.59 / 9.342), rel=0.03)  # quantiles of χ² with 10 degrees
    assert float(light.var()) == pytest.approx(1, rel=0.02)
    assert float(co.student_t(200_000, 1, 6.0, seed=2).var()) == pytest.approx(6 / 4, rel=0.05)


# ---- classifiers -----------------------------------------------------------------------------------------------------


def task(K=2, d=30, seed=0, scale=0.35):
    mu = scale * torch.randn(K, d, generator=draws(seed), dtype=torch.float64)
    A = torch.randn(K, d, d, generator=draws(seed + 1), dtype=torch.float64) / math.sqrt(d)
    return mu, A @ A.mT + 0.1 * torch.eye(d, dtype=torch.float64)


def test_ridge_is_sklearn_s():
    X = co.sample_gmm(*task(3), 50, draws())
    W = co.ridge_classifier(X, 0.02)
    other = Ridge(alpha=0.02 * 150).fit(X.flatten(0, 1).numpy(), np.eye(3).repeat(50, 0))
    np.testing.assert_allclose(W[:-1].T.numpy(), other.coef_, atol=1e-7)
    np.testing.assert_allclose(W[-1].numpy(), other.intercept_, atol=1e-6)
    guess = other.predict(X.flatten(0, 1).numpy()).argmax(1)
    assert co.classification_error(W, X) == pytest.approx((guess != np.arange(3).repeat(50)).mean())


def test_sgd_comes_to_the_ridge_solution():
    X = co.sample_gmm(*task(2, 5), 100, draws())
    W = co.sgd_classifier(X, 0.1, lr=0.05, epochs=200, generator=draws(2))
    torch.testing.assert_close(W, co.ridge_classifier(X, 0.1), rtol=0, atol=0.03)


def test_moments_and_samples_agree():
    mu, C = task(2, 6)
    X = co.sample_gmm(mu, C, 50_000, draws())
    mean, covariance = co.class_moments(X)
    torch.testing.assert_close(mean, mu, rtol=0, atol=0.03)
    torch.testing.assert_close(covariance, C, rtol=0, atol=0.06)
    flat = torch.diag_embed(torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=torch.float64))  # singular: no jitter
    assert float(co.sample_gmm(torch.zeros(2, 2, dtype=torch.float64), flat, 100, draws())[..., 1].abs().max()) < 1e-12


# ---- prediction ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("K", "d", "n", "lam"), [(2, 40, 200, 0.01), (2, 40, 40, 0.1), (2, 40, 20, 0.1), (4, 30, 75, 0.01)]
)
def test_predicted_error_is_that_of_simulations(K, d, n, lam):
    mu, C = task(K, d, seed=K)
    found = co.predict_error(mu, C, n, lam, draws=40_000, generator=draws())
    stream, errors = draws(7), []
    for _ in range(12):
        W = co.ridge_classifier(co.sample_gmm(mu, C, n, stream), lam)
        errors.append(co.classification_error(W, co.sample_gmm(mu, C, 1000, stream)))
    mean, spread = float(np.mean(errors)), float(np.std(errors)) / math.sqrt(12)
    assert abs(found.error - mean) < 3 * spread + 0.01  # 0.01: sizes are finite


def test_scores_of_a_long_training_set_are_the_population_rule_s():
    mu, C = task(2, 8)
    found = co.predict_error(mu, C, 10**7, 1e-4)
    m = torch.cat([mu, torch.ones(2, 1, dtype=torch.float64)], 1)
    S = torch.nn.functional.pad(C, (0, 1, 0, 1)) + m[:, :, None] * m[:, None]
    P = torch.diag(torch.tensor([1e-4] * 8 + [1e-9], dtype=torch.float64))
    W = torch.linalg.solve(S.mean(0) + P, 0.5 * m.T)
    torch.testing.assert_close(found.means, m @ W, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.covs, W[:-1].T @ C @ W[:-1], rtol=5e-3, atol=1e-4)


def test_large_penalty_is_the_rule_of_mean_differences():
    d = 20
    mu = 0.3 * torch.randn(2, d, generator=draws(), dtype=torch.float64)
    C = torch.eye(d, dtype=torch.float64).expand(2, d, d)
    n, gap = 50, (mu[0] - mu[1])
    # w ∝ m̂_0 - m̂_1 with noise of covariance 2 I/n; the threshold lies between the means
    aligned, norm = float(gap @ gap), math.sqrt(float(gap @ gap) + 2 * d / n)
    wanted = 0.5 * math.erfc(aligned / (2 * norm) / math.sqrt(2))
    assert co.predict_error(mu, C, n, 1e4).error == pytest.approx(wanted, abs=0.02)


@given(st.permutations([0, 1, 2]))
def test_permuted_classes_permute_the_answer(order):
    mu, C = task(3, 6)
    a = co.predict_error(mu, C, 20, 0.05, draws=100, generator=draws())
    b = co.predict_error(mu[list(order)], C[list(order)], 20, 0.05, draws=100, generator=draws())
    torch.testing.assert_close(b.means, a.means[list(order)][:, list(order)], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(b.deltas, a.deltas[list(order)], rtol=1e-7, atol=1e-9)


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: co.ridge_classifier(torch.zeros(2, 5, 3), 0.0), "lam=0.0"),
        (lambda: co.ridge_classifier(torch.zeros(2, 1, 3), 0.1), "n >= 2"),
        (lambda: co.ridge_classifier([torch.zeros(4, 3), torch.zeros(5, 3)], 0.1), "equal size"),
        (lambda: co.class_moments(torch.full((2, 3, 2), math.nan)), "X"),
        (lambda: co.sample_gmm(torch.zeros(1, 2).double(), -torch.eye(2)[None].double(), 5), "positive semidefinite"),
        (lambda: co.predict_error(torch.zeros(2, 3), torch.zeros(2, 2, 2), 5, 0.1), "must be"),
        (lambda: co.predict_error(*task(), 1, 0.1), "n=1"),
        (lambda: co.predict_error(*task(), 5, -1.0), "lam=-1.0"),
        (lambda: co.student_t(5, 2, 0.0, 0), "nu=0.0"),
        (lambda: co.hill_index(torch.ones(50), 50), "k=50"),
        (lambda: co.hill_index(torch.zeros(50), 5), "all > 0"),
        (lambda: co.lipschitz_bound([1.0], karras_sigmas(3)), "one per step"),
        (lambda: co.lipschitz_bound([-1.0], karras_sigmas(1)), ">= 0"),
        (lambda: co.envelope(torch.ones(1), 0.0), "lam"),
        (lambda: co.lipschitz_functions(torch.zeros(2, 2), torch.zeros(1, 2), torch.ones(1, 2)), "unit vectors"),
        (lambda: co.make_denoiser(0), "dim=0"),
        (lambda: co.train_edm(co.make_denoiser(2), torch.zeros(4, 2), steps=0), "steps=0"),
        (lambda: co.make_denoiser(2, classes=2)(torch.zeros(1, 2), 1.0), "labels=None"),
    ],
)
def test_nonsense_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
