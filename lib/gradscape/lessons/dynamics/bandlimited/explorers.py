"""Explorers of the bandlimited lesson: one net and the ridgelet map (live), floors (quick)."""
from __future__ import annotations

from typing import Any

from gradscape.dynamics.bandlimited.settings import Settings
from gradscape.dynamics.bandlimited.views import (
    FloorsAt,
    OneNet,
    RidgeletMap,
    floors_at,
    one_net,
    ridgelet_map,
)
from gradscape.lessons.dynamics.bandlimited.figures import fig_floors_at, fig_net, fig_ridgelet
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

LIVE_UNITS = 400  # up to which one least-squares fit takes a few hundredths of a second
DRAW = Control("draw", "int", 0, 19, default=0, about="which draw of the hidden weights")


def explorer_net(settings: Settings) -> Explorer:
    """One net and its target, with the singular values that decide what it can do."""

    def compute(values: Values, task: Task) -> OneNet:
        return one_net(values.settings, values.draw)

    return explore(
        compute, redraw(fig_net),
        [field("lam"), field("n", hi=LIVE_UNITS), field("activation"), field("target"), field("nu"), DRAW],
        settings=settings, name="net",
        presets={
            "small box": {"lam": 1.0, "n": 400, "target": "bumps"}, "fitting box": {"lam": 50.0, "target": "bumps"},
            "far too wide": {"lam": 300.0, "n": 100, "target": "bumps"},
            "small box, slow wave": {"lam": 1.0, "target": "sine", "nu": 1},
        },
    )


def explorer_floors(settings: Settings) -> Explorer:
    """The floor over the box at any budget, and drawn nets above it."""

    def compute(values: Values, task: Task) -> FloorsAt:
        return floors_at(values.settings, values.draw, task)

    return explore(
        compute, redraw(fig_floors_at),
        [field("lam"), field("budget"), field("n"), field("activation"), field("target"), field("nu"), DRAW],
        settings=settings, name="floors", mode="quick",
        presets={
            "the lesson's": {"activation": "tanh", "target": "bumps"},
            "little weight": {"activation": "tanh", "target": "bumps", "budget": 10.0},
            "few units": {"activation": "tanh", "target": "bumps", "n": 20},
            "a fast wave": {"activation": "tanh", "target": "sine", "nu": 16, "lam": 50.0},
        },
    )


def explorer_ridgelet(settings: Settings) -> Explorer:
    """Where the target sits in the space of hidden weights, and how much of it the box leaves out."""

    def compute(values: Values, task: Task) -> RidgeletMap:
        return ridgelet_map(values.settings)

    return explore(
        compute, redraw(fig_ridgelet), [field("lam"), field("target"), field("nu")], settings=settings, name="ridgelet",
        presets={
            "bumps in a small box": {"lam": 5.0, "target": "bumps"},
            "bumps in a box that holds them": {"lam": 150.0, "target": "bumps"},
            "a slow wave": {"lam": 10.0, "target": "sine", "nu": 1}, "a fast wave": {"target": "sine", "nu": 8},
        },
    )


EXPLORERS: dict[str, Any] = {"net": explorer_net, "floors": explorer_floors, "ridgelet": explorer_ridgelet}
