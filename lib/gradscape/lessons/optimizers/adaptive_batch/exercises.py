"""Checkers of the adaptive-batch lesson's exercises."""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradscape.learning.per_sample import GradientStats
from gradscape.optimizers.adaptive_batch.rules import augmented_test, fixed_point, inner_product_test
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

TRIES = 20
CLOSE = 1e-9         # relative
V, V_IP, NORM, ETA = 12.0, 18.0, 4.0, 0.5   # of exercise 2
N, FIRST, EPOCHS = 103, 10, 5               # of exercise 3


@checker(1)
def check_1(answer: Callable[[float, float, float], float]) -> Feedback | None:
    """b*(V, ||grad F||², eta), where the norm test settles at a point that does not move."""
    rng = np.random.default_rng(0)
    cases = [(*map(float, rng.uniform(0.1, 5.0, 2)), float(rng.uniform(0.1, 0.95))) for _ in range(TRIES)]
    found = [as_number(answer(*case), "b*") for case in cases]

    def all_equal(formula: Callable[[float, float, float], float]) -> bool:
        return all(math.isclose(f, formula(*case), rel_tol=CLOSE) for f, case in zip(found, cases, strict=True))

    expect(
        not all_equal(lambda v, g, eta: v / (eta**2 * g)),
        "That is the batch that the exact norm test needs. The rule divides by ‖ḡ‖², whose mean is larger than ‖∇F‖².",
    )
    expect(
        not all_equal(lambda v, g, eta: (1 + eta**2) * v / (eta**2 * g)),
        "A sign: an over-estimate of the gradient lets the test pass sooner, so b* must be smaller, not larger.",
    )
    expect(
        not all_equal(lambda v, g, eta: (1 - eta) * v / (eta * g)),
        "η enters the test squared.",
    )
    expect(all_equal(fixed_point), "Put E‖ḡ‖² = ‖∇F‖² + V/b into T, set T = b, and solve for b.")
    return correct("At η = 1 nothing is left: a test that tolerates an error as large as the gradient never grows b.")


@checker(2)
def check_2(answer: Sequence[float]) -> Feedback | None:
    """(theta, nu) for which both terms of the augmented test equal the norm test's T."""
    theta, nu = map(float, as_array(answer, "(theta, nu)", (2,)))
    expect(theta > 0 and nu > 0, "Both parameters must be positive.")
    stats = GradientStats(16, NORM, V, V_IP, V - V_IP / NORM)
    T = V / (ETA**2 * NORM)
    along = inner_product_test(stats, theta).required
    across = augmented_test(stats, 1e9, nu).required
    told = f"The norm test asks for {T:g}; the term along ḡ for {along:.6g}, the term across for {across:.6g}."
    expect(not math.isclose(theta, ETA) or not math.isclose(nu, ETA),
           f"{told} With θ = ν = η the two terms add up to the norm test's T; each of them is only a part.")
    expect(math.isclose(along, T, rel_tol=CLOSE), f"{told} Mend θ: its square is η² times the share of V along ḡ.")
    expect(math.isclose(across, T, rel_tol=CLOSE), f"{told} Mend ν: V_orth = V − V_ip/‖ḡ‖².")
    return correct(f"{told} θ² + ν² = η²: the two shares of the variance divide η² between them.")


@checker(3)
def check_3(answer: Callable[[Callable[[int], Any], Callable[[int], float], int], Any]) -> Feedback | None:
    """A loop(draw, required, steps) -> scheduled sizes that never shrink, with an exact index stream."""
    batches: list[list[int]] = []
    rest: list[int] = []
    rng = np.random.default_rng(0)

    def draw(size: int) -> list[int]:
        """The next ``size`` indices of the endless stream of permutations."""
        expect(isinstance(size, int | np.integer) and size >= 1, "draw(size) needs a whole size of at least 1.")
        while len(rest) < size:
            rest.extend(rng.permutation(N).tolist())
        batch, rest[:] = rest[:size], rest[size:]
        batches.append(batch)
        return batch

    needs = iter([14.2, 3.0, 25.0, 7.5, 7.5, 31.0, 2.0, 40.4, 5.0, 1.0] * TRIES)
    asked: list[float] = []

    def required(seen: int) -> float:
        """T of the test, from a batch that had ``seen`` samples."""
        expect(batches and seen == len(batches[-1]), "required(seen) must get the length of the batch just drawn.")
        asked.append(next(needs))
        return asked[-1]

    total = EPOCHS * N
    sizes = as_array(answer(draw, required, total), "the list of scheduled sizes", (None,)).tolist()
    expect(len(sizes) == len(batches) == len(asked), "Return one scheduled size for each batch that was drawn.")
    used = sum(map(len, batches))
    expect(used <= total, f"The loop used {used} samples; the budget is {total}. The last batch must be cut.")
    expect(used == total, f"The loop used {used} samples of {total}: some indices were dropped.")
    falls = [k for k in range(1, len(sizes)) if sizes[k] < sizes[k - 1]]
    expect(not falls, "A scheduled size shrank: the floor must be the scheduled size, not the length of a short batch.")
    counts = Counter(index for batch in batches for index in batch)
    expect(set(counts.values()) == {EPOCHS} and len(counts) == N, "Some index was drawn more often than others.")
    expected, b = [], FIRST
    for T in asked:
        b = max(b, math.ceil(T))
        expected.append(b)
    expect(sizes == expected, "The size is not max(b, ceil(T)), starting at 10.")
    return correct("The floor is the schedule; the statistics use what was really drawn.")
