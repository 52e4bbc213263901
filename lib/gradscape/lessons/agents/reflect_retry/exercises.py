"""Checkers of the R^3L lesson's exercises."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from gradscape.agents.reflect_retry.attempts import task_pool
from gradscape.agents.reflect_retry.credit import ALPHA, advantage_mass, positive_amplification
from gradscape.agents.reflect_retry.reflection import chosen, reflect, trigger
from gradscape.agents.reflect_retry.retrying import retry
from gradscape.agents.reflect_retry.settings import LATE_KNOWN, LATE_STEPS, Settings
from gradscape.agents.reflect_retry.trainer import Trainer
from gradscape.agents.toolworld import make_tasks
from gradscape.agents.turnpolicy import load_base, rollout
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect

CLOSE = 1e-12  # relative: the closed form and sums of at most 16 numbers in double precision
LARGEST = 16  # group
ATTEMPTS, DRAWN, OFFSETS = 768, 1100, (-2, 0, 1)
ERRORS = 3.0  # standard errors within which two rates count as equal
KEPT = 2.0  # mass ratio that exercise 3 asks for where at most a quarter succeeds
SHORT_RUN, MARGIN = 20, 0.1  # iterations that it trains; success by which the run may stay behind GRPO's


def _binary(successes: int, N: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards (N,) in double precision and their group."""
    return (torch.arange(N) < successes).double(), torch.zeros(N, dtype=torch.int64)


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE * max(1.0, abs(b))


@checker(1)
def check_1(answer: Callable[[int, int, float], object]) -> Feedback | None:
    """Positive over negative advantage mass of c successes among N, by the paper's rule with alpha."""

    def all_are(form: Callable[[int, int, float], float]) -> bool:
        return all(_near(given[c, N, a], form(c, N, a)) for c, N, a in given)

    given = {(c, N, a): as_number(answer(c, N, a), "the ratio")
             for N in range(2, LARGEST + 1) for c in range(1, N) for a in (1.0, ALPHA, 4.5)}
    expect(min(given.values()) > 0, "A ratio of two masses is positive: take the sizes of the negative advantages.")
    expect(not all_are(lambda c, N, a: N / (N - c)), "That is the code's rule. The paper gives successes alpha.")
    expect(not all_are(lambda c, N, a: a), "That is alpha·A for every success. By the paper's rule a success gets "
                                           "alpha itself, whatever the group's mean.")
    expect(not all_are(lambda c, N, a: a * c / (N - c)), "A failure does not count -1: what is R - mean for R = 0?")
    expect(not all_are(lambda c, N, a: a * (N - c) / N), "Upside down in N: with many failures, is c/N large or small?")
    for (c, N, a), ratio in given.items():
        up, down = advantage_mass(positive_amplification(*_binary(c, N), alpha=a))
        expect(_near(ratio, up / down), f"c = {c}, N = {N}, alpha = {a:g}: positive mass {up:g}, negative {down:g}, "
                                        f"but your ratio is {ratio:.4g}. Add up both for this group by hand.")
    return correct("The fewer succeed, the closer to alpha; it never falls below it, and is largest when one fails.")


@functools.cache
def _retried() -> tuple[int, dict[int, float]]:
    """Failed attempts of the base model, and how many retries succeed at each offset of the pivot."""
    generator = torch.Generator().manual_seed(2)
    tasks = [task for task in make_tasks(2 * DRAWN, n_goals=(2, 3), pviol=0.6, seed=977) if task.viol == 1]
    policy = load_base(0.0)
    attempts = rollout(policy, tasks, generator=generator)
    said = reflect(policy, attempts, generator=generator)
    rows = (trigger(said, attempts.length) & (attempts.success < 0.5)).nonzero()[:ATTEMPTS, 0]
    tasks = [tasks[row] for row in rows.tolist()]
    failed, said = attempts[rows], chosen(said, rows)
    return len(rows), {
        offset: float(retry(policy, failed, said, tasks=tasks, offset=offset,
                            generator=generator).distilled.success.mean()) for offset in OFFSETS
    }


@checker(2)
def check_2(answer: Sequence[int]) -> Feedback | None:
    """The offsets -2, 0, +1 of the pivot by retry success, best first."""
    given = [round(v) for v in as_array(answer, "the order", (len(OFFSETS),)).tolist()]
    expect(sorted(given) == sorted(OFFSETS), "Each of -2, 0 and 1 once, the best first.")
    n, rates = _retried()
    told = f"{n} failed attempts: " + ", ".join(f"{offset:+d} {rate:.3f}" for offset, rate in rates.items())
    for place, worse in ((0, given[0]), (1, given[1])):
        for better in given[place + 1:]:
            spread = ERRORS * math.sqrt(sum(rates[o] * (1 - rates[o]) for o in (better, worse)) / n)
            expect(rates[better] - rates[worse] <= spread, f"{told}. {_why(worse, better, place)}")
    return correct(f"{told}. An early turn only repeats what was right; a late one keeps the mistake, and hardly any "
                   "mistake here can be undone.")


def _why(worse: int, better: int, place: int) -> str:
    if worse != 1:
        return "Is there anything in a correct turn that cannot be made again?"
    first = "Cheapest, yes, but what does it replay?" if place == 0 else "It is not the middle either."
    return f"{first} With +1 the call at the pivot itself is kept. Which kind of world forgives that, this one?"


def _advantages(answer: Callable[..., Any], successes: Sequence[int], N: int) -> np.ndarray:
    """The reader's advantages of several groups of N binary rewards: (groups, N)."""
    rewards = torch.cat([_binary(c, N)[0] for c in successes]).float()
    group = torch.arange(len(successes)).repeat_interleave(N)
    return as_array(answer(rewards, group), "the advantages", (len(rewards),)).reshape(len(successes), N)


@functools.cache
def _rival(method: str) -> float:
    """Success of a baseline after the same short training."""
    return _trained(method=method)


def _trained(**how: Any) -> float:
    train, test = task_pool(Settings.of({}), 0)
    trainer = Trainer(load_base(LATE_KNOWN), train, iterations=SHORT_RUN, steps_per_batch=LATE_STEPS, seed=0, **how)
    return float(trainer.run(test).success[-1])


@checker(3)
def check_3(answer: Callable[[torch.Tensor, torch.Tensor], object]) -> Feedback | None:
    """Advantages from (rewards, group): 0 in solved groups, rare successes amplified, and a run near GRPO's."""
    solved = _advantages(answer, [8, 8], 8)
    expect(np.abs(solved).max() < 1e-6, f"A group in which all succeed has mass {np.abs(solved[0]).sum():.3g}: it "
                                        "would never fade. What does a group mean do there?")
    for N in (4, 8, 12, 16):
        A = _advantages(answer, list(range(1, N // 4 + 1)), N)
        up, down = np.clip(A, 0, None).sum(1), np.clip(-A, 0, None).sum(1)
        expect((down > 1e-9).all(), "Failures have no negative advantage: that is imitation of successes, RAFT.")
        worst = float((up / down).min())
        expect(worst >= KEPT - 1e-6, f"With at most a quarter of {N} successful the ratio falls to {worst:.3g}: rare "
                                     "successes need the weight.")
    mixed = _advantages(answer, [1, 7], 8)
    alone = np.concatenate([_advantages(answer, [c], 8) for c in (1, 7)])
    expect(np.allclose(mixed, alone, atol=1e-5), "A group's advantages change with the other groups of the batch.")

    def rule(rewards: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(answer(rewards, group), dtype=torch.float32)

    yours, grpo = _trained(method="r3l", rule=rule), _rival("grpo")
    told = f"After {SHORT_RUN} iterations: yours {yours:.3f}, GRPO {grpo:.3f}"
    expect(yours >= grpo - MARGIN, f"{told}. Rare successes may get too much: with a ratio in the hundreds nothing "
                                     "tells the policy what to leave.")
    return correct(f"{told}. What is solved no longer pulls; what is rare still counts.")
