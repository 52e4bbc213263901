"""Explorers of the AnyLoss lesson: two classes in the plane (live), starting points (quick), a KEEL table (run)."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gradscape.lesson import cached
from gradscape.lessons.optimizers.anyloss.figures import fig_plane, fig_starts, fig_table_run
from gradscape.optimizers.anyloss.experiments import (
    MORE_TARGETS,
    STARTS,
    Scores,
    Sweep,
    folded,
    score,
    scores_of,
    starting_weights,
    tested,
)
from gradscape.optimizers.anyloss.linear import LossSpec, fit_linear
from gradscape.optimizers.anyloss.plane import Plane, plane
from gradscape.optimizers.anyloss.settings import Settings
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw


def explorer_plane(settings: Settings) -> Explorer:
    """Two Gaussian classes: three decision lines, the active band, soft and hard metric in training."""

    def compute(values: Values, task: Task) -> Plane:
        return plane(values.settings)

    return explore(
        compute, redraw(fig_plane),
        [field(name) for name in ("separation", "positive_rate", "n", "L", "metric", "beta", "start", "lr")],
        settings=settings, name="plane",
        presets={
            "rare class": {"positive_rate": 0.03}, "bad start": {"start": 3.0}, "no amplification": {"L": 1.0},
            "balanced": {"positive_rate": 0.5, "metric": "balanced_accuracy"},
        },
    )


@cached
def start_sweep(table: str, seed: int, L: float, steps: int) -> Sweep:
    """Test F1 of AnyLoss-F1 and BCE on one table over the scale of the starting weights."""
    data = folded(table, seed, 0, 1)
    specs = [spec for spec in (LossSpec("fbeta", L=L), LossSpec("bce")) for _ in STARTS]
    begin = torch.stack([starting_weights(data, seed, 0, scale) for scale in STARTS]).repeat(2, 1, 1)
    theta = fit_linear(data.x, data.y, specs, mask=data.mask, iterations=steps, theta0=begin)
    f1 = tested(scores_of(theta, data.test_x) > 0, data, ("fbeta", 1.0)).mean(1).numpy()[:, None]
    return Sweep(STARTS, {"fbeta": f1[: len(STARTS)], "bce": f1[len(STARTS) :]}, (table,))


def explorer_starts(settings: Settings) -> Explorer:
    """How far from p = 1/2 may training start, at which L?"""

    def compute(values: Values, task: Task) -> Sweep:
        return start_sweep(values.table, settings.seed, values.L, values.steps)

    return explore(
        compute, redraw(fig_starts), [field(name) for name in ("table", "L", "steps")], settings=settings,
        name="starts", mode="quick",
        presets={"a wide band": {"L": 5.0}, "the paper's": {"L": 73.0}, "a narrow band": {"L": 300.0}},
    )


@cached
def one_table(settings: Settings, progress: Any = None) -> Scores:
    """All six targets on the settings' table, at its L, start and steps."""
    found = score(
        settings.table, settings.seed, 0, 1, targets=MORE_TARGETS, L=settings.L, iterations=settings.steps,
        start=settings.start, progress=progress,
    )
    return Scores(np.asarray(found)[..., None], MORE_TARGETS, (settings.table,))


def explorer_table(settings: Settings) -> Explorer:
    """Train every rule for every metric on one KEEL table."""

    def compute(values: Values, task: Task) -> Scores:
        return one_table(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_table_run), [field(name) for name in ("table", "L", "start", "steps")],
        settings=settings, name="table", mode="run", initial=one_table(settings),
        presets={"few positives": {"table": "winequality-red-8_vs_6"}, "many rows": {"table": "vehicle1"},
                 "bad start": {"start": 3.0}},
    )


EXPLORERS: dict[str, Any] = {"plane": explorer_plane, "starts": explorer_starts, "table": explorer_table}
