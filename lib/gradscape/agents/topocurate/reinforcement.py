"""The gradient a task gives, its signal and its noise; GRPO on chosen tasks.

For binary rewards and s = grad log pi(trial), g = (1/N) sum_i (R_i - mean R) s_i has the expectation
((N-1)/N) p(1-p) (E[s|win] - E[s|lose]): pass rate times contrast. The SNR below is our estimate of both.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.agents.policy_gradient import grpo_advantages, kl_k3, policy_gradient_loss
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.turnpolicy.learning import descend
from gradscape.agents.turnpolicy.model import TurnPolicy
from gradscape.agents.turnpolicy.rollout import rollout
from gradscape.validate import at_least, nonnegative, positive

GROUP, CLIP, KL = 8, 0.2, 0.01
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class SNR:
    """Signal-to-noise ratio of a task's gradient, the share of groups with any gradient, and |mean gradient|."""

    snr: float
    nonzero: float
    norm: float


def snr_of(gradients: Tensor) -> SNR:
    """max(0, |gbar|² − v/M)/v of M independent gradients (M, parameters), v = sum |g_m − gbar|²/(M − 1).

    Gradients that all agree: infinity, or 0 when they are all zero. Raises ValueError for fewer than two, or entries
    that are not finite.
    """
    if gradients.dim() != 2 or len(gradients) < 2 or not bool(torch.isfinite(gradients).all()):
        raise ValueError(f"gradients has shape {tuple(gradients.shape)}: must be (M >= 2, parameters), all finite")
    g = gradients.double()
    M, mean = len(g), g.mean(0)
    signal, noise = float(mean.square().sum()), float((g - mean).square().sum()) / (M - 1)
    nonzero = float((g != 0).any(1).double().mean())
    if noise <= 1e-24 * max(signal, 1e-300):
        return SNR(float("inf") if signal > 0 else 0.0, nonzero, signal**0.5)
    return SNR(max(0.0, signal - noise / M) / noise, nonzero, signal**0.5)


def group_gradients(
    policy: TurnPolicy, task: Task, *, groups: int = 12, group_size: int = GROUP, generator: torch.Generator,
) -> Tensor:
    """The gradient of each of ``groups`` GRPO groups of one task, (groups, parameters): (1/N) sum_i A_i grad log pi."""
    at_least("groups", groups, 1)
    at_least("group_size", group_size, 2)
    batch = rollout(policy, [task] * (groups * group_size), generator=generator)
    group = torch.arange(groups).repeat_interleave(group_size)
    advantages = grpo_advantages(batch.success, group)
    parameters = [p for p in policy.parameters() if p.requires_grad]
    rows = torch.zeros(groups, sum(p.numel() for p in parameters))
    for m in range(groups):
        of = slice(m * group_size, (m + 1) * group_size)
        A = advantages[of]
        if not bool((A != 0).any()):
            continue
        gain = (A * policy.logp(batch[of]).sum(1)).mean()
        found = torch.autograd.grad(gain, parameters, allow_unused=True)
        rows[m] = torch.cat([torch.zeros(p.numel()) if g is None else g.flatten()
                             for p, g in zip(parameters, found, strict=True)])
    return rows


def gradient_snr(
    policy: TurnPolicy, task: Task, *, groups: int = 12, group_size: int = GROUP, generator: torch.Generator,
) -> SNR:
    """`snr_of` the GRPO groups of one task; about 0.1 CPU s with 12 groups of 8."""
    at_least("groups", groups, 2)
    return snr_of(group_gradients(policy, task, groups=groups, group_size=group_size, generator=generator))


def train_grpo(
    policy: TurnPolicy, tasks: Sequence[Task], *, iterations: int = 100, tasks_per_batch: int = 24,
    group_size: int = GROUP, steps: int = 2, lr: float = 1e-3, clip: float = CLIP, kl: float = KL,
    generator: torch.Generator, progress: Progress | None = None,
) -> Tensor:
    """GRPO in place: groups of trials, std-normalized advantages, clipped ratio, k3 penalty towards the start.

    Each iteration draws ``tasks_per_batch`` tasks with replacement, rolls out ``group_size`` trials of each at
    temperature 1 and takes ``steps`` Adam steps on them. Returns the success rate of each batch, (iterations,).
    """
    for name, value in (("iterations", iterations), ("tasks_per_batch", tasks_per_batch), ("steps", steps),
                        ("number of tasks", len(tasks))):
        at_least(name, value, 1)
    at_least("group_size", group_size, 2)
    positive("lr", lr)
    nonnegative("kl", kl)
    reference = policy.copy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    rates = torch.zeros(iterations)
    group = torch.arange(tasks_per_batch).repeat_interleave(group_size)
    for it in range(iterations):
        drawn = torch.randint(len(tasks), (tasks_per_batch,), generator=generator).tolist()
        batch = rollout(policy, [tasks[k] for k in drawn for _ in range(group_size)], generator=generator)
        rates[it] = batch.success.mean()
        advantages = grpo_advantages(batch.success, group)
        with torch.no_grad():
            old, ref = policy.logp(batch), reference.logp(batch)
        for _ in range(steps):
            logp = policy.logp(batch)
            loss = policy_gradient_loss(logp, advantages, batch.turns, old_logp=old, clip=clip)
            descend(policy, optimizer, loss + kl * kl_k3(logp, ref, batch.turns))
        if progress is not None:
            progress(it + 1, iterations)
    return rates
