"""Input gradients, rankings of coordinates, and what is kept of an image (arXiv 2102.12781, Sec. 2 and 3).

The attribution of the paper is ``G(x) = |d f_c(x) / dx|`` with c the *predicted* label. Coordinates are ranked by
decreasing G; :func:`unmask` names its two sides by what they keep.
"""
from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gradscape import validate
from gradscape.robustness import attacks
from gradscape.robustness.attacks import Model

OF = ("logit", "loss")
KEEP = ("top", "bottom")


def input_gradient(
    model: Model, x: Tensor, target: Tensor | Literal["predicted"] = "predicted", of: str = "logit"
) -> Tensor:
    """Gradient by the inputs of one logit, or of the cross-entropy, for every image: shaped like the logits' stack.

    ``x`` (N, d) or (…, N, d) finite; ``model`` maps it to logits (…, N, K). A stack of E networks that shares (N, d)
    answers (E, N, d). ``target`` is "predicted" or labels int64 (…, N). With one logit (K = 1) its gradient is meant,
    whatever the label. Signed: the paper ranks ``abs()`` of it. One pass of autograd on the summed logits.

    ``ValueError`` for inputs that are not finite or not real, unknown ``of`` or ``target``, labels that do not fit.

    >>> input_gradient(lambda x: x @ torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([[2., 0.]])
    """
    validate.one_of("of", of, OF)
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 2:
        found = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x is {found}: must be a real tensor (…, N, d)")
    validate.finite("x", x)
    if isinstance(target, str):
        validate.one_of("target", target, ("predicted",))
    with torch.no_grad():
        shape = model(x[..., :1, :]).shape
    if len(shape) > x.dim():  # a stack of networks: each member needs images of its own to be derived by
        x = x.expand(*shape[:-2], *x.shape[-2:])
    labels = None if isinstance(target, str) else target
    if of == "loss":
        if shape[-1] < 2:
            raise ValueError(f"of={of!r}: needs at least two logits, the model gives {shape[-1]}")
        return attacks.input_gradient(model, x, labels)
    with torch.enable_grad():
        moved = x.detach().clone().requires_grad_()
        logits = model(moved)
        index = logits.detach().argmax(-1) if labels is None else _classes(labels, logits)
        chosen = logits.gather(-1, index.unsqueeze(-1)).sum()
        (gradient,) = torch.autograd.grad(chosen, moved)
    return gradient


def _classes(labels: Tensor, logits: Tensor) -> Tensor:
    """The logit of each label: that of the label itself, or the only one."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        raise ValueError(f"target has dtype {getattr(labels, 'dtype', type(labels).__name__)}: must be int64")
    try:
        wide = labels.expand(logits.shape[:-1])
    except RuntimeError:
        raise ValueError(f"target has shape {tuple(labels.shape)}: must be {tuple(logits.shape[:-1])} or its last "
                         "axis") from None
    classes = max(logits.shape[-1], 2)
    if int(wide.min()) < 0 or int(wide.max()) >= classes:
        raise ValueError(f"target spans {int(wide.min())} to {int(wide.max())}: must lie in 0 to {classes - 1}")
    return wide if logits.shape[-1] > 1 else torch.zeros_like(wide)


def rank(score: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Position of every coordinate in the order of decreasing score, int16 (…, d): 0 has the largest score.

    Ties go to the lower index, or with ``generator`` to a random one of those tied (dead units leave exact zeros).
    ``ValueError`` for scores that are not finite or have more than 32,767 coordinates.

    >>> rank(torch.tensor([[0.1, 0.9, 0.5]]))
    tensor([[2, 0, 1]], dtype=torch.int16)
    """
    validate.finite("score", score)
    if score.dim() < 1 or score.shape[-1] > torch.iinfo(torch.int16).max:
        raise ValueError(f"score has shape {tuple(score.shape)}: must be (…, d) with d up to 32767")
    rows = score.reshape(-1, score.shape[-1])
    ordered, order = rows.sort(dim=-1, descending=True, stable=True)
    if generator is not None:
        tied = (ordered[:, 1:] == ordered[:, :-1]).any(-1).nonzero().squeeze(1)
        if len(tied):
            shuffled = torch.rand(len(tied), rows.shape[1], generator=generator).argsort(-1)
            again = rows[tied].gather(-1, shuffled).sort(dim=-1, descending=True, stable=True)[1]
            order[tied] = shuffled.gather(-1, again)
    places = torch.arange(rows.shape[1], dtype=torch.int16).expand(rows.shape)
    return torch.empty(rows.shape, dtype=torch.int16).scatter_(-1, order, places).view(score.shape)


def kept(k: float, d: int) -> int:
    """How many of ``d`` coordinates the level ``k`` in (0, 1] keeps: ``round(k d)``. ``ValueError`` otherwise."""
    validate.in_range("k", k, 0.0, 1.0, open_low=True)
    return round(k * d)


def window(k: float, d: int, keep: str) -> tuple[int, int]:
    """First and one past the last position of :func:`rank` that a side keeps."""
    n = kept(k, d)
    return (0, n) if validate.one_of("keep", keep, KEEP) == "top" else (d - n, d)


def unmask(
    x: Tensor,
    score: Tensor,
    k: float,
    keep: str = "top",
    value: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Keep the ``round(k d)`` coordinates of x with the largest ("top") or smallest ("bottom") score; ``value`` else.

    ``score`` (…, d) broadcasts against ``x`` (…, d); ties as in :func:`rank`, so that with one order top-k and
    bottom-(1 - k) partition the coordinates. ``ValueError`` for shapes that do not fit, ``k`` outside (0, 1], an
    unknown ``keep``.

    >>> unmask(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.1, 0.9, 0.5]]), 1 / 3)
    tensor([[0., 2., 0.]])
    """
    low, high = window(k, x.shape[-1], keep)
    try:
        torch.broadcast_shapes(score.shape, x.shape)
    except RuntimeError:
        raise ValueError(f"score has shape {tuple(score.shape)}: must fit x, {tuple(x.shape)}") from None
    if score.shape[-1] != x.shape[-1]:
        raise ValueError(f"score has {score.shape[-1]} coordinates: x has {x.shape[-1]}")
    position = rank(score, generator)
    return torch.where((position >= low) & (position < high), x, torch.full_like(x, value))


def random_attribution(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Scores that know nothing, uniform in [0, 1): DiffROAR's ranking of reference, with expectation 0."""
    return torch.rand(*shape, generator=generator)


def tied(score: Tensor) -> float:
    """Share of coordinates whose score is that of another coordinate of the same image."""
    ordered = score.sort(-1)[0]
    same = ordered[..., 1:] == ordered[..., :-1]
    first, last = torch.nn.functional.pad(same, (0, 1)), torch.nn.functional.pad(same, (1, 0))
    return float((first | last).float().mean())


def signal_hit_rate(gradient: Tensor, place: Tensor, among: Tensor | None = None) -> Tensor:
    """Share of points whose largest |gradient| is at ``place``; ties count as a random choice among them.

    ``gradient`` (…, N, d), ``place`` (N,) int64, ``among`` the coordinates that compete (default: all). Returns (…).
    ``ValueError`` for shapes that differ, or a place that does not compete.
    """
    size = validate.finite("gradient", gradient).abs()
    if place.dtype != torch.int64 or place.shape != gradient.shape[-2:-1]:
        raise ValueError(f"place is {place.dtype} of shape {tuple(place.shape)}: must be int64, "
                         f"({gradient.shape[-2]},)")
    columns = torch.arange(gradient.shape[-1]) if among is None else among
    if int(place.min()) < 0 or not bool(torch.isin(place, columns).all()):
        raise ValueError("place: holds a coordinate that is not among those that compete")
    competing = size[..., columns]
    largest = competing.amax(-1, keepdim=True)
    at = size.gather(-1, place.expand(size.shape[:-1]).unsqueeze(-1))
    hit = (at >= largest).squeeze(-1).double()
    return (hit / (competing == largest).sum(-1)).mean(-1)
