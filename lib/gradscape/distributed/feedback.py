"""One round of a client that remembers what its compressed messages left out: classic error compensation and EF21.

Both are pure (state in, message and new state out) and act on the last axis, so any leading axes (runs, clients) go
through at once. Shared by the lessons on error feedback and on EControl.
"""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape.distributed.compressors import Compressor, only
from gradscape.validate import same_shape


def ec_step(
    e: Tensor, g: Tensor, compressor: Compressor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Classic error compensation: send C(e + g), keep the rest (Seide et al. 2014, "EF14").

    ``e``, ``g`` (..., d): what was left out so far, and the new gradient (times the step, if it changes over time).
    Returns the message and the new e; e + g = message + new e, so nothing is ever lost.

    >>> from gradscape.distributed.compressors import TopK
    >>> ec_step(torch.zeros(2), torch.tensor([3.0, 1.0]), TopK(1))
    (tensor([3., 0.]), tensor([0., 1.]))
    """
    same_shape(e=e, g=g)
    total = e + g
    message = compressor(total, generator)
    return message, total - message


def ef21_step(
    h: Tensor, g: Tensor, compressor: Compressor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """EF21: send the compressed change of the gradient, C(g - h) (Richtárik et al. 2021, arXiv 2106.05203, Alg. 2).

    ``h``, ``g`` (..., d): the estimate that client and server share, and the new gradient. Returns the message and the
    new estimate h + message. Where the message holds the whole difference, the estimate is the gradient itself, without
    the rounding of h + (g - h): with nothing compressed EF21 is gradient descent bit for bit.

    >>> from gradscape.distributed.compressors import TopK
    >>> ef21_step(torch.tensor([1.0, 1.0]), torch.tensor([3.0, 0.5]), TopK(1))
    (tensor([2., 0.]), tensor([3., 1.]))
    """
    same_shape(h=h, g=g)
    difference = g - h
    kept = compressor.keep(difference, generator)
    if kept is not None:
        return only(difference, kept), h.scatter(-1, kept, g.gather(-1, kept))
    message = compressor(difference, generator)
    return message, torch.where(message == difference, g, h + message)
