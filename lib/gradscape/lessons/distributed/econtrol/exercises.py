"""Checkers of the lesson's three exercises."""
from __future__ import annotations

from typing import Any

from gradscape.distributed.econtrol import critical_eta, error_at, largest_gain_holds
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

DELTAS = (0.02, 0.1, 0.3)
CLOSE = 1e-6
LOW, HIGH = 0.8, 1.5  # at these multiples of the answer all runs hold, and some do not
CLIENTS, TOLERANCE = 256, 0.25


@checker(1)
def check_1(answer: Any) -> Feedback:
    """The critical gains for delta = 0.02, 0.1 and 0.3."""
    given, right = as_array(answer, "the gains", (3,)), [critical_eta(delta) for delta in DELTAS]
    expect((given > 0).all(), "A critical gain is positive.")
    over = all(abs(g * d - r) < CLOSE or abs(g - r / d) < CLOSE for g, d, r in zip(given, DELTAS, right, strict=True))
    expect(not over, "Right up to a factor δ: the question is for η, not for η/δ or ηδ.")
    upper = all(abs(g * d - (1 + (1 - d) ** 0.5) ** 2) < 1e-4 for g, d in zip(given, DELTAS, strict=True))
    expect(not upper, "That is the other end of the complex range. Of the two solutions take the smaller one.")
    quarter = all(abs(g - d / 4) < CLOSE for g, d in zip(given, DELTAS, strict=True))
    expect(not quarter, "δ/4 is its limit for small δ; the exact value is a little larger.")
    for g, d, r in zip(given, DELTAS, right, strict=True):
        side = "still has two different real roots" if g < r else "already has complex roots"
        expect(abs(g - r) <= CLOSE, f"At δ = {d:g} the model with η = {g:.6g} {side}: solve trace² = 4 · determinant.")
    return correct("(1 − √(1 − δ))²/δ: below it the error creeps, above it it swings.")


@checker(2)
def check_2(answer: Any) -> Feedback:
    """The largest eta/delta at which 20 noisy runs all stay finite."""
    ratio = as_number(answer, "η/δ")
    expect(ratio > 0, "η/δ must be positive.")
    expect(ratio < 100, "Far above anything that Top-K survives. Did you give the bound of the linear model?")
    low, high = largest_gain_holds(LOW * ratio), largest_gain_holds(HIGH * ratio)
    expect(low == 1, f"Too large: at {LOW} times your gain only {20 * low:.0f} of 20 runs stay finite.")
    expect(high < 1, f"Too small: at {HIGH} times your gain all 20 runs still stay finite.")
    return correct(f"At {HIGH * ratio:.3g}δ {20 * high:.0f} of 20 hold. The linear model would allow 380δ: the trouble "
                   "is Top-K, which lets most entries wait for many rounds.")


@checker(3)
def check_3(answer: Any) -> Feedback:
    """EControl's noise error with 256 clients, from those with 4, 16 and 64."""
    guess = as_number(answer, "the error")
    expect(guess > 0, "An error is a squared distance: positive.")
    expect(abs(guess / error_at(64) - 1) > 0.1, "That is the error at n = 64. What is left with four times as many?")
    expect(abs(guess / (error_at(64) / 2) - 1) > 0.1, "That is a law of 1/√n. Squared distances fall faster.")
    found = error_at(CLIENTS)
    expect(guess <= (1 + TOLERANCE) * found, "Too large. Fit log error against log n through the three values.")
    expect(guess >= (1 - TOLERANCE) * found, "Too small: no law that the three values obey falls so fast.")
    return correct(f"Simulated with 3 seeds: {found:.2e}; about 1e-4 of it is what is left of the start, not noise.")
