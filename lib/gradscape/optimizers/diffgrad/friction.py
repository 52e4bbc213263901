"""The friction coefficient of diffGrad (Dubey et al. 2019, arXiv 1909.11015, eqs. 18-19 and Sec. VII-B).

Not to be confused with momentum: friction scales a step by how much the gradient *changed* since the last step.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from gradscape import validate

VARIANTS = ("dfc", "dfc1", "dfc2", "dfc3", "dfc4", "dfc5", "none", "half")

# DFC3-5 scale |Delta| by this power of the standard deviation of |g|
_SPREAD_POWER = {"dfc3": 1.0, "dfc4": 2.0, "dfc5": 0.5}


def friction(prev_grad: Tensor, grad: Tensor, variant: str = "dfc", *, stacked: bool = False) -> Tensor:
    """Factor xi of each entry's step, from the change Delta = ``prev_grad - grad`` (eq. 18).

    ``"dfc"``: sigmoid(|Delta|), in [1/2, 1] (eq. 19). The variants of Sec. VII-B: ``"dfc1"``: sigmoid(Delta);
    ``"dfc2"``: 9 sigmoid(|Delta|/2) - 4, in [1/2, 5]; ``"dfc3"``, ``"dfc4"``, ``"dfc5"``: sigmoid(s |Delta| - mu) with
    s = nu, nu^2, sqrt(nu), where mu and nu are mean and standard deviation of |g| over the tensor. The paper prints
    the range [1/2, 1] for these three, which cannot be: at Delta = 0 they are sigmoid(-mu) < 1/2. Two references:
    ``"none"`` (xi = 1, Adam) and ``"half"`` (xi = 1/2, Adam at half the learning rate).

    With ``stacked``, axis 0 counts independent members and mu, nu are taken over each member alone.
    Raises ``ValueError`` for an unknown variant and for two different shapes.

    >>> friction(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 100.0])).tolist()
    [0.5, 1.0]
    """
    validate.one_of("variant", variant, VARIANTS)
    validate.same_shape(prev_grad=prev_grad, grad=grad)
    if variant == "none":
        return torch.ones_like(grad)
    if variant == "half":
        return torch.full_like(grad, 0.5)
    change = prev_grad - grad
    if variant == "dfc1":
        return change.sigmoid_()
    change.abs_()
    if variant == "dfc":
        return change.neg_().exp_().add_(1).reciprocal_()  # as the published codes round it, unlike torch.sigmoid
    if variant == "dfc2":
        return change.mul_(0.5).sigmoid_().mul_(9).sub_(4)
    mean, spread = _size_of(grad, stacked)
    return change.mul_(spread ** _SPREAD_POWER[variant]).sub_(mean).sigmoid_()


def _size_of(grad: Tensor, stacked: bool) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation of |g|, shaped so that they broadcast against ``grad``."""
    size = grad.abs()
    axes = tuple(range(1 if stacked else 0, grad.dim()))
    if not axes:  # one entry a member: its own mean, no spread
        return size, torch.zeros_like(size)
    mean = size.mean(axes, keepdim=True)
    return mean, (size - mean).square().mean(axes, keepdim=True).sqrt()


def change_for(xi: float) -> float:
    """Change |Delta| of the gradient at which ``"dfc"`` reaches ``xi`` in [1/2, 1): the inverse of eq. (19).

    >>> round(change_for(0.75), 4)
    1.0986
    """
    validate.in_range("xi", xi, 0.5, 1.0, open_high=True)
    return math.log(xi / (1 - xi))
