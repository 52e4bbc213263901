"""The loss of signal and gains together, its gradients, the start, and the two projections (paper, Sec. 2)."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.numerics.solve import bisect
from gradscape.recovery.blind_calibration.sensing import check_data


def residual(A: Any, y: Tensor, xi: Tensor, gamma: Tensor) -> Tensor:
    """``r_l = gamma ∘ (A_l xi) - y_l``, shape of y."""
    return gamma[..., None, :] * _forward(A, y, xi, gamma) - y


def loss(A: Any, y: Tensor, xi: Tensor, gamma: Tensor) -> Tensor:
    """``f = 1/(2mp) sum_l |gamma ∘ (A_l xi) - y_l|²``, (*batch).

    ``A`` (*batch, p, m, n) or an operator, ``y`` (*batch, p, m), ``xi`` (*batch, n), ``gamma`` (*batch, m).
    ``ValueError`` for shapes that do not match.
    """
    return 0.5 * residual(A, y, xi, gamma).square().mean((-2, -1))


def gradients(A: Any, y: Tensor, xi: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the loss by xi, (*batch, n), and by gamma, (*batch, m), neither of them projected.

    ``1/(mp) sum_l A_lᵀ (gamma ∘ r_l)`` and ``1/(mp) sum_l (A_l xi) ∘ r_l``: the latter with A xi, not with the gains
    on it.
    """
    Ax = _forward(A, y, xi, gamma)
    r = gamma[..., None, :] * Ax - y
    count = y.shape[-1] * y.shape[-2]
    return _back(A, gamma[..., None, :] * r) / count, (Ax * r).sum(-2) / count


def backprojection(A: Any, y: Tensor) -> Tensor:
    """The start ``xi_0 = 1/(mp) sum_l A_lᵀ y_l``, (*batch, n), whose mean over the masks is x when mean(g) = 1."""
    check_data(A, y)
    return _back(A, y) / (y.shape[-1] * y.shape[-2])


def project_zero_mean(v: Tensor) -> Tensor:
    """``v - mean(v)`` along the last axis: a direction that keeps the mean of the gains."""
    return v - v.mean(-1, keepdim=True)


def project_gain_box(gamma: Tensor, rho: float) -> Tensor:
    """The nearest gains (*batch, m) in ``{1 + e: sum e = 0, |e_i| <= rho}`` (paper, the set G).

    ``e = clip(gamma - 1 - c, -rho, rho)`` with the shift c that makes its sum 0, found by bisection: the sum falls in
    c. ``ValueError`` for rho outside [0, 1) or entries that are not finite.

    >>> project_gain_box(torch.tensor([2.0, 1.0, 0.9]), 0.5)
    tensor([1.5000, 0.8000, 0.7000])
    """
    validate.in_range("rho", rho, 0.0, 1.0, open_high=True)
    validate.finite("gamma", gamma)
    e = gamma - 1

    def excess(c: Tensor) -> Tensor:
        return (e - c).clamp(-rho, rho).sum(-1, keepdim=True)

    # Beyond these ends every entry is clipped to one side (at rho = 0 every c will do).
    c = bisect(excess, e.amin(-1, keepdim=True) - rho, e.amax(-1, keepdim=True) + rho)
    return 1 + (e - c).clamp(-rho, rho)


def _back(A: Any, r: Tensor) -> Tensor:
    return torch.einsum("...pmn,...pm->...n", A, r) if isinstance(A, Tensor) else A.rmatvec(r)


def _forward(A: Any, y: Tensor, xi: Tensor, gamma: Tensor) -> Tensor:
    """``A xi`` in the shape of y."""
    check_data(A, y)
    if gamma.shape != (*y.shape[:-2], y.shape[-1]):
        raise ValueError(f"gamma has shape {tuple(gamma.shape)}: must be {(*y.shape[:-2], y.shape[-1])}")
    if not isinstance(A, Tensor):
        return A.matvec(xi)
    if xi.shape != (*A.shape[:-3], A.shape[-1]):
        raise ValueError(f"xi has shape {tuple(xi.shape)}: must be {(*A.shape[:-3], A.shape[-1])}")
    return (A @ xi[..., None, :, None])[..., 0]
