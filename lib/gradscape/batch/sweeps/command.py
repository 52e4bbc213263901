"""The commands on sweeps as calls: ``gradscape sweep``, ``results``, ``report SWEEP``, ``stability``."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gradscape.batch.outcome import Outcome
from gradscape.batch.points import Point
from gradscape.batch.runs import Refused
from gradscape.batch.sweeps import api, estimate, grid
from gradscape.batch.sweeps.api import Options, Sweep
from gradscape.batch.sweeps.drive import State
from gradscape.batch.sweeps.estimate import duration
from gradscape.batch.sweeps.store import SweepStore
from gradscape.sweeptable import SweepTable

# Above so many points one is asked first: minutes without a kernel, an hour with one.
ASK = {True: 5000, False: 500}
LINE_S = 5.0
FAILURES_SHOWN = 5


def perform(
    lesson: str | None, parameters: Sequence[str], profile: str | None, options: Options, out: Path | None,
    resume: bool, yes: bool, console: Console, ask: Callable[[str], bool],
) -> bool:
    """Do what ``gradscape sweep`` does; returns whether every point was computed.

    :class:`~gradscape.batch.runs.Refused` for anything wrong before a point was started.
    """
    sweep, store = _prepared(lesson, parameters, profile, options, out, resume)
    console.print(f"{sweep.entry.id}: {sweep.grid.text()}", markup=False, soft_wrap=True)
    left = len(sweep.grid) - (len(SweepTable.open(store.folder).done) if store is not None else 0)
    if left:
        console.print(estimate.text(sweep, left, store.folder if store is not None else None), markup=False,
                      soft_wrap=True)
    limit = ASK[sweep.options.function]
    if len(sweep.grid) > limit and not yes and store is None and not ask(
        f"{len(sweep.grid)} points are more than {limit}; go on?"
    ):
        raise Refused(f"{len(sweep.grid)} points are more than {limit}: say --yes to compute them")
    executor = sweep.executor()
    try:
        for warning in getattr(executor, "warnings", ()):
            console.print(warning, markup=False, soft_wrap=True)
        store = store or SweepStore.create(out, sweep.about)
        state = sweep.carry_out(store, executor, Progress(console))
    except BaseException:
        executor.cancel()
        raise
    summary(SweepTable.open(store.folder), console)
    return state.failed == 0 and not any(row["status"] != "done" for row in SweepTable.open(store.folder).rows)


def _prepared(
    lesson: str | None, parameters: Sequence[str], profile: str | None, options: Options, out: Path | None, resume: bool
) -> tuple[Sweep, SweepStore | None]:
    if not resume:
        if lesson is None:
            raise Refused("which lesson? `gradscape list` shows them (or go on with a sweep: --out DIR --resume)")
        made = api.prepare(lesson, grid.parse(parameters), profile, options)
        if out is not None:  # said before an executor starts
            SweepStore.check_vacant(out)
        return made, None
    folder = out if out is not None else SweepStore.newest().folder
    if lesson is None:
        if parameters or profile:
            raise Refused("--resume without a lesson goes on with what that sweep was asked for; leave -p away")
        return api.again(folder, options), SweepStore.open(folder)
    made = api.prepare(lesson, grid.parse(parameters), profile, options)
    return made, SweepStore.open(folder, made.about)


class Progress:
    """Live progress: a line that is written over on a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console, self.said, self.status = console, 0.0, None
        self.reasons: Counter[str] = Counter()

    def begin(self, state: State) -> None:
        """Say what is about to happen."""
        kept = f", {state.kept} are there already" if state.kept else ""
        self.console.print(f"{state.total - state.kept} points to compute{kept}", markup=False)
        if self.console.is_terminal:
            status: Any = self.console.status("starting")
            status.start()
            self.status = status

    def ended(self, state: State, point: Point, outcome: Outcome) -> None:
        """Count a point; the first failures of each kind are told."""
        if not outcome.done:
            reason = outcome.error.name if outcome.error else outcome.status
            self.reasons[reason] += 1
            if self.reasons[reason] <= FAILURES_SHOWN:
                line = outcome.error.line() if outcome.error else ""
                changed = ", ".join(f"{name}={value}" for name, value in point.parameters.items())
                text = f"{outcome.status} at {changed or 'default settings'}: {line}"
                self.console.print(text, markup=False, soft_wrap=True, style="red")
        now = time.monotonic()
        if self.status is not None:
            self.status.update(escape(line_of(state)))
        elif now - self.said > LINE_S or state.ended == state.total:
            self.said = now
            self.console.print(line_of(state), markup=False, soft_wrap=True)

    def finish(self) -> None:
        """Leave the terminal as it was."""
        if self.status is not None:
            self.status.stop()


def line_of(state: State) -> str:
    """``[120/420] 1 failed, 2 retried, 3 min left``."""
    parts = [f"{state.failed} failed"] if state.failed else []
    parts += [f"{state.retried} retried"] if state.retried else []
    left = state.left_seconds
    if left is not None and state.ended < state.total:
        parts.append(f"{duration(left)} left")
    return f"[{state.ended}/{state.total}] " + (", ".join(parts) or "done")


def results(folder: Path, csv: Path | None, console: Console) -> None:
    """Print a sweep's summary; with ``csv`` write its table there."""
    table = SweepTable.open(folder)
    summary(table, console)
    if csv is not None:
        console.print(f"{len(table)} rows: {table.csv(csv)}", markup=False, soft_wrap=True)


def summary(table: SweepTable, console: Console) -> None:
    """What a sweep holds: points, axes, scalars with their range, verdicts, failures."""
    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    done, failed = table.done, [row for row in table.rows if row["status"] != "done"]
    missing = table.total - len(table)
    mode = "called without a kernel" if table.about["function"] else "executed notebooks"
    say(f"{table.lesson}, {mode}: {len(done)} of {table.total} points done, {len(failed)} failed, {missing} missing")
    for name, values in table.axes.items():
        say(f"  {name}: {len(values)} values, {values[0]} … {values[-1]}")
    fixed = ", ".join(f"{name}={value}" for name, value in table.about["fixed"].items())
    if fixed:
        say(f"  fixed: {fixed}")
    if done:
        seconds = sum(row["seconds"] for row in table.rows)
        peak = max(row["peak_memory"] for row in done)
        say(f"  {duration(seconds)} of work, largest process {peak / 1e6:.0f} MB")
        console.print(_scalars(table))
        if table.claims:
            console.print(_verdicts(table))
    for reason, count in Counter(row["error"] or row["status"] for row in failed).most_common(FAILURES_SHOWN):
        say(f"  {count} × {reason}")
    say(f"Table: {table.folder / 'table'} (Parquet)")


def _scalars(table: SweepTable) -> Table:
    made = Table("scalar", "least", "median", "largest", "values", box=None, pad_edge=False)
    for name in table.scalars:
        values = sorted(v for row in table.done if (v := row["scalars"].get(name)) is not None)
        shown = [f"{v:.4g}" for v in (values[0], values[len(values) // 2], values[-1])] if values else ["—"] * 3
        made.add_row(escape(name), *shown, f"{len(values)} of {len(table.done)}")
    return made


def _verdicts(table: SweepTable) -> Table:
    made = Table("claim", "verdicts", box=None, pad_edge=False)
    for name in table.claims:
        counts = Counter(row["claims"][name]["verdict"] for row in table.done if name in row["claims"])
        made.add_row(escape(name), ", ".join(f"{word} {count}" for word, count in counts.most_common()))
    return made
