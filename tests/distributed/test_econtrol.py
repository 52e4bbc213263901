"""EControl against plain loops over clients, closed forms and invariants; its simulator and its test problems."""
from __future__ import annotations

import doctest
import importlib
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from gradscape import lesson
from gradscape.distributed import econtrol as ec
from gradscape.distributed.compressors import NaturalRound, RandK, TopK
from gradscape.distributed.econtrol import experiments, simulator, tasks

torch.set_num_threads(1)
ROUNDING = 1e-12  # relative, some tens of rounds in float64
N, D, K = 6, 12, 3


def problem(zeta=5.0, seed=0, n=N, d=D):
    return ec.koloskova_quadratic(n, d, zeta, seed)


def start(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def relative(a, b):
    return float((a - b).norm() / b.norm())


# ---- every method against a loop over clients ------------------------------------------------------------------------


def largest_kept(v: np.ndarray, k: int) -> np.ndarray:
    kept = np.zeros_like(v)
    for place in sorted(range(len(v)), key=lambda j: -abs(v[j]))[:k]:
        kept[place] = v[place]
    return kept


def loop(method, gradients, x, rounds, gamma, eta=0.0, a=0.1, k=K, h_star=None, whole=True):
    """The algorithms as they are written down, one client and one round after the other, in numpy."""
    first = gradients(0, x)
    n = len(first)
    h = [g.copy() if whole else largest_kept(g, k) for g in first]
    e, v, server = [0 * g for g in first], [g.copy() for g in first], sum(h) / n
    path = [x.copy()]
    for t in range(rounds):
        messages = []
        for i, g in enumerate(gradients(t, x)):
            if method == "econtrol":
                message = largest_kept(eta * e[i] + g - h[i], k)
                e[i] = e[i] + g - h[i] - message
                h[i] = h[i] + message
            elif method in ("ec", "ecideal"):
                g = g - (h_star[i] if method == "ecideal" else 0)
                message = largest_kept(e[i] + g, k)
                e[i] = e[i] + g - message
            elif method in ("ef21", "ef21sgdm"):
                v[i] = (1 - a) * v[i] + a * g if method == "ef21sgdm" else g
                message = largest_kept(v[i] - h[i], k)
                h[i] = h[i] + message
            else:
                message = largest_kept(g, k) if method == "csgd" else g
            messages.append(message)
        mean = sum(messages) / n
        server = server + mean
        x = x - gamma * (server if method in ("econtrol", "ef21", "ef21sgdm") else mean)
        path.append(x.copy())
    return np.array(path)


@pytest.mark.parametrize("method", ec.METHODS)
@pytest.mark.parametrize("init", ["gradient", "compressed"])
def test_every_method_is_its_loop_over_clients(method, init):
    clients, x0, rounds = problem(), start(D), 25
    noise = [tasks.gaussian_noise(3.0, D)((N,), lesson.generator(9, t)) for t in range(rounds)]

    def gradients(t, x):
        return (clients.gradients(torch.as_tensor(x)) + noise[t]).numpy()

    sent = ec.ECSimulator(method, N, 0.05, TopK(K), 0.3, init=init, h_star=clients.h_star)
    x, path = x0, [x0]
    for t in range(rounds):
        grads = torch.from_numpy(gradients(t, x))
        if t == 0:
            sent.init(x, grads)
        x = sent.step(x, grads)
        path.append(x)
    expected = loop(method, gradients, x0.numpy(), rounds, 0.05, 0.3, h_star=clients.h_star.numpy(),
                    whole=init == "gradient")
    assert relative(torch.stack(path), torch.from_numpy(expected)) < ROUNDING


def test_the_gain_enters_the_message_and_not_the_sum():
    e, h, g = start(4, D, seed=1), start(4, D, seed=2), start(4, D, seed=3)
    message, e_new, h_new = ec.econtrol_step(e, h, g, 0.25, TopK(K))
    assert torch.equal(message, TopK(K)(g - h + 0.25 * e))
    assert relative(e_new, e + g - h - message) < ROUNDING
    assert relative(e_new, e + g - h_new) < ROUNDING
    assert torch.equal(h_new, h + message)
    again = ec.econtrol_step(e, h, g, 0.25, TopK(K))  # and the arguments were left alone
    assert all(torch.equal(a, b) for a, b in zip(again, (message, e_new, h_new), strict=True))


# ---- limits and invariants -------------------------------------------------------------------------------------------

NOISE, TOP = tasks.gaussian_noise(4.0, D), TopK(K)


def histories(
    methods=ec.METHODS, rounds=60, compressor=TOP, gamma=0.05, eta=0.2, zeta=5.0, noise=NOISE, seeds=(3, 4)
):
    clients = problem(zeta, list(seeds))
    plans = {name: ec.Plan(name, gamma, eta, track=("e_norm", "grad_sq")) for name in methods}
    return ec.run_all(clients, plans, rounds, compressor=compressor, x0=start(len(seeds), D), noise=noise, seeds=seeds)


def test_with_nothing_left_out_all_methods_but_momentum_are_sgd():
    made = histories(compressor=TopK(D))
    for name, history in made.items():
        if name != "ef21sgdm":
            assert relative(history.x, made["sgd"].x) < ROUNDING, name
            assert relative(history.dist_sq, made["sgd"].dist_sq) < ROUNDING, name
    assert float(made["econtrol"].e_norm.max()) < ROUNDING


def test_without_gain_econtrol_is_ef21_and_without_memory_momentum_is_too():
    made = histories(("ef21", "econtrol"), eta=0.0)
    assert relative(made["econtrol"].dist_sq, made["ef21"].dist_sq) < ROUNDING
    with_all = ec.run(problem(5.0, [3, 4]), "ef21sgdm", 0.05, 60, compressor=TopK(K), x0=start(2, D), noise=NOISE,
                      seeds=(3, 4), momentum=1.0)
    assert relative(with_all.dist_sq, made["ef21"].dist_sq) < ROUNDING
    assert relative(histories(("econtrol",), eta=0.3)["econtrol"].dist_sq, made["ef21"].dist_sq) > 1e-3


def followed(method, rounds=50, eta=0.2):
    """All gradients, estimates and errors of one run."""
    clients, x = problem(), start(D)
    noise, dice = tasks.gaussian_noise(4.0, D), lesson.generator(5)
    sent, rows = ec.ECSimulator(method, N, 0.05, TopK(K), eta), []
    for t in range(rounds):
        g = clients.gradients(x) + noise((N,), dice)
        if t == 0:
            sent.init(x, g)
        x = sent.step(x, g)
        rows.append((g, x, dict(sent.state)))
    return rows


def test_the_error_is_the_sum_of_what_the_server_was_not_told():
    rows, total = followed("econtrol"), torch.zeros(N, D, dtype=torch.float64)
    for g, _, state in rows:
        total = total + g - state["h"]
        assert relative(state["e"], total) < 1e-11 or float(total.norm()) < ROUNDING


@pytest.mark.parametrize("method", ["econtrol", "ef21", "ef21sgdm"])
def test_the_server_knows_the_mean_of_the_estimates(method):
    for _, _, state in followed(method):
        assert relative(state["server"], state["h"].mean(0)) < ROUNDING


def test_the_virtual_iterate_of_error_compensation_is_sgd():
    x0, gamma, told = start(D), 0.05, torch.zeros(D, dtype=torch.float64)
    for g, x, state in followed("ec"):
        told = told + g.mean(0)
        assert relative(x - gamma * state["e"].mean(0), x0 - gamma * told) < ROUNDING


def test_at_the_minimum_the_ideal_method_rests_and_the_classic_one_does_not():
    clients = problem(5.0, [3])
    plans = {name: ec.Plan(name, 0.05) for name in ("ecideal", "ec")}
    made = ec.run_all(clients, plans, 30, compressor=TopK(K), x0=clients.x_star.clone())
    assert float(made["ecideal"].dist_sq.max()) < 1e-25
    assert float(made["ec"].dist_sq.max()) > 1e-4


@pytest.mark.parametrize("method", ec.METHODS)
def test_alike_clients_without_noise_converge_linearly_with_every_method(method):
    made = histories((method,), zeta=0.0, noise=None, rounds=800, eta=K / D)[method]
    first, middle, last = (made.dist_sq[:, k] for k in (0, 400, 800))
    assert bool((middle < 1e-3 * first).all())
    assert bool(((last < 1e-3 * middle) | (last < 1e-25)).all())


def test_with_noise_econtrol_keeps_the_level_of_sgd_and_ef21_does_not():
    made = histories(("sgd", "ef21", "econtrol", "ecideal"), rounds=1500, gamma=0.02, zeta=0.0, eta=K / D)
    sgd = made["sgd"].noise_error.mean()
    assert float(made["econtrol"].noise_error.mean() / sgd) < 1.5
    assert float(made["ef21"].noise_error.mean() / sgd) > 2
    assert float(made["ecideal"].noise_error.mean() / sgd) == pytest.approx(1, abs=0.05)


def test_the_noise_error_of_sgd_has_its_closed_form():
    """x <- (1 - gamma) x - gamma mean noise: E‖x‖² = gamma sigma²/(n (2 - gamma)) for curvature 1."""
    clients, sigma, gamma = ec.equal_quadratic(5, 40), 3.0, 0.05
    made = ec.run(clients, "sgd", gamma, 3000, compressor=TopK(1), x0=start(8, 40),
                  noise=tasks.gaussian_noise(sigma, 40), seeds=range(8))
    assert float(made.noise_error.mean()) == pytest.approx(gamma * sigma**2 / (5 * (2 - gamma)), rel=0.05)


# ---- the linear model ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """Keeps the share delta of every entry: the compressor of the linear model."""

    delta: float
    homogeneous: ClassVar[bool] = True
    random: ClassVar[bool] = False

    def __call__(self, x, generator=None):
        return self.delta * x

    def keep(self, x, generator=None):
        return None

    def alpha(self, d):
        return 1 - (1 - self.delta) ** 2

    def bits(self, d, *, value_bits=32, indices=True):
        return d * value_bits


@pytest.mark.parametrize(("delta", "eta"), [(0.1, 0.02), (0.1, 0.5), (0.5, 0.1), (0.3, 11.0), (1.0, 0.7)])
def test_the_linear_model_is_econtrol_with_a_linear_compressor(delta, eta):
    g = torch.ones(1, dtype=torch.float64)
    e, h, pair = torch.full_like(g, 0.7), torch.zeros_like(g), torch.tensor([0.7, 1.0], dtype=torch.float64)
    for _ in range(20):
        _, e, h = ec.econtrol_step(e, h, g, eta, Share(delta))
        pair = ec.linear_matrix(delta, eta) @ pair
        assert torch.allclose(torch.cat([e, g - h]), pair, rtol=1e-9, atol=1e-12)
    roots = ec.linear_model_roots(delta, eta)
    expected = np.linalg.eigvals(ec.linear_matrix(delta, eta).numpy())
    assert np.allclose(sorted(abs(expected)), sorted(roots.abs().tolist()), atol=1e-7)
    assert complex(roots.sum()) == pytest.approx(2 - delta - eta * delta, abs=1e-12)
    assert complex(roots.prod()) == pytest.approx(1 - delta, abs=1e-12)


@pytest.mark.parametrize("delta", [1e-4, 0.02, 0.1, 0.3, 0.9])
def test_the_roots_turn_complex_at_the_critical_gain_and_leave_the_circle_at_the_largest(delta):
    critical, largest = ec.critical_eta(delta), ec.largest_linear_eta(delta)
    assert critical == pytest.approx((1 - math.sqrt(1 - delta)) ** 2 / delta, rel=1e-6)
    assert bool((ec.linear_model_roots(delta, 0.999 * critical).imag == 0).all())
    above = ec.linear_model_roots(delta, 1.001 * critical)
    assert bool((above.imag != 0).all())
    assert above.abs().tolist() == pytest.approx([math.sqrt(1 - delta)] * 2)
    assert float(ec.linear_model_roots(delta, 0.999 * largest).abs().max()) < 1
    assert float(ec.linear_model_roots(delta, 1.001 * largest).abs().max()) > 1
    assert float(ec.linear_model_roots(delta, 0.0).abs().max()) == pytest.approx(1)  # e is never told


def test_the_critical_gain_decays_fastest():
    delta = 0.1
    radius = [float(ec.linear_model_roots(delta, eta).abs().max()) for eta in
              (0.3 * ec.critical_eta(delta), ec.critical_eta(delta) * 1.0001, 3 * ec.critical_eta(delta))]
    assert radius[0] > radius[1]
    assert radius[2] == pytest.approx(radius[1], rel=1e-9)
    assert ec.critical_eta(1.0) == 1.0


# ---- problems and noise ----------------------------------------------------------------------------------------------


def test_the_quadratics_are_what_they_are_said_to_be():
    n, d, zeta, seed = 10, 7, 3.0, 11
    made, raw = ec.koloskova_quadratic(n, d, zeta, seed), ec.koloskova_quadratic(n, d, zeta, seed, normalise=False)
    i = torch.arange(1, n + 1, dtype=torch.float64)
    assert torch.allclose(raw.L_i, i * i / n)
    assert float(made.L) == pytest.approx(1)
    assert float(made.L_i.max()) == pytest.approx(6 * n * n / ((n + 1) * (2 * n + 1)))
    b = start(n, d, seed=seed) * (zeta / i)[:, None]
    a, x = made.L_i.sqrt(), start(d, seed=1)
    assert torch.allclose(made.values(x), ((a[:, None] * x - b) ** 2).sum(1) / 2)
    assert torch.allclose(made.x_star, (a[:, None] * b).sum(0) / (a * a).sum())
    assert float(made.h_star.sum(0).norm()) < ROUNDING
    assert float(made.h_star.norm()) > 1
    assert float(ec.koloskova_quadratic(n, d, 0.0, seed).h_star.norm()) == 0
    stack = ec.koloskova_quadratic(n, d, zeta, [4, seed])
    assert torch.equal(stack.x_star[1], made.x_star)
    assert torch.equal(stack.part(2, 5).linear, stack.linear[:, 2:5])


def test_noise_has_mean_zero_and_the_stated_variance():
    draws = 60_000
    skewed = ec.skewed_noise(draws, lesson.generator(1))
    gauss = ec.gaussian_noise(3.0, 4)((draws,), lesson.generator(2))
    for noise, variance, fourth in ((skewed, 1.0, 16 * 0.09 / 3 + 0.09 / 3 + 25 * 0.09 / 3), (gauss, 9.0, 81 * 1.5)):
        error = noise.std(0) / math.sqrt(draws)
        assert bool((noise.mean(0).abs() < 3 * error).all())
        square = noise.square().sum(1)
        assert abs(float(square.mean()) - variance) < 3 * math.sqrt(fourth - variance**2) / math.sqrt(draws) + 1e-12
    values = {tuple(row) for row in (skewed / math.sqrt(0.3)).round().int().tolist()}
    assert values == {(-2, -1), (0, 1), (2, 0)}
    assert ec.skewed_noise((3, 5), lesson.generator(1)).shape == (3, 5, 2)


# ---- many runs at once -----------------------------------------------------------------------------------------------


def test_a_run_does_not_depend_on_who_runs_beside_it():
    together = histories(("ec", "econtrol"))
    for k, seed in enumerate((3, 4)):
        clients = problem(5.0, [seed])
        alone = ec.run(clients, "econtrol", 0.05, 60, eta=0.2, compressor=TopK(K), x0=start(2, D)[k : k + 1],
                       noise=NOISE, seeds=(seed,))
        assert torch.equal(alone.dist_sq[0], together["econtrol"].dist_sq[k])


def test_steps_and_gains_are_run_in_one_stack():
    gammas, etas = torch.tensor([0.01, 0.05]).double(), torch.tensor([[0.0], [0.1], [0.3]]).double()
    options = {"compressor": TopK(K), "x0": start(2, D), "noise": NOISE, "seeds": (3, 4)}
    stack = ec.run(problem(5.0, [3, 4]), "econtrol", gammas, 40, eta=etas, **options)
    assert stack.dist_sq.shape == (2, 3, 2, 41)
    alone = ec.run(problem(5.0, [3, 4]), "econtrol", float(gammas[1]), 40, eta=float(etas[1, 0]), **options)
    assert relative(stack.dist_sq[:, 1, 1], alone.dist_sq) < ROUNDING


def test_a_longer_run_begins_as_the_shorter_one():
    short, long = (histories(("econtrol",), rounds=rounds)["econtrol"] for rounds in (33, 60))
    assert torch.equal(short.dist_sq, long.dist_sq[:, :34])


def test_what_is_recorded():
    made = ec.run(problem(5.0, [3, 4]), "econtrol", 0.05, 10, eta=0.2, compressor=TopK(K), x0=start(2, D), noise=NOISE,
                  seeds=(3, 4), record_every=4, track=("grad_sq", "e_norm"))
    assert made.rounds.tolist() == [0, 4, 8, 10]
    message = K * (32 + 4)
    assert made.bits.tolist() == [32 * D + t * message for t in (0, 4, 8, 10)]
    assert torch.allclose(made.grad_sq, made.dist_sq, rtol=1e-9)  # curvature 1
    assert made.e_norm[:, 0].tolist() == [0.0, 0.0]
    assert torch.equal(made.final, made.dist_sq[:, -1])
    assert torch.allclose(made.noise_error, made.dist_sq[:, 2:].mean(-1))
    small = ec.run(problem(5.0, [3]), "ef21", 0.05, 2, compressor=TopK(K), x0=start(1, D), init="compressed")
    assert small.bits.tolist() == [message, 2 * message, 3 * message]
    for name, first, each in (("sgd", 0, 32 * D), ("ec", 0, message), ("csgd", 0, message)):
        assert histories((name,), rounds=3)[name].bits.tolist() == [first + t * each for t in range(4)]


def test_divergence_is_recorded_as_inf_and_stays():
    made = histories(("sgd",), gamma=2.5, rounds=400)["sgd"]
    gone = torch.isinf(made.dist_sq)
    assert bool(gone[:, -1].all())
    assert not bool(gone[:, 0].any())
    assert bool((gone.int().diff(dim=1) >= 0).all())
    assert torch.isinf(made.noise_error).all()
    assert not bool(torch.isnan(made.dist_sq).any())


def test_random_compressors_and_float32():
    sent = ec.ECSimulator("econtrol", N, 0.1, RandK(K), 0.2, generator=torch.Generator().manual_seed(0))
    clients, x = problem(), start(D)
    sent.init(x, clients.gradients(x))
    x = sent.step(x, clients.gradients(x))
    single = ec.ECSimulator("econtrol", 2, 0.1, TopK(1), 0.2)
    y, g = torch.zeros(3), torch.ones(2, 3)
    single.init(y, g)
    assert single.step(y, 2 * g).dtype == torch.float32
    assert histories(("econtrol",), compressor=NaturalRound(), rounds=5)["econtrol"].dist_sq.shape == (2, 6)


# ---- bad input -------------------------------------------------------------------------------------------------------

X2, G2 = torch.zeros(2, 3), torch.zeros(2, 4, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ec.ECSimulator("adam", 2, 0.1, TopK(1)), "method='adam'"),
        (lambda: ec.ECSimulator("econtrol", 2, 0.1, TopK(1)), "eta=None"),
        (lambda: ec.ECSimulator("econtrol", 2, 0.1, TopK(1), -0.1), "eta=-0.1"),
        (lambda: ec.ECSimulator("econtrol", 2, 0.1, TopK(1), math.nan), "eta=nan"),
        (lambda: ec.ECSimulator("econtrol", 2, 0.1, TopK(1), torch.tensor([0.1, -1.0])), "eta=tensor"),
        (lambda: ec.ECSimulator("sgd", 2, 0.0, TopK(1)), "gamma=0.0"),
        (lambda: ec.ECSimulator("sgd", 2, math.inf, TopK(1)), "gamma=inf"),
        (lambda: ec.ECSimulator("sgd", 2, "fast", TopK(1)), "gamma='fast'"),
        (lambda: ec.ECSimulator("sgd", 0, 0.1, TopK(1)), "n=0"),
        (lambda: ec.ECSimulator("ecideal", 2, 0.1, TopK(1)), "h_star=None"),
        (lambda: ec.ECSimulator("ec", 2, 0.1, RandK(1)), "generator=None"),
        (lambda: ec.ECSimulator("ef21", 2, 0.1, TopK(1), init="zero"), "init='zero'"),
        (lambda: ec.ECSimulator("ef21sgdm", 2, 0.1, TopK(1), momentum=0.0), "momentum=0.0"),
        (lambda: ec.ECSimulator("ec", 4, 0.1, TopK(1)).step(X2, G2), "before init"),
        (lambda: ec.ECSimulator("ec", 5, 0.1, TopK(1)).init(X2, G2), "grads has shape"),
        (lambda: ec.ECSimulator("ec", 4, 0.1, TopK(1)).init(X2, G2 / 0), "grads holds"),
        (lambda: ec.ECSimulator("ec", 4, 0.1, TopK(4)).init(X2, G2), "k=4"),
        (lambda: ec.run(problem(), "sgd", 0.1, 0, compressor=TopK(1), x0=start(1, D)), "rounds=0"),
        (lambda: ec.run(problem(), "sgd", 0.1, 5, compressor=TopK(1), x0=start(2, D)), "x0 has shape"),
        (lambda: ec.run(problem(), "sgd", 0.1, 5, compressor=TopK(1), x0=start(1, D) / 0), "x0 holds"),
        (lambda: ec.run(problem(5.0, [1, 2, 3]), "sgd", 0.1, 5, compressor=TopK(1), x0=start(1, D)), "seeds: 1 given"),
        (lambda: ec.run(problem(), "sgd", 0.1, 5, compressor=TopK(1), x0=start(1, D), track=("loss",)), "track='loss'"),
        (lambda: ec.run(problem(), "sgd", 0.1, 5, compressor=TopK(1), x0=start(1, D), record_every=0), "every=0"),
        (lambda: ec.run_all(problem(), {}, 5, compressor=TopK(1), x0=start(1, D)), "plans is empty"),
        (lambda: ec.econtrol_step(X2, X2, X2[:1], 0.1, TopK(1)), "shapes differ"),
        (lambda: ec.ef21_sgdm_step(X2, X2, X2, 1.5, TopK(1)), "momentum=1.5"),
        (lambda: ec.critical_eta(0.0), "delta=0.0"),
        (lambda: ec.critical_eta(1.1), "delta=1.1"),
        (lambda: ec.largest_linear_eta(math.nan), "delta=nan"),
        (lambda: ec.linear_model_roots(0.1, -1.0), "eta=-1.0"),
        (lambda: ec.koloskova_quadratic(0, 3, 1.0), "n=0"),
        (lambda: ec.koloskova_quadratic(3, 0, 1.0), "d=0"),
        (lambda: ec.koloskova_quadratic(3, 3, -1.0), "zeta=-1.0"),
        (lambda: ec.gaussian_noise(-1.0, 3), "sigma=-1.0"),
        (lambda: ec.gaussian_noise(1.0, 0), "d=0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the lesson's protocols ------------------------------------------------------------------------------------------


def test_every_claim_is_measured_at_smoke_size(monkeypatch):
    from gradscape.distributed.econtrol import real_runs

    monkeypatch.setattr(real_runs, "exchange", _not_really)
    settings = ec.Settings(profile="smoke", sizes="rounds:30,image_rounds:3")
    measured = ec.measure(settings)
    assert set(measured) == {claim.id for claim in ec.CLAIMS}
    for claim in ec.CLAIMS:
        lesson.judge(claim, measured[claim.id])


def _not_really(task):
    """The exchange without processes."""
    clients = task.clients(*task.arguments)
    message, memory = task.start(clients.gradients(task.x0), task.compressor)
    x, h, path = task.x0, message.mean(0), [task.x0]
    for _ in range(task.rounds):
        x = x - task.gamma * h
        path.append(x)
        message, memory = task.answer(memory, clients.gradients(x), task.compressor)
        h = h + message.mean(0)
    from gradscape.distributed.wire import WireLog

    return WireLog(torch.stack(path), 0, 0, 0)


def test_point_names_what_an_explorer_shows():
    found = ec.point(ec.Settings(profile="smoke")).scalars
    assert found["error_sgd"] > 0
    assert found["critical_eta_ratio"] == pytest.approx(ec.critical_eta(0.1) / 0.1)
    made = ec.own(ec.Settings(profile="smoke"))
    assert set(made.histories) == set(experiments.TUNED)
    assert made.eta == pytest.approx(0.1)
    sweep = ec.own_sweep(ec.Settings(profile="smoke"))
    assert sweep.econtrol.shape == (3, 5)
    assert sweep.ratios[0] == pytest.approx(1e-3)


def test_starts_lie_ten_away():
    task = ec.quadratics(0, 50, 4, 100, 10.0)
    assert float((task.x0 - task.problem.x_star).square().sum(1).mean()) == pytest.approx(100, rel=0.1)
    assert len({float(x) for x in task.x0[:, 0]}) == 50


def test_exercise_functions_at_small_size():
    assert ec.largest_gain_holds(1.0, seeds=3, rounds=50, d=20) == 1.0
    assert ec.largest_gain_holds(1000.0, seeds=3, rounds=400, d=20) == 0.0
    assert 0 < ec.error_at(4, seeds=1, rounds=60, d=10) < 1000


@pytest.mark.parametrize("name", ["methods", "tasks", "optimizer", "simulator"])
def test_examples(name):
    module = importlib.import_module(f"gradscape.distributed.econtrol.{name}")
    assert doctest.testmod(module).failed == 0


def test_noise_blocks_hide_nothing():
    draws = simulator.Draws(tasks.gaussian_noise(1.0, 2), [7, 8], 3)
    seen = torch.stack([draws.at(t) for t in range(2 * simulator.BLOCK)])
    again = tasks.gaussian_noise(1.0, 2)((simulator.BLOCK, 3), lesson.generator(8, simulator.NOISE_STREAM))
    assert torch.equal(seen[: simulator.BLOCK, 1], again)
    assert seen.flatten(1).unique(dim=0).shape[0] == len(seen)
    assert simulator.Draws(None, [7], 3).at(5) is None
