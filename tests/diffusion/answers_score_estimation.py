"""Solutions of the score lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

import torch


def log_uniform(u):
    return 0.05 * (3 / 0.05) ** u


SOLUTIONS = {1: lambda t: t**4, 2: 3, 3: (log_uniform, True)}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda t: t**2, "holds their squares"),
        (lambda t: t**-4, "must undo it"),
        (lambda t: t**-2, "subtract"),
        (lambda t: math.expm1(-t) ** 2 / math.exp(-t), "process in this lesson"),
        (lambda t: t**3, "Write both scores"),
        (lambda: 1.0, "TypeError"),
    ],
    2: [
        (132, "of K/n"),
        (0, "e·ev > 1"),
        (497, "*not* learned"),
        (12, "what lies above it"),
        (2.5, "whole number"),
        ("three", "must be a number"),
    ],
    3: [
        ((log_uniform, False), "Measured anew"),
        ((lambda u: 0.05 + 2.95 * u, True), "Those times are uniform"),
        ((lambda u: torch.log(log_uniform(u)), True), "take the exponential"),
        ((lambda u: 3.0**u, True), "geometric mean"),
        ((lambda u: 10 * u, True), "must lie in"),
        ((log_uniform, "yes"), "True or False"),
        (log_uniform, "is a pair"),
    ],
}
