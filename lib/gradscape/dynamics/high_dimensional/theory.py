"""Linear student in high dimension: errors as functions of training time (Advani & Saxe, arXiv 1710.03667).

A student with N weights learns from P noisy examples of a linear teacher by gradient flow on the *sum* of squared
errors. As N and P grow with ``alpha = P/N`` every average over data becomes an integral over the Marchenko–Pastur law.
Inputs have variance 1/N; time is in units of the flow's time constant, ``t = lr · steps``. Every error here includes
the irreducible noise ``var_noise`` of a fresh example.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.numerics.rmt import as_float64, mp_atom, mp_quadrature, mp_resolvent, mp_support
from gradscape.numerics.spectral import gain, response
from gradscape.validate import nonnegative, positive

SCAN = 256  # points in which the bracket of the best stopping time is searched before it is refined
BISECTIONS = 60  # halvings of one scan step: to the last digit of a float64


@dataclass(frozen=True)
class LinearTask:
    """Load and variances of a linear teacher–student task (Advani & Saxe, model section).

    ``alpha``: examples per weight, P/N (the inverse of the aspect ratio of other texts). ``var_teacher`` σ_w²,
    ``var_noise`` σ_ε², ``var_init`` σ_0²: variances of teacher weights, label noise and initial student weights.
    Raises ``ValueError`` for ``alpha <= 0`` or negative variances.

    >>> LinearTask.from_snr(alpha=0.5, snr=3.0)
    LinearTask(alpha=0.5, var_teacher=0.75, var_noise=0.25, var_init=0.0)
    """

    alpha: float
    var_teacher: float
    var_noise: float
    var_init: float = 0.0

    def __post_init__(self) -> None:
        positive("alpha", self.alpha)
        for name in ("var_teacher", "var_noise", "var_init"):
            nonnegative(name, getattr(self, name))

    @classmethod
    def from_snr(cls, alpha: float, snr: float, inr: float = 0.0, total: float = 1.0) -> LinearTask:
        """The task with ``snr = σ_w²/σ_ε²``, ``inr = σ_0²/σ_ε²`` and ``σ_w² + σ_ε² = total``."""
        var_noise = positive("total", total) / (1.0 + nonnegative("snr", snr))
        return cls(alpha, snr * var_noise, var_noise, nonnegative("inr", inr) * var_noise)

    @property
    def start(self) -> float:
        """σ_w² + σ_0²: the mean squared distance between student and teacher weights before training."""
        return self.var_teacher + self.var_init


def mode_errors(task: LinearTask, lam: Tensor, t: Tensor) -> Tensor:
    """What one mode of eigenvalue ``lam`` adds to ``E_g`` at time ``t`` (Advani & Saxe, solution of one mode).

    ``(σ_w² + σ_0²) e^{-2λt} + (σ_ε²/λ)(1 - e^{-λt})²``; a mode with ``λ = 0`` keeps its start for ever.
    """
    learned = gain(lam, t)
    return task.start * (1.0 - learned) ** 2 + task.var_noise * learned * response_at(lam, t)


def response_at(lam: Tensor, t: Tensor) -> Tensor:
    """``(1 - e^{-λt})/λ``, and 0 where ``λ = 0``: a frozen mode takes up no noise at any time."""
    return torch.where(lam > 0, response(lam, t), torch.zeros((), dtype=torch.float64))


def generalization_error(task: LinearTask, t: float | Tensor, n: int = 256) -> Tensor:
    """``E_g(t)`` for large N, irreducible noise included (Advani & Saxe, Marchenko–Pastur integral of ``E_g``).

    ``t``: times >= 0, any shape; ``n``: quadrature nodes (see :func:`gradscape.numerics.rmt.mp_quadrature`).

    >>> generalization_error(LinearTask(2.0, 0.75, 0.25), 0.0).item()
    1.0
    """
    t = as_float64("t", t, low=0.0)
    lam, weight = mp_quadrature(task.alpha, n)
    bulk = mode_errors(task, lam, t.unsqueeze(-1)) @ weight
    return bulk + mp_atom(task.alpha) * task.start + task.var_noise


def training_error(task: LinearTask, t: float | Tensor, n: int = 256) -> Tensor:
    """``E_t(t)``, mean squared error on the P examples, for large N (Advani & Saxe, integral of ``E_t``).

    The atom does not enter: a frozen direction is one in which no example points.
    """
    t = as_float64("t", t, low=0.0)
    lam, weight = mp_quadrature(task.alpha, n)
    residual = (1.0 - gain(lam, t.unsqueeze(-1))) ** 2 @ (weight * (lam * task.start + task.var_noise))
    return residual / task.alpha + max(0.0, 1.0 - 1.0 / task.alpha) * task.var_noise


def weight_power(task: LinearTask, t: float | Tensor, n: int = 256) -> Tensor:
    """Mean squared student weight at time ``t``: what a norm-based bound sees (Advani & Saxe, bounds)."""
    t = as_float64("t", t, low=0.0).unsqueeze(-1)
    lam, weight = mp_quadrature(task.alpha, n)
    learned = gain(lam, t)
    mode = task.var_init * (1.0 - learned) ** 2 + learned**2 * (task.var_teacher + task.var_noise / lam)
    return mode @ weight + mp_atom(task.alpha) * task.var_init


def asymptotic_error(task: LinearTask) -> float:
    """``E_g`` for ``t → ∞``; infinite at ``alpha = 1`` with noise (Advani & Saxe, limits of long training).

    There it grows like ``(4(1 - 1/√2)/√π) σ_ε² √t``, because the density rises like ``1/(π√λ)`` at 0.
    """
    if task.alpha == 1.0:
        return math.inf if task.var_noise > 0 else 0.0
    if task.alpha > 1.0:
        return task.var_noise * task.alpha / (task.alpha - 1.0)
    return (1.0 - task.alpha) * task.start + task.var_noise / (1.0 - task.alpha)


@dataclass(frozen=True)
class Stop:
    """Best stopping time and the error there."""

    t: float
    error: float


def mode_stopping_time(lam: float | Tensor, snr: float | Tensor, inr: float | Tensor = 0.0) -> Tensor:
    """``t* = ln(1 + λ(SNR + INR))/λ``, where one mode's error is least (Advani & Saxe, early stopping).

    Arguments broadcast and are >= 0; at ``λ = 0`` the limit ``SNR + INR`` is returned.

    >>> round(mode_stopping_time(1.0, 5.0).item(), 4)
    1.7918
    """
    total = as_float64("snr", snr, low=0.0) + as_float64("inr", inr, low=0.0)
    eigenvalue, ratio = torch.broadcast_tensors(as_float64("lam", lam, low=0.0), total)
    safe = torch.where(eigenvalue > 0, eigenvalue, torch.ones_like(eigenvalue))
    return torch.where(eigenvalue > 0, torch.log1p(safe * ratio) / safe, ratio)


def optimal_stopping(task: LinearTask, n: int = 256) -> Stop:
    """Time that minimizes ``E_g``, to full precision (Advani & Saxe, early stopping).

    Every mode falls before its own ``t*(λ)`` and rises after it, and ``t*`` decreases in λ: the minimum lies between
    ``t*(λ₊)`` and ``t*(λ₋)``. The slope of ``E_g`` is scanned there and its last sign change before the least error
    bisected. Without noise the best time is infinite.
    """
    if task.var_noise == 0:
        return Stop(math.inf, asymptotic_error(task))
    low, high = mp_support(task.alpha)
    ratio = task.start / task.var_noise
    if ratio == 0:
        return Stop(0.0, task.var_noise)
    first, last = (float(mode_stopping_time(edge, ratio)) for edge in (high, low))
    lam, weight = mp_quadrature(task.alpha, n)

    def slope(t: Tensor) -> Tensor:
        kept = torch.exp(-lam * t.unsqueeze(-1))
        return (kept * (task.var_noise * -torch.expm1(-lam * t.unsqueeze(-1)) - task.start * lam * kept)) @ weight

    times = torch.logspace(math.log10(first), math.log10(last), SCAN, dtype=torch.float64)
    best = int(generalization_error(task, times, n).argmin())
    left, right = float(times[max(best - 1, 0)]), float(times[min(best + 1, SCAN - 1)])
    for _ in range(BISECTIONS):
        middle = 0.5 * (left + right)
        if slope(torch.tensor(middle, dtype=torch.float64)) < 0:
            left = middle
        else:
            right = middle
    t = 0.5 * (left + right)
    return Stop(t, float(generalization_error(task, t, n)))


@dataclass(frozen=True)
class Ridge:
    """Best ridge penalty and the error there."""

    gamma: float
    error: float


def ridge_error(task: LinearTask, gamma: float | Tensor, n: int = 256) -> Tensor:
    """Generalization error of ridge regression with penalty ``½ γ ‖w‖²`` (Advani & Saxe, comparison with L2).

    ``gamma`` > 0, any shape. ``∫ρ (σ_w² γ² + σ_ε² λ)/(λ + γ)² + (1 - α)₊ σ_w² + σ_ε²``.
    """
    gamma = as_float64("gamma", gamma, low=0.0)
    if bool((gamma == 0).any()):
        raise ValueError("gamma: has a zero entry; all must be > 0 (the limit of no penalty is asymptotic_error)")
    lam, weight = mp_quadrature(task.alpha, n)
    g = gamma.unsqueeze(-1)
    bulk = ((task.var_teacher * g**2 + task.var_noise * lam) / (lam + g) ** 2) @ weight
    return bulk + mp_atom(task.alpha) * task.var_teacher + task.var_noise


def optimal_ridge(task: LinearTask) -> Ridge:
    """The Bayes-optimal estimator here: penalty ``1/SNR``, error ``σ_ε²(1 + m(1/SNR))`` (Advani & Saxe, L2).

    ``m`` is the Marchenko–Pastur resolvent. Without a signal the penalty is infinite, without noise 0.
    """
    if task.var_teacher == 0:
        return Ridge(math.inf, task.var_noise)
    if task.var_noise == 0:
        return Ridge(0.0, max(0.0, 1.0 - task.alpha) * task.var_teacher)
    gamma = task.var_noise / task.var_teacher
    return Ridge(gamma, task.var_noise * (1.0 + float(mp_resolvent(gamma, task.alpha))))
