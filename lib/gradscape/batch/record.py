"""``gradscape record``: measure what a quick run cannot, and keep it as a small committed table."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradscape import catalog, results
from gradscape.batch.parameters import Assignment, ParameterError, settings_for
from gradscape.lesson import Ledger

CLAIMS = "claims"


def tables(entry: catalog.Lesson) -> dict[str, Callable[[Any], Any]]:
    """The tables of a lesson by name: those its module declares, and its claims."""
    module = entry.load()
    declared: Mapping[str, Callable[[Any], Any]] = getattr(module, "TABLES", {})
    return {CLAIMS: lambda settings: claims(entry, settings), **declared}


def claims(entry: catalog.Lesson, settings: Any) -> results.Table:
    """Every claim of a lesson, measured at these settings, as a table."""
    rows = [row.record() for row in Ledger(entry.load(), settings).rows]
    names = ("id", "kind", "measured", "spread", "n", "criterion", "verdict", "note")
    return results.make(entry.id, CLAIMS, {name: [row[name] for row in rows] for name in names}, settings)


def record(entry: catalog.Lesson, table: str | None = None, assignments: Sequence[Assignment] = ()) -> list[Path]:
    """Make and save one table, or all of a lesson's; in the profile ``full`` unless the assignments say otherwise.

    ``ParameterError`` for an unknown table or a wrong parameter, ``ValueError`` for a table that is too large.
    """
    known = tables(entry)
    if table is not None and table not in known:
        raise ParameterError(f"--table {table}: {entry.id} has {', '.join(known)}")
    if all(a.name != "profile" for a in assignments):
        assignments = (*assignments, Assignment("profile", "full"))
    settings = settings_for(entry.id, entry.load().Settings, assignments)
    found = []
    for name in [table] if table is not None else list(known):
        made = known[name](settings)
        if made.table != name:
            raise ValueError(f"table {name!r} of {entry.id} calls itself {made.table!r}; the names must be equal")
        found.append(results.save(made))
    return found
