"""The phase diagrams that the lesson records, and how a reader gets them back."""
from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from gradscape import results
from gradscape.dynamics.sgd_noise.network_studies import DEPTHS, Phase, phase
from gradscape.dynamics.sgd_noise.settings import Settings

LESSON = "dynamics/sgd_noise"
DATASETS = ("digits", "fashion")
KEPT = ("test_error", "rel_change", "t_star", "fitted", "diverged")
_DIGITS = 5  # significant digits kept: more than the seeds resolve


def phase_table(settings: Settings) -> results.Table:
    """Phase diagrams of every depth and data set, one row per (alpha, T) cell; ``curve`` is its mean test error."""
    columns: dict[str, list[Any]] = {name: [] for name in ("dataset", "depth", "seeds", "alpha", "T", *KEPT, "curve")}
    for dataset in DATASETS:
        for depth in DEPTHS:
            made = phase(settings, depth=depth, dataset=dataset)
            for a, k in np.ndindex(made.T.shape):
                row = {"dataset": dataset, "depth": depth, "seeds": made.seeds, "alpha": float(made.alpha[a]),
                       "T": float(made.T[a, k]), "curve": [_short(value) for value in made.curves[a, k].tolist()]}
                row |= {name: _short(float(made.cells[name][a, k])) for name in KEPT}
                for name, value in row.items():
                    columns[name].append(value)
    return results.make(LESSON, "phase", columns, settings)


def _short(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


@lru_cache(maxsize=1)
def _recorded() -> results.Table | None:
    return results.find(LESSON, "phase")


def recorded_phase(depth: int, dataset: str) -> Phase | None:
    """The recorded phase diagram of a depth and data set, or ``None`` where there is none."""
    table = _recorded()
    rows = [row for row in table.rows() if (row["depth"], row["dataset"]) == (depth, dataset)] if table else []
    if table is None or not rows:
        return None
    alpha = np.array(sorted({row["alpha"] for row in rows}))
    shape = (len(alpha), len(rows) // len(alpha))
    order = np.array(sorted(range(len(rows)), key=lambda j: (rows[j]["alpha"], -rows[j]["T"])))

    def grid(name: str) -> Any:
        return np.array([rows[j][name] for j in order], float).reshape(*shape, *np.shape(rows[0][name]))

    curves = grid("curve")
    return Phase(dataset, depth, int(rows[0]["seeds"]), alpha, grid("T"), {name: grid(name) for name in KEPT},
                 4.0 ** np.arange(curves.shape[-1]), curves, table.caption)


def phase_at(settings: Settings, depth: int, dataset: str) -> Phase:
    """The recorded phase diagram, or this profile's own where none was recorded."""
    return recorded_phase(depth, dataset) or phase(settings, depth=depth, dataset=dataset)


TABLES: dict[str, Callable[[Settings], results.Table]] = {"phase": phase_table}
