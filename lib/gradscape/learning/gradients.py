"""Gradients that our optimizers take: dense and real. Everything else is refused before a parameter moves."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def check_dense(name: str, p: Tensor, grad: Tensor) -> None:
    """Refuse what the optimizer ``name`` cannot step along.

    Raises:
        RuntimeError: the gradient is sparse, or it or its parameter is complex (as torch's own optimizers say it).
    """
    if grad.layout is not torch.strided:
        raise RuntimeError(f"{name} does not support sparse gradients (shape {tuple(p.shape)})")
    if grad.is_complex() or p.is_complex():
        raise RuntimeError(f"{name} does not support complex parameters (shape {tuple(p.shape)})")


def dense_gradients(name: str, groups: Iterable[Mapping[str, Any]]) -> list[list[tuple[Tensor, Tensor]]]:
    """Per parameter group the pairs (parameter, gradient) of those that have a gradient, all checked first.

    Raises:
        RuntimeError: as `check_dense`, for any group.
    """
    active = [[(p, p.grad) for p in group["params"] if p.grad is not None] for group in groups]
    for p, grad in (pair for pairs in active for pair in pairs):
        check_dense(name, p, grad)
    return active
