"""Sign-RIP: how close the sub-gradients of the ℓ₁ loss are to those of the distance itself."""
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.recovery.robust_matrix.problem import Noise


def phi(
    norm: float | Tensor, noise: str = "none", p: float = 0.1, scale: float = 10.0, nu: float = 1.0
) -> Tensor:
    """The scaling function of Gaussian measurements at ‖X‖_F = ``norm``, like ``norm``, float64.

    √(2/π) E exp(-s²/(2‖X‖²)): with n = ‖X‖ it is √(2/π) times 1 (no noise), 1 - p + p n/√(n² + scale²) (outliers),
    n/√(n² + nu²) (Gaussian noise). ``ValueError`` for a norm that is not positive or an unknown noise.
    """
    kind = Noise.of(noise, p, scale, nu)
    n = torch.as_tensor(norm, dtype=torch.float64)
    if not bool((torch.isfinite(n) & (n > 0)).all()):
        raise ValueError(f"norm={norm!r}: must be finite and > 0")
    clean = n / (n.square() + kind.nu**2).sqrt()
    wrong = n / (n.square() + kind.scale**2).sqrt()
    return math.sqrt(2 / math.pi) * ((1 - kind.p) * clean + kind.p * wrong)


def truncated_frobenius(M: Tensor, k: int) -> Tensor:
    """(sum of the k largest squared singular values)^½ of ``M`` (*batch, d, d'), (*batch)."""
    if validate.at_least("k", k, 1) > min(M.shape[-2:]):
        raise ValueError(f"k={k!r}: must be at most {min(M.shape[-2:])}, the rank that M can have")
    return torch.linalg.svdvals(M)[..., :k].norm(dim=-1)


@dataclass(frozen=True)
class SignRIP:
    """For each tested X (N,): ``alignment`` = <D, X/‖X‖>, and ``delta`` = ‖D - phi X/‖X‖‖_{F,k}/phi."""

    alignment: Tensor
    delta: Tensor


def sign_rip(A: Tensor, noise_vector: Tensor, X: Tensor, k: int, phi: float | Tensor) -> SignRIP:
    """Compare D = sym((1/m) sum_i sign(<A_i, X> - s_i) A_i) with phi X/‖X‖ for symmetric ``X`` (N, d, d).

    ``A`` is (m, d²), ``noise_vector`` (m,), ``phi`` a number or (N,). The constant of Sign-RIP is the largest ``delta``
    over all matrices of a low rank; a sample of them bounds it from below. ``ValueError`` for shapes that do not fit, a
    zero X or a phi that is not positive.
    """
    validate.finite("A", A)
    validate.finite("X", X)
    if X.dim() != 3 or X.shape[1] != X.shape[2]:
        raise ValueError(f"X has shape {tuple(X.shape)}: must be (N, d, d)")
    d = X.shape[-1]
    if A.dim() != 2 or A.shape[1] != d * d or noise_vector.shape != A.shape[:1]:
        raise ValueError(f"A {tuple(A.shape)}, noise_vector {tuple(noise_vector.shape)}: must be (m, {d * d}) and (m,)")
    norms = X.flatten(1).norm(dim=1)
    scaling = torch.as_tensor(phi, dtype=X.dtype).expand(len(X))
    if not bool((norms > 0).all()) or not bool((scaling > 0).all()):
        raise ValueError("X must not be zero, and phi must be > 0")
    signs = (X.flatten(1) @ A.T - noise_vector).sign()
    D = (signs @ A / len(A)).unflatten(1, (d, d))
    D, direction = 0.5 * (D + D.mT), X / norms[:, None, None]
    gap = truncated_frobenius(D - scaling[:, None, None] * direction, k)
    return SignRIP((D * direction).sum((1, 2)), gap / scaling)
