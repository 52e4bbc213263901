"""Solutions of the error feedback lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

L, L_I, K, D = 2.5, (12.0, 3.0, 2.0, 1.0, 1.0, 1.0), 2, 20
ALPHA = K / D
XI = math.sqrt(1 - ALPHA) / (1 - math.sqrt(1 - ALPHA))
MEAN, ROOT = sum(L_I) / 6, math.sqrt(sum(value**2 for value in L_I) / 6)
STEP_QM, STEP_AM = 1 / (L + ROOT * XI), 1 / (L + MEAN * XI)
SQUARES = [i**2 for i in range(1, 51)]
LEAST = sum(SQUARES) / 50


def one_rough(others: float, n: int = 100) -> list[float]:
    """One client with all the rest of a sum of n."""
    return [n - (n - 1) * others] + [others] * (n - 1)


# exercise -> answer
SOLUTIONS = {
    1: [STEP_QM, STEP_AM, STEP_AM / STEP_QM],
    2: [1.0, LEAST],
    3: one_rough(0.01),
}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        ([STEP_AM, STEP_QM, STEP_AM / STEP_QM], "swapped"),
        ([1 / (MEAN + ROOT * XI), STEP_AM, 1.5], "not the mean of the Lᵢ"),
        ([1 / (ROOT * XI), 1 / (MEAN * XI), ROOT / MEAN], "the L is missing"),
        ([1 / (L + math.sqrt(6) * ROOT * XI), STEP_AM, 1.5], "divide by n before the root"),
        ([1 / (L + ROOT / ALPHA), STEP_AM, 1.5], "α is K/d"),
        ([STEP_QM, 1 / (L + math.sqrt(2) * MEAN * XI), 1.2], "γ_AM is not"),
        ([STEP_QM, STEP_AM, ROOT / MEAN], "takes a part of the gain away"),
        ([STEP_QM, STEP_AM, STEP_QM / STEP_AM], "Upside down"),
        ([STEP_QM, STEP_AM, 2.0], "is the ratio of them"),
        ([STEP_QM, STEP_AM], "three numbers"),
        ([STEP_QM, STEP_AM, "twice"], "must be a number"),
    ],
    2: [
        ([0.0, math.sqrt(sum(value**2 for value in SQUARES) / 50)], "uniform weights"),
        ([0.5, LEAST], "A larger q gives less"),
        ([2.0, LEAST], "A smaller q gives less"),
        ([50.0, LEAST], "Scan q between"),
        ([1.0, math.sqrt(sum(value**2 for value in SQUARES) / 50)], "belongs to q = 0"),
        ([1.0, LEAST**2], "the root is missing"),
        ([1.0, 50 * LEAST], "n² inside the root"),
        ([1.01, LEAST * (1 + 1e-5)], "Scan finer"),
        (1.0, "two numbers"),
    ],
    3: [
        ([1.0] * 100, "L_QM/L_AM is 1.000"),
        (one_rough(0.2), "fewer clients hold more"),
        (one_rough(0.0), "constant > 0"),
        (one_rough(0.01, 99), "100 entries"),
        ([10 * value for value in one_rough(0.01)], "Divide all entries"),
        (["rough"] * 100, "must be an array"),
        ([math.inf] + [0.01] * 99, "NaN or infinite"),
    ],
}
