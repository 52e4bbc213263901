"""The command line: lessons are listed, shown, run, swept, measured, reported, checked; data fetched; the lab opened.

Nothing but arguments and calls; each command imports what it needs, so that ``--help`` is quick.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gradscape.classroom import commands as classroom

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="gradscape", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="27 papers about gradients, noise and learning: run them, see which claims hold.",
)
data = typer.Typer(no_args_is_help=True, help="Full data sets, fetched once with checksums.")
app.add_typer(data, name="data")
app.add_typer(classroom.app, name="class")
app.command()(classroom.new)

WRONG, FAILED, INTERRUPTED = 2, 1, 130

Lesson = Annotated[str, typer.Argument(help="unit/slug, or the slug alone")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="for all lessons, or LESSON:NAME=VALUE for one"),
]
Profile = Annotated[str | None, typer.Option(help="smoke, quick or full")]


def main() -> None:
    """Entry point of the console script."""
    app()


def _stop(message: object, code: int = WRONG) -> NoReturn:
    typer.echo(str(message), err=True)
    raise typer.Exit(code)


def _checked(call: Callable[[], Any]) -> Any:
    """What a call returns; bad input and files that cannot be had end with one message and exit code 2."""
    try:
        return call()
    except (ValueError, OSError) as error:
        _stop(error)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


@app.command("list")
def list_lessons() -> None:
    """All lessons of the course with unit, minutes and state."""
    from gradscape import catalog
    from gradscape.batch import describe

    _checked(catalog.root)
    describe.course(_console())


@app.command()
def show(lesson: Lesson) -> None:
    """A lesson's parameters with ranges, sizes by profile, claims with criteria, prerequisites, minutes."""
    from gradscape import catalog
    from gradscape.batch import describe

    describe.lesson(_console(), _checked(lambda: catalog.find(lesson)))


@app.command()
def run(
    lessons: Annotated[list[str] | None, typer.Argument(help="lessons or units; all available ones by default")] = None,
    profile: Profile = None,
    parameter: Parameters = None,
    workers: Annotated[int | None, typer.Option(min=1, max=1024, help="processes; one per core by default")] = None,
    timeout: Annotated[float | None, typer.Option(min=1, help="seconds that one lesson may take")] = None,
    out: Annotated[Path | None, typer.Option(help="a new folder; runs/<utc>-<id>/ by default")] = None,
    resume: Annotated[Path | None, typer.Option(help="go on with the run in this folder")] = None,
    store: Annotated[bool, typer.Option("--store", help="write outputs back into the course's notebooks")] = False,
    explorers: Annotated[bool, typer.Option("--explorers", help="also try explorers at their ends")] = False,
) -> None:
    """Execute lessons, the longest first; ends with the scoreboard and the site. Exit code 1 if one did not finish."""
    from gradscape.batch import runs
    from gradscape.batch.run import Interrupted
    from gradscape.batch.store import StoreError

    options = runs.Options(
        tuple(lessons or ()), tuple(parameter or ()), profile, workers, timeout, out, resume, store, explorers,
        words=("gradscape", *sys.argv[1:]),
    )
    try:
        raise typer.Exit(0 if runs.perform(options, _console()) else FAILED)
    except (runs.Refused, StoreError) as error:
        _stop(error)
    except Interrupted as error:
        _stop(error, INTERRUPTED)


@app.command()
def sweep(
    lesson: Annotated[str | None, typer.Argument(help="unit/slug or slug; not needed to resume")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUES", help="T=log:1e-4:1:7, alpha=0.1,1,10, seed=0:20"),
    ] = None,
    profile: Profile = None,
    function: Annotated[bool, typer.Option("--function", help="call the lesson without a kernel")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="with --function: measure the claims too")] = False,
    notebooks: Annotated[bool, typer.Option("--notebooks", help="keep every executed notebook")] = False,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="of a Dask cluster (tcp://…); pool: plain processes")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=1024, help="on this machine; one per core")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="seconds that a point may take")] = None,
    memory: Annotated[float | None, typer.Option(min=0.01, help="gigabytes that a point may hold")] = None,
    retries: Annotated[int, typer.Option(min=0, max=100, help="for a point whose process died")] = 2,
    out: Annotated[Path | None, typer.Option(help="a new folder; runs/<utc>-<id>/ by default")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the one in --out, else the newest")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask about large grids")] = False,
) -> None:
    """Compute a lesson at every point of a grid; ends with a table. Exit code 1 if a point did not finish."""
    import shlex

    from gradscape.batch.run import Interrupted
    from gradscape.batch.sweeps import command
    from gradscape.batch.sweeps.api import Options

    options = Options(function, claims, True, notebooks, scheduler, workers, timeout, memory, retries,
                      shlex.join(["gradscape", *sys.argv[1:]]))
    try:
        well = command.perform(
            lesson, parameter or [], profile, options, out, resume, yes, _console(),
            lambda words: sys.stdin.isatty() and typer.confirm(words),
        )
    except Interrupted as error:
        _stop(error, INTERRUPTED)
    except (ValueError, FileNotFoundError) as error:
        _stop(error)
    raise typer.Exit(0 if well else FAILED)


@app.command()
def results(
    folder: Annotated[Path, typer.Argument(metavar="SWEEP", help="a sweep's folder")],
    csv: Annotated[Path | None, typer.Option(help="write the table there")] = None,
) -> None:
    """Print what a sweep has found so far; export its table as CSV."""
    from gradscape.batch.sweeps import command

    try:
        _checked(lambda: command.results(folder, csv, _console()))
    except OSError as error:
        _stop(f"--csv {csv}: {error.strerror}")


@app.command()
def stability(
    lessons: Annotated[list[str] | None, typer.Argument(help="lessons or units; all available ones by default")] = None,
    seeds: Annotated[int, typer.Option(min=2, max=1000, help="from 0 on")] = 20,
    profile: Annotated[str, typer.Option(help="smoke, quick or full")] = "quick",
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="as for sweep")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=1024, help="on this machine; one per core")] = None,
    out: Annotated[Path, typer.Option(help="folder of the sweeps; what is in it is not computed again")] = Path(
        "runs/stability"
    ),
) -> None:
    """Measure every claim over many seeds; writes docs/stability.md and a table per lesson."""
    from gradscape.batch.run import Interrupted
    from gradscape.batch.sweeps import stability as measuring

    try:
        place = measuring.perform(lessons or [], seeds, profile, scheduler, workers, out, _console())
    except Interrupted as error:
        _stop(error, INTERRUPTED)
    except (ValueError, FileNotFoundError) as error:
        _stop(error)
    typer.echo(str(place))


@app.command()
def record(
    lesson: Lesson,
    table: Annotated[str | None, typer.Option(help="one of the lesson's tables; all of them by default")] = None,
    profile: Profile = None,
    parameter: Parameters = None,
) -> None:
    """Measure a lesson's tables (profile full by default) and write data/results/<lesson>/<table>.json."""
    from gradscape import catalog
    from gradscape.batch import parameters
    from gradscape.batch import record as recording

    assignments = _checked(lambda: parameters.parse(list(parameter or []), profile))
    entry = _checked(lambda: catalog.find(lesson))
    for place in _checked(lambda: recording.record(entry, table, assignments)):
        typer.echo(f"{place} ({place.stat().st_size} bytes)")


@app.command()
def report(
    run_folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="a run's folder; the newest below runs/ by default")
    ] = None,
) -> None:
    """Build the site of a run again, or the pictures of a sweep, and print where they are."""
    if run_folder is not None and _checked((run_folder / "sweep.json").is_file):
        from gradscape.batch.report import sweep as pictures

        typer.echo(str(_checked(lambda: pictures.build(run_folder)).resolve()))
        return
    from gradscape.batch import report as reporting
    from gradscape.batch.store import Store

    folder = _checked(lambda: Store.open(run_folder) if run_folder is not None else Store.newest())
    typer.echo(str(_checked(lambda: reporting.build(folder)).resolve()))


@app.command()
def site(out: Annotated[Path, typer.Argument(help="a new or empty folder")]) -> None:
    """Build the public book: map, every lesson as stored, scoreboard, docs, reference; opens from a file."""
    from gradscape.batch.report import book

    try:
        place = _checked(lambda: book.build(out))
    except KeyboardInterrupt:
        _stop(f"interrupted; nothing was left at {out}", INTERRUPTED)
    typer.echo(str(place.resolve()))


@app.command()
def check(
    lessons: Annotated[list[str] | None, typer.Argument(help="lessons; all available ones if none is named")] = None,
) -> None:
    """Find faults of stored notebooks and of the catalog. Exit code 1 if there is one."""
    from gradscape.batch import hygiene, plan

    entries = _checked(lambda: plan.select(lessons)) if lessons else None
    faults = _checked(lambda: hygiene.check(entries))
    for fault in faults:
        typer.echo(fault)
    if faults:
        _stop(f"{len(faults)} fault{'s' if len(faults) != 1 else ''}", FAILED)
    typer.echo("no faults")


@app.command()
def lab(
    port: Annotated[int, typer.Option(min=1, max=65535, help="where the server listens, on this machine only")] = 8888,
    browser: Annotated[bool, typer.Option(help="open a browser")] = True,
    allow_root: Annotated[bool, typer.Option("--allow-root", help="run as root, as in a container")] = False,
) -> None:
    """Open JupyterLab on the start page; it listens on this machine only and asks for a token."""
    from gradscape.batch import lab as laboratory

    _checked(lambda: laboratory.start(port, browser, allow_root))


@data.command("list")
def list_data() -> None:
    """The sets that can be fetched, and where those are that have been."""
    from gradscape.batch import describe

    _data(lambda: describe.data_sets(_console()))


@data.command()
def fetch(name: Annotated[str, typer.Argument(help="a set of `gradscape data list`")]) -> None:
    """Download a full set into the cache and check it; nothing happens if it is there already."""
    from gradscape.batch import describe

    _data(lambda: describe.fetch(_console(), name))


def _data(call: Callable[[], None]) -> None:
    """Run a command on data sets; what cannot be had ends with its own message and exit code 1, bad names with 2."""
    from gradscape.datasets import DataError

    try:
        _checked(call)
    except DataError as error:
        _stop(error, FAILED)
    except KeyboardInterrupt:
        _stop("interrupted; nothing half-fetched was left", INTERRUPTED)


if __name__ == "__main__":
    main()
