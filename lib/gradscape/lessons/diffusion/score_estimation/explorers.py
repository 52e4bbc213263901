"""Explorers of the score lesson: path and field (live), the rule (live), other data (quick), a network (run)."""
from __future__ import annotations

from typing import Any

from gradscape.diffusion.score_estimation.own import (
    Field,
    NetworkRun,
    Rule,
    network_run,
    own_field,
    own_rule,
    training_set,
)
from gradscape.diffusion.score_estimation.settings import Settings
from gradscape.lessons.diffusion.score_estimation.figures import fig_field, fig_network, fig_rule
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw

DATA = ("dataset", "d", "modes", "n", "T0")


def explorer_path(settings: Settings) -> Explorer:
    """Training time and process time: the learned field beside the true one, and where on the path it is."""
    training_set(settings)  # once, so that every move is quick

    def compute(values: Values, task: Task) -> Field:
        return own_field(values.settings)

    return explore(
        compute, redraw(fig_field), [field(name) for name in ("e", "t", "sigma")], settings=settings, name="path",
        presets={"under-trained": {"e": 2.0}, "well trained": {"e": 200.0}, "over-trained": {"e": 1e7},
                 "close to the data": {"e": 1e7, "t": 0.05}},
    )


def explorer_rule(settings: Settings) -> Explorer:
    """The stopping rule: eigenvalues learned by time e, and both sides of its inequality."""
    training_set(settings)

    def compute(values: Values, task: Task) -> Rule:
        return own_rule(values.settings)

    return explore(
        compute, redraw(fig_rule), [field(name) for name in ("sigma", "e")], settings=settings, name="rule",
        presets={"true noise": {}, "told too little": {"sigma": 0.05}, "told too much": {"sigma": 2.0}},
    )


def explorer_data(settings: Settings) -> Explorer:
    """Other training sets: each move decomposes a new kernel."""

    def compute(values: Values, task: Task) -> Field:
        return own_field(values.settings)

    return explore(
        compute, redraw(fig_field), [field(name) for name in (*DATA, "e", "t")], settings=settings, name="data",
        mode="quick",
        presets={"few examples": {"n": 60}, "one Gaussian": {"modes": 1}, "eight dimensions": {"d": 8},
                 "digits": {"dataset": "digits", "d": 4}},
    )


def explorer_network(settings: Settings) -> Explorer:
    """Train a network of any width beside the kernel."""

    def compute(values: Values, task: Task) -> NetworkRun:
        return network_run(values.settings, task.step)

    return explore(
        compute, redraw(fig_network), [field(name) for name in ("width", "n", "modes")], settings=settings,
        name="network", mode="run", initial=network_run(settings),
        presets={"narrow": {"width": 50}, "wide": {"width": 3200}, "few examples": {"n": 50}},
    )


EXPLORERS: dict[str, Any] = {
    "path": explorer_path, "rule": explorer_rule, "data": explorer_data, "network": explorer_network,
}
