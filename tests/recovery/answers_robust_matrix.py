"""Solutions of the robust-matrix lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

SLOW = (2, 3)  # their checkers run the method

SOLUTIONS = {1: (0.5823, 0.0794), 2: 0.9946, 3: (150, 50)}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        ((0.0794, 0.5823), "other order"),
        ((0.7298, 0.0995), "factor √(2/π)"),
        ((0.7979, 0.0794), "without outliers"),
        ((0.5585, 0.0794), "do not count for nothing"),
        ((0.4, 0.0794), "share 1 − p"),
        ((0.5823, 0.5642), "not at 1"),
        ((0.5823, 0.2), "Only the ratio"),
        (0.5823, "has shape"),
    ],
    2: [
        (0.95, "has not grown by then"),
        (0.9985, "they are still"),
        (1.0, "never shrink"),
        (1.2, "not above 1"),
        ("slow", "must be a number"),
    ],
    3: [
        ((100, 150), "r′ = 20 and m = 100 only"),
        ((150, 100), "With r′ = 1 all five are recovered from fewer than 100"),
        ((200, 50), "recovered from fewer than 200"),
        ((160, 100), "multiples of 50"),
        ((2000, 100), "So many are not needed"),
    ],
}
