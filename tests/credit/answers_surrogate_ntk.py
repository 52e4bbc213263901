"""Solutions of the surrogate-NTK lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

import numpy as np
from gradscape.credit import surrogate_ntk as sn

T, X = sn.angles(100), sn.angles(8)


def sign_rectangle(a, b, c, w):
    """The density of u at 0, twice, times the mass of v given u = 0 inside the window."""
    return 2 / math.sqrt(2 * math.pi * a) * math.erf(w / math.sqrt(2 * (b - c * c / a)))


def best_k():
    """A grid is enough for 20 %."""
    grid = np.geomspace(0.3, 5, 40)
    errors = [float((sn.regress(sn.Model(k=float(k)), T, 8).mean - sn.target(T)).square().mean()) for k in grid]
    return float(grid[int(np.argmin(errors))])


def distances(pair):
    """(k, place): RMS between each ensemble and each regression."""
    table = []
    for k in (0.3, 1.0):
        G = sn.regress(sn.Model(k=k), T, 8, steps=200).G.numpy()
        y = sn.target(X).numpy()
        means = [(each.after - each.before + each.before_train @ G.T).mean(0) for each in pair]
        table.append([float(np.sqrt(((mean - G @ y) ** 2).mean())) for mean in means])
    return table


def place(first, second):
    """Both ensembles decide together."""
    (a, b), (c, d) = distances((first, second))
    return int(a + d > b + c)


SOLUTIONS = {1: sign_rectangle, 2: best_k(), 3: place}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda a, b, c, w: sign_rectangle(a, b, c, w) / 2, "2δ"),
        (lambda a, b, c, w: sign_rectangle(a, b, 0.0, w), "knew nothing of u"),
        (lambda a, b, c, w: sign_rectangle(b, a, c, w), "mixed up"),
        (lambda a, b, c, w: math.erf(w / math.sqrt(2 * (b - c * c / a))), "density at 0"),
        (lambda a, b, c, w: sign_rectangle(a, b, c, w) / (2 * w), "height 1"),
        (lambda a, b, c, w: 1.1 * sign_rectangle(a, b, c, w), "million pairs"),
        (lambda a, b, c, w: -sign_rectangle(a, b, c, w), "positive"),
        (lambda a, b: 1.0, "TypeError"),
    ],
    2: [
        (-1.0, "positive"), (math.log(best_k()), "ln k"), (0.166, "least test error"), (0.3, "almost the NNGP's"),
        (1.0, "somewhat narrower"), (2.2, "somewhat wider"), (10.0, "a spike again"), ("wide", "must be a number"),
    ],
    3: [
        (lambda first, second: 1 - place(first, second), "swapped"),
        (lambda first, second: 0, "every time"),
        (lambda first, second: int(first.after[0, 0] > second.after[0, 0]), "Compare each ensemble"),
        (lambda first, second: 0.3, "Return 0"),
        (lambda first: 0, "TypeError"),
    ],
}
