"""Blind gain calibration: derivatives, steps, projections and starts against what is known of them."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.recovery import blind_calibration as bc
from gradscape.recovery import calibration_problem as offered
from gradscape.recovery.blind_calibration.descent import exact_step

torch.set_num_threads(1)

EXACT = 1e-12  # sums of order 1 in float64
DERIVATIVE = 1e-10  # autograd's own rounding
SMALL = bc.calibration_problem(6, 5, 4, 0.5, seed=1)
SOLVED = bc.calibration_problem(16, 16, 8, 0.9, seed=2, batch=3)


def somewhere(problem: bc.CalibrationProblem, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A signal and gains of mean 1 near the truth, but not there."""
    g = torch.Generator().manual_seed(seed)
    xi = problem.x + 0.3 * torch.randn(problem.x.shape, generator=g, dtype=torch.float64)
    e = bc.project_zero_mean(torch.randn(problem.g.shape, generator=g, dtype=torch.float64))
    return xi, 1 + 0.2 * e


def test_problem_is_the_model():
    made = bc.calibration_problem(7, 5, 3, 0.8, seed=4)
    for snapshot in range(3):
        assert torch.allclose(made.y[snapshot], made.g * (made.A[snapshot] @ made.x), atol=EXACT)
    assert float(made.g.mean()) == pytest.approx(1, abs=EXACT)
    assert float((made.g - 1).abs().max()) == pytest.approx(0.8, abs=EXACT)
    assert float(made.x.norm()) == pytest.approx(1, abs=EXACT)
    assert (made.n, made.m, made.p) == (7, 5, 3)
    assert made.ratio == pytest.approx(15 / 11)
    assert offered is bc.calibration_problem


def test_a_batch_is_its_members_and_noise_changes_nothing_else():
    batch = bc.calibration_problem(4, 5, 2, 0.3, seed=9, batch=2)
    alone = bc.calibration_problem(4, 5, 2, 0.3, seed=9)
    assert torch.equal(batch.y[0], alone.y)
    assert torch.equal(batch.member(1).x, batch.x[1])
    noisy = bc.calibration_problem(4, 5, 2, 0.3, seed=9, noise=0.1)
    twice = bc.calibration_problem(4, 5, 2, 0.3, seed=9, noise=0.2)
    assert torch.equal(noisy.A, alone.A)
    assert torch.allclose(twice.y - alone.y, 2 * (noisy.y - alone.y), atol=EXACT)
    assert 0.02 < float((noisy.y - alone.y).std()) < 0.2


def test_signs_and_given_parts():
    x, g = torch.arange(1.0, 5.0), torch.tensor([0.01, 1.5, 1.49])
    made = bc.calibration_problem(4, 3, 2, 0.0, ensemble="rademacher", x=x, g=g.double() / g.double().mean())
    assert set(made.A.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(made.x, x.double())
    assert float(bc.calibration_problem(4, 1, 2, 0.9).g) == 1


def test_loss_and_gradients_by_autograd():
    xi, gamma = (value.requires_grad_() for value in somewhere(SMALL))
    value = bc.loss(SMALL.A, SMALL.y, xi, gamma)
    by_hand = sum(float((gamma * (A @ xi) - y).detach().square().sum()) for A, y in zip(SMALL.A, SMALL.y, strict=True))
    assert float(value.detach()) == pytest.approx(by_hand / (2 * 5 * 4), rel=EXACT)
    value.backward()
    with torch.no_grad():
        by_xi, by_gamma = bc.gradients(SMALL.A, SMALL.y, xi, gamma)
    assert torch.allclose(by_xi, xi.grad, atol=DERIVATIVE)
    assert torch.allclose(by_gamma, gamma.grad, atol=DERIVATIVE)


def test_the_truth_is_a_zero_of_loss_and_gradients():
    assert float(bc.loss(SMALL.A, SMALL.y, SMALL.x, SMALL.g)) < EXACT
    for gradient in bc.gradients(SMALL.A, SMALL.y, SMALL.x, SMALL.g):
        assert float(gradient.abs().max()) < EXACT


def test_batched_and_operator_forms_agree():
    xi, gamma = somewhere(SOLVED)
    together = bc.gradients(SOLVED.A, SOLVED.y, xi, gamma)
    for b in range(3):
        for whole, one in zip(together, bc.gradients(SOLVED.A[b], SOLVED.y[b], xi[b], gamma[b]), strict=True):
            assert torch.allclose(whole[b], one, atol=EXACT)
    signed = bc.calibration_problem(9, 6, 4, 0.5, ensemble="rademacher", seed=3)
    masks = bc.SignMasks(signed.A)
    xi, gamma = somewhere(signed)
    assert torch.allclose(masks.matvec(xi), signed.A @ xi, atol=EXACT)
    for a, b in zip(bc.gradients(masks, signed.y, xi, gamma), bc.gradients(signed.A, signed.y, xi, gamma), strict=True):
        assert torch.allclose(a, b, atol=EXACT)
    assert torch.allclose(bc.backprojection(masks, signed.y), bc.backprojection(signed.A, signed.y), atol=EXACT)
    Z = torch.linalg.qr(torch.eye(9, 9, dtype=torch.float64) + 0.1).Q[:, :4]
    for basis in (None, Z):
        dense, applied = (bc.calibrate(A, signed.y, Z=basis, max_iter=40) for A in (signed.A, masks))
        assert torch.allclose(dense.x, applied.x, atol=1e-10)
        assert torch.allclose(dense.g, applied.g, atol=1e-10)


def test_start_is_right_on_average():
    made = bc.calibration_problem(5, 8, 2, 0.9, seed=0)
    starts = []
    for seed in range(500):
        other = bc.calibration_problem(5, 8, 2, 0.9, x=made.x, g=made.g, seed=seed)
        starts.append(bc.backprojection(other.A, other.y))
    drawn = torch.stack(starts)
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert bool(((drawn.mean(0) - made.x).abs() < 3 * error).all())


def test_start_error_by_gaussian_moments():
    made = bc.calibration_problem(64, 64, 8, 0.1, seed=5, batch=20)
    squared = (bc.backprojection(made.A, made.y) - made.x).square().sum(-1)
    # Gaussian rows: E|xi_0 - x|² = (n + 1) mean(g²) / (mp) for a signal of norm 1
    assert float(squared.mean()) == pytest.approx(65 * float(made.g.square().mean()) / 512, rel=0.1)


def test_box_projection_is_the_quadratic_program():
    optimize = pytest.importorskip("scipy.optimize")
    g = torch.Generator().manual_seed(0)
    gamma = 1 + torch.randn(50, 4, generator=g, dtype=torch.float64)
    found = bc.project_gain_box(gamma, 0.6)
    for wanted, got in zip(gamma.numpy(), found.numpy(), strict=True):
        made = optimize.minimize(
            lambda e, wanted=wanted: ((1 + e - wanted) ** 2).sum(), np.zeros(4), bounds=[(-0.6, 0.6)] * 4,
            constraints={"type": "eq", "fun": lambda e: e.sum()}, method="SLSQP", options={"ftol": 1e-15},
        )
        assert np.abs(1 + made.x - got).max() < 1e-6
    assert torch.allclose(bc.project_gain_box(found, 0.6), found, atol=EXACT)
    assert float((found.mean(-1) - 1).abs().max()) < EXACT
    other = 1 + torch.randn(50, 4, generator=g, dtype=torch.float64)
    moved = (bc.project_gain_box(other, 0.6) - found).norm(dim=-1)
    assert bool((moved <= (other - gamma).norm(dim=-1) + EXACT).all())
    inside = torch.tensor([0.7, 1.3, 1.0])
    assert torch.allclose(bc.project_gain_box(inside, 0.5), inside)
    assert torch.allclose(bc.project_gain_box(gamma, 0.0), torch.ones_like(gamma))


def test_line_search_steps_leave_no_slope():
    xi, gamma = somewhere(SMALL)
    run = bc.calibrate(SMALL.A, SMALL.y, xi0=xi, gamma0=gamma, max_iter=1)
    by_xi, by_gamma = bc.gradients(SMALL.A, SMALL.y, xi, gamma)
    turn = bc.project_zero_mean(by_gamma)
    mu_xi, mu_gamma = float(run.mu_xi[0]), float(run.mu_gamma[0])
    assert mu_xi > 0
    assert mu_gamma > 0
    after, _ = bc.gradients(SMALL.A, SMALL.y, xi - mu_xi * by_xi, gamma)
    assert float(after @ by_xi) == pytest.approx(0, abs=1e-10)
    _, after = bc.gradients(SMALL.A, SMALL.y, xi, gamma - mu_gamma * turn)
    assert float(after @ turn) == pytest.approx(0, abs=1e-10)
    assert torch.allclose(run.x, xi - mu_xi * by_xi, atol=EXACT)
    assert torch.allclose(run.g, gamma - mu_gamma * turn, atol=EXACT)  # both gradients at the same point
    assert float(exact_step(torch.zeros(1, 2, 2), torch.ones(1, 2, 2))) == 0


def test_fixed_steps_by_hand():
    run = bc.calibrate(SMALL.A, SMALL.y, steps=0.3, max_iter=2)
    xi, gamma = bc.backprojection(SMALL.A, SMALL.y), torch.ones(5, dtype=torch.float64)
    balance = 5 / float(xi.square().sum())
    for _ in range(2):
        by_xi, by_gamma = bc.gradients(SMALL.A, SMALL.y, xi, gamma)
        xi, gamma = xi - 0.3 * by_xi, gamma - 0.3 * balance * bc.project_zero_mean(by_gamma)
    assert torch.allclose(run.x, xi, atol=EXACT)
    assert torch.allclose(run.g, gamma, atol=EXACT)
    assert run.mu_gamma[:2].tolist() == pytest.approx([0.3 * balance] * 2)


@pytest.mark.parametrize("options", [
    {}, {"steps": 0.5}, {"update": "sequential"}, {"box": 0.9}, {"Z": torch.eye(16).double()},
    {"B": torch.linalg.qr(torch.cat([torch.ones(16, 1), torch.eye(16)[:, 1:]], 1).double()).Q * -1},
])
def test_every_variant_recovers(options):
    if "B" in options:  # the sign of a QR factor is free
        options = {"B": options["B"] * options["B"][0, 0].sign()}
    run = bc.calibrate(SOLVED.A, SOLVED.y, truth=(SOLVED.x, SOLVED.g), **options)
    ex, eg = bc.errors(run.x, run.g, SOLVED.x, SOLVED.g)
    assert bool(run.converged.all())
    assert float(torch.maximum(ex, eg).max()) < 1e-5
    assert float((run.g.mean(-1) - 1).abs().max()) < EXACT
    assert float(run.loss[:, -1].max()) < 1e-10
    assert run.at[0] == 0
    assert int(run.at[-1]) == int(run.iterations.max())
    assert float(run.delta[:, -1].max()) < 1e-8


def test_whole_spaces_change_nothing():
    plain = bc.calibrate(SOLVED.A, SOLVED.y, max_iter=30)
    B = torch.linalg.qr(torch.cat([torch.ones(16, 1), torch.eye(16)[:, 1:]], 1).double()).Q
    B = B * B[0, 0].sign()
    spaces = bc.calibrate(SOLVED.A, SOLVED.y, max_iter=30, Z=torch.eye(16).double(), B=B)
    assert torch.allclose(plain.x, spaces.x, atol=1e-10)
    assert torch.allclose(plain.g, spaces.g, atol=1e-10)


def test_gain_subspace_is_kept_and_helps():
    B = torch.linalg.qr(torch.cat([torch.ones(24, 1), torch.randn(24, 2, generator=torch.Generator().manual_seed(0))],
                                  1).double()).Q
    B = B * B[0, 0].sign()
    g = 1 + 0.5 * B[:, 1] / B[:, 1].abs().max()
    made = bc.calibration_problem(24, 24, 2, 0.0, g=g, seed=7)  # ratio 1.02 with free gains, 1.85 with three
    run = bc.calibrate(made.A, made.y, B=B, record_every=2000)
    assert torch.allclose(B @ (B.T @ run.g), run.g, atol=EXACT)
    assert max(map(float, bc.errors(run.x, run.g, made.x, made.g))) < 1e-4
    free = bc.calibrate(made.A, made.y, max_iter=500)
    assert max(map(float, bc.errors(free.x, free.g, made.x, made.g))) > 1e-3


def test_sequential_updates_never_raise_the_loss():
    made = bc.calibration_problem(32, 32, 2, 0.9, seed=3, batch=4)  # below the transition, where it is hardest
    run = bc.calibrate(made.A, made.y, update="sequential", max_iter=200)
    assert bool((run.loss.diff(dim=1) <= EXACT).all())


def test_every_problem_of_a_batch_stops_on_its_own():
    together = bc.calibrate(SOLVED.A, SOLVED.y, truth=(SOLVED.x, SOLVED.g))
    assert len(set(together.iterations.tolist())) > 1
    for b in range(3):
        one = SOLVED.member(b)
        alone = bc.calibrate(one.A, one.y, truth=(one.x, one.g))
        assert int(alone.iterations) == int(together.iterations[b])
        assert torch.allclose(alone.x, together.x[b], atol=1e-10)
        assert alone.loss.shape == (int(alone.iterations) + 1,)
        k = int(alone.iterations)
        assert torch.allclose(together.error[b, :k], alone.error[:k], atol=1e-9)
        assert torch.allclose(together.error[b, k:], alone.error[-1].expand_as(together.error[b, k:]), atol=1e-9)


def test_scaling_the_data_scales_the_signal_only():
    a = bc.calibrate(SMALL.A, SMALL.y, max_iter=25)
    b = bc.calibrate(SMALL.A, 7 * SMALL.y, max_iter=25)
    assert torch.allclose(b.x, 7 * a.x, rtol=1e-9)
    assert torch.allclose(b.g, a.g, atol=1e-9)


def test_known_gains_leave_least_squares():
    made = bc.calibration_problem(8, 8, 6, 0.0, seed=5)
    run = bc.calibrate(made.A, made.y, tol=1e-12)
    assert torch.allclose(run.x, bc.uncalibrated_ls(made.A, made.y), atol=1e-9)
    assert torch.allclose(run.g, torch.ones(8).double(), atol=1e-9)


def test_trace_errors_distance_and_snapshots():
    one = SOLVED.member(0)
    run = bc.calibrate(one.A, one.y, truth=(one.x, one.g), max_iter=20, record_every=5, snapshots=(0, 3, 20))
    assert run.at.tolist() == [0, 5, 10, 15, 20]
    assert not bool(run.converged)
    assert list(run.snapshots) == [0, 3, 20]
    assert torch.equal(run.snapshots[20], run.x)
    assert torch.allclose(run.snapshots[0], bc.backprojection(one.A, one.y))
    assert float(run.error[-1]) == pytest.approx(float(max(bc.errors(run.x, run.g, one.x, one.g))), rel=1e-9)
    by_hand = (run.x - one.x).square().sum() + one.x.square().sum() / 16 * (run.g - one.g).square().sum()
    assert float(bc.distance(run.x, run.g, one.x, one.g)) == pytest.approx(float(by_hand), rel=EXACT)
    assert float(run.delta[-1]) == pytest.approx(float(by_hand), rel=1e-9)
    assert bc.calibrate(one.A, one.y, max_iter=3).delta is None


def test_a_run_can_be_stopped():
    asked = iter([False, False, True])
    run = bc.calibrate(SMALL.A, SMALL.y, stop=lambda: next(asked))
    assert int(run.iterations) == 3


def test_steps_that_are_too_long_end_without_convergence():
    run = bc.calibrate(SMALL.A, SMALL.y, steps=50.0)
    assert not bool(run.converged)
    assert int(run.iterations) < 100
    assert not bool(torch.isfinite(run.loss[-1]))


def test_box_keeps_the_gains_inside():
    run = bc.calibrate(SOLVED.A, SOLVED.y, box=0.3, max_iter=50)
    assert float((run.g - 1).abs().max()) <= 0.3 + EXACT
    assert float((run.g.mean(-1) - 1).abs().max()) < EXACT


def test_one_mask_for_all_snapshots_identifies_nothing():
    made = bc.calibration_problem(16, 16, 1, 0.9, seed=0)
    same = made.A.expand(8, -1, -1).contiguous()
    run = bc.calibrate(same, made.y.expand(8, -1).contiguous())
    assert float(bc.loss(same, made.y.expand(8, -1), run.x, run.g)) < 1e-6  # a perfect fit …
    assert max(map(float, bc.errors(run.x, run.g, made.x, made.g))) > 0.1  # … of the wrong signal


def test_linear_least_squares_is_exact_and_alternation_agrees():
    ex, eg = bc.errors(*bc.linear_ls(SOLVED.A, SOLVED.y), SOLVED.x, SOLVED.g)
    assert float(torch.maximum(ex, eg).max()) < EXACT
    x, g = bc.alternating_ls(SOLVED.A, SOLVED.y, 200)
    assert float(torch.maximum(*bc.errors(x, g, SOLVED.x, SOLVED.g)).max()) < 1e-8
    assert float((g.mean(-1) - 1).abs().max()) < EXACT
    noisy = bc.calibration_problem(16, 16, 8, 0.5, noise=0.01, seed=1)
    run = bc.calibrate(noisy.A, noisy.y, tol=1e-12)
    x, g = bc.alternating_ls(noisy.A, noisy.y, 500)
    assert torch.allclose(run.x, x, atol=1e-8)  # the same least squares, minimized in two ways
    assert torch.allclose(run.g, g, atol=1e-8)


def test_linear_least_squares_solves_its_own_problem():
    noisy = bc.calibration_problem(6, 5, 4, 0.5, noise=0.1, seed=1)
    x, g = bc.linear_ls(noisy.A, noisy.y)
    d = 1 / g / (1 / g).mean()
    v = x * float((1 / g).mean()) ** -1
    def cost(d: torch.Tensor, v: torch.Tensor) -> float:
        return float((d * noisy.y - noisy.A @ v).square().sum())
    g_ = torch.Generator().manual_seed(0)
    for _ in range(20):
        turn = bc.project_zero_mean(torch.randn(5, generator=g_, dtype=torch.float64))
        move = torch.randn(6, generator=g_, dtype=torch.float64)
        assert cost(d + 1e-3 * turn, v + 1e-3 * move) > cost(d, v)


def test_peer_least_squares_ends_at_the_same_point():
    optimize = pytest.importorskip("scipy.optimize")
    noisy = bc.calibration_problem(6, 5, 6, 0.5, noise=0.02, seed=8)
    run = bc.calibrate(noisy.A, noisy.y, tol=1e-13, max_iter=5000)
    A, y = noisy.A.numpy(), noisy.y.numpy()

    def residuals(unknown: np.ndarray) -> np.ndarray:
        xi, e = unknown[:6], np.append(unknown[6:], -unknown[6:].sum())
        return ((1 + e) * (A @ xi) - y).ravel()

    start = np.concatenate([bc.backprojection(noisy.A, noisy.y).numpy(), np.zeros(4)])
    made = optimize.least_squares(residuals, start, method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert np.abs(made.x[:6] - run.x.numpy()).max() < 1e-7
    assert np.abs(1 + made.x[6:] - run.g.numpy()[:4]).max() < 1e-7


def test_images_and_their_low_frequencies():
    image = bc.camera(16)
    assert image.shape == (256,)
    assert image.dtype == torch.float64
    whole = bc.low_frequencies(8, 8)
    assert torch.allclose(whole.T @ whole, torch.eye(64).double(), atol=EXACT)
    dct = pytest.importorskip("scipy.fft").dctn
    picture = bc.camera(8)
    assert np.allclose((whole.T @ picture).numpy().reshape(8, 8), dct(picture.numpy().reshape(8, 8), norm="ortho"))
    assert float((bc.low_frequencies(8, 3)[:, 0] - 1 / 8).abs().max()) < EXACT


def test_phase_diagram_counts_what_it_recovers():
    made = bc.phase_diagram(8, [8, 16], [1, 8], 0.5, 3, seed=1, max_iter=400)
    assert [(cell.m, cell.p, cell.success, cell.linear) for cell in made.cells] == [
        (8, 1, 0.0, 0.0), (8, 8, 1.0, 1.0), (16, 1, 0.0, 0.0), (16, 8, 1.0, 1.0)]
    assert made.transition(8) == pytest.approx(64 / 15)
    assert made.sensors == [8, 16]
    assert made.columns()["ratio"] == [bc.sample_ratio(8, cell.m, cell.p) for cell in made.cells]
    assert math.isnan(bc.phase_diagram(8, [8], [1], 0.5, 1, max_iter=5).transition(8))
    assert max(cell.p for cell in bc.phase_diagram(8, [4], 3.0, 0.5, 1, max_iter=2).cells) == 9
    assert bc.snapshots_for(100, 50, 2.5) == 8


def test_float32_warns():
    with pytest.warns(UserWarning, match="1e-3"):
        run = bc.calibrate(SOLVED.A.float(), SOLVED.y.float(), tol=1e-6)
    assert run.x.dtype == torch.float32
    assert float(torch.maximum(*bc.errors(run.x.double(), run.g.double(), SOLVED.x, SOLVED.g)).max()) < 1e-3


E1 = torch.eye(6).double()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: bc.calibration_problem(4, 4, 0, 0.5), "p=0"),
    (lambda: bc.calibration_problem(4, 4, 1, 1.0), "rho=1.0"),
    (lambda: bc.calibration_problem(4, 4, 1, math.nan), "rho=nan"),
    (lambda: bc.calibration_problem(4, 4, 1, 0.5, ensemble="fourier"), "ensemble='fourier'"),
    (lambda: bc.calibration_problem(4, 4, 1, 0.5, noise=-1.0), "noise"),
    (lambda: bc.calibration_problem(4, 4, 1, 0.5, x=torch.ones(3)), "x has shape"),
    (lambda: bc.calibration_problem(4, 4, 1, 0.5, x=torch.zeros(4)), "x is zero"),
    (lambda: bc.calibration_problem(4, 2, 1, 0.5, g=torch.tensor([1.0, 2.0])), "mean"),
    (lambda: bc.calibration_problem(4, 2, 1, 0.5, g=torch.tensor([-1.0, 3.0])), "positive"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y[:2]), "A has shape"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y * math.nan), "y holds"),
    (lambda: bc.calibrate(SMALL.A.long(), SMALL.y.long()), "int64"),
    (lambda: bc.calibrate(SMALL.A.float(), SMALL.y), "one dtype"),
    (lambda: bc.calibrate("A", SMALL.y), "A=str"),
    (lambda: bc.calibrate(bc.SignMasks(torch.ones(4, 5, 6)), SMALL.y[:3]), "A: matvec"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, steps="newton"), "steps='newton'"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, steps=0.0), "steps=0.0"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, update="both"), "update='both'"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, box=1.0), "box=1.0"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, max_iter=0), "max_iter=0"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, tol=-1.0), "tol=-1.0"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, record_every=0), "record_every=0"),
    (lambda: bc.calibrate(SMALL.A, 0 * SMALL.y), "xi0: is zero"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, xi0=torch.ones(5)), "xi0 has shape"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, gamma0=torch.ones(6)), "gamma0 has shape"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, gamma0=2 * torch.ones(5)), "mean 2"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, truth=(SMALL.x, SMALL.g[:2])), "shapes differ"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, Z=2 * E1), "Z: columns miss"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, Z=E1[:5]), "Z has shape"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, B=E1[:5, :5]), "first column must be constant"),
    (lambda: bc.calibrate(SMALL.A, SMALL.y, B=torch.full((5, 1), 5**-0.5).double(), box=0.5), "box=0.5"),
    (lambda: bc.loss(SMALL.A, SMALL.y, SMALL.x, SMALL.g[:2]), "gamma has shape"),
    (lambda: bc.loss(SMALL.A, SMALL.y, SMALL.x[:2], SMALL.g), "xi has shape"),
    (lambda: bc.project_gain_box(SMALL.g, -0.1), "rho=-0.1"),
    (lambda: bc.project_gain_box(SMALL.g * math.inf, 0.1), "gamma holds"),
    (lambda: bc.linear_ls(bc.SignMasks(torch.ones(4, 5, 6)), SMALL.y), "the masks themselves"),
    (lambda: bc.alternating_ls(SMALL.A, SMALL.y, 0), "iters=0"),
    (lambda: bc.SignMasks(torch.zeros(1, 2, 3)), "1 and -1"),
    (lambda: bc.camera(1), "side=1"),
    (lambda: bc.camera(1000), "side=1000"),
    (lambda: bc.low_frequencies(4, 5), "keep=5"),
    (lambda: bc.phase_diagram(4, [], [1], 0.5, 1), "at least one"),
    (lambda: bc.phase_diagram(4, [4], [1], 0.5, 0), "seeds=0"),
    (lambda: bc.errors(SMALL.x, SMALL.g, SMALL.x[:2], SMALL.g), "shapes differ"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
