"""Soft confusion matrices, metrics, gradients and the torch loss against scikit-learn, autograd and differences."""
from __future__ import annotations

import math

import pytest
import sklearn.metrics as peers
import torch
from gradscape.optimizers import AnyLoss, SoftConfusion, StratifiedBatchSampler, amplify, metric_gradient
from gradscape.optimizers.anyloss import METRICS, active_band, hard_metrics, official_gmean_gradient, tune_threshold
from gradscape.optimizers.anyloss.confusion import resolve
from gradscape.optimizers.anyloss.gradients import CLOSED

EXACT = 1e-14  # sums of a hundred numbers of order 1 in float64
SLOPE = 1e-8  # central differences of width 2e-5 of functions with third derivatives of order L^3


def batch(n=60, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    z = (0.3 * torch.randn(n, generator=g, dtype=torch.float64)).to(dtype)
    y = (torch.rand(n, generator=g) < 0.3).to(dtype)
    y[0], y[1] = 0.0, 1.0
    return z, y


def soft(z, y, **options):
    return SoftConfusion.from_probabilities(torch.sigmoid(z), y, **options)


# the amplifier

def test_amplifier_keeps_the_middle_the_order_and_the_labels():
    p = torch.linspace(0, 1, 1001, dtype=torch.float64)
    a = amplify(p)
    assert amplify(torch.tensor([0.5]))[0] == 0.5
    assert bool((a[:900].diff() > 0).all())  # beyond, steps are below the rounding of numbers near 1
    assert bool((a.diff() >= 0).all())
    assert torch.equal(a > 0.5, p > 0.5)
    torch.testing.assert_close(a + a.flip(0), torch.ones_like(a), rtol=0, atol=EXACT)


@pytest.mark.parametrize(("dtype", "largest"), [(torch.float64, 73), (torch.float32, 33)])
def test_the_largest_amplification_that_does_not_saturate(dtype, largest):
    one = torch.ones(1, dtype=dtype)
    assert amplify(one, largest).item() < 1
    assert amplify(one, largest + 1).item() == 1


def test_the_active_band_is_where_the_slope_falls_to_its_share():
    for L in (5.0, 73.0):
        a = amplify(torch.tensor([0.5 + active_band(L, 0.3) if L > 10 else 0.5 + active_band(L, 0.9)]).double(), L)
        assert 4 * (a * (1 - a)).item() == pytest.approx(0.3 if L > 10 else 0.9, rel=1e-5)
    assert active_band(73.0) == pytest.approx(6 / 73, rel=0.01)


# metrics

def test_entries_add_up_and_are_what_they_say():
    z, y = batch()
    c, a = soft(z, y), amplify(torch.sigmoid(z))
    assert (c.tp + c.fp + c.fn + c.tn - c.n).abs() < EXACT * 60
    expected = ((y * a).sum(), ((1 - y) * a).sum(), (y * (1 - a)).sum(), ((1 - y) * (1 - a)).sum())
    for found, value in zip((c.tp, c.fp, c.fn, c.tn), expected, strict=True):
        torch.testing.assert_close(found, value, rtol=0, atol=1e-12)
    assert c.n == 60
    assert c.positives == y.sum()


@pytest.mark.parametrize("seed", range(5))
def test_hard_metrics_are_scikit_learns(seed):
    z, y = batch(seed=seed)
    labels = (z > 0).double()
    found, t, h = hard_metrics(y, labels), y.numpy(), labels.numpy()
    sensitivity, rest = peers.recall_score(t, h), peers.recall_score(1 - t, 1 - h)
    expected = {
        "accuracy": peers.accuracy_score(t, h), "f1": peers.f1_score(t, h), "precision": peers.precision_score(t, h),
        "f0.5": peers.fbeta_score(t, h, beta=0.5), "f2": peers.fbeta_score(t, h, beta=2), "recall": sensitivity,
        "specificity": rest, "gmean": math.sqrt(sensitivity * rest),
        "balanced_accuracy": peers.balanced_accuracy_score(t, h), "jaccard": peers.jaccard_score(t, h),
        "informedness": peers.balanced_accuracy_score(t, h, adjusted=True), "mcc": peers.matthews_corrcoef(t, h),
    }
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, abs=1e-12)


def test_limits_and_invariances():
    z, y = batch()
    c = soft(z, y)
    assert resolve("fbeta", 1e-6)(c).item() == pytest.approx(METRICS["precision"](c).item(), abs=1e-9)
    assert resolve("fbeta", 1e6)(c).item() == pytest.approx(METRICS["recall"](c).item(), abs=1e-9)
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(1))
    for metric in METRICS.values():
        for other in (soft(z[order], y[order]), soft(z.repeat(2), y.repeat(2)), soft(z, y, weight=torch.tensor(2.0))):
            assert metric(other).item() == pytest.approx(metric(c).item(), abs=1e-12)
    half = torch.arange(60) % 2
    even = soft(z, half.double())
    assert METRICS["accuracy"](even).item() == pytest.approx(METRICS["balanced_accuracy"](even).item(), abs=1e-12)


def test_weights_of_zero_leave_samples_out_and_leading_axes_are_batches():
    z, y = batch()
    keep = torch.arange(60) < 40
    torch.testing.assert_close(soft(z, y, weight=keep.double()).tp, soft(z[keep], y[keep]).tp)
    stacked = soft(z.view(3, 20), y.view(3, 20))
    for k in range(3):
        torch.testing.assert_close(stacked.fn[k], soft(z[20 * k : 20 * k + 20], y[20 * k : 20 * k + 20]).fn)


# gradients

@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", METRICS)
def test_closed_forms_are_autograd_and_central_differences(name, beta):
    z, y = batch()
    z.requires_grad_()
    loss = 1 - resolve(name, beta)(soft(z, y))
    (truth,) = torch.autograd.grad(loss, z)
    found = metric_gradient(name, torch.sigmoid(z.detach()), y, beta=beta)
    torch.testing.assert_close(found, truth, rtol=0, atol=1e-13)
    h = 1e-5
    for i in (1, 7):
        step = h * torch.eye(60, dtype=torch.float64)[i]
        up, down = (resolve(name, beta)(soft(z.detach() + side * step, y)) for side in (1, -1))
        assert found[i].item() == pytest.approx(-((up - down) / (2 * h)).item(), abs=SLOPE * 100)


def test_the_official_geometric_mean_is_four_times_too_steep():
    z, y = batch()
    p = torch.sigmoid(z)
    torch.testing.assert_close(official_gmean_gradient(p, y), 4 * metric_gradient("gmean", p, y), rtol=1e-12, atol=0)


def test_gradients_push_positives_up_and_negatives_down():
    z, y = batch()
    for name in ("accuracy", "fbeta", "gmean", "balanced_accuracy"):
        grad = metric_gradient(name, torch.sigmoid(z), y)
        assert bool((grad[y == 1] <= 0).all()), name
        assert bool((grad[y == 0] >= 0).all()), name


def test_f1_at_zero_logits_is_p_over_p_plus_half_n():
    y = (torch.arange(40) < 10).double()
    assert 1 - AnyLoss("fbeta")(torch.zeros(40).double(), y).item() == pytest.approx(10 / (10 + 20))


# the torch loss

@pytest.mark.parametrize("name", METRICS)
def test_the_loss_is_one_minus_the_metric_with_its_gradient(name):
    z, y = batch()
    z.requires_grad_()
    loss = AnyLoss(name)(z, y)
    loss.backward()
    assert loss.item() == pytest.approx(1 - METRICS[name](soft(z, y)).item())
    torch.testing.assert_close(z.grad, metric_gradient(name, torch.sigmoid(z.detach()), y), rtol=0, atol=1e-13)
    p = torch.sigmoid(z.detach())
    assert AnyLoss(name, from_logits=False)(p, y).item() == pytest.approx(loss.item())


def test_any_callable_is_a_metric():
    z, y = batch()
    ours = AnyLoss(lambda c: (c.tp + c.tn) / c.n)(z, y)
    assert ours.item() == pytest.approx(AnyLoss("accuracy")(z, y).item())


def test_batches_without_a_class_are_skipped_or_refused_and_never_nan():
    z = torch.randn(8, dtype=torch.float64, requires_grad=True)
    zeros, ones = torch.zeros(8), torch.ones(8)
    for name in METRICS:
        for y in (zeros, ones):
            loss = AnyLoss(name)
            z.grad = None
            value = loss(z, y)
            value.backward()
            assert torch.isfinite(value)
            assert torch.isfinite(z.grad).all()
    skipping = AnyLoss("gmean")
    assert skipping(z, zeros).item() == 0
    assert skipping.skipped == 1
    f1 = AnyLoss("fbeta")
    z.grad = None
    f1(z, zeros).backward()
    assert f1(z, zeros).item() == 1
    assert z.grad.abs().max() == 0
    with pytest.raises(ValueError, match="holds no positives"):
        AnyLoss("balanced_accuracy", empty="error")(z, zeros)


def test_extreme_logits_never_give_nan():
    z = torch.tensor([-800.0, 800.0, -800.0, 800.0], dtype=torch.float64, requires_grad=True)
    for name in METRICS:
        for L in (1.0, 73.0, 5000.0):
            z.grad = None
            AnyLoss(name, L=L)(z, torch.tensor([1.0, 0.0, 0.0, 1.0])).backward()
            assert torch.isfinite(z.grad).all(), (name, L)


def test_training_with_the_loss_is_what_the_closed_form_does():
    g = torch.Generator().manual_seed(0)
    X = torch.randn(80, 3, generator=g, dtype=torch.float64)
    y = (X[:, 0] + 0.5 * torch.randn(80, generator=g) > 0.8).double()
    model = torch.nn.Linear(3, 1).double()
    theta = torch.cat([model.bias, model.weight[0]]).detach()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    rows = torch.cat([torch.ones(80, 1).double(), X], 1)
    for _ in range(30):
        optimizer.zero_grad()
        AnyLoss("fbeta")(model(X)[:, 0], y).backward()
        optimizer.step()
        theta = theta - 0.01 * rows.T @ metric_gradient("fbeta", torch.sigmoid(rows @ theta), y)
    torch.testing.assert_close(torch.cat([model.bias, model.weight[0]]).detach(), theta, rtol=0, atol=1e-12)


def test_stratified_batches_have_their_share_of_each_class():
    y = (torch.arange(103) < 13).long()
    sampler = StratifiedBatchSampler(y, 10, generator=torch.Generator().manual_seed(0))
    batches = list(sampler)
    assert len(batches) == len(sampler) == 10
    assert all(len(b) == 10 and 1 <= int(y[b].sum()) <= 2 for b in batches)
    assert len({i for b in batches for i in b}) == 100
    rare = StratifiedBatchSampler((torch.arange(50) < 2).long(), 5, 2, generator=torch.Generator())
    assert all(int((torch.tensor(b) < 2).sum()) == 2 for b in rare)


# thresholds

@pytest.mark.parametrize("name", ["accuracy", "fbeta", "gmean", "balanced_accuracy", "mcc"])
def test_the_threshold_is_the_best_of_all(name):
    for seed in range(5):
        z, y = batch(40, seed)
        z = (z * 5).round() / 5  # with ties
        t = tune_threshold(z, y, name)

        def value(cut, z=z, y=y):
            return METRICS[name](SoftConfusion.from_probabilities((z > cut).double(), y, amplify=False)).item()

        best = max(value(cut) for cut in torch.linspace(-2, 2, 401).double())
        assert value(t) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: amplify(torch.tensor([1.5])), r"must lie in \[0, 1\]"),
    (lambda: amplify(torch.tensor([math.nan])), "NaN"),
    (lambda: amplify(torch.tensor([0.5]), 0.0), "L=0.0"),
    (lambda: amplify(torch.tensor([1])), "floats"),
    (lambda: amplify(torch.tensor([])), "empty"),
    (lambda: active_band(73.0, 0.0), "fraction"),
    (lambda: SoftConfusion.from_probabilities(torch.ones(2), torch.tensor([0.0, 0.5])), "labels must be 0 or 1"),
    (lambda: SoftConfusion.from_probabilities(torch.ones(2), torch.ones(3)), "shapes differ"),
    (lambda: soft(*batch(), weight=torch.tensor(-1.0)), "not be negative"),
    (lambda: soft(*batch(), weight=torch.ones(7)), "does not broadcast"),
    (lambda: AnyLoss("f1"), "metric='f1'"),
    (lambda: AnyLoss(beta=-1.0), "beta=-1.0"),
    (lambda: AnyLoss(L=math.inf), "L=inf"),
    (lambda: AnyLoss(empty="ignore"), "empty='ignore'"),
    (lambda: AnyLoss()(torch.tensor([math.nan]), torch.ones(1)), "input holds 1 NaN"),
    (lambda: AnyLoss()(torch.zeros(2), torch.ones(1)), "shapes differ"),
    (lambda: metric_gradient("auc", torch.ones(2), torch.ones(2)), "metric='auc'"),
    (lambda: tune_threshold(torch.zeros(2, 2), torch.zeros(2, 2), "accuracy"), r"must be \(n,\)"),
    (lambda: hard_metrics(torch.ones(2), torch.tensor([0.5, 1.0])), "labels"),
    (lambda: StratifiedBatchSampler(torch.ones(5), 2), "no label 0"),
    (lambda: StratifiedBatchSampler(torch.tensor([0, 1]), 1), "batch_size=1"),
    (lambda: StratifiedBatchSampler(torch.tensor([0, 1]), 3), "batch_size=3"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_every_closed_form_is_a_metric():
    assert set(CLOSED) < set(METRICS)
