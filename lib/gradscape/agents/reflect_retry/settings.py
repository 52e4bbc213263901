"""Settings and sizes of the lesson *reflect_retry*."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gradscape import lesson
from gradscape.agents.reflect_retry.credit import RULES
from gradscape.agents.reflect_retry.reflection import REFLECTORS
from gradscape.agents.reflect_retry.trainer import METHODS
from gradscape.lesson import choice, integer, real, switch

# What is trained: a method, or R^3L with one thing changed
VARIANTS: dict[str, dict[str, Any]] = {
    "r3l": {"method": "r3l"}, "grpo": {"method": "grpo"}, "raft": {"method": "raft"},
    "no_amplification": {"method": "r3l", "rule": "scale", "alpha": 1.0},
    "random": {"method": "r3l", "reflector": "random"},
    "unguided": {"method": "r3l", "guidance": False, "credit": False},
    "no_credit": {"method": "r3l", "credit": False},
    "opmd": {"method": "opmd"}, "opmd_pa": {"method": "opmd_pa"}, "reflect_grpo": {"method": "reflect_grpo"},
    "oracle": {"method": "r3l", "reflector": "oracle"},
    # GRPO's fair tuning: without the penalty, with twice the learning rate, with both
    "grpo_free": {"method": "grpo", "kl": 0.0}, "grpo_fast": {"method": "grpo", "lr": 2e-3},
    "grpo_both": {"method": "grpo", "kl": 0.0, "lr": 2e-3},
}
LABELS = {
    "r3l": "R³L", "grpo": "GRPO", "raft": "RAFT", "no_amplification": "R³L without amplification",
    "random": "R³L, random reflections", "unguided": "R³L without guidance and credit",
    "no_credit": "R³L without credit", "opmd": "OPMD", "opmd_pa": "OPMD with amplification",
    "reflect_grpo": "Reflect-GRPO", "oracle": "R³L, oracle's reflections", "grpo_free": "GRPO without KL",
    "grpo_fast": "GRPO, learning rate 0.002", "grpo_both": "GRPO without KL, learning rate 0.002",
}
CENTRAL = ("r3l", "grpo", "raft", "no_amplification", "random", "unguided", "no_credit")
SIDE = ("opmd", "opmd_pa", "reflect_grpo", "oracle", "grpo_free", "grpo_fast", "grpo_both")
# Where R^3L does not help: a base that has seen some violated preconditions handled, few gradient steps, long training
LATE: dict[str, dict[str, Any]] = {
    "r3l": {"method": "r3l"}, "code": {"method": "r3l", "rule": "code"}, "grpo": {"method": "grpo"},
    "scale": {"method": "r3l", "rule": "scale"},
}
LATE_KNOWN, LATE_STEPS, LATE_ITERATIONS = 0.04, 2, 80
GRID_RULES: dict[str, dict[str, Any]] = {
    "none": {"method": "opmd"}, "code": {"method": "opmd_pa", "rule": "code"}, "paper": {"method": "opmd_pa"},
    "grpo": {"method": "grpo"},
}
GRID_STEPS, GRID_RATES = (1, 2, 4, 6), (1e-3, 2e-3)
ENOUGH_ITERATIONS = 20  # with fewer nothing is judged


@dataclass(frozen=True)
class Sizes:
    """How many tasks, seeds and iterations."""

    seeds: int = 1  # training runs of each central variant, each with its own tasks
    side_seeds: int = 0  # of each side variant, and of the long runs
    grid_seeds: int = 0  # of each cell of gradient steps, learning rate and rule
    variants: tuple[str, ...] = ("r3l", "grpo")
    iterations: int = 30
    tasks: int = 400  # to train on
    test: int = 256  # held-out tasks
    tasks_per_step: int = 24
    attempts: int = 768  # first attempts whose retries are compared
    contrast: int = 16  # attempts at each of as many tasks as are held out, to see which the base ever solves
    restarts: int = 2  # shifts of the pivot that are tried, on either side


SIZES = {
    "smoke": Sizes(iterations=2, tasks=40, test=32, tasks_per_step=6, attempts=96, contrast=4, restarts=1),
    "quick": Sizes(),
    "full": Sizes(seeds=10, side_seeds=3, grid_seeds=1, variants=CENTRAL, restarts=5),
}


class Settings(lesson.Settings, profiles=SIZES):
    """One training run, and one attempt with its retry."""

    method: str = choice("r3l", METHODS, about="what is trained")
    alpha: float = real(3.0, 1.0, 5.0, symbol="α", about="amplification of positive advantages")
    rule: str = choice("paper", RULES, about="where it acts: the paper's equation, the code's, all positive advantages")
    group: int = choice(8, (4, 6, 8, 10, 12, 14, 16), symbol="N", about="rollouts of a task, retries included")
    steps: int = integer(4, 1, 6, about="gradient steps on one batch")
    lr: float = real(1e-3, 3e-4, 3e-3, scale="log", symbol="η", about="learning rate of Adam")
    iterations: int = integer(20, 10, 60, about="of the own training run")
    known: float = choice(0.0, (0.0, 0.04), about="share of the base's demonstrations with violated preconditions")
    credit: bool = switch(True, about="pivotal credit, no gradient before the pivot")
    guidance: bool = switch(True, about="the retry is told what to do at the pivot")
    reflector: str = choice("model", REFLECTORS, about="who reflects: the policy, an oracle, chance")
    offset: int = integer(0, -5, 5, about="shift of the pivot in the attempt that is drawn")
    task: int = integer(5, 1, 24, about="which task is drawn")
    draw: int = integer(0, 0, 99, about="another sample of attempt and retry")
