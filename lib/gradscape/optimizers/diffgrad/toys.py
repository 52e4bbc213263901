"""The three functions of one variable in the paper's Fig. 4 (Dubey et al. 2019, arXiv 1909.11015, Sec. V).

Everything works on whole arrays of starts, and on numpy arrays as on tensors.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape import validate
from gradscape.optimizers.diffgrad.friction import VARIANTS, friction
from gradscape.optimizers.diffgrad.functional import step_

# What the three compared optimizers are called, and the friction that makes each out of one step rule
OPTIMIZERS = {"adam": "none", "half": "half", "diffgrad": "dfc"}


@dataclass(frozen=True)
class ScalarProblem:
    """A function of one variable: ``f``, its derivative ``grad`` and where its minima lie.

    ``local_minima`` holds the minima that are not global, ``kinks`` the places without a derivative.
    """

    name: str
    formula: str
    f: Callable[[Any], Any]
    grad: Callable[[Any], Any]
    global_minimum: float
    local_minima: tuple[float, ...] = ()
    kinks: tuple[float, ...] = ()


def _pieces(x: Any, ends: tuple[float, ...], values: tuple[Any, ...]) -> Any:
    """``values[i]`` where x <= ``ends[i]`` for the first such i, else the last of ``values``."""
    where = torch.where if isinstance(x, Tensor) else np.where
    result = values[-1]
    for end, value in zip(reversed(ends), reversed(values[:-1]), strict=True):
        result = where(x <= end, value, result)
    return result


def _f1(x: Any) -> Any:
    return _pieces(x, (0.0,), ((x + 0.3) ** 2, (x - 0.2) ** 2 + 0.05))


def _f1_grad(x: Any) -> Any:
    return _pieces(x, (0.0,), (2 * (x + 0.3), 2 * (x - 0.2)))


def _sin_cos(x: Any) -> tuple[Any, Any]:
    return (torch.sin(8 * x), torch.cos(8 * x)) if isinstance(x, Tensor) else (np.sin(8 * x), np.cos(8 * x))


def _f2(x: Any) -> Any:
    return _pieces(x, (-0.9,), (-40 * x - 35.15, x**3 + x * _sin_cos(x)[0] + 0.85))


def _f2_grad(x: Any) -> Any:
    sine, cosine = _sin_cos(x)
    return _pieces(x, (-0.9,), (0 * x - 40, 3 * x**2 + sine + 8 * x * cosine))


def official_f2_grad(x: Any) -> Any:
    """The derivative of F2 in the authors' notebook, wrong: x cos 8x where 8 x cos 8x is right.

    The paper's Fig. 4(f) ends at x = -0.64, the true minimum; with this derivative diffGrad ends at -0.81.
    """
    sine, cosine = _sin_cos(x)
    return _pieces(x, (-0.9,), (0 * x - 40, 3 * x**2 + sine + x * cosine))


_F3_ENDS = (-0.5, -0.4, 0.0, 0.4, 0.5)


def _f3(x: Any) -> Any:
    return _pieces(x, _F3_ENDS, (x**2, 0.75 + x, -7 * x / 8, 7 * x / 8, 0.75 - x, x**2))


def _f3_grad(x: Any) -> Any:
    zero = 0 * x
    return _pieces(x, _F3_ENDS, (2 * x, zero + 1, zero - 7 / 8, zero + 7 / 8, zero - 1, 2 * x))


SYNTHETIC: dict[str, ScalarProblem] = {
    "F1": ScalarProblem(
        "F1", "(x + 0.3)² for x ≤ 0, (x − 0.2)² + 0.05 for x > 0", _f1, _f1_grad, -0.3, (0.2,), (0.0,)
    ),
    "F2": ScalarProblem(
        "F2", "−40x − 35.15 for x ≤ −0.9, x³ + x sin 8x + 0.85 for x > −0.9", _f2, _f2_grad,
        -0.642918599, (0.0,), (-0.9,),
    ),
    "F3": ScalarProblem(
        "F3", "x², 0.75 + x, −7x/8, 7x/8, 0.75 − x, x² with ends −0.5, −0.4, 0, 0.4, 0.5", _f3, _f3_grad,
        0.0, (-0.5, 0.5), _F3_ENDS,
    ),
}


def scaled(problem: ScalarProblem, scale: float) -> ScalarProblem:
    """The same landscape with its loss, and so its gradient, multiplied by ``scale`` > 0; the minima stay."""
    validate.positive("scale", scale)
    f, grad = problem.f, problem.grad
    return ScalarProblem(
        problem.name, f"{scale:g} × ({problem.formula})", lambda x: scale * f(x), lambda x: scale * grad(x),
        problem.global_minimum, problem.local_minima, problem.kinks,
    )


def minimise_scalar(
    problem: ScalarProblem,
    x0: float | Tensor,
    *,
    lr: float | Tensor = 0.1,
    betas: tuple[float, float] = (0.95, 0.999),
    eps: float = 1e-8,
    steps: int = 299,
    optimiser: str | Sequence[str] = "diffgrad",
) -> Tensor:
    """Paths from all starts ``x0`` at once: float64, (steps + 1, \\*shape), the start itself at index 0.

    ``lr`` broadcasts against ``x0``, so starts (151, 1) and learning rates (6,) make 906 runs. ``optimiser`` is
    ``"adam"``, ``"half"`` (Adam at lr / 2), ``"diffgrad"`` or a friction variant, or a sequence of n such names with
    at most one variant among them, which gives (steps + 1, n, \\*shape). The defaults are those of the paper's Fig. 4.

    >>> minimise_scalar(SYNTHETIC["F1"], -1.0, optimiser=("adam", "half", "diffgrad"))[-1] > 0
    tensor([ True, False, False])
    """
    validate.at_least("steps", steps, 1)
    names = (optimiser,) if isinstance(optimiser, str) else tuple(optimiser)
    variant = _only_variant(names)
    rate = torch.as_tensor(lr, dtype=torch.float64)
    if not bool((rate >= 0).all()):
        raise ValueError(f"lr={lr!r}: must be >= 0")
    start = validate.finite("x0", torch.as_tensor(x0, dtype=torch.float64))
    shape = torch.broadcast_shapes(start.shape, rate.shape)

    per_name = torch.tensor([0.5 if name == "half" else 1.0 for name in names], dtype=torch.float64)
    size = (per_name[:, None] * rate.expand(shape).reshape(1, -1)).flatten()
    rubbed = torch.tensor([name not in ("adam", "none", "half") for name in names])
    rows = None if bool(rubbed.all()) else rubbed.repeat_interleave(size.numel() // len(names)).nonzero().flatten()
    x = start.expand(shape).reshape(1, -1).repeat(len(names), 1).flatten()
    path = torch.empty(steps + 1, x.numel(), dtype=torch.float64)
    path[0] = x
    moments = [torch.zeros_like(x) for _ in range(3)]
    for t in range(1, steps + 1):
        step_(
            x, problem.grad(x), *moments, step=t, lr=size, betas=betas, eps=eps, variant=variant, rows=rows,
            stacked=True,
        )
        path[t] = x
    return path.reshape(steps + 1, *([] if isinstance(optimiser, str) else [len(names)]), *shape)


def _only_variant(names: tuple[str, ...]) -> str:
    """The one friction variant among the names of optimizers ("none" if there is none)."""
    variants = {OPTIMIZERS.get(validate.one_of("optimiser", name, (*OPTIMIZERS, *VARIANTS)), name) for name in names}
    variants -= {"none", "half"}
    if len(variants) > 1:
        raise ValueError(f"optimiser={names!r}: must hold at most one friction variant, not {sorted(variants)}")
    return variants.pop() if variants else "none"


def frictions(problem: ScalarProblem, path: Tensor, variant: str = "dfc") -> Tensor:
    """The friction xi_t of every step of a path (steps + 1, …): shape (steps, …), the first with g_0 = 0."""
    grads = problem.grad(path[:-1])
    before = torch.cat([torch.zeros_like(grads[:1]), grads[:-1]])
    flat = friction(before.reshape(-1), grads.reshape(-1), variant, stacked=True)
    return flat.reshape(grads.shape)


def basin_share(problem: ScalarProblem, ends: Tensor, tolerance: float = 0.05) -> Tensor:
    """Share of runs, over axis 0, that end within ``tolerance`` of the global minimum."""
    return (torch.abs(ends - problem.global_minimum) < tolerance).double().mean(0)
