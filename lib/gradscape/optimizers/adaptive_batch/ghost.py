"""Statistics of per-sample gradients without the gradients: "ghost norms".

For a linear layer with input a_i and gradient d_i at its output, the per-sample weight gradient is d_i a_i', so
||g_i||² = ||d_i||² (||a_i||² + 1) and <g_i, G> = d_i' (G_W a_i + G_b): two matrix products, O(b) memory. Layers with
several positions t in a sample (convolutions) sum d_t a_t' over t. Summed over layers these are the exact flattened
quantities.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradscape.learning import per_sample
from gradscape.learning.per_sample import GradientStats, Loss

Use = tuple[nn.Module, Tensor, Tensor]  # a layer, what came in, what went out


def ghost_stats(
    model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor
) -> tuple[dict[str, Tensor], GradientStats]:
    """The gradient of the batch's mean loss by name, and the statistics of the b per-sample gradients behind it.

    ``loss_fn(model(x), y)`` is the mean over the batch or the vector of losses. `nn.Linear` and `nn.Conv2d` (one group,
    zero padding), each used once, with anything parameter-free between them that treats samples one by one, need no
    per-sample gradient; for other models `per_sample.grads` computes them. Gradients ``p.grad`` are left alone.
    Raises ``ValueError`` for b < 2 or a result that is not finite, ``TypeError`` for running batch statistics.
    """
    return ghost_step(model, loss_fn, x, y)[1:]


def ghost_step(
    model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor
) -> tuple[float, dict[str, Tensor], GradientStats]:
    """As `ghost_stats`, with the batch's mean loss first."""
    per_sample.check_samples(model, x, y)
    if len(x) < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}: at least b = 2 samples are needed")
    found = _ghost(model, loss_fn, x, y) if supported(model) else None
    return found if found is not None else explicit_step(model, loss_fn, x, y)


def explicit_step(
    model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor, *, coordinate: bool = False
) -> tuple[float, dict[str, Tensor], GradientStats]:
    """As `ghost_step` for any model, with all per-sample gradients in memory; ``coordinate`` as `per_sample.stats`."""
    grads = per_sample.grads(model, loss_fn, x, y)
    with torch.no_grad():
        loss = float(loss_fn(model(x), y).mean())
    means = {name: tensor.mean(0) for name, tensor in grads.items()}
    return loss, means, per_sample.stats(grads, coordinate=coordinate)


def supported(model: nn.Module) -> bool:
    """Whether every parameter belongs to a layer that `ghost_stats` knows, and to one only."""
    owners = [layer for layer in model.modules() if next(layer.parameters(recurse=False), None) is not None]
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    shared = len(names) != len(list(model.parameters()))
    batchwise = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    return bool(owners) and not shared and not batchwise and all(map(_known, owners))


def _known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear)


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[Use]]:
    """The layers with parameters in the order of their use, with what went in and out."""
    uses: list[Use] = []

    def note(layer: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        uses.append((layer, given[0].detach(), out))
        return out.clone()  # what works in place on it must not change the tensor whose gradient is asked for

    handles = [
        layer.register_forward_hook(note) for layer in model.modules()
        if any(p.requires_grad for p in layer.parameters(recurse=False))
    ]
    try:
        yield uses
    finally:
        for handle in handles:
            handle.remove()


def _ghost(
    model: nn.Module, loss_fn: Loss, x: Tensor, y: Tensor
) -> tuple[float, dict[str, Tensor], GradientStats] | None:
    """As `ghost_step`; ``None`` where a layer was used twice, or a parameter outside of its layer."""
    names = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with torch.enable_grad(), _watched(model) as uses:
        loss = loss_fn(model(x), y).mean()
    layers = [layer for layer, *_ in uses]
    if len({id(layer) for layer in layers}) != len(layers) or any(len(out) != len(x) for *_, out in uses):
        return None
    wanted = [*names.values(), *(out for *_, out in uses)]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    grads = {
        name: torch.zeros_like(p) if grad is None else grad
        for (name, p), grad in zip(names.items(), found, strict=False)
    }
    by_parameter = {id(p): grads[name] for name, p in names.items()}
    b = len(x)
    squares, inner = (torch.zeros(b, dtype=torch.float64, device=x.device) for _ in range(2))
    for (layer, given, out), back in zip(uses, found[len(names) :], strict=True):
        if back is not None:
            more, along = _layer(layer, given, out, back * b, by_parameter)
            squares += more
            inner += along
    norm = sum(float(grad.double().square().sum()) for grad in grads.values())
    total = float(squares.sum())
    if not total < float("inf"):
        raise ValueError(f"the gradients of {b} samples hold NaN or infinite entries: all must be finite")
    # mean <g_i, G> is ||G||²; a parameter that also acts outside of its layer breaks this by far more than rounding
    tolerance = torch.finfo(x.dtype).eps ** 0.5 if x.is_floating_point() else 1e-4
    if abs(float(inner.mean()) - norm) > tolerance * (norm + float(inner.abs().mean())):
        return None
    variance = max(0.0, total - b * norm) / (b - 1)
    ip = float(inner.var())
    return float(loss.detach()), grads, GradientStats(b, norm, variance, ip, per_sample.orthogonal(variance, ip, norm))


def _layer(
    layer: nn.Module, given: Tensor, out: Tensor, back: Tensor, grads: dict[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """||g_i||² and <g_i, G> of one layer, (b,) float64; ``back`` is the gradient of each sample's own loss."""
    inputs, d = _positions(layer, given, back)
    weight, bias = (grads.get(id(p)) if p is not None else None for p in (layer.weight, layer.bias))
    b, positions, _ = inputs.shape
    squares, inner = (torch.zeros(b, dtype=torch.float64, device=d.device) for _ in range(2))
    if weight is not None:
        flat = weight.reshape(len(weight), -1)
        if positions == 1:
            squares += d.double().square().sum((1, 2)) * inputs.double().square().sum((1, 2))
        elif positions**2 < flat.numel():  # the Gram matrices of inputs and gradients are smaller than the gradient
            grams = (inputs @ inputs.transpose(1, 2)).double() * (d @ d.transpose(1, 2)).double()
            squares += grams.sum((1, 2))
        else:
            squares += (d.transpose(1, 2) @ inputs).double().square().sum((1, 2))
        inner += ((inputs @ flat.T) * d).double().sum((1, 2))
    if bias is not None:
        sums = d.sum(1)
        squares += sums.double().square().sum(1)
        inner += (sums @ bias).double()
    return squares, inner


def _positions(layer: nn.Module, given: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (b, positions, in) and output gradients (b, positions, out) of a layer."""
    if isinstance(layer, nn.Conv2d):
        columns = F.unfold(given, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
        return columns.transpose(1, 2), back.flatten(2).transpose(1, 2)
    b = len(given)
    return given.reshape(b, -1, given.shape[-1]), back.reshape(b, -1, back.shape[-1])
