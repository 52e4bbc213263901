"""The task of the lesson: a function of an angle, learned from a few angles, and what the theory says of it."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.credit.surrogate_ntk.regression import check_eta, ensemble_prediction, kernel_flow, stable_eta
from gradscape.credit.surrogate_ntk.surrogates import erf
from gradscape.credit.surrogate_ntk.theory import Activation, kernels
from gradscape.validate import at_least

TEST_ANGLES = 100


def angles(n: int) -> Tensor:
    """n equispaced angles in [-π, π), float64."""
    return -math.pi + 2 * math.pi * torch.arange(at_least("n", n, 1), dtype=torch.float64) / n


def on_circle(t: Tensor) -> Tensor:
    """Points (cos t, sin t), (P, 2)."""
    return torch.stack([t.cos(), t.sin()], 1)


def target(t: Tensor) -> Tensor:
    """sin 2t + 0.5 cos 3t."""
    return (2 * t).sin() + 0.5 * (3 * t).cos()


@dataclass(frozen=True)
class Model:
    """A kernel by name: depth, variances, activation, steepness k of the surrogate, kind (see ``kernels``)."""

    depth: int = 1
    k: float = 1.0
    activation: Activation = "sign"
    sw2: float = 1.0
    sb2: float = 0.1
    kind: str = "sg"

    def between(self, t1: Tensor, t2: Tensor) -> tuple[Tensor, Tensor]:
        """NNGP and theta between two sets of angles."""
        return kernels(on_circle(t1), on_circle(t2), self.depth, self.activation, erf(self.k), self.sw2, self.sb2,
                       self.kind)


@dataclass(frozen=True)
class Regression:
    """A kernel's prediction at angles t: the operator G, its learning rate, mean (t,), sd (t,) of the ensemble."""

    t: Tensor
    G: Tensor
    eta: float
    mean: Tensor
    sd: Tensor


def regress(
    model: Model, t: Tensor, n_train: int, *, eta: float | None = None, rate: float = 1.0, steps: float = math.inf
) -> Regression:
    """Train the infinitely wide network on n_train angles, evaluate at ``t``; eta left out: rate × stable rate."""
    train = angles(n_train)
    K_XX, theta_XX = model.between(train, train)
    K_tX, theta_tX = model.between(t, train)
    if eta is None:
        eta = check_eta(theta_XX, rate * stable_eta(theta_XX))
    G = kernel_flow(theta_tX, theta_XX, eta, steps)
    mean, cov = ensemble_prediction(G, target(train), model.between(t, t)[0], K_tX, K_XX)
    return Regression(t, G, eta, mean, cov.diagonal().clamp_min(0).sqrt())


def rms(values: Tensor) -> float:
    """Root of the mean square."""
    return float(values.square().mean().sqrt())
