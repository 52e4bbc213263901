"""Checkers of the lesson's three exercises."""
from __future__ import annotations

import math
from typing import Any

import torch

from gradscape.distributed.error_feedback import mean_smoothness, power_weights, step_size, weighted_mean_smoothness, xi
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

GIVEN_L, GIVEN_L_I = 2.5, (12.0, 3.0, 2.0, 1.0, 1.0, 1.0)
GIVEN_K, GIVEN_D = 2, 20
SQUARES = torch.arange(1, 51, dtype=torch.float64).square()  # the constants of exercise 2
CLIENTS, WANTED = 100, 9.0
EXACT, NEAR = 1e-9, 0.02


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= EXACT * abs(b)


@checker(1)
def check_1(answer: Any) -> Feedback:
    """gamma_QM, gamma_AM and the promised ratio of rounds for six clients, Top-2 of 20."""
    three = isinstance(answer, tuple | list) and len(answer) == 3
    expect(three, "Give three numbers: γ_QM, γ_AM, and how many times fewer rounds are promised.")
    slow, fast, gain = (as_number(part, name) for part, name in zip(answer, ("γ_QM", "γ_AM", "the ratio"), strict=True))
    L_i, alpha = torch.tensor(GIVEN_L_I, dtype=torch.float64), GIVEN_K / GIVEN_D
    am, qm = (float(mean) for mean in mean_smoothness(L_i))
    right = [float(step_size(GIVEN_L, L_i, alpha, weights)) for weights in ("uniform", "smoothness")]
    expect(not (_same(slow, right[1]) and _same(fast, right[0])), "The two steps are swapped: the larger mean leaves "
           "the smaller step.")
    expect(not _same(slow, 1 / (am + qm * xi(alpha))), "L is given. It is not the mean of the Lᵢ, but smaller.")
    expect(not _same(slow, 1 / (qm * xi(alpha))), "The step is 1/(L + L_QM ξ): the L is missing.")
    total = math.sqrt(float(L_i.square().sum()))
    expect(not _same(slow, 1 / (GIVEN_L + total * xi(alpha))), "L_QM is the root of the mean of the squares: divide "
           "by n before the root.")
    expect(_same(slow, right[0]), "γ_QM is not right: α is K/d, and ξ = √(1−α)/(1 − √(1−α)).")
    expect(_same(fast, right[1]), "γ_QM is right, γ_AM is not: put the arithmetic mean in the place of L_QM, no more.")
    expect(not _same(gain, qm / am), "That is L_QM/L_AM. The L in both steps takes a part of the gain away.")
    expect(not _same(gain, right[0] / right[1]), "Upside down: how many times fewer rounds?")
    expect(_same(gain, right[1] / right[0]), "Both steps are right; the promise is the ratio of them.")
    return correct(f"One client of six has most of the roughness, and γ_AM is {gain:.3f} times γ_QM.")


@checker(2)
def check_2(answer: Any) -> Feedback:
    """The exponent q of w_i ∝ L_i^q with the least L_w for L_i = 1, 4, 9, … 2500, and that L_w."""
    two = isinstance(answer, tuple | list) and len(answer) == 2
    expect(two, "Give two numbers: the exponent q, and L_w there.")
    q, value = as_number(answer[0], "q"), as_number(answer[1], "L_w")
    expect(-5 <= q <= 5, "Scan q between −1 and 3.")
    here = float(weighted_mean_smoothness(SQUARES, power_weights(SQUARES, q)))
    expect(abs(q) > NEAR, "q = 0 is uniform weights, where L_w is L_QM. Others do better.")
    direction = "larger" if q < 1 else "smaller"
    expect(abs(q - 1) <= NEAR, f"At q = {q:.3g} L_w is {here:.6g}. A {direction} q gives less.")
    am, qm = (float(mean) for mean in mean_smoothness(SQUARES))
    expect(not _same(value, qm), "q is right, but this value is L_QM, which belongs to q = 0.")
    expect(not _same(value, am**2), "q is right, but the root is missing: L_w = √(Σ Lᵢ²/(n² wᵢ)).")
    expect(not _same(value, am * len(SQUARES)), "q is right, but L_w = √(Σ Lᵢ²/(n² wᵢ)) has n² inside the root.")
    expect(_same(value, am), f"q is right; at q = {q:.3g} L_w is {here:.10g}, and the least one differs from your "
           f"{value:.10g}. Scan finer around the minimum.")
    return correct("The least L_w is L_AM: by Cauchy and Schwarz no weights do better than wᵢ ∝ Lᵢ.")


@checker(3)
def check_3(answer: Any) -> Feedback:
    """Smoothness constants of 100 clients with mean 1 and L_QM at least 9."""
    L_i = torch.from_numpy(as_array(answer, "L"))
    expect(L_i.dim() == 1 and len(L_i) == CLIENTS, f"L needs {CLIENTS} entries in one row, one per client.")
    expect(bool((L_i > 0).all()), "Every client needs a constant > 0: a function with constant 0 is a plane.")
    am, qm = (float(mean) for mean in mean_smoothness(L_i))
    expect(abs(am - 1) <= EXACT, f"The mean is {am:.6g}. Divide all entries by it.")
    expect(qm / am >= WANTED, f"L_QM/L_AM is {qm / am:.3f}. Let fewer clients hold more of the sum.")
    return correct(f"L_QM/L_AM = {qm / am:.3f}. One client alone would give √n = 10, the most there is.")
