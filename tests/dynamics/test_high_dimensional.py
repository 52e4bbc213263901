"""Linear theory against limits, adaptive integrals, matrix exponentials and real gradient loops; ReLU students too."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.dynamics import high_dimensional as hd
from gradscape.dynamics.high_dimensional.two_layer import checkpoint_steps
from gradscape.lesson import judge, replicate_seed
from hypothesis import given, settings
from hypothesis import strategies as st

torch.set_num_threads(1)

ALPHAS = (0.1, 0.5, 1.0, 2.0, 10.0)
TASK = {alpha: hd.LinearTask.from_snr(alpha, 5.0, inr=0.7) for alpha in ALPHAS}


def task_of(alpha: float, snr: float = 5.0, inr: float = 0.0) -> hd.LinearTask:
    return hd.LinearTask.from_snr(alpha, snr, inr)


# ---- linear theory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", ALPHAS)
def test_untrained_student_has_all_the_variance(alpha):
    task = TASK[alpha]
    total = task.var_teacher + task.var_init + task.var_noise
    assert hd.generalization_error(task, 0.0).item() == pytest.approx(total, rel=1e-10)
    assert hd.training_error(task, 0.0).item() == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_training_error_never_rises_and_ends_at_the_unreachable_noise(alpha):
    error = hd.training_error(TASK[alpha], torch.logspace(-3, 9, 200))
    assert bool((error.diff() <= 1e-15).all())
    assert error[-1].item() == pytest.approx(max(0.0, 1 - 1 / alpha) * TASK[alpha].var_noise, abs=1e-5)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 2.0, 10.0])
def test_long_training_ends_at_the_asymptote(alpha):
    assert hd.generalization_error(TASK[alpha], 1e9).item() == pytest.approx(hd.asymptotic_error(TASK[alpha]), rel=1e-9)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("t", [0.3, 4.0])
def test_published_integrals_by_adaptive_quadrature(alpha, t):
    """The integrals as a later script of the same model writes them (neuroai/Go-CLS_v2, Fig_2g_h.m: σ_0 = 0)."""
    from scipy.integrate import quad

    task = task_of(alpha)
    low, high = hd.mp_support(alpha)

    def integral(f):
        # λ = low + (high - low) u²: tames the inverse root that the density has at λ = 0 for α = 1
        def g(u):
            lam = low + (high - low) * u * u
            rho = math.sqrt(max(0.0, (high - lam) * (lam - low))) / (2 * math.pi * lam)
            return rho * f(lam) * 2 * u * (high - low)

        return quad(g, 0, 1, limit=400, epsabs=1e-12, epsrel=1e-10)[0]

    snr, atom = 5.0, max(0.0, 1 - alpha)
    bulk = integral(lambda lam: math.exp(-2 * lam * t) + (1 - math.exp(-lam * t)) ** 2 / (lam * snr))
    assert hd.generalization_error(task, t).item() == pytest.approx(
        task.var_teacher * (bulk + atom + 1 / snr), rel=1e-8)
    bulk = integral(lambda lam: (lam * task.var_teacher + task.var_noise) * math.exp(-2 * lam * t))
    assert hd.training_error(task, t).item() == pytest.approx(
        bulk / alpha + (atom / alpha + 1 - 1 / alpha) * task.var_noise, rel=1e-8)


def test_without_a_gap_the_error_grows_like_the_root_of_time():
    task = hd.LinearTask(1.0, 0.0, 1.0)
    rate = 4 * (1 - 1 / math.sqrt(2)) / math.sqrt(math.pi)  # from ρ ≈ 1/(π√λ): 0.66099
    for t in (1e4, 1e6):
        excess = (hd.generalization_error(task, t, n=1000).item() - 1) / math.sqrt(t)
        assert excess == pytest.approx(rate, rel=1.0 / math.sqrt(t) + 1e-4)
    assert hd.asymptotic_error(task) == math.inf
    assert hd.asymptotic_error(hd.LinearTask(1.0, 1.0, 0.0)) == 0.0


def test_weight_power_limits_and_start():
    assert hd.weight_power(TASK[0.5], 0.0).item() == pytest.approx(TASK[0.5].var_init, rel=1e-10)
    below, above = task_of(0.5), task_of(4.0)
    assert hd.weight_power(below, 1e6).item() == pytest.approx(0.5 * below.var_teacher + below.var_noise, rel=1e-9)
    assert hd.weight_power(above, 1e6).item() == pytest.approx(above.var_teacher + above.var_noise / 3, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-4, 20), st.floats(0, 500), st.floats(0, 20))
def test_mode_stopping_time_minimizes_the_mode(lam, snr, inr):
    t = hd.mode_stopping_time(lam, snr, inr).item()

    def error(time: float) -> float:
        return (snr + inr) * math.exp(-2 * lam * time) + (-math.expm1(-lam * time)) ** 2 / lam

    scale = max(t, 1e-3)
    assert all(error(t) <= error(max(0.0, t + d * scale)) * (1 + 1e-12) for d in (-0.1, -1e-3, 1e-3, 0.1))


def test_mode_stopping_time_of_a_flat_mode_is_the_limit():
    times = hd.mode_stopping_time(torch.tensor([0.0, 1e-12]), 5.0, 1.0)
    assert times.tolist() == pytest.approx([6.0, 6.0])


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 10), st.floats(0.01, 1000))
def test_early_stopping_never_beats_the_bayes_optimal_ridge(alpha, snr):
    task = task_of(alpha, snr)
    stop, ridge = hd.optimal_stopping(task), hd.optimal_ridge(task)
    assert stop.error >= ridge.error * (1 - 1e-9)
    around = hd.generalization_error(task, stop.t * torch.tensor([0.5, 0.99, 1.01, 2.0]))
    assert stop.error <= around.min().item() * (1 + 1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_ridge_integral_equals_the_closed_form_and_is_least_there(alpha):
    task = task_of(alpha)
    best = hd.optimal_ridge(task)
    assert best.gamma == pytest.approx(1 / 5.0)
    errors = hd.ridge_error(task, best.gamma * torch.tensor([1.0, 0.7, 1.4]))
    assert errors[0].item() == pytest.approx(best.error, rel=1e-9)
    assert errors.argmin().item() == 0


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_ridge_of_scikit_learn_agrees(alpha):
    from sklearn.linear_model import Ridge

    task, errors = task_of(alpha), []
    for seed in range(4):  # the squared length of one teacher alone fluctuates by √(2/N) = 6 %
        one = hd.draw(task, 500, seed)
        fitted = Ridge(alpha=0.2, fit_intercept=False).fit(one.X.T.numpy(), one.y.numpy()).coef_
        errors.append(float(np.square(fitted - one.teacher.numpy()).mean()) + task.var_noise)
    assert np.mean(errors) == pytest.approx(hd.ridge_error(task, 0.2).item(), rel=0.05)


def test_pure_noise_and_pure_signal():
    assert hd.optimal_stopping(hd.LinearTask(2.0, 0.0, 1.0)) == hd.Stop(0.0, 1.0)
    assert hd.optimal_stopping(hd.LinearTask(0.5, 1.0, 0.0)) == hd.Stop(math.inf, 0.5)
    assert hd.optimal_ridge(hd.LinearTask(2.0, 0.0, 1.0)) == hd.Ridge(math.inf, 1.0)
    assert hd.optimal_ridge(hd.LinearTask(0.25, 1.0, 0.0)) == hd.Ridge(0.0, 0.75)


# ---- draws at finite N -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])  # the last takes the Gram matrix instead of the singular values
def test_exact_solution_equals_matrix_exponential(alpha):
    task, times = task_of(alpha, inr=1.0), [0.0, 0.4, 3.0, 20.0]
    runs = hd.simulate(task, 20, times, seeds=[11])
    one = hd.draw(task, 20, 11)
    n = len(one.X)
    for k, t in enumerate(times):
        # d/dt (w, 1) = M (w, 1) carries the constant drive X y along
        M = torch.zeros(n + 1, n + 1, dtype=torch.float64)
        M[:n, :n], M[:n, n] = -one.X @ one.X.T, one.X @ one.y
        w = (torch.linalg.matrix_exp(M * t) @ torch.cat([one.start, torch.ones(1, dtype=torch.float64)]))[:n]
        gen, train = (w - one.teacher).square().mean().item(), (one.y - one.X.T @ w).square().mean().item()
        assert runs.gen[0, k].item() == pytest.approx(gen + task.var_noise, rel=1e-8)
        assert runs.train[0, k].item() == pytest.approx(train, rel=1e-7, abs=1e-12)
    assert torch.allclose(runs.eigenvalues[0], torch.linalg.svdvals(one.X).square().flip(0))


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_gradient_loop_equals_the_exact_solution(alpha):
    task, times = task_of(alpha, inr=0.5), [0.0, 0.5, 2.0, 8.0, 20.0]
    loop = hd.simulate(task, 40, times, seeds=[1, 2], method="gd")
    exact = hd.simulate(task, 40, loop.times, seeds=[1, 2])
    assert torch.allclose(loop.gen, exact.gen, rtol=0.02)
    assert torch.allclose(loop.train, exact.train, rtol=0.02, atol=1e-4)
    assert (loop.times - torch.tensor(times)).abs().max().item() < 0.01


def test_error_is_the_average_over_fresh_inputs():
    """1/N Σ (w̄ - w)² + σ_ε² is what fresh noisy examples say."""
    task, one = task_of(2.0), hd.draw(task_of(2.0), 50, seed=5)
    fresh = torch.randn(50, 200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / math.sqrt(50)
    measured = (fresh.T @ one.teacher).square().mean().item() + task.var_noise
    claimed = hd.simulate(task, 50, [0.0], seeds=[5]).gen[0, 0].item()
    assert measured == pytest.approx(claimed, rel=0.02)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_averaged_error_is_the_mean_over_teachers(alpha):
    """Averaging over noise, teacher and start by formula or by 400 small draws."""
    task, times = task_of(alpha, inr=1.0), [0.5, 5.0, 50.0]
    seeds = range(400)
    mean = hd.simulate(task, 30, times, seeds)
    formula = hd.simulate(task, 30, times, seeds, average="teacher")
    error = mean.gen.std(0) / math.sqrt(len(seeds))
    assert bool(((mean.gen.mean(0) - formula.gen.mean(0)).abs() < 4 * error).all())
    error = mean.train.std(0) / math.sqrt(len(seeds))
    assert bool(((mean.train.mean(0) - formula.train.mean(0)).abs() < 4 * error).all())


def test_frozen_directions_never_move():
    task = task_of(0.5, inr=2.0)
    one = hd.draw(task, 60, seed=2)
    w = one.start.clone()
    for _ in range(500):
        w = w + 0.02 * one.X @ (one.y - one.X.T @ w)
    frozen, active = hd.learned_change(one.start, w, one.X)
    assert frozen < 1e-10
    assert active > 1.0
    projector = hd.frozen_projector(one.X)
    assert projector.trace().item() == pytest.approx(30)
    assert torch.allclose(projector @ projector, projector, atol=1e-12)
    assert (projector @ one.X).abs().max().item() < 1e-12


# ---- ReLU students ---------------------------------------------------------------------------------------------------


def small_data(P=24, seeds=(4, 9)):
    return hd.relu_teacher(6, 10, P, 50, 5.0, seeds)


@pytest.mark.parametrize("width", [8, 24, 60])
def test_random_features_end_at_minimum_norm_least_squares(width):
    data = small_data()
    curves = hd.random_feature_curves(data.x, data.y, data.x_test, data.y_test, [width], [1.0, math.inf], data.seeds)
    for s, seed in enumerate(data.seeds):
        generator = torch.Generator().manual_seed(replicate_seed(seed, width))
        W = torch.randn(6, width, generator=generator, dtype=torch.float64) / math.sqrt(6)
        H, H_test = (torch.relu(x @ W).numpy() / math.sqrt(width) for x in (data.x[s], data.x_test[s]))
        readout = np.linalg.lstsq(H, data.y[s].numpy(), rcond=None)[0]
        error = np.square(H_test @ readout - data.y_test[s].numpy()).mean()
        assert curves.test[0, s, -1].item() == pytest.approx(error, rel=1e-6)
        assert curves.train[0, s, -1].item() == pytest.approx(
            np.square(H @ readout - data.y[s].numpy()).mean(), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("width", [10, 40])
def test_random_features_follow_a_gradient_loop(width):
    data = small_data(seeds=(7,))
    curves = hd.random_feature_curves(
        data.x, data.y, data.x_test, data.y_test, [width], [0.5, 5.0], data.seeds, scale_init=0.8)
    generator = torch.Generator().manual_seed(replicate_seed(7, width))
    W = torch.randn(6, width, generator=generator, dtype=torch.float64) / math.sqrt(6)
    a = 0.8 * torch.randn(width, generator=generator, dtype=torch.float64)
    H, H_test = (torch.relu(x[0] @ W) / math.sqrt(width) for x in (data.x, data.x_test))
    lr, seen = 1e-3, {}
    for step in range(1, 5001):
        a = a - lr * H.T @ (H @ a - data.y[0]) / len(H)
        seen[step] = (H_test @ a - data.y_test[0]).square().mean().item()
    assert curves.test[0, 0].tolist() == pytest.approx([seen[500], seen[5000]], rel=1e-3)


def test_error_rate_of_signs():
    data = small_data()
    labels, wanted = data.y.sign(), data.y_test.sign()
    curves = hd.random_feature_curves(data.x, labels, data.x_test, wanted, [200], [math.inf], data.seeds)
    assert curves.error_rate is not None
    assert 0.0 < curves.error_rate.max().item() < 0.5
    plain = hd.random_feature_curves(data.x, data.y, data.x_test, data.y_test, [20], [1.0], data.seeds)
    assert plain.error_rate is None


def test_shared_inputs_and_one_data_set_agree():
    data = small_data(seeds=(4,))
    one = hd.random_feature_curves(data.x[0], data.y[0], data.x_test[0], data.y_test[0], [12], [1.0, 3.0], (4,))
    stacked = hd.random_feature_curves(data.x, data.y, data.x_test, data.y_test, [12], [1.0, 3.0], (4,))
    assert torch.equal(one.test, stacked.test)


def test_second_moment_by_sampling_and_by_hand():
    generator = torch.Generator().manual_seed(0)
    first, readout = torch.randn(5, 7, generator=generator), torch.randn(7, generator=generator)
    x = torch.randn(400_000, 5, generator=generator)
    sampled = (torch.relu(x @ first) @ readout).square().mean().item()
    assert hd.relu_second_moment(first, readout) == pytest.approx(sampled, rel=0.02)
    # relu(u) and relu(-u) are never both on: E (relu(u) - relu(-u))² = E u² = 1
    assert hd.relu_second_moment(torch.tensor([[1.0, -1.0]]), torch.tensor([1.0, -1.0])) == pytest.approx(1.0)


def test_teacher_has_unit_total_variance_and_the_asked_noise():
    data = hd.relu_teacher(8, 20, 40, 20_000, 4.0, [0, 1])
    assert data.y_test.square().mean(-1).tolist() == pytest.approx([1.0, 1.0], rel=0.1)
    assert data.x.shape == (2, 40, 8)


def test_narrow_student_trains_alike_in_a_wide_stack():
    data = small_data()
    alone = hd.train_two_layer(data, [8], steps=60, checkpoints=10)
    padded = hd.train_two_layer(data, [8, 48], steps=60, checkpoints=10)
    # the batched product may add in another order: float32 rounding, no more
    assert torch.allclose(alone.test[0], padded.test[0], rtol=1e-5)
    assert torch.allclose(alone.train[0], padded.train[0], rtol=1e-5)


def test_two_layer_students_equal_torch_modules():
    data = small_data(seeds=(4,))
    curves = hd.train_two_layer(data, [5], steps=50, lr=0.2, init_scale=0.7, checkpoints=6)
    generator = torch.Generator().manual_seed(replicate_seed(4, 5))
    W = (torch.randn(6, 5, generator=generator) / math.sqrt(6)).requires_grad_()
    a = (0.7 * torch.randn(5, 1, generator=generator)).requires_grad_()
    optimizer = torch.optim.SGD([W, a], lr=0.2)
    x, y = data.x[0].float(), data.y[0].float()
    errors = []
    for _ in range(51):
        with torch.no_grad():
            outputs = torch.relu(data.x_test[0].float() @ W) @ a / math.sqrt(5)
            errors.append((outputs.squeeze(-1) - data.y_test[0].float()).square().mean().item())
        optimizer.zero_grad()
        (0.5 * (torch.relu(x @ W) @ a / math.sqrt(5) - y.unsqueeze(-1)).square().mean()).backward()
        optimizer.step()
    wanted = [errors[int(step)] for step in curves.times]
    assert curves.test[0, 0].tolist() == pytest.approx(wanted, rel=1e-4)
    assert curves.times[0] == 0
    assert curves.times[-1] == 50


def test_checkpoints_hold_both_ends():
    steps = checkpoint_steps(4000, 40)
    assert steps[0] == 0
    assert steps[-1] == 4000
    assert len(steps) <= 40
    assert bool((steps.diff() > 0).all())


# ---- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: hd.LinearTask(0.0, 1.0, 1.0), "alpha"),
        (lambda: hd.LinearTask(math.inf, 1.0, 1.0), "alpha"),
        (lambda: hd.LinearTask(1.0, -1.0, 1.0), "var_teacher"),
        (lambda: hd.LinearTask(1.0, 1.0, math.nan), "var_noise"),
        (lambda: hd.LinearTask.from_snr(1.0, -2.0), "snr"),
        (lambda: hd.generalization_error(task_of(1.0), -1.0), "t:"),
        (lambda: hd.training_error(task_of(1.0), math.inf), "t "),
        (lambda: hd.ridge_error(task_of(1.0), 0.0), "gamma"),
        (lambda: hd.mode_stopping_time(-1.0, 1.0), "lam"),
        (lambda: hd.simulate(task_of(1.0), 0, [1.0], [0]), "n_features"),
        (lambda: hd.simulate(task_of(1.0), 10, [1.0], []), "seeds"),
        (lambda: hd.simulate(task_of(1.0), 10, [1.0], [0], method="adam"), "method"),
        (lambda: hd.simulate(task_of(1.0), 10, [1.0], [0], lr=0.1), "lr"),
        (lambda: hd.simulate(task_of(1.0), 10, [1.0], [0], method="gd", average="teacher"), "average"),
        (lambda: hd.simulate(task_of(1.0), 10, [-1.0], [0]), "times"),
        (lambda: hd.frozen_projector(torch.zeros(3)), "X"),
        (lambda: hd.learned_change(torch.zeros(3), torch.zeros(3), torch.zeros(4, 2)), "weights"),
        (lambda: hd.relu_teacher(3, 0, 4, 4, 1.0, [0]), "n_hidden"),
        (lambda: hd.relu_teacher(3, 3, 4, 4, 0.0, [0]), "snr"),
        (lambda: hd.relu_teacher(3, 3, 4, 4, 1.0, []), "seeds"),
        (lambda: hd.train_two_layer(small_data(), [], steps=5), "widths"),
        (lambda: hd.train_two_layer(small_data(), [3], steps=5, lr=0.0), "lr"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# ---- the lesson ------------------------------------------------------------------------------------------------------


def test_point_reads_one_task_from_theory():
    scalars = hd.point(hd.Settings(profile="smoke", alpha=0.5, snr=5.0, T_max=1e4, n_features=50)).scalars
    assert scalars["error_end"] == pytest.approx(0.75, rel=1e-3)
    assert scalars["training_error_end"] == pytest.approx(0.0, abs=1e-9)
    assert scalars["overtraining"] == pytest.approx(0.75 - scalars["error_best"], rel=1e-3)
    assert scalars["error_ridge"] <= scalars["error_best"]
    assert scalars["t_opt"] == pytest.approx(2.7072, rel=1e-4)


def test_protocol_ignores_the_fields_and_smoke_says_nothing():
    plain, other = hd.Settings(profile="smoke"), hd.Settings(profile="smoke", alpha=3.0, T_max=7.0)
    assert hd.learning_curves(other) is hd.learning_curves(plain)
    measured = hd.measure(other)
    assert {judge(claim, measured[claim.id], smoke=True).word for claim in hd.CLAIMS} == {"not tested at this scale"}


@pytest.mark.standard
def test_every_claim_at_quick_sizes():
    measured = hd.measure(hd.Settings())
    words = {claim.id: judge(claim, measured[claim.id]).word for claim in hd.CLAIMS}
    assert words == {claim.id: "holds" if claim.kind == "control" else "reproduced" for claim in hd.CLAIMS}
