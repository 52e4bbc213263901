"""Answers to the exercises of Noise2Score: solutions, and wrong answers with the hint each should get."""
from __future__ import annotations

from typing import Any

import numpy as np


def single(y, score):
    return -1 / score


def multi(y, score):
    return 4 * y / (3 - y * score)


def floor(v, a):
    return v / (v + a**2)


def smoothest(y, found):
    return found.grid[np.argmin(found.tv)]


def official(y, found):
    x = found.images.clamp(min=1e-3)
    penalty = 0.1 * found.tv + (x - y * x.log()).mean((1, 2)).numpy()
    return found.grid[np.argmin(penalty)]


SOLUTIONS: dict[int, Any] = {1: (single, multi), 2: floor, 3: smoothest}
SLOW = (3,)  # its checker trains a network for each of two noise levels

# exercise -> (answer, a part of the hint it should get)
WRONG: dict[int, list[tuple[Any, str]]] = {
    1: [
        ((single, lambda y, s: y / (3 - y * s)), "numerator"),
        ((single, lambda y, s: 4 * y / (3 + y * s)), "sign"),
        ((single, lambda y, s: 4 * y / (4 - y * s)), "k - 1, not k"),
        ((lambda y, s: y, multi), "single: at y"),
    ],
    2: [
        (lambda v, a: a**2 / (v + a**2), "explained"),
        (lambda v, a: v / (v + a), "standard deviation"),
        (lambda v, a: 1.0, "below 1"),
        (lambda v, a: 1 - a**2, "minimize over c"),
    ],
    3: [
        (lambda y, found: int(np.argmin(found.tv)), "index"),
        (lambda y, found: 0.03, "whatever it sees"),
        (lambda y, found: found.grid[np.argmax(found.tv * 0 + found.grid)], "largest candidate"),
        (lambda y, found: 3 * found.grid[np.argmin(found.tv)], "too large"),
    ],
}
