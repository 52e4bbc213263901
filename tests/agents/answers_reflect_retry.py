"""Solutions of the R^3L lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch
from gradscape.agents.policy_gradient import group_mean, grpo_advantages, opmd_advantages, raft_advantages
from gradscape.agents.reflect_retry.credit import positive_amplification


def scaled(rewards, group):
    """Amplified like A itself, so that it vanishes with A."""
    return positive_amplification(rewards, group, rule="scale")


def never_fading(rewards, group):
    return positive_amplification(rewards, group)


def of_the_batch(rewards, group):
    """Every success amplified by the batch's mean, where its group is mixed."""
    A = opmd_advantages(rewards, group)
    return torch.where(A > 0, 9 * A * (1.5 - rewards.mean()), A)


def successes_only(rewards, group):
    """Next to imitation: failures hardly count."""
    A = grpo_advantages(rewards, group)
    return torch.where(A > 0, A, 0.01 * A)


SOLUTIONS = {1: lambda c, N, alpha: alpha * N / (N - c), 2: [0, -2, 1], 3: scaled}
SLOW = (3,)  # trains

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (lambda c, N, alpha: N / (N - c), "the code's rule"),
        (lambda c, N, alpha: alpha, "itself"),
        (lambda c, N, alpha: alpha * c / (N - c), "does not count -1"),
        (lambda c, N, alpha: alpha * (N - c) / N, "Upside down"),
        (lambda c, N, alpha: -alpha * N / (N - c), "positive"),
        (lambda c, N, alpha: 3 * N / (N - c), "by hand"),
        (lambda c, N, alpha: "many", "must be a number"),
    ],
    2: [
        ([1, 0, -2], "what does it replay"),
        ([0, 1, -2], "not the middle"),
        ([0, 0, 1], "once"),
        ([0, 1], "shape"),
        ("early, late", "array of numbers"),
    ],
    3: [
        (never_fading, "never fade"),
        (grpo_advantages, "rare successes need"),
        (raft_advantages, "never fade"),
        (lambda rewards, group: (rewards - group_mean(rewards, group)).clamp(min=0), "imitation"),
        (of_the_batch, "other groups"),
        (successes_only, "too much"),
        (lambda rewards, group: rewards[:2], "shape"),
    ],
}
