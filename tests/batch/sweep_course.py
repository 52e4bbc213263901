"""A toy lesson that other processes can import: its science lies in a folder on PYTHONPATH and notes its calls."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SCIENCE = '''
import os, time
from gradscape.lesson import Point
from tests.batch import toy

Settings, SIZES, CLAIMS, MEASURES = toy.Settings, toy.SIZES, toy.CLAIMS, toy.module("toy").MEASURES


def note(word, settings):
    with open(os.environ["SWEEP_LOG"], "a") as stream:
        stream.write(f"{word} {settings.rate} {settings.seed} {os.getpid()} {os.getppid()}\\n")


def point(settings):
    note("begin", settings)
    if settings.steps == 9:
        hold = bytearray(800_000_000)
    if settings.steps in (8, 9):
        time.sleep(600)
    if settings.steps == 7:
        os.kill(os.getpid(), 9)
    time.sleep(float(os.environ.get("SWEEP_SLEEP", "0.1")))
    note("end", settings)
    return Point({"product": settings.rate * settings.steps})
'''
DRIVER = Path(__file__).with_name("driver.py")


def science(folder: Path, monkeypatch: Any) -> Path:
    """Put the lesson's science where child processes find it; returns the file in which it writes down its calls."""
    home = folder / "science" / "toy" / "toys"
    home.mkdir(parents=True)
    (home / "plain.py").write_text(SCIENCE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "science"), str(Path(__file__).parents[2])]))
    monkeypatch.setenv("SWEEP_LOG", str(folder / "calls.log"))
    return folder / "calls.log"


def calls(log: Path, word: str) -> list[tuple[str, str]]:
    """Rate and seed of the points that began or ended so far."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(parts[1], parts[2]) for line in lines if (parts := line.split())[0] == word]


def command(course: Path, *words: str) -> list[str]:
    """The command line that is ``gradscape WORDS`` in a toy course with this lesson."""
    return [sys.executable, str(DRIVER), str(course), "plain", *words]


def driver(course: Path, *words: str, **changes: str) -> subprocess.Popen[str]:
    """``gradscape`` with these words over a toy course, in a process of its own; ``changes`` are to its environment."""
    return subprocess.Popen(command(course, *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "COLUMNS": "160", "TERM": "dumb", **changes})
