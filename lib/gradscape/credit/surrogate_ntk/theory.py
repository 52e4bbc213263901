"""Kernels of infinitely wide networks: NNGP, neural tangent kernel, surrogate-gradient NTK (the paper's Theorems).

One recursion serves all three; they differ in the two slopes whose product is averaged over neurons.
"""
from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from gradscape.credit.surrogate_ntk.surrogates import Surrogate, erf
from gradscape.numerics.kernels import conditional_variance, erf_product, erf_slopes, sign_product, sign_slopes
from gradscape.validate import at_least, finite, nonnegative, one_of, positive

Activation = str | tuple[str, float]
KINDS = ("sg", "ntk", "nngp")


def steepness(activation: Activation) -> float:
    """m of ("erf", m), infinity for "sign"; ``ValueError`` for anything else or m <= 0."""
    if activation == "sign":
        return math.inf
    if isinstance(activation, tuple | list) and len(activation) == 2 and activation[0] == "erf":
        return float(positive("m", activation[1]))
    raise ValueError(f'activation={activation!r}: must be "sign" or ("erf", m)')


def kernels(
    X1: Tensor,
    X2: Tensor,
    depth: int,
    activation: Activation = "sign",
    surrogate: Surrogate | None = None,
    sw2: float = 1.0,
    sb2: float = 0.1,
    kind: str = "sg",
) -> tuple[Tensor, Tensor]:
    """NNGP and tangent kernel between rows of X1 (P1, n0) and X2 (P2, n0), each (P1, P2) float64.

    ``depth`` counts hidden layers; weights and biases have variances ``sw2`` and ``sb2``. ``kind``: "sg", true slope at
    X1 (evaluation), surrogate (default erf_1') at X2 (training), so in general not symmetric; "ntk", true slopes
    at both; "nngp", last layer trained only (theta is then the NNGP itself). A sign network has no finite NTK: ``ntk``
    warns and holds infinity where rows coincide.
    Raises ``ValueError`` for depth < 1, inputs that are not finite, sw2 <= 0, sb2 < 0, m <= 0, unknown names.

    >>> X = torch.tensor([[1.0, 0.0]])
    >>> round(float(kernels(X, X, 1, ("erf", 2.0), kind="ntk")[1]), 3)
    1.659
    """
    m, X1, X2 = steepness(activation), _rows("X1", X1), _rows("X2", X2)
    depth, sw2, sb2 = at_least("depth", depth, 1), positive("sw2", sw2), nonnegative("sb2", sb2)
    one_of("kind", kind, KINDS)
    if X1.shape[1] != X2.shape[1]:
        raise ValueError(f"X1 {tuple(X1.shape)} and X2 {tuple(X2.shape)} must have the same number of columns")
    scale = sw2 / X1.shape[1]
    c = scale * X1 @ X2.T + sb2
    a = scale * X1.square().sum(1, keepdim=True) + sb2
    b = scale * X2.square().sum(1) + sb2
    if not (bool((a > 0).all()) and bool((b > 0).all())):
        raise ValueError("X1 or X2 holds a row of zeros: with sb2=0 its pre-activations vanish")
    theta = c
    for _ in range(depth):
        rate = slopes(a, b, c, m, surrogate or erf(1.0), kind)
        a, b, c = (sw2 * _product(*cov, m) + sb2 for cov in ((a, a, a), (b, b, b), (a, b, c)))
        theta = c if kind == "nngp" else c + sw2 * theta * rate
    if kind == "ntk" and math.isinf(m):
        warnings.warn("the NTK of a sign network does not exist: it is infinite where inputs coincide", stacklevel=2)
    return c, theta


def slopes(a: Tensor, b: Tensor, c: Tensor, m: float, surrogate: Surrogate, kind: str = "sg") -> Tensor:
    """E[d1(u) d2(v)] of the recursion; d1 the true slope, d2 the surrogate ("sg") or the true slope ("ntk").

    erf_m' is twice the density of N(0, 1/(2m²)). So d1 = erf_m' conditions on a u of variance a + 1/(2m²) being 0, and
    any surrogate needs its Gaussian mean only, at the variance of v that is left. m = inf is sign.
    """
    if kind == "ntk":
        return sign_slopes(a, b, c) if math.isinf(m) else erf_slopes(a, b, c, m, m)
    wider = a + 1 / (2 * m**2)
    return (2 / (math.pi * wider)).sqrt() * surrogate.gauss_mean(conditional_variance(wider, b, c))


def _product(a: Tensor, b: Tensor, c: Tensor, m: float) -> Tensor:
    return sign_product(a, b, c) if math.isinf(m) else erf_product(a, b, c, m)


def _rows(name: str, X: Tensor) -> Tensor:
    X = torch.as_tensor(X)
    if X.dim() != 2 or X.is_complex():
        raise ValueError(f"{name} has shape {tuple(X.shape)} and dtype {X.dtype}: real rows (P, n0) are needed")
    return finite(name, X).to(torch.float64)
