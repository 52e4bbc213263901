"""Gradients of single samples, and how much they scatter around their mean.

All quantities are those of the flattened gradient: sums run over all parameters of a model together.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class GradientStats:
    """Statistics of b per-sample gradients g_i with mean gbar; every variance has the factor 1/(b - 1).

    ``mean_sq_norm`` is ||gbar||², ``variance`` V = sum_j Var_i(g_ij), ``ip_variance`` Var_i(<g_i, gbar>),
    ``orth_variance`` the variance that is left when each g_i loses its part along gbar, so that
    V = ip_variance/||gbar||² + orth_variance, ``coordinate_ratio`` max_j Var_i(g_ij)/gbar_j². ``None``: not computed.
    """

    batch_size: int
    mean_sq_norm: float
    variance: float
    ip_variance: float | None = None
    orth_variance: float | None = None
    coordinate_ratio: float | None = None


def grads(model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of each sample's own loss: name of a parameter that needs one -> (b, *shape).

    ``loss_fn(model(x), y)`` is a mean over the batch (or the vector of losses); here each sample is a batch of one.
    Raises ``ValueError`` if x and y do not have one sample a row, ``TypeError`` for a layer that keeps running
    statistics of batches: with it no sample has a gradient of its own.
    """
    check_samples(model, x, y)
    wanted = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    fixed = {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
    fixed |= {name: buffer.detach() for name, buffer in model.named_buffers()}

    def one(params: dict[str, Tensor], sample: Tensor, target: Tensor) -> Tensor:
        output = torch.func.functional_call(model, (params, fixed), (sample[None],))
        return loss_fn(output, target[None]).mean()

    return torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0), randomness="different")(wanted, x, y)


def check_samples(model: nn.Module, x: Tensor, y: Tensor) -> None:
    """Raise unless x and y hold the same samples and the model treats each sample by itself."""
    if x.dim() == 0 or y.dim() == 0 or len(x) != len(y) or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}: both need one row for each sample")
    for name, layer in model.named_modules():
        if getattr(layer, "running_mean", None) is not None:
            raise TypeError(
                f"{name or 'model'} ({type(layer).__name__}) keeps running statistics of batches: no sample has a "
                "gradient of its own; make it with track_running_stats=False, or use GroupNorm"
            )


def stats(per_sample: Mapping[str, Tensor] | Tensor, *, coordinate: bool = False) -> GradientStats:
    """Statistics of given per-sample gradients: one tensor (b, *shape), or several by name.

    Computed in float64 from centered values. ``coordinate`` adds the worst ratio of variance to squared mean over the
    entries; an entry without gradient in any sample does not count. Raises ``ValueError`` for b < 2, for tensors that
    differ in b, and for entries that are not finite and real.

    >>> stats(torch.tensor([[1.0, 0.0], [3.0, 2.0]])).variance
    4.0
    """
    parts = checked(per_sample)
    b = len(next(iter(parts.values())))
    norm = variance = worst = 0.0
    along = torch.zeros(b, dtype=torch.float64, device=next(iter(parts.values())).device)
    for tensor in parts.values():
        flat = tensor.detach().reshape(b, -1).double()
        mean = flat.mean(0)
        flat = flat - mean
        along += flat @ mean
        norm += float(mean @ mean)
        spread = flat.square().sum(0) / (b - 1)
        variance += float(spread.sum())
        if coordinate:
            ratio = torch.where(spread > 0, spread / mean.square(), 0.0)
            worst = max(worst, float(ratio.max()) if ratio.numel() else 0.0)
    ip = float(along.square().sum()) / (b - 1)
    return GradientStats(
        b, norm, variance, ip, orthogonal(variance, ip, norm),
        (worst if norm > 0 else float("inf")) if coordinate else None,
    )


def orthogonal(variance: float, ip_variance: float, mean_sq_norm: float) -> float:
    """The orthogonal variance V - ip_variance/||gbar||²; all of V where there is no direction. Rounding stays >= 0."""
    return max(0.0, variance - ip_variance / mean_sq_norm) if mean_sq_norm > 0 else variance


def checked(per_sample: Mapping[str, Tensor] | Tensor, *, least: int = 2) -> dict[str, Tensor]:
    """Per-sample gradients as tensors by name, with at least ``least`` samples; ``ValueError`` as `stats`."""
    parts = {"per_sample": per_sample} if isinstance(per_sample, Tensor) else dict(per_sample)
    if not parts:
        raise ValueError("per_sample is empty: at least one tensor (b, *shape) is needed")
    for name, tensor in parts.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise ValueError(f"{name} is {kind}: must be a tensor of real floating-point numbers")
        if tensor.dim() < 1 or len(tensor) < least:
            found = f"{name} has shape {tuple(tensor.shape)}"
            raise ValueError(f"{found}: one sample a row, at least b = {least}, is needed")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds NaN or infinite entries: all must be finite")
    lengths = {name: len(tensor) for name, tensor in parts.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the number of samples differs: {lengths}")
    return parts
