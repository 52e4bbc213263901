"""The two sides of the paper's equilibrium: estimating error and gradient instability (arXiv 2308.06689, Sec. 3)."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradscape import validate
from gradscape.credit.rectified_ste.estimators import Number, estimator


def estimating_error(
    weights: Tensor | Sequence[Tensor], o: Number = 3.0, *, kind: str = "reste", members: bool = False, **params: Number
) -> Tensor:
    """e = ||sign(w) - f(w)||_2 of each layer; the paper's total is its ``.sum(-1)``.

    f is the plain power with the given ``o`` (the official code takes the final o all through training, and no
    truncation), or another ``kind`` with its ``params``. ``weights``: one tensor gives a number, a sequence of L layers
    (L,). With ``members`` the first axis of each tensor counts networks, and so does that of the result, (M,) or
    (M, L); ``o`` may then be (M, 1, ...). ``ValueError`` for empty weights or ones that are not finite.

    >>> estimating_error(torch.linspace(-2, 2, 9), o=3.0)
    tensor(0.5120)
    """
    given = {**params, "o": o} if kind == "reste" else params

    def of(w: Tensor) -> Tensor:
        gap = torch.sign(validate.finite("weights", w)) - estimator(w, kind, **given)
        return torch.linalg.vector_norm(gap.flatten(1), dim=1) if members else torch.linalg.vector_norm(gap)

    return _per_layer(weights, "weights", of, members)


def gradient_instability(grads: Tensor | Sequence[Tensor], *, members: bool = False) -> Tensor:
    """s = Var(|g|) over the entries of each layer's weight gradient (unbiased); the paper's total is ``.sum(-1)``.

    Shapes as in `estimating_error`. It grows with the square of the loss's scale and depends on the batch: compare
    within one set-up only. ``ValueError`` for gradients that are not finite or have fewer than two entries.

    >>> gradient_instability(torch.tensor([-0.1, 0.2, 0.05, -0.4, 0.0]))
    tensor(0.0250)
    """

    def of(g: Tensor) -> Tensor:
        if g[0].numel() < 2 if members else g.numel() < 2:
            raise ValueError(f"grads has shape {tuple(g.shape)}: a variance needs at least two entries")
        return spread(validate.finite("grads", g), members=members)

    return _per_layer(grads, "grads", of, members)


def spread(grads: Tensor, *, members: bool) -> Tensor:
    """Var(|g|) of one layer without any checks, as training calls it; in two passes, ten times as fast as ``var``."""
    sizes = grads.abs().flatten(1 if members else 0)
    return (sizes - sizes.mean(-1, keepdim=True)).square_().sum(-1) / (sizes.shape[-1] - 1)


def _per_layer(tensors: Tensor | Sequence[Tensor], name: str, of: object, members: bool) -> Tensor:
    assert callable(of)
    if isinstance(tensors, Tensor):
        tensors = [tensors]
        single = True
    else:
        single = False
    if len(tensors) == 0:
        raise ValueError(f"{name} is empty: at least one layer is needed")
    for layer in tensors:
        if not isinstance(layer, Tensor) or not layer.is_floating_point():
            raise ValueError(f"{name} holds {getattr(layer, 'dtype', layer)!r}: must be tensors of real floats")
        if members and layer.dim() < 2:
            raise ValueError(f"{name} has shape {tuple(layer.shape)}: members=True needs a leading axis of networks")
    found = torch.stack([of(layer) for layer in tensors], -1)
    return found[..., 0] if single else found
