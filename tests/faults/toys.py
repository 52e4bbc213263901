"""Runs of toy courses in processes of their own, to be killed, starved and interrupted."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).parents[1] / "batch" / "driver.py"
LESSONS = ("plain", "other", "third")


def command(course: Path, *words: str, lessons: tuple[str, ...] = LESSONS) -> list[str]:
    """The command line that is ``gradscape WORDS`` in a toy course of these lessons."""
    return [sys.executable, str(DRIVER), str(course), ",".join(lessons), *words]


def start(course: Path, *words: str, lessons: tuple[str, ...] = LESSONS) -> subprocess.Popen[str]:
    """Begin ``gradscape WORDS``; the caller reads and ends it."""
    return subprocess.Popen(
        command(course, *words, lessons=lessons), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "COLUMNS": "160", "TERM": "dumb"},
    )


def call(course: Path, *words: str, lessons: tuple[str, ...] = LESSONS) -> subprocess.CompletedProcess[str]:
    """``gradscape WORDS`` to its end."""
    return subprocess.run(
        command(course, *words, lessons=lessons), capture_output=True, text=True, timeout=120,
        env={**os.environ, "COLUMNS": "160", "TERM": "dumb"},
    )


def table(run: Path) -> dict[str, Any]:
    """What a run's folder holds: claims and scalars of each finished point; fails on one that is not whole."""
    found = {}
    for place in sorted((run / "points").iterdir()):
        if place.name.startswith(".part-"):
            continue
        record = json.loads((place / "point.json").read_text(encoding="utf-8"))
        assert record["status"] == "done", place
        assert len(json.loads((place / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]) > 5, place
        found[record["point"]["lesson"]] = (place.name, record["claims"], record["scalars"])
    return found
