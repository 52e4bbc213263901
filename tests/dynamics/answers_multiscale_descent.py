"""Solutions of the multi-scale lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations


def plateau(n, d, p, noise):
    return 0.5 * ((1 - p / d) * n + noise**2 * p) / (n - p)


SOLUTIONS = {1: (45.0, 36.5), 2: 10**-0.5, 3: plateau}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        ((36.5, 45.0), "other order"),
        ((45.0, 45.0), "shows its bump earlier"),
        ((20.0, 36.5), "no bump of 0.005 yet"),
        ((45.0, 100.0), "smaller κ has a bump"),
        ((0.5, 36.5), "at least 1"),
        (45.0, "has shape"),
    ],
    2: [
        (0.0, "bump is still there"),
        (1e-4, "bump is still there"),
        (1e-2, "still pays to stop"),
        (10.0, "fast features are penalized"),
        (-1.0, "not negative"),
        ("much", "must be a number"),
    ],
    3: [
        (lambda n, d, p, noise: 0.5 * (1 - p / d) * n / (n - p), "Right without label noise"),
        (lambda n, d, p, noise: plateau(n, d, p, noise) + 0.5 * noise**2, "noise of the *test* labels"),
        (lambda n, d, p, noise: 2 * plateau(n, d, p, noise), "E is *half*"),
        (lambda n, d, p, noise: plateau(n, d, p, noise**0.5), "standard deviation"),
        (lambda n, d, p, noise: plateau(n, d, p, noise) * (n - p) / n, "between the scales"),
        (lambda n, d: 0.0, "TypeError"),
    ],
}
