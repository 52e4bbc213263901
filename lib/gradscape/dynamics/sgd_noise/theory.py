"""Loss, temperature and predicted exponents (arXiv:2301.13703).

The predictor is ``F(x) = f(w, x) - f(w0, x)``; it has learned a point when ``alpha y F >= 1``. ``alpha`` multiplies the
output and divides the loss, so a step does not depend on it: it only sets the margin ``1/alpha``.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from gradscape.validate import at_least, nonnegative, positive

# float32 resolves a margin 1/alpha against outputs of size 0.1 to three digits at 2**15, to none above 2**18.
MAX_OUTPUT_SCALE = 2.0**18


def scaled_hinge(F: Tensor, y: Tensor, alpha: float | Tensor) -> Tensor:
    """Loss of each example, ``max(0, 1 - alpha y F) / alpha``; zero once the margin 1/alpha is reached."""
    return (1 - alpha * y * F).clamp_min(0) / alpha


def scaled_hinge_grad(F: Tensor, y: Tensor, alpha: float | Tensor) -> Tensor:
    """Its derivative by F: ``-y`` for examples with ``alpha y F < 1``, else 0; independent of alpha where it acts."""
    return -y * (alpha * y * F < 1)


@dataclass(frozen=True)
class ScaledHinge:
    """The scaled hinge as a loss of :mod:`gradscape.ensemble`; ``alpha`` is a number or (M, 1)."""

    alpha: float | Tensor

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each example, (M, B), from outputs (M, B, 1)."""
        return scaled_hinge(outputs.squeeze(-1), targets, self.alpha)

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Its derivative by the outputs, (M, B, 1)."""
        return scaled_hinge_grad(outputs.squeeze(-1), targets, self.alpha).unsqueeze(-1)


Number = TypeVar("Number", float, Tensor)


def temperature(lr: Number, batch: int, width: int = 1) -> Number:
    """SGD's temperature ``T = lr / (width * batch)``; width 1 for the perceptron, h for a mean-field network.

    The width enters because a mean-field output is divided by it (the official code's convention).
    """
    return lr / (width * batch)


def learning_rate(T: Number, batch: int, width: int = 1) -> Number:
    """The step size of a temperature, ``lr = T * width * batch``."""
    return T * (width * batch)


@dataclass(frozen=True)
class Exponents:
    """How weights and time at the end of training grow: ``w1 ~ T^delta P^gamma``, ``t* ~ T P^b``."""

    gamma: float
    b: float
    delta: float


def predicted_exponents(chi: float) -> Exponents:
    """Predict the perceptron's exponents on data with density ``|x1|^chi`` at the boundary.

    gamma = 1/(1 + chi), b = 1 + 2/(1 + chi), delta = 1. Training ends when no point is left within
    ``lambda = |w_perp| / w1`` of the boundary, ``P lambda^(chi + 1) ~ 1``, while the noise holds ``|w_perp| ~ T``
    (perceptron section; b by our own derivation).
    """
    nonnegative("chi", chi)
    gamma = 1 / (1 + chi)
    return Exponents(gamma=gamma, b=1 + 2 * gamma, delta=1.0)


def predicted_k(hidden_layers: int) -> float:
    """Exponent of the optimal and of the largest stable temperature, ``T ~ alpha^k``, for alpha << 1.

    ``k = (D - 1)/(D + 1)``: weights grow together like ``alpha^(-1/(D + 1))`` and the curvature is of degree D - 1.
    """
    at_least("hidden_layers", hidden_layers, 1)
    return (hidden_layers - 1) / (hidden_layers + 1)


def check_output_scale(alpha: float | Tensor, dtype: torch.dtype) -> None:
    """``ValueError`` for an output scale that is not positive, or whose margin the dtype cannot resolve."""
    for value in torch.as_tensor(alpha, dtype=torch.float64).flatten().tolist():
        positive("alpha", value)
        if dtype == torch.float32 and value > MAX_OUTPUT_SCALE:
            raise ValueError(f"alpha={value:g}: at most 2**18 in float32; its margin 1/alpha is lost in rounding")
