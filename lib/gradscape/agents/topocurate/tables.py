"""The lesson's recorded tables: all models of the full profile, tasks with their gradients, GRPO (arXiv 2603.01714)."""
from __future__ import annotations

from collections.abc import Callable

from gradscape import results
from gradscape.agents.topocurate.experiments import FIELDS, reinforced, study, task_snr
from gradscape.agents.topocurate.selection import TASK_MODES
from gradscape.agents.topocurate.settings import LEAN, REDUNDANT, Settings

LESSON = "agents/topocurate"


def models_table(settings: Settings) -> results.Table:
    """Every model of both pools, one row each."""
    size = settings.size
    made = [study(settings, REDUNDANT, size.variants, size.seeds)]
    if size.lean_seeds:
        made.append(study(settings, LEAN, ("outcome", "RE", "full"), size.lean_seeds))
    rows = [(found.ploop, replicate, model) for found in made for models in found.models.values()
            for replicate, model in enumerate(models)]
    columns: dict[str, list] = {
        "ploop": [ploop for ploop, _, _ in rows], "replicate": [r for _, r, _ in rows],
        "variant": [model.variant for _, _, model in rows],
    }
    columns |= {field: [round(float(getattr(model, field)), 5) for _, _, model in rows] for field in FIELDS}
    return results.make(LESSON, "models", columns, settings)


def snr_table(settings: Settings) -> results.Table:
    """Every task whose gradient was measured."""
    columns: dict[str, list] = {name: [] for name in ("replicate", "pass_rate", "ebr", "sh", "score", "snr", "nonzero")}
    for replicate in range(max(1, settings.size.rl_seeds)):
        found = task_snr(settings, replicate)
        columns["replicate"] += [replicate] * len(found.snr)
        for name in ("pass_rate", "ebr", "sh", "score", "snr", "nonzero"):
            columns[name] += [round(float(v), 5) for v in getattr(found, name)]
    return results.make(LESSON, "snr", columns, settings)


def grpo_table(settings: Settings) -> results.Table:
    """Success on fresh tasks after GRPO on the tasks of each rule."""
    rows = [(r, mode) for r in range(max(1, settings.size.rl_seeds)) for mode in TASK_MODES]
    columns: dict[str, list] = {"replicate": [r for r, _ in rows], "mode": [mode for _, mode in rows],
                                "success": [round(reinforced(settings, r, mode), 5) for r, mode in rows]}
    return results.make(LESSON, "grpo", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {
    "models": models_table, "snr": snr_table, "grpo": grpo_table,
}
