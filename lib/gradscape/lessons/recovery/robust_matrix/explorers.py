"""Explorers of the robust-matrix lesson: one run (quick), several problems (run), φ (live), Sign-RIP (run)."""
from __future__ import annotations

from typing import Any

from gradscape.lessons.recovery.robust_matrix.figures import fig_run
from gradscape.lessons.recovery.robust_matrix.rip_figures import fig_phi, fig_sweep
from gradscape.recovery.robust_matrix import Noise, OwnRip, OwnRun, Settings, own_rip, own_run, problem_at
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

PROBLEM = ("alpha", "rank", "m", "p", "scale", "nu", "eta0")
NOISE = ("p", "scale", "nu")
R = 3  # the true rank


def explorer_run(settings: Settings) -> Explorer:
    """One problem at the settings' values; a run that takes more than a second shows how far it came."""

    def compute(values: Values, task: Task) -> OwnRun:
        return problem_at(values.settings, 1, stop=lambda: task.cancelled)

    return explore(
        compute, redraw(fig_run), [field(name) for name in PROBLEM], settings=settings, name="run", mode="quick",
        presets={"a large start": {"alpha": 0.1}, "too few columns": {"rank": 2},
                 "dense, huge outliers": {"p": 0.5, "scale": 1000.0, "m": 1500},
                 "noise everywhere": {"p": 0.0, "nu": 0.3, "m": 1000}},
    )


def explorer_problems(settings: Settings) -> Explorer:
    """Several problems at the settings' values, with r′ columns and beside them with exactly 3."""

    def solved(at: Settings, progress: Any = None) -> OwnRun:
        return own_run(at, at.size.overlay, tuple(dict.fromkeys((R, at.rank))), progress=progress)

    def compute(values: Values, task: Task) -> OwnRun:
        return solved(values.settings, task.step)

    return explore(
        compute, redraw(fig_run), [field(name) for name in PROBLEM], settings=settings, name="problems", mode="run",
        initial=solved(settings),
        presets={"a large start": {"alpha": 0.1}, "dense, huge outliers": {"p": 0.5, "scale": 1000.0, "m": 1500},
                 "noise everywhere": {"p": 0.0, "nu": 0.3, "m": 1000}, "few measurements": {"m": 250}},
    )


def explorer_phi(settings: Settings) -> Explorer:
    """The scaling function under outliers and noise."""

    def compute(values: Values, task: Task) -> Noise:
        return Noise(values.p, values.scale, values.nu)

    return explore(
        compute, redraw(fig_phi), [field(name) for name in NOISE], settings=settings, name="phi",
        presets={"dense, huge outliers": {"p": 0.6, "scale": 1000.0, "nu": 0.0},
                 "small outliers": {"p": 0.6, "scale": 0.1, "nu": 0.0},
                 "noise everywhere": {"p": 0.0, "nu": 0.3}, "both": {"p": 0.3, "nu": 0.3}},
    )


def explorer_rip(settings: Settings) -> Explorer:
    """Alignment and δ of drawn measurements, near the true matrix or far from it."""

    def compute(values: Values, task: Task) -> OwnRip:
        return own_rip(values.settings, values.norm, progress=task.step)

    return explore(
        compute, redraw(fig_sweep),
        [*(field(name) for name in NOISE),
         Control("norm", lo=0.01, hi=10.0, scale="log", default=1.0, symbol="‖X‖", about="distance to the truth")],
        settings=settings, name="rip", mode="run", initial=own_rip(settings, 1.0),
        presets={"no noise": {"p": 0.0, "nu": 0.0}, "dense outliers": {"p": 0.6, "scale": 1000.0},
                 "noise, far": {"p": 0.0, "nu": 1.0}, "noise, near": {"p": 0.0, "nu": 1.0, "norm": 0.1}},
    )


EXPLORERS: dict[str, Any] = {
    "run": explorer_run, "problems": explorer_problems, "phi": explorer_phi, "rip": explorer_rip,
}
