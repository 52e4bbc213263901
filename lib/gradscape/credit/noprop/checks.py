"""Checks of arguments that every part of the lesson shares: inputs, labels, embeddings."""
from __future__ import annotations

import torch
from torch import Tensor

from gradscape import validate


def check_inputs(name: str, X: Tensor) -> Tensor:
    """Return X (N, …) if it is a tensor of finite floats with N >= 1 rows."""
    if not isinstance(X, Tensor) or not X.is_floating_point() or X.dim() < 2:
        found = f"{X.dtype} of shape {tuple(X.shape)}" if isinstance(X, Tensor) else type(X).__name__
        raise ValueError(f"{name} is {found}: a float tensor with one row per example is needed")
    validate.finite(name, X)
    return X


def check_labels(name: str, y: Tensor, n_classes: int) -> Tensor:
    """Return y (N,) if it holds int64 labels in 0 … n_classes - 1."""
    if not isinstance(y, Tensor) or y.dtype != torch.int64 or y.dim() != 1 or not len(y):
        found = f"{y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"{name} is {found}: an int64 tensor of shape (N,), N >= 1, is needed")
    if int(y.min()) < 0 or int(y.max()) >= n_classes:
        bad = y[(y < 0) | (y >= n_classes)][0]
        raise ValueError(f"{name} holds {int(bad)}: labels must lie in 0 … {n_classes - 1}")
    return y


def check_pair(X: Tensor, y: Tensor, n_classes: int) -> None:
    """Check inputs, labels, and that there are as many of one as of the other."""
    check_inputs("X", X)
    check_labels("y", y, n_classes)
    if len(X) != len(y):
        raise ValueError(f"X has {len(X)} rows and y {len(y)}: one label per row is needed")


def check_width(name: str, tensor: Tensor, width: int) -> None:
    """Check the last axis of a tensor."""
    if tensor.shape[-1] != width:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}: its last axis must be {width}")
