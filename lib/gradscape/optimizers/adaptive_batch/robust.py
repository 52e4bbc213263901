"""A streaming problem whose exact gradient is known: robust regression with Gaussian data.

Data a ~ N(0, I_d), y = <a, x*> + sigma n; the loss is F(x) = E phi(<a, x> - y) with phi(u) = u²/(1 + u²), smooth and
not convex. Everything depends on e = x - x* through u = <a, e> - sigma n ~ N(0, s²), s² = ||e||² + sigma².
"""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gradscape.validate import at_least, finite, nonnegative

NEAR = 0.1     # below this s the closed forms cancel, and the poles u = ±i are far: Gauss-Hermite is exact there
TINY = 1e-100  # in place of s = 0, where a ratio has its limit
_nodes, _weights = np.polynomial.hermite_e.hermegauss(60)
_NODES, _WEIGHTS = torch.from_numpy(_nodes), torch.from_numpy(_weights / math.sqrt(2 * math.pi))


class GemanMcClure:
    """The problem in ``dim`` variables with noise ``sigma``. Errors e are (..., dim) in float64, x* is the origin.

    Closed forms by Stein's lemma and E(1 + u²)^(-k) (derived here; the paper has no such example). ``ValueError`` for
    dim < 1, sigma < 0, an e of another shape or with entries that are not finite.

    >>> problem = GemanMcClure(2, 0.5)
    >>> round(float(problem.full_gradient(torch.tensor([0.3, 0.0]))[0]), 7)
    0.2135642
    """

    def __init__(self, dim: int, sigma: float) -> None:
        self.dim, self.sigma = at_least("dim", dim, 1), float(nonnegative("sigma", sigma))

    def value(self, e: Tensor) -> Tensor:
        """F(x), (...): 1 - sqrt(pi/2) q erfcx(q/sqrt 2) with q = 1/s."""
        s = self._deviation(self._error(e))
        return _expect(s, lambda q, J: 1 - J[1], lambda u: u * u / (1 + u * u))

    def full_gradient(self, e: Tensor) -> Tensor:
        """grad F(x) = e E phi''(u), (..., dim): e q³ (sqrt(pi/2) (1 + q²) erfcx(q/sqrt 2) - q)."""
        e = self._error(e)
        return e * _curvature(self._deviation(e))[..., None]

    def per_sample(self, e: Tensor, b: int, generator: torch.Generator) -> Tensor:
        """b gradients phi'(u_i) a_i of fresh samples, (..., b, dim)."""
        e = self._error(e)
        shape = (*e.shape[:-1], at_least("b", b, 1), self.dim + 1)
        return self.gradients(e, torch.randn(shape, generator=generator, dtype=torch.float64))

    def gradients(self, e: Tensor, draws: Tensor) -> Tensor:
        """Per-sample gradients (..., b, dim) of given standard normal draws (a, n), (..., b, dim + 1)."""
        a = draws[..., :-1]
        u = (a @ e[..., None])[..., 0] - self.sigma * draws[..., -1]
        return _slope(u)[..., None] * a

    def variance(self, e: Tensor) -> Tensor:
        """V = E||g||² - ||grad F||², the trace of the covariance of one sample's gradient, (...)."""
        e = self._error(e)
        s, size = self._deviation(e), e.square().sum(-1)
        plain = _expect(s, lambda q, J: 4 * (J[3] - J[4]), lambda u: _slope(u).square())
        weighted = _expect(
            s, lambda q, J: 4 * q**2 * (J[2] - 2 * J[3] + J[4]), lambda u: (_slope(u) * u).square(), over=2
        )
        # given u, a is normal with mean e u/s² and covariance I - ee'/s²
        share = torch.where(s > 0, size / s.square().clamp(min=TINY), 0.0)
        return (self.dim - share) * plain + share * weighted - size * _curvature(s).square()

    def _deviation(self, e: Tensor) -> Tensor:
        return (e.square().sum(-1) + self.sigma**2).sqrt()

    def _error(self, e: Tensor) -> Tensor:
        e = torch.as_tensor(e, dtype=torch.float64)
        if e.dim() < 1 or e.shape[-1] != self.dim:
            raise ValueError(f"e has shape {tuple(e.shape)}: must be (..., {self.dim})")
        return finite("e", e)


def _slope(u: Tensor) -> Tensor:
    """phi'(u)."""
    return 2 * u / (1 + u * u).square()


def _curvature(s: Tensor) -> Tensor:
    """E phi''(u) for u ~ N(0, s²)."""
    return _expect(
        s, lambda q, J: q**2 * ((1 + q**2) * J[1] - q**2), lambda u: (2 - 6 * u * u) / (1 + u * u) ** 3
    )


def _expect(
    s: Tensor, closed: Callable[[Tensor, list[Tensor]], Tensor], function: Callable[[Tensor], Tensor], over: int = 0
) -> Tensor:
    """E function(u)/s^over for u ~ N(0, s²), (...): ``closed(1/s, J)`` with J_k = E(1 + u²)^(-k), quadrature near 0."""
    q = 1 / s.clamp(min=NEAR)
    J = [torch.ones_like(q), math.sqrt(math.pi / 2) * q * torch.special.erfcx(q / math.sqrt(2))]
    for k in (1, 2, 3):  # by parts: 2k J_(k+1) = (2k - 1 - q²) J_k + q² J_(k-1)
        J.append(((2 * k - 1 - q**2) * J[k] + q**2 * J[k - 1]) / (2 * k))
    found = closed(q, J)
    near = s < NEAR
    if bool(near.any()):
        small = s.clamp(min=TINY)[..., None]
        exact = (function(small * _NODES) / small**over) @ _WEIGHTS
        found = torch.where(near, exact, found)
    return found
