"""Checkers of the surrogate-NTK lesson's exercises."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from gradscape.credit.surrogate_ntk import Model, angles, regress, target, train
from gradscape.credit.surrogate_ntk.circle import TEST_ANGLES, rms
from gradscape.workbench import Feedback, as_number, checker, correct, expect

PAIRS, STEEP, MC_TOLERANCE = 1_000_000, 200.0, 0.03
CASES = ((1.3, 0.7, 0.5, 0.8), (0.6, 0.6, -0.2, 0.4), (0.5, 2.0, 0.7, 1.5))  # a, b, c, w
N_TRAIN, K_RANGE, K_TOLERANCE = 8, (0.05, 30.0), 0.2
KS, WIDTH, MEMBERS, STEPS, ROUNDS = (0.3, 1.0), 100, 10, 200, 20
SEED = 20_000  # the checker's own networks, at a seed that no notebook uses by default


@functools.cache
def sampled(a: float, b: float, c: float, w: float) -> float:
    """E[erf_200'(u) 1{|v| <= w}] over a million pairs; u is stratified, which spares most of the noise."""
    rng = np.random.default_rng(SEED)
    u = math.sqrt(a) * ndtri((np.arange(PAIRS) + rng.random(PAIRS)) / PAIRS)
    v = c / a * u + math.sqrt(b - c**2 / a) * rng.standard_normal(PAIRS)
    return float((2 * STEEP / math.sqrt(math.pi) * np.exp(-((STEEP * u) ** 2)) * (np.abs(v) <= w)).mean())


@checker(1)
def check_1(answer: Callable[..., Any]) -> Feedback | None:
    """A function (a, b, c, w) for E[2δ(u) 1{|v| <= w}] of a Gaussian pair with covariance [[a, c], [c, b]]."""
    for a, b, c, w in CASES:
        found = as_number(answer(a, b, c, w), "the expectation")
        drawn, density = sampled(a, b, c, w), 2 / math.sqrt(2 * math.pi * a)
        where = f"(a, b, c, w) = ({a}, {b}, {c}, {w})"
        expect(found > 0, f"At {where} the expectation is positive: a density times a probability.")

        def close(value: float, found: float = found) -> bool:
            return abs(found - value) <= 0.005 * value

        if close(drawn) or abs(found - drawn) <= MC_TOLERANCE * drawn:
            continue
        inside = math.erf(w / math.sqrt(2 * (b - c * c / a)))
        expect(not close(density * inside / 2), "Half of it: the derivative of sign is 2δ, since sign jumps by 2.")
        expect(not close(density * math.erf(w / math.sqrt(2 * b))), "You took v as if it knew nothing of u. The delta "
                                                                    "fixes u = 0: what is the variance of v then?")
        swapped = 2 / math.sqrt(2 * math.pi * b)
        mixed = (swapped * inside, swapped * math.erf(w / math.sqrt(2 * (a - c * c / b))))
        expect(not any(map(close, mixed)), "The roles of u and v are mixed up: the delta sits on u, of variance a.")
        expect(not close(inside), "That is the probability that v lies inside the window. What is the density at 0?")
        expect(not close(density * inside / (2 * w)), "This window has height 1, not area 1.")
        expect(False, f"At {where} a million pairs give {drawn:.4f}, you {found:.4f}. Condition on u = 0, then ask "
                      "with which probability |v| is at most w.")
    return correct("Finite everywhere: a delta times a bounded factor can be integrated.")


@functools.cache
def best_k() -> float:
    """The steepness of the surrogate with the least test error, by golden-section search in ln k."""
    low, high = math.log(K_RANGE[0]), math.log(K_RANGE[1])
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if test_error(math.exp(left)) < test_error(math.exp(right)) else (left, high)
    return math.exp((low + high) / 2)


def test_error(k: float) -> float:
    """RMS over 100 angles of the converged SG-NTK regression on 8, one hidden layer."""
    t = angles(TEST_ANGLES)
    return rms(regress(Model(k=k), t, N_TRAIN).mean - target(t))


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """k of least test error: 8 training angles, one hidden layer, sw2 = 1, sb2 = 0.1."""
    k, true = as_number(answer, "k"), best_k()
    expect(k > 0, "A steepness is positive.")
    expect(abs(k / true - 1) <= K_TOLERANCE or abs(math.exp(k) / true - 1) > 0.03,
           "That looks like ln k. Give k itself.")
    expect(abs(k / true - 1) <= K_TOLERANCE or abs(k / test_error(true) - 1) > 0.05,
           "That looks like the least test error. Give the k where it is reached.")
    lean = "The error is larger there than at the best k"
    if k < true * (1 - K_TOLERANCE):
        expect(k > 0.3 * true, f"{lean}: with so wide a surrogate the hidden layer hardly learns, and the regression "
                               "is almost the NNGP's.")
        expect(False, f"{lean}. Try a somewhat narrower surrogate.")
    if k > true * (1 + K_TOLERANCE):
        expect(k < 3 * true, f"{lean}: with so narrow a surrogate the kernel is a spike again.")
        expect(False, f"{lean}. Try a somewhat wider surrogate.")
    return correct(f"The least test error is {test_error(true):.3f}, at k ≈ {true:.2f}.")


@dataclass(frozen=True)
class Outputs:
    """What is known of one trained ensemble: outputs (R, 100) at ``angles(100)`` and (R, 8) at training angles."""

    before: np.ndarray
    after: np.ndarray
    before_train: np.ndarray
    after_train: np.ndarray


@functools.cache
def rounds() -> tuple[tuple[tuple[Outputs, Outputs], int], ...]:
    """Twenty pairs of ensembles in random order, with the place of the one that was trained with k = 0.3."""
    runs = [train(Model(k=k), WIDTH, MEMBERS * ROUNDS, N_TRAIN, STEPS, SEED + i) for i, k in enumerate(KS)]
    rng, made = np.random.default_rng(SEED), []
    for r in range(ROUNDS):
        mine = slice(MEMBERS * r, MEMBERS * (r + 1))
        pair = [Outputs(*(part[mine].numpy() for part in (run.f_0, run.f_T, run.f_0_train, run.f_T_train)))
                for run in runs]
        place = int(rng.integers(2))
        made.append(((pair[place], pair[1 - place]), place))
    return tuple(made)


@checker(3)
def check_3(answer: Callable[..., Any]) -> Feedback | None:
    """A function (first, second) of two ensembles' outputs: 0 or 1, the place of the one trained with k = 0.3."""
    said = []
    for pair, _ in rounds():
        value = as_number(answer(*pair), "the place")
        expect(value in (0, 1), f"Return 0 for the first or 1 for the second ensemble, not {value:g}.")
        said.append(int(value))
    right = [place for _, place in rounds()]
    score = sum(one == two for one, two in zip(said, right, strict=True))
    expect(score > 0, "All wrong, so you can tell them apart: the places are swapped.")
    expect(len(set(said)) > 1, f"You gave {said[0]} every time. The order is drawn anew in each round.")
    expect(score >= 0.75 * ROUNDS, f"{score} of {ROUNDS}. Compare each ensemble with the regressions of both kernels; "
                                   "first take out each network's own start.")
    expect(score == ROUNDS, f"{score} of {ROUNDS}: close. Decide for both at once: one used 0.3, the other 1.")
    return correct(f"All {ROUNDS} rounds. The surrogate leaves its mark on the function that is learned.")

