"""The kernel that a wide network follows, its whole training path, and what the path's error is made of."""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape.numerics.kernels import relu_slopes
from gradscape.numerics.spectral import SymmetricPath, gain
from gradscape.validate import at_least, finite, positive

LARGEST = 3000  # examples of one eigendecomposition


def ntk(Z1: Tensor, Z2: Tensor) -> Tensor:
    """κ(z, z') = z·z' (π - θ)/(2π), (n1, n2): the tangent kernel of a wide ReLU layer of which inner weights train.

    θ is the angle between the inputs; with d outputs the kernel is κ times the identity.
    """
    for name, Z in (("Z1", Z1), ("Z2", Z2)):
        if finite(name, Z).ndim != 2:
            raise ValueError(f"{name} has shape {tuple(Z.shape)}: must be (n, inputs)")
    inner = Z1 @ Z2.mT
    return inner * relu_slopes((Z1**2).sum(1, keepdim=True), (Z2**2).sum(1), inner)


class KernelPath:
    """Kernel regression by gradient descent from zero, at all times from one eigendecomposition.

    With ``K/n = U diag(ev) Uᵀ``: ``f_e(z) = (κ(z, Z)/n) U diag((1 - exp(-e ev))/ev) Uᵀ Y`` for gradient flow of time
    e, and ``(1 - (1 - lr ev)^k)/ev`` for k steps. Z: (n, inputs); Y: (n, d), float64.
    """

    def __init__(self, Z: Tensor, Y: Tensor) -> None:
        if len(Z) > LARGEST:
            raise ValueError(f"Z has {len(Z)} rows: at most {LARGEST}, of which one eigendecomposition takes seconds")
        self.Z, self.n = Z, at_least("len(Z)", len(Z), 1)
        K = ntk(Z, Z) / self.n
        self.path = SymmetricPath((K + K.mT) / 2, finite("Y", Y))

    @property
    def eigenvalues(self) -> Tensor:
        """Eigenvalues of K/n, (n,), ascending."""
        return self.path.eigenvalues

    def predict(self, Z_test: Tensor, times: float | Tensor) -> Tensor:
        """Predictions of gradient flow, (len(times), n_test, d)."""
        return self.path.predict(ntk(Z_test, self.Z) / self.n, times)

    def discrete(self, Z_test: Tensor, lr: float, steps: int | Tensor) -> Tensor:
        """Predictions after ``steps`` steps of size lr, (len(steps), n_test, d); lr < 2/ev_max."""
        check_rate(lr, float(self.eigenvalues[-1]))
        return self.path.predict(ntk(Z_test, self.Z) / self.n, torch.as_tensor(steps), "gd", lr=lr)


def check_rate(lr: float, largest: float) -> None:
    """``ValueError`` unless 0 < lr < 2/largest, beyond which gradient descent diverges."""
    if not positive("lr", lr) < 2 / largest:
        raise ValueError(f"lr={lr!r}: must lie below 2/ev_max = {2 / largest:.4g}, or gradient descent diverges")


def bias_variance(
    Z: Tensor, Z_test: Tensor, f_star_Z: Tensor, f_star_test: Tensor, cov_trace: Tensor, times: Tensor
) -> tuple[Tensor, Tensor]:
    """Squared bias and variance of the error per coordinate, both (T,), for given inputs and random labels.

    The path is linear in the labels, f_e(Z_test) = A_e Y: the bias is A_e f_*(Z) - f_*(Z_test), and the variance
    ``(1/d) mean_j Σ_i (A_e)_ji² tr Cov(X_0 | X_{t_i})``. ``f_star_*``: (n, d); ``cov_trace``: (n,).
    """
    d = f_star_Z.shape[1]
    path = KernelPath(Z, f_star_Z)
    bias = path.predict(Z_test, times) - f_star_test
    ev, U = path.eigenvalues, path.path.vectors
    reach = ntk(Z_test, Z) / len(Z) @ U
    known = ev > 0
    noise = []
    for time in torch.as_tensor(times, dtype=ev.dtype).reshape(-1):
        shrink = torch.where(known, gain(ev, time) / torch.where(known, ev, 1.0), 0.0)
        A = (reach * shrink) @ U.mT
        noise.append(float((A.square_() @ cov_trace).mean()) / d)
    return (bias**2).mean((1, 2)), torch.tensor(noise, dtype=ev.dtype)
