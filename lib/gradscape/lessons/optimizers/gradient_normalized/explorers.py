"""Explorers: one step on the line (live), a path in the plane (live), LogSumExp (quick, and large by button)."""
from __future__ import annotations

from typing import Any

from gradscape.lessons.optimizers.gradient_normalized.figures import fig_compare, fig_path, fig_step
from gradscape.optimizers.gradient_normalized.settings import Settings
from gradscape.optimizers.gradient_normalized.single import Comparison, Step, Walk, compare, path, picture
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

QUICK_LIMIT, LARGE_LIMIT, LARGE_START = 60, 200, 100


def explorer_radius(settings: Settings) -> Explorer:
    """One step on a function of one variable: the radius, the admissible band and the progress."""

    def compute(values: Values, task: Task) -> Step:
        return picture(values.function, values.point, values.theta, values.ratio)

    return explore(
        compute, redraw(fig_step), [field(name) for name in ("function", "point", "theta", "ratio")],
        settings=settings, name="radius",
        presets={
            "no Hessian": {"theta": 0.0}, "twice the Hessian": {"theta": 2.0}, "radius too large": {"ratio": 20.0},
            "double well": {"function": "double_well", "point": 0.3},
        },
    )


def explorer_path(settings: Settings) -> Explorer:
    """A run on powers of Rosenbrock's residual."""

    def compute(values: Values, task: Task) -> Walk:
        return path(values.p, values.start_1, values.start_2, values.kind, values.gamma0)

    return explore(
        compute, redraw(fig_path), [field(name) for name in ("p", "start_1", "start_2", "kind", "gamma0")],
        settings=settings, name="path",
        presets={
            "exact Hessian": {"kind": "exact"}, "rank one only": {"kind": "fisher_term"},
            "tiny first radius": {"gamma0": 1e-3}, "no Hessian": {"kind": "none"},
        },
    )


def explorer_convergence(settings: Settings) -> Explorer:
    """LogSumExp by size and smoothing, at most 60 iterations of each method."""

    def compute(values: Values, task: Task) -> Comparison:
        return compare(values.n, values.mu, settings.seed, QUICK_LIMIT)

    return explore(
        compute, redraw(fig_compare), [field("n"), field("mu")], settings=settings, name="convergence", mode="quick",
        presets={"sharp": {"mu": 0.1}, "smooth and large": {"mu": 2.0, "n": 150}},
    )


def explorer_large(settings: Settings) -> Explorer:
    """LogSumExp with up to 500 variables, at most 200 iterations of each method."""

    def compute(values: Values, task: Task) -> Comparison:
        return compare(values.variables, values.mu, settings.seed, LARGE_LIMIT, progress=task.step)

    return explore(
        compute, redraw(fig_compare),
        [Control("variables", "int", 50, 500, default=LARGE_START, symbol="n", about="rows and variables"),
         field("mu")],
        settings=settings, name="large", mode="run",
        initial=compare(LARGE_START, settings.mu, settings.seed, LARGE_LIMIT),
        presets={"500 variables": {"variables": 500, "mu": 1.0}, "sharp": {"mu": 0.2}},
    )


EXPLORERS: dict[str, Any] = {
    "radius": explorer_radius, "path": explorer_path, "convergence": explorer_convergence, "large": explorer_large,
}
