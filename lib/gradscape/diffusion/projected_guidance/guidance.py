"""Adaptive projected guidance (Sadat, Hilliges & Weber 2024, arXiv 2410.02416, Algorithm 1).

D_c and D_u are the denoised predictions (x0-space) with and without the condition, (B, ...) of any rank >= 2; norms
and inner products run over all axes but the first. Noise and velocity predictions must be converted first
(`parametrization`).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.validate import in_range, nonnegative, same_shape


def decompose(update: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Split an update into its parts parallel and orthogonal to a reference, per sample (Alg. 1, ``project``).

    par = <update, reference>/||reference||^2 reference; orth = update - par; computed in float64, returned in the
    update's dtype. A zero reference has no direction: par is 0 there.

    Example:
        >>> decompose(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 0.0]]))
        (tensor([[1., 0.]]), tensor([[0., 1.]]))
    """
    _check(update=update, reference=reference)
    u, ref = update.double(), reference.double()
    axes = tuple(range(1, u.ndim))
    square = (ref * ref).sum(axes, keepdim=True)
    along = (u * ref).sum(axes, keepdim=True)
    parallel = torch.where(square > 0, along / square, 0.0) * ref
    return parallel.to(update.dtype), (u - parallel).to(update.dtype)


def cfg(d_cond: Tensor, d_uncond: Tensor, w: float) -> Tensor:
    """Classifier-free guidance: D = D_c + (w - 1)(D_c - D_u), which is D_u + w (D_c - D_u); w = 1 returns D_c."""
    _check(d_cond=d_cond, d_uncond=d_uncond)
    nonnegative("w", w)
    return d_cond if w == 1 else d_cond + (w - 1) * (d_cond - d_uncond)


class MomentumBuffer:
    """The running update M_k = Delta_k + beta M_{k-1}, M_{-1} = 0 (Alg. 1); beta < 0 pushes away from old directions.

    A constant Delta tends to Delta/(1 - beta), an alternating one grows 1/(1 + beta)-fold; stable for ``|beta| < 1``.
    """

    def __init__(self, beta: float) -> None:
        self.beta = in_range("beta", beta, -1.0, 1.0, open_low=True, open_high=True)
        self.value: Tensor | None = None

    def update(self, delta: Tensor) -> Tensor:
        """Take in Delta_k and return M_k."""
        if self.value is not None:
            same_shape(delta=delta, momentum=self.value)
            delta = delta + self.beta * self.value
        self.value = delta
        return delta

    def reset(self) -> None:
        """Forget the past; due before every new trajectory."""
        self.value = None


def clip_norm(update: Tensor, r: float) -> Tensor:
    """Shorten an update to norm r, per sample, if it is longer: M min(1, r/||M||) (Alg. 1); r = 0 leaves it alone."""
    _check(update=update)
    nonnegative("r", r)
    # a zero update divides to infinity, which the clamp turns into 1
    return update if r == 0 else update * (r / _norm(update)).clamp_max(1.0)


@dataclass(frozen=True)
class GuidanceNorms:
    """What one guidance step did, per sample (B,): norms of Delta, of M~ after clipping, and of M~'s two parts."""

    delta: Tensor
    update: Tensor
    parallel: Tensor
    orthogonal: Tensor


def project_guidance(
    d_cond: Tensor,
    d_uncond: Tensor,
    w: float,
    eta: float = 0.0,
    r: float = 0.0,
    momentum: MomentumBuffer | None = None,
    *,
    record: Callable[[GuidanceNorms], None] | None = None,
) -> Tensor:
    """One step of adaptive projected guidance (Alg. 1): the guided denoised prediction D, in the dtype of D_c.

    Delta = D_c - D_u; M = Delta + beta M_before; M~ = M min(1, r/||M||); D = D_c + (w - 1)(orth + eta par), where par
    and orth are the parts of M~ along and across D_c. The momentum keeps M as it was before clipping. CFG is eta = 1,
    r = 0, no momentum; w = 1 returns D_c itself. ``record`` receives the step's norms.

    Example:
        >>> d_cond, d_uncond = torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, -1.0]])
        >>> project_guidance(d_cond, d_uncond, w=3.0)            # CFG would give (4, 2)
        tensor([[2., 2.]])
    """
    _check(d_cond=d_cond, d_uncond=d_uncond)
    nonnegative("w", w)
    delta = d_cond - d_uncond
    update = delta if momentum is None else momentum.update(delta)
    update = clip_norm(update.double(), r)
    parallel, orthogonal = decompose(update, d_cond)
    if record is not None:
        record(GuidanceNorms(*(_norm(part).flatten() for part in (delta, update, parallel, orthogonal))))
    if w == 1:
        return d_cond
    return (d_cond + (w - 1) * (orthogonal + eta * parallel)).to(d_cond.dtype)


class AdaptiveProjectedGuidance:
    """Adaptive projected guidance along a trajectory: a callable (D_c, D_u) -> D with its own momentum.

    ``reset()`` is due before a new trajectory (`gradscape.generative.edm.sample` calls it). ``last`` holds the norms of
    the latest call, for plots.
    """

    def __init__(self, w: float, eta: float = 0.0, r: float = 0.0, beta: float = 0.0) -> None:
        self.w, self.r = nonnegative("w", w), nonnegative("r", r)
        self.eta = in_range("eta", eta, float("-inf"), float("inf"), open_low=True, open_high=True)
        self.momentum = MomentumBuffer(beta)
        self.last: GuidanceNorms | None = None

    def __call__(self, d_cond: Tensor, d_uncond: Tensor) -> Tensor:
        """Return the guided prediction and advance the momentum."""
        # beta = 0 keeps no buffer: a stored update would only cost memory
        momentum = self.momentum if self.momentum.beta else None
        return project_guidance(d_cond, d_uncond, self.w, self.eta, self.r, momentum, record=self._record)

    def _record(self, norms: GuidanceNorms) -> None:
        self.last = norms

    def reset(self) -> None:
        """Forget the trajectory."""
        self.momentum.reset()
        self.last = None

    def __repr__(self) -> str:
        return f"AdaptiveProjectedGuidance(w={self.w:g}, eta={self.eta:g}, r={self.r:g}, beta={self.momentum.beta:g})"


def _norm(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=tuple(range(1, x.ndim)), keepdim=True)


def _check(**tensors: Tensor) -> None:
    same_shape(**tensors)
    for name, tensor in tensors.items():
        if tensor.ndim < 2:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}: must have a batch axis and at least one more")
