"""Estimators of the sign function's derivative: rectified (ReSTE), straight-through, EDE, Bi-Real (arXiv 2308.06689).

Forward a binary network takes sign(z); backward it pretends that it took another function, the estimator f, and passes
the gradient times f'(z). The paper's family f(z) = sign(z) |z|^(1/o) leads from the identity (o = 1) to sign itself.
"""
from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gradscape import validate

T_PAPER, M_PAPER = 1.5, 0.1  # the authors' thresholds, the same for weights and activations
KINDS = ("ste", "reste", "ede", "bireal")
SCHEDULES = ("cosine", "linear", "constant")
TAU_MIN, TAU_MAX = 0.1, 10.0
_PARAMS: dict[str, dict[str, Any]] = {
    "ste": {"clip": 1.0},
    "reste": {"o": 3.0, "t": T_PAPER, "m": M_PAPER},
    "ede": {"tau": 1.0},
    "bireal": {},
}

Number = float | Tensor


def reste_sign(z: Tensor, o: Number, t: Number = T_PAPER, m: Number = M_PAPER) -> Tensor:
    """sign(z), whose gradient is passed back times the truncated slope d(z) of ReSTE (official code).

    ``z``: floats of any shape; ``o`` >= 1, 0 < ``m`` < ``t``: numbers or tensors that broadcast to z; they get no
    gradient. d(z) = m^((1-o)/o) for |z| <= m, |z|^((1-o)/o) / o up to t, 0 beyond. Works under ``torch.func.vmap``.
    NaN stays NaN. ``ValueError`` for a parameter out of range or z that holds no floats.

    >>> z = torch.tensor([0.05, -0.3, 2.0], requires_grad=True)
    >>> reste_sign(z, 3.0).sum().backward(); z.grad
    tensor([4.6416, 0.7438, 0.0000])
    """
    return binarize(z, "reste", o=o, t=t, m=m)


def binarize(z: Tensor, kind: str = "reste", **params: Number) -> Tensor:
    """sign(z) forward, the slope of the named estimator backward.

    ``kind`` "ste" (``clip``: 1), "reste" (``o``, ``t``, ``m``), "ede" (``tau``) or "bireal", as in `estimator_grad`.
    """
    values = _checked(z, kind, params)
    names = tuple(values)
    signs: Tensor = _SignWithSlope.apply(z, kind, names, *values.values())
    return signs


class _SignWithSlope(torch.autograd.Function):
    """sign forward; backward the gradient times an estimator's slope, exactly 0 where the slope is."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, kind: str, names: tuple[str, ...], *values: Tensor) -> Tensor:
        return torch.where(z.isnan(), z, z.sign())  # torch.sign turns NaN into 0

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        z, ctx.kind, ctx.names, *values = inputs
        ctx.save_for_backward(z, *values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        z, *values = ctx.saved_tensors
        slope = _slope(z, ctx.kind, dict(zip(ctx.names, values, strict=True)))
        passed = torch.where(slope == 0, torch.zeros_like(slope), grads[0] * slope)  # not infinity times 0
        return passed, *(None,) * (2 + len(values))


def estimator(z: Tensor, kind: str, **params: Number) -> Tensor:
    """f(z), the function that the backward pass pretends to have used; differentiable, of z's shape.

    "ste" z within [-clip, clip]; "reste" the plain power sign(z) |z|^(1/o), without truncation; "ede"
    k tanh(tau z), k = max(1/tau, 1); "bireal" the polynomial 2 z - z |z|, +-1 beyond |z| = 1.

    >>> estimator(torch.tensor([-0.125, 1.0]), "reste", o=3.0)
    tensor([-0.5000,  1.0000])
    """
    values = _checked(z, kind, params)
    if kind == "ste":
        return torch.clamp(z, -values["clip"], values["clip"])
    if kind == "ede":
        return values["tau"].reciprocal().clamp(min=1.0) * torch.tanh(values["tau"] * z)
    if kind == "bireal":
        inside = z.clamp(-1.0, 1.0)
        return 2 * inside - inside * inside.abs()
    # a power of zero has no finite derivative: keep its inner value away from 0, as z's sign returns the 0 anyway
    size = torch.where(z == 0, torch.ones_like(z), z.abs())
    return z.sign() * size ** values["o"].reciprocal()


def estimator_grad(z: Tensor, kind: str, *, truncated: bool = True, **params: Number) -> Tensor:
    """d(z), the slope by which the backward pass multiplies; of z's shape.

    "ste" 1 for |z| <= clip; "reste" the truncated slope of training, or with ``truncated=False`` the derivative
    f'(z) = |z|^((1-o)/o) / o of the power (infinite at 0 for o > 1); "ede" k tau (1 - tanh^2(tau z)); "bireal"
    2 - 2 |z| for |z| <= 1. Truncation belongs to "reste" alone.

    >>> estimator_grad(torch.tensor([0.0, 0.1, 0.5, 1.5]), "reste", o=3.0)
    tensor([4.6416, 4.6416, 0.5291, 0.2544])
    """
    values = _checked(z, kind, params)
    if kind == "reste" and not truncated:
        o = values["o"]
        return z.abs() ** ((1 - o) / o) / o
    return _slope(z, kind, values)


def _slope(z: Tensor, kind: str, p: dict[str, Tensor]) -> Tensor:
    size = z.abs()
    if kind == "ste":
        return torch.where(size > p["clip"], torch.zeros_like(z), torch.where(z.isnan(), z, torch.ones_like(z)))
    if kind == "ede":
        k = p["tau"].reciprocal().clamp(min=1.0)
        return k * p["tau"] * (1 - torch.tanh(p["tau"] * z).square())
    if kind == "bireal":
        return torch.clamp(2 - 2 * size, min=0.0)
    o, t, m = p["o"], p["t"], p["m"]
    # the power is taken of at least m and at most t: no infinity is ever formed, not even to be thrown away
    power = torch.clamp(size, min=m, max=t) ** ((1 - o) / o)
    return torch.where(size > t, torch.zeros_like(z), torch.where(size <= m, power, power / o))


def o_schedule(epoch: float, epochs: float, o_end: float = 3.0, kind: str = "cosine") -> float:
    """o at ``epoch`` of ``epochs`` (0 <= epoch <= epochs), from 1 to ``o_end``.

    "cosine" is the official code's 1 + (1 - cos(pi/2 e/E)) (o_end - 1); "linear" what summaries of the paper say;
    "constant" is ``o_end`` throughout.

    >>> [round(o_schedule(e, 4), 4) for e in range(4)]
    [1.0, 1.1522, 1.5858, 2.2346]
    """
    share = _share(epoch, epochs)
    validate.in_range("o_end", o_end, 1.0, math.inf, open_high=True)
    validate.one_of("kind", kind, SCHEDULES)
    rise = {"cosine": 1 - math.cos(math.pi / 2 * share), "linear": share, "constant": 1.0}[kind]
    return 1 + rise * (o_end - 1)


def tau_schedule(epoch: float, epochs: float, tau_min: float = TAU_MIN, tau_max: float = TAU_MAX) -> float:
    """EDE's sharpness at ``epoch`` of ``epochs``: tau_min (tau_max / tau_min)^(e/E).

    >>> tau_schedule(1, 2)
    1.0
    """
    validate.positive("tau_min", tau_min)
    validate.in_range("tau_max", tau_max, tau_min, math.inf, open_high=True)
    return float(tau_min * (tau_max / tau_min) ** _share(epoch, epochs))


def _share(epoch: float, epochs: float) -> float:
    validate.positive("epochs", epochs)
    return validate.in_range("epoch", epoch, 0.0, epochs) / epochs


def _checked(z: Tensor, kind: str, params: dict[str, Number]) -> dict[str, Tensor]:
    """The kind's parameters as tensors of z's type, all checked."""
    validate.one_of("kind", kind, KINDS)
    if not isinstance(z, Tensor) or not z.is_floating_point():
        raise ValueError(f"z={getattr(z, 'dtype', z)!r}: must be a tensor of real floats")
    known = _PARAMS[kind]
    for name in params:
        if name not in known:
            raise ValueError(f"{name}={params[name]!r}: kind {kind!r} takes {', '.join(known) or 'no parameters'}")
    made = {name: _parameter(name, params.get(name, default), z) for name, default in known.items()}
    if kind == "reste" and not _holds(made["m"] < made["t"]):
        raise ValueError(f"m={params.get('m', M_PAPER)!r}: must be below t={params.get('t', T_PAPER)!r}")
    return made


def _parameter(name: str, value: Number, z: Tensor) -> Tensor:
    low, open_low = (1.0, False) if name == "o" else (0.0, True)
    if not isinstance(value, Tensor):
        validate.in_range(name, value, low, math.inf, open_low=open_low, open_high=True)
        return torch.tensor(float(value), dtype=z.dtype, device=z.device)
    try:
        fits = torch.broadcast_shapes(value.shape, z.shape) == z.shape
    except RuntimeError:
        fits = False
    if not fits or value.is_complex():
        raise ValueError(f"{name}={tuple(value.shape)}: a tensor of reals must broadcast to z, {tuple(z.shape)}")
    if not _holds(((value > low) if open_low else (value >= low)) & value.isfinite()):
        raise ValueError(f"{name}={value!r}: all entries must be finite and {'>' if open_low else '>='} {low:g}")
    return value.detach().to(z)


def _holds(condition: Tensor) -> bool:
    """Whether all entries hold; taken for granted where no value can be read without waiting, or not at all."""
    if condition.device.type != "cpu":
        return True
    try:
        return bool(condition.all())
    except RuntimeError:  # inside vmap
        return True
