"""Explorers of the calibration lesson: one problem and an image on its way (quick), large images and diagrams (run)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from gradscape.lessons.recovery.blind_calibration.figures import fig_image, fig_run, fig_transition
from gradscape.recovery.blind_calibration import (
    ImageRun,
    OwnRun,
    PhaseDiagram,
    Settings,
    diagram,
    diagram_at,
    look_at,
    solve_at,
)
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

FIELDS = ("n", "m", "p", "rho", "log_noise", "ensemble")
CAP = 1000  # iterations of an image's run
KEEP = 12  # cosines per side of the prior


@dataclass(frozen=True)
class Look:
    """An image's run, and the iteration at which it is looked at."""

    run: ImageRun
    iteration: int


def fig_look(result: Look) -> go.Figure:
    """The image at the chosen iteration."""
    return fig_image(result.run, result.iteration)


def explorer_problem(settings: Settings) -> Explorer:
    """One problem at the settings' values; a run that takes more than a second shows how far it came."""

    def compute(values: Values, task: Task) -> OwnRun:
        return solve_at(values.settings, lambda: task.cancelled)

    return explore(
        compute, redraw(fig_run), [field(name) for name in FIELDS], settings=settings, name="problem", mode="quick",
        presets={"plenty": {"p": 8}, "as many as unknowns": {"p": 2}, "noise": {"p": 8, "log_noise": -2.0},
                 "few sensors, many snapshots": {"m": 16, "p": 12}},
    )


def explorer_image(settings: Settings) -> Explorer:
    """The image on its way: one run per rho and number of snapshots, looked at where the slider stands."""
    side, sensors = settings.size.side, settings.size.sensors

    runs: dict[tuple[float, int], ImageRun] = {}

    def compute(values: Values, task: Task) -> Look:
        key = (values.rho, values.p)
        made = runs.get(key)
        if made is None:
            made = look_at(settings, side, sensors, values.p, values.rho, cap=CAP, stop=lambda: task.cancelled)
            if not task.cancelled:
                runs[key] = made
        return Look(made, values.iteration)

    return explore(
        compute, redraw(fig_look),
        [Control("iteration", "int", 1, CAP, scale="log", default=20, about="iteration that is shown"),
         Control("rho", lo=0.0, hi=0.99, default=0.9, symbol="ρ", about="how bad the gains are"),
         Control("p", "int", 7, 16, default=10, about="snapshots")],
        settings=settings, name="image", mode="quick",
        presets={"the start": {"iteration": 1}, "the end": {"iteration": CAP}, "mild gains": {"rho": 0.1},
                 "too few snapshots": {"p": 7, "iteration": CAP}},
    )


def explorer_prior(settings: Settings) -> Explorer:
    """Larger images with or without a prior."""
    size = settings.size

    def compute(values: Values, task: Task) -> ImageRun:
        def stop() -> bool:
            return task.cancelled

        return look_at(settings, size.low_side, size.low_sensors, values.p, values.rho,
                       keep=min(values.keep, size.low_side), prior=values.prior == "known", cap=CAP, stop=stop,
                       progress=task.progress)

    return explore(
        compute, redraw(fig_image),
        [Control("p", "int", 1, 16, default=4, about="snapshots"),
         Control("rho", lo=0.0, hi=0.99, default=0.9, symbol="ρ", about="how bad the gains are"),
         Control("keep", "int", 2, 32, default=KEEP, symbol="√k", about="cosines per side that make up the image"),
         Control("prior", "choice", options=("known", "unknown"), about="whether the descent knows them")],
        settings=settings, name="prior", mode="run", initial=look_at(settings, size.low_side, size.low_sensors, 4,
                                                                    keep=size.low_keep, cap=CAP),
        presets={"one snapshot": {"p": 1}, "a finer image": {"keep": 20, "p": 6},
                 "without the prior": {"prior": "unknown", "p": 10}},
    )


def explorer_diagram(settings: Settings) -> Explorer:
    """The phase diagram for other gains and sizes."""
    size = settings.size

    def compute(values: Values, task: Task) -> PhaseDiagram:
        return diagram_at(settings, values.n, values.rho, task.step, values.seeds)

    return explore(
        compute, redraw(fig_transition),
        [Control("rho", lo=0.0, hi=0.99, default=0.9, symbol="ρ", about="how bad the gains are"),
         Control("n", "int", 8, 64, scale="log2", default=size.n, about="entries of the signal; sensors scale with it"),
         Control("seeds", "int", 1, 20, default=size.diagram_seeds, about="problems per cell")],
        settings=settings, name="diagram", mode="run", initial=diagram(settings),
        presets={"mild gains": {"rho": 0.1}, "gains that almost vanish": {"rho": 0.99}, "a small signal": {"n": 16}},
    )


EXPLORERS: dict[str, Any] = {
    "problem": explorer_problem, "image": explorer_image, "prior": explorer_prior, "diagram": explorer_diagram,
}
