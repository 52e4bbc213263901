"""Checkers of the SGD-noise lesson's exercises."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradscape.dynamics.sgd_noise import perceptron
from gradscape.dynamics.sgd_noise.network_studies import CHANGE_AT_TC
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

SIZES, LARGE, DIM, CHI, TEMPERATURE = (256, 512, 1024), 4096, 32, 1.0, 0.5
RUNS, SEED = 12, 20_000  # the checker's own runs, at a seed that no notebook uses by default
LOG_TIME = 0.5  # to which exercise 1 asks for ln t*

DRAWS = 4000
MEAN, VARIANCE = 0.06, 0.22  # relative: four standard errors of DRAWS waiting times at the first case
CASES = ((50, 3, 4), (8, 3, 4))
BATCHES = 400_000

A_TOLERANCE, T_TOLERANCE, NOISE = 0.05, 0.15, 0.05
LAWS = ((1.0, 0.3), (0.7, 0.5))  # (delta, gamma) of the tables in exercise 3


@functools.cache
def log_times(P: int) -> float:
    """Mean ln t* of the checker's runs at training-set size P."""
    runs = perceptron(P, DIM, CHI, TEMPERATURE, runs=RUNS, seed=SEED)
    return float(runs.t_star.log().mean())


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """t* of the perceptron at P = 4096, from runs on at most 1024 points; chi = 1, d = 32, T = 0.5."""
    guess = as_number(answer, "t*")
    expect(guess > 0, "A training time is positive.")
    logs = {P: log_times(P) for P in (*SIZES, LARGE)}
    told, true = math.log(guess), logs[LARGE]
    expect(abs(guess - true) > LOG_TIME, "That looks like ln t*. Give t* itself.")
    expect(abs(told - logs[1024]) > LOG_TIME, "That is about t* at 1024 points: continue the line to four times as "
                                              "many.")
    expect(abs(told - logs[1024] - math.log(4)) > 0.2, "That grows in proportion to P. Fit the slope of ln t* on ln P: "
                                                       "it is not 1.")
    side = "above" if told > true else "below"
    expect(abs(told - true) <= LOG_TIME, f"The runs at P = 4096 disagree: your t* is {side} theirs by more than a "
                                         "factor of 1.6. Which exponent b did you use, and from which sizes?")
    return correct(f"The runs took t* ≈ {math.exp(true):.3g} on (geometric) average.")


@functools.cache
def brute_force(P: int, U: int, B: int) -> tuple[float, float]:
    """Mean and variance of the steps until a batch of B distinct points meets one of U unfitted ones, by drawing."""
    rng = np.random.default_rng(SEED)
    batches = rng.integers(0, P, (BATCHES, B))
    ordered = np.sort(batches, 1)
    distinct = batches[(np.diff(ordered, axis=1) > 0).all(1)]
    busy = np.flatnonzero((distinct < U).any(1))
    waits = np.diff(busy)
    return float(waits.mean()), float(waits.var())


@checker(2)
def check_2(answer: Callable[..., Any]) -> Feedback | None:
    """A function (P, U, B, rng) that draws how many steps pass until a batch holds an unfitted point."""
    for P, U, B in CASES:
        rng = np.random.default_rng(1)
        drawn = np.array([as_number(answer(P, U, B, rng), "the waiting time") for _ in range(DRAWS)])
        mean, variance = brute_force(P, U, B)
        where, near = f"(P, U, B) = ({P}, {U}, {B})", MEAN * mean
        expect(drawn.std() > 0, f"At {where} every draw was {drawn[0]:g}. Draw a random number with rng, do not return "
                                "its mean.")
        expect(abs(drawn.mean() - (mean - 1)) > near, f"At {where} the mean is one too small: the step whose batch "
                                                      "meets an unfitted point counts, too.")
        expect((drawn >= 1).all(), "A waiting time is at least 1 step.")
        expect(abs(drawn.mean() - P / U) > MEAN * P / U, f"At {where} that is the wait for a batch of a single point. "
                                                         "B points are drawn at once.")
        with_repeats = 1 / (1 - (1 - U / P) ** B)
        if abs(with_repeats - mean) > 1.5 * near:
            expect(abs(drawn.mean() - with_repeats) > near / 2, f"At {where} that is the wait when a batch may hold a "
                                                                "point twice. Its points are distinct: count subsets.")
        expect(abs(drawn.mean() - mean) <= near, f"At {where} brute force waits {mean:.3g} steps on average, you "
                                                 f"{drawn.mean():.3g}. With what probability is a batch idle?")
        expect(abs(drawn.var() - variance) <= VARIANCE * variance,
               f"At {where} the mean is right, but brute force has variance {variance:.3g}, you {drawn.var():.3g}. "
               "Steps are independent: which law has no memory?")
    rng = np.random.default_rng(2)
    sure = [as_number(answer(6, 4, 3, rng), "the waiting time") for _ in range(50)]
    expect(set(sure) == {1.0}, "With 2 fitted points a batch of 3 always holds an unfitted one: the wait is 1.")
    return correct("One draw instead of thousands of idle steps.")


def scaling_table(delta: float, gamma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """T (5,), P (5,), a table of weight changes (P, T) with 5 % noise, and the true T_c (P,)."""
    T, P = 2.0 ** np.arange(-12, -3, 2), 2.0 ** np.arange(7, 12)
    level = CHANGE_AT_TC / (2.0**-7) ** delta / 512**gamma  # T_c = 2^-7 at P = 512
    noise = np.exp(NOISE * np.random.default_rng(3).standard_normal((5, 5)))
    return T, P, level * P[:, None] ** gamma * T**delta * noise, 2.0**-7 * (P / 512) ** (-gamma / delta)


@checker(3)
def check_3(answer: Callable[..., Any]) -> Feedback | None:
    """A function (T, P, change) with change (P, T) that returns T_c (P,) at a change of 0.08, and a of T_c ~ P^-a."""
    for delta, gamma in LAWS:
        T, P, table, wanted = scaling_table(delta, gamma)
        given = answer(T.copy(), P.copy(), table.copy())
        expect(isinstance(given, list | tuple) and len(given) == 2, "Return two things: T_c, one for each P, and a.")
        critical, a = as_array(given[0], "T_c", (len(P),)), as_number(given[1], "a")
        true = gamma / delta
        expect((critical > 0).all(), "Temperatures are positive: take the exponential of what you interpolate.")
        expect(not np.isin(critical, T).all(), "Each T_c is a temperature of the table. Interpolate between the two "
                                               "around the crossing.")
        expect(critical[0] > critical[-1], "More data must lower T_c: is the table read the right way round, change[P, "
                                           "T]?")
        expect(np.allclose(np.log(critical), np.log(wanted), atol=T_TOLERANCE),
               f"With Δw ~ T^{delta:g} P^{gamma:g} your T_c is off by up to "
               f"{100 * np.abs(critical / wanted - 1).max():.0f} %. Both axes are logarithmic; the change to cross is "
               f"{CHANGE_AT_TC}.")
        expect(a > 0, "T_c falls as P^−a: a itself is positive.")
        expect(delta == 1 or abs(a - gamma) > A_TOLERANCE, "That is γ. T_c^δ P^γ is constant: what is a then?")
        expect(abs(a * true - 1) > 0.1, "That is 1/a: regress ln T_c on ln P, not the other way round.")
        expect(abs(a - true) <= A_TOLERANCE, f"T_c is right, but with Δw ~ T^{delta:g} P^{gamma:g} your a is {a:.3f}. "
                                             "Fit a line to ln T_c against ln P.")
    return correct("More data make the same noise matter more.")
