"""Adversarial perturbations of inputs: one signed step (FGSM) and projected gradient ascent (PGD).

FGSM: Goodfellow, Shlens & Szegedy 2015, arXiv 1412.6572. PGD: Madry et al. 2018, arXiv 1706.06083. The margin as the
objective: Carlini & Wagner 2017, arXiv 1608.04644, f_6.

Losses are summed over examples, never averaged: each example's gradient is then its own, whatever the batch, and is
not divided into underflow. A model is any differentiable function from inputs (…, B, D) to logits (…, B, K): one
network, or a stack of them with inputs of their own.
"""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradscape import validate

Model = Callable[[Tensor], Tensor]
LOSSES = ("ce", "margin")
NORMS = ("linf", "l2")
_TINY = 1e-30  # a gradient of zeros has no direction and moves nothing


def objective(logits: Tensor, labels: Tensor, loss: str = "ce") -> Tensor:
    """What an attack raises, summed over examples: cross-entropy, or the margin ``max_(j != y) z_j - z_y``.

    ``logits`` (…, B, K), ``labels`` (…, B) long. Scaling the logits scales the margin's gradient; that of the
    cross-entropy underflows to zero instead. ``ValueError`` for an unknown loss.
    """
    if validate.one_of("loss", loss, LOSSES) == "ce":
        return cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="sum")
    own = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    rivals = logits.scatter(-1, labels.unsqueeze(-1), -torch.inf).amax(-1)
    return (rivals - own).sum()


def input_gradient(model: Model, x: Tensor, labels: Tensor | None = None, loss: str = "ce") -> Tensor:
    """Gradient of the summed :func:`objective` by the inputs, shaped like ``x``; ``labels`` None: the predicted ones.

    ``ValueError`` as :func:`fgsm`.
    """
    with torch.enable_grad():
        moved = x.detach().requires_grad_()
        logits = model(moved)
        chosen = _labels(labels, logits, x)
        (gradient,) = torch.autograd.grad(objective(logits, chosen, loss), moved)
    return gradient


def fgsm(
    model: Model,
    x: Tensor,
    eps: float | Tensor,
    labels: Tensor | None = None,
    *,
    clip: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """``clip(x + eps * sign(gradient of the cross-entropy))``, shaped like ``x`` (…, B, D).

    ``labels`` None takes the model's own predictions, as cleverhans does: an image that was misread is then pushed away
    from its wrong label, and may become right. ``eps`` broadcasts against ``x``. ``ValueError`` for inputs outside
    ``clip`` or not finite, negative ``eps``, labels that are not int64, of another shape or out of range.

    >>> fgsm(lambda x: x @ torch.eye(2), torch.tensor([[0.6, 0.4]]), 0.1, torch.tensor([0]))
    tensor([[0.5000, 0.5000]])
    """
    low, high = _inside(x, clip)
    eps = _radius(eps, x)
    return (x + eps * input_gradient(model, x, labels).sign()).clamp(low, high)


def pgd(
    model: Model,
    x: Tensor,
    labels: Tensor | None,
    eps: float | Tensor,
    *,
    norm: str = "linf",
    step: float = 0.25,
    steps: int = 10,
    loss: str = "ce",
    clip: tuple[float, float] = (0.0, 1.0),
    start: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """``steps`` ascent steps of length ``step * eps``, each followed by projection onto the eps-ball and ``clip``.

    ``norm`` "linf" steps along the sign of the gradient, "l2" along the gradient over its norm (the last axis of ``x``
    is then the whole example). ``start`` is the first perturbation (default: none). ``dtype`` (float64, say) is what
    the attack works and answers in; ``model`` must take it. ``ValueError`` as :func:`fgsm`, and for ``step`` <= 0,
    ``steps`` < 1, an unknown ``norm`` or ``loss``, a ``start`` of another shape.
    """
    validate.one_of("norm", norm, NORMS)
    validate.positive("step", step)
    validate.at_least("steps", steps, 1)
    validate.one_of("loss", loss, LOSSES)
    low, high = _inside(x, clip)
    x = x.detach().to(dtype or x.dtype)
    eps = _radius(eps, x)
    # the linf-ball and the clip are boxes, so that one clamp projects onto both
    low_x, high_x = (x - eps).clamp_(low, high), (x + eps).clamp_(low, high)
    moved = x
    if start is not None:
        validate.same_shape(start=validate.finite("start", start), x=x)
        moved = (x + (start.to(x.dtype) if norm == "linf" else _shortened(start.to(x.dtype), eps))).clamp(low_x, high_x)
    if labels is None:
        with torch.no_grad():
            labels = model(x).argmax(-1)
    for _ in range(steps):
        gradient = input_gradient(model, moved, labels, loss)
        if norm == "linf":
            moved = gradient.sign_().mul_(step * eps).add_(moved).clamp_(low_x, high_x)
        else:
            ahead = gradient / torch.linalg.vector_norm(gradient, dim=-1, keepdim=True).clamp_min(_TINY)
            moved = (x + _shortened(moved + step * eps * ahead - x, eps)).clamp(low, high)
    return moved


def _shortened(delta: Tensor, eps: Tensor) -> Tensor:
    """Projection onto the l2-ball, example by example."""
    size = torch.linalg.vector_norm(delta, dim=-1, keepdim=True)
    return delta * (eps / size.clamp_min(_TINY)).clamp(max=1.0)


def _inside(x: Tensor, clip: tuple[float, float]) -> tuple[float, float]:
    low, high = clip
    if not low < high:
        raise ValueError(f"clip={clip!r}: must be (low, high) with low < high")
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 2:
        found = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x is {found}: must be a real tensor (…, B, D)")
    validate.finite("x", x)
    if float(x.min()) < low or float(x.max()) > high:
        raise ValueError(f"x spans {float(x.min()):g} to {float(x.max()):g}: must lie in clip, [{low:g}, {high:g}]")
    return low, high


def _radius(eps: float | Tensor, x: Tensor) -> Tensor:
    try:
        radius = torch.as_tensor(eps, dtype=x.dtype, device=x.device)
        torch.broadcast_shapes(radius.shape, x.shape)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"eps={eps!r}: must be a number or broadcast against x, {tuple(x.shape)}") from None
    if radius.numel() == 0 or not bool((torch.isfinite(radius) & (radius >= 0)).all()):
        raise ValueError(f"eps={eps!r}: must be finite and >= 0")
    return radius


def _labels(labels: Tensor | None, logits: Tensor, x: Tensor) -> Tensor:
    if logits.dim() < 2 or logits.shape[:-1].numel() == 0:
        raise ValueError(f"model gives logits of shape {tuple(logits.shape)}: must be (…, B, K)")
    if labels is None:
        return logits.detach().argmax(-1)
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        raise ValueError(f"labels has dtype {getattr(labels, 'dtype', type(labels).__name__)}: must be int64")
    try:
        wide = labels.expand(logits.shape[:-1])
    except RuntimeError:
        allowed = f"{tuple(logits.shape[:-1])} or its last axis"
        raise ValueError(f"labels has shape {tuple(labels.shape)}: must be {allowed}") from None
    if int(wide.min()) < 0 or int(wide.max()) >= logits.shape[-1]:
        raise ValueError(f"labels span {int(wide.min())} to {int(wide.max())}: must lie in 0 to {logits.shape[-1] - 1}")
    return wide
