"""The lesson's recorded tables: every training run of the full profile, the grid, long runs, retries."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gradscape import results
from gradscape.agents.reflect_retry.experiments import (
    Study,
    grid_run,
    late_study,
    mechanism,
    study,
)
from gradscape.agents.reflect_retry.settings import GRID_RATES, GRID_RULES, GRID_STEPS, SIDE, Settings
from gradscape.agents.reflect_retry.trainer import History

LESSON = "agents/reflect_retry"
PHASE = 10  # iterations that the table of histories averages over


def _evaluations(made: Iterable[Study], table: str, settings: Settings) -> results.Table:
    rows = [(variant, replicate, int(it), round(float(rate), 5), int(generated))
            for found in made for variant, histories in found.histories.items()
            for replicate, history in enumerate(histories)
            for it, rate, generated in zip(history.evaluated, history.success, _generated(history), strict=True)]
    names = ("variant", "replicate", "iteration", "success", "generated")
    return results.make(LESSON, table, {name: [row[k] for row in rows] for k, name in enumerate(names)}, settings)


def _generated(history: History) -> np.ndarray:
    return np.array([0, *history.generated])[history.evaluated]


def _studies(settings: Settings) -> list[Study]:
    size = settings.size
    made = [study(settings, size.variants, size.seeds)]
    return made + ([study(settings, SIDE, size.side_seeds)] if size.side_seeds else [])


def runs_table(settings: Settings) -> results.Table:
    """Every run of a variant: success at each evaluation, generated calls so far."""
    return _evaluations(_studies(settings), "runs", settings)


def history_table(settings: Settings) -> results.Table:
    """Means over seeds and ten iterations each of what happens while training."""
    columns: dict[str, list[Any]] = {"variant": [], "iteration": []}
    fields = ("batch_success", "trigger_rate", "retry_success", "gradient_norm")
    columns |= {name: [] for name in (*fields, "outcome_accuracy", "pivot_accuracy")}
    for found in _studies(settings):
        for variant, histories in found.histories.items():
            for end in range(PHASE, settings.size.iterations + 1, PHASE):
                columns["variant"].append(variant)
                columns["iteration"].append(end)
                for name in fields:
                    columns[name].append(_mean([getattr(h, name)[end - PHASE : end] for h in histories]))
                for name in ("outcome_accuracy", "pivot_accuracy"):
                    columns[name].append(_mean([getattr(h, name)[h.evaluated == end] for h in histories]))
    return results.make(LESSON, "history", columns, settings)


def _mean(parts: list[np.ndarray]) -> float:
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    return round(float(values.mean()), 5) if len(values) else float("nan")


def late_table(settings: Settings) -> results.Table:
    """The long runs."""
    return _evaluations([late_study(settings, max(1, settings.size.side_seeds))], "late", settings)


def grid_table(settings: Settings) -> results.Table:
    """Start and end of every cell: rule, gradient steps on a batch, learning rate."""
    cells = [(rule, steps, lr, replicate) for rule in GRID_RULES for steps in GRID_STEPS for lr in GRID_RATES
             for replicate in range(max(1, settings.size.grid_seeds))]
    made = [grid_run(settings, *cell) for cell in cells]
    columns: dict[str, list[Any]] = {name: [cell[k] for cell in cells]
                                     for k, name in enumerate(("rule", "steps", "lr", "replicate"))}
    columns |= {"start": [round(float(h.success[0]), 5) for h in made],
                "success": [round(float(h.success[-1]), 5) for h in made]}
    return results.make(LESSON, "grid", columns, settings)


def restarts_table(settings: Settings) -> results.Table:
    """Retries of the same failed attempts in every way."""
    columns: dict[str, list[Any]] = {name: [] for name in ("known", "replicate", "restart", "success", "calls",
                                                           "distinct", "retried")}
    for known in (0.0, 0.04):
        for replicate in range(max(1, settings.size.side_seeds)):
            found = mechanism(settings, known, replicate)
            for name in found.success:
                row = (known, replicate, name, round(found.success[name], 5), round(found.calls[name], 4),
                       round(found.distinct[name], 5), found.retried)
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    return results.make(LESSON, "restarts", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {
    "runs": runs_table, "history": history_table, "late": late_table, "grid": grid_table, "restarts": restarts_table,
}
