"""Gradient descent on the weights from many random starts, and what its solutions have in common (Maillard et al.)."""
from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gradscape.dynamics.bayes_optimal.model import QuadraticTask, square_matrices
from gradscape.lesson import replicate_seed
from gradscape.validate import at_least, one_of, positive

Progress = Callable[[int, int], None]


def gradient(W: Tensor, X: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient (B, m, d) of ``(1/4) Σ_i (f(x_i) - t_i)²`` and residuals (B, n) of B students at once.

    ``f(x) = Σ_k (w_k·x)²/(d √m)``; ``W`` (B, m, d), ``X`` (n, d), ``targets`` ``√m y`` (n,) (Maillard et al., official
    training script).
    """
    m, d = W.shape[-2:]
    H = W @ X.T / math.sqrt(d)
    e = H.square().sum(-2) / math.sqrt(m) - targets
    return (H * e.unsqueeze(-2)) @ X / math.sqrt(m * d), e


def quadratic_gd(
    task: QuadraticTask, starts: int = 16, steps: int = 300, lr: float = 0.03, optimizer: str = "adam", seed: int = 0,
    *, progress: Progress | None = None,
) -> Tensor:
    """Matrices ``W_bᵀW_b/m`` (B, d, d) that full-batch training finds from B standard normal starts, float64.

    ``optimizer``: ``"adam"`` or ``"gd"`` (plain steps; diverges at the rate 0.1 for small d). All starts train as one
    stack in float32. Raises ``ValueError`` for bad arguments, and when training diverges.

    Average these matrices, not the weights: signs and order of neurons are free, so weights average to 0.
    """
    at_least("starts", starts, 1)
    at_least("steps", steps, 1)
    positive("lr", lr)
    one_of("optimizer", optimizer, ("adam", "gd"))
    m, d = task.W.shape
    # another stream than the teacher's: a student that starts at the teacher has nothing to learn
    draws = torch.Generator().manual_seed(replicate_seed(at_least("seed", seed, 0), 1))
    W = torch.randn(starts, m, d, generator=draws)
    X, targets = task.X.float(), (math.sqrt(m) * task.y).float()
    kind = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
    update = kind([W], lr=lr)
    for step in range(steps):
        W.grad, _ = gradient(W, X, targets)
        update.step()
        if progress is not None:
            progress(step + 1, steps)
    S = W.double().mT @ W.double() / m
    if not bool(torch.isfinite(S).all()):
        raise ValueError(f"lr={lr!r}: training with {optimizer!r} diverged; a smaller rate is needed")
    return S


def nishimori(S_list: Tensor, S_true: Tensor, kappa: float = 1.0) -> dict[str, float]:
    """How like posterior samples some solutions are (Maillard et al., Nishimori identity).

    ``S_list`` (B, d, d) with B >= 2, ``S_true`` (d, d). Draws from the posterior are as far from each other as from the
    truth: ``ratio`` = mean ‖S_a - S_b‖² over mean ‖S_a - S‖² is then 1. With factor ``kappa (1/d)``, the scale of
    :func:`mmse`: ``single`` (mean error of one solution, 2 MMSE for a posterior sample), ``within`` (unbiased variance
    over solutions), ``averaged`` (error of their mean) and ``infinite`` = single - within, the unbiased estimate of the
    error that the mean of infinitely many would have. Raises ``ValueError`` for other shapes or fewer than two.
    """
    found, truth = square_matrices("S_list", S_list), square_matrices("S_true", S_true)
    if found.ndim != 3 or len(found) < 2 or truth.shape != found.shape[1:]:
        raise ValueError(f"S_list {tuple(found.shape)} and S_true {tuple(truth.shape)}: must be (B >= 2, d, d), (d, d)")
    scale, mean = positive("kappa", kappa) / truth.shape[0], found.mean(0)
    single = scale * float((found - truth).square().sum((-2, -1)).mean())
    within = scale * float((found - mean).square().sum()) / (len(found) - 1)
    averaged = scale * float((mean - truth).square().sum())
    return {
        "ratio": 2.0 * within / single if single > 0 else math.nan, "single": single, "within": within,
        "averaged": averaged, "infinite": single - within,
    }
