"""Credit: group-relative advantages with positive amplification, and the mask of turns that both attempts share.

Sources: W. Shi and others, arXiv 2601.03715 (project page: loss, mask, advantage rule), and the official code, whose
rule differs; both are here. GRPO's advantages, the loss and the k3 penalty are in `agents.policy_gradient`.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape.agents.policy_gradient import STD_EPS, group_advantages, turn_mask
from gradscape.validate import at_least, finite, in_range, one_of, positive

ALPHA = 3.0
RULES = ("paper", "code", "scale")


def positive_amplification(
    rewards: Tensor, group: Tensor, *, alpha: float = ALPHA, rule: str = "paper", r_max: float = 1.0,
    normalise: str | None = None,
) -> Tensor:
    """Advantages A = R − group mean, with the positive ones amplified: (n,).

    ``rewards`` (n,) float, ``group`` (n,) int64 ids >= 0; a group of one has baseline 0. ``rule``: "paper" gives alpha
    where R >= r_max, alpha·A to other A > 0 (the page's equation); "code" gives 1 where R >= r_max, alpha·A to other
    A > 0 (the official code: alpha does nothing to binary rewards); "scale" gives alpha·A to all A > 0, so with
    alpha = 1 it is A itself. ``normalise="std"`` divides A by the group's sample standard deviation first.

    Raises ValueError for alpha < 1, an unknown rule, negative ids, NaN, shapes that differ.

    >>> positive_amplification(torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.zeros(4, dtype=torch.int64)).tolist()
    [3.0, -0.25, -0.25, -0.25]
    """
    in_range("alpha", alpha, 1.0, math.inf, open_high=True)
    one_of("rule", rule, RULES)
    positive("r_max", r_max)
    A = group_advantages(rewards, group, normalise=normalise, eps=STD_EPS)
    _, ids, count = torch.unique(group, return_inverse=True, return_counts=True)
    A = torch.where(count[ids] == 1, rewards, A)
    amplified = torch.where(A > 0, alpha * A, A)
    if rule == "scale":
        return amplified
    return torch.where(rewards >= r_max, torch.full_like(A, alpha if rule == "paper" else 1.0), amplified)


def pivotal_mask(lengths: Tensor, pivots: Tensor, horizon: int) -> Tensor:
    """Pivotal credit: (n, horizon) bool, true for the turns pivot <= t < length; what comes before is shared by both
    attempts and gets no gradient. With pivot 0 all generated turns count.

    ``lengths``, ``pivots`` (n,) int64. Raises ValueError for other shapes or types, lengths above the horizon, pivots
    outside [0, horizon].
    """
    at_least("horizon", horizon, 1)
    for name, tensor in (("lengths", lengths), ("pivots", pivots)):
        if tensor.dim() != 1 or tensor.shape != lengths.shape or tensor.dtype != torch.int64:
            raise ValueError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}: must be int64 of shape (n,)")
        if bool(((tensor < 0) | (tensor > horizon)).any()):
            raise ValueError(f"{name}={tensor.tolist()!r}: must lie in [0, {horizon}]")
    return turn_mask(lengths, horizon, pivots)


def advantage_mass(advantages: Tensor) -> tuple[float, float]:
    """Sums of the positive advantages and of |negative ones|."""
    finite("advantages", advantages)
    return float(advantages.clamp(min=0).sum()), float((-advantages).clamp(min=0).sum())


def dominance_ratio(successes: int, group_size: int, *, alpha: float = ALPHA, rule: str = "paper") -> float:
    """Positive over negative advantage mass of c successes among N binary rewards, in closed form (ours).

    alpha·N/(N − c) by the paper's rule, N/(N − c) by the code's, alpha by "scale", 1 for "none" (plain A = R − mean and
    GRPO). Groups without contrast: infinity when all succeed and the rule keeps them ("paper", "code"), else NaN.
    """
    N = at_least("group_size", group_size, 1)
    c = at_least("successes", successes, 0)
    in_range("successes", c, 0, N)
    in_range("alpha", alpha, 1.0, math.inf, open_high=True)
    one_of("rule", rule, (*RULES, "none"))
    kept = rule in ("paper", "code")
    if c == 0:
        return math.nan
    if c == N:
        return math.inf if kept else math.nan
    gain = alpha if rule in ("paper", "scale") else 1.0
    return gain * N / (N - c) if kept else gain
