"""Checkers of the Bayes-optimal lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradscape.dynamics.bayes_optimal import Denoiser, gamp_rie, mmse, teacher
from gradscape.lesson import generator
from gradscape.workbench import Feedback, Hint, as_array, as_number, checker, correct, expect

KAPPAS, LEAST, THRESHOLD = (0.3, 0.7, 1.5), 1e-6, 1e-3  # widths, error that counts as found, tolerance of α
SIZE, LOAD, SHARE = 100, 0.3, 0.08  # of the run in exercise 2, and how near 1 - 2α it must end
EXCESS = 0.05  # of exercise 3
ROUNDING = 1e-6


@functools.cache
def last_error(kappa: float) -> float:
    """Largest α at which the optimal error is above 1e-6, by bisection."""
    low, high = 1e-3, 0.6
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if mmse(middle, kappa) > LEAST else (low, middle)
    return low


@checker(1)
def check_1(answer: Callable[[float], Any]) -> Feedback | None:
    """A function kappa -> the load at which S is recovered exactly."""
    given = np.array([as_number(answer(kappa), "α_PR") for kappa in KAPPAS])
    kappas = np.array(KAPPAS)

    def near(values: Any) -> bool:
        return bool(np.allclose(given, values, atol=THRESHOLD))

    expect(not near(kappas), "m·d weights are too many: rotating the neurons changes W, but not WᵀW.")
    expect(not near(kappas / 2), "Nearly, for small κ. Count the free entries of a symmetric matrix of rank m again.")
    expect(not near(np.full(3, 0.5)), "That is for any symmetric matrix. With m < d neurons S has low rank.")
    expect(not near(kappas - kappas**2 / 2), "Right for m ≤ d. How many entries has a matrix of full rank?")
    wanted = np.array([last_error(kappa) for kappa in KAPPAS])
    wrong = int(np.argmax(np.abs(given - wanted)))
    expect(near(wanted), f"At κ = {KAPPAS[wrong]:g} the optimal error vanishes at another load. How many numbers "
                         "describe a symmetric d × d matrix of rank m?")
    return correct("With as many labels as unknowns S is found. For a nonlinear constraint that is not a matter of "
                   "course.")


def linear(R: Tensor, D: float, kappa: float) -> Tensor:
    """Linear shrinkage toward the mean."""
    eye = torch.eye(len(R), dtype=R.dtype)
    return eye + (R - eye) / (1 + kappa * D)


@checker(2)
def check_2(
    shrink: Callable[[Tensor, float, float], Any], shrink_error: Callable[[float, float], Any]
) -> Feedback | None:
    """Linear shrinkage (R, D, kappa) and its error (D, kappa); GAMP must end at 1 - 2α with them."""
    R = torch.randn(8, 8, generator=generator(0), dtype=torch.float64)
    R, D, kappa = R + R.T, 0.7, 0.4
    given = torch.as_tensor(as_array(shrink(R, D, kappa), "the estimate", (8, 8)))
    eye = torch.eye(8, dtype=torch.float64)

    def near(matrix: Tensor) -> bool:
        return bool(torch.allclose(given, matrix, rtol=ROUNDING, atol=ROUNDING))

    expect(not near(R / (1 + kappa * D)), "That shrinks toward 0. The mean of S is I.")
    expect(not near(eye + (R - eye) / (1 + D)), "An eigenvalue of S has variance 1/κ, not 1: where does κ enter?")
    expect(not near(R), "That leaves all the noise in. Weigh R against what is known without it.")
    expect(near(linear(R, D, kappa)), "Another matrix was expected: shrink R − I by signal / (signal + noise), with "
                                      "signal variance 1/κ and noise variance D.")
    made = as_number(shrink_error(D, kappa), "the error")
    expect(abs(made - D) > ROUNDING, "That is the error of R itself, without shrinking.")
    expect(abs(made - kappa * D / (1 + kappa * D)) > ROUNDING, "That is κ times the error: here it is (1/d)‖Ŝ − S‖².")
    expect(abs(made - D / (1 + kappa * D)) < ROUNDING, "Signal variance 1/κ, noise variance D: what variance is left?")
    denoiser = Denoiser(lambda R, D, kappa: torch.as_tensor(shrink(R, D, kappa)), shrink_error)
    errors = [gamp_rie(teacher(SIZE, 0.5, LOAD, seed=seed), denoiser=denoiser).error for seed in range(2)]
    reached, wanted = float(np.mean(errors)), 1 - 2 * LOAD
    if abs(reached / wanted - 1) > SHARE:
        raise Hint(f"GAMP with these functions ends at {reached:.3f}; it should end at 1 − 2α = {wanted:.3f}.")
    return correct(f"It ends at {reached:.3f} for α = {LOAD:g}: a prior that knows only the variance is worth least "
                   "squares, nothing more.")


@checker(3)
def check_3(answer: Callable[[float, float], Any]) -> Feedback | None:
    """A function (within, optimum) -> the smallest number of starts whose mean exceeds the limit by less than 5 %."""
    rng = np.random.default_rng(0)
    within, optimum = rng.uniform(0.2, 3.0, 60), rng.uniform(0.05, 1.0, 60)
    pairs = zip(within.tolist(), optimum.tolist(), strict=True)
    given = np.array([as_number(answer(*pair), "the number") for pair in pairs])
    expect(np.allclose(given, given.round()), "A number of starts is a whole number: round up.")
    ratio = within / optimum
    wanted = np.floor(ratio / EXCESS) + 1  # smallest B with within / B < 5 % of the optimum

    def near(values: Any) -> bool:
        return bool((given == values).all())

    expect(not near(np.floor(ratio / EXCESS)), "One too few: the excess must be below 5 %.")
    expect(not near(np.ceil((ratio / EXCESS) ** 2)), "Errors here are already squared: the excess falls like 1/B.")
    expect(not near(np.ceil(1 / (ratio * EXCESS))), "Upside down: more variance among the solutions needs more starts.")
    expect(not near(np.ceil(within / EXCESS)), "5 % of what? The excess is compared with the optimum.")
    expect(near(wanted), "The mean of B solutions exceeds the infinite average by within/B. Which B brings it below "
                         "5 % of the optimum?")
    expect(as_number(answer(1.0, 1.0)) == 21, "For exact posterior samples within = optimum: 20 starts give exactly "
                                              "5 %, which is not less than 5 %.")
    return correct("For posterior samples within equals the optimum: 21 starts. The paper's 64 leave 1.6 %.")
