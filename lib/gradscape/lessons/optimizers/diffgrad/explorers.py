"""Explorers of the diffGrad lesson: a landscape (live), a map of basins (quick), three networks (run)."""
from __future__ import annotations

from typing import Any

import numpy as np

from gradscape.lessons.optimizers.diffgrad.figures import fig_basins, fig_descent, fig_train
from gradscape.optimizers.diffgrad.experiments import Basins, Descent, basins, descent, single
from gradscape.optimizers.diffgrad.networks import Trained
from gradscape.optimizers.diffgrad.settings import Settings
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw

MAP_LRS = tuple(float(f"{lr:.3g}") for lr in np.geomspace(0.01, 0.5, 24))
MAP_STARTS = 101


def explorer_landscape(settings: Settings) -> Explorer:
    """One start on F1, F2 or F3: the landscape with the three paths, x and friction over time."""

    def compute(values: Values, task: Task) -> Descent:
        return descent(values.toy, values.x0, values.toy_lr, values.beta1, values.toy_scale, values.variant)

    return explore(
        compute, redraw(fig_descent),
        [field(name) for name in ("toy", "toy_lr", "beta1", "x0", "toy_scale", "variant")],
        settings=settings, name="landscape",
        presets={
            "the paper's Fig. 4": {}, "tiny gradients": {"toy_scale": 1e-3}, "large gradients": {"toy_scale": 1e3},
            "a larger rate": {"toy_lr": 0.2},
        },
    )


def explorer_basins(settings: Settings) -> Explorer:
    """Which starts reach the global minimum, at 24 learning rates."""

    def compute(values: Values, task: Task) -> Basins:
        return basins(values.toy, MAP_LRS, MAP_STARTS, values.beta1, values.toy_scale, values.variant)

    return explore(
        compute, redraw(fig_basins), [field(name) for name in ("toy", "beta1", "toy_scale", "variant")],
        settings=settings, name="basins", mode="quick",
        presets={"no momentum": {"beta1": 0.0}, "F2": {"toy": "F2"}, "large gradients": {"toy_scale": 1e3}},
    )


def explorer_train(settings: Settings) -> Explorer:
    """Train three networks that start alike, with Adam, Adam at half the rate and diffGrad."""

    def compute(values: Values, task: Task) -> Trained:
        return single(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_train), [field(name) for name in ("lr", "loss_scale", "variant")],
        settings=settings, name="train", mode="run", initial=single(settings),
        presets={
            "the paper's rate": {}, "Adam's rate too large": {"lr": 0.03}, "large gradients": {"loss_scale": 1e5},
        },
    )


EXPLORERS: dict[str, Any] = {"landscape": explorer_landscape, "basins": explorer_basins, "train": explorer_train}
