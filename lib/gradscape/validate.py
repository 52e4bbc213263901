"""Checks of arguments: each raises a ``ValueError`` that names the argument, its value and what is allowed.

A value of the wrong kind (text, ``None``, a truth value for a number, several numbers for one) is a bad value too.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

# What comparing text, None, NaN, infinity or several numbers raises
_NO_NUMBER = (TypeError, ValueError, OverflowError, RuntimeError)


def positive(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number > 0."""
    return in_range(name, value, 0.0, math.inf, open_low=True, open_high=True)


def nonnegative(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number >= 0."""
    return in_range(name, value, 0.0, math.inf, open_high=True)


def in_range(
    name: str, value: float, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> float:
    """Return ``value`` if it lies between ``low`` and ``high`` (NaN never does)."""
    try:
        above = bool(value > low if open_low else value >= low)
        below = bool(value < high if open_high else value <= high)
    except _NO_NUMBER:
        above = below = False
    if not (above and below) or isinstance(value, bool):
        left, right = ("(" if open_low else "["), (")" if open_high else "]")
        raise ValueError(f"{name}={value!r}: must lie in {left}{low:g}, {high:g}{right}")
    return value


def at_least(name: str, value: int, low: int) -> int:
    """Return ``value`` if it is an integer >= ``low``."""
    try:
        whole = not isinstance(value, bool | str) and bool(int(value) == value and value >= low)
    except _NO_NUMBER:
        whole = False
    if not whole:
        raise ValueError(f"{name}={value!r}: must be an integer >= {low}")
    return int(value)


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """Return ``value`` if it is one of ``allowed``."""
    try:
        known = value in allowed
    except _NO_NUMBER:
        known = False
    if not known:
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(map(repr, allowed))}")
    return value


def finite(name: str, tensor: Any) -> Any:
    """Return a tensor or array if it is not empty and all its entries are finite."""
    import torch

    values = torch.as_tensor(tensor)
    if values.numel() == 0:
        raise ValueError(f"{name} is empty: shape {tuple(values.shape)}; at least one entry is needed")
    if not bool(torch.isfinite(values).all()):
        bad = int((~torch.isfinite(values)).sum())
        raise ValueError(f"{name} holds {bad} NaN or infinite entries of {values.numel()}: all must be finite")
    return tensor


def same_shape(**tensors: Any) -> None:
    """Check that all the named tensors have one shape."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError("shapes differ: " + ", ".join(f"{name} {shape}" for name, shape in shapes.items()))
