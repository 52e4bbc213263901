"""Activations with closed-form pullbacks, so that stacked networks need no autograd.

An activation is its value and its pullback; a straight-through or surrogate gradient is an ``Activation`` whose
pullback is not the derivative of its value.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.validate import one_of

_aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """A pointwise function and how a gradient passes back through it.

    ``value(z)`` maps pre-activations to activations; ``pullback(grad, z, a)`` returns ``grad * value'(z)`` and may use
    ``a = value(z)``. ``at_zero`` is ``value(0)``: when it is not 0, padded units are masked.

    >>> sign = Activation("sign", torch.sign, lambda grad, z, a: grad * (z.abs() < 1))   # straight-through estimator
    """

    name: str
    value: Callable[[Tensor], Tensor]
    pullback: Callable[[Tensor, Tensor, Tensor], Tensor]
    at_zero: float = 0.0


def _sigmoid_pullback(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    return _aten.sigmoid_backward(grad, a)


def _erf_pullback(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    return grad * torch.exp(-z.square()).mul_(2 / math.sqrt(math.pi))


ACTIVATIONS = {
    "identity": Activation("identity", lambda z: z, lambda grad, z, a: grad),
    "relu": Activation("relu", torch.relu, lambda grad, z, a: _aten.threshold_backward(grad, z, 0)),
    "gelu": Activation("gelu", torch.nn.functional.gelu, lambda grad, z, a: _aten.gelu_backward(grad, z)),
    "tanh": Activation("tanh", torch.tanh, lambda grad, z, a: _aten.tanh_backward(grad, a)),
    "erf": Activation("erf", torch.erf, _erf_pullback),
    "sigmoid": Activation("sigmoid", torch.sigmoid, _sigmoid_pullback, at_zero=0.5),
}


def activation(act: str | Activation) -> Activation:
    """Return the named activation, or ``act`` itself when it is one already."""
    if isinstance(act, Activation):
        return act
    return ACTIVATIONS[one_of("act", act, tuple(ACTIVATIONS))]
