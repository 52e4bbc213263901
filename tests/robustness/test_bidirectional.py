"""Both directions of the networks, their training and what is measured of them, held to independent computations."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.datasets import fashion
from gradscape.robustness.bidirectional import (
    BL_CNN,
    HAN_CNN,
    BidirectionalCNN,
    BidirectionalMLP,
    class_prototypes,
    cnn_rate,
    robustness_report,
    train_bidirectional,
    train_by_autograd,
    train_han,
    truncated_normal,
)
from gradscape.robustness.bidirectional.convolution import same_crop, same_pad
from gradscape.robustness.bidirectional.report import attacked, pure_noise, right, static
from gradscape.robustness.bidirectional.training import generator_slope
from torch.nn import functional as F

DOUBLE = 1e-12  # a handful of float64 operations
SINGLE = 1e-5  # some tens of Adam steps in float32, in another order of additions
SMALL = (12, 5, 4, 3)


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def data(n: int = 60, pixels: int = 12, classes: int = 3, seed: int = 0):
    return torch.rand(n, pixels, generator=gen(seed)), torch.arange(n) % classes


def randomized(net: BidirectionalMLP, seed: int = 3) -> BidirectionalMLP:
    """Biases away from 0, so that a mix-up of the two sets cannot hide."""
    for bias in (*net.classifier_biases, *net.generator_biases):
        bias.copy_(torch.randn(bias.shape, generator=gen(seed)))
    return net


# ---- networks ------------------------------------------------------------------------------------------------------


def test_generator_is_the_transposed_chain_with_its_own_biases():
    net = randomized(BidirectionalMLP(SMALL, seeds=(1, 2)))
    code = torch.rand(7, 3, generator=gen())
    for s in range(2):
        k = code
        for layer in (2, 1):
            k = torch.sigmoid(k @ net.weights[layer][s].T + net.generator_biases[layer][s])
        image = k @ net.weights[0][s].T + net.generator_biases[0][s]
        torch.testing.assert_close(net.generate(code)[s], image, rtol=0, atol=SINGLE)


def test_weights_are_shared_and_biases_are_not():
    net = BidirectionalMLP(SMALL)
    x, code = torch.rand(4, 12, generator=gen()), torch.eye(3)
    logits, image = net.classify(x), net.generate(code)
    net.weights[1].mul_(2)
    assert not torch.allclose(net.classify(x), logits)
    assert not torch.allclose(net.generate(code), image)
    logits, image = net.classify(x), net.generate(code)
    net.generator_biases[1].add_(1)
    assert torch.equal(net.classify(x), logits)
    assert not torch.equal(net.generate(code), image)
    image = net.generate(code)
    net.classifier_biases[1].add_(1)
    assert torch.equal(net.generate(code), image)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("sizes", [(12, 3), (12, 5, 3), SMALL])
def test_closed_gradients_of_both_directions_by_autograd(sizes, activation):
    net = randomized(BidirectionalMLP(sizes, activation, seeds=(0, 1, 2, 3), dtype=torch.float64))
    x, labels = torch.rand(2, 9, 12, generator=gen(), dtype=torch.float64), torch.randint(0, 3, (2, 9), generator=gen())
    loss, by_weight, by_bias = net.classifier_loss_and_grads(x, labels)
    params = net.parameters("classifier")
    for value in params:
        value.requires_grad_(True)
    logits = net.classify(x.repeat(2, 1, 1))
    each = F.cross_entropy(logits.flatten(0, 1), labels.repeat(2, 1).flatten(), reduction="none").view(4, 9).mean(1)
    for ours, theirs in zip([*by_weight, *by_bias], torch.autograd.grad(each.sum(), params), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=DOUBLE)
    torch.testing.assert_close(loss, each.detach(), rtol=0, atol=DOUBLE)
    for value in params:
        value.requires_grad_(False)

    code = torch.eye(3, dtype=torch.float64)
    image, tape = net.record_generator(code)
    slope = torch.randn(image.shape, generator=gen(), dtype=torch.float64)
    by_weight, by_bias = net.generator_backward(tape, slope)
    params = net.parameters("generator")
    for value in params:
        value.requires_grad_(True)
    for ours, theirs in zip(
        [*by_weight, *by_bias], torch.autograd.grad((net.generate(code) * slope).sum(), params), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=DOUBLE)


def test_ten_rows_do_the_work_of_a_hundred():
    logits = torch.randn(2, 3, 12, generator=gen(), dtype=torch.float64).requires_grad_()
    x, y = torch.rand(2, 40, 12, generator=gen(), dtype=torch.float64), torch.randint(0, 3, (2, 40), generator=gen())
    code = F.one_hot(y, 3).double()
    loss, slope = generator_slope(logits.detach(), code.sum(1).unsqueeze(-1), torch.bmm(code.mT, x))
    drawn = torch.stack([logits[s, y[s]] for s in range(2)])
    each = F.binary_cross_entropy_with_logits(drawn, x, reduction="none").mean((1, 2))
    torch.testing.assert_close(loss, each.detach(), rtol=0, atol=DOUBLE)
    torch.testing.assert_close(slope, torch.autograd.grad(each.sum(), logits)[0], rtol=0, atol=DOUBLE)


def test_truncated_normal_has_the_law_of_rejected_draws():
    draws = truncated_normal(0.1, 400, 500, generator=gen())
    z = torch.randn(400_000, generator=gen(1))
    kept = 0.1 * z[z.abs() < 2]
    assert float(draws.abs().max()) <= 0.2
    # standard deviation of a normal cut at two of its own: .8796; the standard error here is below .0005
    assert float(draws.std()) == pytest.approx(0.1 * math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / 0.9545),
                                               rel=5e-3)
    q = torch.linspace(0.05, 0.95, 19)
    torch.testing.assert_close(draws.flatten()[:200_000].quantile(q), kept[:200_000].quantile(q), rtol=0, atol=2e-3)


def test_members_of_one_seed_start_alike_and_picks_are_copies():
    net = BidirectionalMLP(SMALL, seeds=(4, 5, 4))
    assert torch.equal(net.weights[0][0], net.weights[0][2])
    assert not torch.equal(net.weights[0][0], net.weights[0][1])
    twin = net.pick([1, 1], torch.float64)
    x = torch.rand(3, 12, generator=gen())
    torch.testing.assert_close(twin.classify(x.double())[1].float(), net.classify(x)[1], rtol=0, atol=SINGLE)
    twin.weights[0].zero_()
    assert net.weights[0][1].any()


def test_saturating_scales_logits_and_nothing_else():
    net = randomized(BidirectionalMLP(SMALL))
    x = torch.rand(30, 12, generator=gen())
    twin = net.saturate(50.0)
    torch.testing.assert_close(twin.classify(x), 50 * net.classify(x), rtol=1e-5, atol=SINGLE)
    assert torch.equal(twin.classify(x).argmax(-1), net.classify(x).argmax(-1))
    assert not torch.equal(twin.generate(torch.eye(3)), net.generate(torch.eye(3)))  # the weights are shared


# ---- training ------------------------------------------------------------------------------------------------------


def test_steps_are_those_of_two_torch_adams_on_tied_weights():
    X, y = data()
    net = BidirectionalMLP((12, 5, 3), seeds=(8,))
    w1, w2 = (torch.nn.Parameter(w[0].clone()) for w in net.weights)
    b1, b2, g1, g2 = (torch.nn.Parameter(torch.zeros(n)) for n in (5, 3, 12, 5))
    first = torch.optim.Adam([w1, w2, b1, b2], lr=0.01)
    second = torch.optim.Adam([w1, w2, g1, g2], lr=0.02)
    for _ in range(30):  # whole batches: the order of their images does not matter
        first.zero_grad()
        F.cross_entropy(torch.sigmoid(X @ w1 + b1) @ w2 + b2, y).backward()
        first.step()
        second.zero_grad()
        drawn = torch.sigmoid(F.one_hot(y, 3).float() @ w2.T + g2) @ w1.T + g1
        F.binary_cross_entropy_with_logits(drawn, X).backward()
        second.step()
    train_bidirectional(net, X, y, "bl", iters=30, lr_c=0.01, lr_g=0.02, batch=60)
    wanted = (w1, w2, b1, b2, g1, g2)
    found = (*net.weights, *net.classifier_biases, *net.generator_biases)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours[0].squeeze(0), theirs.detach().squeeze(0), rtol=0, atol=SINGLE)


@pytest.mark.parametrize("mode", ["bp", "half", "bl"])
@pytest.mark.parametrize("bias", [True, False])
def test_closed_forms_train_as_autograd_does(mode, bias):
    X, y = data()
    closed, auto = (BidirectionalMLP(SMALL, bias=bias, seeds=(1, 2)) for _ in range(2))
    a = train_bidirectional(closed, X, y, mode, iters=21, lr_c=0.01, lr_g=0.02, batch=10, seeds=(5,), every=1)
    b = train_by_autograd(auto, X, y, mode, iters=21, lr_c=0.01, lr_g=0.02, batch=10, seed=5, every=1)
    for ours, theirs in zip((*closed.weights, *closed.generator_biases), (*auto.weights, *auto.generator_biases),
                            strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=SINGLE)
    torch.testing.assert_close(a.classifier, b.classifier, rtol=0, atol=SINGLE)
    torch.testing.assert_close(a.generator, b.generator, rtol=0, atol=SINGLE, equal_nan=True)
    drawn = {"bp": 0, "half": 11, "bl": 21}[mode]
    assert a.generator.isfinite().sum(1).tolist() == [drawn, drawn]
    assert bool(any(g.any() for g in closed.generator_biases)) == (bias and mode != "bp")


def test_a_stack_of_modes_trains_each_member_as_if_alone():
    X, y = data()
    seeds, modes = [3, 4] * 4, ["bl"] * 2 + ["bp"] * 2 + ["half"] * 2 + ["bp"] * 2
    wd = [0.0] * 6 + [0.01] * 2
    for order in (list(range(8)), [0, 2, 1, 7, 5, 6, 4, 3]):  # blocks of seeds, and none
        net = BidirectionalMLP(SMALL, seeds=[seeds[k] for k in order])
        train_bidirectional(net, X, y, [modes[k] for k in order], iters=15, batch=10, wd=[wd[k] for k in order],
                            seeds=[seeds[k] for k in order])
        for place, k in enumerate(order):
            alone = BidirectionalMLP(SMALL, seeds=[seeds[k]])
            train_bidirectional(alone, X, y, modes[k], iters=15, batch=10, wd=wd[k], seeds=[seeds[k]])
            torch.testing.assert_close(net.weights[0][place], alone.weights[0][0], rtol=0, atol=SINGLE)


def test_penalty_is_on_the_squared_weights():
    X, y = data()
    net = BidirectionalMLP((12, 3), seeds=(0,))
    weight = torch.nn.Parameter(net.weights[0][0].clone())
    bias = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.Adam([weight, bias], lr=0.01)
    for _ in range(10):
        optimizer.zero_grad()
        (F.cross_entropy(X @ weight + bias, y) + 0.05 * weight.square().sum()).backward()
        optimizer.step()
    train_bidirectional(net, X, y, "bp", iters=10, lr_c=0.01, wd=0.05, batch=60)
    torch.testing.assert_close(net.weights[0][0], weight.detach(), rtol=0, atol=SINGLE)


@pytest.mark.standard
def test_without_hidden_layer_the_generator_draws_class_means():
    """Pure generator steps: sigmoid(W_k + g) must become the mean image of class k."""
    X, y = fashion.load("train", n=1000, flat=True)
    means = torch.stack([X[y == k].mean(0) for k in range(10)])
    net = BidirectionalMLP((784, 10))
    for iters, lr, batch in ((1500, 0.05, 100), (150, 0.002, 1000)):
        train_bidirectional(net, X, y, "bl", iters=iters, lr_c=0.0, lr_g=lr, batch=batch)
    inside = (means > 0.05) & (means < 0.95)
    error = (class_prototypes(net)[0] - means).abs()[inside]
    assert float(error.mean()) <= 0.015
    assert float(error.max()) <= 0.08


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"X": torch.full((60, 12), 1.5)}, "X spans"), ({"X": torch.full((60, 12), torch.nan)}, "X holds"),
        ({"X": torch.zeros(60, 11)}, "X is"), ({"X": torch.zeros(60, 12, dtype=torch.int64)}, "X is"),
        ({"y": torch.zeros(60)}, "y is"), ({"y": torch.zeros(59, dtype=torch.int64)}, "y is"),
        ({"y": torch.full((60,), 3)}, "y spans"), ({"mode": "both"}, "mode="), ({"mode": ["bl", "bp"]}, "mode has"),
        ({"iters": -1}, "iters="), ({"lr_c": -1.0}, "lr_c="), ({"lr_g": math.nan}, "lr_g="), ({"wd": [0, 0]}, "wd has"),
        ({"batch": 61}, "batch="), ({"seeds": (0, 1)}, "seeds has"), ({"every": 0}, "every="),
    ],
)
def test_bad_training_arguments_are_named(changes, named):
    X, y = data()
    given = {"X": X, "y": y, "mode": "bl", "iters": 2} | changes
    with pytest.raises(ValueError, match=named):
        train_bidirectional(BidirectionalMLP((12, 3)), **given)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"activation": "tanh"}, "activation="), ({"bias": "no"}, "bias="), ({"init": "zeros"}, "init="),
        ({"seeds": ()}, "seeds="), ({"seeds": 3}, "seeds="), ({"sizes": (12,)}, "sizes="),
        ({"sizes": (12, 0)}, r"sizes\[1\]"),
    ],
)
def test_bad_networks_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        BidirectionalMLP(**({"sizes": (12, 3)} | options))


def test_bad_inputs_of_networks_are_named():
    net = BidirectionalMLP((12, 3), seeds=(0, 1))
    with pytest.raises(ValueError, match="x has shape"):
        net.classify(torch.zeros(4, 11))
    with pytest.raises(ValueError, match="code has shape"):
        net.generate(torch.zeros(3, 4, 3))
    with pytest.raises(ValueError, match="scale="):
        net.saturate(0.0)


# ---- convolutions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "kernel", "stride"), [(28, 5, 1), (28, 5, 2), (14, 4, 2), (7, 4, 2), (9, 3, 3)])
def test_transposed_convolution_is_the_adjoint(side, kernel, stride):
    weight = torch.randn(6, 3, kernel, kernel, generator=gen(), dtype=torch.float64)
    x = torch.randn(2, 3, side, side, generator=gen(1), dtype=torch.float64)
    forward = F.conv2d(same_pad(x, kernel, stride), weight, stride=stride)
    assert forward.shape[-1] == math.ceil(side / stride)
    u = torch.randn(forward.shape, generator=gen(2), dtype=torch.float64)
    back = same_crop(F.conv_transpose2d(u, weight, stride=stride), kernel, stride, side)
    assert back.shape == x.shape
    assert float((forward * u).sum()) == pytest.approx(float((x * back).sum()), abs=1e-9)  # sums of thousands of terms


def test_convolutional_stack_is_its_members():
    seeds, x, code = (3, 4), torch.rand(5, 784, generator=gen()), torch.eye(10)
    both = BidirectionalCNN(1, 28, **BL_CNN, seeds=seeds)
    assert both.classify(x).shape == (2, 5, 10)
    assert both.generate(code).shape == (2, 10, 784)
    for s, seed in enumerate(seeds):
        alone = BidirectionalCNN(1, 28, **BL_CNN, seeds=(seed,))
        torch.testing.assert_close(both.classify(x)[s], alone.classify(x)[0], rtol=0, atol=SINGLE)
        torch.testing.assert_close(both.generate(code)[s], alone.generate(code)[0], rtol=0, atol=SINGLE)


def test_convolutional_directions_share_kernels_and_normalize_apart():
    net = BidirectionalCNN(1, 8, (4, 6), (4, 4), (2, 2), 10, classes=3, activation="lrelu", batch_norm=True)
    x, code = torch.rand(20, 64, generator=gen()), torch.rand(20, 3, generator=gen())
    before = [norm.mean.clone() for norm in net.generator_norms]
    net.classify(x, train=True)
    assert all(torch.equal(norm.mean, old) for norm, old in zip(net.generator_norms, before, strict=True))
    assert net.classifier_norms[0].mean.any()
    logits, image = net.classify(x), net.generate(code)
    assert torch.equal(net.classify(x), logits)  # running statistics: nothing moves in evaluation
    net.weights[0].mul_(2)
    assert not torch.allclose(net.classify(x), logits)
    assert not torch.allclose(net.generate(code), image)


def test_the_papers_hybrid_network_has_its_shapes():
    net = BidirectionalCNN(1, 28, **(HAN_CNN | {"fc": 32}))
    assert [tuple(w.shape[1:]) for w in net.weights] == [(64, 1, 4, 4), (128, 64, 4, 4), (6272, 32), (32, 10)]
    assert net.generate(torch.zeros(2, 10)).shape == (1, 2, 784)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"kernels": (1, 4)}, "kernels="), ({"strides": (2,)}, "channels="), ({"channels": (0, 4)}, "channels="),
        ({"activation": "tanh"}, "activation="), ({"std": 0.0}, "std="), ({"fc": 0}, "fc="),
    ],
)
def test_bad_convolutional_networks_are_named(options, named):
    good = {"channels": (2, 4), "kernels": (4, 4), "strides": (2, 2), "fc": 5}
    with pytest.raises(ValueError, match=named):
        BidirectionalCNN(1, 8, **(good | options))


def test_rate_of_the_convolutional_scripts():
    assert cnn_rate(0) == pytest.approx(3e-3)
    assert cnn_rate(2000) == pytest.approx(1e-4 + 2.9e-3 / math.e)


# ---- hybrid adversarial networks -----------------------------------------------------------------------------------


def hybrid(mode: str, seeds=(1, 2), **options):
    X, y = data(200)
    net = BidirectionalMLP((12, 6, 3), "relu", seeds=seeds, init="half_fan")
    judge = BidirectionalMLP((12, 6, 1), "relu", seeds=seeds, init="half_fan")
    history = train_han(net, judge, X, y, mode, iters=12, batch=20, seeds=seeds, every=1, **options)
    return net, judge, history


def test_one_hybrid_iteration_by_torch_adam():
    X, y = data(20)
    net = BidirectionalMLP((12, 6, 3), "relu", seeds=(1,), init="half_fan")
    judge = BidirectionalMLP((12, 6, 1), "relu", seeds=(2,), init="half_fan")
    w1, w2, v1, v2 = (torch.nn.Parameter(w[0].clone()) for w in (*net.weights, *judge.weights))
    b1, b2, g1, g2, c1, c2 = (torch.nn.Parameter(torch.zeros(n)) for n in (6, 3, 12, 6, 6, 1))
    codes = torch.rand(2, 20, 3, generator=_stream(5)) * 2 - 1

    def read(x):
        return torch.relu(x @ w1 + b1) @ w2 + b2

    def draw(z):
        return torch.sigmoid(torch.relu(z @ w2.T + g2) @ w1.T + g1)

    def real(x):
        return torch.relu(x @ v1 + c1) @ v2 + c2

    def adam(params, lr):
        return torch.optim.Adam(params, lr=lr, betas=(0.5, 0.999))

    for params, lr, loss in (
        ([w1, w2, b1, b2], 2e-4, lambda: F.cross_entropy(read(X), y)),
        ([v1, v2, c1, c2], 2e-4, lambda: -torch.log(torch.sigmoid(real(X))).mean()
            - torch.log(1 - torch.sigmoid(real(draw(codes[0])))).mean()),
        ([w1, w2, g1, g2], 1e-3, lambda: -torch.log(torch.sigmoid(real(draw(codes[1])))).mean()),
    ):
        optimizer = adam(params, lr)
        for value, grad in zip(params, torch.autograd.grad(loss(), params), strict=True):
            value.grad = grad
        optimizer.step()
    train_han(net, judge, X, y, "bl", iters=1, batch=20, seeds=(5,))
    found = (*net.weights, *judge.weights, *net.generator_biases)
    for ours, theirs in zip(found, (w1, w2, v1, v2, g1, g2), strict=True):
        torch.testing.assert_close(ours[0].squeeze(0), theirs.detach().squeeze(0), rtol=0, atol=SINGLE)


def _stream(seed: int) -> torch.Generator:
    from gradscape.lesson import generator

    return generator(seed, 7_001)


def test_hybrid_modes_and_members():
    net, judge, history = hybrid("bl")
    alone, *_ = hybrid("bl", seeds=(2,))
    torch.testing.assert_close(net.weights[0][1], alone.weights[0][0], rtol=0, atol=SINGLE)
    assert history.generator.isfinite().all()
    _, untouched, plain = hybrid("bp")
    fresh = BidirectionalMLP((12, 6, 1), "relu", seeds=(1, 2), init="half_fan")
    assert torch.equal(untouched.weights[0], fresh.weights[0])
    assert not torch.equal(judge.weights[0], fresh.weights[0])
    assert plain.generator.isnan().all()
    _, _, half = hybrid("half")
    assert half.generator.isfinite().sum(1).tolist() == [6, 6]


def test_convolutional_networks_train_both_ways():
    X, y = torch.rand(60, 64, generator=gen()), torch.arange(60) % 3
    options = {"classes": 3, "batch_norm": True, "activation": "lrelu", "std": 0.1}
    net = BidirectionalCNN(1, 8, (4, 6), (4, 4), (2, 2), 10, seeds=(0, 1), **options)
    judge = BidirectionalCNN(1, 8, (4, 6), (4, 4), (2, 2), 10, seeds=(2, 3), **(options | {"classes": 1}))
    history = train_han(net, judge, X, y, iters=30, batch=30, seeds=(0, 1), lr_c=5e-3, every=1)
    assert (history.classifier[:, -1] < history.classifier[:, 0]).all()
    plain = BidirectionalCNN(1, 8, (4, 6), (4, 4), (2, 2), 10, classes=3)
    history = train_by_autograd(
        plain, X, y, iters=30, batch=30, every=1, lr_c=cnn_rate, lr_g=lambda i: 10 * cnn_rate(i)
    )
    assert float(history.generator[0, -1]) < float(history.generator[0, 0])


@pytest.mark.parametrize(
    ("judge", "seeds", "named"),
    [((12, 6, 2), (1, 2), "discriminator"), ((11, 6, 1), (1, 2), "discriminator"), ((12, 6, 1), (1,), "seeds has")],
)
def test_bad_hybrids_are_named(judge, seeds, named):
    X, y = data()
    net = BidirectionalMLP((12, 6, 3), "relu", seeds=(1, 2))
    with pytest.raises(ValueError, match=named):
        train_han(net, BidirectionalMLP(judge, "relu", seeds=(1, 2)), X, y, iters=1, seeds=seeds)


# ---- what is measured ----------------------------------------------------------------------------------------------


def trained_small():
    X, y = data(200)
    X[torch.arange(200), y] = 1.0  # something to learn
    net = BidirectionalMLP((12, 5, 3), seeds=(0, 1, 2))
    train_bidirectional(net, X, y, "bl", iters=200, lr_c=0.02, lr_g=0.02, batch=20)
    return net, X, y


def test_report_by_its_definitions():
    net, X, y = trained_small()
    found = robustness_report(net, X, y, 0.1, 0.3, seed=4)
    u = pure_noise(X, 4)
    torch.testing.assert_close(static(X, 0.3, 4), (X + 0.3 * u).clamp(0, 1))
    for s in range(3):  # member by member, with softmax and sign written out
        one = net.pick([s])
        z = one.classify(X)[0]
        assert float((z.argmax(1) == y).float().mean()) == pytest.approx(float(found.clean[s]))
        noisy = one.classify((X + 0.3 * u).clamp(0, 1))[0].argmax(1)
        assert float((noisy == y).float().mean()) == pytest.approx(float(found.noisy[s]))
        x = X.clone().requires_grad_()
        F.cross_entropy(one.classify(x)[0], y, reduction="sum").backward()
        moved = (X + 0.1 * x.grad.sign()).clamp(0, 1)
        assert float((one.classify(moved)[0].argmax(1) == y).float().mean()) == pytest.approx(float(found.fgsm_true[s]))
        p, q = torch.softmax(z, 1).amax(1), torch.softmax(one.classify(u)[0], 1).amax(1)
        assert float(q.mean() / p.mean()) == pytest.approx(float(found.mean_confidence_ratio[s]), rel=1e-5)
        assert float(q.max() / p.max()) == pytest.approx(float(found.softmax_rate[s]), rel=1e-5)
        ratio = torch.sigmoid(one.classify(u)[0]).max() / torch.sigmoid(z).max()
        assert float(ratio) == pytest.approx(float(found.sigmoid_rate[s]), rel=1e-5)
    assert not found.zero_grad.any()


def test_attacks_lower_accuracy_and_stay_near():
    net, X, y = trained_small()
    found = robustness_report(net, X, y, 0.2)
    assert (found.fgsm_true <= found.clean).all()
    assert (found.pgd_margin <= found.fgsm_true + 0.02).all()
    for name in ("fgsm_true", "fgsm_pred", "pgd", "pgd_margin"):
        moved = attacked(net, X, y, 0.2, name)
        assert moved.shape == (3, *X.shape)
        assert float((moved - X).abs().max()) <= 0.2 + 1e-6
    clean = robustness_report(net, X, y, 0.0)
    assert torch.equal(clean.pgd_margin, clean.clean)
    assert torch.equal(clean.fgsm_pred, clean.clean)


def test_predicted_labels_flatter():
    """An attack told the wrong label can only push those images towards right answers."""
    net, X, y = trained_small()
    wrong = ~right(net, X, y)
    after = right(net, attacked(net, X, y, 0.2, "fgsm_pred"), y)
    told = right(net, attacked(net, X, y, 0.2, "fgsm_true"), y)
    assert bool((after & wrong).any())
    assert torch.equal(after[~wrong], told[~wrong])


@pytest.mark.parametrize("scale", [2.0**6, 2.0**12])
def test_saturation_hides_gradients_from_all_but_the_margin(scale):
    net, X, y = trained_small()
    before, after = (robustness_report(n, X, y, 0.2) for n in (net, net.saturate(scale)))
    assert torch.equal(after.clean, before.clean)
    assert torch.equal(after.pgd_margin, before.pgd_margin)
    if scale > 1e3:
        assert (after.zero_grad > 0.5).all()
        assert (after.fgsm_true > before.fgsm_true).all()


@pytest.mark.parametrize(
    ("eps", "noise", "named"), [(-0.1, 0.1, "eps="), (0.1, -1.0, "noise="), (0.1, math.nan, "noise=")]
)
def test_bad_reports_are_named(eps, noise, named):
    X, y = data()
    with pytest.raises(ValueError, match=named):
        robustness_report(BidirectionalMLP((12, 3)), X, y, eps, noise)
    with pytest.raises(ValueError, match="attack="):
        attacked(BidirectionalMLP((12, 3)), X, y, 0.1, "fgsm")
