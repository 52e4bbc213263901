"""The step of diffGrad (Dubey et al. 2019, arXiv 1909.11015, eq. 20) without an optimizer object.

``step_`` is the formula itself, on one tensor and in place; ``diffgrad_update`` is a pure function on dicts of tensors.
Both take stacked members: tensors whose axis 0 counts independent networks, each with its own learning rate.
"""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.diffgrad.friction import VARIANTS, friction

EPS_MODES = ("corrected", "uncorrected")
STATE = ("exp_avg", "exp_avg_sq", "previous_grad")

State = dict[str, dict[str, Tensor]]


def step_(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    previous_grad: Tensor,
    *,
    step: int,
    lr: float | Tensor,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float | Tensor = 1e-8,
    variant: str = "dfc",
    eps_mode: str = "corrected",
    rows: Tensor | None = None,
    stacked: bool = False,
) -> Tensor:
    """Take step ``step`` = 1, 2, … of eq. (20) in place on one tensor and return its friction xi.

        m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   xi = sigmoid(|g_prev - g|),
        theta <- theta - lr xi (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),   g_prev <- copy of g

    ``eps_mode="uncorrected"`` adds ``eps`` to sqrt(v) instead of sqrt(v / (1 - b2^t)), as both published codes do.
    ``lr`` and ``eps`` may be tensors that broadcast against ``param``. ``rows``: indices (axis 0) of the members that
    feel the friction; for all others xi = 1 (``None``: all do). ``stacked``: see `friction`.
    """
    beta1, beta2 = betas
    exp_avg.mul_(beta1).add_(grad, alpha=1 - beta1)
    exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    if rows is None:
        xi = friction(previous_grad, grad, variant, stacked=stacked)
    else:  # an exponential for each entry is the dearest part of a step
        rubbed = friction(previous_grad.index_select(0, rows), grad.index_select(0, rows), variant, stacked=stacked)
        xi = torch.ones_like(grad).index_copy_(0, rows, rubbed)
    root = math.sqrt(1 - beta2**step)
    if eps_mode == "corrected":
        denominator, size = (exp_avg_sq.sqrt() / root).add_(eps), lr / (1 - beta1**step)
    else:
        denominator, size = exp_avg_sq.sqrt().add_(eps), lr * root / (1 - beta1**step)
    if isinstance(size, Tensor):
        param.sub_((exp_avg * xi).div_(denominator).mul_(size))
    else:
        param.addcdiv_(exp_avg * xi, denominator, value=-size)
    previous_grad.copy_(grad)
    return xi


def diffgrad_state(params: Mapping[str, Tensor]) -> State:
    """The state before the first step: zero moments and, as in the paper, a zero previous gradient."""
    return {key: {name: torch.zeros_like(p) for name, p in params.items()} for key in STATE}


def diffgrad_update(
    params: Mapping[str, Tensor],
    grads: Mapping[str, Tensor],
    state: State,
    *,
    lr: float | Tensor,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float | Tensor = 1e-8,
    variant: str = "dfc",
    step: int,
    variant_mask: Tensor | None = None,
    eps_mode: str = "corrected",
) -> tuple[dict[str, Tensor], State]:
    """One step of eq. (20) on named tensors: new parameters and new state; the arguments stay as they were.

    ``state`` comes from `diffgrad_state` or the last call; ``step`` counts from 1. A stack of M members (axis 0 of
    every tensor) takes ``lr`` and ``eps`` of shape (M,) or (M, 1, …), and ``variant_mask``, a bool tensor (M,): True
    members use the friction ``variant``, False members xi = 1. So Adam (False, lr), Adam at half the rate (False, lr /
    2) and diffGrad (True, lr) run in one stack, and a member's result does not depend on the others. Raises
    ``ValueError`` for names, shapes or values that do not fit.

    >>> w = {"w": torch.zeros(2, 3)}
    >>> rates = torch.tensor([0.1, 0.2])
    >>> w, s = diffgrad_update(w, {"w": torch.ones(2, 3)}, diffgrad_state(w), lr=rates, step=1)
    >>> w["w"][:, 0]                     # -lr sigmoid(1)
    tensor([-0.0731, -0.1462])
    """
    validate.at_least("step", step, 1)
    validate.one_of("variant", variant, VARIANTS)
    validate.one_of("eps_mode", eps_mode, EPS_MODES)
    check_betas(betas)
    if set(params) != set(grads):
        raise ValueError(f"grads={sorted(grads)}: must have the names of params, {sorted(params)}")
    stacked = any(isinstance(value, Tensor) and value.dim() > 0 for value in (lr, eps, variant_mask))
    new: dict[str, Tensor] = {}
    moments: State = {key: {} for key in STATE}
    for name, param in params.items():
        own = [state[key][name].clone() for key in STATE]
        validate.same_shape(**{f"params[{name!r}]": param, f"grads[{name!r}]": grads[name], f"state[{name!r}]": own[0]})
        new[name] = param.clone()
        step_(
            new[name], grads[name], *own, step=step, betas=betas, variant=variant, eps_mode=eps_mode, stacked=stacked,
            lr=_per_member("lr", lr, param), eps=_per_member("eps", eps, param),
            rows=None if variant_mask is None else _rows(variant_mask, param),
        )
        for key, value in zip(STATE, own, strict=True):
            moments[key][name] = value
    return new, moments


def check_betas(betas: tuple[float, float]) -> None:
    """Raise ``ValueError`` unless ``betas`` is a pair of numbers in [0, 1)."""
    if len(betas) != 2:
        raise ValueError(f"betas={betas!r}: must be two numbers in [0, 1)")
    for i, beta in enumerate(betas):
        validate.in_range(f"betas[{i}]", beta, 0.0, 1.0, open_high=True)


def _per_member(name: str, value: Any, param: Tensor) -> Any:
    """A number or None as it is; a tensor (M,) shaped to broadcast over the trailing axes of ``param`` (M, …)."""
    if not isinstance(value, Tensor) or value.dim() == 0:
        return value
    if param.dim() == 0 or value.numel() != param.shape[0] or value.shape[0] != param.shape[0]:
        shape = tuple(param.shape)
        raise ValueError(f"{name} has shape {tuple(value.shape)}: must be one number a member; a parameter is {shape}")
    return value.reshape(-1, *[1] * (param.dim() - 1))


def _rows(mask: Tensor, param: Tensor) -> Tensor:
    """The members where ``mask`` is True, as indices."""
    if mask.dtype != torch.bool or mask.numel() != (param.shape[0] if param.dim() else -1):
        raise ValueError(
            f"variant_mask is {mask.dtype} {tuple(mask.shape)}: must be bool, one entry a member; a parameter is "
            f"{tuple(param.shape)}"
        )
    return mask.flatten().nonzero().flatten()
