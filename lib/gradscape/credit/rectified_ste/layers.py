"""Binary layers: sign weights times one scale, sign activations, and the gradients of all three (arXiv 2308.06689)."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gradscape import validate
from gradscape.credit.rectified_ste.estimators import KINDS, M_PAPER, T_PAPER, binarize

SCALES = ("layer", "channel", "none")


class _Binary(nn.Module):
    """What binary layers share: the estimator's settings, the binary weight and its scale.

    ``o``, ``t``, ``m`` serve ReSTE, ``clip`` the straight-through estimator, ``tau`` EDE. ``scale`` "layer" is the
    official code's mean of |w| over all weights of the layer, "channel" one mean for each output (as in XNOR-Net),
    "none" leaves +-1. The gradient also flows through the scale. A weight that is exactly 0 has sign 0, a third
    value, as in torch; random starts have none.
    """

    def __init__(
        self, kind: str, o: float, t: float, m: float, clip: float, tau: float, binary_activations: bool, scale: str
    ) -> None:
        super().__init__()
        self.kind = validate.one_of("kind", kind, KINDS)
        self.o = validate.in_range("o", o, 1.0, math.inf, open_high=True)
        self.t, self.clip, self.tau = validate.positive("t", t), validate.positive("clip", clip), \
            validate.positive("tau", tau)
        self.m = validate.in_range("m", m, 0.0, t, open_low=True, open_high=True)
        self.binary_activations = binary_activations
        self.scale = validate.one_of("scale", scale, SCALES)
        self.weight: nn.Parameter

    def _reset(self) -> None:
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")

    def binarized(self, z: Tensor) -> Tensor:
        """R(z): sign forward, this layer's estimator backward."""
        params = {"reste": {"o": self.o, "t": self.t, "m": self.m}, "ste": {"clip": self.clip},
                  "ede": {"tau": self.tau}, "bireal": {}}[self.kind]
        return binarize(z, self.kind, **params)

    def binary_weight(self) -> Tensor:
        """R(w) times its scale, of w's shape: at most two values per layer (or per output)."""
        signs = self.binarized(self.weight)
        if self.scale == "none":
            return signs
        axes = tuple(range(0 if self.scale == "layer" else 1, self.weight.dim()))
        return signs * self.weight.abs().mean(axes, keepdim=True)

    def _input(self, x: Tensor) -> Tensor:
        return self.binarized(x) if self.binary_activations else x

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, kind={self.kind!r}, o={self.o:g}, scale={self.scale!r}"


class BinaryLinear(_Binary):
    """y = R(x) (R(w) s)^T + b for x (..., in), y (..., out); latent weights w (out, in) ~ N(0, 2/in), real bias.

    >>> BinaryLinear(4, 2)(torch.ones(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = False, *, kind: str = "reste", o: float = 1.0,
        t: float = T_PAPER, m: float = M_PAPER, clip: float = 1.0, tau: float = 1.0, binary_activations: bool = True,
        scale: str = "layer",
    ) -> None:
        super().__init__(kind, o, t, m, clip, tau, binary_activations, scale)
        shape = validate.at_least("out_features", out_features, 1), validate.at_least("in_features", in_features, 1)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self._reset()

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(self._input(x), self.binary_weight(), self.bias)


class BinaryConv2d(_Binary):
    """y = conv(R(x), R(w) s), without bias, for x (B, in, H, W); the paper's layer (official code).

    >>> BinaryConv2d(4, 2, 3, padding=1)(torch.ones(1, 4, 5, 5)).shape
    torch.Size([1, 2, 5, 5])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0, *,
        kind: str = "reste", o: float = 1.0, t: float = T_PAPER, m: float = M_PAPER, clip: float = 1.0,
        tau: float = 1.0, binary_activations: bool = True, scale: str = "layer",
    ) -> None:
        super().__init__(kind, o, t, m, clip, tau, binary_activations, scale)
        size = validate.at_least("kernel_size", kernel_size, 1)
        self.stride, self.padding = validate.at_least("stride", stride, 1), validate.at_least("padding", padding, 0)
        shape = validate.at_least("out_channels", out_channels, 1), validate.at_least("in_channels", in_channels, 1)
        self.weight = nn.Parameter(torch.empty(*shape, size, size))
        self._reset()

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(
            self._input(x), self.binary_weight(), stride=self.stride, padding=self.padding
        )


def binary_layers(model: nn.Module) -> list[BinaryLinear | BinaryConv2d]:
    """The model's binary layers, in order."""
    return [layer for layer in model.modules() if isinstance(layer, BinaryLinear | BinaryConv2d)]


def set_o(model: nn.Module, o: float) -> None:
    """Give every binary layer this ``o`` >= 1, once per epoch; ``ValueError`` when there is none to give it to."""
    validate.in_range("o", o, 1.0, math.inf, open_high=True)
    for layer in _found(model):
        layer.o = o


def set_tau(model: nn.Module, tau: float) -> None:
    """Give every binary layer this EDE sharpness ``tau`` > 0."""
    validate.positive("tau", tau)
    for layer in _found(model):
        layer.tau = tau


def _found(model: nn.Module) -> list[BinaryLinear | BinaryConv2d]:
    layers = binary_layers(model)
    if not layers:
        raise ValueError(f"model={type(model).__name__}: holds no BinaryLinear or BinaryConv2d")
    return layers
