"""diffGrad as a torch optimizer (Dubey et al. 2019, arXiv 1909.11015, eq. 20)."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.learning.gradients import dense_gradients
from gradscape.optimizers.diffgrad.friction import VARIANTS, friction
from gradscape.optimizers.diffgrad.functional import EPS_MODES, check_betas, step_

Pair = tuple[Tensor, Tensor]  # a parameter and its gradient


@dataclass(frozen=True)
class FrictionRecord:
    """How the friction xi was spread over all parameter entries in one step (``step`` counts from 1)."""

    step: int
    mean: float
    median: float
    q99: float
    max: float


class DiffGrad(torch.optim.Optimizer):
    r"""Adam whose step is scaled, entry by entry, by how much the gradient changed since the last step.

    Paper: arXiv 1909.11015, eq. (20), with the bias-corrected means of Adam:
    theta <- theta - lr xi mhat / (sqrt(vhat) + eps), xi = sigmoid(\|g_{t-1} - g_t\|), g_0 = 0. State of each parameter:
    ``step``, ``exp_avg``, ``exp_avg_sq``, ``previous_grad`` (a copy of the last gradient, with its L2 term).

    ``variant`` names the friction (see `friction`); ``"none"`` is Adam, ``"half"`` is Adam at half the learning rate.
    ``weight_decay`` adds an L2 term to the gradient, or, with ``decoupled_weight_decay``, shrinks the parameters
    first, as AdamW does. ``eps_mode="uncorrected"`` adds ``eps`` to sqrt(v) as the published codes do. ``foreach``
    (default: yes) works on all tensors of a group in few calls. ``record_friction`` keeps a `FrictionRecord` a step in
    ``friction_log``. ``alias_bug`` repeats the authors' first published code: it keeps the gradient tensor itself, not
    a copy, so that after ``zero_grad(set_to_none=False)`` the change is zero and xi = 1/2 from the second step on; for
    demonstration only.

    Raises ``ValueError`` for an option out of range, ``RuntimeError`` for sparse or complex gradients (before anything
    is changed). A checkpoint of ``torch_optimizer.DiffGrad`` can be loaded.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = DiffGrad([weight], lr=0.1)
    >>> weight.square().sum().backward(); optimizer.step()
    >>> round(weight.item(), 4)          # 1 - 0.1 sigmoid(2)
    0.9119
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        variant: str = "dfc",
        eps_mode: str = "corrected",
        alias_bug: bool = False,
        maximize: bool = False,
        foreach: bool | None = None,
        record_friction: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "variant": variant, "eps_mode": eps_mode,
            "alias_bug": alias_bug, "maximize": maximize, "foreach": foreach, "record_friction": record_friction,
        }
        _check_options(defaults)
        self.friction_log: list[FrictionRecord] = []
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group as `torch.optim.Optimizer` does, after a check of the options it sets itself."""
        _check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("friction_log", [])
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)
            for p in group["params"]:
                own = self.state.get(p, {})
                if "step" in own and not isinstance(own["step"], Tensor):  # a plain count in others' checkpoints
                    own["step"] = torch.tensor(float(own["step"]))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; ``closure``, if given, recomputes the loss and its gradients first. Returns its loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        active = dense_gradients("DiffGrad", self.param_groups)
        recorded: list[Tensor] = []
        for group, pairs in zip(self.param_groups, active, strict=True):
            if not pairs:
                continue
            fast = group["foreach"] is not False and not group["alias_bug"]
            xis = self._step_all(group, pairs) if fast else self._step_each(group, pairs)
            if group["record_friction"]:
                recorded += [xi.flatten() for xi in xis]
        if recorded:
            self.friction_log.append(summarize(len(self.friction_log) + 1, torch.cat(recorded)))
        return loss

    def _state_of(self, p: Tensor) -> dict[str, Tensor]:
        own = self.state[p]
        if not own:
            own["step"] = torch.tensor(0.0)  # on the host, so that the bias corrections never wait for a device
            for name in ("exp_avg", "exp_avg_sq", "previous_grad"):
                own[name] = torch.zeros_like(p, memory_format=torch.preserve_format)
        return own

    def _step_each(self, group: dict[str, Any], pairs: list[Pair]) -> list[Tensor]:
        """One tensor after the other, as the formula reads."""
        lr, decay, xis = float(group["lr"]), group["weight_decay"], []
        for p, found in pairs:
            own = self._state_of(p)
            own["step"] += 1
            grad = -found if group["maximize"] else found
            if decay and group["decoupled_weight_decay"]:
                p.mul_(1 - lr * decay)
            elif decay and group["alias_bug"]:
                grad.add_(p, alpha=decay)  # in place, as the authors' code does
            elif decay:
                grad = grad.add(p, alpha=decay)
            xis.append(step_(
                p, grad, own["exp_avg"], own["exp_avg_sq"],
                own["previous_grad"].clone() if group["alias_bug"] else own["previous_grad"],
                step=int(own["step"]), lr=lr, betas=group["betas"], eps=group["eps"], variant=group["variant"],
                eps_mode=group["eps_mode"],
            ))
            if group["alias_bug"]:
                own["previous_grad"] = found
        return xis

    def _step_all(self, group: dict[str, Any], pairs: list[Pair]) -> list[Tensor]:
        """All tensors of a group together: a dozen calls, however many tensors there are."""
        lr, (beta1, beta2), decay = float(group["lr"]), group["betas"], group["weight_decay"]
        params = [p for p, _ in pairs]
        grads = [grad for _, grad in pairs]
        states = [self._state_of(p) for p in params]
        first, second, previous, counts = (
            [own[name] for own in states] for name in ("exp_avg", "exp_avg_sq", "previous_grad", "step")
        )
        torch._foreach_add_(counts, 1.0)
        steps = [count.item() for count in counts]
        if group["maximize"]:
            grads = list(torch._foreach_neg(grads))
        if decay and group["decoupled_weight_decay"]:
            torch._foreach_mul_(params, 1 - lr * decay)
        elif decay:
            grads = list(torch._foreach_add(grads, params, alpha=decay))

        torch._foreach_lerp_(first, grads, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, grads, grads, 1 - beta2)
        scaled, xis = self._scale_by_friction(group, first, previous, grads)

        roots = [math.sqrt(1 - beta2**t) for t in steps]
        sizes = [-lr / (1 - beta1**t) for t in steps]
        denominators = torch._foreach_sqrt(second)
        if group["eps_mode"] == "corrected":
            torch._foreach_div_(denominators, roots)
        else:
            sizes = [size * root for size, root in zip(sizes, roots, strict=True)]
        torch._foreach_add_(denominators, group["eps"])
        torch._foreach_addcdiv_(params, scaled, denominators, sizes)
        torch._foreach_copy_(previous, grads)
        return xis

    @staticmethod
    def _scale_by_friction(
        group: dict[str, Any], first: list[Tensor], previous: list[Tensor], grads: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """xi times the first moment, and xi itself if it is to be recorded; may overwrite ``previous``."""
        if group["variant"] == "dfc" and not group["record_friction"]:
            torch._foreach_sub_(previous, grads)  # the room of the old gradient serves for |Delta| and xi
            torch._foreach_abs_(previous)
            torch._foreach_sigmoid_(previous)
            torch._foreach_mul_(previous, first)
            return previous, []
        xis = [friction(old, new, group["variant"]) for old, new in zip(previous, grads, strict=True)]
        return list(torch._foreach_mul(xis, first)), xis


def summarize(step: int, xi: Tensor) -> FrictionRecord:
    """Mean, median, 99 % quantile and maximum of a tensor of frictions."""
    xi = xi.float()
    ordered = torch.sort(xi).values
    last = ordered.numel() - 1
    median, q99 = ordered[last // 2].item(), ordered[math.ceil(0.99 * last)].item()
    return FrictionRecord(step, xi.mean().item(), median, q99, ordered[-1].item())


def _check_options(options: dict[str, Any]) -> None:
    """Raise ``ValueError`` for the first option that is out of range."""
    lr = options["lr"]
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"lr has shape {tuple(lr.shape)}: must be a number or a tensor with one entry")
    validate.nonnegative("lr", float(lr))
    validate.nonnegative("eps", options["eps"])
    validate.nonnegative("weight_decay", options["weight_decay"])
    check_betas(options["betas"])
    validate.one_of("variant", options["variant"], VARIANTS)
    validate.one_of("eps_mode", options["eps_mode"], EPS_MODES)
    if options["alias_bug"] and (options["maximize"] or options["foreach"] or options["decoupled_weight_decay"]):
        raise ValueError(
            "alias_bug=True: repeats the authors' first code, which has no maximize, foreach or decoupled_weight_decay"
        )
