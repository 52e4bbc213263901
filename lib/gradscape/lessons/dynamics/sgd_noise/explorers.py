"""Explorers of the SGD-noise lesson: a perceptron (quick), the phase diagram (live), networks of one cell (run)."""
from __future__ import annotations

from typing import Any

import numpy as np

from gradscape.dynamics.sgd_noise import GridRuns, Settings, perceptron, run_point
from gradscape.dynamics.sgd_noise.network_studies import Phase
from gradscape.dynamics.sgd_noise.perceptron_studies import COURSE_EVENTS, COURSE_RUNS
from gradscape.dynamics.sgd_noise.tables import phase_at
from gradscape.lesson import replicate_seed
from gradscape.lessons.dynamics.sgd_noise.figures import Course, fig_course, fig_network, fig_phase
from gradscape.workbench import Explorer, Task, Values, explore, field, redraw


def explorer_perceptron(settings: Settings) -> Explorer:
    """One perceptron: density at the boundary, size, temperature, margin; as many runs as fit into its time."""

    def compute(values: Values, task: Task) -> Course:
        chosen, found = values.settings, []
        for r in range(COURSE_RUNS):
            found.append(perceptron(
                chosen.perceptron_P, chosen.d, chosen.chi, chosen.perceptron_T, alpha=chosen.perceptron_alpha,
                seed=replicate_seed(chosen.seed, r), max_events=COURSE_EVENTS, trace=True,
            ))
            if task.cancelled:
                break
        return Course(chosen, tuple(found))

    names = ("chi", "perceptron_P", "perceptron_T", "perceptron_alpha", "d")
    return explore(
        compute, redraw(fig_course), [field(name) for name in names], settings=settings, name="perceptron",
        mode="quick",
        presets={
            "noise decides": {"perceptron_T": 1.0, "perceptron_alpha": 2.0**15},
            "the margin decides": {"perceptron_T": 1e-3, "perceptron_alpha": 1.0},
            "crowded boundary": {"chi": 0.0, "perceptron_P": 256},
            "empty boundary": {"chi": 4.0, "perceptron_P": 4096},
        },
    )


def explorer_phase(settings: Settings) -> Explorer:
    """Pick a cell of the phase diagram, recorded where there is one, and see its learning curve."""

    def compute(values: Values, task: Task) -> tuple[Phase, tuple[int, int]]:
        phase = phase_at(settings, values.depth, values.dataset)
        a = int(np.abs(np.log(phase.alpha / values.alpha)).argmin())
        return phase, (a, int(np.abs(np.log(phase.T[a] / values.T)).argmin()))

    def draw(result: tuple[Phase, tuple[int, int]]) -> Any:
        return fig_phase(*result)

    return explore(
        compute, redraw(draw),
        [field("alpha", lo=2.0**-10, hi=2.0**10), field("T", lo=2.0**-12, hi=2.0**-3),
         field("depth"), field("dataset")],
        settings=settings, name="phase", limit_s=60.0,
        presets={
            "features, noisy": {"alpha": 2.0**-10, "T": 2.0**-7.5},
            "features, cold": {"alpha": 2.0**-10, "T": 2.0**-11.5},
            "lazy, noisy": {"alpha": 2.0**10, "T": 2.0**-4.5}, "lazy, cold": {"alpha": 2.0**10, "T": 2.0**-8.5},
        },
    )


def explorer_networks(settings: Settings) -> Explorer:
    """Train the networks of one cell."""

    def compute(values: Values, task: Task) -> GridRuns:
        return run_point(values.settings, progress=task.step)

    names = ("alpha", "T", "depth", "act", "P", "batch", "dataset")
    return explore(
        compute, redraw(fig_network), [field(name) for name in names], settings=settings, name="networks", mode="run",
        initial=run_point(settings),
        presets={
            "lazy, cold": {"alpha": 2.0**15, "T": 2.0**-8}, "lazy, noisy": {"alpha": 2.0**15, "T": 2.0**-4},
            "learning features": {"alpha": 2.0**-8, "T": 2.0**-7.5}, "too hot": {"alpha": 2.0**-8, "T": 0.5},
        },
    )


EXPLORERS: dict[str, Any] = {
    "perceptron": explorer_perceptron, "phase": explorer_phase, "networks": explorer_networks,
}
