"""One round of a client in EControl and in the methods beside it, and the linear model that explains its gain.

Gao, Islamov & Stich 2023 (arXiv 2311.05645). All steps are pure (state in, message and new state out) and act on the
last axis, so any leading axes (runs, clients) go through at once; ``eta`` is one number or a tensor that broadcasts.
"""
from __future__ import annotations

import cmath
import math

import torch
from torch import Tensor

from gradscape.distributed.compressors import Compressor
from gradscape.distributed.feedback import ec_step, ef21_step
from gradscape.validate import in_range, nonnegative, same_shape

THEORY_SHARE = 1 / 400  # the proofs take eta = delta/400


def econtrol_step(
    e: Tensor, h: Tensor, g: Tensor, eta: Tensor | float, compressor: Compressor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """EControl: send Delta = C(eta e + g - h); then e <- e + g - h - Delta (with the old h) and h <- h + Delta.

    ``e``, ``h``, ``g`` (..., d): all that the server has not been told, the estimate that client and server share,
    the new gradient. Returns (Delta, new e, new h). The gain ``eta`` enters the message only, never the sum e.

    >>> from gradscape.distributed.compressors import TopK
    >>> e, h, g = torch.tensor([0.0, 4.0]), torch.tensor([1.0, 1.0]), torch.tensor([2.0, 1.5])
    >>> econtrol_step(e, h, g, 0.5, TopK(1))
    (tensor([0.0000, 2.5000]), tensor([1., 2.]), tensor([1.0000, 3.5000]))
    """
    same_shape(e=e, h=h, g=g)
    missing = g - h
    message = compressor(missing + eta * e, generator)
    return message, missing.add_(e).sub_(message), h + message


def ec_ideal_step(
    e: Tensor, g: Tensor, h_star: Tensor, compressor: Compressor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """EC-Ideal: classic error compensation of g - grad f_i(x*), which nobody knows; a reference for analysis.

    ``h_star`` broadcasts to ``e``, ``g`` (..., n, d) and sums to zero over the clients, so the server needs no
    correction. Returns the message and the new e.
    """
    return ec_step(e, g - h_star, compressor, generator)


def ef21_sgdm_step(
    v: Tensor, h: Tensor, g: Tensor, momentum: float, compressor: Compressor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """EF21-SGDM: v <- (1 - a) v + a g, then EF21 of v (Fatkhullin, Tyurin & Richtárik 2023, arXiv 2305.15155).

    ``momentum`` is a in (0, 1]; a = 1 is EF21-SGD. Returns the message, the new v and the new h.
    """
    in_range("momentum", momentum, 0.0, 1.0, open_low=True)
    same_shape(v=v, h=h, g=g)
    v = v + momentum * (g - v) if momentum < 1 else g
    message, h = ef21_step(h, v, compressor, generator)
    return message, v, h


def critical_eta(delta: float) -> float:
    """The gain (1 - sqrt(1 - delta))²/delta at which the linear model is critically damped, about delta/4.

    Derived here, not in the paper: above it the model oscillates. ``ValueError`` for delta outside (0, 1].

    >>> [round(critical_eta(delta), 6) for delta in (0.02, 0.1, 0.3)]
    [0.005051, 0.026334, 0.088933]
    """
    in_range("delta", delta, 0.0, 1.0, open_low=True)
    return delta / (1 + math.sqrt(1 - delta)) ** 2  # the same without cancellation


def largest_linear_eta(delta: float) -> float:
    """The gain 2 (2 - delta)/delta above which even the linear model is unstable; real Top-K breaks far below."""
    return 2 * (2 - in_range("delta", delta, 0.0, 1.0, open_low=True)) / delta


def linear_matrix(delta: float, eta: float) -> Tensor:
    """How (e, g - h) moves while g stands still if C keeps the share delta of every entry, (2, 2).

    C(v) = delta v gives e <- (1 - eta delta) e + (1 - delta)(g - h), g - h <- -eta delta e + (1 - delta)(g - h).
    """
    in_range("delta", delta, 0.0, 1.0, open_low=True)
    nonnegative("eta", eta)
    rows = [[1 - eta * delta, 1 - delta], [-eta * delta, 1 - delta]]
    return torch.tensor(rows, dtype=torch.float64)


def linear_model_roots(delta: float, eta: float) -> Tensor:
    """Both eigenvalues of `linear_matrix`, complex128 (2,), the larger modulus first.

    z² - (2 - delta - eta delta) z + (1 - delta) = 0: complex exactly when eta lies between `critical_eta` and its
    counterpart (1 + sqrt(1 - delta))²/delta, and then of modulus sqrt(1 - delta) whatever eta is.
    """
    trace, determinant = (float(value) for value in (linear_matrix(delta, eta).trace(), 1 - delta))
    root = cmath.sqrt(trace * trace / 4 - determinant)
    big = trace / 2 + root if trace >= 0 else trace / 2 - root
    small = determinant / big if big else 0j  # by Vieta, without cancellation
    return torch.tensor([big, small], dtype=torch.complex128)
