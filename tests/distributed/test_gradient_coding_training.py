"""Real gradients through the codes: against full-batch descent, against other schemes, and between real processes."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.distributed import gradient_coding as gc
from gradscape.distributed.gradient_coding import Descent, GradientCode, make, train_sequence
from gradscape.distributed.gradient_coding.learners import DESIGNS, LR, WORKERS, loaded_learners
from gradscape.distributed.workers import DelayModel
from torch import nn

torch.set_num_threads(1)

# Encoding and decoding multiply rounding errors by the decoding weights of a small code
CODED = 1e-10


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def toy(jobs: int, models: int, batch: int, hidden: int = 0):
    g = generator(1)
    nets = []
    for _ in range(models):
        layers = [nn.Linear(5, hidden or 3)] + ([nn.Tanh(), nn.Linear(hidden, 3)] if hidden else [])
        net = nn.Sequential(*layers).double()
        with torch.no_grad():
            for p in net.parameters():
                p.normal_(0, 0.5, generator=g)
        nets.append(net)
    data = [(torch.randn(batch, 5, generator=g, dtype=torch.float64), torch.randint(3, (batch,), generator=g))
            for _ in range(jobs)]
    return nets, data


def descend(nets, data, lr):
    """Plain full-batch descent, model by model in turn."""
    iterates = []
    for job, (x, y) in enumerate(data):
        net = nets[job % len(nets)]
        loss = nn.functional.cross_entropy(net(x), y)
        grads = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for p, g in zip(net.parameters(), grads, strict=True):
                p -= lr * g
        iterates.append(torch.cat([p.detach().reshape(-1) for p in net.parameters()]))
    return torch.stack(iterates)


@pytest.mark.parametrize(("name", "params", "batch"), [
    ("uncoded", (), 12), ("gc", (2,), 12), ("srsgc", (1, 3, 3), 12), ("srsgc", (2, 3, 3), 12),
    ("msgc", (1, 2, 2), 48), ("msgc", (2, 3, 1), 36), ("msgc", (1, 3, 6), 24),
])
@pytest.mark.parametrize("hidden", [0, 4])
def test_every_scheme_takes_the_steps_of_full_batch_descent(name, params, batch, hidden):
    scheme = make(name, 6, params)
    delays = DelayModel(p_ns=0.15, p_sn=0.7).sample(13 + scheme.T, 6, generator(2))
    nets, data = toy(13, 5, batch, hidden)
    log = train_sequence(nets, data, scheme, delays, lambda p: Descent(p, 0.3))
    expected = descend(toy(13, 5, batch, hidden)[0], data, 0.3)
    assert torch.allclose(log.iterates, expected, rtol=CODED, atol=CODED)
    assert float(log.gradient_errors.max()) < CODED
    assert torch.equal(log.parameters[0], log.iterates[10])
    assert log.losses.isfinite().all()
    assert torch.equal(log.finish_times, gc.simulate(make(name, 6, params), delays, jobs=13).finish_times)


@pytest.mark.standard  # the first optimizer of a process costs a second of imports
def test_optimizers_of_torch_are_welcome():
    scheme, (nets, data) = make("msgc", 6, (1, 2, 2)), toy(8, 2, 48)
    delays = DelayModel().sample(9, 6, generator())
    log = train_sequence(nets, data, scheme, delays, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    nets = toy(8, 2, 48)[0]
    optimizers = [torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in nets]
    for job, (x, y) in enumerate(data):
        optimizers[job % 2].zero_grad()
        nn.functional.cross_entropy(nets[job % 2](x), y).backward()
        optimizers[job % 2].step()
    expected = torch.cat([p.detach().reshape(-1) for p in nets[1].parameters()])
    assert torch.allclose(log.parameters[1], expected, rtol=CODED)


def test_bits_on_the_wire_by_hand():
    scheme, (nets, data) = make("msgc", 6, (1, 2, 2)), toy(4, 2, 48)
    delays = torch.ones(5, 6, dtype=torch.float64)
    delays[2, 3] = 2.5  # worker 3 loses round 2, in which it has two tasks
    log = train_sequence(nets, data, scheme, delays, lambda p: Descent(p, 0.1))
    gradient = 64 * (5 * 3 + 3)
    assert log.up.tolist() == [8 * gradient if i != 3 else 6 * gradient for i in range(6)]
    assert log.down.tolist() == [4 * gradient] * 6
    assert log.waits == 0


def test_lost_results_are_not_read():
    """The master's slots hold NaN until something arrives: a decoder that used a lost result would return NaN."""
    nets, data = toy(1, 1, 12)
    scheme = make("gc", 6, (2,)).reset(1)
    master = gc.Master(nets, scheme, lambda p: Descent(p, 0.1), GradientCode(6, 2))
    theta = master.open(0)
    worker = gc.Worker(gc.Gradients(nets[0]), scheme, master.code, range(6))
    given = scheme.assign(0)
    for i in (0, 2, 4, 5):
        master.receive(i, 0, given, worker.answer(i, 0, given, theta, data[0]))
    scheme.observe(0, torch.tensor([False, True, False, True, False, False]))
    assert master.gradient(0).isfinite().all()
    scheme.coded[0][1, 0] = True  # claim that a lost one arrived
    with pytest.raises(ValueError, match="NaN"):
        master.gradient(0)


@pytest.mark.parametrize(("change", "says"), [
    ({"models": 1}, "T \\+ 1 = 2"), ({"batch": 47}, "multiple"), ({"rounds": 4}, "at least 5 rounds"),
    ({"float": True}, "float64"),
])
def test_bad_training_is_refused(change, says):
    nets, data = toy(4, change.get("models", 2), change.get("batch", 48))
    if "float" in change:
        nets = [net.float() for net in nets]
    delays = torch.ones(change.get("rounds", 5), 6, dtype=torch.float64)
    with pytest.raises(ValueError, match=says):
        train_sequence(nets, data, make("msgc", 6, (1, 2, 2)), delays, lambda p: Descent(p, 0.1))


def test_mixed_architectures_and_bad_rates_are_refused():
    nets, data = toy(4, 2, 48)
    mixed = [nets[0], toy(1, 1, 4, hidden=4)[0][0]]
    delays = torch.ones(5, 6, dtype=torch.float64)
    with pytest.raises(ValueError, match="one architecture"):
        train_sequence(mixed, data, make("msgc", 6, (1, 2, 2)), delays, lambda p: Descent(p, 0.1))
    for lr in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"lr=.*must"):
            Descent(nets[0].parameters(), lr)


def test_workers_of_the_lesson_train_the_same_models_in_every_scheme():
    runs = gc.train_learners(gc.Settings(profile="smoke"), 0)
    for name in DESIGNS:
        assert runs.loss_difference(name) < 1e-12
        assert float(runs.logs[name].losses[4:].mean()) < float(runs.logs[name].losses[:4].mean())


@pytest.mark.standard
def test_two_real_processes_take_the_simulated_steps():
    found = gc.real_comparison(gc.Settings(profile="smoke", sizes="real_jobs:5"))
    assert float(found.differences.max()) < 1e-13
    assert found.hosted_bits[0] == found.hosted_bits[1] > 0
    assert found.model_bits[0] == found.model_bits[1] == 5 * 64 * found.simulated.parameters.shape[1]
    # 8 reported times up and 16 bytes of announcements down, in each of the five rounds and the one after
    assert found.real.control_bits == 6 * (8 * 64 + 16 * 8)


@pytest.mark.standard
@pytest.mark.parametrize(("scheme", "params"), [("gc", (3,)), ("srsgc", (1, 2, 3)), ("msgc", (1, 2, 16))])
def test_three_real_processes_run_every_scheme(scheme, params):
    task = gc.Task(scheme, WORKERS, params, loaded_learners, ("msgc", 3, 0, 4, 4), lr=LR)
    models, batches, delays = loaded_learners("msgc", 3, 0, 4, 4)
    simulated = train_sequence(models, batches, make(scheme, WORKERS, params), delays, lambda p: Descent(p, LR))
    real = gc.train_real(task, processes=3)
    assert torch.allclose(real.iterates, simulated.iterates, rtol=0, atol=1e-12)
    assert real.result_bits == int(simulated.up[WORKERS // 3 :].sum())
    assert real.lost.any()
