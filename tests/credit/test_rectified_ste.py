"""Estimators of sign's derivative, their indicators and layers, against reference values, limits and autograd."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape.credit import rectified_ste as rs
from gradscape.credit.rectified_ste import layers, networks
from gradscape.credit.rectified_ste.estimators import KINDS
from torch import nn

TABLE = 1e-5  # the reference values have five decimals
EXACT = 1e-12  # a handful of float64 operations
O_VALUES = (1.0, 1.7, 3.0, 10.0, 30.0)


def z_values(n=200, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(n, generator=g, dtype=torch.float64)).to(dtype)


def passed(z, kind="reste", **params):
    z = z.clone().requires_grad_()
    rs.binarize(z, kind, **params).sum().backward()
    return z.grad


# the slope of training

def test_the_slope_has_the_reference_values():
    z = torch.tensor([0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 1.5, 1.500001], dtype=torch.float64)
    expected = torch.tensor([4.64159, 4.64159, 4.64159, 0.74381, 0.52913, 0.33333, 0.25438, 0.0], dtype=torch.float64)
    for found in (passed(z, o=3.0), passed(-z, o=3.0), rs.estimator_grad(z, "reste", o=3.0)):
        torch.testing.assert_close(found, expected, rtol=0, atol=TABLE)


@pytest.mark.parametrize("o", O_VALUES)
def test_the_plateau_is_the_secant_and_jumps_by_o(o):
    m, t = torch.tensor(0.1, dtype=torch.float64), 1.5
    slope = rs.estimator_grad(torch.stack([m * 0, m, m * (1 + 1e-12)]), "reste", o=o, m=0.1, t=t)
    torch.testing.assert_close(m * slope[0], rs.estimator(m, "reste", o=o), rtol=EXACT, atol=0)
    assert slope[0] == slope[1]
    assert float(slope[1] / slope[2]) == pytest.approx(o, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_o_of_one_is_the_clipped_straight_through_estimator_bit_for_bit(dtype):
    z, grad = z_values(dtype=dtype), z_values(seed=1, dtype=dtype)
    z[:3] = torch.tensor([1.0, -1.0, 0.0], dtype=dtype)
    z.requires_grad_()
    rs.reste_sign(z, 1.0, t=1.0).backward(grad)
    assert torch.equal(z.grad, torch.where(z.detach().abs() <= 1, grad, 0.0))
    assert torch.equal(passed(z.detach(), "ste"), passed(z.detach(), o=1.0, t=1.0))


def test_forward_is_the_sign_and_nothing_infinite_comes_back():
    z = torch.tensor([-2.0, -0.0, 0.0, 1e-30, math.inf, -math.inf])
    assert rs.reste_sign(z, 30.0).tolist() == [-1, 0, 0, 1, 1, -1]
    z.requires_grad_()
    rs.reste_sign(z, 30.0).backward(torch.full((6,), math.inf))
    assert z.grad[[0, 4, 5]].tolist() == [0, 0, 0]
    assert bool(torch.isfinite(passed(torch.zeros(3), o=100.0)).all())


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_nan(kind):
    z = torch.tensor([math.nan, 0.5], requires_grad=True)
    out = rs.binarize(z, kind)
    out.sum().backward()
    assert out.isnan().tolist() == [True, False]
    assert z.grad.isnan().tolist() == [True, False]


def test_thresholds_and_o_get_no_gradient():
    o, t, m = (torch.tensor(v, requires_grad=True) for v in (3.0, 1.5, 0.1))
    z = torch.tensor([0.3], requires_grad=True)
    rs.reste_sign(z, o, t, m).sum().backward()
    assert z.grad is not None
    assert o.grad is t.grad is m.grad is None


def test_vmap_over_o_and_over_z_is_the_loop():
    z, o = z_values(40).view(4, 10), torch.tensor([1.0, 2.0, 3.0, 10.0], dtype=torch.float64)

    def slope(z, o):
        return torch.func.grad(lambda v: rs.reste_sign(v, o).mul(v.detach()).sum())(z)

    together = torch.func.vmap(slope)(z, o)
    for k in range(4):
        torch.testing.assert_close(together[k], z[k] * passed(z[k], o=float(o[k])), rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(torch.func.vmap(slope, (None, 0))(z[0], o)[1], z[0] * passed(z[0], o=2.0))
    torch.testing.assert_close(passed(z, o=o.view(4, 1)), torch.stack([passed(z[k], o=float(o[k])) for k in range(4)]))


# the estimators below the slopes

@pytest.mark.parametrize(("kind", "params"), [
    ("ste", {}), ("ste", {"clip": 0.7}), ("ede", {"tau": 0.1}), ("ede", {"tau": 4.0}), ("bireal", {}),
    *(("reste", {"o": o}) for o in O_VALUES),
])
def test_slopes_are_derivatives_of_the_estimators(kind, params):
    z = z_values()
    z = z[(z.abs() > 0.05) & ((z.abs() - params.get("clip", 1.0)).abs() > 0.05)].requires_grad_()
    value = rs.estimator(z, kind, **params)
    (by_autograd,) = torch.autograd.grad(value.sum(), z)
    h = 1e-6
    with torch.no_grad():
        central = (rs.estimator(z + h, kind, **params) - rs.estimator(z - h, kind, **params)) / (2 * h)
        slope = rs.estimator_grad(z, kind, truncated=False, **params)
    torch.testing.assert_close(slope, by_autograd, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(slope, central, rtol=1e-6, atol=1e-8)
    assert torch.autograd.gradcheck(lambda v: rs.estimator(v, kind, **params), (z[:20].detach().requires_grad_(),))


@pytest.mark.parametrize("o", O_VALUES)
def test_the_power_rises_by_two_from_minus_one_to_one(o):
    u, w = torch.arange(0.0005, 1, 0.001, dtype=torch.float64), 0.001
    slope = rs.estimator_grad(u**o, "reste", o=o, truncated=False) * o * u ** (o - 1)  # z = u^o takes the pole away
    assert 2 * float(slope.sum() * w) == pytest.approx(2.0, abs=1e-9)
    assert float(rs.estimator(torch.tensor(1.0), "reste", o=o) - rs.estimator(torch.tensor(-1.0), "reste", o=o)) == 2


def test_ede_and_bireal_at_known_points():
    z = torch.tensor([0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(rs.estimator_grad(z, "bireal"), torch.tensor([2.0, 1.0, 0.0, 0.0]).double())
    assert rs.estimator(z, "bireal").tolist() == [0, 0.75, 1, 1]
    k_tau = {0.1: 1.0, 10.0: 10.0}  # k tau at 0: 1 while tau < 1, tau above
    for tau, at_zero in k_tau.items():
        slope = rs.estimator_grad(z, "ede", tau=tau)
        assert float(slope[0]) == pytest.approx(at_zero)
        assert float(slope[2]) == pytest.approx(at_zero / math.cosh(tau) ** 2)


def test_schedules():
    assert [rs.o_schedule(e, 4) for e in range(4)] == pytest.approx([1, 1.1522, 1.5858, 2.2346], abs=5e-5)
    assert rs.o_schedule(4, 4, 10.0) == pytest.approx(10)
    assert rs.o_schedule(1, 4, 5.0, "linear") == 2.0
    assert rs.o_schedule(0, 4, 5.0, "constant") == 5.0
    assert [rs.tau_schedule(e, 2) for e in range(3)] == pytest.approx([0.1, 1.0, 10.0])


# indicators

def test_estimating_error_has_the_reference_values():
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    for o, value in {1: 1.732051, 2: 0.784690, 3: 0.511978, 10: 0.150654}.items():
        assert float(rs.estimating_error(z, float(o))) == pytest.approx(value, abs=1e-6)
    both = rs.estimating_error([z, 2 * z], 3.0)
    assert both.shape == (2,)
    assert float(both[0]) == pytest.approx(0.511978, abs=1e-6)


def test_gradient_instability_has_the_reference_value_and_is_torchs_variance():
    g = torch.tensor([-0.1, 0.2, 0.05, -0.4, 0.0])
    assert float(rs.gradient_instability(g)) == pytest.approx(0.025, abs=1e-8)
    w = z_values(24).view(4, 3, 2)
    torch.testing.assert_close(rs.gradient_instability([w], members=True)[:, 0], w.abs().flatten(1).var(1))
    torch.testing.assert_close(rs.gradient_instability(3 * w), 9 * rs.gradient_instability(w))


def test_members_are_counted_apart():
    w, o = z_values(24).view(4, 3, 2), torch.tensor([1.0, 2.0, 3.0, 10.0]).double()
    found = rs.estimating_error([w, 2 * w], o.view(4, 1, 1), members=True)
    for k in range(4):
        torch.testing.assert_close(found[k, 0], rs.estimating_error(w[k], float(o[k])))


@pytest.mark.parametrize("seed", range(3))
def test_the_error_never_grows_with_o(seed):
    w = z_values(500, seed)
    e = torch.stack([rs.estimating_error(w, float(o)) for o in torch.logspace(0, 2, 25)])
    assert bool((e.diff() <= 1e-12).all())


# layers and networks

@pytest.mark.parametrize("scale", ["layer", "channel", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_binary_layer_passes_gradients_through_sign_and_scale(kind, scale):
    torch.manual_seed(0)
    layer = rs.BinaryLinear(5, 3, bias=True, kind=kind, o=3.0, tau=2.0, scale=scale).double()
    x = z_values(20).view(4, 5).requires_grad_()
    weight = layer.weight.detach()
    params = {"reste": {"o": 3.0}, "ste": {}, "ede": {"tau": 2.0}, "bireal": {}}[kind]
    target = z_values(12, 5).view(4, 3)
    (layer(x) * target).sum().backward()
    size = {"layer": weight.abs().mean(), "channel": weight.abs().mean(1, keepdim=True), "none": torch.tensor(1.0)}
    s, signs = size[scale], weight.sign()
    assert torch.equal(layer(x), nn.functional.linear(x.sign(), signs * s, layer.bias))  # as deployed
    by_weight = target.T @ x.detach().sign()
    through_sign = by_weight * s * rs.estimator_grad(weight, kind, **params)
    through_scale = {
        "layer": (by_weight * signs).sum() * signs / 15,
        "channel": (by_weight * signs).sum(1, keepdim=True) * signs / 5,
        "none": torch.zeros(3, 5, dtype=torch.float64),
    }[scale]
    torch.testing.assert_close(layer.weight.grad, through_sign + through_scale, rtol=EXACT, atol=EXACT)
    by_input = target @ (signs * s) * rs.estimator_grad(x.detach(), kind, **params)
    torch.testing.assert_close(x.grad, by_input, rtol=EXACT, atol=EXACT)


def test_a_convolution_of_one_pixel_is_a_linear_layer():
    conv, linear = rs.BinaryConv2d(6, 4, 1, o=2.0), rs.BinaryLinear(6, 4, o=2.0)
    with torch.no_grad():
        linear.weight.copy_(conv.weight[..., 0, 0])
    x = torch.randn(3, 6, requires_grad=True)
    torch.testing.assert_close(conv(x[..., None, None])[..., 0, 0], linear(x))
    real = rs.BinaryConv2d(6, 4, 1, binary_activations=False)
    torch.testing.assert_close(real(2 * x[..., None, None]), 2 * real(x[..., None, None]))


def test_set_o_reaches_every_binary_layer():
    net = rs.resnet20_1w1a(1, 4)
    assert len(layers.binary_layers(net)) == 18
    rs.set_o(net, 2.5)
    rs.set_tau(net, 5.0)
    assert {(layer.o, layer.tau) for layer in layers.binary_layers(net)} == {(2.5, 5.0)}


@pytest.mark.parametrize("bireal", [False, True])
def test_resnet_20_has_its_shape_and_learns(bireal):
    torch.manual_seed(0)
    net, x = rs.resnet20_1w1a(3, 4, bireal=bireal, scale="channel"), torch.randn(4, 3, 8, 8)
    assert net.blocks[3].shortcut(torch.ones(1, 4, 8, 8)).sum((2, 3)).tolist() == [[0, 0, 16, 16, 16, 16, 0, 0]]
    nn.functional.cross_entropy(net(x), torch.arange(4)).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())
    real = sum(p.numel() for p in rs.resnet20_1w1a().parameters() if p.dim() == 4)
    assert real == 16 * 27 + 9 * (6 * 16**2 + 16 * 32 + 5 * 32**2 + 32 * 64 + 5 * 64**2)


def test_vgg_small_and_the_small_net_have_their_shapes():
    net = rs.vgg_small_1w1a(1, 4)
    assert net(torch.randn(2, 1, 16, 16)).shape == (2, 10)
    assert [layer.weight.shape[0] for layer in layers.binary_layers(net)] == [4, 8, 8, 16, 16]
    assert net[-1].in_features == 16 * 2 * 2
    small = networks.small_convnet()
    assert small(torch.randn(2, 1, 14, 14)).shape == (2, 10)
    assert len(layers.binary_layers(small)) == 3


@pytest.mark.parametrize(("call", "words"), [
    (lambda: rs.reste_sign(torch.zeros(2), 0.5), "o=0.5"),
    (lambda: rs.reste_sign(torch.zeros(2), math.nan), "o=nan"),
    (lambda: rs.reste_sign(torch.zeros(2), torch.tensor([1.0, 0.9])), "entries must be finite and >= 1"),
    (lambda: rs.reste_sign(torch.zeros(2), torch.ones(3)), "must broadcast to z"),
    (lambda: rs.reste_sign(torch.zeros(2), 3.0, t=0.0), "t=0.0"),
    (lambda: rs.reste_sign(torch.zeros(2), 3.0, m=-0.1), "m=-0.1"),
    (lambda: rs.reste_sign(torch.zeros(2), 3.0, t=0.1, m=0.1), "m=0.1: must be below t=0.1"),
    (lambda: rs.reste_sign(torch.zeros(2, dtype=torch.long), 3.0), "torch.int64"),
    (lambda: rs.reste_sign([0.0], 3.0), "tensor of real floats"),
    (lambda: rs.binarize(torch.zeros(2), "dsq"), "kind='dsq'"),
    (lambda: rs.binarize(torch.zeros(2), "ste", o=3.0), "kind 'ste' takes clip"),
    (lambda: rs.estimator(torch.zeros(2), "ede", tau=0.0), "tau=0.0"),
    (lambda: rs.o_schedule(5, 4), "epoch=5"),
    (lambda: rs.o_schedule(0, 0), "epochs=0"),
    (lambda: rs.o_schedule(0, 4, 0.5), "o_end=0.5"),
    (lambda: rs.o_schedule(0, 4, kind="step"), "kind='step'"),
    (lambda: rs.tau_schedule(0, 4, 1.0, 0.5), "tau_max=0.5"),
    (lambda: rs.estimating_error([], 3.0), "weights is empty"),
    (lambda: rs.estimating_error(torch.tensor([math.inf]), 3.0), "weights holds 1 NaN or infinite"),
    (lambda: rs.estimating_error(torch.zeros(0), 3.0), "weights is empty"),
    (lambda: rs.gradient_instability(torch.tensor([1, 2])), "torch.int64"),
    (lambda: rs.gradient_instability(torch.tensor([1.0])), "at least two entries"),
    (lambda: rs.gradient_instability(torch.ones(3), members=True), "leading axis"),
    (lambda: rs.BinaryLinear(0, 2), "in_features=0"),
    (lambda: rs.BinaryLinear(2, 2, scale="row"), "scale='row'"),
    (lambda: rs.BinaryConv2d(2, 2, 3, m=2.0), "m=2.0"),
    (lambda: rs.set_o(nn.Linear(2, 2), 2.0), "holds no BinaryLinear"),
    (lambda: rs.set_o(rs.BinaryLinear(2, 2), 0.0), "o=0.0"),
    (lambda: rs.resnet20_1w1a(0), "in_ch=0"),
    (lambda: rs.vgg_small_1w1a(width=0), "width=0"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
