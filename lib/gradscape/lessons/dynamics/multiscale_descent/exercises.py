"""Checkers of the multi-scale lesson's exercises."""
from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradscape.dynamics.multiscale_descent.dynamics import exact_dynamics
from gradscape.dynamics.multiscale_descent.experiments import time_grid
from gradscape.dynamics.multiscale_descent.shape import Shape, descent_shape
from gradscape.dynamics.multiscale_descent.theory import (
    TwoScale,
    deterministic_equivalent,
    fast_slow,
    ridge_clock,
)
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

CLOSE = 0.05  # relative, to which exercise 1 asks for κ
N_1, P_1 = 200, 70
TASK_2 = TwoScale(n=120, d=100, p=80, kappa=40.0, noise=0.2)
NEAR, GOOD = 0.002, 0.22  # exercise 2: how near the end must be to the least error, and how good
TRIALS, RELATIVE = 40, 2e-3  # exercise 3: tasks tried, and what κ = 1e7 leaves of the limit


def ridge_shape(theory: Callable[..., Any], kappa: float) -> Shape:
    """The shape of a theory's curve on the clock r = 1/(ηt) in exercise 1."""
    task, t = TwoScale(N_1, 100, P_1, kappa), time_grid(401, 0.1, 1e9)
    return descent_shape(t, theory(task, ridge_clock(task, t)).E)


@functools.cache
def smallest_kappas() -> tuple[float, float]:
    """Where the bump appears, for the closed form and for the limit of large sizes, to 1e-3."""
    found = []
    for theory in (fast_slow, deterministic_equivalent):
        low, high = 1.0, 200.0
        while high / low > 1.001:
            middle = (low * high) ** 0.5
            low, high = (low, middle) if ridge_shape(theory, middle).is_double else (middle, high)
        found.append(high)
    return found[0], found[1]


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """The smallest κ with a bump at (n, p) = (200, 70): (closed form, limit of large sizes)."""
    closed, limit = (float(value) for value in as_array(answer, "the pair", (2,)))
    expect(closed >= 1 and limit >= 1, "κ is a ratio of scales: both numbers are at least 1.")
    a, b = smallest_kappas()

    def near(x: float, y: float) -> bool:
        return abs(x / y - 1) <= CLOSE

    expect(not (near(closed, b) and near(limit, a)), "Both numbers occur, in the other order: the closed form first.")
    expect(not near(closed, limit), "One of the theories shows its bump earlier. Look at both, on one clock.")
    for value, wanted, name in ((closed, a, "closed form"), (limit, b, "limit of large sizes")):
        side = "there is no bump of 0.005 yet" if value < wanted else "a smaller κ has a bump already"
        expect(near(value, wanted), f"At κ = {value:.3g} of the {name} {side}. Halve the interval until it is short.")
    return correct("With 200 examples for 70 fast features the bump is low: only widely separated speeds show it.")


@functools.cache
def ridge_curve(l2: float) -> torch.Tensor:
    """Mean error over time of exercise 2, five data sets."""
    return exact_dynamics(dataclasses.replace(TASK_2, l2=l2), time_grid(161), range(5)).E.mean(0)


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """A ridge coefficient that makes stopping superfluous."""
    l2 = as_number(answer, "λ")
    expect(l2 >= 0, "A ridge coefficient is not negative.")
    expect(l2 <= 1e6, "So large a penalty lets nothing be learned.")
    E = ridge_curve(l2)
    shape, least, end = descent_shape(time_grid(161), E), float(E.min()), float(E[-1])
    expect(not shape.is_double, f"With λ = {l2:.3g} the bump is still there: {shape.e_peak:.3f} at t = "
                                f"{shape.t_peak:.2g}. Penalize more.")
    expect(end <= least + NEAR, f"With λ = {l2:.3g} training ends at {end:.3f}, but was at {least:.3f} before: it "
                                "still pays to stop.")
    expect(end <= GOOD, f"With λ = {l2:.3g} nothing is lost by training on, but the error ends at {end:.3f}: "
                        "fast features are penalized as well.")
    return correct(f"It ends at {end:.3f}. The price: slow features are never learned. Without a penalty the error "
                   f"ends at {float(ridge_curve(0.0)[-1]):.3f}, after millions of steps.")


@checker(3)
def check_3(answer: Callable[[int, int, int, float], Any]) -> Feedback | None:
    """A function (n, d, p, noise) that returns the plateau."""
    rng = np.random.default_rng(0)
    tasks = []
    for _ in range(TRIALS):
        d = int(rng.integers(40, 400))
        p = int(rng.integers(5, d - 5))
        tasks.append((p + int(rng.integers(5, 2 * d)), d, p, float(rng.uniform(0.1, 1.5))))
    given = np.array([as_number(answer(*task), "the plateau") for task in tasks])
    n, d, p, noise = np.array(tasks).T
    clean = 0.5 * (1 - p / d) * n / (n - p)

    def near(values: np.ndarray) -> bool:
        return bool(np.allclose(given, values, rtol=RELATIVE))

    expect(not near(clean), "Right without label noise. Noise ε is one more part of the labels that fast features "
                            "cannot explain.")
    expect(not near(clean + 0.5 * noise**2 * n / (n - p)), "Nearly: that includes the noise of the *test* labels. E is "
                                                           "measured on clean ones.")
    expect(not near(clean + 0.5 * noise * p / (n - p)), "σ is a standard deviation: noise enters by its variance.")
    expect(not near(2 * (clean + 0.5 * noise**2 * p / (n - p))), "E is *half* the mean squared error.")
    wanted = np.array([
        float(deterministic_equivalent(TwoScale(*task[:3], 1e7, task[3]), 1e-7).E) for task in tasks])
    worst = int(np.argmax(np.abs(given / wanted - 1)))
    expect(near(wanted), f"At n = {int(n[worst])}, d = {int(d[worst])}, p = {int(p[worst])}, σ = {noise[worst]:.3g} "
                         f"the limit of ridge regression between the scales is {wanted[worst]:.4f}.")
    return correct("The first part is what slow features would explain, the factor n/(n − p) what it costs to have "
                   "taken them for noise.")
