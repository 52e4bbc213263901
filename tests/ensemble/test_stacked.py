"""Stacked networks: their gradients against two independent paths, and members that do not see each other."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.ensemble import (
    ACTIVATIONS,
    Activation,
    StackedMLP,
    align,
    cross_entropy,
    fit,
    mse,
    vmap_loss_and_grads,
)
from torch import nn

FLOAT32 = 2e-5  # a few hundred float32 roundings, relative to the largest entry
EXACT = 1e-12  # float64 roundings


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    scale = max(float(wanted.abs().max()), 1e-30)
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) <= tolerance * scale


def plain_module(net: StackedMLP, member: int) -> nn.Sequential:
    """One member as an ordinary module; NTK and mean-field scales go into its weights."""
    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
    params, layers = net.member(member), []
    for layer in range(net.layers):
        weight = params[f"weight{layer}"]
        linear = nn.Linear(*weight.shape, bias=net.bias, dtype=weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(weight.T * net.scales[layer])
            if net.bias:
                linear.bias.copy_(params[f"bias{layer}"])
        layers += [linear, kinds[net.act.name]()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("param", ["standard", "ntk", "mean_field"])
@pytest.mark.parametrize("act", sorted(ACTIVATIONS))
@pytest.mark.parametrize("shared", [True, False])
def test_backward_equals_vmap_of_grad(param: str, act: str, shared: bool) -> None:
    torch.manual_seed(0)
    net = StackedMLP((5, 7, 6, 3), 4, act=act, param=param, generators=range(4))
    x = torch.randn(11, 5) if shared else torch.randn(4, 11, 5)
    y = torch.randint(3, (11,) if shared else (4, 11))
    values, grads = net.loss_and_grads(x, y, cross_entropy)
    wanted_values, wanted = vmap_loss_and_grads(net, x, y, cross_entropy)
    close(values, wanted_values, FLOAT32)
    for name in net.params:
        close(grads[name], wanted[name], FLOAT32)


@pytest.mark.parametrize(("param", "bias", "act"), [("standard", True, "relu"), ("ntk", False, "gelu"),
                                                    ("mean_field", True, "tanh")])
def test_backward_equals_autograd_of_one_module(param: str, bias: bool, act: str) -> None:
    torch.manual_seed(0)
    net = StackedMLP((5, 7, 6, 1), 3, act=act, param=param, bias=bias, generators=range(3), dtype=torch.float64)
    x, y = torch.randn(3, 9, 5, dtype=torch.float64), torch.randn(3, 9, dtype=torch.float64)
    values, grads = net.loss_and_grads(x, y, mse)
    for m in range(3):
        module = plain_module(net, m)
        loss = nn.functional.mse_loss(module(x[m]).squeeze(-1), y[m])
        loss.backward()
        close(values[m], loss.detach(), EXACT)
        for layer, linear in enumerate(module[::2]):
            close(grads[f"weight{layer}"][m], linear.weight.grad.T * net.scales[layer], EXACT)
            if bias:
                close(grads[f"bias{layer}"][m, 0], linear.bias.grad, EXACT)


def test_offset_is_subtracted_from_the_outputs() -> None:
    net = StackedMLP((3, 4, 1), 2, generators=range(2))
    x = torch.randn(6, 3)
    start = net.forward(x)
    values, _ = net.loss_and_grads(x, torch.zeros(6), mse, offset=start)
    assert float(values.abs().max()) == 0.0


def test_descend_in_place_equals_subtracting_the_gradients() -> None:
    net = StackedMLP((5, 8, 8, 2), 3, generators=range(3), dtype=torch.float64)
    x, y = torch.randn(9, 5, dtype=torch.float64), torch.randint(2, (9,))
    _, grads = net.loss_and_grads(x, y, cross_entropy)
    wanted = {name: value - 0.3 * grads[name] for name, value in net.params.items()}
    outputs, tape = net.record(x)
    net.descend_(tape, cross_entropy.slope(outputs, y) * (0.3 / 9))
    for name in wanted:
        close(net.params[name], wanted[name], EXACT)


def test_linear_init_has_the_law_of_torch_linear() -> None:
    net = StackedMLP((50, 200, 1), 4, generators=range(4))
    weight, bias = net.params["weight0"], net.params["bias0"]
    bound = 1 / math.sqrt(50)
    assert float(weight.abs().max()) <= bound
    assert float(bias.abs().max()) <= bound
    # standard error of the variance over 40,000 uniform draws is 0.5 %
    assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.03)


@pytest.mark.parametrize("act", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("param", ["standard", "ntk", "mean_field"])
def test_a_narrow_net_alone_and_padded_learn_alike(act: str, param: str) -> None:
    torch.manual_seed(0)
    data = torch.randn(64, 5), torch.randn(64)
    options = {"loss": mse, "lr": 0.05, "steps": 40, "batches": 8}
    padded = StackedMLP((5, (48, 8, 20), (48, 8, 20), 1), 3, act=act, param=param, generators=range(3))
    together = fit(padded, data, **options)
    alone_net = StackedMLP((5, 8, 8, 1), 1, act=act, param=param, generators=[1])
    alone = fit(alone_net, data, **options)
    assert torch.allclose(together.losses[1], alone.losses[0], rtol=1e-4, atol=1e-6)
    assert not padded.params["weight0"][1, :, 8:].any()
    assert not padded.params["weight1"][1, 8:].any()
    for name, value in padded.member(1).items():
        assert value.shape == alone_net.member(0)[name].shape


def test_a_member_does_not_see_its_stack_mates() -> None:
    torch.manual_seed(0)
    data = torch.randn(100, 6), torch.randint(3, (100,))
    options = {"loss": cross_entropy, "lr": 0.2, "steps": 300, "batches": 10}
    many = StackedMLP((6, 12, 3), 40, generators=range(40))
    one = StackedMLP((6, 12, 3), 1, generators=[17])
    assert torch.equal(many.params["weight0"][17], one.params["weight0"][0])
    fit(many, data, **options)
    fit(one, data, **options)
    for name in one.params:
        close(many.params[name][17], one.params[name][0], 1e-4)


def test_compact_keeps_survivors_and_their_streams() -> None:
    torch.manual_seed(0)
    data = torch.randn(100, 6), torch.randn(100)
    whole = StackedMLP((6, (4, 9, 9, 5), 1), 4, generators=range(4))
    fewer = StackedMLP((6, (4, 9, 9, 5), 1), 4, generators=range(4))
    assert fewer.compact(torch.tensor([True, False, False, True])).tolist() == [0, 3]
    for net in (whole, fewer):
        fit(net, data, loss=mse, lr=0.1, steps=20, batches=5)
    for index, member in enumerate((0, 3)):
        for name, value in whole.member(member).items():
            assert torch.allclose(fewer.member(index)[name], value, rtol=1e-5, atol=1e-7)


def test_straight_through_activation_plugs_in() -> None:
    sign = Activation("sign", torch.sign, lambda grad, z, a: grad * (z.abs() < 1))
    net = StackedMLP((4, 6, 1), 2, act=sign, generators=range(2))
    _, grads = net.loss_and_grads(torch.randn(8, 4), torch.randn(8), mse)
    assert float(grads["weight0"].abs().max()) > 0


@pytest.mark.parametrize("act", sorted(ACTIVATIONS))
def test_pullback_is_the_derivative(act: str) -> None:
    z, step = torch.linspace(-2, 2, 8, dtype=torch.float64), 1e-6  # eight points: none is relu's kink
    found = ACTIVATIONS[act].pullback(torch.ones_like(z), z, ACTIVATIONS[act].value(z))
    numeric = (ACTIVATIONS[act].value(z + step) - ACTIVATIONS[act].value(z - step)) / (2 * step)
    assert torch.allclose(found, numeric, atol=1e-8)


def test_gain_multiplies_hidden_activations() -> None:
    x = torch.randn(6, 3)
    plain, gained = (StackedMLP((3, 5, 2), 2, gain=gain, bias=False, generators=range(2)) for gain in (1.0, 1.7))
    assert torch.allclose(gained.forward(x), 1.7 * plain.forward(x), rtol=1e-5)


def test_align_tells_member_and_output_axes_apart() -> None:
    assert align(torch.zeros(4, 5, 1), torch.zeros(5)).shape == (4, 5, 1)
    assert align(torch.zeros(4, 5, 1), torch.zeros(4, 5)).shape == (4, 5, 1)
    assert align(torch.zeros(4, 5, 3), torch.zeros(5, 3)).shape == (4, 5, 3)
    with pytest.raises(ValueError, match="targets do not match"):
        align(torch.zeros(4, 5, 1), torch.zeros(6))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (5,)}, "at least an input"),
        ({"sizes": (5, 0, 1)}, r"sizes\[1\]"),
        ({"sizes": ((5, 6), 4, 1)}, "only hidden widths"),
        ({"sizes": (5, (4, 4, 4), 1)}, "one per member"),
        ({"act": "swish"}, "act='swish'"),
        ({"param": "mup"}, "param='mup'"),
        ({"init": "ones"}, "init='ones'"),
        ({"generators": [1]}, "one per member"),
        ({"generators": [torch.Generator()] * 2}, "one object twice"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    options = {"sizes": (5, 4, 1), "generators": range(2)} | change
    sizes = options.pop("sizes")
    with pytest.raises(ValueError, match=message):
        StackedMLP(sizes, 2, **options)


def test_bad_inputs_are_named() -> None:
    net = StackedMLP((5, 4, 1), 2, generators=range(2))
    with pytest.raises(ValueError, match=r"\(B, 5\)"):
        net.forward(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="mask"):
        net.compact(torch.tensor([False, False]))
    with pytest.raises(ValueError, match="class indices"):
        net.loss_and_grads(torch.zeros(3, 5), torch.zeros(3), cross_entropy)
    with pytest.raises(ValueError, match="equal width"):
        StackedMLP((5, (3, 4), 1), 2, param="ntk", generators=range(2)).call({}, torch.zeros(2, 5))
