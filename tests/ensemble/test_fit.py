"""Training a stack: batches exact in law and private to a member; a step equal to torch's optimizer."""
from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from gradscape.ensemble import Batches, SharedBatches, StackedMLP, cross_entropy, fit, mse, sgd
from torch import nn


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_batches_are_uniform_over_subsets() -> None:
    batches, counts = Batches(5, 3, generators([0]), chunk=1000), Counter()
    for _ in range(6000):
        counts[tuple(sorted(batches.draw()[0].tolist()))] += 1
    assert len(counts) == math.comb(5, 3)
    expected = 6000 / len(counts)
    # chi-square with 9 degrees of freedom: 27.9 is its 99.9 % quantile
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 27.9


def test_batches_of_the_whole_population_and_of_mixed_populations() -> None:
    assert sorted(Batches(4, 4, generators([3])).draw()[0].tolist()) == [0, 1, 2, 3]
    batches = Batches([4, 50], 3, generators([0, 1]))
    drawn = torch.stack([batches.draw() for _ in range(300)])
    assert drawn[:, 0].max() == 3
    assert 40 < drawn[:, 1].max() < 50
    assert all(len(set(row)) == 3 for row in drawn.flatten(0, 1).tolist())


def test_batches_of_a_member_are_its_own_and_survive_compaction() -> None:
    many, one = Batches(30, 4, generators(range(9)), chunk=7), Batches(30, 4, generators([5]), chunk=7)
    for step in range(40):
        if step == 10:
            many.compact(torch.arange(9) % 2 == 1)
        assert torch.equal(many.draw()[5 if step < 10 else 2], one.draw()[0])


def test_shared_batches_pass_through_the_data_once_per_epoch() -> None:
    batches = SharedBatches(10, 3, torch.Generator().manual_seed(0))
    epoch = torch.cat([batches.draw() for _ in range(3)])
    assert len(set(epoch.tolist())) == 9


def test_fit_equals_torch_sgd_on_one_module() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(40, 6), torch.randint(3, (40,))
    net = StackedMLP((6, 8, 3), 2, generators=range(2))
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    start = net.member(1)
    with torch.no_grad():
        for layer, linear in enumerate(module[::2]):
            linear.weight.copy_(start[f"weight{layer}"].T)
            linear.bias.copy_(start[f"bias{layer}"])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.2)
    result = fit(net, (x, y), loss=cross_entropy, lr=torch.tensor([0.1, 0.2]), steps=30)
    for step in range(30):
        loss = nn.functional.cross_entropy(module(x), y)
        assert float(result.losses[1, step]) == pytest.approx(float(loss.detach()), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    end = net.member(1)
    for layer, linear in enumerate(module[::2]):
        assert torch.allclose(end[f"weight{layer}"].T, linear.weight, atol=1e-6)


def test_pure_sgd_and_the_step_in_place_agree() -> None:
    torch.manual_seed(0)
    data = torch.randn(2, 40, 6), torch.randn(2, 40)
    rates = torch.tensor([0.1, 0.02])
    runs = []
    for update in (None, sgd):
        net = StackedMLP((6, 8, 1), 2, generators=range(2))
        runs.append(fit(net, data, loss=mse, lr=lambda step: rates / (1 + step), update=update, steps=20, batches=4))
    assert torch.allclose(runs[0].losses, runs[1].losses, rtol=1e-5)


def test_fit_reports_progress_watches_and_keeps_state() -> None:
    seen = []

    def counting(params, grads, state, *, lr):
        return params, {"calls": state.get("calls", 0) + 1}

    net = StackedMLP((3, 4, 1), 2, generators=range(2))
    result = fit(
        net, (torch.randn(9, 3), torch.zeros(9)), loss=mse, lr=0.1, update=counting, steps=7, every=3,
        batches=SharedBatches(9, 4, torch.Generator().manual_seed(0)), watch=lambda step, net: step,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.state == {"calls": 7}
    assert result.watched == result.steps.tolist() == [0, 3, 6]
    assert result.losses.shape == (2, 3)
    assert seen[-1] == (7, 7)


def test_bad_arguments_are_named() -> None:
    net = StackedMLP((3, 4, 1), 2, generators=range(2))
    with pytest.raises(ValueError, match="9 inputs but 8 targets"):
        fit(net, (torch.randn(9, 3), torch.zeros(8)), loss=mse, lr=0.1, steps=1)
    with pytest.raises(ValueError, match="batch=10"):
        fit(net, (torch.randn(9, 3), torch.zeros(9)), loss=mse, lr=0.1, steps=1, batches=10)
    with pytest.raises(ValueError, match="steps=-1"):
        fit(net, (torch.randn(9, 3), torch.zeros(9)), loss=mse, lr=0.1, steps=-1)
    with pytest.raises(ValueError, match="batch=10"):
        SharedBatches(9, 10, torch.Generator())
