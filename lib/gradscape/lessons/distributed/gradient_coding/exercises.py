"""Checkers of the lesson's three exercises."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from gradscape.distributed.gradient_coding import BurstyModel, delay, load, make, probe_ratio, replay
from gradscape.workbench import Feedback, as_number, checker, correct, expect

N, LAM, LONGEST = 256, 27, 3
TIE = 0.03  # how far from 1 the ratio may be: about half a second of α


def _designs() -> list[tuple[int, int]]:
    pairs = [(B, W) for W in range(2, LONGEST + 3) for B in range(1, W)]
    return [(B, W) for B, W in pairs if delay("msgc", N, (B, W, LAM)) <= LONGEST]


@checker(1)
def check_1(answer: Any) -> Feedback:
    """All (B, W) of M-SGC with T <= 3, and the least load at n = 256, lam = 27."""
    two = isinstance(answer, tuple | list) and len(answer) == 2
    expect(two, "Return two things: the list of pairs (B, W), and the load.")
    pairs, value = answer
    expect(isinstance(pairs, Iterable), "The first thing must be a list of pairs (B, W).")
    given, right = {tuple(map(int, pair)) for pair in pairs}, set(_designs())
    least = as_number(value, "the load")
    expect(all(len(pair) == 2 and 1 <= pair[0] < pair[1] for pair in given), "M-SGC needs 1 ≤ B < W in every pair.")
    late = given - right
    expect(not late, f"{sorted(late)[:1]} takes longer than 3 rounds: T = W − 2 + B.")
    expect(given == right, f"{len(right - given)} designs with T ≤ 3 are missing: T is W − 2 + B, not B + W.")
    wanted = min(load("msgc", N, (B, W, LAM)) for B, W in right)
    parity = (LAM + 1) / N
    expect(abs(least - parity) > 1e-3 * parity, "That is GC's load. M-SGC codes only a small part of the data.")
    uncoded = min((W - 1 + B) / (N * (W - 1)) for B, W in right)
    expect(abs(least - uncoded) > 1e-4 * uncoded, "That is the load with λ = n, where nothing is coded.")
    dropped = min(LAM * (W - 1 + B) / (N * (B + (W - 1) * LAM)) for B, W in right)
    nearly = abs(least - dropped) > 1e-5 * dropped
    expect(nearly, "Nearly: a worker of an (n, λ) code computes λ + 1 parts, not λ.")
    expect(least < 1.001 * wanted, "One of these designs carries less. Try them all.")
    expect(abs(least - wanted) < 1e-3 * wanted, "No design carries so little: the load is per worker and round.")
    return correct(f"(1, 4): a wide window and {100 * least:.2f} % of a job per worker and round (uncoded: 0.39 %).")


@checker(2)
def check_2(pattern: Any, bit: Any) -> Feedback:
    """A pattern of 3 workers that breaks the (1, 2, 1)-bursty model in one bit and costs M-SGC (1, 2, 1) a job."""
    lost = torch.as_tensor(pattern)
    shaped = lost.dim() == 2 and lost.shape[1] == 3 and lost.shape[0] >= 2
    expect(shaped, "The pattern must be (rounds, 3), with 2 rounds or more.")
    expect(bool(((lost == 0) | (lost == 1)).all()), "The pattern holds only True (lost) and False.")
    lost, model, scheme = lost.bool(), BurstyModel(1, 2, 1), make("msgc", 3, (1, 2, 1))
    r, i = (int(as_number(part, "the bit")) for part in bit)
    expect(0 <= r < lost.shape[0] and 0 <= i < 3, "The bit must be (round, worker) inside the pattern.")
    expect(not bool(model.conforms(lost)), "This pattern keeps the model: M-SGC survives it, as the theorem says.")
    expect(bool(lost[r, i]), "The bit you name is already clear; name the straggle that is one too many.")
    cleared = lost.clone()
    cleared[r, i] = False
    alone = bool(model.conforms(cleared))
    expect(alone, "Without that bit the pattern still breaks the model: more than one is too many.")
    failed = int(replay(scheme, lost, jobs=lost.shape[0] - scheme.T).undecodable)
    expect(failed >= 1, "Every job survives this pattern.")
    return correct(f"One straggle too many cost {failed} job{'s' * (failed > 1)}: the model gives nothing away here.")


@checker(3)
def check_3(alpha: Any) -> Feedback:
    """The load slope at which M-SGC and GC take the same time on the probe of the long-bursts scenario."""
    slope = as_number(alpha, "α")
    expect(0 <= slope <= 50, "α is between 0 and 50 seconds per job.")
    expect(abs(slope - 2.2) > 1e-9, "2.2 s is where the scenario starts; there M-SGC is still the slower one.")
    found = probe_ratio(slope)
    expect(found < 1 + TIE, f"At α = {slope:.3g} s M-SGC still takes {found:.2f} times as long; take a larger α.")
    expect(found > 1 - TIE, f"At α = {slope:.3g} s M-SGC already wins ({found:.2f}); take a smaller α.")
    return correct(f"At α = {slope:.3g} s both take the same time (ratio {found:.3f}).")
