"""Explorers of the multi-scale lesson: both theories (live), theory and simulation together (quick), the map (run)."""
from __future__ import annotations

from typing import Any

from gradscape.dynamics.multiscale_descent.experiments import (
    TaskResult,
    descent_map,
    one_task,
    penalty_map,
)
from gradscape.dynamics.multiscale_descent.settings import D, Settings
from gradscape.dynamics.multiscale_descent.theory import TwoScale
from gradscape.lesson import seeds_of
from gradscape.lessons.dynamics.multiscale_descent.figures import fig_map, fig_task
from gradscape.stats.grid import Grid
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

THEORY = ("kappa", "n", "p", "noise", "log_l2", "t")


def explorer_theory(settings: Settings) -> Explorer:
    """Closed form and limit of large sizes at any task, in the plane of R and Q and over time."""

    def compute(values: Values, task: Task) -> TaskResult:
        return one_task(values.settings.replace(a0=0.0), 0)

    return explore(
        compute, redraw(fig_task), [field(name) for name in THEORY], settings=settings, name="theory",
        presets={"far apart": {"kappa": 1e4, "t": 1e4}, "equal speeds": {"kappa": 1.0},
                 "ridge stops it": {"kappa": 40.0, "n": 120, "p": 80, "noise": 0.2, "log_l2": -0.5},
                 "fewer examples than fast features": {"kappa": 100.0, "n": 60}},
    )


def explorer_descent(settings: Settings) -> Explorer:
    """Gradient descent on drawn data beside both theories; every control moves all three."""

    def compute(values: Values, task: Task) -> TaskResult:
        return one_task(values.settings)

    return explore(
        compute, redraw(fig_task), [field(name) for name in (*THEORY, "a0")], settings=settings, name="descent",
        mode="quick",
        presets={"two descents": {"kappa": 100.0, "n": 130}, "one descent": {"kappa": 4.0},
                 "a penalty on Q": {"n": 120, "a0": 0.6}, "n below d": {"n": 80, "kappa": 100.0}},
    )


def explorer_map(settings: Settings) -> Explorer:
    """The map of ridge coefficient and time for other tasks."""
    size = settings.size

    def compute(values: Values, task: Task) -> Grid:
        made = TwoScale(values.n, D, values.p, values.kappa, values.noise)
        return descent_map(made, size.map_penalties, size.map_times, seeds_of(settings, size.map_sets), task.step)

    return explore(
        compute, redraw(fig_map),
        [
            Control("kappa", lo=1.0, hi=1e3, scale="log", default=40.0, symbol="κ", about="ratio of scales"),
            Control("n", "int", 20, 500, scale="log", default=120, about="training examples"),
            Control("p", "int", 5, 95, default=80, about="fast features of 100"),
            Control("noise", lo=0.0, hi=1.0, default=0.2, symbol="σ", about="label noise"),
        ],
        settings=settings, name="map", mode="run", initial=penalty_map(settings),
        presets={"the lesson's": {}, "no noise": {"noise": 0.0}, "more examples": {"n": 200},
                 "equal speeds": {"kappa": 1.0}},
    )


EXPLORERS: dict[str, Any] = {"theory": explorer_theory, "descent": explorer_descent, "map": explorer_map}
