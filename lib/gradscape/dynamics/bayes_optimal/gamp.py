"""GAMP-RIE: a polynomial algorithm that reaches the optimal error (Maillard et al., arXiv 2408.03733).

Generalized approximate message passing turns the labels, round by round, into one noisy observation R of the teacher's
matrix; the rotationally invariant estimator (Bun, Bouchaud & Potters) shrinks R's eigenvalues.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.dynamics.bayes_optimal.model import QuadraticTask, quadratic_form, square_matrices
from gradscape.dynamics.bayes_optimal.theory import rie_mse
from gradscape.numerics.rmt import noisy_wishart_resolvent
from gradscape.validate import at_least, in_range, positive

LEAST_NOISE = 1e-6  # D is not taken below this: past exact recovery only rounding would be denoised
AVERAGED = 10  # rounds at the end whose mean error is reported: small limit cycles are normal at finite d
TOLERANCE = 1e-7  # change of Ŝ per round, (1/d)‖·‖², at which the iteration has converged

Callback = Callable[[int, Tensor], None]


def rie_denoise(R: Tensor, D: float, kappa: float) -> Tensor:
    """Best estimate of S from ``R = S + √D Z``: eigenvalues ``l → l - 2 D h(l)`` (Bun et al.; Maillard et al., RIE).

    ``R`` (…, d, d) is symmetrized; h is the Hilbert part of the spectrum's Stieltjes transform. Raises ``ValueError``
    for matrices that are not square or not finite, ``D <= 0``, ``kappa <= 0``.
    """
    R = square_matrices("R", R)
    lam, U = torch.linalg.eigh((R + R.mT) / 2)
    h, _ = noisy_wishart_resolvent(lam, kappa, positive("D", D))
    return (U * (lam - 2 * D * h).unsqueeze(-2)) @ U.mT


@dataclass(frozen=True)
class Denoiser:
    """What estimates S from R: ``denoise(R, D, kappa)`` and the error ``mse(D, kappa)`` that it makes at large d."""

    denoise: Callable[[Tensor, float, float], Tensor]
    mse: Callable[[float, float], float]


RIE = Denoiser(rie_denoise, rie_mse)


@dataclass(frozen=True)
class GampResult:
    """The last estimate (d, d), errors after each round (T,), the variance V at the end, and whether it converged."""

    S_hat: Tensor
    history: Tensor
    V: float
    converged: bool

    @property
    def error(self) -> float:
        """Mean error of the last ten rounds."""
        return float(self.history[-AVERAGED:].mean())


def gamp_rie(
    task: QuadraticTask, rounds: int = 50, damping: float = 0.5, sphere: bool = True,
    callback: Callback | None = None, denoiser: Denoiser = RIE,
) -> GampResult:
    """Estimate S from the labels by GAMP with a matrix denoiser (Maillard et al., algorithm GAMP-RIE).

    ``damping`` b: V and ω keep the share b of their last value. ``sphere`` scales inputs to norm √d and takes the mean
    of the labels for the trace of S: the same problem without noise, and steadier at finite d (not in the paper).
    ``callback(round, Ŝ)`` is called after each round; what it raises ends the run. Stops early when Ŝ hardly changes.

    The precision A is the empirical one; its large-d value ``2α/(D̃ + V)`` makes few labels explode.
    """
    at_least("rounds", rounds, 1)
    in_range("damping", damping, 0.0, 1.0, open_high=True)
    X, labels, trace = prepare(task, sphere)
    d, noise, kappa = task.d, task.noise, task.kappa
    eye = torch.eye(d, dtype=torch.float64)
    S, V, chat, omega, g, history, converged = eye, 2.0 / kappa, 2.0 / kappa, None, None, [], False
    for number in range(rounds):
        seen = (quadratic_form(X, S) - S.trace()) / math.sqrt(d)
        if omega is None or g is None:
            omega = seen
        else:
            omega = (1 - damping) * (seen - g * chat) + damping * omega  # minus what each label taught itself
            V = (1 - damping) * chat + damping * V
        g = (labels - omega) / (noise + V)
        A = 2.0 * task.alpha * float(g.square().mean())
        if A == 0.0:  # started at the teacher: nothing is left to learn
            converged = True
            break
        R = S + (X.T @ (g.unsqueeze(-1) * X) - g.sum() * eye) / (d**1.5 * A)
        if trace is not None:
            R = R + (trace - R.trace() / d) * eye
        D = max(1.0 / (2.0 * A), LEAST_NOISE)
        after = denoiser.denoise(R, D, kappa)
        chat = 2.0 * float(denoiser.mse(D, kappa))
        converged = float((after - S).square().sum()) / d < TOLERANCE
        S = after
        history.append(float(task.error(S)))
        if callback is not None:
            callback(number + 1, S)
        if converged:
            break
    return GampResult(S, torch.tensor(history or [float(task.error(S))], dtype=torch.float64), V, converged)


def prepare(task: QuadraticTask, sphere: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs (n, d), labels ``√d (y - (1/d) tr S)`` (n,) and, on the sphere, the mean eigenvalue read off the labels.

    Off the sphere the mean eigenvalue is taken to be 1, its value at large d.
    """
    if not sphere:
        return task.X, math.sqrt(task.d) * (task.y - 1.0 - task.delta), None
    ratio = task.d / task.X.square().sum(-1)
    y = ratio * (task.y - task.delta)
    return ratio.sqrt().unsqueeze(-1) * task.X, math.sqrt(task.d) * (y - y.mean()), y.mean()
