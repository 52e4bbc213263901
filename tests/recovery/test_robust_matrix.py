"""Robust matrix recovery: derivatives, invariances, starts, step rules and scaling functions against what is known."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.recovery import SubGM
from gradscape.recovery import robust_matrix as rm

torch.set_num_threads(1)

EXACT = 1e-12  # sums of order 1 in float64
SMALL = rm.make_problem(6, 2, 40, "outlier", seed=3)


def factor(problem: rm.RobustProblem, rank: int, seed: int = 0, *lead: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*problem.y.shape[:-1], *lead, problem.d, rank, generator=g, dtype=torch.float64)


def test_folding_keeps_inner_products_and_is_undone():
    g = torch.Generator().manual_seed(0)
    M, S = torch.randn(5, 5, generator=g, dtype=torch.float64), torch.randn(5, 5, generator=g, dtype=torch.float64)
    S = S + S.T
    assert float(rm.fold(M) @ rm.fold(S)) == pytest.approx(float((M * S).sum()), abs=EXACT)
    assert torch.allclose(rm.unfold(rm.fold(S), 5), S, atol=EXACT)
    assert torch.allclose(rm.unfold(rm.fold(M), 5), 0.5 * (M + M.T), atol=EXACT)


def test_residual_and_q_are_their_definitions():
    U = factor(SMALL, 3)
    plain = SMALL.A @ (U @ U.T).flatten() - SMALL.y
    assert torch.allclose(rm.residual(SMALL, U), plain, atol=EXACT)
    Q = (plain.sign() @ SMALL.A / SMALL.m).view(6, 6)
    assert torch.allclose(rm.q_matrix(SMALL, U), 0.5 * (Q + Q.T), atol=EXACT)
    assert float(rm.loss(SMALL, U)) == pytest.approx(float(plain.abs().mean()), rel=EXACT)


def test_subgradient_is_the_derivative_of_the_loss():
    U, H, step = factor(SMALL, 3), factor(SMALL, 3, 1), 1e-6
    numeric = (rm.loss(SMALL, U + step * H) - rm.loss(SMALL, U - step * H)) / (2 * step)
    assert float(numeric) == pytest.approx(float((rm.subgradient(SMALL, U) * H).sum()), rel=1e-6)
    leaf = U.clone().requires_grad_()
    rm.loss(SMALL, leaf).backward()
    assert torch.allclose(leaf.grad, rm.subgradient(SMALL, U), atol=1e-11)


def test_a_stack_runs_as_its_members_do_alone():
    problem = rm.make_problem(6, 2, 40, "outlier", seed=5, batch=2)
    U0 = 0.1 * factor(problem, 4, 2, 3)
    options = {"steps": 25, "eta0": 0.1, "rho": 0.98, "record_every": 5}
    together = rm.subgm(problem, U0, **options)
    assert together.error.shape == (2, 3, 6)
    for b in range(2):
        alone = rm.subgm(problem.member(b), U0[b : b + 1, 1], **options)
        assert torch.allclose(alone.error[0], together.error[b, 1], atol=1e-10)
    single = rm.make_problem(6, 2, 40, "outlier", seed=5)
    assert torch.equal(single.y, problem.y[0])


def test_rotating_the_factor_changes_nothing_and_zero_columns_stay_zero():
    U0 = 0.1 * factor(SMALL, 4)
    turn = torch.linalg.qr(factor(SMALL, 6, 4)[:4, :4]).Q
    options = {"steps": 30, "eta0": 0.1, "rho": 0.98}
    a, b = rm.subgm(SMALL, U0, **options), rm.subgm(SMALL, U0 @ turn, **options)
    assert torch.allclose(a.error, b.error, atol=1e-9)
    wide = rm.subgm(SMALL, torch.nn.functional.pad(U0, (0, 2)), **options)
    assert torch.allclose(wide.error, a.error, atol=1e-9)
    assert float(wide.U[:, 4:].abs().max()) == 0


def test_one_step_of_each_rule_by_hand():
    U0 = 0.5 * factor(SMALL, 3)
    Q = rm.q_matrix(SMALL, U0)
    direction = 2 * Q @ U0 / Q.norm()
    distance = float((U0 @ U0.T - SMALL.X).norm())
    sizes = {
        "geometric": 0.1, "constant": 0.1, "oracle": 0.1 * distance,
        "surrogate": 0.1 * math.sqrt(math.pi / 2) * float(rm.loss(SMALL, U0)),
    }
    for rule, size in sizes.items():
        moved = rm.subgm(SMALL, U0, steps=1, eta0=0.1, rule=rule, rho=0.9 if rule == "geometric" else None).U
        assert torch.allclose(moved, U0 - size * direction, atol=EXACT), rule
    two = rm.subgm(SMALL, U0, steps=2, eta0=0.1, rho=0.5).U
    after = U0 - 0.1 * direction
    Q = rm.q_matrix(SMALL, after)
    assert torch.allclose(two, after - 0.05 * 2 * Q @ after / Q.norm(), atol=EXACT)


def test_without_noise_the_oracle_rule_converges_geometrically_and_the_surrogate_follows():
    problem = rm.make_problem(8, 2, 160, "none", seed=1)
    U0 = rm.spectral_start(problem, 2, 0.5)
    for rule in ("oracle", "surrogate"):
        error = rm.subgm(problem, U0, steps=150, eta0=0.1, rule=rule, record_every=50).error
        assert bool((error[1:] < 0.2 * error[:-1]).all()), rule


def test_the_constant_rule_stalls_at_its_step():
    problem = rm.make_problem(8, 2, 160, "none", seed=1)
    final = rm.subgm(problem, rm.spectral_start(problem, 2, 0.5), steps=400, eta0=0.1, rule="constant").final
    assert 5e-3 < float(final) < 0.3


def test_zero_is_a_stationary_point():
    zero = torch.zeros(6, 3, dtype=torch.float64)
    assert float(rm.subgm(SMALL, zero, steps=3, eta0=0.1, rho=0.9).U.abs().max()) == 0


def test_starts():
    C = (SMALL.y.sign() @ SMALL.A / SMALL.m).view(6, 6)
    values, vectors = torch.linalg.eigh(0.5 * (C + C.T))
    U0 = rm.spectral_start(SMALL, 6, 1e-3)
    best = (vectors * values.clamp(min=0)) @ vectors.T
    assert torch.allclose(U0 @ U0.T, 1e-6 * best, atol=1e-18)
    assert float(torch.linalg.matrix_norm(U0, 2)) == pytest.approx(1e-3 * float(values[-1]) ** 0.5, rel=1e-9)
    assert torch.equal(rm.identity_start(SMALL, 2, 0.3), 0.3 * torch.eye(6, 2, dtype=torch.float64))
    wide = rm.random_start(rm.make_problem(40, 1, 5), 40, 0.2, torch.Generator().manual_seed(0))
    assert float(wide.std()) == pytest.approx(0.2 / math.sqrt(40), rel=0.06)


def test_geometric_schedule():
    rho, horizon = rm.geometric_schedule(0.15, 1e-8)
    assert rho == pytest.approx(0.99593, abs=5e-6)
    assert horizon == pytest.approx(2827, abs=1)
    assert rho**horizon == pytest.approx(1e-5, rel=0.05)
    assert 1 - rm.geometric_schedule(0.15, 1e-8, 3.0)[0] == pytest.approx((1 - rho) / 3)


@pytest.mark.parametrize(("noise", "norm", "value"), [
    ({"noise": "none"}, 1.0, 0.7979), ({"noise": "outlier", "p": 0.3, "scale": 10.0}, 1.0, 0.5823),
    ({"noise": "gaussian", "nu": 1.0}, 0.1, 0.0794), ({"noise": "gaussian", "nu": 1.0}, 1.0, 0.5642),
])
def test_phi_is_the_mean_that_it_stands_for(noise, norm, value):
    assert float(rm.phi(norm, **noise)) == pytest.approx(value, abs=5e-5)
    g, n = torch.Generator().manual_seed(0), 400_000
    a = norm * torch.randn(n, generator=g, dtype=torch.float64)
    product = a * (a - rm.Noise.of(**noise).draw(n, g)).sign() / norm
    assert abs(float(product.mean()) - value) < 4 * float(product.std()) / math.sqrt(n) + 5e-5


def test_phi_without_noise_is_the_limit():
    clean = math.sqrt(2 / math.pi)
    assert float(rm.phi(0.3, "gaussian", nu=0.0)) == pytest.approx(clean, rel=EXACT)
    assert float(rm.phi(0.3, "outlier", p=0.0)) == pytest.approx(clean, rel=EXACT)
    both = rm.phi(torch.tensor([0.5, 2.0]), "both", 0.2, 5.0, 0.7)
    parts = 0.8 * rm.phi(torch.tensor([0.5, 2.0]), "gaussian", nu=0.7) + 0.2 * rm.phi(
        torch.tensor([0.5, 2.0]), "gaussian", nu=5.0)
    assert torch.allclose(both, parts, atol=EXACT)


def test_truncated_norms_and_sign_rip_of_a_perfect_set():
    M = torch.diag(torch.tensor([3.0, 4.0, 12.0], dtype=torch.float64))
    assert [float(rm.truncated_frobenius(M, k)) for k in (1, 2, 3)] == pytest.approx([12.0, math.sqrt(160), 13.0])
    g = torch.Generator().manual_seed(1)
    A, X = torch.randn(4000, 16, generator=g, dtype=torch.float64), torch.diag(torch.tensor([1.0, 2, 0, 0])).double()
    found = rm.sign_rip(A, torch.zeros(4000).double(), X[None], 2, float(rm.phi(1.0)))
    assert float(found.alignment) == pytest.approx(math.sqrt(2 / math.pi), abs=0.04)
    assert 0 < float(found.delta) < 0.15


def test_identity_measurements_are_exact_robust_pca():
    X = torch.zeros(4, 4, dtype=torch.float64)
    X[0, 0] = 1.0
    A = torch.eye(16, dtype=torch.float64)
    y = X.flatten().clone()
    y[5] = 7.0  # one entry of sixteen is grossly wrong
    problem = rm.RobustProblem(A, y, X, torch.eye(4, 1, dtype=torch.float64))
    final = rm.subgm(problem, rm.identity_start(problem, 1, 0.5), steps=400, eta0=0.1, rho=0.96).final
    assert float(final) < 1e-4


def test_small_starts_recover_with_more_columns_than_needed_and_least_squares_does_not():
    problem = rm.make_problem(10, 1, 200, "outlier", seed=2)
    rho, horizon = rm.geometric_schedule(0.2, 1e-4)
    tiny = rm.subgm(problem, rm.spectral_start(problem, 10, 1e-4), steps=horizon, eta0=0.2, rho=rho, record_every=50)
    large = rm.subgm(problem, rm.spectral_start(problem, 10, 0.5), steps=horizon, eta0=0.2, rho=rho, record_every=50)
    squares = rm.gradient_descent_l2(problem, rm.spectral_start(problem, 10, 0.1), 500, 0.05, record_every=50)
    assert float(tiny.final) < 1e-3
    assert float(tiny.final) < 0.2 * float(large.final)
    assert float(squares.error.amin()) > 0.1


def test_parts_of_a_factor_add_up_and_a_diverging_run_keeps_nan():
    U = factor(SMALL, 4)
    trace = rm.subgm(SMALL, U, steps=1, eta0=1e-9, rho=0.5)
    S, E = SMALL.V.T @ U, U - SMALL.V @ (SMALL.V.T @ U)
    P = torch.linalg.pinv(S) @ S
    assert float(trace.spurious[0]) == pytest.approx(float((E @ (torch.eye(4).double() - P)).norm()), rel=1e-9)
    assert float(trace.signal_min[0]) == pytest.approx(float(torch.linalg.svdvals(S)[-1]), rel=1e-9)
    assert float(trace.residual_norm[0]) == pytest.approx(float(torch.linalg.svdvals(E)[0]), rel=1e-9)
    exact = rm.subgm(SMALL, factor(SMALL, 2), steps=1, eta0=1e-9, rho=0.5)
    assert float(exact.spurious[0]) < 1e-14
    lost = rm.gradient_descent_l2(SMALL, 10 * U, 40, 10.0)
    assert not bool(lost.error[-1].isfinite())
    assert bool(lost.spurious[-1].isnan())
    light = rm.gradient_descent_l2(SMALL, U, 3, 1e-3, spectra=False)
    assert torch.equal(light.error, rm.gradient_descent_l2(SMALL, U, 3, 1e-3).error)
    assert bool(light.signal_min.isnan().all())


def test_least_squares_takes_the_step_of_its_gradient():
    U = factor(SMALL, 2)
    leaf = U.clone().requires_grad_()
    (0.5 * rm.residual(SMALL, leaf).square().mean()).backward()
    assert torch.allclose(rm.gradient_descent_l2(SMALL, U, 1, 0.01).U, U - 0.01 * leaf.grad, atol=1e-10)


@pytest.mark.parametrize("foreach", [False, True])
def test_the_optimizer_takes_the_same_path(foreach):
    U0 = 0.1 * factor(SMALL, 4)
    wanted = rm.subgm(SMALL, U0, steps=20, eta0=0.1, rho=0.97).U
    U = torch.nn.Parameter(U0.clone())

    def norm():
        return rm.q_matrix(SMALL, U.detach()).norm()

    def closure():
        U.grad = None
        value = rm.loss(SMALL, U)
        value.backward()
        return value.item()

    optimizer = SubGM([U], lr=0.1, rho=0.97, norm_fn=norm, foreach=foreach)
    for step in range(20):
        if step == 10:  # a saved run goes on where it stopped
            state = optimizer.state_dict()
            optimizer = SubGM([U], norm_fn=norm)
            optimizer.load_state_dict(state)
        optimizer.step(closure)
    assert torch.allclose(U.detach(), wanted, atol=1e-9)


SPARSE = torch.sparse_coo_tensor([[0]], [1.0], (3,), check_invariants=True)


@pytest.mark.parametrize("wrong", [SPARSE, torch.ones(3, dtype=torch.complex64)], ids=["sparse", "complex"])
def test_the_optimizer_refuses_gradients_before_anything_moves(wrong):
    good = torch.nn.Parameter(torch.ones(3))
    bad = torch.nn.Parameter(torch.ones(3, dtype=wrong.dtype))
    good.grad, bad.grad = torch.ones(3), wrong
    optimizer = SubGM([{"params": [good]}, {"params": [bad]}])
    with pytest.raises(RuntimeError, match="SubGM does not support"):
        optimizer.step()
    assert torch.equal(good, torch.ones(3))
    assert [group["t"] for group in optimizer.param_groups] == [0, 0]


def test_a_stopped_run_keeps_what_it_has():
    U0, asked = 0.1 * factor(SMALL, 2), []

    def stop():
        asked.append(True)
        return len(asked) == 3

    options = {"steps": 20, "eta0": 0.1, "rho": 0.97, "record_every": 4}
    short, whole = rm.subgm(SMALL, U0, stop=stop, **options), rm.subgm(SMALL, U0, **options)
    assert short.steps.tolist() == [0, 4, 8]
    assert torch.equal(short.error, whole.error[:3])


def test_groups_keep_their_own_schedules_and_a_norm_of_zero_moves_nothing():
    a, b = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    a.grad = b.grad = torch.ones(2)
    optimizer = SubGM([{"params": [a], "lr": 1.0, "rho": 0.5}, {"params": [b], "lr": 0.1, "rho": 1.0}])
    optimizer.step()
    optimizer.step()
    assert torch.allclose(a, torch.full((2,), -1.5))
    assert torch.allclose(b, torch.full((2,), -0.2))
    optimizer.norm_fn = lambda: 0.0
    optimizer.step()
    assert torch.allclose(a, torch.full((2,), -1.5))
    optimizer.norm_fn = lambda: math.nan
    with pytest.raises(ValueError, match="norm_fn"):
        optimizer.step()


def test_a_scheduler_scales_the_optimizers_steps():
    p = torch.nn.Parameter(torch.zeros(1))
    p.grad = torch.ones(1)
    optimizer = SubGM([p], lr=1.0, rho=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert p.item() == pytest.approx(-1.1)


def test_sign_rip_of_the_settings_is_a_row_of_the_study():
    settings = rm.Settings(profile="smoke", p=0.0)
    own, study = rm.own_rip(settings, 1.0), rm.rip_study(settings)
    assert own.phi == pytest.approx(math.sqrt(2 / math.pi))
    assert torch.allclose(own.delta, study.delta[study.noises.index("none"), study.norms.index(1.0)], atol=1e-12)


@pytest.mark.standard
def test_a_schedule_for_a_large_start_freezes_a_small_one():
    choices = rm.other_choices(rm.Settings())
    own, borrowed, oracle, surrogate, constant = (float(trace.final) for trace in choices.rules.values())
    assert borrowed > 0.99  # total step 4.6, and (√3/2) ln 1e6 = 12 are needed
    assert max(own, oracle) < 1e-5
    assert min(surrogate, constant) > 0.05


@pytest.mark.parametrize(("call", "message"), [
    (lambda: rm.make_problem(3, 4, 10), "r=4"), (lambda: rm.make_problem(3, 1, 0), "m=0"),
    (lambda: rm.make_problem(3, 1, 5, p=1.0), "p=1.0"), (lambda: rm.make_problem(3, 1, 5, kappa=0.5), "kappa=0.5"),
    (lambda: rm.make_problem(3, 1, 5, "loud"), "noise='loud'"),
    (lambda: rm.from_matrix(-torch.eye(3), 5), "eigenvalue"),
    (lambda: rm.from_matrix(torch.tensor([[0.0, 1.0], [0.0, 0.0]]), 5), "symmetric"),
    (lambda: rm.from_matrix(torch.full((2, 2), math.nan), 5), "NaN"),
    (lambda: rm.loss(SMALL, torch.ones(5, 2).double()), "U has shape"),
    (lambda: rm.loss(SMALL, torch.ones(6, 2)), "U is"),
    (lambda: rm.subgm(SMALL, torch.ones(6, 2).double(), steps=1, eta0=0.1, rho=1.5), "rho=1.5"),
    (lambda: rm.subgm(SMALL, torch.ones(6, 2).double(), steps=1, eta0=0.1), "needs rho"),
    (lambda: rm.subgm(SMALL, torch.ones(6, 2).double(), steps=1, eta0=0.1, rule="best"), "rule='best'"),
    (lambda: rm.spectral_start(SMALL, 7, 0.1), "rank=7"), (lambda: rm.spectral_start(SMALL, 2, -1.0), "alpha=-1.0"),
    (lambda: rm.geometric_schedule(0.1, 2.0), "alpha_ref=2.0"), (lambda: rm.phi(0.0), "norm=0.0"),
    (lambda: rm.truncated_frobenius(torch.eye(3), 4), "k=4"),
    (lambda: rm.sign_rip(torch.ones(5, 9), torch.zeros(4), torch.eye(3)[None], 1, 0.8), "noise_vector"),
    (lambda: rm.gradient_descent_l2(SMALL, torch.ones(6, 2).double(), 5, -0.1), "lr=-0.1"),
    (lambda: SubGM([torch.nn.Parameter(torch.ones(1))], rho=0.0), "rho=0.0"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        call()
