"""Explorers of the Noise2Score lesson: one pixel (live), the sweep of one score map (live), a training (run)."""
from __future__ import annotations

from typing import Any

import numpy as np

from gradscape.diffusion.noise2score import Line, LineCurves, OwnRun, SweepLook, line_curves, own_run, sweep_look
from gradscape.diffusion.noise2score.noise import TEST_NAMES
from gradscape.diffusion.noise2score.own import sweep_curves
from gradscape.diffusion.noise2score.settings import Settings
from gradscape.diffusion.noise2score.tweedie import NOISES
from gradscape.lessons.diffusion.noise2score.figures import fig_line, fig_run, fig_sweep
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

ATOMS, WEIGHTS = (0.2, 0.5, 0.9), (1.0, 1.0, 1.0)


def own_line(values: Values, task: Task | None = None) -> LineCurves:
    """The curves of three atoms at the controls' values."""
    atoms = np.array([values[f"x{i}"] for i in (1, 2, 3)])
    weights = np.array([values[f"w{i}"] for i in (1, 2, 3)])
    return line_curves(Line(atoms, weights, values.noise, values.settings.parameter))


def explorer_line(settings: Settings) -> Explorer:
    """Three clean values, one kind of noise: density, score, estimate and the three posterior means."""
    controls = [
        *(Control(f"x{i}", lo=0.05, hi=1.0, default=x, symbol=f"x{i}", about=f"clean value {i}")
          for i, x in enumerate(ATOMS, 1)),
        *(Control(f"w{i}", lo=0.05, hi=1.0, default=w, symbol=f"w{i}", about=f"weight of clean value {i}")
          for i, w in enumerate(WEIGHTS, 1)),
        field("noise"), field("sigma"), field("zeta"), field("k"),
    ]
    return explore(
        own_line, redraw(fig_line), controls, settings=settings, name="line",
        presets={"Gaussian": {"noise": "gaussian", "sigma": 0.1}, "few counts": {"noise": "poisson", "zeta": 0.3},
                 "many counts": {"noise": "poisson", "zeta": 0.02}, "heavy speckle": {"noise": "gamma", "k": 4.0}},
    )


def explorer_sweep(settings: Settings) -> Explorer:
    """The unknown parameter, swept over a score map that is computed once for each kind of noise."""
    for noise in NOISES:
        sweep_curves(settings.protocol, noise, TEST_NAMES[0])  # trains, so that every move is quick

    def compute(values: Values, task: Task) -> SweepLook:
        return sweep_look(settings, values.kind, values.crop, values.factor)

    controls = [
        Control("factor", lo=0.3, hi=3.0, default=1.0, scale="log", symbol="θ/truth", about="candidate over the truth"),
        Control("kind", "choice", options=NOISES, symbol="noise", about="kind of noise"),
        Control("crop", "choice", options=TEST_NAMES, symbol="image", about="test crop"),
    ]
    return explore(
        compute, redraw(fig_sweep), controls, settings=settings, name="sweep",
        presets={"too little is subtracted": {"factor": 0.6}, "too much": {"factor": 1.7},
                 "counts": {"kind": "poisson", "crop": "cat"},
                 "speckle on gravel": {"kind": "gamma", "crop": "gravel"}},
    )


def explorer_training(settings: Settings) -> Explorer:
    """Train a score network with your own anneal on your own noise."""

    def compute(values: Values, task: Task) -> OwnRun:
        return own_run(values.settings, task.step)

    return explore(
        compute, redraw(fig_run), [field(name) for name in ("a_max", "a_min", "steps", "noise", "sigma", "zeta", "k")],
        settings=settings, name="training", mode="run", initial=own_run(settings),
        presets={"too small from the start": {"a_max": 0.01, "a_min": 0.001}, "large to the end": {"a_min": 0.1},
                 "few counts": {"noise": "poisson", "zeta": 0.1, "a_min": 0.05}, "longer": {"steps": 800}},
    )


EXPLORERS: dict[str, Any] = {"line": explorer_line, "sweep": explorer_sweep, "training": explorer_training}
