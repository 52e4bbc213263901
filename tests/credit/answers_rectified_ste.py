"""Solutions of the exercises of the lesson on rectified estimators, and wrong answers with the hint each should get."""
from __future__ import annotations

import torch
from gradscape.lessons.credit.rectified_ste import calm

SLOW = (3,)


def slope(z, o, t=1.5, m=0.1, *, plateau="secant", factor=True, cut=True, inclusive=True, floor=True, odd=False):
    """d(z) of training."""
    size = z if odd else z.abs()
    power = (size.clamp(min=m) if floor else size) ** ((1 - o) / o)
    steep = power / o if factor else power
    flat = {"secant": m ** ((1 - o) / o), "derivative": m ** ((1 - o) / o) / o}[plateau] + 0 * z
    inside = size <= m if inclusive else size < m
    d = torch.where(inside, flat, steep) if floor else steep
    return torch.where(z.abs() > t, torch.zeros_like(z), d) if cut else d


def best_z(o):
    """Where the derivative of z^(1/o) - z is 0: z^((1-o)/o) = o."""
    return o ** (-o / (o - 1))


M = 0.32

SOLUTIONS = {1: slope, 2: best_z, 3: (M, calm(M)[1])}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda z, o, t, m: slope(z, o, t, m, plateau="derivative"), "slope of the secant"),
        (lambda z, o, t, m: slope(z, o, t, m, factor=False), "the factor 1/o"),
        (lambda z, o, t, m: slope(z, o, t, m, cut=False), "Beyond t"),
        (lambda z, o, t, m: slope(z, o, t, m, floor=False), "Keep |z| away from 0"),
        (lambda z, o, t, m: slope(z, o, t, m, odd=True), "depends on |z|"),
        (lambda z, o, t, m: slope(z, o, t, m, inclusive=False), "belongs to the plateau"),
        (lambda z, o, t, m: slope(z, 3.0, t, m), "not for every o"),
        (lambda z, o, t, m: slope(z, o, t, m).sum(), "the shape of z"),
    ],
    2: [
        (lambda o: o ** (-1 / (o - 1)), "one more power"),
        (lambda o: 1 / o, "Set its derivative to 0"),
        (lambda o: round(o ** (-o / (o - 1)), 2), "a grid is too coarse"),
        (lambda o: 2.0, "between 0 and 1"),
        (lambda o: "somewhere", "must be a number"),
    ],
    3: [
        ((0.1, 0.95), "still too restless"),
        ((0.7, 0.95), "calmer than asked for"),
        ((M, 0.5), "the accuracy is not"),
        ((2.0, 0.95), "between 0 and t"),
        ((M, 95.0), "must be a share"),
    ],
}
