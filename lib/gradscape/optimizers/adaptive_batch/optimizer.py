"""AdaGrad with one number instead of one per entry: the AdaGrad-Norm of AdAdaGradNorm (arXiv 2402.11215)."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.learning.gradients import dense_gradients

SCOPES = ("global", "tensor", "row")
KEY = "accumulator"  # where groups keep the global sum; options of a group are saved without loss of precision

Pair = tuple[Tensor, Tensor]


class AdaGradNorm(torch.optim.Optimizer):
    r"""v <- v + ||g||², x <- x - lr g/(sqrt(v) + eps), with v of everything, of a tensor or of a row.

    ``scope="global"``: one v for all parameters of all groups with this scope, the method of the theory. ``"tensor"``:
    one for each tensor. ``"row"``: one for each output row of a weight with two or four dimensions; an entry of a
    vector has its own, plus the row sum of the last weight before it, as in the authors' published class (use
    ``initial_accumulator_value=1e-2, eps=1e-10`` to repeat it). ``torch.optim.Adagrad`` is the coordinate-wise method.
    A gradient of zero moves nothing, also while v = 0. State of a tensor: ``sum`` (not for the global scope, whose
    float64 sum is the group's option ``accumulator``). ``foreach`` (default: yes) works on all tensors in few calls.

    Raises ``ValueError`` for an option out of range, ``RuntimeError`` for sparse or complex gradients (before anything
    is changed).

    >>> weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> optimizer = AdaGradNorm([weight], lr=1.0)
    >>> weight.square().sum().backward(); optimizer.step()
    >>> weight.detach()                  # a first step of length lr
    tensor([2.4000, 3.2000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 0.0,
        scope: str = "global",
        *,
        maximize: bool = False,
        foreach: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "initial_accumulator_value": initial_accumulator_value, "eps": eps, "scope": scope,
            "maximize": maximize, "foreach": foreach,
        }
        _check_options(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group as `torch.optim.Optimizer` does; with the global scope it joins the common sum."""
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if group["scope"] == "global":
            start = torch.tensor(float(group["initial_accumulator_value"]), dtype=torch.float64)
            group[KEY] = next((other[KEY] for other in self.param_groups[:-1] if KEY in other), start)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; ``closure``, if given, recomputes the loss and its gradients first. Returns its loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        active = dense_gradients("AdaGradNorm", self.param_groups)
        together = [k for k, group in enumerate(self.param_groups) if group["scope"] == "global"]
        if together:
            self._accumulate([pair for k in together for pair in active[k]], [self.param_groups[k] for k in together])
        rows: Tensor | None = None
        for group, pairs in zip(self.param_groups, active, strict=True):
            if group["scope"] == "row":
                rows = self._step_rows(group, pairs, rows)
            elif pairs and group["foreach"] is False:
                self._step_each(group, pairs)
            elif pairs:
                self._step_all(group, pairs)
        return loss

    def _accumulate(self, pairs: list[Pair], groups: list[dict[str, Any]]) -> None:
        """Add the squared norm of all gradients to the sum that the groups share."""
        squares = [norm.double().square().cpu() for norm in torch._foreach_norm([grad for _, grad in pairs])]
        common = groups[0][KEY] + (torch.stack(squares).sum() if squares else 0.0)
        for group in groups:
            group[KEY] = common

    def _sum_of(self, group: dict[str, Any], p: Tensor, shape: tuple[int, ...]) -> Tensor:
        own = self.state[p]
        if not own:
            own["sum"] = torch.full(shape, float(group["initial_accumulator_value"]), dtype=p.dtype, device=p.device)
        return own["sum"]

    def _step_each(self, group: dict[str, Any], pairs: list[Pair]) -> None:
        """One tensor after the other, as the formula reads."""
        for p, grad in pairs:
            if group["scope"] == "global":
                root = float(group[KEY].sqrt())
            else:
                total = self._sum_of(group, p, ())
                total += grad.square().sum()
                root = float(total.sqrt())
            denominator = root + group["eps"]
            if denominator > 0:
                p.add_(grad, alpha=_sign(group) * float(group["lr"]) / denominator)

    def _step_all(self, group: dict[str, Any], pairs: list[Pair]) -> None:
        """All tensors of a group together."""
        params, grads = [p for p, _ in pairs], [grad for _, grad in pairs]
        if group["scope"] == "global":
            roots = [float(group[KEY].sqrt())] * len(params)
        else:
            sums = [self._sum_of(group, p, ()) for p in params]
            norms = torch._foreach_norm(grads)
            torch._foreach_addcmul_(sums, norms, norms)
            roots = [float(total.sqrt()) for total in sums]
        rate = _sign(group) * float(group["lr"])
        sizes = [rate / (root + group["eps"]) if root + group["eps"] > 0 else 0.0 for root in roots]
        torch._foreach_add_(params, torch._foreach_mul(grads, sizes))

    def _step_rows(self, group: dict[str, Any], pairs: list[Pair], rows: Tensor | None) -> Tensor | None:
        """One sum for each row of a weight; ``rows``, the last weight's squared row norms, go on to the vectors."""
        for p, grad in pairs:
            if grad.dim() in (2, 4):
                total = self._sum_of(group, p, (len(p), *[1] * (p.dim() - 1)))
                rows = grad.flatten(1).square().sum(1)
                total += rows.view(total.shape)
            else:
                total = self._sum_of(group, p, tuple(p.shape))
                if rows is not None and grad.dim() == 1 and rows.numel() % len(grad) == 0:
                    total += rows.to(total).view(len(grad), -1).mean(1)
                total += grad.square()
            denominator = total.sqrt() + group["eps"]
            step = torch.where(denominator > 0, grad / denominator, torch.zeros_like(grad))
            p.add_(step, alpha=_sign(group) * float(group["lr"]))
        return rows


def _sign(group: dict[str, Any]) -> float:
    return 1.0 if group["maximize"] else -1.0


def _check_options(options: dict[str, Any]) -> None:
    """Raise ``ValueError`` for the first option that is out of range."""
    lr = options["lr"]
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"lr has shape {tuple(lr.shape)}: must be a number or a tensor with one entry")
    validate.nonnegative("lr", float(lr))
    validate.nonnegative("initial_accumulator_value", options["initial_accumulator_value"])
    validate.nonnegative("eps", options["eps"])
    validate.one_of("scope", options["scope"], SCOPES)

