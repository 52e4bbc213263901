"""Error feedback against gradient descent, hand-derived invariants, plain loops over clients and real processes."""
from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
import torch
from gradscape import lesson
from gradscape.distributed import error_feedback as ef
from gradscape.distributed import wire
from gradscape.distributed.compressors import Identity, NaturalRound, Quantize, RandK, ScaledSign, TopK
from gradscape.distributed.error_feedback import claims, experiments, methods, real_data, tasks, theory
from gradscape.learning.problems import QuadraticClients

torch.set_num_threads(1)
ROUNDING = 1e-12  # relative, after some tens of rounds in float64
GROWN = 1e-8  # relative; rounding errors that a compressor's jumps have amplified, far below a wrong factor


def problem(n=12, d=6, spread=1.5, seed=0, **kwargs):
    return ef.nonconvex_least_squares(n, d, 5, spread, seed=seed, **kwargs)


def start(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def safe(clients, compressor, weights="smoothness"):
    return ef.step_size(clients.L, clients.L_i, compressor.alpha(clients.d), weights)


def relative(a, b):
    return float(((a - b).abs() / b.abs()).max())


# ---- constants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1e-6, 0.01, 0.05, 0.3, 0.9, 1.0])
def test_constants_as_the_paper_writes_them(alpha):
    root = math.sqrt(1 - alpha)
    assert ef.xi(alpha) == pytest.approx((1 + root) / alpha - 1, rel=1e-9, abs=1e-12)
    assert ef.xi(alpha) == pytest.approx(math.sqrt(ef.beta(alpha) / ef.theta(alpha)), rel=1e-12)
    if alpha >= 0.01:  # below, 1 - root cancels
        assert ef.theta(alpha) == pytest.approx(1 - root, rel=1e-12)
        assert ef.beta(alpha) == pytest.approx((1 - alpha) / (1 - root), rel=1e-12)
    assert ef.xi(1.0) == 0


def test_the_contraction_behind_the_guarantee():
    """theta and beta come from Young's inequality: the best s in (1 - alpha)(1 + s), (1 - alpha)(1 + 1/s)."""
    for alpha in (0.05, 0.5):
        s = 1 / math.sqrt(1 - alpha) - 1
        assert (1 - alpha) * (1 + s) == pytest.approx(1 - ef.theta(alpha))
        assert (1 - alpha) * (1 + 1 / s) == pytest.approx(ef.beta(alpha))


def test_weights_and_means_by_hand():
    L = torch.tensor([100.0, 1, 1, 1], dtype=torch.float64)
    am, qm = ef.mean_smoothness(L)
    assert (round(float(am), 2), round(float(qm), 2)) == (25.75, 50.01)
    assert float(ef.weighted_mean_smoothness(L, ef.client_weights(L, "uniform"))) == pytest.approx(float(qm), rel=1e-14)
    best = ef.client_weights(L, "smoothness")
    assert float(ef.weighted_mean_smoothness(L, best)) == pytest.approx(float(am), rel=1e-14)
    assert round(float(ef.cloned_quadratic_mean(L)), 2) == 33.09
    assert ef.clone_counts(L).tolist() == [4, 1, 1, 1]
    assert ef.clone_counts(torch.full((7,), 0.1)).tolist() == [1] * 7
    for other in (start(50, 4).exp(), torch.ones(50, 4, dtype=torch.float64)):
        w = other / other.sum(-1, keepdim=True)
        assert bool((ef.weighted_mean_smoothness(L.expand(50, 4), w) >= am * (1 - 1e-12)).all())
    assert torch.allclose(ef.power_weights(L, 1.0), best)
    assert torch.allclose(ef.power_weights(L, 0.0), torch.full((4,), 0.25, dtype=torch.float64))


def test_clones_by_building_them():
    """The copies as clients of their own, (N/n) f_i/N_i each: same f, and their quadratic mean is the stated one."""
    L = start(20).mul(2).exp()
    counts = ef.clone_counts(L)
    N = int(counts.sum())
    each = torch.repeat_interleave(L * N / (20 * counts), counts)
    assert len(each) == N <= 40
    assert float(each.square().mean().sqrt()) == pytest.approx(float(ef.cloned_quadratic_mean(L)), rel=1e-12)
    assert float(each.mean()) == pytest.approx(float(L.mean()), rel=1e-12)  # sum of curvatures is kept


def test_steps():
    L_i, L = torch.tensor([4.0, 1.0], dtype=torch.float64), 2.0
    x = ef.xi(0.25)
    assert float(ef.step_size(L, L_i, 0.25)) == pytest.approx(1 / (2 + 2.5 * x))
    assert float(ef.step_size(L, L_i, 0.25, "uniform")) == pytest.approx(1 / (2 + math.sqrt(8.5) * x))
    assert float(ef.step_size(L, L_i, 1.0)) == 0.5
    pl = float(ef.step_size(L, L_i, 0.25, pl=1e-3))
    assert pl == pytest.approx(1 / (2 + math.sqrt(2) * 2.5 * x))
    assert float(ef.step_size(L, L_i, 0.25, pl=10.0)) == pytest.approx(ef.theta(0.25) / 20)
    assert float(ef.step_size(L, L_i, 0.25, None)) == float(ef.step_size(L, L_i, 0.25, "smoothness"))
    w = torch.tensor([0.5, 0.5], dtype=torch.float64)
    assert float(ef.step_size(L, L_i, 0.25, w)) == pytest.approx(float(ef.step_size(L, L_i, 0.25, "uniform")))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ef.xi(0.0), "alpha=0.0"),
        (lambda: ef.theta(1.1), "alpha=1.1"),
        (lambda: ef.beta(math.nan), "alpha=nan"),
        (lambda: ef.step_size(0.0, torch.ones(3), 0.5), "L=0.0"),
        (lambda: ef.step_size(1.0, torch.tensor([1.0, 0.0]), 0.5), "L_i holds 0.0"),
        (lambda: ef.step_size(1.0, torch.tensor([1.0, math.nan]), 0.5), "L_i holds 1 NaN"),
        (lambda: ef.step_size(1.0, torch.ones(3), 0.5, pl=0.0), "pl=0.0"),
        (lambda: ef.step_size(1.0, torch.ones(3), 0.5, "equal"), "weights='equal'"),
        (lambda: ef.client_weights(torch.ones(3), torch.tensor([0.5, 0.5, 0.0])), "weights have"),
        (lambda: ef.client_weights(torch.ones(3), torch.tensor([0.5, 0.5])), "weights have"),
        (lambda: ef.client_weights(torch.ones(3), torch.tensor([0.5, 0.5, 0.5])), "with sum 1"),
    ],
)
def test_bad_constants(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- methods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressor", [TopK(6), RandK(6), Identity()], ids=repr)
def test_nothing_compressed_is_gradient_descent_bit_for_bit(compressor):
    clients, x0 = problem(), start(6)
    gamma = 1 / clients.L
    generator = torch.Generator().manual_seed(0)
    ours = ef.run(clients, "ef21", gamma, compressor, 60, x0, generator=generator)
    assert torch.equal(ours.grad_sq, ef.run(clients, "gd", gamma, compressor, 60, x0).grad_sq)
    for method in ("dcgd", "ef21w", "ef14"):
        other = ef.run(clients, method, gamma, compressor, 20, x0, generator=generator)
        assert relative(other.grad_sq, ours.grad_sq[:21]) < 1e-8, method


@pytest.mark.parametrize("compressor", [TopK(1), NaturalRound(), ScaledSign(), Quantize(2)], ids=repr)
def test_one_client_and_equal_clients_need_no_weights(compressor):
    single = problem(n=1)
    x0 = start(6)
    gamma = safe(single, compressor)
    plain, weighted = (ef.run(single, m, gamma, compressor, 80, x0) for m in ("ef21", "ef21w"))
    assert relative(weighted.grad_sq, plain.grad_sq) < ROUNDING
    equal = problem(spread=0.0)
    assert relative(equal.L_i, equal.L_i[:1]) < ROUNDING
    plain, weighted = (ef.run(equal, m, safe(equal, compressor), compressor, 30, x0) for m in ("ef21", "ef21w"))
    assert relative(weighted.grad_sq, plain.grad_sq) < GROWN


@pytest.mark.parametrize("compressor", [TopK(1), TopK(2), ScaledSign(), Quantize(2)], ids=repr)
@pytest.mark.parametrize("init", ["compressed", "full"])
def test_homogeneous_compressors_make_both_methods_one(compressor, init):
    clients, x0 = problem(), start(3, 6)
    gamma = safe(clients, compressor)
    plain, weighted = (ef.run(clients, m, gamma, compressor, 200, x0, init=init) for m in ("ef21", "ef21w"))
    assert relative(weighted.grad_sq, plain.grad_sq) < (1e-10 if isinstance(compressor, TopK) else GROWN)


def test_rounding_to_powers_of_two_makes_them_differ_and_both_converge():
    clients, x0 = problem(n=40), start(6)
    gamma = safe(clients, NaturalRound())
    plain, weighted = (ef.run(clients, m, gamma, NaturalRound(), 300, x0) for m in ("ef21", "ef21w"))
    early = plain.grad_sq > 1e-20 * plain.grad_sq[0]
    assert relative(weighted.grad_sq[early], plain.grad_sq[early]) > 0.01
    for history in (plain, weighted):
        assert float(history.grad_sq[-1] / history.grad_sq[0]) < 1e-20


@pytest.mark.parametrize("weights", [None, "uniform", "smoothness"])
def test_the_server_needs_only_the_messages(weights):
    """Adding up messages gives the same vector as looking into the clients' memories."""
    clients, compressor = problem(), TopK(1)
    w = None if weights is None else ef.client_weights(clients.L_i, weights)
    x, gamma = start(6), safe(clients, compressor)
    g = ef.first_estimate(clients.gradients(x), compressor, w)
    server = ef.combined(g, w)
    for _ in range(200):
        before = g
        x, g = ef.ef21_round(x, g, clients.gradients, gamma, compressor, w)
        server = server + ef.combined(g - before, w)
        assert float((server - ef.combined(g, w)).abs().max()) < ROUNDING


def test_classic_feedback_is_a_delayed_gradient_descent():
    """x^t - mean e^t = x^0 - gamma times the sum of the mean gradients."""
    clients, compressor = problem(), TopK(1)
    x = start(6)
    e, gamma, x0, total = torch.zeros(12, 6, dtype=torch.float64), safe(clients, compressor), x, 0.0
    for _ in range(100):
        total = total + clients.gradient(x)
        x, e = ef.ef14_round(x, e, clients.gradients, gamma, compressor)
        assert float((x - e.mean(0) - (x0 - gamma * total)).abs().max()) < ROUNDING


def loop(clients, method, gamma, k, rounds, x0, weights=None):
    """The methods as a plain loop over clients in numpy, the way their authors' code has it."""
    H, c = clients.matrices.numpy(), clients.linear.numpy()
    lam, n, d, x = clients.penalty, clients.n, clients.d, x0.numpy().copy()

    def gradient(i):
        return H[i] @ x + c[i] + lam * 2 * x / (1 + x**2) ** 2

    def top(v):
        kept = np.zeros(d)
        places = np.argsort(-np.abs(v))[:k]
        kept[places] = v[places]
        return kept

    w = np.full(n, 1 / n) if weights is None else weights.numpy()
    scale = 1 / (n * w)
    g = [top(gradient(i) * scale[i]) for i in range(n)]
    e = [np.zeros(d) for _ in range(n)]
    squares = [np.square(np.mean([gradient(i) for i in range(n)], 0)).sum()]
    for _ in range(rounds):
        if method == "ef14":
            v = [top(e[i] + gamma * gradient(i)) for i in range(n)]
            e = [e[i] + gamma * gradient(i) - v[i] for i in range(n)]
            x = x - np.mean(v, 0)
        elif method == "dcgd":
            x = x - gamma * np.mean([top(gradient(i)) for i in range(n)], 0)
        else:
            x = x - gamma * sum(w[i] * g[i] for i in range(n))
            g = [g[i] + top(gradient(i) * scale[i] - g[i]) for i in range(n)]
        squares.append(np.square(np.mean([gradient(i) for i in range(n)], 0)).sum())
    return torch.tensor(np.array(squares))


@pytest.mark.parametrize("method", ["ef21", "ef21w", "ef14", "dcgd"])
def test_against_a_loop_over_clients(method):
    clients, x0 = problem(), start(6)
    gamma = safe(clients, TopK(2))
    weights = ef.client_weights(clients.L_i, "smoothness") if method == "ef21w" else None
    ours = ef.run(clients, method, gamma, TopK(2), 60, x0)
    assert relative(ours.grad_sq, loop(clients, method, float(gamma), 2, 60, x0, weights)) < 1e-10


def test_runs_in_a_stack_are_the_runs_alone():
    clients = problem(seed=(0, 1), spread=(0.5, 2.0))
    assert clients.batch == (2, 2)
    x0, gammas = start(2, 2, 3, 6), torch.tensor([0.5, 1.0, 2.0])
    gamma = safe(clients, TopK(1))[..., None] * gammas
    for method in ("ef21", "ef21w", "ef14", "dcgd", "gd"):
        stack = ef.run(clients, method, gamma, TopK(1), 30, x0, track=("value", "estimate_error"))
        for s, spread in enumerate((0.5, 2.0)):
            for r in range(2):
                alone = ef.run(problem(seed=r, spread=spread), method, gamma[s, r], TopK(1), 30, x0[s, r],
                               track=("value", "estimate_error"))
                assert relative(stack.grad_sq[s, r], alone.grad_sq) < 1e-9
                assert relative(stack.value[s, r], alone.value) < 1e-9


def test_weights_are_applied_twice():
    """With weights of any kind, x follows the same objective: with nothing compressed, weights change nothing."""
    clients, x0 = problem(), start(6)
    w = start(12, seed=4).exp()
    w = w / w.sum()
    ours = ef.run(clients, "ef21w", 1 / clients.L, Identity(), 40, x0, weights=w)
    assert relative(ours.grad_sq, ef.run(clients, "gd", 1 / clients.L, Identity(), 40, x0).grad_sq) < 1e-8


def test_history_counts_bits_and_rounds():
    clients, x0, d = problem(), start(6), 6
    one = 32 + 3
    for method, init, first, each in (
        ("ef21", "compressed", one, one), ("ef21w", "full", 32 * d, one), ("ef14", "compressed", 0, one),
        ("dcgd", "compressed", 0, one), ("gd", "compressed", 0, 32 * d),
    ):
        history = ef.run(clients, method, 0.01, TopK(1), 7, x0, init=init, record_every=3)
        assert history.rounds.tolist() == [0, 3, 6, 7]
        assert history.bits.tolist() == [first + each * t for t in (0, 3, 6, 7)]
    generator = torch.Generator().manual_seed(0)
    half = ef.run(clients, "ef21", 0.01, TopK(1), 300, x0, participation=0.5, generator=generator)
    sent = float(half.bits[-1] - half.bits[0]) / one
    assert abs(sent - 150) < 4 * math.sqrt(300 / 4 / 12)
    history = ef.run(clients, "gd", 1 / clients.L, Identity(), 500, x0, until=1e-3)
    assert history.rounds_until(1e-3) == history.rounds[-1] < 500
    assert math.isnan(float(history.rounds_until(1e-9)))
    assert float(history.rounds_to(history.grad_sq[3])) == 3


def test_a_long_history_has_every_round():
    """More rounds than memory is taken for at once; every third of them is the same as in the full history."""
    clients, x0 = problem(), start(2, 6)
    rounds = 2 * methods.BLOCK + 7
    every = ef.run(clients, "ef21", 0.01, TopK(1), rounds, x0)
    third = ef.run(clients, "ef21", 0.01, TopK(1), rounds, x0, record_every=3)
    assert every.grad_sq.shape == (2, rounds + 1)
    assert torch.equal(every.rounds, torch.arange(rounds + 1))
    assert torch.equal(every.grad_sq[:, third.rounds], third.grad_sq)
    assert torch.equal(every.bits[third.rounds], third.bits)
    assert float(every.grad_sq[0, -1]) == pytest.approx(float(clients.gradient(every.x)[0].square().sum()), rel=1e-9)


def test_estimate_error_is_what_the_guarantee_uses():
    clients, x0, compressor = problem(), start(6), TopK(1)
    gradients = clients.gradients(x0)
    w = ef.client_weights(clients.L_i, "smoothness")
    g = ef.first_estimate(gradients, compressor, w)
    by_hand = sum(w[i] * (g[i] - gradients[i] / (12 * w[i])).square().sum() for i in range(12))
    assert float(ef.estimate_error(g, gradients, w)) == pytest.approx(float(by_hand), rel=ROUNDING)
    plain = ef.first_estimate(gradients, compressor)
    by_hand = sum((plain[i] - gradients[i]).square().sum() / (144 * w[i]) for i in range(12))
    assert float(ef.estimate_error(plain, gradients, None, w)) == pytest.approx(float(by_hand), rel=ROUNDING)
    by_hand = (plain - gradients).square().sum(-1).mean()
    assert float(ef.estimate_error(plain, gradients)) == pytest.approx(float(by_hand), rel=ROUNDING)
    history = ef.run(clients, "ef21w", 0.01, compressor, 3, x0, track=("estimate_error",))
    assert float(history.estimate_error[0]) == pytest.approx(float(ef.estimate_error(g, gradients, w)), rel=ROUNDING)
    assert float(ef.estimate_error(ef.first_estimate(gradients, compressor, w, "full"), gradients, w)) < 1e-20


def test_the_lyapunov_function_falls_every_round():
    """f + gamma/(2 theta) G of the proof, for EF21-W with its safe step and both starts."""
    clients, compressor = problem(n=30, spread=2.0), TopK(1)
    gamma, tracked = safe(clients, compressor), ("value", "estimate_error")
    for init in ef.INITS:
        history = ef.run(clients, "ef21w", gamma, compressor, 400, start(6), init=init, track=tracked)
        lyapunov = history.value + gamma / (2 * ef.theta(compressor.alpha(6))) * history.estimate_error
        drop = gamma / 2 * history.grad_sq[:-1]
        assert bool((lyapunov.diff() <= -drop + 1e-12).all())


def test_polyak_lojasiewicz_step_gives_its_rate():
    """Strongly convex quadratics: f - inf f falls at least like (1 - gamma mu)^T times the Lyapunov start."""
    H = torch.diag_embed(start(8, 5).mul(0.7).exp())
    clients = QuadraticClients(H, start(8, 5, seed=1))
    mu = float(torch.linalg.eigvalsh(H.mean(0))[0])
    compressor = TopK(2)
    gamma = ef.step_size(clients.L, clients.L_i, compressor.alpha(5), pl=mu)
    history = ef.run(clients, "ef21w", gamma, compressor, 300, start(5, seed=2), track=("value", "estimate_error"))
    gap = history.value - clients.value(clients.solution)
    first = gap[0] + gamma / ef.theta(compressor.alpha(5)) * history.estimate_error[0]
    bound = first * (1 - float(gamma) * mu) ** history.rounds
    assert bool((gap <= bound * (1 + 1e-9) + 1e-13).all())


def test_divergence_is_recorded():
    clients = problem()
    history = ef.run(clients, "gd", 100.0 / clients.L, Identity(), 400, start(6))
    assert not bool(torch.isfinite(history.grad_sq[-1]))
    history = ef.run(clients, "ef21", 1e4 * safe(clients, TopK(1)), TopK(1), 2000, start(6), until=1e-3)
    assert not bool(torch.isfinite(history.grad_sq[-1]))
    assert len(history.rounds) < 2000  # a run that has diverged is not waited for


def test_minibatches_and_partial_participation_still_converge():
    X = start(300, 4)
    y = (X[:, 0] + 0.3 * start(300, seed=1) > 0).long()
    clients = ef.nonconvex_logistic(X, y, 10)
    gamma, x0 = safe(clients, TopK(1)), torch.zeros(4, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    stochastic = ef.run(clients, "ef21w", gamma, TopK(1), 400, x0, batch=5, generator=generator, record_every=50)
    assert float(stochastic.grad_sq[-1] / stochastic.grad_sq[0]) < 0.05
    chances = torch.full((10,), 0.5)
    partial = ef.run(clients, "ef21w", gamma, TopK(1), 400, x0, participation=chances, generator=generator)
    whole = ef.run(clients, "ef21w", gamma, TopK(1), 400, x0)
    assert float(partial.grad_sq[-1] / partial.grad_sq[0]) < 0.05
    always = ef.run(clients, "ef21w", gamma, TopK(1), 400, x0, participation=1.0, generator=generator)
    assert torch.equal(always.grad_sq, whole.grad_sq)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "ef22"}, "method='ef22'"), ({"gamma": 0.0}, "gamma=0.0"), ({"gamma": math.inf}, "gamma=inf"),
        ({"gamma": torch.tensor([0.1, -1.0])}, "gamma=tensor"), ({"rounds": 0}, "rounds=0"),
        ({"compressor": TopK(7)}, "k=7"), ({"compressor": RandK(2)}, "generator=None"), ({"batch": 0}, "batch=0"),
        ({"init": "zero"}, "init='zero'"), ({"weights": "uniform"}, "only method='ef21w'"),
        ({"method": "ef21w", "weights": torch.ones(12, dtype=torch.float64)}, "weights have"),
        ({"participation": 0.0}, "participation=0.0"), ({"method": "gd", "participation": 0.5}, "participation=0.5"),
        ({"track": ("loss",)}, "track='loss'"), ({"record_every": 0}, "record_every=0"), ({"until": 0.0}, "until=0.0"),
        ({"x0": torch.full((6,), math.nan, dtype=torch.float64)}, "x0 holds 6 NaN"),
        ({"x0": torch.ones(5, dtype=torch.float64)}, "x has shape"),
    ],
)
def test_bad_runs(changes, message):
    given = {"problem": problem(), "method": "ef21", "gamma": 0.1, "compressor": TopK(1), "rounds": 3, "x0": start(6)}
    with pytest.raises(ValueError, match=message):
        ef.run(**{**given, **changes})


# ---- problems --------------------------------------------------------------------------------------------------------


def test_least_squares_has_the_curvatures_it_promises():
    clients = ef.nonconvex_least_squares(50, 8, 6, (0.0, 0.7, 2.0), lam=1e-3, seed=3)
    assert torch.allclose(clients.L_i.mean(-1), torch.full((3,), 1.002, dtype=torch.float64), rtol=1e-12)
    assert torch.allclose(clients.L_i[0], torch.full((50,), 1.002, dtype=torch.float64), rtol=1e-12)
    logs = (clients.L_i - 2e-3).log()
    assert torch.allclose(logs[2] - logs[2].mean(), (logs[1] - logs[1].mean()) * 2 / 0.7, atol=1e-9)
    assert bool((clients.L_i.mean(-1) > clients.L).all())


def test_logistic_sorts_by_norm_and_leaves_the_last_rows_out():
    X = torch.diag(torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0], dtype=torch.float64))
    clients = ef.nonconvex_logistic(X, torch.tensor([0, 1, 1, 0, 1]), 2)
    assert clients.rows.norm(dim=-1).tolist() == [[1, 2], [3, 4]]
    assert clients.labels.tolist() == [[1, -1], [1, 1]]
    kept = ef.nonconvex_logistic(X, torch.tensor([0, 1, 1, 0, 1]), 2, sort=None)
    assert kept.rows.norm(dim=-1).tolist() == [[5, 1], [4, 2]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ef.nonconvex_logistic(torch.ones(4, 2), torch.ones(3), 2), "X has shape"),
        (lambda: ef.nonconvex_logistic(torch.ones(4, 2), torch.ones(4), 2), "y holds 1 different"),
        (lambda: ef.nonconvex_logistic(torch.ones(4, 2), torch.tensor([0, 1, 0, 1]), 5), "n_clients=5"),
        (lambda: ef.nonconvex_logistic(torch.ones(4, 2), torch.tensor([0, 1, 0, 1]), 2, sort="size"), "sort='size'"),
        (lambda: ef.nonconvex_logistic(torch.ones(4, 2), torch.tensor([0, 1, 0, 1]), 2, lam=-1.0), "penalty=-1.0"),
        (lambda: ef.nonconvex_least_squares(0, 2, 3, 1.0), "n=0"),
        (lambda: ef.nonconvex_least_squares(4, 2, 3, -1.0), "spread=-1.0"),
    ],
)
def test_bad_problems(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_real_tables_have_the_unevenness_of_the_brief():
    am, qm = ef.mean_smoothness(real_data.breast_cancer().L_i)
    assert float(qm / am) == pytest.approx(1.52, abs=0.01)
    am, qm = ef.mean_smoothness(real_data.digits().L_i)
    assert float(qm / am) == pytest.approx(1.01, abs=0.01)


# ---- real processes --------------------------------------------------------------------------------------------------


@pytest.mark.standard
def test_two_processes_make_the_simulators_iterates():
    result = real_data.between_processes(ef.Settings(sizes="wire_rounds:30,wire_clients:5"))
    assert result.simulated.shape == (31, 20)
    assert float(result.differences.max()) < ROUNDING
    assert result.real.value_bits == 3 * 31 * 64
    assert result.real.place_bits == 31 * 16  # three clients' places of 5 bits fill two bytes
    assert result.counted_bits == 3 * 31 * 69
    assert result.real.model_bits == result.model_bits == 30 * 20 * 64


def test_exchange_refuses_what_it_cannot_do():
    given = {"clients": real_data.wire_clients, "arguments": (0, 4, 5, 3), "start": real_data.wire_start,
             "answer": real_data.wire_answer, "compressor": TopK(1), "gamma": 0.1, "rounds": 2, "x0": start(5),
             "kept": 1, "first_kept": 1}
    for changes, message in (({"compressor": RandK(1)}, "random"), ({"gamma": 0.0}, "gamma"), ({"rounds": 0}, "rounds"),
                             ({"kept": 6}, "kept=6"), ({"first_kept": 0}, "first_kept=0")):
        with pytest.raises(ValueError, match=message):
            wire.exchange(wire.Exchange(**{**given, **changes}))


# ---- the lesson ------------------------------------------------------------------------------------------------------


def test_measure_runs_at_smoke_size_and_depends_on_the_protocol_only(monkeypatch):
    lesson.clear_cache()
    monkeypatch.setattr(real_data, "exchange", in_one_process)
    settings = ef.Settings(profile="smoke")
    measured = ef.measure(settings)
    assert set(measured) == {claim.id for claim in ef.CLAIMS}
    for claim in ef.CLAIMS:
        assert lesson.judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"
    assert not measured["C8"].tested
    assert ef.guarantee is theory.guarantee
    again = claims.measure_c2(settings.replace(n=20, spread=0.4).protocol)
    assert again.values["ratio of steps"].equal(measured["C2"].values["ratio of steps"])


def in_one_process(task):
    """The same messages through a pipe that is a list: what two ranks would do, without starting them."""
    clients = task.clients(*task.arguments)
    n = clients.n

    def target(x):
        return clients.gradients(x) / (n * task.weights)[:, None]

    x, message_bits = task.x0, 64
    message, memory = task.start(target(x), task.compressor)
    h, iterates, hosted = task.weights @ message, [x], n - n // 2
    for _ in range(task.rounds):
        x = x - task.gamma * h
        iterates.append(x)
        message, memory = task.answer(memory, target(x), task.compressor)
        packed = wire.pack_places(wire.largest(message, 1), len(x))
        h = h + task.weights @ torch.zeros_like(message).scatter_(
            -1, wire.unpack_places(packed, n, len(x))[:, None], message.gather(-1, wire.largest(message, 1)))
    places = 8 * -(-hosted * wire.index_bits(len(x)) // 8)
    return wire.WireLog(torch.stack(iterates), (task.rounds + 1) * hosted * message_bits, (task.rounds + 1) * places,
                        task.rounds * 64 * len(x))


def test_point_names_finite_scalars_and_promise_and_measurement_agree():
    scalars = ef.point(ef.Settings(n=40, spread=1.5)).scalars
    assert all(math.isfinite(value) for value in scalars.values())
    assert scalars["gain_promised"] == pytest.approx(scalars["gain_ef21_am"], rel=0.06)
    assert scalars["gain_ef21_am"] == scalars["gain_ef21w"]
    assert scalars["bits_per_client"] == 501 * 37
    assert ef.point(ef.Settings(n=40, spread=0.0)).scalars["gain_promised"] == pytest.approx(1)


def test_experiments_are_cached_and_the_seed_matters():
    settings = ef.Settings(profile="smoke")
    assert experiments.race(settings) is experiments.race(settings.replace(n=50))
    assert not torch.equal(experiments.race(settings).gain, experiments.race(settings.replace(seed=1)).gain)


def test_the_growth_of_the_gain_is_judged_problem_by_problem():
    race = experiments.Race(torch.tensor([[1.0, 1.1], [2.0, 1.9]]), torch.tensor([[20.0, 22.0], [40.0, 18.0]]),
                            torch.tensor([[20.0, 20.0], [20.0, 20.0]]), (), ())
    growth = experiments.Growth((0.3, 1.5), race)
    assert growth.rises.tolist() == [True, False]
    assert growth.at(1.5).tolist() == [2.0, pytest.approx(0.9)]
    assert growth.promised_at(1.5).tolist() == [2.0, pytest.approx(1.9)]
    assert bool(growth.at(1.0).isnan().all())


def test_tuning_counts_only_steps_with_which_every_run_falls():
    first, multiples = torch.ones(2), torch.tensor([1.0, 2, 4])
    ends = torch.tensor([[0.5, 0.5], [0.01, 0.02], [0.01, math.inf]])
    assert experiments.Tuned(multiples, ends, ends, first).largest_falling == 2
    assert experiments.Tuned(multiples, ends.clamp(min=0.5), ends, first).largest_falling == 0


def test_variants_start_together_and_the_growth_table_holds_every_problem():
    settings = ef.Settings(profile="smoke")
    found = ef.variants(settings)
    assert found.names == ("EF21-W", "EF21-W-PP", "EF21-W-SGD")
    assert len({float(history.grad_sq[0, 0]) for history in found.histories}) == 1
    whole, partial, _ = found.histories
    assert 0.3 < float((partial.bits[..., -1] - 37).mean()) / float(whole.bits[-1] - 37) < 0.7
    table = ef.TABLES["growth"](settings)
    assert (table.table, len(table.columns["rounds"])) == ("growth", 4)


def test_progress_is_told():
    told = []
    ef.run(problem(), "ef21", 0.01, TopK(1), 3, start(6), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("module", [theory, methods, tasks])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
