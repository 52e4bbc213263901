"""Solutions of the SGD-noise lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import math

import numpy as np

THRESHOLD = 0.08


def waiting_time(P, U, B, rng):
    """Steps until the first batch that is not idle: a geometric law."""
    return rng.geometric(1 - math.comb(P - U, B) / math.comb(P, B))


def crossings(T, change):
    """T_c for each row of ``change`` (P, T), interpolated between logarithms."""
    return np.array([np.exp(np.interp(np.log(THRESHOLD), np.log(row), np.log(T))) for row in change])


def exponent(P, critical):
    """a of T_c ~ P^-a."""
    return -np.polyfit(np.log(P), np.log(critical), 1)[0]


def critical(T, P, change):
    """T_c and a."""
    found = crossings(T, change)
    return found, exponent(P, found)


def gamma_for_a(T, P, change):
    """The power of P in the change itself."""
    return crossings(T, change), np.polyfit(np.log(P), np.log(change[:, 0]), 1)[0]


def nearest(T, P, change):
    """No interpolation."""
    found = np.array([T[np.argmax(row >= THRESHOLD)] for row in change])
    return found, exponent(P, found)


SOLUTIONS = {
    1: 1.04e5,  # slope 1.68 between the checker's sizes 256 and 1024, continued to 4096
    2: waiting_time,
    3: critical,
}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (-1.0, "is positive"),
        (11.5, "ln t*"),
        (1.0e4, "1024 points"),
        (4.0e4, "in proportion"),
        (1.0e6, "is above theirs"),
        (2.0e4, "is below theirs"),
        ("long", "must be a number"),
    ],
    2: [
        (lambda P, U, B, rng: waiting_time(P, U, B, rng) - 1, "one too small"),
        (lambda P, U, B, rng: 1 / (1 - math.comb(P - U, B) / math.comb(P, B)), "Draw a random number"),
        (lambda P, U, B, rng: rng.geometric(U / P), "single point"),
        (lambda P, U, B, rng: rng.geometric(1 - (1 - U / P) ** B), "point twice"),
        (lambda P, U, B, rng: rng.geometric(math.comb(P - U, B) / math.comb(P, B)), "batch idle"),
        (lambda P, U, B, rng: 1 + rng.poisson(1 / (1 - math.comb(P - U, B) / math.comb(P, B)) - 1), "no memory"),
        (lambda P, U, B: 1, "TypeError"),
    ],
    3: [
        (lambda T, P, change: crossings(T, change), "Return two things"),
        (lambda T, P, change: (crossings(T, change), -critical(T, P, change)[1]), "positive"),
        (lambda T, P, change: (crossings(T, change), 1 / critical(T, P, change)[1]), "That is 1/a"),
        (gamma_for_a, "That is γ"),
        (nearest, "Interpolate"),
        (lambda T, P, change: (np.log(crossings(T, change)), 0.3), "exponential"),
        (lambda T, P, change: (crossings(T, change * 2), 0.3), "is off by"),
        (lambda T, P, change: (crossings(T, change)[::-1], 0.3), "right way round"),
        (lambda T, P, change: (crossings(T, change), 0.1), "T_c is right"),
    ],
}
