"""The test error of a linear classifier from two moments per class, without training anything.

Leave-one-out: ``y_i - x_i·w = (y_i - x_i·w_{-i})/(1 + δ_c)`` with one δ_c per class, because the quadratic form
``xᵀQx/N`` of a concentrated x is close to its mean. Heavy-tailed x break that step.
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gradscape.diffusion.concentration.classifiers import penalty, square_roots
from gradscape.validate import at_least, finite

TOLERANCE, ROUNDS = 1e-11, 2000  # of the fixed point
STEP = 1e-4  # of the finite difference, relative to the penalty


class Prediction(NamedTuple):
    """Test error; means (K, K) and covariances (K, K, K) of the scores of each class; δ (K,)."""

    error: float
    means: Tensor
    covs: Tensor
    deltas: Tensor


def _equivalent(S: Tensor, C: Tensor, P: Tensor, N: int, start: Tensor) -> tuple[Tensor, Tensor]:
    """Q (B, p, p) and δ (B, K) for penalties P (B, p, p): Q = (Σ π S_c/(1 + δ_c) + P)⁻¹, δ_c = tr(C_c Q)/N."""
    delta, share = start, 1 / len(S)
    for _ in range(ROUNDS):
        Q = torch.linalg.inv(share * torch.einsum("bk,kij->bij", 1 / (1 + delta), S) + P)
        new = torch.einsum("kij,bji->bk", C, Q) / N
        moved, delta = float((new - delta).abs().max() / new.abs().max().clamp_min(1)), new
        if moved < TOLERANCE:
            break
    return Q, delta


def predict_error(
    mu: Tensor, C: Tensor, n: int, lam: float, draws: int = 200_000, generator: torch.Generator | None = None
) -> Prediction:
    """Error of `ridge_classifier` trained on n samples per class with means mu (K, d) and covariances C (K, d, d).

    The scores of class c are Gaussian with mean ``m_cᵀW̄`` and covariance ``E WᵀC_cW``. The latter comes from how the
    least training objective moves when ``s C_c`` is taken from the penalty (envelope theorem, central differences).
    The error is exact for two classes and from ``draws`` Gaussian scores per class otherwise.
    """
    at_least("n", n, 2)
    mu, C = finite("mu", torch.as_tensor(mu, dtype=torch.float64)), torch.as_tensor(C, dtype=torch.float64)
    if mu.ndim != 2 or C.shape != (*mu.shape, mu.shape[1]) or len(mu) < 2:
        raise ValueError(f"mu {tuple(mu.shape)}, C {tuple(C.shape)}: must be (K, d) and (K, d, d) with K >= 2")
    square_roots(C)  # for its check
    (K, d), N = mu.shape, n * len(mu)
    m = torch.cat([mu, torch.ones(K, 1, dtype=mu.dtype)], 1)
    padded = torch.nn.functional.pad(C, (0, 1, 0, 1))
    S = padded + m[:, :, None] * m[:, None]
    P = penalty(d, lam).diag()
    step = STEP * lam / torch.diagonal(C, dim1=1, dim2=2).amax(1)  # one per class
    shift = step[:, None, None] * padded
    stack = torch.cat([P[None], P - shift, P + shift])  # none, +s, -s
    Q, delta = _equivalent(S, padded, stack, N, torch.full((2 * K + 1, K), 0.1, dtype=mu.dtype))
    weight = 1 / (K * (1 + delta))  # π/(1 + δ_c), (B, K)
    W = Q @ torch.einsum("bk,ki->bik", weight, m)  # (B, p, K): targets are one-hot
    M = torch.einsum("ki,bil->bkl", m, W)  # scores of each class
    # obj_kl = ½ Σ_c π (e_c)_k (e_c - M_c)_l/(1 + δ_c): only c = k has (e_c)_k
    objective = 0.5 * weight[:, :, None] * (torch.eye(K, dtype=mu.dtype) - M)
    objective = (objective + objective.mT) / 2
    covs = -(objective[1 : K + 1] - objective[K + 1 :]) / step[:, None, None]
    return Prediction(_error(M[0], covs, draws, generator), M[0], covs, delta[0])


def _error(means: Tensor, covs: Tensor, draws: int, generator: torch.Generator | None) -> float:
    """Share of Gaussian scores whose largest is not their class's."""
    K = len(means)
    if K == 2:  # the sign of one Gaussian decides
        sides = torch.tensor([1.0, -1.0], dtype=means.dtype)
        gap = (means[:, 0] - means[:, 1]) * sides
        spread = (covs[:, 0, 0] + covs[:, 1, 1] - 2 * covs[:, 0, 1]).clamp_min(0).sqrt()
        return float(torch.special.ndtr(-gap / spread.clamp_min(torch.finfo(means.dtype).tiny)).mean())
    z = torch.randn(K, at_least("draws", draws, 1), K, generator=generator, dtype=means.dtype)
    values, vectors = torch.linalg.eigh((covs + covs.mT) / 2)
    roots = (vectors * values.clamp_min(0).sqrt()[:, None]) @ vectors.mT
    guess = (means[:, None] + z @ roots).argmax(-1)
    return float((guess != torch.arange(K)[:, None]).double().mean())
