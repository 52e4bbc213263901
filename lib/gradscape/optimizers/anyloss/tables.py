"""The lesson's recorded table: all six targets of the paper, every rule, twelve KEEL tables (arXiv 2405.14745)."""
from __future__ import annotations

from collections.abc import Callable

from gradscape import results
from gradscape.optimizers.anyloss.experiments import MORE_TARGETS, RULES, over_tables
from gradscape.optimizers.anyloss.settings import Settings

LESSON = "optimizers/anyloss"


def wins_table(settings: Settings) -> results.Table:
    """For each target and table the mean test metric of every rule, over ``splits`` stratified 5-fold splits."""
    scores = over_tables(settings.protocol, MORE_TARGETS)
    columns: dict[str, list] = {name: [] for name in ("metric", "beta", "table", *RULES)}
    for k, (metric, beta) in enumerate(scores.targets):
        for t, table in enumerate(scores.tables):
            columns["metric"].append(metric)
            columns["beta"].append(beta)
            columns["table"].append(table)
            for r, rule in enumerate(RULES):
                columns[rule].append(float(scores.values[r, k, :, t].mean()))
    return results.make(LESSON, "wins", columns, settings)


TABLES: dict[str, Callable[[Settings], results.Table]] = {"wins": wins_table}
