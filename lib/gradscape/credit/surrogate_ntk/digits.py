"""Handwritten digits: SG-NTK regression, single sign networks and small ensembles of them."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.credit.surrogate_ntk.networks import MLPEnsemble
from gradscape.credit.surrogate_ntk.regression import kernel_flow, stable_eta
from gradscape.credit.surrogate_ntk.settings import Settings
from gradscape.credit.surrogate_ntk.surrogates import erf
from gradscape.credit.surrogate_ntk.theory import kernels
from gradscape.datasets import labels, tables
from gradscape.lesson import generator, protocol, replicate_seed

CLASSES = 10


@dataclass(frozen=True)
class Split:
    """Images, rows centered and scaled to \\|x\\|² = n0, float64; training targets are one-hot minus 1/10."""

    X: Tensor
    Y: Tensor
    X_test: Tensor
    test: Tensor


def split(points: int, seed: int) -> Split:
    """``points`` random training images of scikit-learn's 1797, the others for testing."""
    x, y = tables.digits(dtype=torch.float64)
    x = x - x.mean(1, keepdim=True)
    x = x * (math.sqrt(x.shape[1]) / x.norm(dim=1, keepdim=True))
    train, test = labels.random_split(len(x), (points, len(x) - points), generator(seed, 3))
    Y = torch.nn.functional.one_hot(y[train], CLASSES).double() - 1 / CLASSES
    return Split(x[train], Y, x[test], y[test])


@dataclass(frozen=True)
class DigitsResult:
    """Test accuracies: of the kernel, of single networks (widths, networks), of the ensembles' means (widths,).

    ``start`` are those of single networks whose own random output was left in (not subtracted).
    """

    points: int
    steps: int
    widths: tuple[int, ...]
    kernel: float
    single: Tensor
    start: Tensor
    ensemble: Tensor


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Share of rows whose largest output is the label; outputs (..., P, 10)."""
    return (outputs.argmax(-1) == labels).double().mean(-1)


@protocol
def digits_study(settings: Settings, *, progress: Callable[[int, int], None] | None = None) -> DigitsResult:
    """One hidden layer, ten outputs, k = 1; networks are centered, f - f_0 is trained and read out."""
    size, data = settings.size, split(settings.size.digits_points, settings.seed)
    theta = kernels(data.X, data.X, 1)[1]
    eta = stable_eta(theta)
    G = kernel_flow(kernels(data.X_test, data.X, 1)[1], theta, eta, size.digits_steps)
    single, start, mean = [], [], []
    X, X_test = data.X.float(), data.X_test.float()
    for i, width in enumerate(size.digits_widths):
        nets = MLPEnsemble(size.digits_networks, (X.shape[1], width, CLASSES), surrogate=erf(1.0),
                           seed=replicate_seed(settings.seed, 20 + i))
        with torch.no_grad():
            f_0, goal = nets(X_test), nets(X) + data.Y.float()
            for _ in range(size.digits_steps):
                nets.sgl_step(X, goal, eta)
            f_T = nets(X_test)
        single.append(accuracy(f_T - f_0, data.test))
        start.append(accuracy(f_T, data.test))
        mean.append(accuracy((f_T - f_0).mean(0), data.test))
    return DigitsResult(
        len(X), size.digits_steps, size.digits_widths, float(accuracy(G @ data.Y, data.test)), torch.stack(single),
        torch.stack(start), torch.stack(mean),
    )
