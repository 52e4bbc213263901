"""Points of a run: which lesson at which settings, with a key that changes when code or data change."""
from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradscape import catalog, lesson, provenance
from gradscape.batch import notebooks

KEY_LENGTH = 20


@dataclass(frozen=True)
class Point:
    """One execution that a run wants: ``settings`` are all fields, ``parameters`` those that differ from defaults."""

    lesson: str
    settings: dict[str, Any]
    parameters: dict[str, Any]
    notebook: Path
    code: str
    data: str

    @property
    def key(self) -> str:
        """Name of the point's folder: lesson, settings, code and data."""
        parts = [self.lesson, self.settings, self.code, self.data]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]

    @property
    def profile(self) -> str:
        """The profile it runs with."""
        return str(self.settings.get("profile", "quick"))

    def record(self) -> dict[str, Any]:
        """The point as the run's file holds it."""
        return {"key": self.key, "lesson": self.lesson, "settings": self.settings, "parameters": self.parameters,
                "code": self.code, "data": self.data}


def make(entry: catalog.Lesson, settings: lesson.Settings) -> Point:
    """The point of one lesson at checked settings."""
    return Point(
        lesson=entry.id, settings=settings.model_dump(mode="json"), parameters=settings.changed(),
        notebook=entry.notebook, code=code_checksum(entry), data=data_digest(),
    )


def code_checksum(entry: catalog.Lesson) -> str:
    """One checksum over the science, the figures and explorers, and the notebook's code cells."""
    cells = notebooks.code_checksum(notebooks.read(entry.notebook))
    return _digest([provenance.code_checksum(entry.module), provenance.code_checksum(entry.view), cells])


def data_digest() -> str:
    """One checksum over all committed data files."""
    return _digest(data_checksums())


def data_checksums() -> dict[str, str]:
    """SHA-256 of each committed data file as it is on this disk; read again only when a file has changed."""
    folder = catalog.root() / "data"
    files = sorted(place for place in folder.iterdir() if place.is_file())
    return _checksums(tuple((str(place), place.stat().st_mtime_ns, place.stat().st_size) for place in files))


@functools.lru_cache(maxsize=4)
def _checksums(stamps: tuple[tuple[str, int, int], ...]) -> dict[str, str]:
    from gradscape.datasets import integrity

    return integrity.checksums() if any(Path(name).name == integrity.REGISTRY for name, _, _ in stamps) else {}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
