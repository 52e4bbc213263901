"""Solutions of the EControl lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

DELTAS = (0.02, 0.1, 0.3)


def critical(delta: float) -> float:
    return (1 - (1 - delta) ** 0.5) ** 2 / delta


# exercise -> answer
SOLUTIONS = {1: [critical(delta) for delta in DELTAS], 2: 2.28, 3: 7.5e-4}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        ([delta / 4 for delta in DELTAS], "its limit for small δ"),
        ([critical(delta) / delta for delta in DELTAS], "up to a factor δ"),
        ([(1 + (1 - delta) ** 0.5) ** 2 / delta for delta in DELTAS], "other end of the complex range"),
        ([0.004, 0.026334, 0.088933], "two different real roots"),
        ([0.005051, 0.027, 0.088933], "already has complex roots"),
        ([0.005051, -0.026334, 0.088933], "positive"),
        ([0.005051, 0.026334], "has shape"),
        ("a quarter", "array of numbers"),
    ],
    2: [
        (1.2, "Too small"),
        (4.0, "Too large"),
        (380.0, "linear model"),
        (-1.0, "positive"),
        ("three", "must be a number"),
    ],
    3: [
        (2.97e-3, "error at n = 64"),
        (1.49e-3, "1/√n"),
        (1.2e-3, "Too large"),
        (1e-4, "Too small"),
        (-1e-3, "positive"),
        ("less", "must be a number"),
    ],
}

SLOW = (2, 3)
