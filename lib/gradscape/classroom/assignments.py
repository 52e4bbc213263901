"""Make an nbgrader course of lessons' exercises: instructor and student versions, a gradebook, a configuration."""
from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import notebooks
from gradscape.classroom.tasks import Task, solution, tasks_of

STUB = "# Your answer takes the place of the dots above; other code cells may be added."
CONFIG = '''\
"""nbgrader's configuration of this course; `nbgrader autograde NAME` in this folder uses it."""
import os
import sys

c = get_config()  # noqa: F821

# nbgrader starts its helper `alembic` by name: it lies beside this Python
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])

c.CourseDirectory.course_id = {course!r}
c.ClearSolutions.code_stub = {{"python": {stub!r}}}

# A submission never runs in a kernel that decides about marks: its cells are restored from the gradebook, and
# gradscape's judge asks it for its answers from another process. Leave these lines as they are.
c.OverwriteCells.add_missing_cells = True
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput", "gradscape.classroom.grader.Restore",
    "nbgrader.preprocessors.OverwriteKernelspec", "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "gradscape.classroom.grader.Judge", "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades", "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# c.Judge.cell_seconds = 60.0        # that one cell may take
# c.Judge.exercise_seconds = 300.0   # that checking one exercise may take
'''


def make(out: Path, lessons: Sequence[catalog.Lesson], points: float = 1.0, answers: Path | None = None) -> Path:
    """Write the course to ``out``, which must be new or empty; it appears whole or not at all.

    ``answers`` is the folder of the lessons' answers, ``tests`` of a checkout by default. ``ValueError`` for a folder
    that is not empty, for answers that are not there, and without nbgrader.
    """
    require("nbgrader")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name a new folder; nothing was written")
    if not lessons:
        raise ValueError("no lesson is named: --lessons takes lessons or units, see `gradscape list`")
    sources = {lesson.slug: source(lesson, points, answers or catalog.root() / "tests") for lesson in lessons}
    target = out.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".part-"))
    try:
        name = target.name.replace(" ", "_") or "gradscape"
        (part / "nbgrader_config.py").write_text(CONFIG.format(course=name, stub=STUB), encoding="utf-8")
        for slug, notebook in sources.items():
            _write(part / "source" / slug / f"{slug}.ipynb", notebook)
            _generate(part, slug)
        os.chmod(part, 0o755)
        target.mkdir(exist_ok=True)
        if any(target.iterdir()):
            raise ValueError(f"{out} is not empty any more; nothing was written")
        for place in sorted(part.iterdir()):
            place.rename(target / place.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def require(package: str) -> None:
    """``ValueError`` that says how to install an optional package which is missing."""
    if importlib.util.find_spec(package) is None:
        how = f"pip install -e '.[class]' in the checkout, or pip install {package}"
        raise ValueError(f"{package} is not installed: {how}")


def source(lesson: catalog.Lesson, points: float, answers: Path) -> Any:
    """The instructor's notebook of a lesson: parameters, setup, and each exercise with solution and hidden test."""
    from nbformat import v4

    if not lesson.available:
        raise ValueError(f"lesson {lesson.id} is planned, not written yet; see `gradscape list`")
    place = answers / lesson.unit / f"answers_{lesson.slug}.py"
    if not place.is_file():
        raise ValueError(f"no answers at {place}: they are in the source checkout only, not in the installed package")
    stored, solved = notebooks.read(lesson.notebook), place.read_text(encoding="utf-8")
    tasks = tasks_of(lesson, stored)
    cells = [
        _text("about", f"# {lesson.short}: exercises\n\nFrom the lesson `{lesson.id}`. Run the cells from the top; "
                       "write your answers where the dots are. The check below each answer gives hints; your mark is "
                       f"made by the same checks, {points:g} for each exercise that is correct.")
    ]
    for tag in (notebooks.PARAMETERS, notebooks.SETUP):
        lines = [stored.cells[index].source for index in notebooks.tagged(stored, tag)]
        cells.append(_code(tag, "\n\n".join(lines), locked=True))
    for task in tasks:
        cells += _exercise(task, solution(task, solved), points)
    made = v4.new_notebook(cells=cells, metadata={
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
        "language_info": {"name": "python"},
    })
    return made


def _exercise(task: Task, solved: str, points: float) -> list[Any]:
    answer = f"{task.stub}\n\n### BEGIN SOLUTION\n{solved}\n### END SOLUTION"
    test = f"{task.call}\n### BEGIN HIDDEN TESTS\nassert {task.call}, 'not solved'\n### END HIDDEN TESTS"
    return [
        _text(f"text-{task.number}", task.text.removeprefix("## Exercises").strip()),
        _code(f"exercise-{task.number}", answer, solution=True),
        _code(f"check-{task.number}", test, locked=True, points=points),
    ]


def _metadata(name: str, kind: str, locked: bool, solution: bool, points: float | None) -> dict[str, Any]:
    ours = {"grade_id": name, "schema_version": 3, "cell_type": kind, "locked": locked, "solution": solution,
            "grade": points is not None, "task": False}
    if points is not None:
        ours["points"] = points
    return {"nbgrader": ours}


def _text(name: str, text: str) -> Any:
    from nbformat import v4

    return v4.new_markdown_cell(text, id=name, metadata=_metadata(name, "markdown", True, False, None))


def _code(name: str, text: str, *, locked: bool = False, solution: bool = False, points: float | None = None) -> Any:
    from nbformat import v4

    return v4.new_code_cell(text, id=name, metadata=_metadata(name, "code", locked, solution, points))


def _write(place: Path, notebook: Any) -> None:
    import nbformat

    place.parent.mkdir(parents=True)
    nbformat.write(notebook, place)


def _generate(course: Path, name: str) -> None:
    """Let nbgrader make the student version and enter the assignment into the gradebook."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    # the config file is read by nbgrader's command line only; what matters here is given directly
    settings = Config()
    settings.CourseDirectory.root = str(course)
    settings.ClearSolutions.code_stub = {"python": STUB}
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])  # nbgrader calls alembic by name
    try:
        done = NbGraderAPI(config=settings).generate_assignment(name, create=True)
    finally:
        os.environ["PATH"] = before
    logging.getLogger("traitlets").handlers.clear()
    if not done["success"]:
        raise ValueError(f"nbgrader could not make {name}: {done.get('log') or done.get('log', '')}")
