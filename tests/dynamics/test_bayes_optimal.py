"""The optimum against limits, recorded values, adaptive integrals and simulation; GAMP, least squares and descent."""
from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from gradscape.dynamics import bayes_optimal as bo
from gradscape.dynamics.bayes_optimal.gamp import prepare
from gradscape.lesson import generator, judge, replicate_seed
from gradscape.numerics import rmt
from hypothesis import given, settings
from hypothesis import strategies as st

torch.set_num_threads(1)

# the authors' solvers take the density beside the real axis: 1e-4 without noise, further away with it
TABLE, NOISY_TABLE = 1e-4, 4e-3
RECORDED = json.loads((Path(__file__).parents[1] / "oracles" / "bayes_optimal.json").read_text())

# ---- the optimum -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "wanted"), [
    ((0.2, 0.5), 0.392196), ((0.3, 0.5), 0.128131), ((0.36, 0.5), 0.024905), ((0.25, 1.0), 0.374823),
    ((0.25, 5.0), 0.475000), ((0.2, 0.5, 0.25), 0.689747), ((0.3, 0.5, 0.0625), 0.339267),
])
def test_reference_values(at, wanted):
    assert bo.mmse(*at) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("curve", RECORDED["curves"], ids=lambda curve: curve["file"])
def test_the_authors_curves(curve):
    ours = [bo.mmse(alpha, curve["kappa"], curve["delta"]) for alpha in curve["alpha"]]
    assert ours == pytest.approx(curve["error"], abs=NOISY_TABLE if curve["delta"] else TABLE)


@pytest.mark.parametrize(("kappa", "q"), [(0.5, 3.0), (0.5, 200.0), (2.0, 0.7)])
def test_J_by_adaptive_quadrature(kappa, q):
    from scipy.integrate import quad

    edges = bo.support(kappa, q).reshape(-1, 2)

    def cubed(x: float) -> float:
        return float(np.roots([1 / q, -(x + kappa / q), 1 - kappa + kappa * x, -kappa]).imag.max() / math.pi) ** 3

    total = sum(quad(cubed, low, high, epsabs=1e-10, epsrel=1e-9, limit=200)[0] for low, high in edges)
    assert bo.J(q, kappa) == pytest.approx(4 * math.pi**2 / (3 * q) * total, rel=1e-6)


def test_limits_of_J_and_F():
    for kappa in (0.2, 0.5, 1.0, 3.0):
        assert bo.J(1e-6, kappa) == pytest.approx(1.0, abs=1e-4)
        assert bo.J(1e9, kappa) == pytest.approx(max(0.0, 1 - kappa) ** 2, abs=1e-4)
        assert bo.rie_mse(1e6, kappa) == pytest.approx(1 / kappa, rel=1e-4)  # nothing seen: the prior's variance
        values = bo.J(np.geomspace(1e-3, 1e8, 80), kappa)
        assert bool((np.diff(values) < 0).all())
    # a semicircle seen in a semicircle, F = D/(1 + D) in units of the prior's variance 1/κ
    D = np.array([0.1, 1.0, 7.0])
    assert bo.rie_mse(D / 1e6, 1e6) * 1e6 == pytest.approx(D / (1 + D), rel=2e-3)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 5), st.floats(0.02, 1.0), st.floats(0, 1))
def test_more_labels_help_and_noise_hurts(kappa, alpha, delta):
    error = bo.mmse(alpha, kappa, delta)
    assert -1e-12 <= error <= 1.0
    assert bo.mmse(alpha * 1.1, kappa, delta) <= error + 1e-9
    assert bo.mmse(alpha, kappa, delta + 0.1) >= error - 1e-9


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 5), st.floats(0.02, 0.98), st.floats(1e-3, 1))
def test_the_two_channels_agree(kappa, alpha, delta):
    """``q = 4α/(D̃ + 2F)`` on the side of the labels and ``error = κ F(1/q)`` on the side of the prior."""
    q = bo.overlap(alpha, kappa, delta)
    F = bo.rie_mse(1 / q, kappa)
    assert bo.mmse(alpha, kappa, delta) == pytest.approx(kappa * F, rel=1e-6, abs=1e-9)
    assert q == pytest.approx(4 * alpha / (bo.noise_to_effective(delta, kappa) + 2 * F), rel=1e-6)


def test_threshold_and_what_lies_above():
    assert [bo.recovery_threshold(kappa) for kappa in (0.5, 1.0, 4.0)] == [0.375, 0.5, 0.5]
    assert bo.mmse(0.376, 0.5) == 0.0
    assert bo.mmse(0.374, 0.5) > 1e-5
    assert bo.mmse(0.376, 0.5, 1e-3) > 0.0
    assert bo.overlap(0.5, 0.5) == math.inf


@pytest.mark.parametrize(("kappa", "delta"), [(0.1, 0.0), (0.5, 0.0), (0.5, 0.25), (5.0, 1.0)])
def test_curve_equals_single_points(kappa, delta):
    alphas = np.array([0.013, 0.05, 0.2, 0.37, 0.45, 0.6, 5.0])
    _, curve = bo.mmse_curve(kappa, delta, alphas)
    assert curve == pytest.approx([bo.mmse(a, kappa, delta) for a in alphas], abs=3e-5)
    own, errors = bo.mmse_curve(kappa, delta)
    assert bool((np.diff(own) > 0).all())
    assert bool((np.diff(errors) <= 1e-12).all())


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_state_evolution_ends_at_the_optimum(damping):
    for at in ((0.2, 0.5, 0.0), (0.25, 1.0, 0.0), (0.4, 0.5, 0.25)):
        path = bo.state_evolution(*at, rounds=150, damping=damping)
        assert path[0] == 1.0
        assert path[-1] == pytest.approx(bo.mmse(*at), abs=1e-6)
        assert bool((np.diff(path) < 1e-12).all())


# ---- model, denoiser and algorithm -----------------------------------------------------------------------------------


def test_labels_are_what_the_network_says():
    task = bo.teacher(30, 0.4, 0.5, 0.3, seed=1)
    assert (task.n, task.d, len(task.W), task.kappa, task.alpha) == (450, 30, 12, 0.4, 0.5)
    clean = bo.teacher(30, 0.4, 0.5, 0.0, seed=1)
    looped = torch.stack([((clean.W @ x) / math.sqrt(30)).square().mean() for x in clean.X])
    assert torch.allclose(clean.y, looped)
    assert torch.allclose(clean.y, bo.quadratic_form(clean.X, clean.S) / 30)


def test_noise_inside_the_neurons_has_the_effective_variance():
    clean, noisy = (bo.teacher(60, 0.5, 4.0, delta, seed=2) for delta in (0.0, 0.25))
    gap = math.sqrt(60) * (noisy.y - clean.y - 0.25)
    assert torch.equal(clean.X, noisy.X)
    # 14400 labels; their variance also fluctuates with the teacher, by O(1/√d)
    assert gap.var().item() == pytest.approx(bo.noise_to_effective(0.25, 0.5), rel=0.08)
    assert gap.mean().item() == pytest.approx(0.0, abs=0.08)


def test_error_is_the_excess_over_fresh_inputs():
    """``κ‖Ŝ - S‖²/d = (m/2) E (ŷ - y)²`` up to the trace's share, which is O(1/d)."""
    task = bo.teacher(60, 0.5, 0.1, seed=3)
    fresh = torch.randn(100_000, 60, generator=generator(9), dtype=torch.float64)
    estimate = torch.eye(60, dtype=torch.float64)
    estimate = estimate + (task.S.trace() / 60 - 1) * estimate
    excess = (bo.quadratic_form(fresh, estimate - task.S) / 60).square().mean() * 30 / 2
    assert excess.item() == pytest.approx(task.error(estimate).item(), rel=0.03)


@pytest.mark.parametrize(("kappa", "D"), [(0.5, 0.5), (0.5, 0.05), (2.0, 1.0)])
def test_rie_reaches_its_error(kappa, D):
    draws, d = generator(4), 400
    W = torch.randn(round(kappa * d), d, generator=draws, dtype=torch.float64)
    S = W.T @ W / len(W)
    found = bo.rie_denoise(S + math.sqrt(D) * bo.goe(d, draws), D, kappa)
    assert ((found - S).square().sum() / d).item() == pytest.approx(bo.rie_mse(D, kappa), rel=0.03)


def test_rie_is_batched_symmetric_and_equivariant():
    draws = generator(5)
    R = torch.randn(3, 12, 12, generator=draws, dtype=torch.float64)
    found = bo.rie_denoise(R, 0.3, 0.5)
    assert torch.allclose(found, found.mT)
    assert torch.allclose(found[1], bo.rie_denoise((R[1] + R[1].T) / 2, 0.3, 0.5))
    Q = torch.linalg.qr(torch.randn(12, 12, generator=draws, dtype=torch.float64)).Q
    assert torch.allclose(bo.rie_denoise(Q @ R[0] @ Q.T, 0.3, 0.5), Q @ found[0] @ Q.T)


def test_gamp_follows_state_evolution_round_by_round():
    runs = [bo.gamp_rie(bo.teacher(100, 0.5, 0.2, seed=seed), rounds=4, damping=0.0).history for seed in range(3)]
    predicted = bo.state_evolution(0.2, 0.5, rounds=4)[1:]
    # finite d: corrections of ten per cent at d = 100
    assert torch.stack(runs).mean(0).numpy() == pytest.approx(predicted, rel=0.15)


@pytest.mark.parametrize("sphere", [True, False])
def test_gamp_does_not_know_the_axes(sphere):
    task = bo.teacher(24, 0.5, 0.6, seed=6)
    Q = torch.linalg.qr(torch.randn(24, 24, generator=generator(7), dtype=torch.float64)).Q
    turned = bo.QuadraticTask(task.X @ Q.T, task.y, Q @ task.S @ Q.T, task.W @ Q.T, 0.0)
    one, two = (bo.gamp_rie(given, rounds=6, sphere=sphere) for given in (task, turned))
    assert torch.allclose(two.S_hat, Q @ one.S_hat @ Q.T, atol=1e-8)
    assert torch.allclose(one.history, two.history)


def test_sphere_is_the_same_problem_without_noise():
    task = bo.teacher(20, 0.5, 0.5, seed=8)
    X, labels, trace = prepare(task, sphere=True)
    assert torch.allclose(X.square().sum(-1), torch.full((task.n,), 20.0, dtype=torch.float64))
    assert trace is not None
    assert torch.allclose(labels, (bo.quadratic_form(X, task.S) / 20 - trace) * math.sqrt(20))


def test_gamp_stops_at_the_teacher_reports_rounds_and_takes_other_denoisers():
    task, seen = bo.teacher(40, 0.5, 0.7, seed=1), []
    run = bo.gamp_rie(task, rounds=200, callback=lambda number, estimate: seen.append(number))
    assert run.error < 0.01
    assert seen == list(range(1, len(run.history) + 1))
    mean = bo.Denoiser(lambda R, D, kappa: torch.eye(len(R), dtype=torch.float64), lambda D, kappa: 1 / kappa)
    assert bo.gamp_rie(task, denoiser=mean).converged


@pytest.mark.standard
def test_linear_shrinkage_ends_at_the_error_of_least_squares():
    linear = bo.Denoiser(
        lambda R, D, kappa: torch.eye(len(R), dtype=torch.float64) + (R - torch.eye(len(R))) / (1 + kappa * D),
        lambda D, kappa: D / (1 + kappa * D),
    )
    errors, squares = [], []
    for seed in range(4):
        task = bo.teacher(100, 0.5, 0.3, seed=seed)
        errors.append(bo.gamp_rie(task, denoiser=linear).error)
        squares.append(task.error(bo.least_squares(task)).item())
    assert np.mean(errors) == pytest.approx(0.4, rel=0.08)
    assert np.mean(squares) == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize("alpha", [0.3, 0.8])
def test_least_squares_is_the_pseudoinverse(alpha):
    task = bo.teacher(12, 1.0, alpha, 0.1, seed=9)
    flat = torch.einsum("ni,nj->nij", task.X, task.X).flatten(1) / 12
    shift = task.y - 0.1 - task.X.square().mean(-1)
    wanted = torch.eye(12, dtype=torch.float64) + (torch.linalg.pinv(flat) @ shift).reshape(12, 12)
    assert torch.allclose(bo.least_squares(task), wanted, atol=1e-6)


# ---- gradient descent ------------------------------------------------------------------------------------------------


def test_gradient_equals_automatic_differentiation():
    task, draws = bo.teacher(7, 0.6, 0.4, seed=2), generator(1)
    W = torch.randn(3, len(task.W), 7, generator=draws, dtype=torch.float64, requires_grad=True)
    targets = math.sqrt(len(task.W)) * task.y
    outputs = torch.einsum("bkd,nd->bkn", W, task.X).square().sum(1) / (7 * math.sqrt(len(task.W)))
    (0.25 * (outputs - targets).square().sum()).backward()
    made, residual = bo.gradient(W.detach(), task.X, targets)
    assert torch.allclose(made, W.grad)
    assert torch.allclose(residual, (outputs - targets).detach())


def test_descent_fits_noiseless_labels_and_starts_are_their_own():
    task = bo.teacher(20, 0.5, 0.2, seed=3)
    found = bo.quadratic_gd(task, starts=3, steps=600)
    fitted = torch.stack([bo.quadratic_form(task.X, S) / 20 for S in found])
    assert (fitted - task.y).abs().max().item() < 0.02
    again = bo.quadratic_gd(task, starts=3, steps=600)
    assert torch.equal(found, again)
    assert (found[0] - found[1]).abs().max().item() > 0.01
    plain = bo.quadratic_gd(task, starts=2, steps=50, lr=1e-3, optimizer="gd")
    assert torch.isfinite(plain).all()
    with pytest.raises(ValueError, match="diverged"):
        bo.quadratic_gd(task, starts=1, steps=200, lr=10.0, optimizer="gd")


def test_nishimori_of_exact_posterior_samples():
    """Truth and samples exchangeable: ratio 1, infinite average half of a single error."""
    draws = generator(2)
    center = torch.randn(30, 30, generator=draws, dtype=torch.float64)
    samples = center + torch.randn(401, 30, 30, generator=draws, dtype=torch.float64)
    told = bo.nishimori(samples[1:], samples[0], kappa=0.5)
    assert told["ratio"] == pytest.approx(1.0, rel=0.05)
    assert told["infinite"] == pytest.approx(told["single"] / 2, rel=0.1)
    pairs = [(samples[a] - samples[b]).square().sum() for a in range(1, 5) for b in range(1, 5) if a != b]
    few = bo.nishimori(samples[1:5], samples[0], kappa=0.5)
    singles = torch.stack([(samples[a] - samples[0]).square().sum() for a in range(1, 5)]).mean()
    assert few["ratio"] == pytest.approx((torch.stack(pairs).mean() / singles).item())
    assert few["averaged"] == pytest.approx(few["infinite"] + few["within"] / 4)


# ---- lesson ----------------------------------------------------------------------------------------------------------


def test_claims_are_measured_at_smoke_size_and_deterministic():
    small = bo.Settings(profile="smoke", seed=3)
    measured = bo.measure(small)
    assert set(measured) == {claim.id for claim in bo.CLAIMS}
    for claim in bo.CLAIMS:
        assert judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"
    assert judge(bo.CLAIMS[0], measured["C1"]).word == "reproduced"
    assert judge(bo.CLAIMS[1], measured["C1b"]).word == "holds"


def test_point_names_floats():
    scalars = bo.point(bo.Settings(profile="smoke", d=40, starts=3, alpha=0.3)).scalars
    assert all(math.isfinite(value) for value in scalars.values())
    assert scalars["optimal_error"] == pytest.approx(0.128131, abs=1e-6)
    assert scalars["recovery_threshold"] == 0.375


def test_students_never_start_at_the_teacher():
    seed = replicate_seed(0, 0)
    task = bo.teacher(20, 0.5, 0.2, seed=seed)
    start = bo.quadratic_gd(task, starts=1, steps=1, lr=1e-9, seed=seed)
    assert task.error(start[0]).item() > 1.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: bo.mmse(0.0, 0.5), "alpha"),
        (lambda: bo.mmse(math.nan, 0.5), "alpha"),
        (lambda: bo.mmse(0.1, -1.0), "kappa"),
        (lambda: bo.mmse(0.1, 0.5, -0.1), "delta"),
        (lambda: bo.J(0.0, 0.5), "q="),
        (lambda: bo.J("x", 0.5), "q="),
        (lambda: bo.rie_mse([1.0, math.inf], 0.5), "D="),
        (lambda: bo.mmse_curve(0.5, n=3), "n="),
        (lambda: bo.mmse_curve(0.5, alphas=[]), "alphas"),
        (lambda: bo.support(0.5, 0.0), "q="),
        (lambda: bo.spectral_density([math.nan], 0.5, 1.0), "x "),
        (lambda: bo.state_evolution(0.1, 0.5, rounds=0), "rounds"),
        (lambda: bo.state_evolution(0.1, 0.5, damping=1.0), "damping"),
        (lambda: bo.teacher(1, 0.5, 0.1), "d="),
        (lambda: bo.teacher(10, 0.01, 0.1), "kappa"),
        (lambda: bo.teacher(10, 0.5, 0.1, delta=math.inf), "delta"),
        (lambda: bo.rie_denoise(torch.zeros(2, 3), 1.0, 1.0), "R:"),
        (lambda: bo.rie_denoise(torch.full((2, 2), math.nan), 1.0, 1.0), "R "),
        (lambda: bo.rie_denoise(torch.zeros(2, 2), 0.0, 1.0), "D="),
        (lambda: bo.gamp_rie(bo.teacher(10, 0.5, 0.1), rounds=0), "rounds"),
        (lambda: bo.gamp_rie(bo.teacher(10, 0.5, 0.1), damping=1.0), "damping"),
        (lambda: bo.quadratic_gd(bo.teacher(10, 0.5, 0.1), optimizer="sgd"), "optimizer"),
        (lambda: bo.quadratic_gd(bo.teacher(10, 0.5, 0.1), lr=0.0), "lr"),
        (lambda: bo.quadratic_gd(bo.teacher(10, 0.5, 0.1), starts=0), "starts"),
        (lambda: bo.nishimori(torch.zeros(1, 3, 3), torch.zeros(3, 3)), "S_list"),
        (lambda: bo.nishimori(torch.zeros(3, 3, 3), torch.zeros(2, 2)), "S_true"),
        (lambda: bo.teacher(10, 0.5, 0.1).error(torch.zeros(3, 3)), "estimate"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_density_is_the_shared_law():
    h, rho = bo.spectral_density(np.linspace(-1, 6, 11), 0.5, 4.0)
    again = rmt.noisy_wishart_resolvent(torch.linspace(-1, 6, 11, dtype=torch.float64), 0.5, 0.25)
    assert np.allclose(h, again[0].numpy())
    assert np.allclose(rho, again[1].numpy())
