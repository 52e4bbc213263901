"""Ghost norms against explicit per-sample gradients, AdaGrad-Norm against its formula, torch and the authors' class,
and the training loop against a plain one."""
from __future__ import annotations

import copy
import io
import json
import math
from pathlib import Path

import pytest
import torch
from gradscape.learning import per_sample
from gradscape.optimizers import AdaGradNorm
from gradscape.optimizers import adaptive_batch as ab
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

OFFICIAL = json.loads((Path(__file__).parents[1] / "oracles" / "adadagrad_official.json").read_text())
DOUBLE, SINGLE = 1e-12, 1e-5  # relative; in float32 V is a difference of numbers known to 1e-7
SHAPES = ((3, 4), (5,), (2, 3, 2, 2), ())


# ghost norms

def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 9), nn.Tanh(), nn.Linear(9, 4, bias=False), nn.ReLU(),
                         nn.Linear(4, 3)), (1, 6, 6)


def cnn():
    # the first layer has more positions than weights, the second fewer: both forms of the norm
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 12, 3, stride=2),
                         nn.GELU(), nn.Flatten(), nn.Linear(12, 3)), (1, 6, 6)


def sequence():
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2), nn.Flatten(), nn.Linear(8, 3)), (4, 5)


def normed():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 9), nn.LayerNorm(9), nn.Linear(9, 3)), (1, 6, 6)


def in_place():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 9), nn.LeakyReLU(0.1, inplace=True), nn.Linear(9, 3)), (1, 6, 6)


class Twice(nn.Module):
    """A layer that is used twice, which no single output gradient describes."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(self.inner(torch.tanh(self.inner(x))))


class Outside(nn.Module):
    """A weight that is also used outside of its layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x) + F.linear(x.square(), self.layer.weight)


def frozen():
    model, shape = mlp()
    model[1].bias.requires_grad_(False)
    model[5].requires_grad_(False)
    return model, shape


MODELS = {
    "mlp": mlp, "cnn": cnn, "sequence": sequence, "normed": normed, "in place": in_place,
    "twice": lambda: (Twice(), (5,)), "outside": lambda: (Outside(), (5,)), "frozen": frozen,
}


def made(name, dtype=torch.float64, b=8):
    torch.manual_seed(0)
    model, shape = MODELS[name]()
    g = torch.Generator().manual_seed(1)
    return model.to(dtype), torch.randn(b, *shape, generator=g, dtype=dtype), torch.randint(3, (b,), generator=g)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", MODELS)
def test_ghost_statistics_are_the_explicit_ones(name, dtype):
    model, x, y = made(name, dtype)
    rel = DOUBLE if dtype is torch.float64 else SINGLE
    grads, found = ab.ghost_stats(model, F.cross_entropy, x, y)
    explicit = per_sample.grads(model, F.cross_entropy, x, y)
    expected = per_sample.stats(explicit)
    for field in ("batch_size", "mean_sq_norm", "variance", "ip_variance", "orth_variance"):
        assert getattr(found, field) == pytest.approx(getattr(expected, field), rel=10 * rel), field
    assert set(grads) == {key for key, p in model.named_parameters() if p.requires_grad}
    for key, grad in grads.items():
        torch.testing.assert_close(grad, explicit[key].mean(0), rtol=10 * rel, atol=rel)
    assert all(p.grad is None for p in model.parameters())


def test_only_models_that_need_it_are_computed_sample_by_sample(monkeypatch):
    def forbidden(*args):
        raise AssertionError("explicit gradients were computed")

    monkeypatch.setattr(per_sample, "grads", forbidden)
    for name in MODELS:
        model, x, y = made(name)
        if name in ("mlp", "cnn", "sequence", "frozen", "in place"):
            ab.ghost_stats(model, F.cross_entropy, x, y)
        else:
            with pytest.raises(AssertionError):
                ab.ghost_stats(model, F.cross_entropy, x, y)


def test_the_vector_of_losses_serves_as_well():
    model, x, y = made("mlp")
    mean, vector = (
        ab.ghost_stats(model, lambda out, y, r=r: F.cross_entropy(out, y, reduction=r), x, y)[1]
        for r in ("mean", "none")
    )
    assert mean == vector


def test_ghosts_refuse():
    model, x, y = made("mlp")
    with pytest.raises(ValueError, match="b = 2"):
        ab.ghost_stats(model, F.cross_entropy, x[:1], y[:1])
    with pytest.raises(ValueError, match="NaN or infinite"):
        ab.ghost_stats(model, F.cross_entropy, x * math.nan, y)
    with pytest.raises(ValueError, match="one row"):
        ab.ghost_stats(model, F.cross_entropy, x, y[:3])
    with pytest.raises(TypeError, match="BatchNorm2d"):
        ab.ghost_stats(nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten()), F.cross_entropy,
                       torch.zeros(4, 1, 3, 3), y[:4])


def test_batch_norm_without_running_statistics_sees_one_sample_at_a_time():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten(),
                          nn.Linear(32, 3)).double()
    _, x, y = made("cnn")
    found = ab.ghost_stats(model, F.cross_entropy, x, y)[1]
    assert found == per_sample.stats(per_sample.grads(model, F.cross_entropy, x, y))


# AdaGrad-Norm

def descend(make, *, steps=30, dtype=torch.float64, between=None, seed=0):
    """Parameters after steps with random gradients."""
    g = torch.Generator().manual_seed(seed)
    params = [nn.Parameter(torch.randn(shape, generator=g, dtype=dtype)) for shape in SHAPES]
    optimizer = make(params)
    for _ in range(steps):
        for p in params:
            p.grad = torch.randn(p.shape, generator=g, dtype=dtype)
        optimizer.step()
        if between is not None:
            between(optimizer)
    return torch.cat([p.detach().flatten() for p in params])


def reference(scope, *, lr=0.3, start=0.1, eps=1e-3, steps=30, seed=0):
    """The formulas, written out."""
    g = torch.Generator().manual_seed(seed)
    params = [torch.randn(shape, generator=g, dtype=torch.float64) for shape in SHAPES]
    common, own = start, [start] * len(params)
    for _ in range(steps):
        grads = [torch.randn(p.shape, generator=g, dtype=torch.float64) for p in params]
        common += sum(float(grad.square().sum()) for grad in grads)
        own = [v + float(grad.square().sum()) for v, grad in zip(own, grads, strict=True)]
        for p, grad, v in zip(params, grads, own, strict=True):
            p -= lr * grad / (math.sqrt(common if scope == "global" else v) + eps)
    return torch.cat([p.flatten() for p in params])


@pytest.mark.parametrize("scope", ["global", "tensor"])
@pytest.mark.parametrize("foreach", [True, False])
def test_steps_are_the_formula(scope, foreach):
    found = descend(lambda p: AdaGradNorm(p, 0.3, 0.1, 1e-3, scope, foreach=foreach))
    torch.testing.assert_close(found, reference(scope), rtol=DOUBLE, atol=DOUBLE)


@pytest.mark.parametrize("scope", ["global", "tensor", "row"])
def test_the_first_step_has_length_lr_and_step_k_lr_over_root_k(scope):
    p = nn.Parameter(torch.zeros(1, 6, dtype=torch.float64))
    optimizer = AdaGradNorm([p], lr=0.1, scope=scope)
    grad = torch.tensor([[1.0, -2.0, 0.5, 0.0, 3.0, 1.0]], dtype=torch.float64)
    for k in range(1, 6):
        before = p.detach().clone()
        p.grad = grad.clone()
        optimizer.step()
        torch.testing.assert_close(p.detach() - before, -0.1 / math.sqrt(k) * grad / grad.norm())


def test_a_zero_gradient_moves_nothing_also_at_the_start():
    for scope in ("global", "tensor", "row"):
        for foreach in (True, False):
            p = nn.Parameter(torch.ones(2, 3))
            p.grad = torch.zeros(2, 3)
            AdaGradNorm([p], scope=scope, foreach=foreach).step()
            assert torch.equal(p.detach(), torch.ones(2, 3))


def test_one_entry_a_tensor_is_adagrad():
    def singles(make):
        return descend(lambda params: make([p for p in params if p.numel() == 1]))

    ours = singles(lambda p: AdaGradNorm(p, 0.1, scope="tensor"))
    torch.testing.assert_close(ours, singles(lambda p: torch.optim.Adagrad(p, lr=0.1, eps=0.0)))


def test_rows_are_the_authors_class():
    case = OFFICIAL["adagradnorm"]
    params = [nn.Parameter(torch.tensor(p, dtype=torch.float64)) for p in case["start"]]
    optimizer = AdaGradNorm(params, lr=0.1, initial_accumulator_value=1e-2, eps=1e-10, scope="row")
    for grads in case["grads"]:
        for p, grad in zip(params, grads, strict=True):
            p.grad = torch.tensor(grad, dtype=torch.float64)
        optimizer.step()
    for p, end in zip(params, case["end"], strict=True):
        torch.testing.assert_close(p.detach(), torch.tensor(end, dtype=torch.float64), rtol=DOUBLE, atol=DOUBLE)


def test_the_authors_class_is_not_the_scalar_method():
    rows, scalar = (descend(lambda p, s=s: AdaGradNorm(p, 0.1, scope=s)) for s in ("row", "global"))
    assert (rows - scalar).abs().max() > 0.1


@pytest.mark.parametrize("scope", ["global", "tensor", "row"])
def test_state_dict_round_trip_is_bit_exact(scope):
    def reload(optimizer):
        buffer = io.BytesIO()
        torch.save(optimizer.state_dict(), buffer)
        buffer.seek(0)
        for group in optimizer.param_groups:
            group.pop("accumulator", None)
        optimizer.state.clear()
        optimizer.load_state_dict(torch.load(buffer, weights_only=True))

    for dtype in (torch.float32, torch.float64):
        runs = [descend(lambda p: AdaGradNorm(p, 0.1, scope=scope), dtype=dtype, between=b) for b in (None, reload)]
        assert torch.equal(*runs)


def test_groups_share_the_global_sum_and_late_groups_join_it():
    a, b, c = (nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(3))
    optimizer = AdaGradNorm([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=1.0)
    a.grad, b.grad = torch.full_like(a, 3.0), torch.full_like(b, 4.0)
    optimizer.step()
    assert (a.item(), b.item()) == pytest.approx((-3 / 5, -0.5 * 4 / 5))
    optimizer.add_param_group({"params": [c]})
    a.grad, b.grad, c.grad = torch.zeros_like(a), None, torch.full_like(c, 12.0)
    optimizer.step()
    assert c.item() == pytest.approx(-12 / 13)  # v = 25 + 144
    assert len({float(group["accumulator"]) for group in optimizer.param_groups}) == 1


def test_groups_may_differ_in_scope():
    a, b = (nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    optimizer = AdaGradNorm([{"params": [a]}, {"params": [b], "scope": "tensor"}], lr=1.0)
    a.grad, b.grad = torch.full_like(a, 3.0), torch.full_like(b, 4.0)
    optimizer.step()
    assert (a.item(), b.item()) == pytest.approx((-1.0, -1.0))


def test_maximize_closures_schedulers_and_copies():
    down, up = (descend(lambda p, m=m: AdaGradNorm(p, 0.1, maximize=m)) for m in (False, True))
    start = descend(lambda p: AdaGradNorm(p, 0.1), steps=0)
    torch.testing.assert_close(down - start, start - up)
    p = nn.Parameter(torch.tensor([2.0]))
    optimizer = AdaGradNorm([p], lr=torch.tensor(0.5))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    def closure():
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert p.item() == pytest.approx(1.5)
    scheduler.step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.25
    clone = copy.deepcopy(optimizer)
    assert float(clone.param_groups[0]["accumulator"]) == 16.0


def test_sparse_and_complex_gradients_are_refused_before_anything_changes():
    table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    w = nn.Parameter(torch.ones(1))
    w.grad = torch.ones(1)
    with pytest.raises(RuntimeError, match="sparse"):
        AdaGradNorm([w, table.weight]).step()
    z = nn.Parameter(torch.ones(1, dtype=torch.complex64))
    z.grad = torch.ones(1, dtype=torch.complex64)
    optimizer = AdaGradNorm([w, z])
    with pytest.raises(RuntimeError, match="complex"):
        optimizer.step()
    assert w.item() == 1.0
    assert float(optimizer.param_groups[0]["accumulator"]) == 0.0


@pytest.mark.parametrize(("options", "words"), [
    ({"lr": -1.0}, "lr=-1.0"), ({"lr": math.nan}, "lr=nan"), ({"lr": torch.ones(2)}, "lr has shape"),
    ({"eps": -1.0}, "eps=-1.0"), ({"scope": "layer"}, "scope='layer'"),
    ({"initial_accumulator_value": -0.1}, "initial_accumulator_value=-0.1"),
])
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        AdaGradNorm([nn.Parameter(torch.ones(1))], **options)
    with pytest.raises(ValueError, match=words):
        AdaGradNorm([nn.Parameter(torch.ones(1))]).add_param_group({"params": [nn.Parameter(torch.ones(1))], **options})


# the loop

def blobs(n=203, seed=0):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (n,), generator=g)
    return torch.randn(n, 5, generator=g, dtype=torch.float64) + torch.eye(3, 5, dtype=torch.float64)[y], y


def train(controller, *, data=None, budget=1000, model=None, **options):
    torch.manual_seed(0)
    model = model or nn.Linear(5, 3).double()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    history = ab.train_adaptive(
        model, data or blobs(), optimizer, controller, budget, generator=torch.Generator().manual_seed(3), **options
    )
    return history, torch.cat([p.detach().flatten() for p in model.parameters()])


def norm_controller(**options):
    return ab.BatchSizeController(ab.rule("norm", eta=0.5), **{"initial": 8, "maximum": 150, **options})


def test_a_constant_batch_is_the_plain_loop():
    history, found = train(ab.constant(32))
    torch.manual_seed(0)
    model, (x, y) = nn.Linear(5, 3).double(), blobs()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    stream = ab.ResizableBatchSampler(203, 32, generator=torch.Generator().manual_seed(3))
    while stream.samples_seen < 1000:
        stream.batch_size = min(32, 1000 - stream.samples_seen)
        rows = stream.take()
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    torch.testing.assert_close(found, torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert history.batch.tolist() == [32] * 31 + [8]
    assert history.samples[-1] == 1000
    assert math.isnan(history.required[0])


def test_an_adaptive_run_is_the_algorithm_step_by_step():
    history, found = train(norm_controller())
    torch.manual_seed(0)
    model, (x, y), size, used = nn.Linear(5, 3).double(), blobs(), 8, 0
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    stream = ab.ResizableBatchSampler(203, 8, generator=torch.Generator().manual_seed(3))
    for k in range(len(history.batch)):
        stream.batch_size = min(size, 1000 - used)
        rows = stream.take()
        used += len(rows)
        each = per_sample.grads(model, F.cross_entropy, x[rows], y[rows])
        for name, p in model.named_parameters():
            p.grad = each[name].mean(0)
        optimizer.step()
        T = ab.norm_test(per_sample.stats(each), 0.5).required
        if size < 150:
            assert history.required[k] == pytest.approx(T, rel=1e-9)
            size = min(150, max(size, math.ceil(T)))
        assert history.scheduled[k] == size
    assert used == 1000
    torch.testing.assert_close(found, torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert bool((history.batch[1:-1] == history.scheduled[:-2]).all())
    assert history.scheduled[-1] > 8


def test_micro_batches_and_explicit_gradients_change_nothing():
    plain = train(norm_controller())
    for options in ({"micro_batch": 7}, {"coordinate": True}):
        history, found = train(norm_controller(), **options)
        assert history.scheduled.tolist() == plain[0].scheduled.tolist()
        torch.testing.assert_close(found, plain[1])
        torch.testing.assert_close(history.loss, plain[0].loss)


def test_inner_products_cannot_be_merged():
    keeper = ab.BatchSizeController(ab.rule("inner product"), initial=16, maximum=100)
    with pytest.raises(ValueError, match="ip_variance=None"):
        train(keeper, micro_batch=8)


def test_a_dataset_gives_the_same_as_its_tensors():
    tensors, dataset = train(norm_controller()), train(norm_controller(), data=TensorDataset(*blobs()))
    assert tensors[0].scheduled.tolist() == dataset[0].scheduled.tolist()
    torch.testing.assert_close(tensors[1], dataset[1])


def test_a_last_batch_of_one_is_trained_on_but_not_tested():
    history, _ = train(ab.BatchSizeController(lambda stats: ab.TestResult(0.0, True), initial=3, maximum=9), budget=10)
    assert history.batch.tolist() == [3, 3, 3, 1]
    assert math.isnan(history.required[-1])
    assert history.scheduled.tolist() == [3] * 4


def test_the_rate_follows_samples():
    seen = []

    def schedule(samples):
        seen.append(samples)
        return ab.samples_schedule(samples, peak=0.1, floor=0.01, warmup=100, total=1000)

    told = []
    history, _ = train(norm_controller(), schedule=schedule, progress=lambda done, total: told.append((done, total)))
    assert seen == [0, *history.samples[:-1]]
    assert told[-1] == (1000, 1000)


def test_bad_loops():
    for options, words in (({"budget": 0}, "budget=0"), ({"micro_batch": 0}, "micro_batch=0"),
                           ({"data": (blobs()[0], blobs(9)[1])}, "203 rows, y 9")):
        with pytest.raises(ValueError, match=words):
            train(norm_controller(), **options)
