"""Gradient-normalized smoothness gamma(x) on the line, and its lower bounds (arXiv 2506.13710, Definition 1).

gamma(x) is the largest radius on which the linear model g + H h of the gradient errs by at most |g| |h|/gamma:
|f'(x + h) - f'(x) - H h| <= |g| |h|/gamma for all |h| <= gamma with h in the region C h² + g h <= 0. Every trial step
of the method lies in the region when C = H, so no step ever needs the rest.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.numerics.solve import bisect

Map = Callable[[Tensor], Tensor]

QSC = 1.2564312086261697  # the positive root of e^s = 1 + 2 s
FINE = 400  # displacements at which the error is looked at, each side; the largest one is always among them
DECADES = 4  # they reach from 10^-4 of the radius, even in the logarithm below a tenth and evenly above
HALVINGS = 60  # of an interval of 48 e-folds: gamma to 4e-17 relative
LARGEST = math.log(1e12)  # larger radii count as infinite: the model is exact


@dataclass(frozen=True)
class Scalar:
    """A function of one variable with its derivatives; ``convex`` decides which constant the progress lemma has."""

    name: str
    formula: str
    f: Map
    grad: Map
    hess: Map
    convex: bool = True


def _softplus_two(x: Tensor) -> Tensor:
    """log cosh x = |x| + log(1 + e^{-2|x|}) - log 2, without overflow."""
    size = x.abs()
    return size + torch.log1p(torch.exp(-2 * size)) - math.log(2)


GALLERY: dict[str, Scalar] = {
    "exp": Scalar("exp", "eˣ − x", lambda x: torch.exp(x) - x, lambda x: torch.expm1(x), torch.exp),
    "log_cosh": Scalar(
        "log_cosh", "log cosh x", _softplus_two, torch.tanh, lambda x: 1 - torch.tanh(x).square()
    ),
    "quartic": Scalar("quartic", "x⁴/4", lambda x: x**4 / 4, lambda x: x**3, lambda x: 3 * x * x),
    "double_well": Scalar(
        "double_well", "(x² − 1)²/4", lambda x: (x * x - 1) ** 2 / 4, lambda x: x * (x * x - 1),
        lambda x: 3 * x * x - 1, convex=False,
    ),
    "cubic": Scalar("cubic", "|x|³/6", lambda x: x.abs() ** 3 / 6, lambda x: x * x.abs() / 2, torch.abs),
}


def positive_part(problem: Scalar, x: Tensor, theta: float = 1.0) -> Tensor:
    """H(x) = theta max(f''(x), 0): what the method uses where the exact second derivative is negative."""
    return theta * problem.hess(x).clamp(min=0)


def smoothness_1d(
    grad: Map, hess_approx: Map | float | Tensor, x: Any, *, region: bool = True,
    curvature: Map | float | Tensor | None = None,
) -> Any:
    """gamma(x) for a function of one variable: a float for a float ``x``, a tensor for a tensor of points.

    ``grad`` and ``hess_approx`` (also a number or a tensor) work on float64 tensors. ``region=False`` asks for all h;
    with it h is restricted to C h² + g h <= 0, where C is ``curvature``, H itself if left out. Infinite where the model
    is exact (beyond 1e12). Found by bisection: the error bound holds at every radius below gamma.
    ``ValueError`` where the gradient vanishes, or H < 0 or C < 0 (the theory needs H >= 0).

    >>> round(smoothness_1d(torch.exp, torch.exp, 0.3), 6)  # e at every x
    2.718282
    """
    point = torch.as_tensor(x, dtype=torch.float64)
    validate.finite("x", point)
    flat = point.reshape(-1)
    g = validate.finite("grad(x)", grad(flat))
    H = _values("hess_approx", hess_approx, flat)
    C = H if curvature is None else _values("curvature", curvature, flat)
    if bool((g == 0).any()):
        raise ValueError(f"x={x!r}: the gradient vanishes there, and gamma is not defined")
    reach = torch.where(C > 0, g.abs() / C, torch.full_like(g, math.inf)) if region else torch.full_like(g, math.inf)
    toward = -torch.sign(g)
    nearest = 10.0**-DECADES
    spread = torch.cat([torch.tensor([nearest, 2 * nearest], dtype=torch.float64),
                        torch.logspace(-DECADES, -1, FINE // 2, dtype=torch.float64)[1:-1],
                        torch.linspace(0.1, 1.0, FINE // 2 + 1, dtype=torch.float64)])

    def holds(log_gamma: Tensor) -> Tensor:
        gamma = log_gamma.exp()
        sizes = torch.minimum(gamma, reach)[:, None] * spread
        worst = torch.zeros_like(gamma)
        for side in (toward,) if region else (toward, -toward):
            h = side[:, None] * sizes
            error = (grad(flat[:, None] + h) - g[:, None] - H[:, None] * h) / h
            at_zero = 2 * error[:, 0] - error[:, 1]  # the limit h -> 0, f''(x) - H, to second order
            largest = torch.maximum(torch.nan_to_num(error.abs(), nan=math.inf).amax(1), at_zero.abs())
            worst = torch.maximum(worst, torch.nan_to_num(largest, nan=math.inf))
        # rounding of f' itself must not count as an error of an exact model
        noise = 8 * torch.finfo(torch.float64).eps * (g.abs() + H * sizes[:, -1]) / sizes[:, 0]
        return torch.where((worst - noise).clamp(min=0) * gamma <= g.abs(), 1.0, -1.0).to(torch.float64)

    low, high = torch.full_like(g, -LARGEST), torch.full_like(g, LARGEST)
    exact = holds(high) > 0
    safe_high = torch.where(exact, high + 1, high)
    found = bisect(lambda t: torch.where(t > LARGEST, -1.0, holds(t)), low, safe_high, max_steps=HALVINGS).exp()
    gamma = torch.where(exact, torch.full_like(found, math.inf), found).reshape(point.shape)
    return gamma if isinstance(x, Tensor) else float(gamma)


def progress_constant(f: Tensor, f_new: Tensor, g: Tensor, g_new: Tensor, gamma: Tensor) -> Tensor:
    """(f - f+) |g|/(gamma |g+|²): what stands in place of 1/8 in the progress lemma (infinite where g+ = 0)."""
    return (f - f_new) * g.abs() / (gamma * g_new.square())


def lower_bound_smooth(grad_norm: float, L: float) -> float:
    """gamma >= |g|/L for H = 0 and an L-Lipschitz gradient: the method is gradient descent with step 1/L."""
    return validate.nonnegative("grad_norm", grad_norm) / validate.positive("L", L)


def lower_bound_hoelder(grad_norm: float, L: float, nu: float = 1.0) -> float:
    """gamma >= ((1 + nu)|g|/L)^(1/(1 + nu)) for the exact H where |f''(x) - f''(y)| <= L |x - y|^nu.

    nu = 1, a Lipschitz Hessian: sqrt(2|g|/L), attained by |x|³/6 without the region.
    """
    validate.in_range("nu", nu, 0.0, 1.0)
    return ((1 + nu) * validate.nonnegative("grad_norm", grad_norm) / validate.positive("L", L)) ** (1 / (1 + nu))


def lower_bound_qsc(M: float) -> float:
    """gamma >= s*/M for the exact H of a quasi-self-concordant function, |f'''| <= M f''; s* solves e^s = 1 + 2 s.

    Holds with the region (C = H): without it gamma of e^x is 1.1462, less than s*.
    """
    return QSC / validate.positive("M", M)


def combine(*gammas: float) -> float:
    """1/(1/gamma_1 + 1/gamma_2 + …): how errors of the model and of the Hessian add up; an infinite one is none."""
    if not gammas:
        raise ValueError("gammas: at least one is needed")
    for gamma in gammas:
        if gamma != math.inf:
            validate.positive("gamma", gamma)
    total = sum(1 / gamma for gamma in gammas)
    return 1 / total if total else math.inf


def _values(name: str, given: Map | float | Tensor, x: Tensor) -> Tensor:
    made = given(x) if callable(given) else torch.as_tensor(given, dtype=torch.float64)
    values = validate.finite(name, made.to(torch.float64).expand(x.shape))
    if bool((values < 0).any()):
        raise ValueError(f"{name}: is negative ({float(values.min()):g}) at some x; the theory needs a value >= 0")
    return values
