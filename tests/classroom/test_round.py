"""A whole round with nbgrader itself: generated, released, fetched, submitted by three, collected, graded, fed back."""
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from gradscape import catalog

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install -r requirements-test.txt")

pytestmark = [
    pytest.mark.standard, pytest.mark.xdist_group("classroom"), pytest.mark.filterwarnings("default"),
]
SLUG = "high_dimensional"
RIGHT = {
    "exercise-1": "interval = (0.553, 0.994)",
    "exercise-2": "import math\ndef best_time(lam, snr, inr):\n    return math.log1p(lam * (snr + inr)) / lam",
    "exercise-3": "inr_as_bad_as_zero = 3.0",
}
PARTLY = {**RIGHT, "exercise-2": "import math\ndef best_time(lam, snr, inr):\n    return math.log1p(lam * snr) / lam",
          "exercise-3": "inr_as_bad_as_zero = ..."}
BROKEN = {
    "exercise-1": "interval = (0.553, 0.994\n",
    "exercise-2": "while True:\n    pass",
    "exercise-3": "print('Exercise 3: correct'); print('1.0')\n1.0",
}


class Course:
    """An instructor's course, an exchange, and students with folders of their own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        from gradscape.classroom import assignments

        self.folder, self.patch = folder, patch
        self.root = assignments.make(folder / "course", [catalog.find(SLUG)])
        self.exchange = folder / "exchange"
        self.exchange.mkdir(mode=0o777)
        self.exchange.chmod(0o777)
        self.api = self.api_at(self.root)

    def api_at(self, root: Path) -> Any:
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import PyFileConfigLoader

        config = PyFileConfigLoader("nbgrader_config.py", path=str(self.root)).load_config()
        config.CourseDirectory.root = str(root)
        config.Exchange.root = str(self.exchange)
        config.Exchange.assignment_dir = str(root)
        config.ExchangeCollect.check_owner = False
        config.Judge.cell_seconds = 5.0
        return NbGraderAPI(config=config)

    def submit(self, student: str, answers: dict[str, str], drop: tuple[str, ...] = ()) -> None:
        from nbgrader.exchange.default import fetch_assignment, submit

        for module in (submit, fetch_assignment):
            self.patch.setattr(module, "get_username", lambda: student, raising=False)
        home = self.folder / student
        home.mkdir()
        self.patch.chdir(home)
        api = self.api_at(home)
        api.coursedir.assignment_id = SLUG
        words = {"coursedir": api.coursedir, "authenticator": api.authenticator, "config": api.config}
        fetch_assignment.ExchangeFetchAssignment(**words).start()
        place = home / SLUG / f"{SLUG}.ipynb"
        notebook = nbformat.read(place, 4)
        for cell in notebook.cells:
            name = cell.metadata.nbgrader.grade_id
            cell.source = answers.get(name, cell.source)
        notebook.cells = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id not in drop]
        nbformat.write(notebook, place)
        submit.ExchangeSubmit(**words).start()
        self.patch.chdir(self.root)

    def grade(self, student: str) -> dict[str, float]:
        """Marks by check after autograding."""
        from nbgrader.api import Gradebook

        succeed(self.api.autograde(SLUG, student, force=True))
        with Gradebook(f"sqlite:///{self.root}/gradebook.db") as book:
            sheet = book.find_submission_notebook(SLUG, SLUG, student)
            return {grade.name: grade.score for grade in sheet.grades}

    def feedback(self, student: str) -> str:
        succeed(self.api.generate_feedback(SLUG, student, force=True))
        return (self.root / "feedback" / student / SLUG / f"{SLUG}.html").read_text(encoding="utf-8")


def succeed(done: dict[str, Any]) -> None:
    assert done["success"], done.get("error") or done.get("log")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    with pytest.MonkeyPatch.context() as patch:
        before = Path.cwd()
        patch.setenv("PATH", os.environ["PATH"])
        made = Course(tmp_path_factory.mktemp("class"), patch)
        patch.chdir(made.root)
        succeed(made.api.release_assignment(SLUG))
        made.submit("right", RIGHT)
        made.submit("partly", PARTLY)
        made.submit("broken", BROKEN, drop=("check-1",))
        succeed(made.api.collect(SLUG))
        yield made
        os.chdir(before)


def test_students_get_no_solution_and_no_hidden_test(course: Course) -> None:
    student = (course.root / "release" / SLUG / f"{SLUG}.ipynb").read_text()
    teacher = (course.root / "source" / SLUG / f"{SLUG}.ipynb").read_text()
    for words in ("0.553", "log1p", "BEGIN SOLUTION", "HIDDEN", "assert"):
        assert words in teacher
        assert words not in student
    assert "def best_time(lam, snr, inr):" in student
    assert "view.check_2(best_time)" in student


def test_a_right_submission_gets_all_marks(course: Course) -> None:
    assert course.grade("right") == {"check-1": 1.0, "check-2": 1.0, "check-3": 1.0}
    assert "correct. Modes of large" in course.feedback("right")


def test_a_partly_right_one_gets_its_part_and_hints(course: Course) -> None:
    assert course.grade("partly") == {"check-1": 1.0, "check-2": 0.0, "check-3": 0.0}
    feedback = course.feedback("partly")
    assert "where does INR enter" in feedback
    assert "not attempted" in feedback


def test_a_broken_one_is_graded_all_the_same(course: Course) -> None:
    """A syntax error, an endless loop, a deleted check, and a printed mark: no mark, and each is told."""
    assert course.grade("broken") == {"check-1": 0.0, "check-2": 0.0, "check-3": 0.0}
    feedback = course.feedback("broken")
    for words in ("SyntaxError", "stopped after 5 s", "was missing from the submission"):
        assert words in feedback
