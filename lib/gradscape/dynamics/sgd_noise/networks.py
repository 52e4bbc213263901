"""The networks: mean-field output 1/h, activations of unit variance, no biases."""
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from gradscape.ensemble import StackedMLP, activation
from gradscape.validate import at_least, one_of

ACTS = ("relu", "gelu")
_HERMITE_POINTS = 200  # gelu's moment is then exact to 1e-12; relu's kink lies between two symmetric nodes


@lru_cache
def unit_variance(act: str) -> float:
    """Return the factor c with ``E (c act(g))² = 1`` for g ~ N(0, 1): √2 for relu, 1/0.6521 for gelu.

    By Gauss-Hermite quadrature, even in the number of nodes.
    """
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(_HERMITE_POINTS)
    values = activation(act).value(torch.tensor(nodes)).square()
    return float((values @ torch.tensor(weights / weights.sum())).rsqrt())


class MeanFieldMLP(nn.Module):
    """A bias-free network ``f = v·a/h`` with ``hidden_layers`` layers of ``width`` h, ``a_{l+1} = φ(a_l W_l/√fan_in)``.

    All weights start as N(0, 1) draws of ``seed``; φ has unit variance. ``weight0`` is (d_in, h), then (h, h), at last
    (h, 1), named as in a stacked network, so that one member's parameters fit ``torch.func.functional_call``.
    """

    def __init__(self, d_in: int, width: int, hidden_layers: int, act: str = "relu", *, seed: int = 0) -> None:
        super().__init__()
        at_least("hidden_layers", hidden_layers, 1)
        self.sizes = (at_least("d_in", d_in, 1), *[at_least("width", width, 1)] * hidden_layers, 1)
        self.width, self.hidden_layers, self.act = width, hidden_layers, one_of("act", act, ACTS)
        self.gain = unit_variance(act)
        for name, value in self.stack([seed]).params.items():
            self.register_parameter(name, nn.Parameter(value[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B,) for inputs (B, d_in)."""
        phi, a = activation(self.act).value, x
        for layer in range(self.hidden_layers):
            a = self.gain * phi(a @ getattr(self, f"weight{layer}") / math.sqrt(self.sizes[layer]))
        return (a @ getattr(self, f"weight{self.hidden_layers}")).squeeze(-1) / self.width

    def stack(
        self, seeds: Sequence[int], *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
    ) -> StackedMLP:
        """Networks of this architecture, member m drawn from ``seeds[m]``."""
        return StackedMLP(
            self.sizes, len(seeds), act=self.act, param="mean_field", gain=self.gain, bias=False, generators=seeds,
            dtype=dtype, device=device,
        )
