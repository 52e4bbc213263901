"""The folder of a sweep: rows are kept the moment a point ends, and become Parquet parts some at a time."""
from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gradscape import provenance
from gradscape.batch import atomic
from gradscape.batch.outcome import Outcome
from gradscape.batch.points import Point
from gradscape.batch.store import RUNS, Store, StoreError, check_vacant, default_place
from gradscape.sweeptable import ABOUT, DONE, FORMAT, JOURNAL, PARTS, parts, read_about, read_journal, read_parts

# A part is written when so many rows wait in the journal, or when the oldest has waited so long.
PART_ROWS, PART_S = 500, 60.0
NOTEBOOKS, EARLIER = "notebooks", "earlier"
# What makes two sweeps the same one.
SAME = ("lesson", "axes", "fixed", "function", "claims", "scalars")


class SweepStore:
    """A sweep's folder. Only the process that holds its lock writes into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal: Any = None
        self._waiting: list[dict[str, Any]] = []
        self._sample: dict[str, Any] = {}
        self._since = time.monotonic()
        self._versions = provenance.versions()

    @classmethod
    def create(cls, folder: Path | None, about: Mapping[str, Any]) -> SweepStore:
        """A new sweep in ``folder`` (default ``runs/<utc>-<id>``); :class:`StoreError` unless it is absent or empty."""
        now = datetime.datetime.now(datetime.UTC)
        place = folder or default_place()
        cls.check_vacant(place)
        store = cls(place)
        try:
            (place / PARTS).mkdir(parents=True, exist_ok=True)
            with Store(place).lock():  # of two that begin at once the second finds the first
                if (place / ABOUT).exists():
                    cls.check_vacant(place)
                store._write({"format": FORMAT, "created": now.isoformat(timespec="seconds"), **about})
        except OSError as error:
            raise StoreError(f"--out {place}: cannot be written: {error.strerror}") from error
        return store

    @staticmethod
    def check_vacant(place: Path) -> None:
        """:class:`StoreError` unless a new sweep can be put there."""
        held = os.path.exists(place / ABOUT)  # unlike Path.exists it takes a name that is too long
        if not held and _stillborn(place):
            return
        check_vacant(place, held, f"holds a sweep already; continue it with: --out {place} --resume")

    @classmethod
    def open(cls, folder: Path, about: Mapping[str, Any] | None = None) -> SweepStore:
        """An existing sweep; :class:`StoreError` if it holds none, or another one than ``about`` describes."""
        try:
            found = read_about(folder)
        except ValueError as error:
            raise StoreError(str(error)) from error
        if about is not None:
            other = [name for name in SAME if json.loads(json.dumps(about[name])) != found.get(name)]
            if other:
                shown = "; ".join(f"{name} {found.get(name)!r}, asked for is {about[name]!r}" for name in other)
                raise StoreError(f"{folder}: holds another sweep: {shown}")
        return cls(folder)

    @classmethod
    def newest(cls, runs: Path | None = None) -> SweepStore:
        """The sweep below ``runs/`` that was begun last; :class:`StoreError` when there is none."""
        places = [place.parent for place in (runs or Path(RUNS)).glob(f"*/{ABOUT}")]
        if not places:
            raise StoreError(f"no sweep in {(runs or Path(RUNS)).resolve()}: name its folder with --out")
        return cls.open(max(places, key=lambda place: (_begun(place), place)))

    @property
    def about(self) -> dict[str, Any]:
        """What sweep.json says."""
        return read_about(self.folder)

    def _write(self, about: Mapping[str, Any]) -> None:
        text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        atomic.write_text(self.folder / ABOUT, text)

    @contextlib.contextmanager
    def opened(self, code: str, data: str) -> Iterator[dict[str, dict[str, Any]]]:
        """Hold the sweep for writing; yields its rows by key.

        Rows of earlier code or data are set aside into ``earlier/``, never mixed with today's. A part that was being
        written and a line that was being appended when the machine stopped are cleared away. :class:`StoreError` when
        another process holds the sweep or the disk is full.
        """
        try:
            with Store(self.folder).lock():
                try:
                    yield self._begin(code, data)
                    self.flush()
                finally:
                    if self._journal is not None:
                        with contextlib.suppress(OSError):  # closing tries again to write what a full disk did not take
                            self._journal.close()
                        self._journal = None
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error  # pyarrow's own text is longer
            raise StoreError(f"{self.folder}: cannot be written: {why}") from error

    def _begin(self, code: str, data: str) -> dict[str, dict[str, Any]]:
        about = self.about
        if (about["code"], about["data"]) != (code, data):
            self._set_aside(about, code, data)
        for rest in (self.folder / PARTS).glob(".*"):
            rest.unlink()
        stored = {row["key"]: row for row in read_parts(self.folder)}
        self._sample = {}
        self._learn(stored.values())
        fresh = {row["key"]: row for row in read_journal(self.folder)}
        self._waiting = [row for key, row in fresh.items() if key not in stored or stored[key]["status"] != DONE]
        rows = {**stored, **{row["key"]: row for row in self._waiting}}
        self.flush()
        return rows

    def _set_aside(self, about: dict[str, Any], code: str, data: str) -> None:
        place = self.folder / EARLIER / f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{about['code'][:8]}"
        place.mkdir(parents=True, exist_ok=True)
        atomic.write_text(place / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        for name in (PARTS, JOURNAL):
            if (self.folder / name).exists():
                (self.folder / name).rename(place / name)
        (self.folder / PARTS).mkdir(exist_ok=True)
        self._write({**about, "code": code, "data": data})

    def keep(self, point: Point, outcome: Outcome, attempts: int, notebook: bool = False) -> dict[str, Any]:
        """Keep a point that has ended: on disk when this returns; the notebook too where asked for."""
        row = {
            "key": point.key, "lesson": point.lesson, "status": outcome.status,
            "error": outcome.error.line() if outcome.error else None, "seconds": outcome.seconds,
            "cpu_seconds": outcome.cpu_seconds, "peak_memory": outcome.peak_memory, "attempts": attempts,
            "started": outcome.started, "code": point.code, "data": point.data, "versions": self._versions,
            "settings": point.settings, "scalars": outcome.scalars if outcome.done else {},
            "claims": {claim["id"]: {"measured": claim["measured"], "verdict": claim["verdict"]}
                       for claim in outcome.claims} if outcome.done else {},
        }
        if notebook and outcome.notebook is not None:
            (self.folder / NOTEBOOKS).mkdir(exist_ok=True)
            atomic.write_text(self.folder / NOTEBOOKS / f"{point.key}.ipynb", outcome.notebook)
        if self._journal is None:
            self._journal = (self.folder / JOURNAL).open("ab")
        self._journal.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._waiting.append(row)
        return row

    def sync(self) -> None:
        """Bring what was kept to the disk, and make a part of it when there is enough."""
        if self._journal is not None:
            self._journal.flush()
            os.fsync(self._journal.fileno())
        if len(self._waiting) >= PART_ROWS or (self._waiting and time.monotonic() - self._since > PART_S):
            self.flush()

    def flush(self) -> None:
        """Make a part of the rows that wait; the journal is emptied only when the part is in its place."""
        if self._journal is not None:
            self._journal.flush()
            os.fsync(self._journal.fileno())
            self._journal.close()
            self._journal = None
        if self._waiting:
            new = self._learn(self._waiting)
            self._rewrite({row["key"] for row in self._waiting}, new)
            number = max((int(place.stem.rpartition("-")[2]) for place in parts(self.folder)), default=-1) + 1
            self._part(self.folder / PARTS / f"part-{number:05d}.parquet", self._waiting)
        atomic.write_text(self.folder / JOURNAL, "")
        self._waiting, self._since = [], time.monotonic()

    def _rewrite(self, replaced: Collection[str], widen: bool) -> None:
        """Take rows that were tried again out of earlier parts, and give these the columns that have come since."""
        for place in parts(self.folder):
            rows = list(read_parts_of(place))
            left = [row for row in rows if row["key"] not in replaced]
            if not left:
                place.unlink()
            elif widen or len(left) < len(rows):
                self._part(place, left)

    def _part(self, place: Path, rows: list[dict[str, Any]]) -> None:
        import pyarrow.parquet as pq

        from gradscape.sweeptable import to_arrow

        table = to_arrow([*rows, self._sample])
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            pq.write_table(table.slice(0, len(rows)), temporary, compression="zstd")
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)

    def _learn(self, rows: Iterable[Mapping[str, Any]]) -> bool:
        """Note the columns of these rows, so that all parts get the same ones; whether some are new."""
        before = len(self._sample.get("scalars", ())), len(self._sample.get("claims", ()))
        for row in rows:
            self._sample = {
                **row, "scalars": {**self._sample.get("scalars", {}), **row["scalars"]},
                "claims": {**self._sample.get("claims", {}), **row["claims"]},
            }
        return before != (len(self._sample.get("scalars", ())), len(self._sample.get("claims", ())))


def _begun(folder: Path) -> str:
    """When a sweep was begun; a sweep that cannot be read is taken for the oldest."""
    with contextlib.suppress(ValueError):
        return str(read_about(folder).get("created", ""))
    return ""


def _stillborn(place: Path) -> bool:
    """Whether a folder holds only what a sweep leaves that was stopped before it had a description and a row."""
    try:
        found = list(place.iterdir())
        return bool(found) and all(
            file.name == "lock" or file.name.startswith(f".{ABOUT}.")
            or (file.name == PARTS and not any(file.iterdir())) for file in found
        )
    except OSError:
        return False


def read_parts_of(place: Path) -> Iterator[dict[str, Any]]:
    """Rows of a single part."""
    import pyarrow.parquet as pq

    from gradscape.sweeptable import unflatten

    table = pq.read_table(place)
    kinds = json.loads(table.schema.metadata[b"gradscape"])
    return (unflatten(flat, kinds) for flat in table.to_pylist())
