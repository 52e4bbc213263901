"""Constants and step sizes of error feedback: what a compressor costs, and which mean of the L_i counts.

Richtárik, Gasanov & Burlachenko 2024 (arXiv 2402.10774), theorems 1-3 and the cloning argument; the proof is in the
lesson. Tensors of smoothness constants are (..., n) over clients.
"""
from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from gradscape import validate

Weights = Literal["uniform", "smoothness"]


def theta(alpha: float) -> float:
    """By which share one EF21 message shrinks the estimation error: theta = 1 - sqrt(1 - alpha)."""
    # the same without cancellation for small alpha
    return _checked(alpha) / (1 + math.sqrt(1 - alpha))


def beta(alpha: float) -> float:
    """How a move of the gradient feeds the estimation error: beta = (1 - alpha)/(1 - sqrt(1 - alpha))."""
    return (1 - _checked(alpha)) / theta(alpha)


def xi(alpha: float) -> float:
    """What a compressor costs in the step: sqrt(beta/theta) = (1 + sqrt(1 - alpha))/alpha - 1; xi(1) = 0.

    >>> xi(1.0), round(xi(0.05), 3)
    (0.0, 38.494)
    """
    return math.sqrt(1 - _checked(alpha)) / theta(alpha)


def mean_smoothness(L_i: Tensor) -> tuple[Tensor, Tensor]:
    """Arithmetic and quadratic mean of smoothness constants, L_AM and L_QM; both (...)."""
    L_i = _constants(L_i)
    return L_i.mean(-1), L_i.square().mean(-1).sqrt()


def client_weights(L_i: Tensor, weights: Weights | Tensor) -> Tensor:
    """Weights w_i > 0 with sum 1 (..., n): 1/n each ("uniform"), L_i/sum_j L_j ("smoothness"), or checked as given.

    >>> client_weights(torch.tensor([1.0, 3.0]), "smoothness")
    tensor([0.2500, 0.7500])
    """
    L_i = _constants(L_i)
    if isinstance(weights, Tensor):
        return _checked_weights(weights, L_i.shape[-1])
    if validate.one_of("weights", weights, ("uniform", "smoothness")) == "uniform":
        return torch.full_like(L_i, 1 / L_i.shape[-1])
    return L_i / L_i.sum(-1, keepdim=True)


def power_weights(L_i: Tensor, exponent: float) -> Tensor:
    """Weights w_i ∝ L_i^exponent: 0 is uniform, 1 is the paper's choice."""
    powers = _constants(L_i) ** exponent
    return powers / powers.sum(-1, keepdim=True)


def weighted_mean_smoothness(L_i: Tensor, w: Tensor) -> Tensor:
    """L_w = sqrt(sum_i L_i²/(n² w_i)), (...): L_QM for w = 1/n, and at its least, L_AM, for w ∝ L_i.

    >>> L = torch.tensor([100.0, 1, 1, 1])
    >>> [round(float(weighted_mean_smoothness(L, client_weights(L, w))), 2) for w in ("uniform", "smoothness")]
    [50.01, 25.75]
    """
    L_i = _constants(L_i)
    w = _checked_weights(w, L_i.shape[-1])
    return (L_i.square() / w).sum(-1).sqrt() / L_i.shape[-1]


def step_size(
    L: Tensor | float,
    L_i: Tensor,
    alpha: float,
    weights: Weights | Tensor | None = None,
    pl: float | None = None,
) -> Tensor:
    """The safe step 1/(L + L_w xi(alpha)), (...) (theorem 2 for EF21-W, theorem 3 for EF21).

    ``weights="uniform"`` gives the older step with L_QM, ``"smoothness"`` (and ``None``) the paper's with L_AM. It is
    safe for EF21-W with these weights, and for plain EF21 with any. ``pl``: constant mu of the Polyak-Łojasiewicz
    inequality; then min{1/(L + sqrt(2) L_w xi), theta/(2 mu)}, for which f falls like (1 - gamma mu)^T.
    ``ValueError`` for alpha outside (0, 1], constants or weights not > 0, weights that do not sum to 1.
    """
    smooth = torch.as_tensor(L, dtype=L_i.dtype)
    if not bool((smooth > 0).all()):
        raise ValueError(f"L={float(smooth.min())!r}: must be > 0")
    spread = weighted_mean_smoothness(L_i, client_weights(L_i, "smoothness" if weights is None else weights))
    if pl is None:
        return 1 / (smooth + spread * xi(alpha))
    validate.positive("pl", pl)
    return (1 / (smooth + math.sqrt(2) * spread * xi(alpha))).clamp(max=theta(alpha) / (2 * pl))


def guarantee(gap: Tensor, error: Tensor, gamma: Tensor, alpha: float, rounds: Tensor) -> Tensor:
    """Bound on the mean of E‖grad f(x^t)‖² over the first T rounds: 2 gap/(gamma T) + error/(theta T).

    ``gap`` = f(x⁰) - inf f, ``error`` = G⁰ (see ``estimate_error``, with the weights of the step) and ``gamma`` are
    (...), ``rounds`` (T,) counts from 1; returns (..., T). Theorems 2 (EF21-W) and 3 (EF21).
    """
    return (2 * gap / gamma + error / theta(alpha))[..., None] / rounds


def clone_counts(L_i: Tensor) -> Tensor:
    """N_i = ceil(L_i/L_AM) copies of every client, int64 (..., n); at most 2n together.

    >>> clone_counts(torch.tensor([100.0, 1, 1, 1]))
    tensor([4, 1, 1, 1])
    """
    L_i = _constants(L_i)
    share = L_i / L_i.mean(-1, keepdim=True)
    return torch.ceil(share - COUNT_SLACK * share).to(torch.int64)


# L_i = L_AM must give one clone, although the mean of equal numbers may round below each of them
COUNT_SLACK = 1e-12


def cloned_quadratic_mean(L_i: Tensor) -> Tensor:
    """Quadratic mean of the copies' constants L_i N/(n N_i), N = sum N_i, (...); at most sqrt(2) L_AM."""
    counts = clone_counts(L_i)
    total = counts.sum(-1, keepdim=True)
    each = L_i * total / (L_i.shape[-1] * counts)
    return ((counts * each.square()).sum(-1) / total[..., 0]).sqrt()


def _checked(alpha: float) -> float:
    return validate.in_range("alpha", alpha, 0.0, 1.0, open_low=True)


def _constants(L_i: Tensor) -> Tensor:
    validate.finite("L_i", L_i)
    if not L_i.is_floating_point():
        L_i = L_i.double()
    if not bool((L_i > 0).all()):
        raise ValueError(f"L_i holds {float(L_i.min())!r}: all must be > 0")
    return L_i


# Weights are made by dividing by a sum: their own sum is off by rounding, and more for float32
WEIGHT_SLACK = 1e-5


def _checked_weights(w: Tensor, n: int) -> Tensor:
    validate.finite("weights", w)
    if w.shape[-1] != n or not bool((w > 0).all()) or bool(((w.sum(-1) - 1).abs() > WEIGHT_SLACK).any()):
        found = f"shape {tuple(w.shape)}, least {float(w.min())!r}, sums {w.sum(-1).tolist()!r}"
        raise ValueError(f"weights have {found}: must be (..., {n}), > 0, with sum 1")
    return w
