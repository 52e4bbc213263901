"""Solutions of the AnyLoss lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch
from gradscape.optimizers.anyloss import LossSpec, fit_linear

SLOW = (3,)


def mcc_slope(a, y, sign=1.0, root=True, accuracy=False):
    """Derivative of 1 - MCC by a, with MCC = (n TP - S P) / Q and Q = sqrt(S (n - S) P N)."""
    n, P, S, TP = len(y), y.sum(), a.sum(), (a * y).sum()
    if accuracy:
        return -(2 * y - 1) / n
    Q = (S * (n - S) * P * (n - P)).sqrt()
    by_root = (n * TP - S * P) / Q * (n - 2 * S) / (2 * S * (n - S)) if root else 0.0
    return -sign * ((n * y - P) / Q - by_root)


def robust(X, y, mask, theta0, first="weighted_bce", last="fbeta"):
    """Train with class-weighted cross-entropy first: it has a gradient everywhere and leaves both classes near 1/2."""
    warm = fit_linear(X, y, [LossSpec(first)], mask=mask, theta0=theta0, lr=1.0)
    return fit_linear(X, y, [LossSpec(last)], mask=mask, theta0=warm)[0]


def from_zero(X, y, mask, theta0):
    return fit_linear(X, y, [LossSpec("fbeta")], mask=mask)[0]


def longer(X, y, mask, theta0):
    return fit_linear(X, y, [LossSpec("fbeta")], mask=mask, theta0=theta0, iterations=2000)[0]


SOLUTIONS = {1: mcc_slope, 2: 22, 3: robust}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda a, y: mcc_slope(a, y, sign=-1.0), "The sign is turned"),
        (lambda a, y: mcc_slope(a, y, root=False), "S stands below the root"),
        (lambda a, y: mcc_slope(a, y, accuracy=True), "quotient rule"),
        (lambda a, y: mcc_slope(a, y) * a, "All positives have one derivative"),
        (lambda a, y: mcc_slope(a, y).sum(), "the shape of a"),
        (lambda a, y: None, "returned None"),
    ],
    2: [
        (10, "amplify more"), (73, "a smaller L does as well"), (23.5, "whole number"), (0, "between 1 and 500"),
        ("large", "must be a number"),
    ],
    3: [
        (from_zero, "does not depend on theta0"),
        (longer, "Nothing was gained"),
        (lambda X, y, mask, theta0: robust(X, y, mask, theta0, last="accuracy"), "does the last one train on F1"),
        (lambda X, y, mask, theta0: theta0[0], "the shape of theta0"),
        (lambda X, y, mask, theta0: torch.full_like(theta0, float("nan")), "NaN"),
    ],
}
