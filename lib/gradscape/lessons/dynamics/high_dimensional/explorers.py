"""Explorers of the high-dimensional lesson: errors and spectrum (live), simulated students (quick), networks (run)."""
from __future__ import annotations

import dataclasses
from typing import Any

import torch

from gradscape.dynamics.high_dimensional.experiments import (
    NET_SNR,
    Spectrum,
    TaskResult,
    one_task,
    spectrum_at,
    two_layer_at,
    two_layer_students,
)
from gradscape.dynamics.high_dimensional.features import Curves
from gradscape.dynamics.high_dimensional.settings import Settings
from gradscape.dynamics.high_dimensional.simulation import simulate
from gradscape.lesson import seeds_of
from gradscape.lessons.dynamics.high_dimensional.figures import fig_networks, fig_spectrum, fig_task
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

FIELDS = ("alpha", "snr", "inr", "T_max")
PRESETS = {
    "as many examples as weights": {"alpha": 1.0, "snr": 5.0, "inr": 0.0, "T_max": 100.0},
    "overcomplete": {"alpha": 0.25, "snr": 5.0, "inr": 0.0, "T_max": 1000.0},
    "large initial weights": {"alpha": 0.5, "snr": 5.0, "inr": 5.0, "T_max": 100.0},
    "hardly any noise": {"alpha": 1.0, "snr": 1000.0, "inr": 0.0, "T_max": 1e5},
}


def explorer_errors(settings: Settings) -> Explorer:
    """The theory at any load and noise: both errors over time, the best stop, the ridge."""

    def compute(values: Values, task: Task) -> TaskResult:
        return one_task(values.settings, 0)

    return explore(compute, redraw(fig_task), [field(name) for name in FIELDS], settings=settings, name="errors",
                   presets=PRESETS)


def explorer_spectrum(settings: Settings) -> Explorer:
    """The spectrum, filled as far as it is learned by time t."""

    def compute(values: Values, task: Task) -> Spectrum:
        return spectrum_at(values.alpha, values.t)

    return explore(
        compute, redraw(fig_spectrum),
        [field("alpha"), Control("t", lo=0.01, hi=1e4, scale="log", default=1.0, about="training time")],
        settings=settings, name="spectrum",
        presets={"frozen half": {"alpha": 0.5, "t": 1e4}, "no gap": {"alpha": 1.0, "t": 100.0},
                 "well conditioned": {"alpha": 10.0, "t": 0.3}},
    )


def explorer_simulation(settings: Settings) -> Explorer:
    """Ten simulated students beside the theory; it draws as many as fit into its time."""

    def compute(values: Values, task: Task) -> TaskResult:
        chosen = values.settings
        theory = one_task(chosen, 0)
        seeds, runs = seeds_of(chosen, chosen.size.overlay), []
        for seed in seeds:
            runs.append(simulate(theory.task, chosen.n_features, theory.times, [seed]))
            if task.cancelled:
                break
        gen, train = (torch.cat([getattr(run, name) for run in runs]) for name in ("gen", "train"))
        return dataclasses.replace(theory, runs_gen=gen, runs_train=train)

    return explore(
        compute, redraw(fig_task), [field(name) for name in (*FIELDS, "n_features")], settings=settings,
        name="simulation", mode="quick",
        presets={**{title: PRESETS[title] for title in list(PRESETS)[:3]}, "few weights": {"n_features": 50}},
    )


def explorer_networks(settings: Settings) -> Explorer:
    """Two trained layers at other noise, with more examples, or trained for longer."""
    size = settings.size

    def compute(values: Values, task: Task) -> Curves:
        return two_layer_at(values.settings.protocol, values.snr, values.P, values.steps, progress=task.step)

    return explore(
        compute, redraw(fig_networks),
        [
            Control("snr", lo=0.5, hi=50.0, scale="log", default=NET_SNR, symbol="SNR", about="signal over noise"),
            Control("P", "int", 20, 200, scale="log", default=size.net_examples, about="training examples"),
            Control("steps", "int", 100, max(20_000, size.net_steps), scale="log", default=size.net_steps,
                    about="full-batch steps"),
        ],
        settings=settings, name="networks", mode="run", initial=two_layer_students(settings),
        presets={"the lesson's": {}, "twice the examples": {"P": 2 * size.net_examples}, "little noise": {"snr": 20.0},
                 "stopped early": {"steps": 100}},
    )


EXPLORERS: dict[str, Any] = {
    "errors": explorer_errors, "spectrum": explorer_spectrum, "simulation": explorer_simulation,
    "networks": explorer_networks,
}
