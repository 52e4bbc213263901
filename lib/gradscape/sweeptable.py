"""The table of a sweep: one row per point, in a Parquet dataset that appears part by part.

::

    runs/20260305T101500Z-3fa2c1/
      sweep.json             lesson, axes, fixed settings, mode, checksums, versions
      table/part-00000.parquet, …
      journal.jsonl          rows that are not in a part yet
"""
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT = "gradscape-sweep/1"
ABOUT, PARTS, JOURNAL = "sweep.json", "table", "journal.jsonl"
DONE = "done"
# What every row has besides settings, scalars and claims.
GENERAL = ("key", "lesson", "status", "error", "seconds", "cpu_seconds", "peak_memory", "attempts", "started", "code",
           "data", "versions")


@dataclass(frozen=True)
class SweepTable:
    """Rows by point, and the axes that they lie on; made by :meth:`open` and by ``gradscape.batch.sweep``."""

    folder: Path
    about: Mapping[str, Any]
    rows: tuple[dict[str, Any], ...]

    @classmethod
    def open(cls, folder: Path | str) -> SweepTable:
        """Read a sweep, finished or not; ``ValueError`` says what is wrong with the folder."""
        place = Path(folder)
        about = read_about(place)
        found: dict[str, dict[str, Any]] = {}
        for row in (*read_parts(place), *read_journal(place)):
            found[row["key"]] = row
        names = list(about["axes"])
        order = {name: {value: k for k, value in enumerate(about["axes"][name])} for name in names}

        def position(row: dict[str, Any]) -> list[int]:
            return [order[name].get(row["settings"].get(name), -1) for name in names]

        return cls(place, about, tuple(sorted(found.values(), key=position)))

    @property
    def lesson(self) -> str:
        """Id of the lesson."""
        return str(self.about["lesson"])

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The fields that were varied, with their values."""
        return {name: tuple(values) for name, values in self.about["axes"].items()}

    @property
    def total(self) -> int:
        """How many points were asked for."""
        return int(self.about["total"])

    @property
    def done(self) -> tuple[dict[str, Any], ...]:
        """Rows of points that were computed."""
        return tuple(row for row in self.rows if row["status"] == DONE)

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """Columns with what ``point`` measured."""
        return self._columns("scalars")

    @cached_property
    def claims(self) -> tuple[str, ...]:
        """Ids of the claims that were measured."""
        return self._columns("claims")

    def _columns(self, kind: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.rows for name in row[kind]))

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, scalar: str) -> np.ndarray:
        """A scalar as an array with one dimension per axis, in their order; NaN where there is no value."""
        import numpy as np

        if scalar not in self.scalars:
            raise ValueError(f"scalar={scalar!r}: must be one of {', '.join(self.scalars) or 'none: nothing is done'}")
        axes = self.axes
        found = np.full([len(points) for points in axes.values()], np.nan)
        place = {name: {value: k for k, value in enumerate(points)} for name, points in axes.items()}
        for row in self.done:
            value = row["scalars"].get(scalar)
            if value is not None:
                found[tuple(place[name][row["settings"][name]] for name in axes)] = value
        return found

    def flat(self) -> list[dict[str, Any]]:
        """Rows as a flat table has them; see :func:`flatten`."""
        return [flatten(row) for row in self.rows]

    def arrow(self) -> pa.Table:
        """All rows as a pyarrow table (``.to_pandas()`` where pandas is installed)."""
        return to_arrow(self.rows)

    def csv(self, place: Path | str) -> Path:
        """Write the table as CSV; returns where."""
        import csv
        import io

        names = to_arrow(self.rows).column_names
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.flat())
        Path(place).write_text(text.getvalue(), encoding="utf-8")
        return Path(place)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.flat())


def read_about(folder: Path) -> dict[str, Any]:
    """What sweep.json says; ``ValueError`` if the folder holds no sweep."""
    place = folder / ABOUT
    if not place.is_file():
        raise ValueError(f"{folder}: holds no sweep (no {ABOUT}); `gradscape sweep` makes one")
    try:
        about = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: {ABOUT} is not readable: {error}") from error
    if not isinstance(about, dict):
        raise ValueError(f"{folder}: {ABOUT} holds a {type(about).__name__}, expected the description of a sweep")
    if about.get("format") != FORMAT:
        raise ValueError(f"{folder}: {ABOUT} has format {about.get('format')!r}, expected {FORMAT!r}")
    return about


def parts(folder: Path) -> list[Path]:
    """The files of the Parquet dataset."""
    return sorted((folder / PARTS).glob("part-*.parquet"))


def read_parts(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of the dataset; ``ValueError`` for a damaged file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for place in parts(folder):
        try:
            table = pq.read_table(place)
            kinds = json.loads((table.schema.metadata or {})[b"gradscape"])
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise ValueError(f"{place}: is damaged: {error}") from error
        for flat in table.to_pylist():
            yield unflatten(flat, kinds)


def read_journal(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of the journal; a last line that a crash has cut is left out."""
    place = folder / JOURNAL
    if not place.is_file():
        return
    for line in place.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "key" in row:
            yield row


def flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the flat table has it.

    Settings and scalars have their own names, a scalar ``result_<name>`` where the name is taken; a claim has two
    columns, ``<id>_measured`` and ``<id>_verdict``.
    """
    flat: dict[str, Any] = {name: row[name] for name in GENERAL}
    flat["versions"] = json.dumps(row["versions"], sort_keys=True)
    flat |= row["settings"]
    for name, value in row["scalars"].items():
        flat[f"result_{name}" if name in flat else name] = value
    for name, claim in row["claims"].items():
        flat[f"{name}_measured"], flat[f"{name}_verdict"] = claim["measured"], claim["verdict"]
    return flat


def kinds(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which columns of these rows are settings, scalars and claims; kept in each part's metadata."""
    settings = list(dict.fromkeys(name for row in rows for name in row["settings"]))
    taken = {*GENERAL, *settings}
    scalars = dict.fromkeys(name for row in rows for name in row["scalars"])
    claims = list(dict.fromkeys(name for row in rows for name in row["claims"]))
    return {"settings": settings, "claims": claims,
            "scalars": {name: f"result_{name}" if name in taken else name for name in scalars}}


def unflatten(flat: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`flatten`; a failed row has neither scalars nor claims."""
    row: dict[str, Any] = {name: flat[name] for name in GENERAL}
    row["versions"] = json.loads(flat["versions"])
    row["settings"] = {name: flat[name] for name in kinds["settings"]}
    well = flat["status"] == DONE
    row["scalars"] = {name: flat[column] for name, column in kinds["scalars"].items()} if well else {}
    row["claims"] = {
        name: {"measured": flat[f"{name}_measured"], "verdict": flat[f"{name}_verdict"]} for name in kinds["claims"]
    } if well else {}
    return row


def to_arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a pyarrow table whose column types do not depend on which rows these are."""
    import pyarrow as pa

    found = kinds(rows)
    fields = [pa.field(name, _GENERAL_TYPES.get(name, "string")) for name in GENERAL]
    for name in found["settings"]:
        sample = next(row["settings"][name] for row in rows)
        kind = {bool: "bool", int: "int64", float: "float64"}.get(type(sample), "string")
        fields.append(pa.field(name, kind))
    fields += [pa.field(column, "float64") for column in found["scalars"].values()]
    fields += [pa.field(f"{name}_{what}", "string") for name in found["claims"] for what in ("measured", "verdict")]
    schema = pa.schema(fields, metadata={"gradscape": json.dumps(found)})
    return pa.Table.from_pylist([flatten(row) for row in rows], schema=schema)


_GENERAL_TYPES = {"seconds": "float64", "cpu_seconds": "float64", "peak_memory": "int64", "attempts": "int64"}
