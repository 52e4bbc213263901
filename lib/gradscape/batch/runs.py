"""The command ``gradscape run`` as a call: options checked, lessons executed, outputs stored, scoreboard and site."""
from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from gradscape.batch import parameters, plan, progress, report, scoreboard, stored
from gradscape.batch import run as running
from gradscape.batch.execute import TIMEOUTS
from gradscape.batch.outcome import Outcome
from gradscape.batch.plan import Plan
from gradscape.batch.points import Point
from gradscape.batch.store import Store
from gradscape.datasets.integrity import DataError


class Refused(ValueError):
    """Options that cannot be carried out: nothing was started and nothing written."""


@dataclass(frozen=True)
class Options:
    """What was asked for; ``words`` is the command line, kept in the run's record."""

    names: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    profile: str | None = None
    workers: int | None = None
    timeout: float | None = None
    out: Path | None = None
    resume: Path | None = None
    store: bool = False
    explorers: bool = False
    words: tuple[str, ...] = ()

    def check(self) -> None:
        """:class:`Refused` for options that contradict each other."""
        fixed = {"LESSONS": self.names, "-p": self.parameters, "--profile": self.profile, "--out": self.out,
                 "--store": self.store}
        changed = [word for word, given in fixed.items() if given]
        if self.resume is not None and changed:
            what = "goes on with what that run was asked for"
            raise Refused(f"--resume {self.resume}: {what}; {', '.join(changed)} cannot be given with it")
        if self.store and (self.parameters or self.profile not in (None, "quick")):
            raise Refused("--store: the course keeps outputs of default parameters in the profile quick only")
        if stored.START in self.names and not self.store:
            raise Refused(f"{stored.START}: is no lesson; `gradscape run {stored.START} --store` refreshes it")


def perform(options: Options, console: Console) -> bool:
    """Do what ``gradscape run`` does; returns whether everything finished.

    :class:`Refused` before anything was started, ``StoreError`` when the run's folder cannot be written,
    :class:`~gradscape.batch.run.Interrupted` on Ctrl-C.
    """
    options.check()
    names = [name for name in options.names if name != stored.START]
    well = True
    if names or not options.names:
        well = _lessons(names, options, console)
    if options.store and (not options.names or stored.START in options.names):
        well &= _store_start_page(options.timeout, console)
    return well


def _lessons(names: Sequence[str], options: Options, console: Console) -> bool:
    started = time.monotonic()
    folder, planned = _prepare(names, options)
    outcomes = running.carry_out(
        folder, planned, workers=options.workers, timeout=options.timeout,
        headless="check" if options.explorers else "1", observer=progress.observer(console),
    )
    well = all(outcome.done for outcome in outcomes.values())
    if options.store:
        well &= _store_outputs(planned.points, outcomes, console)
    progress.print_board(console, scoreboard.board(folder), time.monotonic() - started)
    console.print(f"Site: {report.build(folder).resolve()}", markup=False, soft_wrap=True)
    return well


def _prepare(names: Sequence[str], options: Options) -> tuple[Store, Plan]:
    try:
        if options.resume is not None:
            folder = Store.open(options.resume)
            return folder, running.replan(folder)
        assignments = parameters.parse(options.parameters, options.profile)
        planned = plan.make(plan.select(names), assignments)
        if not planned.points:
            raise ValueError("no lesson is available yet; `gradscape list` shows what is planned")
        return running.start(planned, options.out, {"command": shlex.join(options.words)}), planned
    except (ValueError, FileNotFoundError, DataError) as error:
        raise Refused(str(error)) from error


def _store_outputs(points: Sequence[Point], outcomes: Mapping[str, Outcome], console: Console) -> bool:
    """Write the outputs of finished lessons back into their notebooks; returns whether all could be stored."""
    well = True
    for point in points:
        outcome = outcomes[point.lesson]
        if not outcome.done:
            continue
        try:
            words = "stored" if stored.refresh(point.notebook, outcome) else "unchanged"
            console.print(f"{point.lesson}: {words}, {point.notebook.stat().st_size // 1000} kB", markup=False)
        except (ValueError, OSError) as error:
            console.print(f"{point.lesson}: not stored: {error}", markup=False, style="red")
            well = False
    return well


def _store_start_page(timeout: float | None, console: Console) -> bool:
    if not stored.start_page().exists():
        return True
    outcome = stored.refresh_start(timeout or TIMEOUTS["quick"])
    words = "stored" if outcome.error is None else f"{outcome.status}, {outcome.error.line()}"
    console.print(f"{stored.START}: {words}", markup=False, style=None if outcome.done else "red")
    return outcome.done
