"""Checkers of the TopoCurate lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from gradscape.agents.topocurate.experiments import TaskSNR, measured_tasks, slips_learned, task_snr
from gradscape.agents.topocurate.graph import QuotientGraph
from gradscape.agents.topocurate.settings import Settings
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

GROUPS, N, ERRORS = 200_000, 4, 3.0  # simulated groups of four; standard errors that are allowed
LOGITS, CHANCES = np.array([0.4, -0.3]), np.array([0.3, 0.8])  # of two arms: preference, chance of success
SLIP_SEEDS = 3
ELSEWHERE = Settings.of({"seed": 1, "sizes": "snr_tasks:60"})  # the tasks of exercise 3: not those of the figure


@functools.cache
def _bandit() -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """p, E[s|win], E[s|lose], and the mean and standard error of the simulated group gradient, (2,) each."""
    pi = np.exp(LOGITS) / np.exp(LOGITS).sum()
    s = np.eye(2) - pi
    p = float(pi @ CHANCES)
    win, lose = (pi * CHANCES / p) @ s, (pi * (1 - CHANCES) / (1 - p)) @ s
    rng = np.random.default_rng(0)
    arm = (rng.random((GROUPS, N)) > pi[0]).astype(int)
    R = (rng.random((GROUPS, N)) < CHANCES[arm]).astype(float)
    g = ((R - R.mean(1, keepdims=True))[..., None] * s[arm]).mean(1)
    return p, win, lose, g.mean(0), g.std(0) / GROUPS**0.5


@checker(1)
def check_1(answer: Callable[[float, np.ndarray, np.ndarray, int], object]) -> Feedback | None:
    """The expected group gradient from p, E[s|win], E[s|lose] and N."""
    p, win, lose, mean, error = _bandit()
    given = as_array(answer(p, win, lose, N), "the gradient", (2,))

    def near(target: np.ndarray) -> bool:
        return bool(np.allclose(given, target, rtol=1e-6))

    expect(not near(-(N - 1) / N * p * (1 - p) * (win - lose)), "The sign: successes should become more likely.")
    expect(not near(p * (1 - p) * (win - lose)), "That is the limit of large groups. R̄ holds the trial's own R_i.")
    expect(not near((N - 1) / N * (win - lose)), "When p is near 0 or 1 hardly a group has both kinds: what vanishes?")
    expect(not near((N - 1) / N * p * (1 - p) * win), "Failures push too, away from what they did.")
    off = np.abs(given - mean) / error
    expect((off <= ERRORS).all(), f"{off.max():.0f} standard errors away from {GROUPS:,} simulated groups. Write R - R̄ "
                                  "for one trial and take the mean over the N - 1 others.")
    return correct("Pass rate times contrast: at fixed p only what winners and losers do differently counts.")


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """pass@1 of recovery alone against random successes, when the teachers slip: below or above."""
    expect(isinstance(answer, str), "Answer with a word: 'below' or 'above'.")
    word = str(answer).strip().lower()
    expect(word not in ("equal", "same", "no difference"), "As many trials, but not the same calls.")
    expect(word in ("below", "above"), "Answer with a word: 'below' or 'above'.")
    gains = [slips_learned(r) for r in range(SLIP_SEEDS)]
    told = f"Trained on {SLIP_SEEDS} pools of slips: {', '.join(f'{g:+.3f}' for g in gains)}"
    expect(word == ("below" if np.mean(gains) < 0 else "above"), f"{told}. What do its selected trials hold most of?")
    return correct(f"{told}. A setback that is made good must first be made: recovery selects trials with slips.")


@functools.cache
def _elsewhere() -> tuple[tuple[QuotientGraph, ...], TaskSNR]:
    return measured_tasks(ELSEWHERE, 0), task_snr(ELSEWHERE, 0)


@checker(3)
def check_3(answer: Callable[[QuotientGraph], object]) -> Feedback | None:
    """A score of a task, from its graph, whose top third has a higher mean SNR than that of EBR + SH."""
    graphs, found = _elsewhere()
    merit = np.array([as_number(answer(graph), "the score") for graph in graphs])
    expect(np.ptp(merit) > 0, "Your score is the same for every task: it selects nothing.")
    best = np.argsort(-merit, kind="stable")[: len(merit) // 3]
    yours, theirs = float(found.snr[best].mean()), found.mean_snr("topo")
    told = f"Mean SNR of your third {yours:.2f}, of EBR + SH {theirs:.2f}, of all {found.mean_snr():.2f}"
    rho = float(np.corrcoef(merit, found.pass_rate)[0, 1])
    expect(rho < 0.8, f"{told}. Tasks that nearly always succeed have groups without a failure.")
    expect(yours > theirs, f"{told}. A group whose trials all fail or all succeed has no gradient. How often is that?")
    return correct(f"{told}.")
