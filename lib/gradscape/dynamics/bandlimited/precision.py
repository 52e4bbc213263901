"""The same nets in exact arithmetic: what is left of the floor when output weights may grow (Li et al. 2008.08427).

On an interval and with an analytic activation that is no polynomial, nets with *bounded* hidden weights are dense, if
their output weights are not bounded. Float64 cannot show this: the hidden layer is numerically of low rank.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

from gradscape.dynamics.bandlimited.networks import sample_hidden
from gradscape.validate import at_least, one_of

POINTS = 60  # training points; test points lie half way between them
EXACT = ("tanh", "sigmoid")


@dataclass(frozen=True)
class PreciseFit:
    """Relative RMS errors on training points and half way between them, and log10 of the largest output weight."""

    n: int
    train: float
    test: float
    log10_coef: float

    @property
    def error(self) -> float:
        """The larger of the two errors."""
        return max(self.train, self.test)


def high_precision_fits(
    widths: Sequence[int], lam: float, target: Callable[[Any], Any], digits: int = 120, seed: int = 0,
    activation: str = "tanh", points: int = POINTS,
) -> list[PreciseFit]:
    """Least-squares fits of nested nets with ``digits`` decimal digits, one per width, from one QR factorization.

    The hidden weights are the float64 numbers of :func:`sample_hidden` taken as exact: the same nets. ``target`` maps
    an ``mpmath`` number to one; ``points`` equispaced training points on [0, 1] (at least the largest width).
    Householder reflections; the right-hand side is carried along: the first n columns then give the net of width n.
    """
    if not len(widths):
        raise ValueError("widths is empty: at least one is needed")
    for n in widths:
        at_least("widths", n, 1)
    at_least("digits", digits, 15)
    at_least("points", points, max(2, *widths))
    one_of("activation", activation, EXACT)
    ctx = mpmath.MPContext()  # of our own: the global one belongs to everybody, threads included
    ctx.dps = digits
    A, b = sample_hidden(max(widths), 1, lam, seed=seed)
    slopes, biases = [ctx.mpf(float(a)) for a in A[:, 0]], [ctx.mpf(float(value)) for value in b]
    x = [ctx.mpf(k) / (points - 1) for k in range(points)]
    between = [(left + right) / 2 for left, right in itertools.pairwise(x)]

    def unit(z: Any) -> Any:
        return ctx.tanh(z) if activation == "tanh" else (1 + ctx.tanh(z / 2)) / 2

    def layer(at: list[Any]) -> list[list[Any]]:
        return [[unit(slope * point - bias) for point in at] for slope, bias in zip(slopes, biases, strict=True)]

    y, y_between = ([ctx.convert(target(point)) for point in at] for at in (x, between))
    R, rhs = _triangular(ctx, layer(x), y)
    columns = layer(between)
    mean = ctx.fsum(y) / points
    spread = ctx.sqrt(ctx.fsum((value - mean) ** 2 for value in y) / points)
    fits = []
    for n in widths:
        coef = _back_substitution(ctx, R, rhs, n)
        residual = [
            ctx.fdot(coef, [column[k] for column in columns[:n]]) - y_between[k] for k in range(len(between))
        ]
        train = ctx.sqrt(ctx.fsum(value * value for value in rhs[n:]) / points)
        test = ctx.sqrt(ctx.fsum(value * value for value in residual) / len(between))
        largest = max(abs(value) for value in coef)
        fits.append(PreciseFit(n, float(train / spread), float(test / spread), float(ctx.log10(largest))))
    return fits


def high_precision_fit(
    n: int, lam: float, target: Callable[[Any], Any], digits: int = 120, seed: int = 0
) -> PreciseFit:
    """One tanh net of width ``n`` (see :func:`high_precision_fits`).

    >>> high_precision_fit(4, 1.0, lambda x: x**2).error < 0.01
    True
    """
    return high_precision_fits([n], lam, target, digits, seed)[0]


def _triangular(ctx: Any, columns: list[list[Any]], y: list[Any]) -> tuple[list[list[Any]], list[Any]]:
    """Householder QR: the columns of R (entry [j][i] for i <= j) and ``Qᵀ y``."""
    columns, rhs = [list(column) for column in columns], list(y)
    for j, column in enumerate(columns):
        tail = column[j:]
        norm = ctx.sqrt(ctx.fdot(tail, tail))
        if norm == 0:
            raise ValueError(f"digits: unit {j} is a combination of the units before it to all digits; give more")
        mirror = [tail[0] + (norm if tail[0] >= 0 else -norm), *tail[1:]]
        scale = 2 / ctx.fdot(mirror, mirror)
        for other in [*columns[j:], rhs]:
            shift = scale * ctx.fdot(mirror, other[j:])
            for i, value in enumerate(mirror, start=j):
                other[i] -= shift * value
    return columns, rhs


def _back_substitution(ctx: Any, R: list[list[Any]], rhs: list[Any], n: int) -> list[Any]:
    coef = [ctx.mpf(0)] * n
    for i in range(n - 1, -1, -1):
        known = ctx.fdot([R[j][i] for j in range(i + 1, n)], coef[i + 1 : n])
        coef[i] = (rhs[i] - known) / R[i][i]
    return coef
