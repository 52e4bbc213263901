"""A stack of binary networks against modules one by one, and what the experiments and claims are made of."""
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gradscape import lesson
from gradscape.credit import rectified_ste as rs
from gradscape.credit.rectified_ste import convnet, tables
from gradscape.credit.rectified_ste import experiments as ex
from gradscape.credit.rectified_ste.training import momentum_step
from gradscape.ensemble import SharedBatches, cross_entropy
from gradscape.lesson import generator, replicate_seed
from torch import nn

SMOKE = rs.Settings(profile="smoke")
# Odd, so that a sum of signs is never 0: times a scale one by one, as modules do, a 0 becomes noise of either sign.
WIDTH = 9
EXACT = 1e-9  # some dozens of float64 steps; a sign that falls otherwise would be off by far more
ARMS = (
    rs.Arm(o_end=1.0), rs.Arm(o_end=10.0, t=1.2, m=0.05, schedule="linear"), rs.Arm("ste", clip=0.8), rs.Arm("ede"),
    rs.Arm("bireal"), rs.Arm(o_end=3.0, binary_activations=False, lr=0.03),
)


def rows(n=48, d=6, classes=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    return x, (x[:, :classes] + 0.3 * torch.randn(n, classes, generator=g)).argmax(1)


class Net(nn.Module):
    """Model A from modules: real layer, binary layers, each followed by ReLU and batch normalization, classifier."""

    def __init__(self, stack, member):
        super().__init__()
        arm, own = stack.arms[member], stack.member(member)
        self.first = nn.Linear(*own["weight0"].shape, bias=False)
        self.binary = nn.ModuleList([
            rs.BinaryLinear(w, w, kind=arm.kind, t=arm.t, m=arm.m, clip=arm.clip,
                            binary_activations=arm.binary_activations)
            for w in [len(own["weight1"])] * stack.depth
        ])
        self.norms = nn.ModuleList([nn.BatchNorm1d(len(own["weight1"])) for _ in range(stack.depth + 1)])
        self.last = nn.Linear(*own[f"weight{stack.depth + 1}"].shape)
        self.double()
        with torch.no_grad():
            self.last.bias.zero_()
            for k, norm in enumerate(self.norms):
                norm.bias.copy_(own_shift(stack, k)[member, 0])
            for k, layer in enumerate([self.first, *self.binary, self.last]):
                layer.weight.copy_(own[f"weight{k}"].T)

    def forward(self, x):
        for layer, norm in zip([self.first, *self.binary], self.norms, strict=True):
            x = norm(torch.relu(layer(x)))
        return self.last(x)


def own_shift(stack, layer):
    """Shifts that are not 0: sums of signs are whole numbers, and one that equals its mean would have a sign of noise.

    They are put into the stack too.
    """
    g = torch.Generator().manual_seed(layer)
    stack.params[f"shift{layer}"] = 0.1 * torch.randn(stack.params[f"shift{layer}"].shape, generator=g).double()
    return stack.params[f"shift{layer}"]


def train_alone(net, arm, x, y, epochs, batch, seed):
    optimizer = torch.optim.SGD(net.parameters(), lr=arm.lr, momentum=0.9, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    batches, losses, s = SharedBatches(len(x), batch, generator(seed, 10_000)), [], []
    for epoch in range(epochs):
        rs.set_o(net, rs.o_schedule(epoch, epochs, arm.o_end, arm.schedule))
        rs.set_tau(net, rs.tau_schedule(epoch, epochs))
        for _ in range(len(x) // batch):
            index = batches.draw()
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x[index]), y[index])
            loss.backward()
            losses.append(loss.item())
            s.append(float(rs.gradient_instability([layer.weight.grad for layer in net.binary]).sum()))
            optimizer.step()
        rate.step()
    return losses, s


@pytest.fixture(scope="module")
def trained():
    x, y = rows()
    nets = rs.BinaryMLPEnsemble(6, WIDTH, 2, 4, ARMS, 2, seed=3, dtype=torch.float64)
    alone = [Net(nets.net, k) for k in range(nets.net.members)]
    history = nets.fit(x, y, 3, batch=16)
    return x, y, nets, alone, history


@pytest.mark.parametrize("member", range(2 * len(ARMS)))
def test_a_member_is_the_network_of_modules(trained, member):
    x, y, nets, alone, history = trained
    arm, k, r = nets.net.arms[member], *divmod(member, 2)
    net = alone[member]
    losses, s = train_alone(net, arm, x, y, 3, 16, 3)
    np.testing.assert_allclose(history.loss[k, r], np.reshape(losses, (3, 3)).mean(1), rtol=0, atol=EXACT)
    np.testing.assert_allclose(history.s[k, r], np.reshape(s, (3, 3)).mean(1), rtol=1e-6)
    np.testing.assert_allclose(history.s_last[k, r], np.reshape(s, (3, 3))[:, -1], rtol=1e-6)
    for j, layer in enumerate(net.binary):
        torch.testing.assert_close(history.weights[k, r, j], layer.weight.detach().T, rtol=0, atol=EXACT)
    net.eval()
    nets.net.training = False
    torch.testing.assert_close(nets.net.forward(x)[member], net(x).detach(), rtol=0, atol=EXACT)
    assert history.acc[k, r, -1] == pytest.approx(float((net(x).argmax(1) == y).double().mean()))


def test_the_history_tells_errors_and_shares(trained):
    history = trained[-1]
    assert history.acc.shape == (len(ARMS), 2, 3)
    weights = history.weights[1, 0]
    e = sum(float(rs.estimating_error(w, 10.0)) for w in weights)  # the final o from the first epoch on
    assert history.e[1, 0, -1] == pytest.approx(e, rel=1e-9)
    assert history.inside[1, 0] == pytest.approx(float((weights.abs() <= 0.05).double().mean()), abs=1e-7)
    assert history.beyond[1, 0] == pytest.approx(float((weights.abs() > 1.2).double().mean()), abs=1e-7)
    k = history.at(kind="bireal")
    e = sum(float((w.sign() - rs.estimator(w, "bireal")).norm()) for w in history.weights[k, 1])
    assert history.e[k, 1, -1] == pytest.approx(e, rel=1e-9)
    with pytest.raises(ValueError, match="no arm"):
        history.at(kind="reste", o_end=7.0)


@pytest.mark.parametrize("training", [True, False])
def test_hand_written_gradients_are_autograds(training):
    x, y = rows(20)
    nets = rs.BinaryMLPEnsemble(6, WIDTH, 3, 4, ARMS, 1, dtype=torch.float64).net
    nets.set_epoch(1, 2)
    nets.training = training
    modules = [Net(nets, k).train(training) for k in range(len(ARMS))]
    values, grads = nets.loss_and_grads(x, y, cross_entropy)
    for k, (arm, net) in enumerate(zip(ARMS, modules, strict=True)):
        rs.set_o(net, rs.o_schedule(1, 2, arm.o_end, arm.schedule))
        rs.set_tau(net, 1.0)
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        assert float(values[k]) == pytest.approx(loss.item(), abs=1e-12)
        for j, layer in enumerate([net.first, *net.binary, net.last]):
            torch.testing.assert_close(grads[f"weight{j}"][k], layer.weight.grad.T, rtol=1e-9, atol=1e-11)
        for j, norm in enumerate(net.norms):
            torch.testing.assert_close(grads[f"gain{j}"][k, 0], norm.weight.grad, rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(grads[f"shift{j}"][k, 0], norm.bias.grad, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(grads["bias"][k, 0], net.last.bias.grad, rtol=1e-9, atol=1e-11)


def test_stack_mates_do_not_matter():
    x, y = rows(300)
    x = x.float()
    data = ex.Images(x, y, (x, y), 2)
    together = ex.train_arms(data, ARMS, seeds=7, epochs=2, seed=0)  # two arms at once
    alone = ex.train_arms(data, ARMS[3:4], seeds=7, epochs=2, seed=0)
    np.testing.assert_allclose(together.loss[3], alone.loss[0], rtol=1e-5)
    assert together.arms == ARMS


def test_a_network_that_diverges_is_nan_and_harms_no_other():
    x, y = rows()
    arms = [rs.Arm(lr=1e30), rs.Arm(lr=0.1)]
    both = rs.BinaryMLPEnsemble(6, WIDTH, 2, 4, arms, 1, dtype=torch.float64).fit(x, y, 3, batch=16)
    alone = rs.BinaryMLPEnsemble(6, WIDTH, 2, 4, arms[1:], 1, dtype=torch.float64).fit(x, y, 3, batch=16)
    assert not np.isfinite(both.e[0]).all()
    np.testing.assert_allclose(both.e[1], alone.e[0])


def test_arms_of_one_seed_start_alike_and_stops_are_prefixes():
    x, y = rows()
    nets = rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0, 30.0], 2, seed=5, dtype=torch.float64)
    weight = nets.net.params["weight1"]
    assert torch.equal(weight[0], weight[2])
    assert not torch.equal(weight[0], weight[1])
    start = torch.randn(6, 8, generator=torch.Generator().manual_seed(replicate_seed(5, 1))) * math.sqrt(2 / 6)
    assert torch.equal(nets.net.params["weight0"][3], start.double())
    kept = []
    short = nets.fit(x, y, 4, batch=16, stop=2, keep=kept.append)
    whole = rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0, 30.0], 2, seed=5, dtype=torch.float64).fit(x, y, 4, batch=16)
    np.testing.assert_array_equal(short.loss, whole.loss[..., :2])
    assert len(kept) == 1


def test_compacting_keeps_the_members_that_are_left():
    x, y = rows(20)
    net = rs.BinaryMLPEnsemble(6, 8, 2, 4, ARMS, 1, dtype=torch.float64).net
    before = net.loss_and_grads(x, y, cross_entropy)[0]
    mask = torch.tensor([True, False, False, True, False, True])
    net.compact(mask)
    assert net.arms == (ARMS[0], ARMS[3], ARMS[5])
    torch.testing.assert_close(net.loss_and_grads(x, y, cross_entropy)[0], before[mask])


def test_the_momentum_step_is_torchs():
    g = torch.Generator().manual_seed(0)
    value = torch.randn(2, 3, 4, generator=g, dtype=torch.float64)
    twins = [nn.Parameter(v.clone()) for v in value]
    rates, state, params = [0.1, 0.01], {}, {"w": value}
    optimizers = [
        torch.optim.SGD([p], lr=lr, momentum=0.9, weight_decay=1e-4) for p, lr in zip(twins, rates, strict=True)
    ]
    for _ in range(5):
        grad = torch.randn(2, 3, 4, generator=g, dtype=torch.float64)
        for p, optimizer, part in zip(twins, optimizers, grad, strict=True):
            p.grad = part.clone()
            optimizer.step()
        lr = torch.tensor(rates, dtype=torch.float64).view(2, 1, 1)
        params, state = momentum_step(params, {"w": grad}, state, lr=lr)
    torch.testing.assert_close(params["w"], torch.stack([p.detach() for p in twins]), rtol=0, atol=1e-12)


def test_images_are_what_they_say():
    digits, fashion = ex.images("digits", 1, 0), ex.images("fashion", 200, 0)
    assert digits.x.shape == (1297, 64)
    assert digits.test[0].shape == (500, 64)
    assert fashion.x.shape == (200, 196)
    assert fashion.test[0].shape == (2000, 196)
    assert not torch.equal(digits.y, ex.images("digits", 1, 1).y)


def test_gradients_are_those_of_the_last_batch():
    found = ex.gradients(rs.Arm(o_end=10.0), 2, 4, 0)
    assert found.by_layer.shape == (2, 64 * 64)
    np.testing.assert_allclose(found.instability, np.abs(found.by_layer).var(1, ddof=1), rtol=1e-5)
    assert found.o == pytest.approx(rs.o_schedule(1, 4, 10.0))


def test_the_lemma_counts_what_it_should():
    found = ex.lemma(SMOKE)
    assert (found.rises, found.above_ste) == (0, 0)
    assert found.values > SMOKE.size.points
    z = torch.tensor([0.5, -2.0]).double()
    torch.testing.assert_close(ex.gap_of(z, 2.0), torch.tensor([1 - 0.5**0.5, 2**0.5 - 1]).double())


def test_every_claim_is_measured_at_smoke_size():
    found = rs.measure(SMOKE)
    for claim in rs.CLAIMS:
        assert lesson.judge(claim, found[claim.id], smoke=True).word == "not tested at this scale"
    assert rs.point(SMOKE).scalars["accuracy"] > 0.3
    assert found["S2"].values["digits: e(10) / e(1)"].max() < 0.4


def test_a_point_can_be_any_estimator_and_refuses_what_makes_no_sense():
    for kind in ("ste", "ede", "bireal"):
        scalars = rs.point(SMOKE.replace(kind=kind)).scalars
        assert math.isfinite(scalars["instability"])
    with pytest.raises(ValueError, match="must be below t"):
        rs.point(SMOKE.replace(t=0.5, m=0.5))


@pytest.mark.standard
def test_tables_have_a_row_for_each_run():
    sizes = SMOKE.replace(sizes="conv_seeds:1,conv_epochs:1")
    assert len(list(tables.convnet_table(sizes).rows())) == 4
    assert convnet.conv_runs(sizes).e[0, 0] > convnet.conv_runs(sizes).e[3, 0]
    assert len(list(tables.estimators_table(SMOKE).rows())) == len(ex.RIVALS) * 2
    rows = list(tables.sweep_table(SMOKE).rows())
    assert {row["dataset"] for row in rows} == {"digits", "fashion"}
    assert all(row["e"] > 0 and row["s"] > 0 for row in rows)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: rs.Arm("dsq"), "kind='dsq'"),
    (lambda: rs.Arm(o_end=0.0), "o_end=0.0"),
    (lambda: rs.Arm(lr=-1.0), "lr=-1.0"),
    (lambda: rs.Arm(schedule="step"), "schedule='step'"),
    (lambda: rs.Arm(m=2.0), "m=2.0"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [], 1), "o_end is empty"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 0, 4, [1.0], 1), "depth=0"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0], 0), "seeds=0"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0], 1).fit(torch.full((20, 6), math.nan), torch.zeros(20).long(), 1),
     "X holds 120 NaN"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0], 1).fit(torch.ones(20, 6), torch.zeros(20), 1), "whole numbers"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0], 1).fit(torch.ones(20, 6), torch.full((20,), 4), 1, batch=10),
     "between 0 and 3"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0], 1).fit(torch.ones(20, 6), torch.zeros(20).long(), 1), "batch=128"),
    (lambda: rs.BinaryMLPEnsemble(6, 8, 2, 4, [1.0], 1).fit(torch.ones(20, 6), torch.zeros(20).long(), 0), "epochs=0"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
