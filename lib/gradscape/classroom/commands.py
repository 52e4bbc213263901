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


def _stop(message: object) -> NoReturn:
    typer.echo(str(message), err=True)
    raise typer.Exit(WRONG)


def _checked(call: Callable[[], Any]) -> Any:
    """What a call returns; bad input ends with one message and exit code 2."""
    try:
        return call()
    except (ValueError, FileNotFoundError, OSError) as error:
        _stop(error)
