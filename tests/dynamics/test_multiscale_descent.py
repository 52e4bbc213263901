"""Two-scale theory against the authors' library, limits, Ridge of scikit-learn, real gradient loops and sampling."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.dynamics import high_dimensional as hd
from gradscape.dynamics import multiscale_descent as ms
from gradscape.lesson import judge
from hypothesis import given, settings
from hypothesis import strategies as st

torch.set_num_threads(1)

LIMIT = 0.005  # what finite d = 400 and three data sets leave of the limit of large sizes
SOLVED = 1e-9  # two exact solutions of one data set, whose spectra span up to κ² = 1e4
TASK = ms.TwoScale(n=40, d=30, p=20, kappa=8.0, noise=0.3)


def small(**changes) -> ms.TwoScale:
    return ms.TwoScale(**{"n": 40, "d": 30, "p": 20, "kappa": 8.0, "noise": 0.3, **changes})


# ---- closed forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "error"), [(25.9846, 0.272460), (329.909, 0.370056), (4188.65, 0.333356)])
def test_closed_form_equals_the_authors_library(t, error):
    """lib/analytical.py of NNdoubledescent/doubledescent (3e2ef3e), whose s = ½ hides r = 4/t."""
    assert ms.fast_slow(ms.TwoScale(110, 100, 70, 100.0), 4.0 / t).E.item() == pytest.approx(error, abs=1e-5)


def authors(task: ms.TwoScale, r: float, fast_only: bool = False, slow_only: bool = False) -> float:
    """The same formulas as that library writes them, for one penalty, in plain floats."""
    a = []
    for count, s in zip(task.counts, (1.0, 1.0 / task.kappa), strict=True):
        alpha, lam = task.n / count, r / ((count / task.d) * s**2)
        x = 1 - alpha - lam
        a.append(1 + 2 * lam / (x + math.sqrt(x * x + 4 * lam)))
    if fast_only:
        a[1] = 1e9
    if slow_only:
        a[0] = max(1.0, task.n / task.p)
    ratio, total = task.n / task.d, 1 + task.noise**2
    alphas = [task.n / count for count in task.counts]
    R = [ratio / entry for entry in a]
    b = [alpha / (entry**2 - alpha) for alpha, entry in zip(alphas, a, strict=True)]
    c = [total - 2 * R[1 - i] - (2 - a[i]) / a[i] * ratio for i in (0, 1)]
    Q = [(b[i] * c[i] + b[0] * b[1] * c[1 - i]) / (1 - b[0] * b[1]) for i in (0, 1)]
    return 0.5 * (1 - 2 * sum(R) + sum(Q))


@settings(max_examples=80, deadline=None)
@given(st.integers(110, 400), st.integers(10, 90), st.floats(1, 200), st.floats(0, 1), st.floats(1e-3, 1e2))
def test_closed_form_equals_its_plain_writing(n, p, kappa, noise, r):
    task = ms.TwoScale(n, 100, p, kappa, noise)
    assert ms.fast_slow(task, r).E.item() == pytest.approx(authors(task, r), rel=1e-6, abs=1e-9)


def test_single_features_are_those_of_the_first_figure():
    task = ms.TwoScale(130, 100, 70, 100.0)
    r = torch.tensor([1.0, 0.01, 1e-4])
    fast, slow = (ms.fast_slow_only(task, r, which).E for which in ("fast", "slow"))
    assert fast.tolist() == pytest.approx([authors(task, float(x), fast_only=True) for x in r], abs=1e-6)
    assert slow.tolist() == pytest.approx([authors(task, float(x), slow_only=True) for x in r], abs=1e-6)
    # both ends: slow untouched is the plateau, and the slow block starts from there
    assert ms.fast_slow_only(task, 1e-12, "fast").E.item() == pytest.approx(0.325, abs=1e-6)
    assert ms.fast_slow_only(task, 1e6, "slow").E.item() == pytest.approx(0.325, abs=1e-6)


@pytest.mark.parametrize("theory", [ms.fast_slow, ms.deterministic_equivalent])
def test_ends_of_the_path(theory):
    task = ms.TwoScale(150, 100, 60, 50.0)
    nothing, everything = theory(task, math.inf), theory(task, 1e-16)
    assert (nothing.R.item(), nothing.Q.item(), nothing.E.item()) == (0.0, 0.0, 0.5)
    assert (everything.R.item(), everything.Q.item()) == pytest.approx((1.0, 1.0), abs=1e-9)
    assert theory(task, 0.0).E.item() == pytest.approx(0.0, abs=1e-12)


def test_closed_form_adds_up_and_has_no_value_where_it_has_no_solution():
    made = ms.fast_slow(ms.TwoScale(110, 100, 70, 30.0, 0.2), torch.logspace(2, -6, 40))
    assert torch.allclose(made.fast.R + made.slow.R, made.R, atol=1e-14)
    assert torch.allclose(made.fast.Q + made.slow.Q, made.Q, atol=1e-12)
    few = ms.fast_slow(ms.TwoScale(80, 100, 70, 30.0), torch.tensor([10.0, 1e-9]))
    assert few.E.isnan().tolist() == [False, True]


@pytest.mark.parametrize("n", [50, 100, 180])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_limit_at_equal_scales_is_ridge_of_the_other_lesson(n, noise):
    """κ = 1: one block. ``ridge_error`` is a quadrature over Marchenko–Pastur and counts the noise of fresh labels."""
    r = torch.tensor([0.05, 0.7, 4.0], dtype=torch.float64)
    ours = 2 * ms.deterministic_equivalent(ms.TwoScale(n, 100, 30, 1.0, noise), r).E + noise**2
    theirs = hd.ridge_error(hd.LinearTask(n / 100, 1.0, noise**2), r)
    assert torch.allclose(ours, theirs, rtol=1e-8)


def test_limit_without_ridge_is_infinite_only_at_the_peak_with_noise():
    assert ms.deterministic_equivalent(ms.TwoScale(100, 100, 70, 5.0), 0.0).E.item() == 0.0
    assert ms.deterministic_equivalent(ms.TwoScale(100, 100, 70, 5.0, 0.1), 0.0).E.item() == math.inf
    # n > d: unbiased, with variance σ² d/(n - d)
    assert 2 * ms.deterministic_equivalent(ms.TwoScale(150, 100, 70, 5.0, 0.1), 0.0).E.item() == pytest.approx(0.02)


@pytest.mark.parametrize(("n", "p"), [(150, 60), (110, 70)])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_plateau_lies_on_both_theories_between_the_scales(n, p, noise):
    task = ms.TwoScale(n, 100, p, 1e7, noise)
    assert ms.deterministic_equivalent(task, 1e-7).E.item() == pytest.approx(ms.plateau(task), rel=1e-4)
    assert ms.fast_slow(task, 1e-7).E.item() == pytest.approx(ms.plateau(task), rel=1e-4)


def test_plateau_is_the_asymptote_of_the_other_lesson():
    """For κ = ∞ the fast block is a linear student with n/p examples per weight and slow features as noise."""
    n, p, d, noise = 110, 70, 100, 0.3
    snr = p / (d - p + d * noise**2)
    theirs = (1 + noise**2) * hd.asymptotic_error(hd.LinearTask.from_snr(n / p, snr))
    assert 2 * ms.plateau(ms.TwoScale(n, d, p, 30.0, noise)) + noise**2 == pytest.approx(theirs, rel=1e-12)


def test_ridge_clock_has_the_constant_of_the_authors_code():
    task = ms.TwoScale(150, 100, 60, 1e5)
    assert ms.ridge_clock(task, 1.0).item() == pytest.approx(4.0, abs=0.01)
    assert ms.ridge_clock(task, torch.tensor([0.0, 2.0]), eta=0.5).tolist() == [math.inf, 1.0]
    assert ms.ridge_clock(ms.TwoScale(l2=0.25), 1e12).item() == pytest.approx(0.25)


# ---- exact dynamics --------------------------------------------------------------------------------------------------


def averaged(data: ms.Data, run) -> ms.Orders:
    """R and Q averaged over teacher and noise without sampling: ``run`` is linear, unit vectors suffice."""
    d, task = data.task.d, data.task
    R = Q = 0.0
    for i in range(d):
        W = torch.eye(d, dtype=torch.float64)[i].expand(len(data.X), d)
        y = torch.einsum("snd,sd->sn", data.Z, W)
        seen = run(data.X, y, data.F)
        R, Q = R + torch.einsum("sd,std->st", W, seen) / d, Q + seen.square().sum(-1) / d
    for j in range(task.n):
        y = task.noise * torch.eye(task.n, dtype=torch.float64)[j].expand(len(data.X), task.n)
        Q = Q + run(data.X, y, data.F).square().sum(-1) / d
    return ms.Orders(R, Q)


def loop(steps: list[int], l2: float = 0.0, schedule=None):
    """An independent loop on one matrix at a time: Fŵ at the given steps."""
    def run(X, y, F):
        rows = []
        for one, labels, mixing in zip(X.numpy(), y.numpy(), F.numpy(), strict=True):
            eta, w, kept = 1 / (np.linalg.norm(one, 2) ** 2 + l2), np.zeros(one.shape[1]), {}
            for step in range(max(steps) + 1):
                kept[step] = mixing @ w
                more = 0.0 if schedule is None else float(schedule(torch.tensor(float(step))))
                w = w - eta * (one.T @ ((1 + more) * one @ w - labels) + l2 * w)
            rows.append([kept[step] for step in steps])
        return torch.tensor(np.array(rows))
    return run


@pytest.mark.parametrize(("n", "l2"), [(40, 0.0), (40, 0.05), (12, 0.0)])
def test_exact_dynamics_equals_a_gradient_loop_averaged_over_teachers(n, l2):
    task, steps = small(n=n, l2=l2), [0, 1, 2, 7, 40]
    want = averaged(ms.sample(task, [5, 6]), loop(steps, l2))
    got = ms.exact_dynamics(task, torch.tensor(steps), [5, 6])
    assert torch.allclose(got.R, want.R, atol=SOLVED)
    assert torch.allclose(got.Q, want.Q, atol=SOLVED)


def test_library_loop_equals_the_independent_one():
    data, steps = ms.sample(small(l2=0.03), [1, 2], rotated=True), [0, 3, 25]
    schedule = ms.q_schedule(0.6, 0.1)
    got = ms.gradient_descent(data, 25, steps, schedule)
    seen = loop(steps, 0.03, schedule)(data.X, data.y, data.F)
    assert torch.allclose(got.R, torch.einsum("sd,std->st", data.W, seen) / 30, atol=SOLVED)
    assert torch.allclose(got.Q, seen.square().sum(-1) / 30, atol=SOLVED)


def test_averages_are_those_of_many_rotated_runs():
    """Eqs. 9-10 take F diagonal: drawn rotations and teachers must average to the same R and Q."""
    task, steps, seeds = small(), [1, 10, 100], range(400)
    run = ms.gradient_descent(ms.sample(task, list(seeds), rotated=True), 100, steps)
    exact = ms.exact_dynamics(task, torch.tensor(steps), list(seeds))
    for name in ("R", "Q"):
        drawn, wanted = getattr(run, name), getattr(exact, name)
        error = (drawn - wanted).std(0) / math.sqrt(len(drawn))
        assert bool(((drawn - wanted).mean(0).abs() < 3 * error).all()), name


def test_gram_form_equals_the_traces_of_the_paper():
    data, t = ms.sample(TASK, [3], rotated=True), 17.5
    modes = ms.Modes.of(data.X, data.F)
    lam, V = (part.flip(-1) for part in torch.linalg.eigh(data.X[0].T @ data.X[0]))
    k = 1 - (1 - lam / lam[0]).abs() ** t
    forward, K = data.F[0] @ V, torch.diag(k)
    signal = (forward @ K @ torch.linalg.inv(forward)).square().sum() / 30
    noise = TASK.noise**2 * (forward @ K @ torch.diag(lam**-0.5)).square().sum() / 30
    got = modes.orders(k.reshape(1, 1, -1), TASK.noise)
    assert got.Q.item() == pytest.approx((signal + noise).item(), rel=1e-10)
    assert got.R.item() == pytest.approx(k.mean().item(), rel=1e-12)


def test_flow_is_the_limit_of_small_steps_and_differs_from_descent_early():
    task, times = small(noise=0.0), torch.tensor([1.0, 3.0, 200.0])
    flow, descent = (ms.exact_dynamics(task, times, [4], flow=kind).R[0] for kind in (True, False))
    modes = ms.Modes.of(ms.sample(task, [4]).X, torch.diag(task.scales))
    wanted = (1 - torch.exp(-modes.lam / modes.top * times.reshape(-1, 1))).mean(-1)
    assert torch.allclose(flow, wanted, atol=1e-12)
    assert bool((descent > flow).all())
    assert (descent - flow)[0] > 0.05 > 0.01 > (descent - flow)[2]


@pytest.mark.parametrize("n", [1, 3, 30, 60])
def test_no_size_crashes_and_time_zero_knows_nothing(n):
    made = ms.exact_dynamics(small(n=n, l2=0.1), [0.0, 0.3, 1.0, 1e7], [0, 1])
    assert made.E.shape == (2, 4)
    assert bool(torch.isfinite(made.E).all())
    assert made.E[:, 0].tolist() == [0.5, 0.5]
    ridge = ms.exact_ridge(small(n=n), torch.tensor([math.inf, 1.0, 0.0]), [0, 1])
    assert bool(torch.isfinite(ridge.E).all())
    assert ridge.E[:, 0].tolist() == [0.5, 0.5]


def test_long_descent_with_a_penalty_ends_at_ridge():
    task = small(l2=0.2)
    end = ms.exact_dynamics(task, 1e7, [0, 1, 2])
    ridge = ms.exact_ridge(task, 0.2, [0, 1, 2])
    assert torch.allclose(end.E, ridge.E, atol=1e-12)


@pytest.mark.parametrize("r", [0.01, 1.0])
def test_exact_ridge_equals_scikit_learn_averaged_over_teachers(r):
    from sklearn.linear_model import Ridge

    def run(X, y, F):
        # strict solver; the default of a dense problem is Cholesky too, but says so nowhere
        fits = [Ridge(alpha=r, fit_intercept=False, solver="cholesky").fit(a.numpy(), b.numpy()).coef_
                for a, b in zip(X, y, strict=True)]
        return torch.einsum("sij,sj->si", F, torch.tensor(np.array(fits))).unsqueeze(1)

    data = ms.sample(TASK, [8])
    want, got = averaged(data, run), ms.exact_ridge(TASK, r, [8])
    assert got.R.item() == pytest.approx(want.R.item(), abs=1e-8)
    assert got.Q.item() == pytest.approx(want.Q.item(), abs=1e-8)


@pytest.mark.parametrize("kappa", [1.0, 50.0, 1e5])
def test_ridge_on_large_data_lies_on_the_limit(kappa):
    task = ms.TwoScale(600, 400, 240, kappa, 0.2)
    r = torch.logspace(2, -3, 30, dtype=torch.float64)
    exact, limit = ms.exact_ridge(task, r, [0, 1, 2]).E.mean(0), ms.deterministic_equivalent(task, r).E
    assert (exact - limit).abs().max().item() < LIMIT


def test_slow_modes_keep_their_digits_at_the_largest_ratio_of_scales():
    """κ = 1e5: the least slow eigenvalue of the square lies 1e13 below the largest, and must not be taken for zero."""
    task, r = ms.TwoScale(110, 100, 70, 1e5), torch.tensor([1e-14, 0.0], dtype=torch.float64)
    data = ms.sample(task, [0])
    s = torch.linalg.svdvals(data.X[0] / data.F[0].diagonal())  # well conditioned: nothing is lost at κ = 1
    assert s[-1] > 1e-3
    made = ms.exact_ridge(task, r, [0])
    assert made.R[0, 1].item() == pytest.approx(1.0, abs=1e-12)
    assert made.E[0, 1].item() == pytest.approx(0.0, abs=1e-7)
    assert made.E[0, 0].item() < 0.1


def test_modulation_has_the_asked_singular_values_and_uniform_rotations():
    generator = torch.Generator().manual_seed(0)
    F = ms.modulation(TASK, generator)
    assert torch.allclose(torch.linalg.svdvals(F), TASK.scales, atol=1e-12)
    first = torch.stack([ms.modulation(small(kappa=1.0), generator)[0, 0] for _ in range(300)])
    # an entry of a uniform rotation has mean 0 and variance 1/d; without the signs of R its mean would not vanish
    assert abs(first.mean().item()) < 4 / math.sqrt(30 * 300)
    assert torch.equal(ms.modulation(TASK, generator, rotated=False), torch.diag(TASK.scales))


def test_samples_have_the_stated_moments():
    data = ms.sample(ms.TwoScale(400, 50, 20, 4.0, 0.5), range(20))
    assert data.Z.square().mean().item() == pytest.approx(1 / 50, rel=0.02)
    assert data.y.square().mean().item() == pytest.approx(1.25, rel=0.1)
    assert torch.allclose(data.X, data.Z @ data.F)
    again = ms.sample(ms.TwoScale(400, 50, 20, 4.0, 0.5), [3])
    assert torch.equal(again.X[0], data.X[3])  # a data set does not depend on its neighbors


# ---- penalizing Q ----------------------------------------------------------------------------------------------------


def test_schedule_decays_from_a0():
    schedule = ms.q_schedule(0.6, 1e-3)
    values = schedule(torch.tensor([0.0, 1000.0, 1e5]))
    assert values.tolist() == pytest.approx([0.6, 0.6 * math.log1p(math.exp(-1)) / math.log(2), 0.0], abs=1e-12)


@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_mode_recursion_equals_the_loop(l2):
    task, steps, schedule = small(l2=l2), [0, 1, 5, 60], ms.q_schedule(0.6, 0.05)
    want = averaged(ms.sample(task, [2]), loop(steps, l2, schedule))
    got = ms.q_regularised(task, torch.tensor(steps), [2], schedule)
    assert torch.allclose(got.R, want.R, atol=SOLVED)
    assert torch.allclose(got.Q, want.Q, atol=SOLVED)


def test_closed_form_takes_over_without_a_seam():
    """A fast schedule fades at step 74 of 100: from there on time is exact, and must agree with the loop."""
    task, schedule = small(), ms.q_schedule(0.6, 0.5)
    steps = [70, 73, 74, 75, 76, 100]
    want = averaged(ms.sample(task, [2]), loop(steps, 0.0, schedule))
    got = ms.q_regularised(task, torch.tensor(steps), [2], schedule)
    assert torch.allclose(got.Q, want.Q, atol=SOLVED)
    far = ms.q_regularised(task, torch.tensor([1e7]), [2], schedule)
    assert far.E.item() == pytest.approx(ms.exact_dynamics(task, 1e7, [2]).E.item(), abs=1e-9)


def test_no_penalty_is_plain_descent():
    t = torch.tensor([0.0, 1.0, 50.0, 1e6])
    plain, zero = ms.exact_dynamics(TASK, t, [1, 2]), ms.q_regularised(TASK, t, [1, 2], ms.q_schedule(0.0))
    assert torch.allclose(plain.E, zero.E, atol=1e-12)


def test_a_bump_too_low_to_count_still_has_a_height():
    times, plain = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([[0.5, 0.3, 0.4, 0.1]] * 2, dtype=torch.float64)
    low = torch.tensor([[0.5, 0.32, 0.322, 0.1], [0.5, 0.4, 0.3, 0.1]], dtype=torch.float64)
    peaks = ms.Penalized(times, plain, low).peaks
    assert peaks[0].tolist() == [0.4, 0.4]
    assert peaks[1].tolist() == [0.322, 0.3]  # a small rise; no rise at all: the error where the other curve peaks


# ---- shapes ----------------------------------------------------------------------------------------------------------


def shape_of(*values: float, **options) -> ms.Shape:
    return ms.descent_shape(torch.arange(float(len(values))), torch.tensor(values, dtype=torch.float64), **options)


def test_shape_reads_minimum_peak_and_end():
    assert shape_of(0.5, 0.3, 0.35, 0.4, 0.2, 0.1) == ms.Shape(1.0, 0.3, 3.0, 0.4, 0.1, True)
    assert shape_of(0.5, 0.3, 0.4, 0.2, 0.1).rise == pytest.approx(0.1)


def test_shape_without_double_descent():
    assert not shape_of(0.5, 0.4, 0.3, 0.2).is_double
    assert not shape_of(0.5, 0.3, 0.4, 0.35).is_double  # ends above the minimum: plain overfitting
    assert not shape_of(0.5, 0.3, 0.304, 0.1).is_double  # rises too little
    assert shape_of(0.5, 0.3, 0.304, 0.1, min_rise=0.002).is_double
    flat = shape_of(0.5, 1e-17, 2e-17, 1e-17, 0.0, min_rise=1e-18)  # a converged curve
    assert not flat.is_double
    assert flat.rise == 0.0


def test_shape_passes_over_small_wiggles():
    assert shape_of(0.5, 0.4, 0.401, 0.3, 0.36, 0.1).t_min == 3.0


# ---- real data -------------------------------------------------------------------------------------------------------


def blobs(count: int = 300, pixels: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    mix = torch.randn(pixels, pixels, generator=generator, dtype=torch.float64)
    return torch.rand(count, pixels, generator=generator, dtype=torch.float64) @ mix + 3.0


def test_latents_are_whitened_principal_components():
    train, test = blobs(), blobs(40)
    z, z_test = ms.image_latents((train, test), 8)
    assert torch.allclose(z.T @ z / len(z), torch.eye(8, dtype=torch.float64) / 8, atol=1e-12)
    assert torch.allclose(z.mean(0), torch.zeros(8, dtype=torch.float64), atol=1e-12)
    from sklearn.decomposition import PCA

    fitted = PCA(8, whiten=True, svd_solver="full").fit(train.numpy())
    theirs = fitted.transform(test.numpy())[:, ::-1] * math.sqrt((len(train) - 1) / len(train)) ** -1 / math.sqrt(8)
    assert torch.allclose(z_test.abs(), torch.from_numpy(np.abs(theirs).copy()), atol=1e-9)


@pytest.mark.parametrize("labels", ["teacher", "given"])
def test_real_dynamics_equals_a_gradient_loop(labels):
    z, z_test = ms.image_latents((blobs(), blobs(50)), 8)
    y, wanted = z[:, 0].sign(), z_test[:, 0].sign()
    task = ms.TwoScale(12, 8, 5, 4.0, 0.1)
    curves = ms.real_dynamics(z, y, z_test, wanted, task, [0.0, 1.0, 30.0], [7], labels)
    generator = torch.Generator().manual_seed(7)
    F = ms.modulation(task, generator)
    chosen = torch.randperm(len(z), generator=generator)[:12]
    target = y[chosen]
    if labels == "teacher":
        W = torch.randn(8, generator=generator, dtype=torch.float64)
        target = z[chosen] @ W + 0.1 * torch.randn(12, generator=generator, dtype=torch.float64)
        wanted = z_test @ W
    X, w = z[chosen] @ F, torch.zeros(8, dtype=torch.float64)
    eta, kept = 1 / torch.linalg.matrix_norm(X, 2) ** 2, {}
    for step in range(31):
        guess = z_test @ F @ w
        kept[step] = ((guess - wanted).square().mean().item(), (guess.sign() != wanted.sign()).double().mean().item())
        w = w - eta * X.T @ (X @ w - target)
    assert curves.mse[0].tolist() == pytest.approx([kept[step][0] for step in (0, 1, 30)], rel=1e-8)
    assert curves.err[0].tolist() == pytest.approx([kept[step][1] for step in (0, 1, 30)])
    assert torch.equal(curves.E, curves.mse / 2)


def test_gaussian_factors_behave_like_the_model():
    """Latents that *are* Gaussian: the mean over data sets follows the exact dynamics of other data sets."""
    generator = torch.Generator().manual_seed(0)
    z, new = (torch.randn(count, 40, generator=generator, dtype=torch.float64) / math.sqrt(40) for count in (4000, 800))
    task, t = ms.TwoScale(60, 40, 28, 20.0), torch.logspace(0, 5, 20, dtype=torch.float64)
    drawn = ms.real_dynamics(z, None, new, None, task, t, range(60)).E
    theory = ms.exact_dynamics(task, t, range(100, 160)).E
    error = (drawn.var(0) / len(drawn) + theory.var(0) / len(theory)).sqrt()
    assert bool(((drawn.mean(0) - theory.mean(0)).abs() < 4 * error + 1e-3).all())


# ---- arguments -------------------------------------------------------------------------------------------------------

Z8 = torch.zeros(20, 8, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ms.TwoScale(n=0), "n="),
        (lambda: ms.TwoScale(p=100), "p="),
        (lambda: ms.TwoScale(p=0), "p="),
        (lambda: ms.TwoScale(d=1, p=1), "d="),
        (lambda: ms.TwoScale(kappa=0.5), "kappa"),
        (lambda: ms.TwoScale(kappa=math.nan), "kappa"),
        (lambda: ms.TwoScale(kappa=math.inf), "kappa"),
        (lambda: ms.TwoScale(noise=-1.0), "noise"),
        (lambda: ms.TwoScale(l2=-0.1), "l2"),
        (lambda: ms.fast_slow(TASK, -1.0), "r:"),
        (lambda: ms.fast_slow(TASK, math.nan), "r:"),
        (lambda: ms.fast_slow_only(TASK, 1.0, "both"), "which"),
        (lambda: ms.deterministic_equivalent(TASK, -1.0), "r:"),
        (lambda: ms.exact_ridge(TASK, [-1.0], [0]), "r:"),
        (lambda: ms.plateau(ms.TwoScale(n=70, p=70)), "n="),
        (lambda: ms.ridge_clock(TASK, -1.0), "t:"),
        (lambda: ms.ridge_clock(TASK, 1.0, eta=0.0), "eta"),
        (lambda: ms.exact_dynamics(TASK, -1.0, [0]), "t:"),
        (lambda: ms.exact_dynamics(TASK, 1.0, []), "seeds"),
        (lambda: ms.sample(TASK, []), "seeds"),
        (lambda: ms.gradient_descent(ms.sample(TASK, [0]), 5, [6]), "checkpoints"),
        (lambda: ms.gradient_descent(ms.sample(TASK, [0]), 5, [0.5]), "checkpoints"),
        (lambda: ms.gradient_descent(ms.sample(TASK, [0]), 5, [5], ms.q_schedule(1.5)), "schedule"),
        (lambda: ms.q_schedule(-0.1), "a0"),
        (lambda: ms.q_schedule(0.5, 0.0), "rate"),
        (lambda: ms.q_regularised(TASK, torch.tensor([0.5]), [0], ms.q_schedule()), "whole"),
        (lambda: ms.q_regularised(TASK, torch.tensor([9.0]), [0], ms.q_schedule(1.0)), "schedule"),
        (lambda: ms.q_regularised(TASK, torch.tensor([9.0]), [0], lambda t: 1e-3 * t), "schedule"),
        (lambda: ms.descent_shape(torch.zeros(3), torch.zeros(4)), "shapes differ"),
        (lambda: ms.descent_shape(torch.zeros(3), torch.tensor([0.0, math.nan, 0.0])), "E "),
        (lambda: ms.descent_shape(torch.zeros(3), torch.zeros(3), 0.0), "min_rise"),
        (lambda: ms.image_latents((blobs(), blobs(pixels=9)), 4), "test images"),
        (lambda: ms.image_latents((blobs(), blobs()), 21), "d="),
        (lambda: ms.real_dynamics(Z8, None, Z8, None, ms.TwoScale(30, 8, 4), [1.0], [0]), "n=30"),
        (lambda: ms.real_dynamics(Z8, None, Z8, None, ms.TwoScale(9, 8, 4), [1.0], [0], "given"), "y, y_test"),
        (lambda: ms.real_dynamics(Z8, None, Z8, None, ms.TwoScale(9, 8, 4), [1.0], [0], "true"), "labels"),
        (lambda: ms.real_dynamics(Z8, None, Z8, None, ms.TwoScale(9, 9, 4), [1.0], [0]), "z "),
        (lambda: ms.real_dynamics(Z8, None, Z8, None, ms.TwoScale(9, 8, 4, l2=1.0), [1.0], [0]), "l2"),
    ],
)
def test_bad_arguments_raise(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# ---- the lesson ------------------------------------------------------------------------------------------------------


def test_point_reads_one_task():
    scalars = ms.point(ms.Settings(profile="smoke", kappa=1e5, t=1e5)).scalars
    assert scalars["error_ridge_at_t"] == pytest.approx(0.4125, abs=1e-3)
    assert scalars["error_closed_at_t"] == pytest.approx(0.4125, abs=1e-3)
    assert scalars["error_at_t"] == pytest.approx(0.4125, rel=0.3)
    assert scalars["double_ridge"] == 0.0  # κ² = 1e10 steps are more than there are
    with_penalty = ms.point(ms.Settings(profile="smoke", a0=0.6)).scalars
    assert with_penalty["peak"] < ms.point(ms.Settings(profile="smoke")).scalars["peak"]


def test_protocol_ignores_the_fields_and_smoke_says_nothing():
    plain, other = ms.Settings(profile="smoke"), ms.Settings(profile="smoke", kappa=3.0, n=77, log_l2=-2.0)
    assert ms.curves_at(other, 30.0) is ms.curves_at(plain, 30.0)
    measured = ms.measure(other)
    words = {judge(claim, measured[claim.id], smoke=True).word for claim in ms.CLAIMS}
    assert words == {"not tested at this scale"}


def test_ridge_exponent_minus_nine_is_none():
    assert ms.Settings().l2 == 0.0
    assert ms.Settings(log_l2=-2.0).l2 == pytest.approx(0.01)
