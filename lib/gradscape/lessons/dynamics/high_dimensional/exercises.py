"""Checkers of the high-dimensional lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradscape.dynamics.high_dimensional.experiments import LONG, NODES, SNR
from gradscape.dynamics.high_dimensional.theory import LinearTask, asymptotic_error, generalization_error
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

ENDS = 0.01  # to which exercise 1 asks for both ends
TIMES = 1e-4  # relative agreement of stopping times with a search that itself reaches 1e-7
TRIALS = 100
VALUE = 0.02  # to which exercise 3 asks for the ratio
ALPHA_3 = 0.5


@functools.cache
def growing_interval() -> tuple[float, float]:
    """Loads between which ``E_g(100)`` grows with alpha at SNR 5: its minimum and its maximum, to 1e-5."""
    from scipy.optimize import minimize_scalar

    def error(alpha: float, sign: float) -> float:
        return sign * float(generalization_error(LinearTask.from_snr(alpha, SNR), LONG, NODES))

    ends = [
        minimize_scalar(error, bounds=bounds, args=(sign,), method="bounded", options={"xatol": 1e-6}).x
        for bounds, sign in (((0.3, 0.8), 1.0), ((0.8, 1.2), -1.0))
    ]
    return float(ends[0]), float(ends[1])


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """The interval (low, high) of loads on which more data hurt, at SNR 5 and T = 100."""
    low, high = (float(end) for end in as_array(answer, "the interval", (2,)))
    expect(0 < low < high, "Give (low, high) with 0 < low < high: two loads α.")
    left, right = growing_interval()
    expect(high <= 1.2, "Beyond its peak the error falls with every further example: the interval ends at the peak.")
    expect(low >= 0.3, "At small α the first examples still help. Where does E_g(T) stop falling?")
    expect(abs(low - left) <= ENDS, "The lower end is the minimum of E_g(T) over α < 1. Evaluate generalization_error "
                                    "on a finer grid of α, at t = 100 and not at the best time.")
    expect(abs(high - right) <= ENDS, "The upper end is the maximum of E_g(T) over α. At finite T it lies near α = 1; "
                                      "a finer grid finds it.")
    return correct("Between these loads each further example makes the trained student worse. Early stopping cures it.")


@checker(2)
def check_2(answer: Callable[[float, float, float], Any]) -> Feedback | None:
    """A function (lam, snr, inr) that returns the best stopping time of one mode."""
    rng = np.random.default_rng(0)
    lam, snr, inr = rng.uniform(0.05, 9, TRIALS), 10 ** rng.uniform(-1, 3, TRIALS), rng.uniform(0, 10, TRIALS)
    given = np.array([as_number(answer(*map(float, row)), "t*") for row in zip(lam, snr, inr, strict=True)])

    def near(times: np.ndarray) -> bool:
        return bool(np.allclose(given, times, rtol=TIMES))

    expect((given >= 0).all(), "A stopping time is not negative: what is under the logarithm must be at least 1.")
    expect(not near(np.log1p(lam * snr) / lam), "Right for w(0) = 0. Large initial weights are a distance to travel "
                                                "too: where does INR enter?")
    expect(not near(np.log1p(snr + inr) / lam), "Nearly: the noise in mode λ has variance σ_ε²/λ, so signal and noise "
                                                "compare differently in each mode.")
    expect(not near(np.log1p(lam * (snr + inr))), "That is λ t*. Time itself runs slower in small modes.")
    wanted = search_minimum(lam, snr, inr)
    wrong = int(np.argmax(np.abs(given / wanted - 1)))
    expect(near(wanted), f"At λ = {lam[wrong]:.3g}, SNR = {snr[wrong]:.3g}, INR = {inr[wrong]:.3g} a numerical search "
                         f"finds another minimum. Set the derivative of the mode's error by t to zero.")
    return correct("Modes of large λ should stop early, those of small λ late: one t for all is a compromise.")


def search_minimum(lam: np.ndarray, snr: np.ndarray, inr: np.ndarray) -> np.ndarray:
    """Where ``(SNR + INR) e^{-2λt} + (1 - e^{-λt})²/λ`` is least: golden sections, which use no derivative."""
    def error(t: np.ndarray) -> np.ndarray:
        return (snr + inr) * np.exp(-2 * lam * t) + np.expm1(-lam * t) ** 2 / lam

    low, high, golden = np.zeros_like(lam), snr + inr, (5**0.5 - 1) / 2
    for _ in range(90):
        a, b = high - golden * (high - low), low + golden * (high - low)
        left = error(a) <= error(b)  # far out the error is flat to the last digit: the minimum lies to the left
        low, high = np.where(left, low, a), np.where(left, b, high)
    return (low + high) / 2


@checker(3)
def check_3(answer: object) -> Feedback | None:
    """INR at which a fully trained student at alpha = 1/2 and SNR 5 ends no better than predicting 0."""
    inr = as_number(answer, "INR")
    expect(inr > 0, "Large initial weights do the harm: INR must be positive.")
    task = LinearTask.from_snr(ALPHA_3, SNR)
    zero = task.var_teacher + task.var_noise
    needed = (zero - asymptotic_error(task)) / (1 - ALPHA_3)  # E_g(∞) is linear in σ_0² with slope 1 - α
    wanted = needed / task.var_noise
    expect(abs(inr - needed) > VALUE, "That is σ_0² itself. INR is σ_0² measured in units of the noise, σ_ε².")
    expect(abs(inr - wanted * (1 - ALPHA_3)) > VALUE, "Only the frozen share 1 − α of the weights keeps σ_0².")
    expect(abs(inr - needed / task.var_teacher) > VALUE, "INR compares σ_0² with σ_ε², not with the teacher σ_w².")
    reached = asymptotic_error(LinearTask.from_snr(ALPHA_3, SNR, inr))
    expect(abs(inr - wanted) <= VALUE, f"With INR = {inr:.3g} the student ends at E_g = {reached:.3f}, the zero "
                                       f"predictor has {zero:.3f}.")
    return correct("The frozen half never learns: whatever weights it starts with are an error for ever.")
