"""How a run is shown while it goes on: a bar on a terminal, plain lines elsewhere; and its end as tables."""
from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from gradscape.batch.outcome import DONE, Outcome
from gradscape.batch.scoreboard import CONTROL_VERDICTS, PAPER_VERDICTS, Board, LessonRow, sign, tally

STYLES = {
    "reproduced": "green", "holds": "green", "partly": "yellow", "not reproduced": "red", "does not hold": "red",
    "reported": "blue", "not tested at this scale": "dim", "not run": "dim", "done": "green",
}
# With more lessons than this the table of single claims would no longer be read; the site has it in any case.
LESSONS_IN_DETAIL = 6


def observer(console: Console) -> Lines | Bar:
    """A progress bar if the console is a terminal, else lines."""
    return Bar(console) if console.is_terminal else Lines(console)


class Lines:
    """One line for each lesson that ends."""

    def __init__(self, console: Console) -> None:
        self.console, self.total, self.count = console, 0, 0

    def begin(self, total: int, kept: int, workers: int) -> None:
        """Say what is about to happen."""
        self.total, self.count = total, kept
        self.console.print(_opening(total, kept, workers))

    def cell(self, lesson: str, index: int, total: int) -> None:
        """Lines do not follow single cells."""

    def ended(self, lesson: str, outcome: Outcome, place: Path) -> None:
        """Say how a lesson ended, with cell and error if it did not finish."""
        self.count += 1
        self.console.print(f"[{self.count}/{self.total}] {_ending(lesson, outcome)}", markup=False, soft_wrap=True)

    def finish(self) -> None:
        """Nothing is left open."""


class Bar(Lines):
    """A bar with the lessons that are running and the cells they are in."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.started = time.monotonic()

    def begin(self, total: int, kept: int, workers: int) -> None:
        """Show the bar of all lessons."""
        super().begin(total, kept, workers)
        self.progress.start()
        self.all = self.progress.add_task("[bold]lessons", total=total, completed=kept)

    def cell(self, lesson: str, index: int, total: int) -> None:
        """Move a lesson's own bar to a cell."""
        if lesson not in self.tasks:
            self.tasks[lesson] = self.progress.add_task(escape(lesson), total=total)
        self.progress.update(self.tasks[lesson], completed=index, total=total)

    def ended(self, lesson: str, outcome: Outcome, place: Path) -> None:
        """Take a lesson's bar away and say how it ended."""
        if lesson in self.tasks:
            self.progress.remove_task(self.tasks.pop(lesson))
        super().ended(lesson, outcome, place)
        self.progress.update(self.all, completed=self.count)

    def finish(self) -> None:
        """Remove the bar."""
        self.progress.stop()


def print_board(console: Console, board: Board, seconds: float | None = None) -> None:
    """The scoreboard at the end of a run: claims one by one for few lessons, else one line a lesson; then the sums."""
    rows = board.run
    console.print(_claims(rows) if len(rows) <= LESSONS_IN_DETAIL else _lessons(rows))
    paper, ours = tally(board.counts, PAPER_VERDICTS), tally(board.controls, CONTROL_VERDICTS)
    console.print("Claims of the papers: " + (", ".join(f"{n} {word}" for word, n in paper) or "none"))
    console.print("Controls of ours:     " + (", ".join(f"{n} {word}" for word, n in ours) or "none"))
    planned = sum(row.state == "planned" for row in board.rows)
    done = sum(row.state == DONE for row in rows)
    took = f" in {seconds:.0f} s" if seconds is not None else ""
    console.print(f"Lessons: {done} of {len(rows)} done{took}" + (f"; {planned} more are planned" if planned else ""))
    for row in board.failures:
        line = row.outcome.error.line() if row.outcome and row.outcome.error else "was not run"
        console.print(f"{row.state.upper()} {row.id}: {line}", style="red", markup=False, soft_wrap=True)


def _claims(rows: list[LessonRow]) -> Table:
    """One line for each claim, cut at the width of the terminal; criteria and whole sentences stand in the site."""
    table = Table(box=None, pad_edge=False, title="Scoreboard", title_justify="left", show_header=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        seconds = f"{row.outcome.seconds:.1f} s" if row.outcome else ""
        table.add_row(f"[bold]{escape(row.id)}[/]", _styled(row.state), seconds)
        for claim in row.claims:
            ours = "control of ours: " if claim["kind"] == "control" else ""
            moving = f"unstable, the same for {claim['unstable']}: " if claim["unstable"] else ""
            text = f"{ours}{moving}{claim['measured'] or '—'} · {claim['sentence']}"
            table.add_row(f"  {escape(claim['id'])}", _styled(claim["verdict"]), escape(text))
    return table


def _lessons(rows: list[LessonRow]) -> Table:
    table = Table(title="Scoreboard", caption=", ".join(f"{sign(word)} {word}" for word in PAPER_VERDICTS))
    table.add_column("Lesson", overflow="fold")
    table.add_column("State", no_wrap=True)
    table.add_column("Seconds", justify="right", no_wrap=True)
    table.add_column("Claims", no_wrap=True)
    table.add_column("Controls", justify="right", no_wrap=True)
    for row in rows:
        seconds = f"{row.outcome.seconds:.1f}" if row.outcome else ""
        claims = controls = ""
        if row.state == DONE:
            counts = tally(row.counts, PAPER_VERDICTS)
            claims = " ".join(f"[{STYLES.get(word, 'red')}]{sign(word)}{number}[/]" for word, number in counts)
            controls = f"{row.controls['holds']} of {sum(row.controls.values())}" if row.controls else ""
        table.add_row(escape(row.id), _styled(row.state), seconds, claims, controls)
    return table


def _styled(word: str) -> str:
    style = STYLES.get(word, "red")
    return f"[{style}]{sign(word)} {escape(word)}[/]"


def _opening(total: int, kept: int, workers: int) -> str:
    left = total - kept
    words = f"{left} lesson{'s' if left != 1 else ''} to run with {workers} worker{'s' if workers != 1 else ''}"
    return words + (f", {kept} finished before" if kept else "")


def _ending(lesson: str, outcome: Outcome) -> str:
    if outcome.done:
        return f"{lesson} done in {outcome.seconds:.1f} s"
    line = outcome.error.line() if outcome.error else ""
    return f"{lesson} {outcome.status.upper()} after {outcome.seconds:.1f} s, {line}"
