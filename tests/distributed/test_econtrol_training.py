"""EControl as an optimizer, on images and between real processes."""
from __future__ import annotations

import copy

import pytest
import torch
from gradscape import lesson
from gradscape.distributed import econtrol as ec
from gradscape.distributed.compressors import RandK, TopK
from gradscape.distributed.econtrol import learners, real_runs
from torch import nn

torch.set_num_threads(1)
ROUNDING = 1e-12
N = 3


def gradients(t, size=10, scale=1.0):
    """The clients' gradients (N, size) of round t, whatever the parameters are."""
    return scale * torch.randn(N, size, generator=lesson.generator(17, t), dtype=torch.float64)


def parts(*sizes):
    return [nn.Parameter(torch.zeros(size, dtype=torch.float64)) for size in sizes]


def hand_out(params, grads):
    for p, block in zip(params, grads.split([p.numel() for p in params], 1), strict=True):
        p.client_grad = block.reshape(N, *p.shape).clone()


def stepped(optimizer, params, rounds, first=0):
    for t in range(first, first + rounds):
        hand_out(params, gradients(t))
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in params])


def simulated(rounds, eta=0.3, gamma=0.1, k=3):
    sent, x = ec.ECSimulator("econtrol", N, gamma, TopK(k), eta), torch.zeros(10, dtype=torch.float64)
    for t in range(rounds):
        if t == 0:
            sent.init(x, gradients(0))
        x = sent.step(x, gradients(t))
    return x


def optimizer(params, lr=0.1, eta=0.3, k=3):
    return ec.EControlSGD(params, lr, eta, TopK(k), N)


# ---- optimizer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[(10,)], [(2, 3), (4,)], [(1,), (3, 3)]])
def test_the_optimizer_is_the_simulator_on_the_concatenated_vector(sizes):
    params = parts(*sizes)
    assert torch.allclose(stepped(optimizer(params), params, 20), simulated(20), atol=ROUNDING, rtol=0)


def test_layer_by_layer_would_be_another_method():
    params = parts(6, 4)
    apart = [optimizer([params[0]], k=2), optimizer([params[1]], k=1)]
    for t in range(20):
        hand_out(params, gradients(t))
        for one in apart:
            one.step()
    assert not torch.allclose(torch.cat([p.detach() for p in params]), simulated(20), atol=1e-3)


def test_groups_have_their_own_step_and_gain():
    params = parts(6, 4)
    groups = [{"params": [params[0]], "lr": 0.2}, {"params": [params[1]], "eta": 0.0}]
    found = stepped(ec.EControlSGD(groups, 0.1, 0.3, TopK(3), N), params, 15)
    e, h, x = (torch.zeros(N, 10, dtype=torch.float64), gradients(0), torch.zeros(10, dtype=torch.float64))
    eta, lr = (torch.tensor([a] * 6 + [b] * 4, dtype=torch.float64) for a, b in ((0.3, 0.0), (0.2, 0.1)))
    for t in range(15):
        _, e, h = ec.econtrol_step(e, h, gradients(t), eta, TopK(3))
        x = x - lr * h.mean(0)
    assert torch.allclose(found, x, atol=ROUNDING, rtol=0)


def test_state_survives_a_checkpoint():
    params = parts((2, 3), 4)
    whole = optimizer(params)
    stepped(whole, params, 8)
    saved, copies = copy.deepcopy(whole.state_dict()), [nn.Parameter(p.detach().clone()) for p in params]
    later = optimizer(copies, lr=9.0, eta=9.0)
    later.load_state_dict(saved)
    for p, q in zip(params, copies, strict=True):
        for name in ("e", "h", "server"):
            assert torch.equal(whole.state[p][name], later.state[q][name])
    assert torch.equal(stepped(later, copies, 7, first=8), stepped(whole, params, 7, first=8))
    assert torch.allclose(stepped(optimizer(again := parts(10)), again, 15), simulated(15), atol=ROUNDING, rtol=0)


def test_closures_schedulers_and_zero_grad():
    params = parts(10)
    made = optimizer(params)
    schedule = torch.optim.lr_scheduler.StepLR(made, 1, gamma=0.5)

    def closure():
        made.zero_grad()
        hand_out(params, gradients(0))
        return params[0].detach().sum() + 5

    assert float(made.step(closure)) == 5.0
    moved = params[0].detach().clone()
    assert torch.allclose(moved, -0.1 * gradients(0).mean(0))
    schedule.step()
    made.step(closure)
    assert torch.allclose(params[0].detach() - moved, -0.05 * gradients(0).mean(0))
    made.zero_grad()
    assert params[0].client_grad is None
    before = params[0].detach().clone()
    assert made.step() is None
    assert torch.equal(params[0].detach(), before)


def test_parameters_without_gradients_are_left_alone_and_groups_can_be_added():
    params = parts(10, 2)
    made = optimizer([params[0]])
    made.add_param_group({"params": [params[1]], "lr": torch.tensor(0.5)})
    assert torch.allclose(stepped(made, params[:1], 20), simulated(20), atol=ROUNDING, rtol=0)
    assert params[1].tolist() == [0.0, 0.0]


def test_one_real_layer():
    """Gradients of a model, client by client, through autograd: with nothing compressed this is SGD."""
    torch.manual_seed(0)
    model, x, y = nn.Linear(4, 3).double(), torch.randn(N, 5, 4).double(), torch.randint(3, (N, 5))
    reference = copy.deepcopy(model)
    made, plain = optimizer(model.parameters(), k=15), torch.optim.SGD(reference.parameters(), 0.1)
    for _ in range(5):
        losses = [nn.functional.cross_entropy(model(x[i]), y[i]) for i in range(N)]
        each = [torch.autograd.grad(loss, list(model.parameters())) for loss in losses]
        for p, grads in zip(model.parameters(), zip(*each, strict=True), strict=True):
            p.client_grad = torch.stack(grads)
        made.step()
        plain.zero_grad()
        nn.functional.cross_entropy(reference(x.flatten(0, 1)), y.flatten()).backward()
        plain.step()
    for p, q in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: ec.EControlSGD([p], 0.0, 0.1, TopK(1), N), "value=0.0|lr=0.0"),
        (lambda p: ec.EControlSGD([p], torch.ones(2), 0.1, TopK(1), N), "lr has shape"),
        (lambda p: ec.EControlSGD([p], 0.1, -0.1, TopK(1), N), "eta=-0.1"),
        (lambda p: ec.EControlSGD([p], 0.1, 0.1, TopK(1), 0), "n_clients=0"),
        (lambda p: ec.EControlSGD([p], 0.1, 0.1, RandK(1), N), "generator=None"),
        (lambda p: ec.EControlSGD([{"params": [p], "eta": float("nan")}], 0.1, 0.1, TopK(1), N), "eta=nan"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make(parts(4)[0])


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [
        (torch.zeros(N, 5).double(), ValueError, "client_grad has shape"),
        (torch.zeros(N, 4), ValueError, "torch.float32"),
        (torch.zeros(N + 1, 4).double(), ValueError, "client_grad has shape"),
        ("none", ValueError, "must be a tensor"),
        (torch.zeros(N, 4).double().to_sparse(), RuntimeError, "sparse"),
        (torch.zeros(N, 4, dtype=torch.complex128), RuntimeError, "complex"),
    ],
)
def test_bad_gradients_change_nothing(grads, error, message):
    params = parts(4, 4)
    params[0].client_grad, params[1].client_grad = torch.ones(N, 4).double(), grads
    made = optimizer(params)
    with pytest.raises(error, match=message):
        made.step()
    assert params[0].tolist() == [0.0] * 4
    assert not made.state


def test_a_mean_gradient_is_not_enough():
    params = parts(4)
    params[0].grad = torch.ones(4).double()
    with pytest.raises(ValueError, match="every client's gradient"):
        optimizer(params).step()


# ---- who holds which images ------------------------------------------------------------------------------------------

Y = torch.arange(10).repeat(30)
X = torch.arange(300.0)[:, None]


@pytest.mark.parametrize("clients", [10, 20, 30])
def test_one_class_per_client(clients):
    held = ec.label_skew_clients(X, Y, clients)
    assert len(held) == clients
    assert all(len(Y[rows].unique()) == 1 for rows in held)
    assert sorted(torch.cat(held).tolist()) == list(range(300))


def test_dirichlet_shares_are_a_partition_that_grows_alike():
    def imbalance(alpha):
        held = ec.label_skew_clients(X, Y, 5, alpha, seed=1)
        assert sorted(torch.cat(held).tolist()) == list(range(300))
        return sum(float(Y[rows].bincount(minlength=10).double().std()) for rows in held)

    assert imbalance(0.3) > 2 * imbalance(1000.0)
    assert [rows.tolist() for rows in ec.label_skew_clients(X, Y, 5, 0.5, seed=3)] == [
        rows.tolist() for rows in ec.label_skew_clients(X, Y, 5, 0.5, seed=3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, Y, 7), "multiple of the 10 classes"),
        ((X, Y, 0), "n_clients=0"),
        ((X, Y, 301), "n_clients=301"),
        ((X[:5], Y, 10), "whole labels"),
        ((X, Y.double(), 10), "whole labels"),
        ((X[:0], Y[:0], 1), "N >= 1"),
        ((X, Y, 5, 0.0), "alpha=0.0"),
        ((X, Y, 200, 1e-3), "without data"),
    ],
)
def test_bad_splits(arguments, message):
    with pytest.raises(ValueError, match=message):
        ec.label_skew_clients(*arguments)


# ---- gradients of the two models -------------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", [ec.Softmax(), ec.TwoLayer(6)], ids=["softmax", "two layers"])
def test_gradients_are_those_of_autograd(learner):
    dice = lesson.generator(2)
    theta = 0.1 * torch.randn(2, learner.d, generator=dice, dtype=torch.float64)
    x = torch.randn(3, 4, learners.PIXELS, generator=dice, dtype=torch.float64)
    y = torch.randint(10, (3, 4), generator=dice)
    found = learner.gradients(theta, x, y)
    for r in range(2):
        for i in range(3):
            at = theta[r : r + 1].clone().requires_grad_()
            loss = nn.functional.cross_entropy(learner.logits(at, x[i])[0], y[i]) + learners.L2 / 2 * at.square().sum()
            loss.backward()
            assert torch.allclose(found[r, i], at.grad[0], atol=1e-12)
    assert learner.start(dice).shape == (learner.d,)


def test_training_is_the_simulator_with_shared_minibatches():
    images, learner = ec.skewed_images(), ec.Softmax()
    made = ec.train(learner, images, {"a": ("econtrol", 0.02), "b": ("sgd", None)}, (0.05, 0.1), TopK(157), 4, seed=5,
                    record_every=2)
    alone = ec.train(learner, images, {"a": ("econtrol", 0.02)}, (0.1,), TopK(157), 4, seed=5, record_every=2)["a"]
    assert torch.allclose(made["a"].loss[1:], alone.loss, rtol=1e-4)
    assert made["a"].rounds.tolist() == [0, 2, 4]
    assert made["a"].bits.tolist() == [32 * 7840 + t * 157 * (32 + 13) for t in (0, 2, 4)]
    assert made["b"].accuracy.shape == (2, 3)
    assert float(made["b"].loss[0, 0]) == pytest.approx(2.302585, abs=1e-5)
    assert float(made["b"].loss[0, -1]) < 2.2
    x, y = images.batch(8, lesson.generator(1))
    assert x.shape == (10, 8, 784)
    assert all(len(set(row)) == 1 for row in y.tolist())
    assert float(images.x.mean(0).abs().max()) < 1e-5


def test_a_two_layer_net_starts_from_its_seed():
    made = ec.train(ec.TwoLayer(4), ec.skewed_images(), {"sgd": ("sgd", None)}, (0.1,), TopK(9), 2, seed=1)["sgd"]
    assert 1.5 < float(made.loss[0, 0]) < 8


@pytest.mark.standard
def test_two_processes_make_the_simulators_iterates_and_send_the_counted_bits():
    found = ec.between_processes(ec.Settings(sizes="wire_rounds:25"))
    assert float(found.differences.max()) <= 1e-12
    assert found.real.value_bits == 8 * 64 * (100 + 25 * 10)
    assert found.real.place_bits == 8 * 25 * 10 * 7
    assert found.wire_bits == found.counted_bits
    assert found.real.model_bits == 25 * 64 * 100
    assert found.whole_bits == 8 * 26 * 6400


def test_noisy_clients_hold_their_own_part_of_the_noise():
    whole = real_runs.wire_clients(3, 16, 20)
    low, high = whole.part(0, 7), whole.part(7, 16)
    x = torch.randn(20, generator=lesson.generator(0), dtype=torch.float64)
    for _ in range(25):
        assert torch.equal(whole.gradients(x), torch.cat([low.gradients(x), high.gradients(x)]))


@pytest.mark.standard
def test_tables_have_their_columns():
    settings = ec.Settings(profile="smoke", sizes="rounds:30,sweep_etas:3,sweep_gammas:2,image_rounds:2")
    sweep = dict(ec.TABLES)["sweep"](settings)
    assert list(sweep.columns) == ["eta_ratio", "gamma", "median", "finite"]
    assert len(sweep.columns["gamma"]) == 6
    network = ec.TABLES["network"](settings)
    assert set(network.columns["method"]) == {"sgd", "ec", "ef21", "econtrol"}
    assert all(0 <= value <= 1 for value in network.columns["accuracy"])
