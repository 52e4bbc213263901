"""What the methods need of the masks: A x, Aᵀ r, and which problems of a batch are still running."""
from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from gradscape import validate


class Operator(Protocol):
    """Masks that are never written down: ``matvec`` (n,) -> (p, m) and ``rmatvec`` (p, m) -> (n,)."""

    def matvec(self, xi: Tensor) -> Tensor:
        """``A_l xi`` for all snapshots."""

    def rmatvec(self, r: Tensor) -> Tensor:
        """``sum_l A_lᵀ r_l``."""


class SignMasks:
    """±1 masks kept as single bytes, (p, m, n), an eighth of float64: an :class:`Operator` for large images.

    Products are made one snapshot at a time. ``ValueError`` unless all entries are 1 or -1.
    """

    def __init__(self, signs: Tensor) -> None:
        if signs.dim() != 3 or signs.numel() == 0 or not bool((signs.abs() == 1).all()):
            raise ValueError(f"signs has shape {tuple(signs.shape)}: must be (p, m, n) with entries 1 and -1 only")
        self.signs = signs.to(torch.int8)

    def matvec(self, xi: Tensor) -> Tensor:
        """``A_l xi``, (p, m)."""
        return torch.stack([mask.to(xi.dtype) @ xi for mask in self.signs])

    def rmatvec(self, r: Tensor) -> Tensor:
        """``sum_l A_lᵀ r_l``, (n,)."""
        total = torch.zeros(self.signs.shape[-1], dtype=r.dtype)
        for mask, row in zip(self.signs, r, strict=True):
            total += row @ mask.to(r.dtype)
        return total


class Dense:
    """Masks as one tensor (S, p, m, n), already multiplied by a signal subspace ``Z`` (n, k) if there is one."""

    def __init__(self, A: Tensor, Z: Tensor | None = None) -> None:
        self.p, self.m = A.shape[-3:-1]
        self.flat = (A if Z is None else A @ Z).flatten(1, 2)

    def matvec(self, z: Tensor) -> Tensor:
        """(S, k) -> (S, p, m)."""
        return torch.bmm(self.flat, z[:, :, None])[:, :, 0].unflatten(1, (self.p, self.m))

    def rmatvec(self, r: Tensor) -> Tensor:
        """(S, p, m) -> (S, k)."""
        return torch.bmm(r.flatten(1)[:, None, :], self.flat)[:, 0, :]

    def keep(self, members: Tensor) -> Dense:
        """The problems at these positions only."""
        kept = object.__new__(Dense)
        kept.p, kept.m, kept.flat = self.p, self.m, self.flat[members]
        return kept


class Applied:
    """An :class:`Operator` as a batch of one problem."""

    def __init__(self, operator: Operator, Z: Tensor | None = None) -> None:
        self.operator, self.Z = operator, Z

    def matvec(self, z: Tensor) -> Tensor:
        """(1, k) -> (1, p, m)."""
        return self.operator.matvec(z[0] if self.Z is None else self.Z @ z[0])[None]

    def rmatvec(self, r: Tensor) -> Tensor:
        """(1, p, m) -> (1, k)."""
        back = self.operator.rmatvec(r[0])
        return (back if self.Z is None else self.Z.T @ back)[None]

    def keep(self, members: Tensor) -> Applied:
        """The one problem there is."""
        return self


Sensing = Dense | Applied


def sensing_of(A: Any, y: Tensor, Z: Tensor | None = None) -> Sensing:
    """Masks with a batch axis; ``A`` is a tensor (S, p, m, n) or an :class:`Operator`, ``y`` (S, p, m)."""
    if isinstance(A, Tensor):
        return Dense(A, Z)
    made = Applied(A, Z)
    try:
        fits = made.matvec(made.rmatvec(y)).shape == y.shape
    except (RuntimeError, ValueError):  # what operators raise at shapes they do not know
        fits = False
    if not fits:
        raise ValueError(f"A: matvec and rmatvec must map (n,) to {tuple(y.shape[1:])} and back, the shape of y")
    return made


def check_data(A: Any, y: Tensor) -> bool:
    """Whether A and y have a batch axis; ``ValueError`` for shapes that do not match or entries that are not finite."""
    if not isinstance(A, Tensor):
        if not (hasattr(A, "matvec") and hasattr(A, "rmatvec")):
            raise ValueError(f"A={type(A).__name__}: must be a tensor (*batch, p, m, n) or have matvec and rmatvec")
        if not isinstance(y, Tensor) or y.dim() != 2:
            raise ValueError(f"y={_shape(y)}: must be a tensor (p, m) beside an operator A")
    elif not isinstance(y, Tensor) or A.dim() not in (3, 4) or y.shape != A.shape[:-1]:
        raise ValueError(f"A has shape {_shape(A)}, y {_shape(y)}: must be (*batch, p, m, n) and (*batch, p, m), with "
                         "at most one batch axis")
    else:
        validate.finite("A", A)
        if A.dtype != y.dtype:
            raise ValueError(f"A is {A.dtype}, y is {y.dtype}: both must have one dtype")
    if y.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"y is {y.dtype}: must be float64 or float32")
    validate.finite("y", y)
    return y.dim() == 3


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
