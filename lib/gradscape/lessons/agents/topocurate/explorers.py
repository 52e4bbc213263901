"""Explorers of the TopoCurate lesson: one task's graph (live), another pool (quick), learning from it (run)."""
from __future__ import annotations

from typing import Any

from gradscape.agents.topocurate.experiments import OneTask, Own, one_task, own_models
from gradscape.agents.topocurate.settings import Settings
from gradscape.lessons.agents.topocurate.figures import fig_graph, fig_own, fig_scores
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw

WEIGHTS = ("recovery", "efficiency", "diversity")


def _one(values: Values, task: Task) -> OneTask:
    return one_task(values.settings)


def explorer_graph(settings: Settings) -> Explorer:
    """The graph of one task: what the number of trials, the prior and the weights change."""
    one_task(settings)  # once, so that every move is quick
    return explore(
        _one, redraw(fig_graph), [field(n) for n in ("task", "trials", "kappa", "drop", "per_task", *WEIGHTS)],
        settings=settings, name="graph",
        presets={"four trials": {"trials": 4}, "many trials": {"trials": 32}, "strong prior": {"kappa": 5.0},
                 "recovery only": {"efficiency": 0.0, "diversity": 0.0}},
    )


def explorer_pool(settings: Settings) -> Explorer:
    """Other teachers: their successes' scores, and what is selected."""
    return explore(
        _one, redraw(fig_scores), [field(n) for n in ("teachers", "ploop", "task", *WEIGHTS)], settings=settings,
        name="pool", mode="quick",
        presets={"nobody wanders": {"ploop": 0.0}, "random slips": {"teachers": "slip"},
                 "teachers that peek": {"teachers": "peek"}},
    )


def explorer_learn(settings: Settings) -> Explorer:
    """Fine-tune on a selection of your own and on random successes."""

    def compute(values: Values, task: Task) -> Own:
        return own_models(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_own), [field(n) for n in ("teachers", "ploop", "per_task", *WEIGHTS)], settings=settings,
        name="learn", mode="run", initial=own_models(settings),
        presets={"nobody wanders": {"ploop": 0.0}, "recovery only": {"efficiency": 0.0, "diversity": 0.0},
                 "random slips": {"teachers": "slip"}, "teachers that peek": {"teachers": "peek"}},
    )


EXPLORERS: dict[str, Any] = {"graph": explorer_graph, "pool": explorer_pool, "learn": explorer_learn}
