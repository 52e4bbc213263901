"""Explorers: curves and the equilibrium plane (live), gradients (quick), one more network (run)."""
from __future__ import annotations

from typing import Any

import numpy as np

from gradscape.credit.rectified_ste.curves import Curves, curves
from gradscape.credit.rectified_ste.experiments import Alone, Gradients, alone, arm_of, gradients
from gradscape.credit.rectified_ste.settings import DATASETS, Settings
from gradscape.credit.rectified_ste.tables import LESSON, sweep_table
from gradscape.lesson import cached
from gradscape.lessons.credit.rectified_ste.figures import fig_alone, fig_curves, fig_gradients, fig_plane
from gradscape.results import find
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

GRADIENT_EPOCHS = 12  # length of the schedule whose epochs the histogram looks at
PLANE_EPOCHS = {"digits": 40, "fashion": 12}


def explorer_curves(settings: Settings) -> Explorer:
    """One o, t, m: what is pretended, what is passed back, what normal weights make of it."""

    def compute(values: Values, task: Task) -> Curves:
        return curves(values.settings)

    return explore(
        compute, redraw(fig_curves), [field(name) for name in ("o_end", "t", "m", "sigma", "kind")], settings=settings,
        name="curves",
        presets={
            "STE, clip 1.5": {"o_end": 1.0}, "the paper's end": {"o_end": 3.0, "kind": "ede"},
            "almost sign": {"o_end": 30.0, "m": 0.01}, "wide plateau": {"o_end": 10.0, "m": 0.5},
        },
    )


@cached
def sweep_rows(settings: Settings) -> tuple[dict[str, Any], ...]:
    """The recorded sweep, or where there is none this profile's own."""
    table = find(LESSON, "sweep") or sweep_table(settings)
    return tuple(table.rows())


def plane_rows(settings: Settings, dataset: str, share: float, last_batch: bool) -> list[dict[str, Any]]:
    """One epoch of one data set: the one nearest to ``share`` of the training; ``s`` as the paper logs it or not."""
    rows = [row for row in sweep_rows(settings.protocol) if row["dataset"] == dataset]
    epoch = max(1, round(share * max(row["epoch"] for row in rows)))
    chosen = [row for row in rows if row["epoch"] == epoch]
    return [{**row, "s": row["s_last"]} for row in chosen] if last_batch else chosen


def explorer_plane(settings: Settings) -> Explorer:
    """e against s along training; the accuracy is the color."""

    def compute(values: Values, task: Task) -> list[dict[str, Any]]:
        return plane_rows(settings, values.images, values.share, values.last_batch)

    return explore(
        compute, redraw(fig_plane),
        [
            Control("share", lo=0.1, hi=1.0, step=0.1, default=1.0, about="share of training done"),
            Control("images", "choice", options=DATASETS[::-1], about="data set of the recorded sweep"),
            Control("last_batch", "switch", about="s of the epoch's last batch, as the paper logs it"),
        ],
        settings=settings, name="plane",
        presets={"begin": {"share": 0.1}, "end": {"share": 1.0}, "digits": {"images": "digits"}},
    )


def explorer_gradients(settings: Settings) -> Explorer:
    """The distribution of one network's gradients on the digits."""

    def compute(values: Values, task: Task) -> Gradients:
        return gradients(arm_of(values.settings), values.epoch, GRADIENT_EPOCHS, settings.seed, progress=task.step)

    return explore(
        compute, redraw(fig_gradients),
        [field("o_end"), field("m"), Control("epoch", "int", 1, GRADIENT_EPOCHS, default=6, about="epoch of 12"),
         field("kind")],
        settings=settings, name="gradients", mode="quick",
        presets={"STE": {"o_end": 1.0}, "too far": {"o_end": 30.0, "epoch": 12},
                 "far, wide plateau": {"o_end": 30.0, "epoch": 12, "m": 0.5}},
    )


def explorer_network(settings: Settings) -> Explorer:
    """Train networks of your own choice, beside o = 1 at the same rate."""

    def compute(values: Values, task: Task) -> Alone:
        found = network(values.settings, progress=task.step)
        if not np.isfinite(found.history.loss).all():
            raise ValueError(f"lr={values.lr!r}: the loss is no longer finite; a smaller rate is needed")
        return found

    return explore(
        compute, redraw(fig_alone),
        [field(name) for name in ("dataset", "kind", "o_end", "m", "t", "lr", "epochs")], settings=settings,
        name="network", mode="run", initial=network(settings),
        presets={"too far": {"o_end": 30.0}, "too far, wide plateau": {"o_end": 30.0, "m": 0.5},
                 "Bi-Real": {"kind": "bireal"}},
    )


def network(settings: Settings, *, progress: Any = None) -> Alone:
    """Two starts at the settings."""
    return alone(
        settings.dataset, arm_of(settings), settings.epochs, settings.size.rows, settings.seed, progress=progress
    )


EXPLORERS: dict[str, Any] = {
    "curves": explorer_curves, "plane": explorer_plane, "gradients": explorer_gradients, "network": explorer_network,
}
