"""Training time in the eigenbasis: how much of each mode a linear learner has taken up after time ``t``.

A least-squares learner with symmetric positive semidefinite matrix ``K`` decouples along its eigenvectors. Gradient
flow, gradient descent and ridge regression then differ in one scalar function of eigenvalue and time, the *gain* or
spectral filter (Advani & Saxe, arXiv 1710.03667, dynamics of a linear student; Yao, Rosasco & Caponnetto 2007).
"""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape.validate import finite, one_of, positive

KINDS = ("flow", "gd", "ridge")
WHOLE = 1e-9  # a step count this close to an integer (relative) is one: it went through a float


def _arguments(lam: float | Tensor, t: float | Tensor, kind: str, lr: float | None) -> tuple[Tensor, Tensor]:
    one_of("kind", kind, KINDS)
    lam, t = torch.as_tensor(lam, dtype=torch.float64), torch.as_tensor(t, dtype=torch.float64)
    for name, value in (("lam", lam), ("t", t)):
        if value.numel() == 0 or not bool((value >= 0).all()):
            raise ValueError(f"{name}: shape {tuple(value.shape)}; needs entries, all >= 0 and none NaN")
    finite("lam", lam)
    if (kind == "gd") != (lr is not None):
        raise ValueError(f"lr={lr!r}: kind='gd' needs a step size, the other kinds take none (kind={kind!r})")
    if lr is not None:
        positive("lr", lr)
    return lam, t


def gain(lam: float | Tensor, t: float | Tensor, kind: str = "flow", *, lr: float | None = None) -> Tensor:
    """Share of a mode that is learned, between 0 and 1 where training is stable (Advani & Saxe, linear student).

    ``lam`` (eigenvalues >= 0) and ``t`` (>= 0, ``inf`` allowed) broadcast.

    - ``"flow"``: gradient flow for time ``t``, ``1 - exp(-λt)``;
    - ``"gd"``: ``t`` *steps* of size ``lr``, ``1 - (1 - lr λ)^t``; a fractional ``t`` needs ``lr λ <= 1``;
    - ``"ridge"``: penalty ``1/t``, ``λ / (λ + 1/t)``.

    A mode with ``λ = 0`` is never learned: its gain is 0 at every time. Raises ``ValueError`` for negative input.

    >>> gain(torch.tensor([0.0, 1.0]), float("inf")).tolist()
    [0.0, 1.0]
    """
    lam, t = _arguments(lam, t, kind, lr)
    if lr is not None:
        learned = _gd_gain(lam * lr, t)
    elif kind == "flow":
        learned = -torch.expm1(-lam * t)
    else:
        learned = 1.0 / (1.0 + 1.0 / (lam * t))
    return torch.where((lam > 0) & (t > 0), learned, torch.zeros_like(learned))


def _gd_gain(step: Tensor, t: Tensor) -> Tensor:
    """``1 - (1 - step)^t`` without cancellation for small steps and with the sign of an overshooting step."""
    whole = t.round()
    if bool((step > 1).any()):
        fractional = torch.isfinite(t) & ((t - whole).abs() > WHOLE * t.clamp(min=1.0))
        if bool(fractional.any()):
            raise ValueError("t: a fractional number of steps needs lr * lam <= 1 (a larger step changes sign)")
    below = -torch.expm1(t * torch.log1p(-step.clamp(max=1.0)))
    odd = (whole % 2 == 1)
    size = torch.exp(t * torch.log((step - 1.0).clamp(min=0.0)))
    above = 1.0 - torch.where(odd, -size, size)
    return torch.where(step <= 1, below, above)


def response(lam: float | Tensor, t: float | Tensor, kind: str = "flow", *, lr: float | None = None) -> Tensor:
    """Gain divided by ``λ``: what multiplies a mode's data to give its weight at time ``t`` (arguments as in `gain`).

    At ``λ = 0`` it takes its limit: ``t`` (flow and ridge) or ``lr t`` (gd).
    """
    learned = gain(lam, t, kind, lr=lr)
    eigenvalue, time = torch.broadcast_tensors(*_arguments(lam, t, kind, lr))
    limit = time if lr is None else time * lr
    safe = torch.where(eigenvalue > 0, eigenvalue, torch.ones_like(eigenvalue))
    return torch.where(eigenvalue > 0, learned / safe, limit)


class SymmetricPath:
    """The whole training path of a linear learner from one eigendecomposition (Advani & Saxe, random features).

    Solves ``c(t) = U [gain(λ, t)/λ] Uᵀ Y`` for ``K = U diag(λ) Uᵀ`` and predicts with ``Kt c(t)``. Two readings:

    - kernel (dual): ``K`` the P × P kernel of the training points, ``Y`` their targets, ``Kt`` test × training kernel;
    - weights (primal): ``K = HᵀH``, ``Y = Hᵀy``, ``Kt`` the test features.

    ``K``: ``(*B, P, P)`` symmetric positive semidefinite; ``Y``: ``(*B, P)`` or ``(*B, P, D)``. Eigenvalues below
    ``rtol`` times the largest are null modes: for a semidefinite kernel they reach no prediction, so they get weight 0,
    and ``t = inf`` is the minimum-norm solution. Raises ``ValueError`` for shapes that do not fit, a matrix that is not
    symmetric, or one with a clearly negative eigenvalue.

    >>> path = SymmetricPath(torch.eye(2), torch.tensor([1.0, 2.0]))
    >>> path.predict(torch.eye(2), float("inf")).tolist()
    [1.0, 2.0]
    """

    def __init__(self, K: Tensor, Y: Tensor, *, rtol: float | None = None) -> None:
        K, Y = torch.as_tensor(K, dtype=torch.float64), torch.as_tensor(Y, dtype=torch.float64)
        finite("K", K)
        finite("Y", Y)
        if K.ndim < 2 or K.shape[-1] != K.shape[-2]:
            raise ValueError(f"K: shape {tuple(K.shape)}; must be square in its last two dimensions")
        self.vector = Y.ndim == K.ndim - 1
        Y = Y.unsqueeze(-1) if self.vector else Y
        if Y.ndim != K.ndim or Y.shape[:-1] != K.shape[:-1]:
            raise ValueError(f"Y: {tuple(Y.shape)} does not fit K {tuple(K.shape)}; must be (*B, P) or (*B, P, D)")
        scale = K.abs().amax(dim=(-2, -1), keepdim=True)
        # symmetric to rounding of a matrix product: a few thousand units in the last place of the largest entry
        if bool(((K - K.mT).abs() > 1e-12 * scale).any()):
            raise ValueError("K: must be symmetric")
        raw, self.vectors = torch.linalg.eigh(K)
        top = raw.abs().amax(dim=-1, keepdim=True)
        cut = (K.shape[-1] * torch.finfo(torch.float64).eps if rtol is None else rtol) * top
        # rounding gives null modes eigenvalues of either sign; anything larger is a matrix that is not semidefinite
        if bool((raw < -1e3 * cut).any()):
            raise ValueError(f"K: smallest eigenvalue {raw.min().item():.3g}; must be positive semidefinite")
        self.eigenvalues = torch.where(raw > cut, raw, torch.zeros_like(raw))
        self.modes = self.vectors.mT @ Y

    def _scaled(self, t: Tensor, kind: str, lr: float | None) -> Tensor:
        """``[gain/λ] Uᵀ Y`` with the times beside the outputs, ``(*B, P, D·T)``: one product then serves all times."""
        known = (self.eigenvalues > 0).unsqueeze(-1)
        lam = torch.where(known, self.eigenvalues.unsqueeze(-1), torch.ones(()))
        weight = torch.where(known, response(lam, t.reshape(-1), kind, lr=lr), torch.zeros((), dtype=torch.float64))
        return (self.modes.unsqueeze(-1) * weight.unsqueeze(-2)).flatten(-2)

    def _times_first(self, out: Tensor, t: Tensor) -> Tensor:
        out = out.unflatten(-1, (self.modes.shape[-1], t.numel())).movedim(-1, 0)
        out = out.squeeze(-1) if self.vector else out
        return out.reshape(*t.shape, *out.shape[1:])

    def coefficients(self, t: float | Tensor, kind: str = "flow", *, lr: float | None = None) -> Tensor:
        """``c(t)``, shape ``(*t.shape, *Y.shape)``, for each time of ``t`` (``t`` and ``kind`` as in `gain`)."""
        t = torch.as_tensor(t, dtype=torch.float64)
        return self._times_first(self.vectors @ self._scaled(t, kind, lr), t)

    def predict(self, Kt: Tensor, t: float | Tensor, kind: str = "flow", *, lr: float | None = None) -> Tensor:
        """``Kt c(t)``, shape ``(*t.shape, *B, n)`` or ``(*t.shape, *B, n, D)``; ``Kt``: ``(*B, n, P)``."""
        Kt = torch.as_tensor(Kt, dtype=torch.float64)
        if Kt.ndim != self.vectors.ndim or Kt.shape[-1] != self.vectors.shape[-1]:
            raise ValueError(f"Kt: {tuple(Kt.shape)} does not fit K {tuple(self.vectors.shape)}; must be (*B, n, P)")
        t = torch.as_tensor(t, dtype=torch.float64)
        return self._times_first((Kt @ self.vectors) @ self._scaled(t, kind, lr), t)
