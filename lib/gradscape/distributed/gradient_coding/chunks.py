"""Which samples of a batch each worker touches (Krishnan et al. 2022, arXiv 2211.13802, M-SGC)."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.gradient_coding.schemes import MSGC, Scheme


@dataclass(frozen=True)
class Layout:
    """Sample indices of a batch: ``own`` (n, W - 1, size) uncoded chunks, ``coded`` (groups, n, size) parts of coded
    groups.

    Together they hold each sample once. In a coded group worker i computes parts i, i + 1, …, i + s (mod n).
    """

    own: Tensor
    coded: Tensor


def shares(scheme: Scheme) -> tuple[int, int, int]:
    """Chunks in units of the smallest: (size of an own chunk, size of a coded part, units in a batch)."""
    if not isinstance(scheme, MSGC):
        return 0, 1, scheme.n
    if not scheme.groups:
        return 1, 0, scheme.n * scheme.own
    return scheme.lam + 1, 1, scheme.n * (scheme.B + scheme.own * (scheme.lam + 1))


def layout(scheme: Scheme, batch: int) -> Layout:
    """Cut a batch of ``batch`` samples; ``ValueError`` unless the scheme's number of units divides it.

    >>> from gradscape.distributed.gradient_coding.schemes import make
    >>> [tuple(part.shape) for part in (layout(make("msgc", 16, (1, 2, 3)), 1600).own,
    ...                                 layout(make("msgc", 16, (1, 2, 3)), 1600).coded)]
    [(16, 1, 80), (1, 16, 20)]
    """
    validate.at_least("batch", batch, 1)
    own, coded, units = shares(scheme)
    if batch % units:
        raise ValueError(f"batch={batch!r}: {scheme!r} cuts a batch into {units} equal units; take a multiple")
    unit = batch // units
    cut = scheme.n * scheme.own * own * unit
    indices = torch.arange(batch)
    return Layout(
        indices[:cut].view(scheme.n, scheme.own, own * unit),
        indices[cut:].view(scheme.groups, scheme.n, coded * unit),
    )
