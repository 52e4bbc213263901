"""What to compare with: ignoring the gains, the bilinear problem made linear, and alternating least squares."""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape import validate
from gradscape.recovery.blind_calibration.sensing import check_data


def uncalibrated_ls(A: Tensor, y: Tensor, Z: Tensor | None = None) -> Tensor:
    """``argmin_xi sum_l |A_l xi - y_l|²``, (*batch, n): the gains are taken for 1. ``Z`` (n, k): xi = Z z."""
    _tensors(A, y)
    made = _least_squares((A if Z is None else A @ Z).flatten(-3, -2), y.flatten(-2))
    return made if Z is None else made @ Z.T


def linear_ls(A: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The problem made linear in ``d = 1/g``: least squares of ``d ∘ y_l = A_l x`` with sum(d) = m (Ling & Strohmer).

    Returns x (*batch, n) and gains of mean 1, (*batch, m). Exact without noise once m p >= n + m - 1; it multiplies
    noise in y by the unknown d. Below that many measurements it is the solution of least norm, gains of any sign.
    """
    _tensors(A, y)
    m = y.shape[-1]
    # d = 1 + N w with sum(N w) = 0: the constraint is kept exactly, and m - 1 unknowns are left
    basis = torch.linalg.qr(torch.eye(m, dtype=y.dtype, device=y.device)[:, 1:] - 1 / m).Q
    weighted = (y[..., None] * basis).flatten(-3, -2)
    rows = torch.cat([A.flatten(-3, -2), -weighted], -1)
    made = _least_squares(rows, y.flatten(-2))
    d = 1 + made[..., A.shape[-1] :] @ basis.T
    g = 1 / d
    size = g.mean(-1, keepdim=True)
    return made[..., : A.shape[-1]] * size, g / size


def alternating_ls(A: Tensor, y: Tensor, iters: int = 100) -> tuple[Tensor, Tensor]:
    """Exact minimization over xi, then over each gain, ``iters`` times from gains of 1; gains are kept at mean 1.

    Returns x (*batch, n) and gains (*batch, m). ``ValueError`` for bad data or iters < 1.
    """
    _tensors(A, y)
    gamma = torch.ones_like(y[..., 0, :])
    for _ in range(validate.at_least("iters", iters, 1)):
        xi = _least_squares((gamma[..., None, :, None] * A).flatten(-3, -2), y.flatten(-2))
        Ax = (A @ xi[..., None, :, None])[..., 0]
        gamma = (Ax * y).sum(-2) / Ax.square().sum(-2)
        size = gamma.mean(-1, keepdim=True)
        gamma, xi = gamma / size, xi * size
    return xi, gamma


def _least_squares(rows: Tensor, wanted: Tensor) -> Tensor:
    """The solution of least norm; ``gelsy`` finds the rank, also of fewer rows than columns."""
    return torch.linalg.lstsq(rows, wanted[..., None], driver="gelsy").solution[..., 0]


def _tensors(A: Tensor, y: Tensor) -> None:
    if not isinstance(A, Tensor):
        raise ValueError(f"A={type(A).__name__}: must be a tensor, a direct solution needs the masks themselves")
    check_data(A, y)
