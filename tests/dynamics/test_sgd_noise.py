"""SGD noise: the algorithm against scikit-learn, autograd and plain SGD; the analysis against known answers."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape.dynamics import sgd_noise as sgd
from gradscape.dynamics.sgd_noise.perceptron import _next_event, _points, _subset
from gradscape.ensemble import StackedMLP, fit
from gradscape.lesson import judge, replicate_seed
from scipy import stats
from sklearn.linear_model import SGDClassifier

FLOAT64 = 1e-10
FLOAT32 = 1e-5  # relative, after one step
TRAINED = 1e-4  # relative, after a hundred float32 steps whose batches are the same
# alpha = 2^15 times float32's rounding of outputs of size 0.1, summed over a layer
MARGIN_ROUNDING = 0.02


def toy(n: int = 60, d: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] * x[:, 1]).sign()


def grid(alpha, T, seeds, *, P=40, width=16, depth=2, act="gelu", max_steps=2000, **options) -> sgd.GridRuns:
    x, y = toy()
    net = sgd.MeanFieldMLP(6, width, depth, act)
    subsets = torch.stack([torch.randperm(60, generator=torch.Generator().manual_seed(int(s)))[:P] for s in seeds])
    return sgd.train_grid(x, y, x, y, net, torch.tensor(alpha), torch.tensor(T), seeds, subsets, batch=8,
                          max_steps=max_steps, **options)


# --- loss and temperature ---------------------------------------------------------------------------------------------

def test_scaled_hinge_and_its_gradient() -> None:
    F = torch.tensor([-1.0, 0.0, 0.4, 0.6, 2.0], dtype=torch.float64, requires_grad=True)
    y, alpha = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0], dtype=torch.float64), 2.0
    loss = sgd.scaled_hinge(F, y, alpha)
    assert loss.tolist() == pytest.approx([1.5, 0.5, 0.1, 0.0, 2.5])
    loss.sum().backward()
    assert F.grad.tolist() == sgd.scaled_hinge_grad(F.detach(), y, alpha).tolist()


def test_temperature_and_learning_rate_are_inverse() -> None:
    assert sgd.temperature(sgd.learning_rate(0.25, 16, 64), 16, 64) == 0.25
    assert sgd.learning_rate(0.5, 2) == 1.0


def test_predicted_exponents() -> None:
    assert [sgd.predicted_exponents(chi).gamma for chi in (0, 1, 3)] == [1, 0.5, 0.25]
    assert [sgd.predicted_exponents(chi).b for chi in (0, 1, 3)] == [3, 2, 1.5]
    assert [sgd.predicted_k(D) for D in (1, 2, 3, 5)] == pytest.approx([0, 1 / 3, 1 / 2, 2 / 3])
    with pytest.raises(ValueError, match="chi=-1"):
        sgd.predicted_exponents(-1)
    with pytest.raises(ValueError, match="hidden_layers=0"):
        sgd.predicted_k(0)


def test_unit_variance_against_closed_forms() -> None:
    assert sgd.unit_variance("relu") == pytest.approx(math.sqrt(2), abs=FLOAT64)
    # E g²Φ(g)² = 1/3 + 1/(2π√3)
    assert sgd.unit_variance("gelu") == pytest.approx((1 / 3 + 1 / (2 * math.pi * math.sqrt(3))) ** -0.5, abs=FLOAT64)


# --- SGD --------------------------------------------------------------------------------------------------------------

def test_linear_model_follows_sklearn_step_by_step() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 4)), np.where(rng.random(50) < 0.5, -1.0, 1.0)
    order = rng.integers(0, 50, 80)

    class Fixed:
        def __init__(self):
            self.left = iter(order.tolist())

        def draw(self):
            return torch.tensor([next(self.left)])

    def zeros(layer, fan_in, fan_out, generator):
        return torch.zeros(fan_in, fan_out), torch.zeros(fan_out)

    net = StackedMLP((4, 1), 1, bias=False, init=zeros, generators=[0], dtype=torch.float64)
    path = fit(net, (torch.tensor(x), torch.tensor(y)), loss=sgd.ScaledHinge(1.0), lr=0.1, steps=80, batches=Fixed(),
               watch=lambda step, net: net.params["weight0"].flatten().clone())
    model = SGDClassifier(loss="hinge", penalty=None, fit_intercept=False, learning_rate="constant", eta0=0.1,
                          shuffle=False)
    for step, index in enumerate(order[:-1]):
        model.partial_fit(x[index : index + 1], y[index : index + 1], classes=[-1.0, 1.0])
        assert np.abs(model.coef_[0] - path.watched[step + 1].numpy()).max() < FLOAT64


def test_perceptron_steps_follow_sklearn() -> None:
    P, d, T, seed = 30, 4, 0.3, 5
    runs = sgd.perceptron(P, d, 1.0, T, batch=1, alpha=1.0, seed=seed, method="step")
    rng = np.random.default_rng(replicate_seed(seed, 0))  # the run's own stream: first its data, then its batches
    x = _points(P, d, 1.0, rng)
    y = np.sign(x[:, 0])
    model = SGDClassifier(loss="hinge", penalty=None, fit_intercept=False, learning_rate="constant", eta0=T,
                          shuffle=False)
    for _ in range(int(runs.steps[0])):
        index = _subset(P, 1, rng)[0]
        model.partial_fit(x[index : index + 1] / math.sqrt(d), y[index : index + 1], classes=[-1.0, 1.0])
    assert model.coef_[0, 0] == pytest.approx(float(runs.w1[0]), abs=FLOAT64)
    assert (y * (x @ model.coef_[0]) / math.sqrt(d) >= 1).all()


@pytest.mark.parametrize("act", ["relu", "gelu"])
def test_three_gradient_paths_agree(act: str) -> None:
    net = sgd.MeanFieldMLP(6, 16, 2, act)
    stack = net.stack([3, 4, 5])
    x, y = toy(24)
    batch_x, batch_y = x.view(3, 8, 6), y.view(3, 8)
    start = 0.1 * torch.randn(3, 8, 1)
    loss = sgd.ScaledHinge(2.0)
    _, by_hand = stack.loss_and_grads(batch_x, batch_y, loss, offset=start)

    def objective(params, inputs, targets, origin):
        F = torch.func.functional_call(net, params, (inputs,)) - origin
        return sgd.scaled_hinge(F, targets, 2.0).mean()

    by_vmap = torch.func.vmap(torch.func.grad(objective))(stack.params, batch_x, batch_y, start.squeeze(-1))
    for m, seed in enumerate([3, 4, 5]):
        one = sgd.MeanFieldMLP(6, 16, 2, act, seed=seed)
        sgd.scaled_hinge(one(batch_x[m]) - start[m, :, 0], batch_y[m], 2.0).mean().backward()
        for name, parameter in one.named_parameters():
            scale = float(parameter.grad.abs().max())
            assert float((by_hand[name][m] - parameter.grad).abs().max()) < FLOAT32 * scale
            assert float((by_vmap[name][m] - parameter.grad).abs().max()) < FLOAT32 * scale


def test_predictor_starts_at_zero_and_the_first_update_does_not_know_alpha() -> None:
    runs = grid([1.0, 2.0**15], [0.05, 0.05], [7, 7], max_steps=1, keep_weights=True)
    first = sgd.MeanFieldMLP(6, 16, 2, "gelu").stack([7]).params
    for name, value in runs.weights.items():
        assert torch.equal(value[0], value[1])
        assert not torch.equal(value[0], first[name][0])


def test_lazy_trajectories_coincide_until_a_point_is_fitted() -> None:
    steps = 5  # at this temperature outputs stay below a margin of 1 for much longer
    runs = grid([1.0, 0.25], [1e-4, 1e-4], [7, 7], max_steps=steps, keep_weights=True)
    assert (runs.margin < 1).all()
    for value in runs.weights.values():
        assert torch.equal(value[0], value[1])


def test_a_run_alone_equals_the_same_run_in_a_stack_of_200() -> None:
    seeds = list(range(200))
    options = {"max_steps": 100, "keep_weights": True, "P": 40}
    many = grid([2.0**10] * 200, [0.02] * 200, seeds, **options)
    one = grid([2.0**10], [0.02], [123], **options)
    assert int(one.steps) == int(many.steps[123])
    for name, value in one.weights.items():
        assert float((value[0] - many.weights[name][123]).abs().max()) < TRAINED * float(value.abs().max())


def test_streak_check_finds_the_same_end_as_looking_at_every_step() -> None:
    alpha, T = [1.0, 2.0**15] * 6, [0.02, 0.005] * 6
    fast, slow = (grid(alpha, T, range(12), check=check) for check in ("streak", "every"))
    assert fast.fitted.all()
    assert torch.equal(fast.steps, slow.steps)
    assert torch.equal(fast.t_star, slow.t_star)


def test_fitted_runs_have_the_margin_by_a_fresh_evaluation() -> None:
    alpha = [0.1, 1.0, 2.0**15]
    runs = grid(alpha, [0.005] * 3, [1, 2, 3], keep_weights=True)
    assert runs.fitted.all()
    assert runs.train_error.tolist() == [0, 0, 0]
    x, y = toy()
    for m, seed in enumerate([1, 2, 3]):
        net = sgd.MeanFieldMLP(6, 16, 2, "gelu", seed=seed)
        subset = torch.randperm(60, generator=torch.Generator().manual_seed(seed))[:40]
        with torch.no_grad():
            F = torch.func.functional_call(net, {k: v[m] for k, v in runs.weights.items()}, (x,)) - net(x)
        margins = (alpha[m] * y * F)[subset]
        assert float(margins.min()) >= 1 - MARGIN_ROUNDING
        assert float(margins.min()) == pytest.approx(float(runs.margin[m]), abs=MARGIN_ROUNDING)
        assert float((y * F <= 0).double().mean()) == pytest.approx(float(runs.test_error[m]))


def test_t_star_counts_steps_in_units_of_the_learning_rate() -> None:
    runs = grid([1.0], [0.01], [3])
    assert float(runs.t_star) == pytest.approx(0.01 * 16 * 8 * int(runs.steps))


def test_diverged_and_unfinished_runs_are_told_apart() -> None:
    runs = grid([1.0, 1.0, 1.0], [100.0, 1e-6, 0.02], [1, 1, 1], max_steps=300, marks=(10, 290))
    assert runs.fitted.tolist() == [False, False, True]
    assert runs.diverged.tolist() == [True, False, False]
    assert int(runs.steps[1]) == 300
    assert float(runs.curve_error[2, 1]) == float(runs.test_error[2])


@pytest.mark.parametrize(("change", "message"), [
    ({"alpha": [2.0**19]}, "alpha=524288"), ({"alpha": [0.0]}, "alpha=0.0"), ({"T": [-1.0]}, "T=-1"),
    ({"T": [0.1, 0.1]}, "one row per seed"), ({"check": "never"}, "check='never'"), ({"P": 4}, "batch=8"),
])
def test_bad_grid_arguments_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid(**({"alpha": [1.0], "T": [0.1], "seeds": [0], "max_steps": 3} | change))


def test_labels_other_than_signs_are_refused() -> None:
    x, y = toy()
    with pytest.raises(ValueError, match="test_labels"):
        sgd.train_grid(x, y, x, y + 1, sgd.MeanFieldMLP(6, 4, 1), torch.ones(1), torch.ones(1), [0],
                       torch.arange(20).view(1, 20), max_steps=1)


# --- perceptron -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("chi", [0.0, 1.0, 2.5])
def test_depleted_data_follow_their_law(chi: float) -> None:
    x, y = sgd.sample_depleted(2000, 3, chi, runs=2, seed=0)
    assert torch.equal(y, x[..., 0].sign())
    assert stats.kstest(x[0, :, 0].abs().numpy(), stats.chi(chi + 1).cdf).pvalue > 0.01
    assert stats.kstest(x[0, :, 1].numpy(), stats.norm.cdf).pvalue > 0.01
    assert not torch.equal(x[0], x[1])
    assert torch.equal(sgd.sample_depleted(2000, 3, chi, runs=1, seed=0)[0][0], x[0])


def test_an_event_has_the_law_of_the_first_busy_batch() -> None:
    P, batch, unfitted, rng = 12, 3, np.array([2, 5, 6, 9]), np.random.default_rng(0)
    events = [_next_event(P, unfitted, batch, rng) for _ in range(4000)]
    steps, sizes = np.array([e[0] for e in events]), np.array([len(e[1]) for e in events])
    idle = math.comb(8, 3) / math.comb(12, 3)
    # five standard errors of the mean of a geometric law
    assert steps.mean() == pytest.approx(1 / (1 - idle), abs=5 * math.sqrt(idle) / (1 - idle) / math.sqrt(4000))
    expected = np.array([math.comb(4, k) * math.comb(8, 3 - k) for k in (1, 2, 3)], float)
    counts = np.bincount(sizes, minlength=4)[1:]
    assert stats.chisquare(counts, expected / expected.sum() * 4000).pvalue > 0.001
    which = np.bincount(np.concatenate([e[1] for e in events]), minlength=P)
    assert stats.chisquare(which[unfitted]).pvalue > 0.001
    assert which.sum() == which[unfitted].sum()


def test_events_are_steps_in_law() -> None:
    event, step = (sgd.perceptron(128, 16, 1.0, 1.0, runs=200, seed=seed, method=method)
                   for seed, method in ((1, "event"), (2, "step")))
    assert event.fitted.all()
    assert step.fitted.all()
    for name in ("steps", "w1", "w_perp"):
        assert stats.ks_2samp(getattr(event, name).numpy(), getattr(step, name).numpy()).pvalue > 0.01
    for runs in (event, step):  # 200 runs: the standard error is 0.05
        assert float(runs.steps.double().log().mean()) == pytest.approx(5.685, abs=0.15)


def test_perceptron_ends_where_independent_runs_ended() -> None:
    runs = sgd.perceptron(256, 16, 1.0, 1.0, runs=400, seed=3)
    assert float(runs.w1.log().mean()) == pytest.approx(1.60, abs=0.03)
    assert float(runs.w_perp.log().mean()) == pytest.approx(0.18, abs=0.05)


def test_far_above_the_margin_temperature_is_only_a_unit() -> None:
    low, high = (sgd.perceptron(200, 8, 1.0, T, runs=5, seed=1, alpha=1e12) for T in (1.0, 4.0))
    assert torch.equal(low.steps, high.steps)
    assert torch.allclose(high.w1, 4 * low.w1)
    assert torch.allclose(high.t_star, 4 * low.t_star)


def test_a_run_does_not_depend_on_the_others() -> None:
    many = sgd.perceptron(100, 8, 1.0, torch.tensor([0.5, 1.0, 2.0]), seed=4)
    assert float(sgd.perceptron(100, 8, 1.0, 0.5, seed=4).w1) == float(many.w1[0])


def test_trace_ends_fitted_and_counts_time() -> None:
    runs = sgd.perceptron(100, 8, 1.0, 1.0, runs=2, seed=0, trace=True)
    for r, trace in enumerate(runs.traces):
        assert trace.unfitted[0] == 1
        assert trace.unfitted[-1] == 0
        assert trace.t[-1] == float(runs.t_star[r])
        assert len(trace.t) == int(runs.events[r]) + 1
    short = sgd.perceptron(100, 8, 0.0, 1.0, max_events=3, seed=0)
    assert not short.fitted.any()


@pytest.mark.parametrize(("change", "message"), [
    ({"P": 0}, "P=0"), ({"d": 1}, "d=1"), ({"chi": -0.5}, "chi=-0.5"), ({"T": 0.0}, "T=0.0"),
    ({"batch": 11}, "batch=11"), ({"method": "epoch"}, "method='epoch'"), ({"alpha": 0.0}, "alpha=0.0"),
])
def test_bad_perceptron_arguments_are_named(change: dict, message: str) -> None:
    options = {"P": 10, "d": 4, "chi": 1.0, "T": 1.0} | change
    with pytest.raises(ValueError, match=message):
        sgd.perceptron(*[options.pop(name) for name in ("P", "d", "chi", "T")], **options)


# --- analysis ---------------------------------------------------------------------------------------------------------

def test_fit_power_recovers_exponents_and_counts_empty_cells() -> None:
    P, T = np.array([128.0, 256, 512]), np.array([0.01, 0.1, 1.0])
    y = np.repeat(3 * T[None, :, None] ** 0.9 * P[:, None, None] ** 1.3, 4, axis=2)
    y[0, 0, 2] = np.nan
    law = sgd.fit_power(y, P, T)
    assert (law.T_exp, law.P_exp, law.prefactor) == pytest.approx((0.9, 1.3, 3))
    assert (law.cells, law.empty) == (8, 1)
    assert law(0.1, 256.0) == pytest.approx(y[1, 1, 0])


def test_critical_temperature_interpolates_in_logarithms() -> None:
    T = np.array([0.01, 0.1, 1.0])
    change = np.array([[0.02 * (t / 0.1) ** 0.5 for t in T], [1e-5, 1e-4, 1e-3], [1.0, 2.0, 3.0]])
    found = sgd.critical_temperature(change, T, 0.04)
    assert found[0] == pytest.approx(0.1 * 4)
    assert np.isnan(found[1:]).all()
    with pytest.raises(ValueError, match="must increase"):
        sgd.critical_temperature(change, T[::-1], 0.04)


def test_stability_edge_takes_the_largest_temperature_with_half_of_the_seeds() -> None:
    fitted = torch.tensor([[[1, 1], [1, 0], [0, 0]], [[0, 0], [0, 0], [0, 0]]], dtype=torch.bool)
    edge = sgd.stability_edge(fitted, [0.1, 0.2, 0.4])
    assert edge[0] == 0.2
    assert np.isnan(edge[1])


def test_phase_diagram_leaves_cells_empty_that_did_not_fit() -> None:
    runs = grid([1.0] * 4, [0.02, 0.02, 100.0, 100.0], [1, 2, 1, 2], max_steps=400).view(1, 2, 2)
    cells = sgd.phase_diagram(runs, [1.0], [0.02, 100.0])
    assert cells["fitted"].tolist() == [[1.0, 0.0]]
    assert torch.isfinite(cells["test_error"][0, 0])
    assert torch.isnan(cells["test_error"][0, 1])
    with pytest.raises(ValueError, match="seeds"):
        sgd.phase_diagram(runs, [1.0, 2.0], [0.02, 100.0])


# --- the lesson -------------------------------------------------------------------------------------------------------

def test_pool_and_test_set_are_disjoint_and_labels_are_parities() -> None:
    x, y, test_x, test_y = sgd.parity_data("digits", 3)
    assert x.shape == (1100, 64)
    assert test_x.shape == (697, 64)
    assert set(y.tolist()) == set(test_y.tolist()) == {-1.0, 1.0}
    both = torch.cat([x, test_x])
    assert len(torch.unique(both, dim=0)) == len(both)


def test_cells_are_paired_by_seed() -> None:
    runs = sgd.run_cells(sgd.Settings(profile="smoke"), [(1.0, 2.0**-5), (1.0, 2.0**-5)], 2, P=64, depth=1, act="relu",
                         max_steps=50)
    assert torch.equal(runs.test_error[0], runs.test_error[1])


def test_point_varies_with_its_settings_and_marks_what_did_not_fit() -> None:
    settings = sgd.Settings(profile="smoke", P=64, perceptron_P=64)
    calm = sgd.point(settings).scalars
    wild = sgd.point(settings.replace(T=2.0, alpha=2.0**-14, depth=3)).scalars
    assert calm["fitted_share"] == 1
    assert math.isfinite(calm["test_error"])
    assert wild["fitted_share"] < 1
    assert math.isnan(wild["test_error"])
    assert calm["perceptron_w1"] == wild["perceptron_w1"]


@pytest.mark.standard
def test_every_claim_is_measured_and_smoke_says_nothing() -> None:
    settings = sgd.Settings(profile="smoke", T=0.01)
    measured = sgd.measure(settings)
    assert list(measured) == ["N1", "N2", "N3", "N4", "N5", "N6"]
    for claim in sgd.CLAIMS:
        assert judge(claim, measured[claim.id], smoke=True).word == "not tested at this scale"
