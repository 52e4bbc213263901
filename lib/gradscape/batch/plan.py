"""What a run is going to do: lessons at checked settings, the longest first."""
from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import points
from gradscape.batch.outcome import DONE, FAILED, Failure, Outcome
from gradscape.batch.parameters import Assignment, all_settings, check_selection
from gradscape.batch.points import Point
from gradscape.batch.store import RUNS

# How many earlier runs are read for how long each lesson took.
RUNS_READ = 8


@dataclass(frozen=True)
class Plan:
    """The points of a run, what each lesson claims, and lessons whose module cannot even be imported."""

    points: tuple[Point, ...]
    declared: dict[str, list[dict[str, Any]]]
    broken: dict[str, Outcome] = field(default_factory=dict)


def select(names: Sequence[str]) -> tuple[catalog.Lesson, ...]:
    """The lessons that the names mean (an id, a slug, or a unit), without repetition; all available ones for none.

    ``ValueError`` for an unknown name and for a lesson that is planned.
    """
    if not names:
        return catalog.lessons(available=True)
    units = {unit.name for unit in catalog.units()}
    found: dict[str, catalog.Lesson] = {}
    for name in names:
        if name.rstrip("/") in units:
            chosen = [entry for entry in catalog.lessons(available=True) if entry.unit == name.rstrip("/")]
            if not chosen:
                raise ValueError(f"unit {name}: all its lessons are planned, none is written yet")
        else:
            chosen = [catalog.find(name)]
            if not chosen[0].available:
                raise ValueError(f"lesson {chosen[0].id} is planned, not written yet; see `gradscape list`")
        found.update({entry.id: entry for entry in chosen})
    return tuple(found.values())


def make(entries: Sequence[catalog.Lesson], assignments: Sequence[Assignment] = ()) -> Plan:
    """Load the lessons, check every parameter, and order the points; ``ParameterError`` before anything is started.

    A lesson whose module or notebook cannot be read does not stop the others: it has failed before it began.
    """
    check_selection(assignments, entries)
    models, declared, broken = {}, {}, {}
    for entry in entries:
        try:
            module = entry.load()
            models[entry.id], declared[entry.id] = module.Settings, [_claim(claim) for claim in module.CLAIMS]
        except Exception as error:
            broken[entry.id] = _broken(entry.id, error)
    settings = all_settings(models, assignments)
    found = []
    for entry in entries:
        if entry.id in broken:
            found.append(Point(entry.id, {}, {}, entry.notebook, code="unreadable", data=""))
            continue
        try:
            found.append(points.make(entry, settings[entry.id]))
        except (ValueError, SyntaxError) as error:
            broken[entry.id] = _broken(entry.id, error)
            chosen = settings[entry.id]
            found.append(Point(entry.id, chosen.model_dump(), chosen.changed(), entry.notebook, "unreadable", ""))
    return Plan(tuple(found), declared, broken)


def longest_first(wanted: Iterable[Point], runs: Path | None = None) -> list[Point]:
    """Order by the time each lesson took in earlier runs of its profile; without any, by the lesson's minutes."""
    seconds = history(runs or Path(RUNS))
    minutes = {entry.id: entry.minutes for entry in catalog.lessons()}
    return sorted(
        wanted, key=lambda p: (-seconds.get((p.lesson, p.profile), float("inf")), -minutes.get(p.lesson, 0), p.lesson)
    )


def history(runs: Path) -> dict[tuple[str, str], float]:
    """Seconds by lesson and profile, from the newest runs; unreadable files are passed over."""
    found: dict[tuple[str, str], float] = {}
    newest = sorted(runs.glob("*/run.json"), reverse=True)[:RUNS_READ] if runs.is_dir() else []
    for place in (file for run in newest for file in run.parent.glob("points/*/point.json")):
        try:
            record = json.loads(place.read_text(encoding="utf-8"))
            where = record["point"]["lesson"], record["point"]["settings"]["profile"]
            if record["status"] == DONE:
                found.setdefault(where, float(record["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _claim(claim: Any) -> dict[str, Any]:
    return {"id": claim.id, "kind": claim.kind, "sentence": claim.sentence, "where": claim.where,
            "paper": claim.paper, "criterion": claim.criterion}


def _broken(lesson: str, error: Exception) -> Outcome:
    text = "".join(traceback.format_exception(error))
    return Outcome(key=lesson, status=FAILED, error=Failure(type(error).__name__, str(error), traceback=text))
