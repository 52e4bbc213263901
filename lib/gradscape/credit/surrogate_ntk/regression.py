"""What training does in the limit of infinite width: kernel regression, its spread over networks, stable rates."""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape.validate import at_least, finite, positive, same_shape

MARGIN = 1.9  # a learning rate may reach this over the largest real part of an eigenvalue; 2 is the edge
_ROUNDING = 1e-9  # by which |1 - eta ev| of a vanishing eigenvalue may exceed 1


def stable_eta(theta_XX: Tensor) -> float:
    """1 over the largest real part of the eigenvalues of a kernel (N, N), symmetric or not.

    Raises ``ValueError`` for a kernel that is not square, not finite, or has no eigenvalue with a positive real part.
    """
    top = float(torch.linalg.eigvals(_square(theta_XX)).real.max())
    if top <= 0:
        raise ValueError(f"theta_XX: largest real part of an eigenvalue is {top:g}: no learning rate descends")
    return 1 / top


def check_eta(theta_XX: Tensor, eta: float) -> float:
    """Return ``eta`` if gradient descent with it is stable for this kernel.

    Raises ``ValueError`` naming the limit where eta exceeds 1.9/max Re ev, or a complex eigenvalue is left outside
    the unit circle, \\|1 - eta ev\\| > 1.
    """
    values = torch.linalg.eigvals(_square(theta_XX))
    limit = MARGIN * stable_eta(theta_XX)
    if positive("eta", eta) > limit * (1 + _ROUNDING):
        raise ValueError(f"eta={eta:.6g}: must be at most {MARGIN}/max Re ev = {limit:.6g} for this kernel")
    radius = float((1 - eta * values).abs().max())
    if radius > 1 + _ROUNDING:
        raise ValueError(f"eta={eta:.6g}: an eigenvalue has |1 - eta ev| = {radius:.6g} > 1, so training diverges")
    return float(eta)


def kernel_flow(theta_tX: Tensor, theta_XX: Tensor, eta: float | None = None, steps: float = math.inf) -> Tensor:
    """G (t, N) of f_T(x) = f_0(x) + G (y - f_0(X)) after ``steps`` steps of gradient descent on the summed loss.

    G = Θ_tX Θ_XX^-1 (I - (I - eta Θ_XX)^T), which is eta Θ_tX Σ_(s<T) (I - eta Θ_XX)^s. The sum is built by
    doubling, in about log2 T products, and exists for singular kernels too; steps = inf solves the linear system.
    ``eta`` left out is ``stable_eta(theta_XX)``. Kernels need not be symmetric.
    Raises ``ValueError`` for shapes that do not fit, entries not finite, steps < 1, an unstable eta.

    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> float(kernel_flow(one, one, 0.5, 3))
    0.875
    """
    theta = _square(theta_XX)
    across = torch.as_tensor(theta_tX, dtype=torch.float64)
    if across.dim() != 2 or across.shape[1] != len(theta):
        raise ValueError(f"theta_tX has shape {tuple(across.shape)}: must be (t, {len(theta)})")
    finite("theta_tX", across)
    if steps == math.inf:
        return torch.linalg.solve(theta, across, left=False)
    eta = check_eta(theta, stable_eta(theta) if eta is None else eta)
    return across @ _descent(theta, eta, at_least("steps", int(steps) if steps == steps else 0, 1))


def _descent(theta: Tensor, eta: float, steps: int) -> Tensor:
    """eta Σ_(s<T) (I - eta Θ)^s: binary digits of T from the top, each doubles the sum."""
    eye = torch.eye(len(theta), dtype=theta.dtype)
    power, total = eye - eta * theta, eta * eye
    for digit in bin(steps)[3:]:
        total, power = total + power @ total, power @ power
        if digit == "1":
            total, power = total + eta * power, power - eta * power @ theta
    return total


def ensemble_prediction(
    G: Tensor, y: Tensor, K_tt: Tensor, K_tX: Tensor, K_XX: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean (t,) and covariance (t, t) over networks of f_0 + G (y - f_0(X)), f_0 a Gaussian process of kernel K.

    mean G y; covariance K_tt + G K_XX Gᵀ - G K_Xt - K_tX Gᵀ. ``ValueError`` for shapes that do not fit.
    """
    t, n = _matrix("G", G).shape
    for name, tensor, shape in (("y", y, (n,)), ("K_tt", K_tt, (t, t)), ("K_tX", K_tX, (t, n)), ("K_XX", K_XX, (n, n))):
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}: must be {shape} with G {(t, n)}")
        finite(name, tensor)
    cross = G @ K_tX.T
    return G @ y, K_tt + G @ K_XX @ G.T - cross - cross.T


def control_variate_mean(f_T: Tensor, f_0: Tensor, f_0_train: Tensor, G: Tensor) -> Tensor:
    """Mean over networks of f_T - f_0 + G f_0(X), (t,): the same expectation as the mean of f_T, with less noise.

    ``f_T`` and ``f_0`` (R, t) are outputs after and before training, ``f_0_train`` (R, N) those before it at training
    points. What a network's own start adds to its end is subtracted, as far as theory knows it; so compare it with G y.
    ``ValueError`` for shapes that do not fit.
    """
    same_shape(f_T=f_T, f_0=f_0)
    t, n = _matrix("G", G).shape
    if f_T.dim() != 2 or f_T.shape[1] != t or tuple(f_0_train.shape) != (len(f_T), n):
        raise ValueError(f"f_T {tuple(f_T.shape)} and f_0_train {tuple(f_0_train.shape)} must be (R, {t}) and (R, {n})")
    for name, tensor in (("f_T", f_T), ("f_0", f_0), ("f_0_train", f_0_train)):
        finite(name, tensor)
    return (f_T.double() - f_0.double() + f_0_train.double() @ G.T).mean(0)


def _square(theta: Tensor) -> Tensor:
    theta = torch.as_tensor(theta, dtype=torch.float64)
    if theta.dim() != 2 or theta.shape[0] != theta.shape[1]:
        raise ValueError(f"theta_XX has shape {tuple(theta.shape)}: must be square")
    return finite("theta_XX", theta)


def _matrix(name: str, value: Tensor) -> Tensor:
    if value.dim() != 2:
        raise ValueError(f"{name} has shape {tuple(value.shape)}: must be a matrix")
    return finite(name, value)
