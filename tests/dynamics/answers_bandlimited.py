"""Solutions of the bandlimited lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def placed(scale: float) -> Callable[[int, np.random.Generator], Any]:
    """Gaussian slopes, each with its bend at a uniform place of [0, 1]."""

    def draw(n: int, rng: np.random.Generator) -> tuple[Any, Any]:
        a = rng.normal(0, scale, n)
        return a, a * rng.uniform(0, 1, n)

    return draw


def own_seed(n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    return np.random.default_rng().normal(0, 30, n), rng.normal(0, 30, n)


SOLUTIONS = {1: lambda s: (1 + s**2) * math.exp(-(s**2)), 2: 12.5, 3: placed(30)}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda s: math.exp(-(s**2)), "Mexican hat"),
        (lambda s: 1 - (1 + s**2) * math.exp(-(s**2)), "what is lost"),
        (lambda s: (1 + s**2 / 2) * math.exp(-(s**2) / 2), "both carry"),
        (lambda s: 2 * math.pi * (1 + s**2) * math.exp(-(s**2)), "divide by K"),
        (lambda s: (1 + s) * math.exp(-(s**2)), "numerical integral"),
    ],
    2: [
        (-3.0, "is positive"),
        (6.0, "no width removes"),
        (40.0, "clearly smaller"),
        (1000.0, "far faster sines"),
        ("fourteen", "must be a number"),
    ],
    3: [
        (lambda n, rng: (rng.uniform(-30, 30, n), rng.uniform(-30, 30, n)), "looks bounded"),
        (lambda n, rng: rng.normal(0, 30, n), "Return the pair"),
        (own_seed, "nothing else"),
        (lambda n, rng: (50 * rng.standard_cauchy(n), 50 * rng.standard_cauchy(n)), "at every frequency"),
        (lambda n, rng: (rng.normal(0, 10, n), rng.normal(0, 10, n)), "scale large enough"),
    ],
}
