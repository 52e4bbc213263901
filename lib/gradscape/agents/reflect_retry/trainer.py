"""Training: one loop for R^3L, its ablations and the baselines, all with the same rollouts and gradient steps.

R^3L, per task: N/2 attempts, a reflection on each, a retry where one is asked for; one explore group of both attempts;
amplified advantages, the pivotal mask, no ratio, no clip, no KL; two imitation signals where the retry is a verified
improvement (arXiv 2601.03715, official project page and code). The baselines roll out N attempts.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from gradscape.agents.policy_gradient import (
    grpo_advantages,
    kl_k3,
    opmd_advantages,
    policy_gradient_loss,
    raft_advantages,
)
from gradscape.agents.reflect_retry.credit import ALPHA, RULES, pivotal_mask, positive_amplification
from gradscape.agents.reflect_retry.reflection import (
    REFLECTORS,
    Reflection,
    chosen,
    oracle_reflect,
    random_reflect,
    reflect,
    trigger,
)
from gradscape.agents.reflect_retry.retrying import Retry, retry
from gradscape.agents.toolworld.lexicon import HORIZON
from gradscape.agents.toolworld.oracle import FAILURE, SUCCESS
from gradscape.agents.toolworld.tasks import Task
from gradscape.agents.turnpolicy.batch import Batch, cat
from gradscape.agents.turnpolicy.model import TurnPolicy
from gradscape.agents.turnpolicy.rollout import evaluate, rollout
from gradscape.lesson import replicate_seed
from gradscape.validate import at_least, in_range, nonnegative, one_of, positive

METHODS = ("r3l", "grpo", "raft", "opmd", "opmd_pa", "reflect_grpo")
RETRYING = ("r3l", "reflect_grpo")  # N/2 attempts and their retries instead of N attempts
TRUSTED = ("grpo", "reflect_grpo")  # clipped ratio and a KL penalty
CLIP, KL, GRADIENT_CLIP = 0.2, 0.01, 1.0
EVERY, TEMPERATURE, SAMPLES = 10, 0.4, 4  # of the evaluation
JUDGED = 128  # held-out tasks on which reflections are compared with the oracle's
MARKS = (10, 20, 30)  # a run's area is the mean success at these iterations
TASKS, ROLLOUTS, SECOND = range(3)  # streams of random numbers: equal seeds give every method the same tasks
Reflector = Callable[[Batch, Sequence[Task], torch.Generator], Reflection]
Rule = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Experience:
    """What one iteration learns from.

    ``explore``: attempts and distilled retries, with ``group`` ids (n,), ``advantages`` (n,) and ``mask`` (n, H) bool.
    ``guided`` with ``guided_mask``: copies to imitate; ``judged``: attempts, with the reflections ``said`` on them, to
    imitate. ``total``: what the sum of the loss is divided by.
    """

    explore: Batch
    group: Tensor
    advantages: Tensor
    mask: Tensor
    guided: Batch | None = None
    guided_mask: Tensor | None = None
    judged: Batch | None = None
    said: Reflection | None = None

    @property
    def total(self) -> int:
        """Unmasked turns, those of zero advantage and those to imitate included; a reflection counts as one."""
        more = 0 if self.guided_mask is None else int(self.guided_mask.sum())
        return max(1, int(self.mask.sum()) + more + (0 if self.judged is None else len(self.judged)))


@dataclass(frozen=True)
class Round:
    """Numbers of one iteration; NaN where nothing was retried."""

    generated: int
    batch_success: float
    trigger_rate: float
    retry_success: float
    gradient_norm: float = 0.0


@dataclass(frozen=True)
class History:
    """A training run. ``evaluated`` (E,) iterations, from 0, with ``success`` (E,) on held-out tasks, accuracies of
    the policy's reflections on its failures there (``outcome_accuracy``, on all attempts, and ``pivot_accuracy``).

    Per iteration (I,): ``generated`` calls so far, without replayed ones; ``batch_success`` of the first attempts;
    ``trigger_rate``; ``retry_success`` of what was retried; mean ``gradient_norm`` before clipping.
    """

    evaluated: np.ndarray
    success: np.ndarray
    outcome_accuracy: np.ndarray
    pivot_accuracy: np.ndarray
    generated: np.ndarray
    batch_success: np.ndarray
    trigger_rate: np.ndarray
    retry_success: np.ndarray
    gradient_norm: np.ndarray

    def at(self, iteration: int) -> float:
        """Success after so many iterations; ValueError when it was not evaluated then."""
        found = np.flatnonzero(self.evaluated == iteration)
        if not len(found):
            raise ValueError(f"iteration={iteration!r}: evaluated were {self.evaluated.tolist()}")
        return float(self.success[found[0]])

    @property
    def area(self) -> float:
        """Mean success at iterations 10, 20 and 30, as far as they were reached; NaN without any."""
        inside = np.isin(self.evaluated, MARKS)
        return float(self.success[inside].mean()) if inside.any() else float("nan")

    def until(self, iteration: int) -> History:
        """The same run stopped earlier; later iterations have no influence on earlier ones."""
        kept = self.evaluated <= iteration
        return History(*(part[kept] for part in (self.evaluated, self.success, self.outcome_accuracy,
                                                 self.pivot_accuracy)),
                       *(part[:iteration] for part in (self.generated, self.batch_success, self.trigger_rate,
                                                       self.retry_success, self.gradient_norm)))


@dataclass
class Trainer:
    """Trains ``policy`` in place on ``tasks``.

    ``method``: "r3l"; "grpo" (std-normalized, clip 0.2, k3 penalty ``kl`` to the start); "raft" (imitation of
    successes); "opmd" (A = R − mean, nothing else); "opmd_pa" (the same, amplified by ``rule`` and ``alpha``);
    "reflect_grpo" (retries from turn 0, GRPO). ``rule``: one of RULES, or a function of (rewards, group) that returns
    advantages. ``credit=False`` leaves the pivotal mask out, ``guidance=False`` the suggestion (a retry is then just
    another sample from the pivot on). ``reflector``: "model", "oracle", "random", or a function of (batch, tasks,
    generator); reflections are imitated for "model" only.

    Raises ValueError for unknown options, numbers out of range, an odd ``group_size`` with retries, more tasks a step
    than there are.
    """

    policy: TurnPolicy
    tasks: Sequence[Task]
    method: str = field(kw_only=True)
    iterations: int = field(kw_only=True)
    tasks_per_step: int = field(kw_only=True, default=24)
    group_size: int = field(kw_only=True, default=8)
    steps_per_batch: int = field(kw_only=True, default=4)
    lr: float = field(kw_only=True, default=1e-3)
    alpha: float = field(kw_only=True, default=ALPHA)
    rule: str | Rule = field(kw_only=True, default="paper")
    credit: bool = field(kw_only=True, default=True)
    reflector: str | Reflector = field(kw_only=True, default="model")
    guidance: bool = field(kw_only=True, default=True)
    kl: float = field(kw_only=True, default=KL)
    seed: int = field(kw_only=True)

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)
        at_least("number of tasks", len(self.tasks), 1)
        for name in ("iterations", "tasks_per_step", "steps_per_batch"):
            at_least(name, getattr(self, name), 1)
        in_range("tasks_per_step", self.tasks_per_step, 1, len(self.tasks))
        at_least("group_size", self.group_size, 2)
        if self.method in RETRYING and self.group_size % 2:
            raise ValueError(f"group_size={self.group_size!r}: must be even, half of a group are first attempts")
        positive("lr", self.lr)
        nonnegative("kl", self.kl)
        in_range("alpha", self.alpha, 1.0, float("inf"), open_high=True)
        if not callable(self.rule):
            one_of("rule", self.rule, RULES)
        if not callable(self.reflector):
            one_of("reflector", self.reflector, REFLECTORS)
        at_least("seed", self.seed, 0)
        self.generators = [torch.Generator().manual_seed(replicate_seed(self.seed, stream)) for stream in range(3)]
        self.reference = self.policy.copy()
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=self.lr)

    def run(self, eval_tasks: Sequence[Task], callback: Callable[[int, int], object] | None = None) -> History:
        """Train; evaluate on ``eval_tasks`` at the start, every 10 iterations and at the end (temperature 0.4, the
        same random numbers each time). ``callback(done, total)`` is called after each iteration."""
        rounds: list[Round] = []
        judged = [self.judge(eval_tasks)]
        evaluated = [0]
        for it in range(1, self.iterations + 1):
            experience, numbers = self.explore()
            rounds.append(replace(numbers, gradient_norm=self.learn(experience)))
            if it % EVERY == 0 or it == self.iterations:
                evaluated.append(it)
                judged.append(self.judge(eval_tasks))
            if callback is not None:
                callback(it, self.iterations)
        success, outcome, pivot = (np.array(part) for part in zip(*judged, strict=True))
        generated = list(itertools.accumulate(r.generated for r in rounds))
        parts = [np.array([getattr(r, name) for r in rounds])
                 for name in ("batch_success", "trigger_rate", "retry_success", "gradient_norm")]
        return History(np.array(evaluated), success, outcome, pivot, np.array(generated), *parts)

    def explore(self) -> tuple[Experience, Round]:
        """Draw tasks, roll out, reflect, retry, and give credit."""
        drawn = torch.randperm(len(self.tasks), generator=self.generators[TASKS])[: self.tasks_per_step].tolist()
        attempts = self.group_size // (2 if self.method in RETRYING else 1)
        tasks = [self.tasks[k] for k in drawn for _ in range(attempts)]
        group = torch.arange(len(drawn)).repeat_interleave(attempts)
        base = rollout(self.policy, tasks, generator=self.generators[ROLLOUTS])
        generated, rate = int(base.length.sum()), float(base.success.mean())
        if self.method not in RETRYING:
            advantages = self.advantages(base.success, group)
            return Experience(base, group, advantages, base.turns), Round(generated, rate, np.nan, np.nan)
        said = self.reflection(base, tasks)
        asked = trigger(said, base.length)
        rows = asked.nonzero()[:, 0]
        if not len(rows):
            return self.first_attempts(base, group, said), Round(generated, rate, 0.0, np.nan)
        second = retry(
            self.policy, base[rows], chosen(said, rows), tasks=[tasks[row] for row in rows.tolist()],
            guidance=self.guidance, restart="start" if self.method == "reflect_grpo" else "pivot",
            generator=self.generators[SECOND],
        )
        numbers = Round(generated + int(second.generated.sum()), rate, float(asked.float().mean()),
                        float(second.distilled.success.mean()))
        return self.both_attempts(base, group, said, rows, second), numbers

    def reflection(self, base: Batch, tasks: Sequence[Task]) -> Reflection:
        """Reflections on first attempts, by the chosen reflector."""
        generator = self.generators[SECOND]
        if callable(self.reflector):
            return self.reflector(base, tasks, generator)
        if self.reflector == "oracle":
            return oracle_reflect(base, tasks)
        if self.reflector == "random":
            return random_reflect(base, generator)
        return reflect(self.policy, base, generator=generator)

    def first_attempts(self, base: Batch, group: Tensor, said: Reflection) -> Experience:
        """No retry: attempts with all their turns; reflections that call a success a success are imitated."""
        experience = Experience(base, group, self.advantages(base.success, group), base.turns)
        right = (base.success > 0.5) & (said.outcome == SUCCESS)
        if not self.imitates or not bool(right.any()):
            return experience
        return replace(experience, judged=base[right], said=chosen(said, right))

    def both_attempts(
        self, base: Batch, group: Tensor, said: Reflection, rows: Tensor, second: Retry,
    ) -> Experience:
        """Attempts and distilled retries in one group a task; both members of a pair are masked before the pivot."""
        explore, groups = cat([base, second.distilled]), torch.cat([group, group[rows]])
        start = torch.zeros(len(explore), dtype=torch.int64)
        if self.credit and self.method == "r3l":
            start[rows] = second.pivot
            start[len(base):] = second.pivot
        # an attempt that is retried may be replayed up to its last turn, never beyond it
        mask = pivotal_mask(explore.length, start, HORIZON)
        experience = Experience(explore, groups, self.advantages(explore.success, groups), mask)
        if self.method != "r3l":
            return experience
        solved = second.distilled.success > 0.5
        better = solved & ((base.success[rows] < 0.5) | (second.distilled.length < base.length[rows]))
        if self.guidance and bool(better.any()):
            guided = second.guided[better]
            experience = replace(experience, guided=guided,
                                 guided_mask=pivotal_mask(guided.length, second.pivot[better], HORIZON))
        right = (base.success > 0.5) & (said.outcome == SUCCESS)
        right[rows[better]] = True
        if self.imitates and bool(right.any()):
            experience = replace(experience, judged=base[right], said=chosen(said, right))
        return experience

    @property
    def imitates(self) -> bool:
        """Whether the policy learns to reflect: its own verified reflections only."""
        return self.method == "r3l" and self.reflector == "model"

    def advantages(self, rewards: Tensor, group: Tensor) -> Tensor:
        """The method's advantages, (n,)."""
        if self.method in TRUSTED:
            return grpo_advantages(rewards, group)
        if self.method == "raft":
            return raft_advantages(rewards)
        if self.method == "opmd":
            return opmd_advantages(rewards, group)
        if callable(self.rule):
            return self.rule(rewards, group)
        return positive_amplification(rewards, group, alpha=self.alpha, rule=self.rule)

    def learn(self, experience: Experience) -> float:
        """All gradient steps on one batch; returns the mean norm of the gradient before clipping."""
        step = self.trusted_loss if self.method in TRUSTED else self.plain_loss
        if self.method in TRUSTED:
            with torch.no_grad():
                old = self.policy.logp(experience.explore)
                reference = self.reference.logp(experience.explore) if self.kl else old
        else:
            old = reference = torch.empty(0)
        norms = []
        for _ in range(self.steps_per_batch):
            loss = step(experience, old, reference)
            if not loss.requires_grad:  # no contrast in any group, nothing to imitate
                return 0.0
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(self.policy.parameters(), GRADIENT_CLIP)))
            self.optimizer.step()
        return float(np.mean(norms))

    def trusted_loss(self, experience: Experience, old: Tensor, reference: Tensor) -> Tensor:
        """Clipped importance-sampled objective with a k3 penalty towards the start."""
        mask = experience.mask
        logp = self.policy.logp(experience.explore)
        loss = policy_gradient_loss(logp, experience.advantages, mask, old_logp=old, clip=CLIP)
        return loss + self.kl * kl_k3(logp, reference, mask) if self.kl else loss

    def plain_loss(self, experience: Experience, old: Tensor, reference: Tensor) -> Tensor:
        """−(sum of A log pi)/turns, imitation included; rows of advantage 0 are left out of the forward only."""
        live = experience.advantages != 0
        batches, gains, masks = [experience.explore[live]], [experience.advantages[live]], [experience.mask[live]]
        total = int(masks[0].sum()) if self.method == "raft" else experience.total
        if experience.guided is not None and experience.guided_mask is not None:
            batches.append(experience.guided)
            gains.append(torch.ones(len(experience.guided)))
            masks.append(experience.guided_mask)
        loss = torch.zeros(())
        batch, mask = cat(batches), torch.cat(masks)
        if bool(mask.any()):
            loss = policy_gradient_loss(self.policy.logp(batch), torch.cat(gains), mask, total=total)
        if experience.judged is not None and experience.said is not None:
            loss = loss - self.policy.reflection_logp(experience.judged, experience.said).sum() / total
        return loss

    def judge(self, eval_tasks: Sequence[Task]) -> tuple[float, float, float]:
        """Success on held-out tasks, and how right the policy's most probable reflections on the first sample are."""
        found = evaluate(self.policy, eval_tasks, samples=SAMPLES, temperature=TEMPERATURE)
        first = found.batch[: JUDGED * SAMPLES : SAMPLES]
        truth = oracle_reflect(first, eval_tasks[:JUDGED])
        said = reflect(self.policy, first, temperature=0.0)
        failed = (truth.outcome == FAILURE) & (first.success < 0.5)
        outcome = float((said.outcome == truth.outcome).float().mean())
        return found.rate, outcome, float((said.pivot == truth.pivot)[failed].float().mean())
