"""Explorers of the lesson: weights and compressor (live), a race (quick), a race of many clients (run)."""
from __future__ import annotations

from gradscape.distributed.error_feedback import Costs, Own, Settings, Weighing, costs, own, weighing
from gradscape.lessons.distributed.error_feedback.figures import fig_costs, fig_own, fig_weights
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw

QUICK_CLIENTS = 200  # beyond, a race takes longer than a second


def explorer_weights(settings: Settings) -> Explorer:
    """Histogram of the L_i, and L_w against the exponent of the weights."""

    def compute(values: Values, task: Task) -> Weighing:
        return weighing(values.settings)

    return explore(
        compute, redraw(fig_weights), [field("n"), field("spread"), field("k"), field("q")], settings=settings,
        name="weights",
        presets={
            "all alike": {"spread": 0.0},
            "a few rough clients": {"spread": 2.5, "n": 1000},
            "uniform weights": {"q": 0.0, "spread": 2.0},
            "half way": {"q": 0.5, "spread": 2.0},
        },
    )


def explorer_compressor(settings: Settings) -> Explorer:
    """ξ and the safe steps against the number of kept entries."""

    def compute(values: Values, task: Task) -> Costs:
        return costs(values.settings)

    return explore(
        compute, redraw(fig_costs), [field("n"), field("spread"), field("k")], settings=settings, name="compressor",
        presets={"one entry": {"k": 1}, "half of the entries": {"k": 10}, "nothing compressed": {"k": 20}},
    )


def explorer_race(settings: Settings) -> Explorer:
    """Five methods on one problem of at most 200 clients, 500 rounds."""

    def compute(values: Values, task: Task) -> Own:
        return own(values.settings)

    return explore(
        compute, redraw(fig_own),
        [field("n", hi=QUICK_CLIENTS), field("spread"), field("k"), field("q"), field("multiple")],
        settings=settings if settings.n <= QUICK_CLIENTS else settings.replace(n=QUICK_CLIENTS), name="race",
        mode="quick",
        presets={
            "all alike": {"spread": 0.0},
            "very uneven": {"spread": 2.5},
            "32 times the safe step": {"multiple": 32.0},
            "uniform weights": {"q": 0.0},
        },
    )


def explorer_many(settings: Settings) -> Explorer:
    """The same race with up to 1000 clients, at a button."""

    def compute(values: Values, task: Task) -> Own:
        return own(values.settings, progress=task.step)

    return explore(
        compute, redraw(fig_own), [field("n"), field("spread"), field("k"), field("multiple")], settings=settings,
        name="many", mode="run", initial=own(settings),
        presets={"a thousand clients": {"n": 1000}, "a thousand, very uneven": {"n": 1000, "spread": 2.5}},
    )


EXPLORERS = {
    "weights": explorer_weights, "compressor": explorer_compressor, "race": explorer_race, "many": explorer_many,
}
