"""The sub-gradient method as a torch optimizer, for factored models whose loss autograd differentiates."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.learning.gradients import dense_gradients


class SubGM(torch.optim.Optimizer):
    """``p <- p - lr rho^t/norm · grad``: steps that shrink geometrically (the paper's step rule for outliers).

    ``norm_fn()`` returns ‖Q(U)‖_F, the norm of the sub-gradient with respect to the *matrix* UUᵀ; without it ``norm``
    is 1. Dividing by the norm of the gradient itself would be another method, which leaves small starts in one leap. A
    norm of 0 means a stationary point: nothing moves. ``t`` counts the steps of each group and is part of its state.
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 0.15, rho: float = 0.995,
        norm_fn: Callable[[], float | Tensor] | None = None, *, foreach: bool | None = None,
    ) -> None:
        validate.nonnegative("lr", lr)
        validate.in_range("rho", rho, 0.0, 1.0, open_low=True)
        self.norm_fn = norm_fn
        super().__init__(params, {"lr": lr, "rho": rho, "t": 0, "foreach": foreach})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; ``closure`` re-evaluates the loss first. ``RuntimeError`` for sparse or complex gradients,
        ``ValueError`` when ``norm_fn`` returns a negative number or NaN."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        norm = 1.0 if self.norm_fn is None else validate.nonnegative("norm_fn()", float(self.norm_fn()))
        active = dense_gradients("SubGM", self.param_groups)
        for group, pairs in zip(self.param_groups, active, strict=True):
            size = group["lr"] * group["rho"] ** group["t"] / norm if norm else 0.0
            if group["foreach"] is False:
                for p, grad in pairs:
                    p.add_(grad, alpha=-size)
            elif pairs:
                torch._foreach_add_([p for p, _ in pairs], [grad for _, grad in pairs], alpha=-size)
            group["t"] += 1
        return value
