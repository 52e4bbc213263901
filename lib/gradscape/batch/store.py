"""The folder of a run: what was asked for, and one folder per finished point.

::

    runs/20260305T101500Z-3fa2c1/
      run.json            what was asked for, versions, platform, git revision, data checksums
      points/<key>/       a finished point: point.json, notebook.ipynb; appears by one rename, never changes
      attempts/<key>-<n>/ an execution that failed, timed out or was killed
      site/               the report
"""
from __future__ import annotations

import contextlib
import datetime
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gradscape import catalog, provenance
from gradscape.batch import atomic, points
from gradscape.batch.outcome import Outcome
from gradscape.batch.points import Point

FORMAT = "gradscape-run/1"
RUNS = "runs"


class StoreError(ValueError):
    """A folder that cannot be used as a run: nothing in it was touched."""


class Store:
    """A run's folder. Only the process that started the run writes into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._about: dict[str, Any] | None = None

    @classmethod
    def create(cls, folder: Path | None, about: dict[str, Any], wanted: Sequence[Point]) -> Store:
        """A new run in ``folder`` (default ``runs/<utc>-<id>``); :class:`StoreError` unless it is absent or empty."""
        place = folder or default_place()
        store = cls(place)
        check_vacant(place, store.exists(), f"holds a run already; continue it with --resume {place}")
        try:
            (place / "points").mkdir(parents=True, exist_ok=True)
            store._write({"format": FORMAT, "created": _now().isoformat(timespec="seconds"), **about}, wanted)
        except OSError as error:
            raise StoreError(f"--out {place}: cannot be written: {error.strerror}") from error
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """An existing run; :class:`StoreError` says what is wrong with the folder."""
        store = cls(folder)
        if not store.exists():
            raise StoreError(f"{folder}: holds no run (no run.json); `gradscape run` makes one")
        if store.about.get("format") != FORMAT:
            raise StoreError(f"{folder}: run.json has format {store.about.get('format')!r}, expected {FORMAT!r}")
        return store

    @classmethod
    def newest(cls, runs: Path | None = None) -> Store:
        """The newest run below ``runs/``; :class:`StoreError` when there is none."""
        runs = runs or Path(RUNS)
        found = sorted(place for place in runs.glob("*/run.json")) if runs.is_dir() else []
        if not found:
            raise StoreError(f"no run in {runs.resolve()}: name its folder, or make one with `gradscape run`")
        return cls.open(max(found, key=lambda place: (Store(place.parent).about.get("created", ""), place)).parent)

    def exists(self) -> bool:
        """Whether the folder holds a run."""
        try:
            return (self.folder / "run.json").is_file()
        except OSError as error:  # a name that is too long, for one
            raise StoreError(f"{str(self.folder)[:80]!r}: cannot be a folder: {error.strerror}") from error

    @property
    def about(self) -> dict[str, Any]:
        """What run.json says."""
        if self._about is None:
            try:
                self._about = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise StoreError(f"{self.folder}: run.json is not readable: {error}") from error
        return self._about

    @property
    def wanted(self) -> list[dict[str, Any]]:
        """The points asked for, as :meth:`gradscape.batch.points.Point.record` wrote them."""
        return list(self.about["points"])

    def resume(self, wanted: Sequence[Point]) -> None:
        """Note that the run goes on, now with these points: a key differs where code or data changed since."""
        again = {"when": _now().isoformat(timespec="seconds"), "versions": provenance.versions(), "git": _revision()}
        self._write({**self.about, "resumed": [*self.about.get("resumed", []), again]}, wanted)

    def _write(self, about: dict[str, Any], wanted: Sequence[Point]) -> None:
        self._about = {
            **about, "versions": provenance.versions(), "git": _revision(), "data": points.data_checksums(),
            "points": [point.record() for point in wanted],
        }
        text = json.dumps(self._about, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        atomic.write_text(self.folder / "run.json", text)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; :class:`StoreError` when another one holds it."""
        try:
            import fcntl
        except ImportError:  # without POSIX locks two runs into one folder are the user's own care
            yield
            return
        with (self.folder / "lock").open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"{self.folder}: another process is running into this folder") from None
            yield

    def commit(self, point: Point, outcome: Outcome) -> Path:
        """Keep an outcome: a finished point under its key for good, anything else as one more attempt."""
        attempts = self.folder / "attempts"
        place = self.folder / "points" / point.key
        if not outcome.done:
            number = len(list(attempts.glob(f"{point.key}-*"))) + 1
            place = attempts / f"{point.key}-{number:03d}"
        record = {**outcome.record(), "point": point.record(), "versions": provenance.versions(), "git": _revision()}
        with atomic.folder(place) as part:
            text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
            (part / "point.json").write_text(text, encoding="utf-8")
            if outcome.notebook is not None:
                (part / "notebook.ipynb").write_text(outcome.notebook, encoding="utf-8")
        return place

    def outcome(self, key: str) -> Outcome | None:
        """The finished execution of a point, else its last attempt, else ``None``."""
        tries = sorted((self.folder / "attempts").glob(f"{key}-*"), reverse=True)
        for place in [self.folder / "points" / key, *tries]:
            try:
                record = json.loads((place / "point.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            file = place / "notebook.ipynb"
            return Outcome.from_record(record, file.read_text(encoding="utf-8") if file.is_file() else None)
        return None


def default_place() -> Path:
    """A new name below ``runs/``, made of the time and a few random digits."""
    return Path(RUNS) / f"{_now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def check_vacant(place: Path, held: bool = False, holds: str = "", option: str = "--out ") -> None:
    """:class:`StoreError` unless something new can be put there; it says ``holds`` of a place that is ``held``."""
    if held:
        raise StoreError(f"{option}{place}: {holds}")
    try:
        vacant = not place.exists() or (place.is_dir() and not any(place.iterdir()))
    except OSError as error:
        raise StoreError(f"{option}{place}: cannot be written: {error.strerror}") from error
    if not vacant:
        raise StoreError(f"{option}{place}: must be a folder that is empty or does not exist yet")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _revision() -> str | None:
    """The course's commit, unless it lies in someone else's repository."""
    root = catalog.root()
    return provenance.git_revision(root) if (root / ".git").exists() and os.access(root, os.R_OK) else None
