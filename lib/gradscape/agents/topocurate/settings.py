"""Settings and sizes of the lesson *topocurate*."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.agents.topocurate.pools import TEACHERS
from gradscape.lesson import choice, integer, real

REDUNDANT, LEAN = 0.8, 0.0  # share of wandering teachers in the two pools
TEMPERATURE, FLAKY = 0.7, 0.15  # of the evaluation

# Weights of R, E, D. "outcome" and "shortest" need no graph; the others are each score alone and each one left out.
VARIANTS: dict[str, tuple[float, float, float] | str] = {
    "outcome": "outcome", "RE": (0.5, 1.0, 0.0), "shortest": "shortest", "full": (0.5, 1.0, 0.3), "R": (0.5, 0.0, 0.0),
    "E": (0.0, 1.0, 0.0), "D": (0.0, 0.0, 0.3), "ED": (0.0, 1.0, 0.3), "RD": (0.5, 0.0, 0.3),
}
FEW = ("outcome", "RE", "shortest")


@dataclass(frozen=True)
class Sizes:
    """How many tasks, trials and seeds, and how long is trained."""

    seeds: int = 1  # pools, each with its own tasks, teachers and test tasks
    lean_seeds: int = 0  # of them also without wandering teachers
    variants: tuple[str, ...] = FEW  # selections that a model is trained on
    tasks: int = 250  # of a pool
    trials: int = 16  # of each task
    per_task: int = 3  # successes selected from each task
    steps: int = 200  # of fine-tuning
    batch: int = 192  # trajectories of a step
    test: int = 256  # held-out tasks
    samples: int = 3  # episodes of each
    rl_seeds: int = 0  # repetitions of the reinforcement-learning part
    rl_tasks: int = 300  # tasks it selects from, a third of each share of violations
    rl_trials: int = 24  # trials of the base model on each
    snr_tasks: int = 24  # tasks whose gradient is measured
    snr_groups: int = 12  # groups of eight for each
    selected: int = 50  # tasks that GRPO trains on
    iterations: int = 100  # of GRPO
    rl_test: int = 384  # fresh tasks


SIZES = {
    "smoke": Sizes(
        tasks=40, steps=10, batch=48, test=32, samples=1, rl_tasks=24, rl_trials=8, snr_tasks=4, snr_groups=4,
    ),
    "quick": Sizes(),
    "full": Sizes(
        seeds=5, lean_seeds=5, variants=tuple(VARIANTS), tasks=500, rl_seeds=3, snr_tasks=120,
    ),
}
ENOUGH_STEPS = 200  # with fewer nothing is judged


class Settings(lesson.Settings, profiles=SIZES):
    """One pool of trials, and what is selected from it."""

    ploop: float = real(0.8, 0.0, 1.0, about="share of teachers that wander: needless looks and detours")
    teachers: str = choice("repair", TEACHERS, about="repair their errors, slip at random, or know the hidden state")
    trials: int = integer(16, 4, 32, symbol="K", about="trials of each task")
    kappa: float = real(1.0, 0.0, 5.0, symbol="κ", about="pseudo-trials that each node's potential starts from")
    drop: float = real(0.1, 0.0, 0.5, symbol="δ", about="loss of potential that counts as a setback")
    recovery: float = real(0.5, 0.0, 2.0, symbol="λ_R", about="weight of reflective recovery")
    efficiency: float = real(1.0, 0.0, 2.0, symbol="λ_E", about="weight of semantic efficiency")
    diversity: float = real(0.3, 0.0, 2.0, symbol="λ_D", about="weight of distributional diversity")
    per_task: int = integer(3, 1, 8, symbol="m", about="successes selected from each task")
    task: int = integer(1, 1, 24, about="which task's graph is drawn")

    @property
    def weights(self) -> tuple[float, float, float]:
        """Weights of R, E and D."""
        return self.recovery, self.efficiency, self.diversity
