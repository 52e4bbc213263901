"""The lesson's training runs, and all its experiments by name (those without training stand in `attempts`)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradscape.agents.reflect_retry.attempts import (
    LEARN,
    Attempts,
    Contrast,
    Dominance,
    Mechanism,
    Progress,
    Walk,
    attempts,
    contrast,
    dominance,
    mechanism,
    stream_seed,
    task_pool,
    walk,
)
from gradscape.agents.reflect_retry.settings import (
    GRID_RULES,
    LATE,
    LATE_ITERATIONS,
    LATE_KNOWN,
    LATE_STEPS,
    VARIANTS,
    Settings,
)
from gradscape.agents.reflect_retry.trainer import History, Rule, Trainer
from gradscape.agents.turnpolicy.base import load_base
from gradscape.lesson import Point, cached, protocol


def _train(
    settings: Settings, replicate: int, known: float, progress: Progress | None = None, **how: Any,
) -> History:
    train, test = task_pool(settings, replicate)
    trainer = Trainer(load_base(known), train, tasks_per_step=settings.size.tasks_per_step,
                      seed=stream_seed(settings, replicate, LEARN), **how)
    return trainer.run(test, progress)


@protocol
def trained(settings: Settings, variant: str, replicate: int, *, progress: Progress | None = None) -> History:
    """One run of a variant from the base that has never seen a violated precondition handled."""
    return _train(settings, replicate, 0.0, progress, iterations=settings.size.iterations, **VARIANTS[variant])


@dataclass(frozen=True)
class Study:
    """Runs of several variants: ``histories[variant][replicate]``."""

    histories: dict[str, tuple[History, ...]]

    def area(self, variant: str) -> np.ndarray:
        """Mean success at iterations 10, 20, 30 of each run, (seeds,)."""
        return np.array([history.area for history in self.histories[variant]])

    def at(self, variant: str, iteration: int) -> np.ndarray:
        """Success of each run after so many iterations, (seeds,)."""
        return np.array([history.at(iteration) for history in self.histories[variant]])

    def gain(self, variant: str, rival: str) -> np.ndarray:
        """Area, variant − rival, seed by seed."""
        return self.area(variant) - self.area(rival)


@protocol
def study(
    settings: Settings, variants: tuple[str, ...], seeds: int, *, progress: Progress | None = None,
) -> Study:
    """Train every variant on every replicate: the same tasks, the same base, as many rollouts and gradient steps."""
    made: dict[str, list[History]] = {variant: [] for variant in variants}
    for replicate in range(seeds):
        for k, variant in enumerate(variants):
            made[variant].append(trained(settings, variant, replicate))
            if progress is not None:
                progress(replicate * len(variants) + k + 1, len(variants) * seeds)
    return Study({variant: tuple(histories) for variant, histories in made.items()})


@protocol
def late_run(
    settings: Settings, variant: str | Rule, replicate: int, *, progress: Progress | None = None,
) -> History:
    """A long run: a base that knows a little, two gradient steps, 80 iterations. ``variant``: a name in LATE, or a
    function of (rewards, group) that gives R³L its advantages."""
    how: dict[str, Any] = LATE[variant] if isinstance(variant, str) else {"method": "r3l", "rule": variant}
    return _train(settings, replicate, LATE_KNOWN, progress, iterations=LATE_ITERATIONS, steps_per_batch=LATE_STEPS,
                  **how)


@protocol
def late_study(settings: Settings, seeds: int, *, progress: Progress | None = None) -> Study:
    """All long runs."""
    return Study({name: tuple(late_run(settings, name, r) for r in range(seeds)) for name in LATE})


@protocol
def grid_run(
    settings: Settings, rule: str, steps: int, lr: float, replicate: int, *, progress: Progress | None = None,
) -> History:
    """A cell of the grid: rollouts without retries, so that only rule, reuse and learning rate differ."""
    return _train(settings, replicate, 0.0, progress, iterations=settings.size.iterations, steps_per_batch=steps, lr=lr,
                  **GRID_RULES[rule])


def _own_method(settings: Settings, method: str) -> dict[str, Any]:
    return {"method": method, "group_size": settings.group, "steps_per_batch": settings.steps, "lr": settings.lr,
            "alpha": settings.alpha, "rule": settings.rule, "credit": settings.credit, "guidance": settings.guidance,
            "reflector": settings.reflector}


_FREE = ("offset", "task", "draw", "method", "iterations")  # no training run depends on them, or they name it


@cached
def own_run(settings: Settings, *, progress: Progress | None = None) -> History:
    """A training run of the settings' own method; what the protocol has trained already is taken from there."""
    usual = not set(settings.changed()) - {"profile", "seed", "device", "sizes", *_FREE}
    if usual and settings.method in VARIANTS and settings.iterations <= settings.size.iterations and (
        settings.iterations % 10 == 0
    ):
        return trained(settings, settings.method, 0, progress=progress).until(settings.iterations)
    return _train(settings, 0, settings.known, progress, iterations=_own_iterations(settings),
                  **_own_method(settings, settings.method))


def _own_iterations(settings: Settings) -> int:
    return settings.iterations if settings.profile != "smoke" else min(settings.iterations, settings.size.iterations)


def own_runs(
    settings: Settings, methods: Sequence[str], *, progress: Progress | None = None,
) -> dict[str, History]:
    """Own runs of several methods at the same settings."""
    made: dict[str, History] = {}
    for k, method in enumerate(methods):
        step = None if progress is None else _shifted(progress, k, len(methods))
        made[method] = own_run(settings.replace(method=method, offset=0, task=5, draw=0), progress=step)
    return made


def _shifted(progress: Progress, run: int, runs: int) -> Progress:
    return lambda done, total: progress(run * total + done, runs * total)


def point(settings: Settings) -> Point:
    """The settings' own training run: success, area, generated calls, retries."""
    run = own_run(settings.replace(offset=0, task=5, draw=0))
    return Point({
        "success": run.success[-1], "success_before": run.success[0], "area": run.area,
        "generated_calls": run.generated[-1], "trigger_rate": run.trigger_rate[-10:].mean(),
        "retry_success": _nanmean(run.retry_success), "gradient_norm": run.gradient_norm.mean(),
        "outcome_accuracy": run.outcome_accuracy[-1], "pivot_accuracy": run.pivot_accuracy[-1],
    })


def _nanmean(values: np.ndarray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")


__all__ = [
    "Attempts", "Contrast", "Dominance", "History", "Mechanism", "Study", "Walk", "attempts", "contrast", "dominance",
    "grid_run", "late_run", "late_study", "mechanism", "own_run", "own_runs", "point", "study", "task_pool", "trained",
    "walk",
]
