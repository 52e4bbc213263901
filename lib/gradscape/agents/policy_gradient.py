"""Policy gradients over turns: group-relative advantages, clipped and plain objectives, a KL penalty, pass@k.

Rewards come one per trajectory, log-probabilities one per turn. Sources: GRPO (Z. Shao and others, arXiv:2402.03300),
PPO's clip (J. Schulman and others, arXiv:1707.06347), RAFT (H. Dong and others, arXiv:2304.06767), OPMD (group mean as
baseline, no clip; Trinity-RFT), pass@k (M. Chen and others, arXiv:2107.03374).
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape.validate import at_least, finite, in_range, nonnegative, one_of

STD_EPS = 1e-6
NORMALISE = (None, "std")
REDUCTIONS = ("turn-mean", "trajectory")


def group_mean(values: Tensor, group: Tensor) -> Tensor:
    """The mean of each value's group, at its place: values (n,) float, group (n,) int64 ids >= 0 -> (n,)."""
    rewards, ids, count = _groups(values, group)
    return (torch.zeros(len(count), dtype=rewards.dtype).index_add(0, ids, rewards) / count)[ids]


def group_advantages(
    rewards: Tensor, group: Tensor, *, normalise: str | None = None, eps: float = STD_EPS,
) -> Tensor:
    """A = R − group mean; with ``normalise="std"`` divided by (sample standard deviation of the group + eps): (n,).

    ``rewards`` (n,) float, ``group`` (n,) int64 ids >= 0. A group of one has advantage 0. Raises ValueError for other
    shapes, NaN, negative ids, an unknown normalization.

    >>> group_advantages(torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.zeros(4, dtype=torch.int64)).tolist()
    [0.75, -0.25, -0.25, -0.25]
    """
    one_of("normalise", normalise, NORMALISE)
    nonnegative("eps", eps)
    values, ids, count = _groups(rewards, group)
    centered = values - group_mean(values, group)
    if normalise is None:
        return centered
    spread = torch.zeros(len(count), dtype=values.dtype).index_add(0, ids, centered.square())
    std = (spread / (count - 1).clamp(min=1)).sqrt()
    return centered / (std[ids] + eps)


def grpo_advantages(rewards: Tensor, group: Tensor, eps: float = STD_EPS) -> Tensor:
    """GRPO: A = (R − mean)/(sample std + eps) of the group (arXiv:2402.03300, Sec. 4.1.2), see `group_advantages`."""
    return group_advantages(rewards, group, normalise="std", eps=eps)


def opmd_advantages(rewards: Tensor, group: Tensor) -> Tensor:
    """OPMD: A = R − mean of the group; see `group_advantages`."""
    return group_advantages(rewards, group)


def raft_advantages(rewards: Tensor, threshold: float = 1.0) -> Tensor:
    """RAFT: 1 for trajectories whose reward reaches the threshold, 0 for the others: likelihood of successes only."""
    return (finite("rewards", rewards) >= threshold).to(rewards.dtype)


def turn_mask(lengths: Tensor, horizon: int, start: Tensor | None = None) -> Tensor:
    """(n, horizon) bool: the turns t with start <= t < length; ``start`` (n,) is 0 everywhere by default."""
    at_least("horizon", horizon, 1)
    turn = torch.arange(horizon)
    mask = turn < lengths[:, None]
    return mask if start is None else mask & (turn >= start[:, None])


def policy_gradient_loss(
    logp: Tensor, advantages: Tensor, mask: Tensor, *, old_logp: Tensor | None = None, clip: float | None = None,
    reduction: str = "turn-mean", total: int | None = None,
) -> Tensor:
    """−(mean of A · log pi) over unmasked turns, or with ``old_logp`` the (clipped) importance-sampled objective.

    ``logp`` (n, H): log-probability of each call; ``advantages`` (n,) or (n, H); ``mask`` (n, H) bool. With
    ``old_logp`` (n, H) each term is A·r, r = exp(logp − old_logp), and with ``clip`` min(A·r, A·clamp(r, 1 ± clip)).
    ``reduction``: "turn-mean" divides by the number of unmasked turns (or by ``total``, when rows without advantage
    were left out), "trajectory" averages over turns, then over trajectories. No unmasked turn: 0.

    Raises ValueError for shapes that differ, NaN or infinite entries in unmasked places, clip outside (0, 1) or
    without old_logp, an unknown reduction.
    """
    one_of("reduction", reduction, REDUCTIONS)
    A = _turnwise(logp, advantages, mask)
    if old_logp is None:
        if clip is not None:
            raise ValueError(f"clip={clip!r}: needs old_logp")
        gain = A * logp
    else:
        _same("old_logp", old_logp, logp)
        ratio = torch.exp(torch.where(mask, logp - old_logp.detach(), 0.0))
        gain = A * ratio
        if clip is not None:
            in_range("clip", clip, 0.0, 1.0, open_low=True, open_high=True)
            gain = torch.minimum(gain, A * ratio.clamp(1 - clip, 1 + clip))
    return -_reduced(gain, mask, reduction, total)


def kl_k3(logp: Tensor, ref_logp: Tensor, mask: Tensor, *, reduction: str = "turn-mean") -> Tensor:
    """The k3 estimate of KL(pi || ref) from samples of pi: mean of exp(d) − d − 1, d = ref_logp − logp; never negative.

    Shapes and reduction as in `policy_gradient_loss`.
    """
    one_of("reduction", reduction, REDUCTIONS)
    _same("ref_logp", ref_logp, logp)
    _same("mask", mask, logp)
    d = torch.where(mask, ref_logp.detach() - logp, 0.0)
    return _reduced(torch.expm1(d) - d, mask, reduction, None)


def pass_at_k(success: Tensor, k: int) -> float:
    """Unbiased pass@k, the mean over tasks of 1 − C(n−c, k)/C(n, k): success (tasks, n) bool or 0/1, 1 <= k <= n.

    >>> round(pass_at_k(torch.tensor([[1, 0, 0]]), 2), 4)
    0.6667
    """
    if success.dim() != 2 or success.numel() == 0:
        raise ValueError(f"success has shape {tuple(success.shape)}: must be (tasks, samples), not empty")
    if not bool(((success == 0) | (success == 1)).all()):
        raise ValueError("success holds other values: must be 0 or 1 everywhere")
    n = success.shape[1]
    at_least("k", k, 1)
    in_range("k", k, 1, n)
    solved = success.sum(1).int().tolist()
    return sum(1 - math.comb(n - c, k) / math.comb(n, k) for c in solved) / len(solved)


def _groups(values: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values, ids renumbered from 0, and the size of each group."""
    finite("rewards", values)
    if values.dim() != 1 or group.shape != values.shape:
        raise ValueError(f"rewards has shape {tuple(values.shape)}, group {tuple(group.shape)}: both must be (n,)")
    if not values.is_floating_point():
        raise ValueError(f"rewards is {values.dtype}: must be floating-point")
    if group.dtype != torch.int64 or bool((group < 0).any()):
        raise ValueError(f"group is {group.dtype} with minimum {int(group.min())}: must be int64 ids >= 0")
    _, ids, count = torch.unique(group, return_inverse=True, return_counts=True)
    return values, ids, count


def _same(name: str, tensor: Tensor, logp: Tensor) -> None:
    if tensor.shape != logp.shape or logp.dim() != 2:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, logp {tuple(logp.shape)}: both must be (n, H)")


def _turnwise(logp: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    _same("mask", mask, logp)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}: must be bool")
    if advantages.shape not in (logp.shape, logp.shape[:1]):
        found = f"advantages has shape {tuple(advantages.shape)}"
        raise ValueError(f"{found}: must be (n,) or (n, H) = {tuple(logp.shape)}")
    A = advantages if advantages.dim() == 2 else advantages[:, None]
    for name, tensor in (("logp", logp.detach()), ("advantages", A.detach().expand_as(logp))):
        if not bool(torch.isfinite(tensor[mask]).all()):
            raise ValueError(f"{name} holds NaN or infinite entries: all unmasked turns must be finite")
    return A


def _reduced(terms: Tensor, mask: Tensor, reduction: str, total: int | None) -> Tensor:
    kept = torch.where(mask, terms, 0.0)
    if reduction == "turn-mean":
        return kept.sum() / max(1, int(mask.sum()) if total is None else at_least("total", total, 1))
    return (kept.sum(1) / mask.sum(1).clamp(min=1)).mean()
