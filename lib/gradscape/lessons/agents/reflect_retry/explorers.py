"""Explorers of the R^3L lesson: one attempt and its retry, advantage masses (live), training runs (run)."""
from __future__ import annotations

from typing import Any

from gradscape.agents.reflect_retry.attempts import Dominance, Walk, dominance, walk
from gradscape.agents.reflect_retry.experiments import own_runs
from gradscape.agents.reflect_retry.settings import Settings
from gradscape.agents.reflect_retry.trainer import History
from gradscape.lessons.agents.reflect_retry.figures import fig_dominance, fig_runs, fig_walk
from gradscape.workbench import Control, Explorer, Task, Values, explore, field, redraw

TRAINED = {"r3l": "R³L", "grpo": "GRPO", "raft": "RAFT", "opmd": "OPMD", "opmd_pa": "OPMD with amplification"}
FIRST = ("r3l", "grpo")  # what the training explorer shows at first


def _walk(values: Values, task: Task) -> Walk:
    return walk(values.settings)


def explorer_walk(settings: Settings) -> Explorer:
    """One task: an attempt, the reflection on it and the retry, turn by turn."""
    walk(settings)  # loads the model once, so that every move is quick
    return explore(
        _walk, redraw(fig_walk),
        [field(n) for n in ("task", "draw", "offset", "guidance", "reflector", "credit", "rule")], settings=settings,
        name="walk",
        presets={"the oracle reflects": {"reflector": "oracle"}, "one turn late": {"offset": 1},
                 "nothing is told": {"guidance": False}, "random reflection": {"reflector": "random"}},
    )


def _dominance(values: Values, task: Task) -> tuple[Dominance, str]:
    return dominance(values.settings), values.rule


def explorer_dominance(settings: Settings) -> Explorer:
    """Positive and negative advantage mass of a group."""
    return explore(
        _dominance, redraw(lambda result: fig_dominance(*result)), [field("group"), field("alpha", step=0.5),
                                                                    field("rule")],
        settings=settings, name="dominance",
        presets={"the code's rule": {"rule": "code"}, "no amplification": {"rule": "scale", "alpha": 1.0},
                 "large groups": {"group": 16}},
    )


def explorer_training(settings: Settings) -> Explorer:
    """Train R^3L and baselines at other sizes of step, reuse and base model; seconds per curve."""

    def compute(values: Values, task: Task) -> dict[str, History]:
        methods = [name for name in TRAINED if values[name]]
        if not methods:
            raise ValueError("methods=none: switch on one of " + ", ".join(TRAINED.values()))
        return own_runs(values.settings, methods, progress=task.step)

    switches = [Control(name, "switch", default=name in FIRST, about=f"train {words}") for name, words in
                TRAINED.items()]
    return explore(
        compute, redraw(fig_runs),
        [*switches, field("steps"), field("lr"), field("known"), field("rule"), field("iterations")],
        settings=settings, name="training", mode="run", initial=own_runs(settings, FIRST),
        presets={"heavy reuse": {"steps": 6, "lr": 2e-3}, "one step a batch": {"steps": 1},
                 "the base knows a little": {"known": 0.04, "steps": 2, "iterations": 60},
                 "amplification alone": {"r3l": False, "grpo": False, "opmd": True, "opmd_pa": True}},
    )


EXPLORERS: dict[str, Any] = {
    "walk": explorer_walk, "dominance": explorer_dominance, "training": explorer_training,
}
