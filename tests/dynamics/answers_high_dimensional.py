"""Solutions of the high-dimensional lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

SOLUTIONS = {
    1: (0.553, 0.994),
    2: lambda lam, snr, inr: math.log1p(lam * (snr + inr)) / lam,
    3: 3.0,
}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        ((0.994, 0.553), "0 < low < high"),
        ((0.553, 2.0), "ends at the peak"),
        ((0.1, 0.994), "first examples still help"),
        ((0.65, 0.994), "lower end is the minimum"),
        ((0.553, 0.9), "upper end is the maximum"),
        (0.553, "has shape"),
    ],
    2: [
        (lambda lam, snr, inr: math.log1p(lam * snr) / lam, "where does INR enter"),
        (lambda lam, snr, inr: math.log1p(snr + inr) / lam, "noise in mode"),
        (lambda lam, snr, inr: math.log1p(lam * (snr + inr)), "Time itself"),
        (lambda lam, snr, inr: math.log1p(lam * (snr + inr)) / (2 * lam), "numerical search"),
        (lambda lam, snr, inr: math.log(lam * (snr + inr)) / lam, "at least 1"),
        (lambda lam, snr: 0.0, "TypeError"),
    ],
    3: [
        (0.5, "σ_0² itself"),
        (1.5, "frozen share"),
        (0.6, "not with the teacher"),
        (2.0, "zero predictor has"),
        (-1.0, "must be positive"),
        ("three", "must be a number"),
    ],
}
