"""Explorers of the lesson: a function (live), a classifier and a sampler (quick), tails and a new generator (run)."""
from __future__ import annotations

from typing import Any

from gradscape.diffusion import concentration as co
from gradscape.diffusion.concentration.settings import Settings
from gradscape.lessons.diffusion.concentration.figures import fig_tail, names
from gradscape.lessons.diffusion.concentration.own_figures import (
    OneFunction,
    fig_function,
    fig_own_errors,
    fig_retrained,
    fig_sampler,
)
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw


def explorer_function(settings: Settings) -> Explorer:
    """Any of the functions of the samples of any class, with a bound of the reader's own."""
    found = co.own_functions(settings)  # once, so that every move is quick
    labels = names(settings.features, settings.classes)
    stretch = found.stretch.amax(1).tolist()
    start = min(max(round(max(stretch), 2), 0.5), 20.0)

    def compute(values: Values, task: Task) -> OneFunction:
        k = labels.index(values.label)
        return OneFunction(values.function, values.label, found.values[values.function][k], values.bound, stretch[k])

    return explore(
        compute, redraw(fig_function),
        [Control("function", "choice", options=tuple(found.values), about="1-Lipschitz function of a sample"),
         Control("label", "choice", options=tuple(labels), about="class"),
         Control("bound", "real", lo=0.5, hi=20, scale="log", default=start, symbol="Λ", about="Lipschitz constant")],
        settings=settings, name="function",
        presets={"the norm": {}, "where it is widest": {"function": "principal direction 1"},
                 "bound too small": {"function": "principal direction 1", "bound": 0.7}},
    )


def explorer_errors(settings: Settings) -> Explorer:
    """Theory and simulations of the linear classifier."""
    co.moments(settings)

    def compute(values: Values, task: Task) -> co.OwnErrors:
        return co.own_errors(values.settings)

    return explore(
        compute, redraw(fig_own_errors), [field("n"), field("lam")], settings=settings, name="errors", mode="quick",
        presets={"few samples": {"n": 20, "lam": 1e-4}, "many samples": {"n": 2000}, "strong penalty": {"lam": 1.0}},
    )


def explorer_sampler(settings: Settings) -> Explorer:
    """Other samplers of the same generator."""
    co.own_sampler(settings)

    def compute(values: Values, task: Task) -> co.OwnSampler:
        return co.own_sampler(values.settings)

    return explore(
        compute, redraw(fig_sampler), [field("sampler_steps"), field("churn")], settings=settings, name="sampler",
        mode="quick",
        presets={"six steps": {"sampler_steps": 6}, "forty steps": {"sampler_steps": 40},
                 "much churn": {"sampler_steps": 40, "churn": 40.0}},
    )


def explorer_tails(settings: Settings) -> Explorer:
    """Heavy-tailed data with another number of degrees of freedom, and a generator of them."""

    def compute(values: Values, task: Task) -> co.Tail:
        return co.own_tail(values.settings, task.step)

    return explore(
        compute, redraw(fig_tail), [field("nu", hi=30.0)], settings=settings, name="tails", mode="run",
        initial=co.own_tail(settings),
        presets={"barely a variance": {"nu": 2.1}, "four moments": {"nu": 5.0}, "nearly Gaussian": {"nu": 30.0}},
    )


def explorer_retrain(settings: Settings) -> Explorer:
    """Another generator: other images, other classes, longer training."""

    def compute(values: Values, task: Task) -> co.Retrained:
        return co.retrained(values.settings, task.step)

    return explore(
        compute, redraw(fig_retrained), [field(name) for name in ("features", "classes", "train_steps", "n", "lam")],
        settings=settings, name="retrain", mode="run", initial=co.retrained(settings),
        presets={"hardly trained": {"train_steps": 50}, "larger images": {"features": "14x14"},
                 "digits": {"features": "digits", "classes": "all ten"}, "two classes": {"classes": "0 6"}},
    )


EXPLORERS: dict[str, Any] = {
    "function": explorer_function, "errors": explorer_errors, "sampler": explorer_sampler, "tails": explorer_tails,
    "retrain": explorer_retrain,
}
