"""``gradscape stability``: every claim over many seeds, by calling ``measure`` without kernels.

Each lesson is a sweep over its seeds, so it can be interrupted and resumed. What comes out is a recorded table
``stability`` per lesson in data/results, and docs/stability.md with the tables of all lessons.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gradscape import catalog, results
from gradscape.batch import atomic, plan
from gradscape.batch.sweeps.api import Options, prepare
from gradscape.batch.sweeps.command import Progress
from gradscape.batch.sweeps.store import SweepStore
from gradscape.sweeptable import ABOUT, SweepTable

TABLE, PAGE = "stability", "stability.md"
SHARE = 0.95  # a verdict is stable when so large a share of the seeds has it: 19 of 20


def perform(
    names: Sequence[str], seeds: int, profile: str, scheduler: str | None, workers: int | None, out: Path,
    console: Console,
) -> Path:
    """Measure the lessons one after another and write the page; ``ValueError`` when a seed could not be measured."""
    incomplete = []
    for entry in plan.select(names):
        table = over_seeds(entry, seeds, profile, out, console, scheduler, workers)
        if len(table.done) < seeds:
            incomplete.append(f"{entry.id}: {seeds - len(table.done)} of {seeds} seeds could not be measured")
        else:
            results.save(recorded(entry, table))
    place = write(catalog.root() / "docs" / PAGE)
    if incomplete:
        raise ValueError("\n".join(incomplete))
    return place


def over_seeds(
    entry: catalog.Lesson, seeds: int, profile: str, out: Path, console: Console, scheduler: str | None = None,
    workers: int | None = None,
) -> SweepTable:
    """A lesson's claims at seeds 0 ... ``seeds`` - 1; what ``out`` holds of them, by the same code, is not repeated."""
    options = Options(function=True, claims=True, scalars=False, scheduler=scheduler, workers=workers)
    sweep = prepare(entry.id, {"seed": range(seeds)}, profile, options)
    place = out / f"{entry.unit}-{entry.slug}-{profile}-{seeds}-{sweep.about['code'][:8]}"
    kept = (place / ABOUT).is_file()
    store = SweepStore.open(place, sweep.about) if kept else SweepStore.create(place, sweep.about)
    console.print(f"{entry.id}: {seeds} seeds", markup=False)
    executor = sweep.executor()
    try:
        sweep.carry_out(store, executor, Progress(console))
    except BaseException:
        executor.cancel()
        raise
    return SweepTable.open(place)


def recorded(entry: catalog.Lesson, table: SweepTable) -> results.Table:
    """Claims with the number of seeds for each verdict, as a recorded table."""
    columns: dict[str, list[object]] = {"claim": [], "kind": [], "verdict": [], "seeds": [], "of": []}
    for claim in entry.load().CLAIMS:
        counts = Counter(row["claims"][claim.id]["verdict"] for row in table.done)
        for word, count in counts.most_common():
            for name, value in zip(columns, (claim.id, claim.kind, word, count, counts.total()), strict=True):
                columns[name].append(value)
    fixed = entry.load().Settings(**table.about["fixed"])
    return results.make(entry.id, TABLE, columns, fixed)


def shares(lesson: str) -> dict[str, Counter[str]]:
    """Seeds by verdict for each claim of a lesson, as last recorded; empty when nothing was."""
    table = results.find(lesson, TABLE)
    found: dict[str, Counter[str]] = {}
    for row in table.rows() if table is not None else ():
        found.setdefault(row["claim"], Counter())[row["verdict"]] = row["seeds"]
    return found


def unstable(counts: Counter[str]) -> str:
    """``16 of 20 seeds`` when the most common verdict has too small a share; empty for a stable one."""
    most, total = counts.most_common(1)[0][1], counts.total()
    return f"{most} of {total} seeds" if most < SHARE * total - 1e-9 else ""


def write(place: Path) -> Path:
    """The page with the recorded tables of all lessons; nothing else is written."""
    lines = [
        "# Stability of the verdicts", "",
        "How many seeds give each verdict, measured by `gradscape stability`; a claim whose most common verdict has",
        "fewer than 19 of 20 seeds is marked *unstable*, and so it is on the scoreboard.", "",
    ]
    for entry in catalog.lessons(available=True):
        table = results.find(entry.id, TABLE)
        lines += [f"## {entry.id}", ""]
        if table is None:
            lines += ["Not measured yet.", ""]
            continue
        lines += [f"{table.date}, profile {table.profile}" + (f", {table.age}" if table.age else "") + ".", ""]
        lines += ["| claim | kind | seeds by verdict | |", "|---|---|---|---|"]
        kinds = {row["claim"]: row["kind"] for row in table.rows()}
        for claim, counts in shares(entry.id).items():
            words = ", ".join(f"{word} {count}/{counts.total()}" for word, count in counts.most_common())
            mark = "**unstable**" if unstable(counts) else ""
            lines.append(f"| {claim} | {kinds[claim]} | {words} | {mark} |")
        lines.append("")
    place.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(place, "\n".join(lines))
    return place
