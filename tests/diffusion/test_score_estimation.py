"""Score estimation: the identity, mixtures, the kernel and its path, the rule, the network, samples."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.diffusion import score_estimation as se
from gradscape.diffusion.score_estimation.kernel import check_rate
from gradscape.generative.mixture import Mixture
from hypothesis import given
from hypothesis import strategies as st

EXACT = 1e-10  # float64 algebra of a few hundred terms
MIXTURE = se.GaussianMixture(se.sphere_centers(4, 2, seed=3), 0.25)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n=50, d=2, seed=0):
    t = 0.05 + 2.95 * torch.rand(n, generator=draws(seed), dtype=torch.float64)
    return t, 2 * torch.randn(n, d, generator=draws(seed + 1), dtype=torch.float64)


# ---- the process and the regression ----------------------------------------------------------------------------------


def test_the_process_keeps_unit_variance():
    alpha, h = se.ou_coefficients(torch.tensor([0.01, 0.5, 3.0]))
    torch.testing.assert_close(alpha**2 + h, torch.ones(3, dtype=torch.float64))
    assert float(h[0]) == pytest.approx(0.01, rel=0.01)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_matching_scores_is_regression_with_noisy_labels(seed, d):
    source = se.GaussianMixture(se.sphere_centers(3, d, seed), 0.3)
    data = se.make_regression(source, 20, seed=seed)

    def f(t, x):
        return torch.sin(x) * t[:, None]

    regression = se.regression_loss(f, data)
    matching = se.dsm_loss(lambda t, x: se.score_from_mean(f(t, x), t, x), data)
    torch.testing.assert_close(matching, regression, rtol=EXACT, atol=0)


def test_another_weight_is_another_loss():
    data = se.make_regression(MIXTURE, 20)
    alpha, h = se.ou_coefficients(data.t)
    residuals = ((MIXTURE.posterior_mean(data.t, data.x) - data.x0) ** 2).sum(1)
    wanted = 0.5 * ((alpha / h) ** 2 * residuals).mean()
    torch.testing.assert_close(se.dsm_loss(MIXTURE.score, data, torch.ones_like), wanted, rtol=EXACT, atol=0)


def test_mean_and_score_are_inverse():
    t, x = points()
    f = torch.randn(x.shape, generator=draws(5), dtype=torch.float64)
    torch.testing.assert_close(se.mean_from_score(se.score_from_mean(f, t, x), t, x), f, rtol=EXACT, atol=EXACT)


def test_label_of_the_score_is_the_gradient_of_the_transition():
    data = se.make_regression(MIXTURE, 10)
    x = data.x.clone().requires_grad_()
    alpha, h = (value[:, None] for value in se.ou_coefficients(data.t))
    (-((x - alpha * data.x0) ** 2) / (2 * h)).sum().backward()
    torch.testing.assert_close(data.score_labels, x.grad)


# ---- the mixture -----------------------------------------------------------------------------------------------------


def test_posterior_mean_by_quadrature_in_one_dimension():
    source = se.GaussianMixture(torch.tensor([[-1.5], [0.3], [1.2]]), 0.25)
    grid = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    prior = (-((grid[:, None] - source.centers.T) ** 2) / (2 * 0.25**2)).exp().sum(1)
    for t in (0.05, 0.7, 3.0):
        alpha, h = (float(value) for value in se.ou_coefficients(t))
        for x in (-1.0, 0.2, 2.0):
            weight = prior * (-((x - alpha * grid) ** 2) / (2 * h)).exp()
            mean = float((weight * grid).sum() / weight.sum())
            variance = float((weight * (grid - mean) ** 2).sum() / weight.sum())
            at = torch.tensor([[x]], dtype=torch.float64)
            assert float(source.posterior_mean(t, at)) == pytest.approx(mean, abs=1e-8)
            assert float(source.posterior_cov_trace(t, at)) == pytest.approx(variance, abs=1e-8)


def test_mixture_agrees_with_the_one_for_guidance():
    other = Mixture(torch.full((4,), 0.25), MIXTURE.centers, torch.full((4, 1), 0.25**2).double())
    _, x = points()
    for t in (0.05, 0.5, 3.0):
        alpha, h = (float(value) for value in se.ou_coefficients(t))
        torch.testing.assert_close(MIXTURE.posterior_mean(t, x), other(x / alpha, math.sqrt(h) / alpha),
                                   rtol=1e-8, atol=1e-8)


def test_one_gaussian_has_a_linear_mean():
    source = se.GaussianMixture(torch.zeros(1, 3), 0.5)
    t, x = points(d=3)
    alpha, h = (value[:, None] for value in se.ou_coefficients(t))
    torch.testing.assert_close(source.posterior_mean(t, x), alpha * 0.25 / (alpha**2 * 0.25 + h) * x)


def test_score_is_the_gradient_of_the_density():
    t, x = points(10)
    x.requires_grad_()
    alpha, h = (value[:, None] for value in se.ou_coefficients(t))
    v = alpha**2 * 0.25**2 + h
    logs = (-((x[:, None] - alpha[..., None] * MIXTURE.centers) ** 2).sum(2) / (2 * v) - torch.log(v)).logsumexp(1)
    logs.sum().backward()
    torch.testing.assert_close(MIXTURE.score(t, x.detach()), x.grad, rtol=1e-8, atol=1e-8)


def test_redrawn_labels_have_the_posterior_moments():
    t, x = torch.full((40_000,), 0.8, dtype=torch.float64), torch.tensor([[0.3, -0.4]]).double().expand(40_000, 2)
    labels = MIXTURE.redraw(t, x, draws())
    error = 5 / math.sqrt(40_000)  # five standard errors of labels that spread over about 1
    torch.testing.assert_close(labels.mean(0), MIXTURE.posterior_mean(0.8, x[:1])[0], rtol=0, atol=error)
    assert float(labels.var(0).sum()) == pytest.approx(float(MIXTURE.posterior_cov_trace(0.8, x[:1])), rel=0.03)


def test_inputs_have_the_variance_of_the_process():
    data = se.make_regression(MIXTURE, 2000, seed=1)
    assert float(data.t.min()) >= 0.05
    assert float(data.t.max()) <= 3.0
    assert not torch.equal(data.x, se.make_regression(MIXTURE, 2000, seed=2).x)
    torch.testing.assert_close(data.x, se.make_regression(MIXTURE, 2000, seed=1).x)
    alpha, h = (value[:, None] for value in se.ou_coefficients(data.t))
    noise = (data.x - alpha * data.x0) / h.sqrt()
    assert float(noise.var()) == pytest.approx(1, abs=0.05)


def test_embedding_ends_with_a_constant_and_the_ball_is_cut():
    z = se.embed(torch.tensor([1.5, 3.0]), torch.zeros(2, 2), T=3.0)
    assert z.tolist() == [[0, 0, 0.5, 1], [0, 0, 1, 1]]
    data = se.make_regression(MIXTURE, 100)
    assert 0 < len(se.within_ball(data, radius=1.5)) < 100
    assert len(se.within_ball(data)) == 100


# ---- the kernel and its path -----------------------------------------------------------------------------------------


def test_kernel_by_monte_carlo():
    Z = torch.randn(4, 4, generator=draws(), dtype=torch.float64)
    w = torch.randn(1_000_000, 4, generator=draws(1), dtype=torch.float64)
    on = (w @ Z.T > 0).double()
    both = on.T @ on / len(w)
    # an angle's probability is known to 5e-4 from a million draws; three times that
    torch.testing.assert_close(se.ntk(Z, Z), (Z @ Z.T) * both, rtol=0, atol=0.0015 * float((Z @ Z.T).abs().max()))
    torch.testing.assert_close(se.ntk(Z, Z).diagonal(), (Z**2).sum(1) / 2, rtol=1e-6, atol=1e-6)


def small(n=30):
    data = se.make_regression(MIXTURE, n, seed=2)
    return data, se.embed(data.t, data.x)


def test_steps_are_those_of_a_loop():
    data, Z = small()
    Z_test = se.embed(*points(7))
    K, K_test = se.ntk(Z, Z) / 30, se.ntk(Z_test, Z) / 30
    c = torch.zeros_like(data.x0)
    for _ in range(25):
        c = c + 0.5 * (data.x0 - K @ c)
    found = se.KernelPath(Z, data.x0).discrete(Z_test, 0.5, 25)
    torch.testing.assert_close(found.reshape(7, 2), K_test @ c, rtol=EXACT, atol=EXACT)


def test_flow_is_the_limit_of_small_steps_and_ends_in_interpolation():
    data, Z = small()
    path = se.KernelPath(Z, data.x0)
    flow = path.predict(Z, 10.0)
    gaps = [float((path.discrete(Z, lr, round(10 / lr)) - flow).abs().max()) for lr in (0.02, 0.01)]
    assert gaps[0] / gaps[1] == pytest.approx(2, abs=0.1)  # first order in the step
    torch.testing.assert_close(path.predict(Z, math.inf).reshape(30, 2), data.x0, rtol=1e-5, atol=1e-5)
    assert float(path.predict(Z, 1e-9).abs().max()) < 1e-8


def test_bias_and_variance_are_those_of_redrawn_labels():
    data, Z = small(60)
    t, x = points(40)
    Z_test, times = se.embed(t, x), torch.tensor([0.5, 20.0, 1e5])
    mean, truth = MIXTURE.posterior_mean(data.t, data.x), MIXTURE.posterior_mean(t, x)
    bias2, variance = se.bias_variance(Z, Z_test, mean, truth, MIXTURE.posterior_cov_trace(data.t, data.x), times)
    stream = draws(3)
    labels = torch.stack([MIXTURE.redraw(data.t, data.x, stream) for _ in range(400)], 2)
    out = se.KernelPath(Z, labels.flatten(1)).predict(Z_test, times).unflatten(2, (2, 400))
    errors = ((out - truth[..., None]) ** 2).mean((1, 2))
    # 400 redraws: the mean of errors that spread by about half is known to 2.5 %; three times that
    torch.testing.assert_close(bias2 + variance, errors.mean(1), rtol=0.08, atol=0)
    assert bias2[0] > bias2[2]
    assert variance[0] < variance[2]


# ---- stopping --------------------------------------------------------------------------------------------------------

TIMES = torch.logspace(-1, 7, 81, dtype=torch.float64)


def test_complexity_by_hand_and_monotone():
    ev = torch.tensor([0.0, 0.01, 0.25, 1.0], dtype=torch.float64)
    assert float(se.complexity(ev, torch.tensor(0.5))) == pytest.approx(math.sqrt((0.01 + 0.25 + 0.25) / 4))
    eps = torch.linspace(0, 2, 50, dtype=torch.float64)
    assert bool((se.complexity(ev, eps).diff() >= 0).all())


def test_rule_stops_before_the_first_violation():
    data, Z = small(100)
    ev = se.KernelPath(Z, data.x0).eigenvalues
    k = se.rwy_stopping(ev, 0.7, TIMES)
    left, right = se.stopping_sides(ev, 0.7, TIMES)
    assert bool((left[: k + 1] <= right[: k + 1]).all())
    assert left[k + 1] > right[k + 1]
    by_hand = math.sqrt(float(torch.minimum(ev, 1 / TIMES[k]).sum()) / len(ev))
    assert float(left[k]) == pytest.approx(by_hand)
    assert float(right[k]) == pytest.approx(1 / (2 * math.e * 0.7 * float(TIMES[k])))


@given(st.floats(0.05, 2.0), st.floats(1.01, 3.0))
def test_more_noise_stops_earlier(sigma, factor):
    ev = torch.logspace(0, -6, 100, dtype=torch.float64)
    assert se.rwy_stopping(ev, sigma * factor, TIMES) <= se.rwy_stopping(ev, sigma, TIMES)


def test_rule_at_its_ends():
    ev = torch.logspace(0, -6, 100, dtype=torch.float64)
    assert se.rwy_stopping(ev, 1e6, TIMES) == -1
    assert se.rwy_stopping(ev, 1e-9, TIMES[:5]) == 4
    assert se.rwy_stopping(100 * ev, 0.5, TIMES) < se.rwy_stopping(ev, 0.5, TIMES)  # the forgotten 1/n


def test_held_out_examples_take_no_part_in_training():
    data, _ = small(100)
    found = se.holdout_stopping(data, TIMES, seed=1)
    assert found.losses[found.index] == found.losses.min()
    assert found.sigma == pytest.approx(math.sqrt(float(found.losses.min())))
    assert found.losses[-1] > 1.1 * found.losses.min()  # noise that was fitted does not help on other labels


# ---- the network -----------------------------------------------------------------------------------------------------


def test_network_is_zero_at_the_start_and_its_gradient_is_autograd():
    data, Z = small()
    net = se.ScoreMLP(2, 64, seed=0)
    # opposite units cancel; on some processors they are summed in an order that leaves rounding
    assert float(net(Z).detach().abs().max()) <= 1e-14
    se.train_gd(net, Z, data.x0, 0.5, steps=3)
    loss = ((net(Z) - data.x0) ** 2).sum() / (2 * len(Z))
    loss.backward()
    torch.testing.assert_close(net.gradient(Z, data.x0), net.W.grad, rtol=EXACT, atol=EXACT)


def test_wide_network_follows_the_kernel():
    data, Z = small(60)
    Z_test = se.embed(*points(50))
    kernel = se.KernelPath(Z, data.x0).discrete(Z_test, 0.5, torch.tensor([5, 20]))
    gaps = []
    for width in (64, 4096):
        found = se.train_gd(se.ScoreMLP(2, width, 1), Z, data.x0, 0.5, 20, (5, 20), Z_test)
        gaps.append(((found.outputs - kernel) ** 2).mean((1, 2)).sqrt())
    assert bool((gaps[1] < 0.25 * gaps[0]).all())  # a factor of eight is expected
    assert float(gaps[1][1]) < 0.05 * float((kernel[1] ** 2).mean().sqrt())


def test_trained_network_does_not_touch_the_global_stream():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    se.ScoreMLP(2, 8, 0)
    se.make_regression(MIXTURE, 10)
    assert torch.equal(before, torch.get_rng_state())


# ---- samples ---------------------------------------------------------------------------------------------------------


def test_reverse_process_with_the_true_score_gives_the_data():
    made = se.reverse_sample(MIXTURE.posterior_mean, 2000, 2, seed=0)
    fresh = MIXTURE.sample(2000, 1)
    floor = se.sliced_w1(fresh, MIXTURE.sample(2000, 2), 0)
    assert se.sliced_w1(made, fresh, 0) < floor + 0.08  # the start N(0, I) at T = 3 and 100 steps cost about 0.04
    wrong = se.reverse_sample(lambda t, x: -MIXTURE.posterior_mean(t, x), 2000, 2, seed=0)
    assert se.sliced_w1(wrong, fresh, 0) > 0.3


def test_distance_of_a_shift_is_its_mean_projection():
    A = torch.randn(500, 2, generator=draws(), dtype=torch.float64)
    assert se.sliced_w1(A, A, 0) == 0
    shift = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert se.sliced_w1(A, A + shift, 0, directions=5000) == pytest.approx(5 * 2 / math.pi, rel=0.03)


def test_digits_are_whitened_and_split():
    train, test = se.digit_components(4, 1000, seed=0)
    assert (len(train), len(test)) == (1000, 797)
    torch.testing.assert_close(train.T @ train / 1000, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-8)
    assert not torch.equal(train, se.digit_components(4, 1000, seed=1)[0])


# ---- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: se.ou_coefficients(0.0), "t="),
        (lambda: se.ou_coefficients(torch.tensor([1.0, math.nan])), "t="),
        (lambda: se.GaussianMixture(torch.zeros(3), 0.2), "centers"),
        (lambda: se.GaussianMixture(torch.zeros(2, 2), 0.0), "scale"),
        (lambda: MIXTURE.posterior_mean(torch.ones(3), torch.zeros(2, 2)), "t has shape"),
        (lambda: MIXTURE.posterior_mean(1.0, torch.zeros(2)), "x has shape"),
        (lambda: se.make_regression(MIXTURE, 4), "n=4"),
        (lambda: se.make_regression(MIXTURE, 10, 3.0, 3.0), "T0=3.0"),
        (lambda: se.make_regression(MIXTURE, 10, -1.0), "T0=-1.0"),
        (lambda: se.make_regression(torch.zeros(8, 2), 10), "N >= n=10"),
        (lambda: se.make_regression(torch.full((20, 2), math.nan), 10), "source"),
        (lambda: se.make_regression(MIXTURE, 10, schedule=lambda u: 4 * u), "schedule"),
        (lambda: se.sphere_centers(0, 2, 0), "modes"),
        (lambda: se.ntk(torch.zeros(3), torch.zeros(3, 1)), "Z1"),
        (lambda: se.KernelPath(torch.ones(3001, 2), torch.ones(3001, 1)), "3001"),
        (lambda: se.KernelPath(torch.ones(3, 2), torch.full((3, 1), math.inf)), "Y"),
        (lambda: check_rate(4.0, 0.5), "2/ev_max = 4"),
        (lambda: se.rwy_stopping(torch.ones(3), 0.0, TIMES), "sigma"),
        (lambda: se.rwy_stopping(-torch.ones(3), 1.0, TIMES), "eigenvalues"),
        (lambda: se.rwy_stopping(torch.ones(3), 1.0, -TIMES), "times"),
        (lambda: se.holdout_stopping(small()[0], TIMES, frac=1.0), "frac"),
        (lambda: se.ScoreMLP(2, 7, 0), "width=7"),
        (lambda: se.train_gd(se.ScoreMLP(2, 8, 0), small()[1], small()[0].x0, lr=50.0), "lr=50.0"),
        (lambda: se.train_gd(se.ScoreMLP(2, 8, 0), small()[1], small()[0].x0, steps=2, record=(3,)), "record"),
        (lambda: se.reverse_sample(MIXTURE.posterior_mean, 5, 2, 0, T0=5.0), "T0=5.0"),
        (lambda: se.sliced_w1(torch.zeros(3, 2), torch.zeros(4, 2), 0), "one shape"),
        (lambda: se.Settings(n=5000), "n"),
        (lambda: se.Settings(dataset="faces"), "dataset"),
    ],
)
def test_nonsense_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
