"""``gradscape class …`` and ``gradscape new``: nothing but arguments and calls, imported with every command line."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

WRONG = 2

app = typer.Typer(no_args_is_help=True, help="For a class: assignments that grade themselves, a lesson as an app.")


@app.command()
def assignments(
    out: Annotated[Path, typer.Argument(help="a new or empty folder: the nbgrader course")],
    lessons: Annotated[list[str] | None, typer.Option(help="a lesson or a unit; repeat it for more")] = None,
    points: Annotated[float, typer.Option(min=0.01, help="marks for one exercise")] = 1.0,
    answers: Annotated[Path | None, typer.Option(help="folder with answers; tests/ of the checkout by default")] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[LESSON]...", help="further lessons")] = None,
) -> None:
    """Make nbgrader assignments of lessons' exercises, with solutions for you and hidden tests."""
    from gradscape.batch import plan
    from gradscape.classroom import assignments as making

    named = [*(lessons or []), *(more or [])]
    made = _checked(lambda: making.make(out, plan.select(named) if named else (), points, answers))
    typer.echo(f"{made}: instructor versions in source/, student versions in release/")
    typer.echo(f"next: cd {made} and see docs/teaching.md for collecting and grading")


@app.command("app")
def show_app(
    lesson: Annotated[str, typer.Argument(help="unit/slug, or the slug alone")],
    port: Annotated[int | None, typer.Option(help="where it listens on this machine; any free one by default")] = None,
    browser: Annotated[bool, typer.Option(help="open a browser")] = True,
    profile: Annotated[str, typer.Option(help="smoke, quick or full")] = "quick",
) -> None:
    """Show a lesson's explorers full screen, code hidden, for the projector."""
    from gradscape import catalog
    from gradscape.classroom import projector

    _checked(lambda: projector.serve(catalog.find(lesson), port, browser, profile))


@app.command()
def predictions(
    folder: Annotated[Path, typer.Argument(help="the folder that GRADSCAPE_PREDICTIONS named")],
) -> None:
    """Count what a class predicted, by question; nobody is named."""
    from gradscape.workbench import ballots

    for question, votes in _checked(lambda: ballots.count(folder)).items():
        typer.echo(question)
        for option, number in votes.most_common():
            typer.echo(f"  {number:3d}  {option}")


def new(
    name: Annotated[str, typer.Argument(metavar="UNIT/SLUG", help="the lesson to be written")],
) -> None:
    """Make the rooms of a new lesson in this checkout, with tests that fail until it is written."""
    from gradscape.classroom import scaffold

    for place in _checked(lambda: scaffold.make(name)):
        typer.echo(str(place))
    typer.echo("next: docs/adding_a_paper.md, and a row in lib/gradscape/catalog.toml")


def _stop(message: object) -> NoReturn:
    typer.echo(str(message), err=True)
    raise typer.Exit(WRONG)


def _checked(call: Callable[[], Any]) -> Any:
    """What a call returns; bad input ends with one message and exit code 2."""
    try:
        return call()
    except (ValueError, FileNotFoundError, OSError) as error:
        _stop(error)
