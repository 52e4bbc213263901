"""Roots, fixed points and top singular values, for whole batches at once.

Every entry of a batch is treated as if it were alone: it stops when it has converged and does not move afterwards.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.validate import at_least, finite, in_range, nonnegative

Function = Callable[[Tensor], Tensor]


def bisect(
    function: Function, low: float | Tensor, high: float | Tensor, *, tol: float = 0.0, max_steps: int = 200
) -> Tensor:
    """Where ``function`` changes sign between ``low`` and ``high`` (broadcast, any shape), entry by entry.

    Only the sign of the function is used, so a condition may be given as ``torch.where(holds, 1.0, -1.0)``. Stops when
    every bracket is at most ``tol`` wide, or can no longer be halved in this precision. Returns the middle of the last
    bracket. ``ValueError`` for brackets that are not finite, not ordered, or without a change of sign.

    >>> bisect(lambda x: x * x - torch.tensor([2.0, 9.0]), 0.0, 10.0, tol=1e-6)
    tensor([1.4142, 3.0000])
    """
    nonnegative("tol", tol)
    at_least("max_steps", max_steps, 1)
    a, b = _pair(low, high)
    at_a = function(a)
    rising = at_a < 0
    a, b = a.expand(at_a.shape).clone(), b.expand(at_a.shape).clone()
    at_b = function(b)
    wrong = ~(((at_a <= 0) & (at_b >= 0)) | ((at_a >= 0) & (at_b <= 0)))
    if bool(wrong.any()):
        k = int(wrong.flatten().nonzero()[0, 0])
        ends = f"{float(at_a.flatten()[k]):g} at {float(a.flatten()[k]):g}, {float(at_b.flatten()[k]):g} at " + (
            f"{float(b.flatten()[k]):g}"
        )
        raise ValueError(f"function: no change of sign in {int(wrong.sum())} of {wrong.numel()} brackets ({ends})")
    b = torch.where(at_a == 0, a, b)
    a = torch.where((at_b == 0) & (at_a != 0), b, a)
    for _ in range(max_steps):
        middle = a + (b - a) / 2
        if bool((((b - a) <= tol) | (middle == a) | (middle == b)).all()):
            break
        value = function(middle)
        left = (value < 0) == rising  # the root lies to the right of the middle
        a, b = torch.where(left, middle, a), torch.where(left, b, middle)
    return a + (b - a) / 2


@dataclass(frozen=True)
class FixedPoint:
    """``value`` after ``steps`` (per entry), the last ``change`` (per entry) and whether each has ``converged``."""

    value: Tensor
    steps: Tensor
    change: Tensor
    converged: Tensor


def fixed_point(
    step: Function,
    start: Tensor,
    *,
    damping: float = 0.0,
    tol: float = 1e-10,
    max_steps: int = 10_000,
    unknown_dims: int = 0,
) -> FixedPoint:
    """Iterate ``x <- (1 - damping) step(x) + damping x`` until an entry changes by at most ``tol (1 + |x|)``.

    ``start`` has shape (*batch, *unknown): the last ``unknown_dims`` axes together are one unknown, which converges as
    a whole (largest change over them); all others converge, and stop, on their own. An entry that becomes NaN or
    infinite stops there, not converged. ``ValueError`` for a bad option or a ``step`` that changes the shape.

    >>> fixed_point(torch.cos, torch.tensor([0.5, 2.0], dtype=torch.float64)).value
    tensor([0.7391, 0.7391], dtype=torch.float64)
    """
    in_range("damping", damping, 0.0, 1.0, open_high=True)
    nonnegative("tol", tol)
    at_least("max_steps", max_steps, 1)
    if not 0 <= at_least("unknown_dims", unknown_dims, 0) <= start.dim():
        raise ValueError(f"unknown_dims={unknown_dims!r}: must be at most {start.dim()}, the dimensions of start")
    x = finite("start", start).clone()
    batch = x.shape[: x.dim() - unknown_dims]
    axes = tuple(range(x.dim() - unknown_dims, x.dim()))
    active = torch.ones(batch, dtype=torch.bool, device=x.device)
    steps = torch.zeros(batch, dtype=torch.int64, device=x.device)
    change = torch.full(batch, float("inf"), dtype=x.dtype, device=x.device)
    converged = torch.zeros_like(active)
    for _ in range(max_steps):
        after = step(x)
        if after.shape != x.shape:
            raise ValueError(f"step: returned shape {tuple(after.shape)}, must be that of start, {tuple(x.shape)}")
        after = (1 - damping) * after + damping * x
        moved, size = (after - x).abs(), after.abs()
        if axes:
            moved, size = moved.amax(axes), size.amax(axes)
        moving = active.reshape(*batch, *[1] * unknown_dims)
        x = torch.where(moving, after, x)
        change = torch.where(active, moved, change)
        steps += active
        well = torch.isfinite(moved)
        converged |= active & well & (moved <= tol * (1 + size))
        active = active & well & ~converged
        if not bool(active.any()):
            break
    return FixedPoint(x, steps, change, converged)


@dataclass(frozen=True)
class TopSingular:
    """The largest singular value ``s`` (*batch), its unit vectors ``u`` (*batch, m), ``v`` (*batch, n), and ``steps``.

    ``residual`` (*batch) is |A'u - s v| / s, an upper bound of the relative distance of s to a singular value.
    """

    s: Tensor
    u: Tensor
    v: Tensor
    residual: Tensor
    steps: int


def top_singular(
    matrix: Tensor, *, start: Tensor | None = None, tol: float = 1e-8, max_steps: int = 1000
) -> TopSingular:
    """Power iteration on A'A for matrices (*batch, m, n): the largest singular value with its vectors.

    ``start`` (*batch, n) is a first guess for v (the row of A with the largest norm if left out, which is never
    orthogonal to v of a rank-one A). Ends when every residual is at most ``tol``, or after ``max_steps``; two equal top
    singular values slow nothing, two nearly equal ones only the vectors. ``ValueError`` for a matrix that is empty,
    not finite or zero.

    >>> top_singular(torch.tensor([[3.0, 0.0], [0.0, -4.0]])).s
    tensor(4.)
    """
    finite("matrix", matrix)
    nonnegative("tol", tol)
    at_least("max_steps", max_steps, 1)
    if matrix.dim() < 2:
        raise ValueError(f"matrix has shape {tuple(matrix.shape)}: must be (*batch, m, n)")
    norms = matrix.norm(dim=-1)
    if not bool((norms.amax(-1) > 0).all()):
        raise ValueError("matrix: holds a zero matrix, which has no top singular vector")
    if start is None:
        row = norms.argmax(-1)[..., None, None].expand(*matrix.shape[:-2], 1, matrix.shape[-1])
        start = matrix.gather(-2, row)[..., 0, :]
    elif tuple(start.shape) != (*matrix.shape[:-2], matrix.shape[-1]):
        raise ValueError(f"start has shape {tuple(start.shape)}: must be {(*matrix.shape[:-2], matrix.shape[-1])}")
    v = _unit(start)
    steps = 0
    while steps < max_steps:
        steps += 1
        u = _unit((matrix @ v[..., None])[..., 0])
        back = (u[..., None, :] @ matrix)[..., 0, :]
        s = back.norm(dim=-1)
        residual = (back - s[..., None] * v).norm(dim=-1) / s
        v = back / s[..., None]
        if bool((residual <= tol).all()):
            break
    return TopSingular(s, u, v, residual, steps)


def _unit(vector: Tensor) -> Tensor:
    size = vector.norm(dim=-1, keepdim=True)
    if not bool((size > 0).all()):
        raise ValueError("start: is zero, or the matrix maps it to zero")
    return vector / size


def _pair(low: float | Tensor, high: float | Tensor) -> tuple[Tensor, Tensor]:
    given = [value for value in (low, high) if isinstance(value, Tensor)]
    dtype = given[0].dtype if given else torch.get_default_dtype()
    a, b = torch.broadcast_tensors(torch.as_tensor(low, dtype=dtype), torch.as_tensor(high, dtype=dtype))
    finite("low", a)
    finite("high", b)
    if not bool((a <= b).all()):
        raise ValueError(f"low={low!r}, high={high!r}: low <= high is needed in every entry")
    return a, b
