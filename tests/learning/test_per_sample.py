"""Per-sample gradients against a loop over samples; their statistics against definitions and values by hand."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.learning import per_sample
from torch import nn
from torch.nn import functional as F

EXACT = 1e-10  # float64, sums of a few hundred terms


def loop(model, loss_fn, x, y):
    """One backward pass for each sample."""
    rows = []
    for sample, target in zip(x, y, strict=True):
        model.zero_grad()
        loss_fn(model(sample[None]), target[None]).mean().backward()
        rows.append({name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad})
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def network(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.LayerNorm(6), nn.Linear(6, 3)).to(dtype)


def batch(b=7, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(b, 4, generator=g, dtype=torch.float64), torch.randint(3, (b,), generator=g)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_gradients_are_those_of_a_loop(reduction):
    model, (x, y) = network(), batch()

    def loss_fn(output, target):
        return F.cross_entropy(output, target, reduction=reduction)

    for name, expected in loop(model, loss_fn, x, y).items():
        torch.testing.assert_close(per_sample.grads(model, loss_fn, x, y)[name], expected, rtol=EXACT, atol=1e-14)


def test_their_mean_is_the_batch_gradient_and_grad_is_left_alone():
    model, (x, y) = network(), batch()
    found = per_sample.grads(model, F.cross_entropy, x, y)
    assert all(p.grad is None for p in model.parameters())
    F.cross_entropy(model(x), y).backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(found[name].mean(0), p.grad)


def test_frozen_parameters_are_left_out():
    model = network()
    model[0].requires_grad_(False)
    found = per_sample.grads(model, F.cross_entropy, *batch())
    assert set(found) == {name for name, p in model.named_parameters() if p.requires_grad}


def test_running_statistics_are_refused():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double()
    with pytest.raises(TypeError, match="BatchNorm1d"):
        per_sample.grads(model, F.cross_entropy, *batch())
    with pytest.raises(ValueError, match="one row"):
        per_sample.grads(network(), F.cross_entropy, batch(4)[0], batch(5)[1])


def random_gradients(b=9, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {"w": torch.randn(b, 3, 5, generator=g, dtype=torch.float64) + 0.3,
            "b": torch.randn(b, 4, generator=g, dtype=torch.float64) - 0.1}


def test_statistics_are_those_of_the_definitions():
    found = random_gradients()
    flat = torch.cat([part.flatten(1) for part in found.values()], 1)
    mean, stats = flat.mean(0), per_sample.stats(found, coordinate=True)
    inner = flat @ mean
    orth = flat - torch.outer(inner, mean) / mean.square().sum()
    expected = (
        mean.square().sum(), flat.var(0).sum(), inner.var(), orth.var(0).sum(), (flat.var(0) / mean.square()).max()
    )
    measured = (
        stats.mean_sq_norm, stats.variance, stats.ip_variance, stats.orth_variance, stats.coordinate_ratio
    )
    assert measured == pytest.approx([value.item() for value in expected], rel=EXACT)
    assert stats.batch_size == 9
    assert stats.variance == pytest.approx(stats.ip_variance / stats.mean_sq_norm + stats.orth_variance, rel=EXACT)
    whole = per_sample.stats(flat)
    assert whole.variance == pytest.approx(stats.variance, rel=EXACT)
    assert whole.coordinate_ratio is None


def test_by_hand():
    stats = per_sample.stats(torch.tensor([[1.0, 0.0], [3.0, 2.0]]), coordinate=True)
    # gbar = (2, 1); variances 2 and 2; <g, gbar> = 2, 8; along (2, 1)/sqrt 5: 18/5 of 4
    assert (stats.mean_sq_norm, stats.variance, stats.ip_variance, stats.coordinate_ratio) == (5.0, 4.0, 18.0, 2.0)
    assert stats.orth_variance == pytest.approx(0.4)


def test_identical_samples_do_not_scatter():
    stats = per_sample.stats(torch.ones(5, 3), coordinate=True)
    assert (stats.variance, stats.ip_variance, stats.orth_variance, stats.coordinate_ratio) == (0, 0, 0, 0)


def test_duplicating_the_batch_keeps_the_sum_of_squares():
    flat = random_gradients()["w"]
    once, twice = per_sample.stats(flat), per_sample.stats(torch.cat([flat, flat]))
    assert once.variance * 8 / 9 == pytest.approx(twice.variance * 17 / 18, rel=EXACT)


def test_without_a_mean_there_is_no_direction():
    stats = per_sample.stats(torch.tensor([[1.0], [-1.0]]), coordinate=True)
    assert (stats.ip_variance, stats.orth_variance, stats.coordinate_ratio) == (0.0, 2.0, math.inf)


def test_an_entry_without_gradient_does_not_count():
    stats = per_sample.stats(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), coordinate=True)
    assert stats.coordinate_ratio == 0.5


@pytest.mark.parametrize(("given", "words"), [
    (torch.ones(1, 3), "b = 2"), (torch.tensor(1.0), "b = 2"), ({}, "is empty"),
    ({"a": torch.ones(3, 1), "b": torch.ones(2, 1)}, "differs"), (torch.tensor([[1.0], [math.nan]]), "NaN"),
    ({"w": torch.tensor([[1.0], [math.inf]])}, "w holds"), (torch.ones(3, 2, dtype=torch.int64), "int64"),
    (torch.ones(3, 2, dtype=torch.complex64), "complex64"), ({"w": [1.0, 2.0]}, "list"),
])
def test_bad_gradients(given, words):
    with pytest.raises(ValueError, match=words):
        per_sample.stats(given)
