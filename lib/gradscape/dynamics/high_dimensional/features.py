"""Nonlinear students whose first layer is random and fixed: exact in time, so that "trained for ever" means it.

Advani & Saxe, arXiv 1710.03667, nonlinear networks. The readout ``a`` of ``f(x) = a·h(x)``, ``h = relu(Wᵀx)/√N_h``,
follows gradient flow on *half the mean* squared error: ``λ = s²/P`` for singular values ``s`` of the features, and
time is larger by P than in the linear task's sum of squared errors.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.lesson import replicate_seed
from gradscape.numerics.spectral import SymmetricPath
from gradscape.validate import at_least, finite, nonnegative, positive


@dataclass(frozen=True)
class TaskData:
    """Data sets of one task, one per seed: ``x`` (S, P, N), ``y`` (S, P), ``x_test`` (S, Q, N), ``y_test`` (S, Q)."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Curves:
    """Errors of students of W widths on S data sets at T times: ``test``, ``train`` (W, S, T).

    Mean squared errors; ``error_rate`` (W, S, T) is the share of wrong signs where the test targets are ±1, else
    ``None``. ``times`` are flow times or steps.
    """

    widths: tuple[int, ...]
    times: Tensor
    test: Tensor
    train: Tensor
    error_rate: Tensor | None = None

    @property
    def overtraining(self) -> Tensor:
        """Final minus least test error of each student, (W, S)."""
        return self.test[..., -1] - self.test.amin(-1)


def relu_second_moment(first: Tensor, readout: Tensor) -> float:
    """``E f(x)²`` of ``f = a·relu(Wᵀx)`` for standard Gaussian ``x``: the arc-cosine kernel (Cho & Saul 2009, Sec. 2).

    ``first``: (N, H), ``readout``: (H,). ``E relu(u)relu(v) = |u||v| (sin θ + (π - θ) cos θ)/2π``.
    """
    length = first.norm(dim=0)
    product = length.unsqueeze(1) * length
    cosine = (first.T @ first / product).clamp(-1.0, 1.0)
    angle = torch.acos(cosine)
    kernel = product * (torch.sin(angle) + (math.pi - angle) * cosine) / (2.0 * math.pi)
    return float(readout @ kernel @ readout)


def relu_teacher(n_in: int, n_hidden: int, P: int, P_test: int, snr: float, seeds: Sequence[int]) -> TaskData:
    """Noisy examples of a random ReLU network with one hidden layer, one per seed (Advani & Saxe, nonlinear teacher).

    Inputs N(0, 1); hidden weights N(0, 1/n_in), readout N(0, 1/n_hidden), then the teacher is scaled so that
    ``E f² = SNR/(1 + SNR)`` and noise has variance ``1/(1 + SNR)``: predicting 0 has error 1. Test labels carry noise
    too, so that errors include what no student can learn.
    """
    for name, value in (("n_in", n_in), ("n_hidden", n_hidden), ("P", P), ("P_test", P_test)):
        at_least(name, value, 1)
    positive("snr", snr)
    signal, noise = snr / (1.0 + snr), 1.0 / (1.0 + snr)
    sets = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int, source: torch.Generator = generator) -> Tensor:
            return torch.randn(*shape, generator=source, dtype=torch.float64)

        first, readout = normal(n_in, n_hidden) / math.sqrt(n_in), normal(n_hidden) / math.sqrt(n_hidden)
        readout = readout * math.sqrt(signal / relu_second_moment(first, readout))
        x, x_test = normal(P, n_in), normal(P_test, n_in)
        y, y_test = (torch.relu(inputs @ first) @ readout for inputs in (x, x_test))
        sets.append((x, y + math.sqrt(noise) * normal(P), x_test, y_test + math.sqrt(noise) * normal(P_test)))
    if not sets:
        raise ValueError("seeds is empty: at least one is needed")
    x, y, x_test, y_test = (torch.stack(parts) for parts in zip(*sets, strict=True))
    return TaskData(x, y, x_test, y_test, tuple(seeds))


def random_features(n_in: int, width: int, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """A fixed random ReLU layer as a function of inputs (…, n_in): ``relu(xW)/√width`` with ``W`` ~ N(0, 1/n_in)."""
    weight = torch.randn(n_in, width, generator=generator, dtype=torch.float64) / math.sqrt(n_in)
    return lambda inputs: torch.relu(inputs @ weight) / math.sqrt(width)


def random_feature_curves(
    x: Tensor,
    y: Tensor,
    x_test: Tensor,
    y_test: Tensor,
    widths: Sequence[int],
    times: Tensor | Sequence[float],
    seeds: Sequence[int],
    scale_init: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Curves:
    """Errors of trained readouts over random ReLU features at any times (Advani & Saxe, nonlinear networks).

    ``x``: (S, P, N) or, shared by all seeds, (P, N); likewise ``y``, ``x_test``, ``y_test``. ``times`` >= 0 in units of
    the mean loss; the last may be ``inf``, the minimum-norm least-squares solution. The readout starts at N(0,
    ``scale_init``²). The features of width W on data set s come from ``SeedSequence([seeds[s], W])``.
    """
    times = torch.as_tensor(times, dtype=torch.float64).flatten()
    data = [torch.as_tensor(value, dtype=torch.float64) for value in (x, y, x_test, y_test)]
    for name, value in zip(("x", "y", "x_test", "y_test"), data, strict=True):
        finite(name, value)
    nonnegative("scale_init", scale_init)
    if not len(seeds) or not len(widths) or not len(times):
        raise ValueError("seeds, widths and times must not be empty")
    if data[0].shape[:-1] != data[1].shape or data[2].shape[:-1] != data[3].shape:
        raise ValueError("x and y, x_test and y_test must have matching numbers of examples: " + ", ".join(
            str(tuple(value.shape)) for value in data))
    if data[0].ndim == 2:
        data = [value.expand(len(seeds), *value.shape) for value in data]
    if len(data[0]) != len(seeds):
        raise ValueError(f"x holds {len(data[0])} data sets but there are {len(seeds)} seeds")
    signs = bool((data[3].abs() == 1).all())
    test, train, wrong = (torch.empty(len(widths), len(seeds), len(times), dtype=torch.float64) for _ in range(3))
    for s, seed in enumerate(seeds):
        inputs, targets, new, wanted = (value[s] for value in data)
        for w, width in enumerate(widths):
            generator = torch.Generator().manual_seed(replicate_seed(seed, at_least("widths", width, 1)))
            layer = random_features(inputs.shape[-1], width, generator)
            start = scale_init * torch.randn(width, generator=generator, dtype=torch.float64)
            fitted = _readout(layer(inputs), targets, layer(torch.cat([inputs, new])), start, times)
            train[w, s] = (fitted[:, : len(targets)] - targets).square().mean(-1)
            test[w, s] = (fitted[:, len(targets) :] - wanted).square().mean(-1)
            wrong[w, s] = (fitted[:, len(targets) :].sign() != wanted).double().mean(-1)
        if progress is not None:
            progress(s + 1, len(seeds))
    return Curves(tuple(widths), times, test, train, wrong if signs else None)


def _readout(H: Tensor, y: Tensor, H_new: Tensor, start: Tensor, times: Tensor) -> Tensor:
    """Predictions (T, n) for features ``H_new`` (n, W) of a readout trained on ``H`` (P, W): by the smaller Gram."""
    P, width = H.shape
    residual = (y - H @ start) / P
    if width > P:
        moved = SymmetricPath(H @ H.T / P, residual).predict(H_new @ H.T, times)
    else:
        moved = SymmetricPath(H.T @ H / P, H.T @ residual).predict(H_new, times)
    return moved + H_new @ start
