"""Checkers of the bandlimited lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradscape.dynamics.bandlimited.experiments import BUDGET, FREQUENCIES, REACHED
from gradscape.dynamics.bandlimited.floors import band_kernel, error_floor
from gradscape.dynamics.bandlimited.networks import features, sample_hidden, solve_readout
from gradscape.dynamics.bandlimited.ridgelet import multiplier_by_quadrature
from gradscape.dynamics.bandlimited.targets import sine, unit
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

MULTIPLIER = 1e-6  # to which exercise 1 compares: far below what distinguishes plausible formulas
FACTOR = 1.5  # within which exercise 2 asks for the box
NU_2, POINTS_2 = 6, 151
UNITS, SEEDS, POINTS_3, TESTS_3 = 200, 20, 400, 200
BOX_3 = 30.0  # the uniform box of exercise 3: the best of this lesson's for the fastest sine
MANY = 20_000  # draws by which a bounded law shows its edge
FAR = 3.5  # largest slope over the median slope: 2 for a uniform law, 6 for a Gaussian one at MANY draws


@checker(1)
def check_1(answer: Callable[[Any], Any]) -> Feedback | None:
    """The multiplier M(s) of the Gaussian with the fourth derivative of a Gaussian."""
    s = np.linspace(0, 3, 13)
    given = np.array([as_number(answer(float(value)), "M(s)") for value in s])
    wanted = multiplier_by_quadrature(s, lambda w: w**4 * np.exp(-(w**2)))

    def near(values: np.ndarray) -> bool:
        return bool(np.allclose(given, values, atol=MULTIPLIER))

    expect(not near(np.exp(-(s**2))), "That is the multiplier of the Mexican hat. The fourth derivative has ρ^ = "
                                      "√(2π) w⁴ e^(−w²/2): the integral changes, and so does K.")
    expect(not near(1 - wanted), "That is what is lost. M is what is kept: the part of the integral beyond s.")
    expect(not near((1 + s**2 / 2) * np.exp(-(s**2) / 2)), "Nearly: ρ^ and σ^ both carry e^(−w²/2), their product "
                                                         "carries e^(−w²).")
    expect(abs(given[0] - 1) < MULTIPLIER, f"M(0) = {given[0]:.4g}, but a box without bounds keeps everything: M(0) "
                                           "must be 1. Did you divide by K?")
    worst = int(np.abs(given - wanted).argmax())
    expect(near(wanted), f"At s = {s[worst]:.3g} a numerical integral gives another value than {given[worst]:.4g}. "
                         "Substitute u = w² in the integral of w³ e^(−w²) from s to infinity.")
    return correct("The fourth derivative has its energy at higher |w|, so the same box passes higher frequencies.")


def floor_of(lam: float) -> float:
    """The floor of sin(2π·6x) at the protocol's budget, tanh, on 151 points."""
    x = np.linspace(0, 1, POINTS_2)
    return error_floor(band_kernel(x, lam, "tanh"), unit(sine(x, NU_2)), BUDGET).error


@functools.cache
def needed_box() -> float:
    """The smallest box whose floor is below 0.1, to 1 %."""
    low, high = 3.0, 60.0
    while high / low > 1.01:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if floor_of(middle) < REACHED else (middle, high)
    return high


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """The smallest box whose floor for six periods is below 0.1."""
    lam = as_number(answer, "λ")
    expect(lam > 0, "The half-width of a box is positive.")
    expect(lam <= 300, "Such a box is wide enough for far faster sines: look for the smallest one.")
    reached = floor_of(lam) if lam > 0.05 else 1.0
    expect(lam >= needed_box() / FACTOR, f"In the box λ = {lam:.3g} the floor is {reached:.2f}: no width removes that. "
                                         "Read the thresholds of ν = 4 and ν = 8 off the figure.")
    expect(lam <= needed_box() * FACTOR, f"In the box λ = {lam:.3g} the floor is {reached:.1g}: below 0.1, but a "
                                         "clearly smaller box is enough.")
    return correct("Between the thresholds of four and eight periods, as the power law says.")


@functools.cache
def _problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x, fresh = np.linspace(0, 1, POINTS_3), np.random.default_rng(2020).uniform(0, 1, TESTS_3)
    y, wanted = (np.column_stack([sine(points, nu) for nu in FREQUENCIES]) for points in (x, fresh))
    return x, fresh, y, wanted


def median_errors(draw: Callable[[int, np.random.Generator], Any]) -> np.ndarray:
    """Median test errors (F,) of 200 sigmoid units drawn by ``draw(n, rng) -> (a, b)``, over 20 seeds."""
    x, fresh, y, wanted = _problem()
    errors = []
    for seed in range(SEEDS):
        given = draw(UNITS, np.random.default_rng(seed))
        expect(isinstance(given, tuple | list) and len(given) == 2, "Return the pair (a, b).")
        a, b = (as_array(values, name, (UNITS,)) for name, values in zip(("a", "b"), given, strict=True))
        readout = solve_readout(features(x, a[:, None], b), y)
        missed = features(fresh, a[:, None], b) @ readout.coef - wanted
        errors.append(np.sqrt(np.mean(missed**2, axis=0)) / y.std(axis=0))
    return np.median(errors, axis=0)


@functools.cache
def uniform_errors() -> tuple[float, ...]:
    """The same for the uniform box."""
    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        A, b = sample_hidden(n, 1, BOX_3, seed=int(rng.integers(2**31)))
        return A[:, 0], b

    return tuple(median_errors(draw).tolist())


@checker(3)
def check_3(answer: Callable[[int, np.random.Generator], Any]) -> Feedback | None:
    """A law of (a, b) without bounds that beats the uniform box for all sines: a function (n, rng) -> (a, b)."""
    many = answer(MANY, np.random.default_rng(0))
    expect(isinstance(many, tuple | list) and len(many) == 2, "Return the pair (a, b).")
    slopes = np.abs(as_array(many[0], "a", (MANY,)))
    again = as_array(answer(MANY, np.random.default_rng(0))[0], "a", (MANY,))
    expect(np.array_equal(slopes, np.abs(again)), "Draw from rng and from nothing else: two calls with the same seed "
                                                  "gave different slopes.")
    expect(slopes.max() > FAR * np.median(slopes), f"The largest of {MANY} slopes is only "
                                                   f"{slopes.max() / max(np.median(slopes), 1e-300):.1f} times the "
                                                   "median: that law looks bounded. Try one with tails.")
    ours, box = median_errors(answer), np.array(uniform_errors())
    worse = [nu for nu, mine, theirs in zip(FREQUENCIES, ours, box, strict=True) if mine >= theirs]
    if worse == list(FREQUENCIES):
        expect(False, "The uniform box is better at every frequency. Where do the units bend? Unit j bends at "
                      "x = b/a; how many of yours bend inside [0, 1]?")
    if FREQUENCIES[-1] in worse:
        expect(False, f"Beaten at ν = {', '.join(map(str, worse))}: fast waves need steep units that bend inside "
                      "[0, 1]. Is your scale large enough?")
    expect(not worse, f"Beaten at ν = {', '.join(map(str, worse))}: slow waves want some flat units, too, or "
                      "fewer that bend outside [0, 1].")
    return correct("Biases that follow their slopes put every bend where the data are: no unit is wasted.")
