"""How long a sweep will take, said before it starts: from what such points took earlier."""
from __future__ import annotations

import statistics
from pathlib import Path
from typing import NamedTuple

from gradscape.batch.plan import RUNS_READ, history
from gradscape.batch.run import default_workers
from gradscape.batch.store import RUNS
from gradscape.batch.sweeps.api import POOL, Sweep
from gradscape.sweeptable import ABOUT, SweepTable

UNKNOWN = "no such point was computed before: how long it takes is said after the first"


class Pace(NamedTuple):
    """Seconds that a point took, and where that is known from."""

    seconds: float
    source: str


def pace(sweep: Sweep, folder: Path | None = None, runs: Path | None = None) -> Pace | None:
    """The median time of a point: of this sweep's own in ``folder``, else of the newest sweep below ``runs``.

    Only sweeps of the same lesson, profile and mode count; for notebooks the time of the lesson in earlier runs is the
    last resort. ``None`` when nothing is known. Sweeps that cannot be read are passed over.
    """
    below = runs or Path(RUNS)
    newest = sorted(below.glob(f"*/{ABOUT}"), key=lambda place: place.parent.name, reverse=True)[:RUNS_READ]
    for place in ([folder] if folder else []) + [file.parent for file in newest]:
        found = _median(sweep, place)
        if found is not None:
            return Pace(found, f"as in {place}")
    if not sweep.options.function:
        profiles, known = _profiles(sweep), history(below)
        times = [known[key] for profile in profiles if (key := (sweep.entry.id, profile)) in known]
        if len(times) == len(profiles):
            return Pace(max(times), f"as in a run below {below}")
    return None


def _median(sweep: Sweep, folder: Path) -> float | None:
    try:
        table = SweepTable.open(folder)
        if any(table.about.get(name) != sweep.about[name] for name in ("lesson", "function", "claims", "scalars")):
            return None
        asked = _profiles(sweep)
        times = [float(row["seconds"]) for row in table.done if row["settings"]["profile"] in asked]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return statistics.median(times) if times else None


def _profiles(sweep: Sweep) -> set[str]:
    """The profiles of its points."""
    grid = sweep.grid
    fixed = grid.fixed.get("profile", grid.model.model_fields["profile"].default)
    return {str(profile) for profile in grid.axes.get("profile", (fixed,))}


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def text(sweep: Sweep, left: int, folder: Path | None = None, runs: Path | None = None) -> str:
    """A line such as ``about 12 min with 2 workers (3.1 s a point, as in runs/phase)`` for ``left`` points."""
    found = pace(sweep, folder, runs)
    if found is None:
        return UNKNOWN
    work = left * found.seconds
    options = sweep.options
    each = f"({found.seconds:.2g} s a point, {found.source})"
    if options.scheduler not in (None, POOL):
        return f"about {duration(work)} of work, shared by the cluster's workers {each}"
    workers = options.workers or min(default_workers(), max(left, 1))
    return f"about {duration(work / workers)} with {workers} worker{'s' * (workers > 1)} {each}"
