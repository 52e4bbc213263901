"""Explorers of the lesson: one problem, the linear model, the sweep of gains."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape.distributed.econtrol import Own, Settings, Sweep, own, own_sweep
from gradscape.lessons.distributed.econtrol.figures import fig_curves, fig_roots, fig_sweep
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw

PROBLEM = ("gamma", "zeta", "sigma", "n", "kept")


def explorer_curves(settings: Settings) -> Explorer:
    """Five methods on one problem."""

    def compute(values: Values, task: Task) -> Own:
        return own(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_curves), [field("eta_ratio"), *map(field, PROBLEM)], settings=settings, name="curves",
        mode="quick",
        presets={
            "clients that differ, a larger step": {"zeta": 100.0, "gamma": 0.02},
            "no noise": {"zeta": 100.0, "sigma": 0.0, "gamma": 0.05},
            "nearly EF21": {"eta_ratio": 1e-3, "gamma": 0.02},
            "too much gain": {"eta_ratio": 5.0, "gamma": 0.02},
        },
    )


@dataclass(frozen=True)
class _Gain:
    delta: float
    ratio: float


def explorer_roots(settings: Settings) -> Explorer:
    """Eigenvalues of the linear model."""

    def compute(values: Values, task: Task) -> _Gain:
        return _Gain(values.settings.kept, values.settings.eta_ratio)

    return explore(
        compute, redraw(lambda gain: fig_roots(gain.delta, gain.ratio)), [field("eta_ratio"), field("kept")],
        settings=settings, name="roots",
        presets={
            "critical at δ = 0.1": {"eta_ratio": 0.263, "kept": 0.1},
            "δ/400, as the proofs take it": {"eta_ratio": 0.0025},
            "half of the entries": {"kept": 0.5},
        },
    )


def explorer_sweep(settings: Settings) -> Explorer:
    """Final error against the gain, on the settings' own problem."""

    def compute(values: Values, task: Task) -> Sweep:
        return own_sweep(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_sweep), [field(name) for name in PROBLEM], settings=settings, name="sweep", mode="run",
        initial=own_sweep(settings),
        presets={"few entries kept": {"kept": 0.02}, "clients alike": {"zeta": 0.0}, "strong noise": {"sigma": 30.0}},
    )


EXPLORERS = {"curves": explorer_curves, "roots": explorer_roots, "sweep": explorer_sweep}
