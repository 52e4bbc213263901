"""Tables of models trained with recoding: they are made at full size, recorded, and shown at every size."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape import results
from gradscape.credit.recoding.settings import Settings
from gradscape.credit.recoding.training import PROSE_RATES, RATES, on_prose, trained_ways

LESSON = "credit/recoding"


@dataclass(frozen=True)
class RecordedWays:
    """Ways of training: names, validation perplexity (W, R) by learning rate, test perplexity (W, S) at the best."""

    names: tuple[str, ...]
    rates: tuple[float, ...]
    validation: Tensor
    test: Tensor
    caption: str


def _table(
    table: str, names: Sequence[str], rates: Sequence[float], validation: Tensor, test: Tensor, settings: Settings
) -> results.Table:
    columns: dict[str, list[Any]] = {
        "way": list(names), "rates": [list(rates)] * len(names),
        "validation": [[round(v, 4) for v in row] for row in validation.tolist()],
        "test": [[round(v, 4) for v in row] for row in test.tolist()],
    }
    return results.make(LESSON, table, columns, settings)


def ways_table(settings: Settings) -> results.Table:
    """Every way of training on the grammar; the last row is the grammar itself, its mean on the test sets repeated."""
    made = trained_ways(settings)
    validation = torch.cat([made.validation, made.exact.mean().expand(1, len(RATES))])
    names = [*(way.name for way in made.ways), "the grammar itself"]
    return _table("ways", names, RATES, validation, torch.cat([made.test, made.exact[None]]), settings)


def prose_table(settings: Settings) -> results.Table:
    """Every way of training on prose."""
    made = on_prose(settings)
    return _table("prose", [way.name for way in made.ways], PROSE_RATES, made.validation, made.test, settings)


def recorded(table: str) -> RecordedWays | None:
    """A recorded table ("ways" or "prose"), or ``None`` where there is none."""
    found = results.find(LESSON, table)
    if found is None:
        return None
    rows = list(found.rows())
    return RecordedWays(
        tuple(row["way"] for row in rows), tuple(rows[0]["rates"]), torch.tensor([row["validation"] for row in rows]),
        torch.tensor([row["test"] for row in rows]), found.caption,
    )


TABLES: dict[str, Callable[[Settings], results.Table]] = {"ways": ways_table, "prose": prose_table}
