"""Checkers of the calibration lesson's exercises."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradscape.recovery.blind_calibration import (
    CalibrationProblem,
    backprojection,
    calibration_problem,
    gradients,
    loss,
    project_zero_mean,
    sample_ratio,
)
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

N_1, M_1, RATIO_1 = 100, 50, 2.5  # exercise 1
AGREES = 1e-8  # relative, of the step in exercise 2
DEAD, ALIVE = 0.01, 1e-3  # exercise 3: the weak gain before they are brought to mean 1, and the error allowed


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """The smallest p with at least 2.5 measurements per unknown at n = 100, m = 50."""
    p = as_number(answer, "p")
    expect(p == int(p) and p >= 1, "p is a number of snapshots: whole, and at least 1.")
    has = sample_ratio(N_1, M_1, int(p))
    expect(p != 5, "5 snapshots are 2.5 measurements per *pixel*. The gains are unknown too.")
    expect(has >= RATIO_1, f"{int(p)} snapshots make {int(p) * M_1} measurements of {N_1 + M_1 - 1} unknowns: "
                           f"{has:.2f} each.")
    before = sample_ratio(N_1, M_1, int(p) - 1)
    expect(before < RATIO_1, f"Enough, but not the fewest: one snapshot less still makes {before:.2f}.")
    return correct(f"{has:.2f} measurements per unknown. The mean of the gains is fixed, so n + m − 1 are unknown.")


@checker(2)
def check_2(answer: Callable[..., Any]) -> Feedback | None:
    """A function (A, y) that returns the exact step of the gains at the start."""
    for seed in range(3):
        made = calibration_problem(10 + seed, 12, 5, 0.8, seed=seed)
        xi, gamma = backprojection(made.A, made.y), torch.ones(12, dtype=torch.float64)
        by_xi, by_gamma = gradients(made.A, made.y, xi, gamma)
        turn = project_zero_mean(by_gamma)

        def best(direction: torch.Tensor, xi: torch.Tensor = xi, made: CalibrationProblem = made) -> float:
            """A parabola through three points has its minimum where its slope is 0."""
            at = [float(loss(made.A, made.y, xi, 1 - step * direction)) for step in (-1.0, 0.0, 1.0)]
            return (at[0] - at[2]) / (2 * (at[0] - 2 * at[1] + at[2]))

        given, wanted = as_number(answer(made.A, made.y), "the step"), best(turn)

        def near(value: float, given: float = given) -> bool:
            return abs(given - value) <= AGREES * abs(value)

        expect(not near(-wanted), "The size is right, the sign is not: γ moves *against* the gradient.")
        expect(not near(best(by_gamma)), "That is best along the gradient itself, which changes the mean of the gains. "
                                         "Project it first.")
        expect(not near(12 / float(xi.square().sum())), "That is the theory's fixed step for μ = 1, not the best one.")
        image = made.A @ by_xi
        r = made.A @ xi - made.y
        expect(not near(float((image * r).sum() / image.square().sum())), "That is the step of ξ.")
        expect(near(wanted), f"At n = {made.n} the loss along the projected gradient is least at {wanted:.6g}, not at "
                             f"{given:.6g}. It is a parabola in the step: set its slope to 0.")
    return correct("⟨v, r⟩/‖v‖² with v_l = (A_l ξ) ∘ ∇⊥γ: one step of least squares in one unknown.")


def dead_sensor() -> CalibrationProblem:
    """The problem of exercise 3: n = m = 64, p = 8, and a sensor that hardly sees anything."""
    rng = np.random.default_rng(0)
    gains = rng.uniform(0.5, 1.5, 64)
    gains[0] = DEAD
    return calibration_problem(64, 64, 8, 0.0, g=torch.from_numpy(gains / gains.mean()), seed=3)


@checker(3)
def check_3(answer: object) -> Feedback | None:
    """The gains of the array with one dead sensor, mean 1."""
    given, truth = as_array(answer, "the gains", (64,)), dead_sensor().g.numpy()
    expect(not np.allclose(given, 1.0), "Those are the gains of the start.")
    expect(abs(given.mean() - 1) < 1e-6, f"They have mean {given.mean():.4f}. Only gains and signal together are seen: "
                                         "bring the mean to 1.")
    worst = int(np.abs(given - truth).argmax())
    error = float(np.abs(given - truth).max())
    expect(worst != 0 or error < ALIVE, f"Gain 1 is {given[0]:.4f}; it should be near {DEAD}. Is a box ρ in its way?")
    expect(error < ALIVE, f"Gain {worst + 1} is off by {error:.2g}; 1e-3 is asked for.")
    return correct(f"Gain 1 is off by {abs(given[0] - truth[0]):.1g}, the worst by {error:.1g}. A sensor that sees "
                   "little tells little about x, but its own gain is known all the same.")
