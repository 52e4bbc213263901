"""Explorers of the Bayes-optimal lesson: the optimum and its spectrum (live), the plane (quick), simulations (run)."""
from __future__ import annotations

from typing import Any

import torch

from gradscape.dynamics.bayes_optimal.experiments import (
    DescentRun,
    GampCell,
    Optimum,
    PhaseMap,
    Spectrum,
    optimum_at,
    own_descent,
    own_gamp,
    phase_map,
    spectrum_of,
)
from gradscape.dynamics.bayes_optimal.settings import Settings
from gradscape.lessons.dynamics.bayes_optimal.figures import fig_descent, fig_map, fig_optimum, fig_rounds, fig_spectrum
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

TEACHER = ("alpha", "kappa", "delta")
PRESETS = {
    "few labels": {"alpha": 0.05, "kappa": 0.5, "delta": 0.0},
    "just below recovery": {"alpha": 0.37, "kappa": 0.5, "delta": 0.0},
    "noisy neurons": {"alpha": 0.4, "kappa": 0.5, "delta": 0.25},
    "many neurons": {"alpha": 0.25, "kappa": 5.0, "delta": 0.0},
}
SIMULATED = {title: PRESETS[title] for title in ("few labels", "noisy neurons", "many neurons")}


def explorer_optimum(settings: Settings) -> Explorer:
    """The optimal error over the load, for any width and noise."""

    def compute(values: Values, task: Task) -> Optimum:
        return optimum_at(values.kappa, values.delta, values.alpha)

    return explore(compute, redraw(fig_optimum), [field(name) for name in TEACHER], settings=settings, name="optimum",
                   presets=PRESETS)


def explorer_spectrum(settings: Settings) -> Explorer:
    """The spectrum at the overlap that the labels buy, and the estimator's curve."""

    def compute(values: Values, task: Task) -> Spectrum:
        return spectrum_of(values.settings)

    return explore(compute, redraw(fig_spectrum), [field(name) for name in TEACHER], settings=settings,
                   name="spectrum", presets=PRESETS)


def explorer_map(settings: Settings) -> Explorer:
    """The optimal error over the whole plane, for any noise."""

    def compute(values: Values, task: Task) -> PhaseMap:
        return phase_map(values.delta)

    return explore(
        compute, redraw(fig_map),
        [Control("delta", lo=0.0, hi=1.0, default=settings.delta, symbol="Δ", about="noise inside the neurons")],
        settings=settings, name="map", mode="quick", presets={"no noise": {"delta": 0.0}, "a little": {"delta": 0.05}},
    )


def explorer_gamp(settings: Settings) -> Explorer:
    """GAMP-RIE on one drawn teacher, beside state evolution."""

    def compute(values: Values, task: Task) -> GampCell:
        torch.set_num_threads(1)
        return own_gamp(values.settings, progress=task.step)

    return explore(compute, redraw(fig_rounds), [field(name) for name in (*TEACHER, "d")], settings=settings,
                   name="gamp", mode="run", initial=own_gamp(settings), presets=SIMULATED)


def explorer_gd(settings: Settings) -> Explorer:
    """Gradient descent from many starts on one drawn teacher."""

    def compute(values: Values, task: Task) -> DescentRun:
        torch.set_num_threads(1)
        return own_descent(values.settings, progress=task.step)

    return explore(compute, redraw(fig_descent), [field(name) for name in (*TEACHER, "d", "starts")],
                   settings=settings, name="gd", mode="run", initial=own_descent(settings), presets=SIMULATED)


EXPLORERS: dict[str, Any] = {
    "optimum": explorer_optimum, "spectrum": explorer_spectrum, "map": explorer_map, "gamp": explorer_gamp,
    "gd": explorer_gd,
}
