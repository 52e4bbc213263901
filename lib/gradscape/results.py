"""Recorded results: small committed tables with the settings, code, date and versions that made them.

A recorded result is shown as recorded, never as measured now.
"""
from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from gradscape import catalog, provenance

LIMIT_BYTES = 200_000


class Table(BaseModel):
    """Columns of equal length and where they come from.

    ``code`` is the checksum of the lesson's science at recording time; ``age`` is empty when the code is unchanged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lesson: str
    table: str
    columns: dict[str, list[Any]]
    settings: dict[str, Any]
    code: str
    date: str
    versions: dict[str, str]

    @model_validator(mode="after")
    def _check_lengths(self) -> Table:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different length: {lengths}")
        return self

    @property
    def profile(self) -> str:
        """The profile it was recorded with."""
        return str(self.settings.get("profile", "quick"))

    @property
    def age(self) -> str:
        """``"recorded with earlier code"`` when the science has changed since."""
        now = provenance.code_checksum(catalog.find(self.lesson).module)
        return "" if now == self.code else "recorded with earlier code"

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dictionary per row."""
        names = list(self.columns)
        return (dict(zip(names, values, strict=True)) for values in zip(*self.columns.values(), strict=True))

    @property
    def caption(self) -> str:
        """One line to stand beside whatever shows the table."""
        words = [f"Recorded {self.date}", f"profile {self.profile}", f"seed {self.settings.get('seed', 0)}"]
        return ", ".join([*words, self.age] if self.age else words)


def path(lesson: str, table: str) -> Path:
    """Where a table lives: ``data/results/<unit>/<slug>/<table>.json``."""
    if not table.replace("_", "").replace("-", "").isalnum():
        raise ValueError(f"table={table!r}: letters, digits, - and _ only")
    return catalog.root() / "data" / "results" / catalog.find(lesson).id / f"{table}.json"


def load(lesson: str, table: str) -> Table:
    """Read a recorded table; ``FileNotFoundError`` says how to record it, ``ValueError`` what is wrong with it."""
    place = path(lesson, table)
    if not place.is_file():
        command = f"gradscape record {lesson} --table {table}"
        raise FileNotFoundError(f"no recorded table {table!r} of {lesson}; make it with: {command}")
    try:
        return Table.model_validate_json(place.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise ValueError(f"{place.name} of {lesson} is not a recorded table: {error.errors()[0]['msg']}") from error


def find(lesson: str, table: str) -> Table | None:
    """As :func:`load`, or ``None`` when nothing was recorded or the lesson is not in the catalog."""
    try:
        return load(lesson, table) if path(lesson, table).is_file() else None
    except catalog.UnknownLesson:
        return None


def make(lesson: str, table: str, columns: Mapping[str, Sequence[Any]], settings: BaseModel) -> Table:
    """Columns with today's date, the present code's checksum and versions."""
    entry = catalog.find(lesson)
    return Table(
        lesson=entry.id, table=table, columns={name: _plain(column) for name, column in columns.items()},
        settings=settings.model_dump(), code=provenance.code_checksum(entry.module),
        date=datetime.date.today().isoformat(), versions=provenance.versions(),
    )


def save(table: Table) -> Path:
    """Write a table under a temporary name and rename it; ``ValueError`` above 200 kB, and nothing is written."""
    text = json.dumps(table.model_dump(), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    size = len(text.encode())
    if size > LIMIT_BYTES:
        raise ValueError(f"table {table.table!r} of {table.lesson}: {size} bytes, {LIMIT_BYTES} are allowed")
    place = path(table.lesson, table.table)
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(name, 0o644)
        os.replace(name, place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return place


def _plain(column: Sequence[Any]) -> list[Any]:
    """Numbers as JSON takes them: six significant digits, NaN as null."""
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    return [_entry(value) for value in values]


def _entry(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if value - value == 0 else None
    if isinstance(value, list | tuple):
        return [_entry(inner) for inner in value]
    return value
