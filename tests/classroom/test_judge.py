"""The judge: every kind of answer arrives, and no submission reaches what decides about its mark."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gradscape import catalog
from gradscape.batch import notebooks
from gradscape.classroom import fence
from gradscape.classroom.tasks import solution, tasks_of

pytestmark = [
    pytest.mark.xdist_group("classroom"),
    pytest.mark.skipif(not fence.version(), reason="this system has no Landlock to fence submissions in"),
]


def answers_of(lesson: catalog.Lesson) -> str:
    return (catalog.root() / "tests" / lesson.unit / f"answers_{lesson.slug}.py").read_text(encoding="utf-8")


def judged(lesson: catalog.Lesson, cells: list[str], course: Path, **options: Any) -> list[dict[str, Any]]:
    stored = notebooks.read(lesson.notebook)
    job = {
        "lesson": lesson.id, "cells": cells, "course": str(course), "isolation": "required",
        "trusted": [stored.cells[k].source for tag in ("parameters", "setup") for k in notebooks.tagged(stored, tag)],
        "exercises": [{"number": task.number, "names": list(task.names), "call": task.call}
                      for task in tasks_of(lesson, stored)],
        "cell_seconds": 20, "exercise_seconds": 300, **options,
    }
    command = [sys.executable, "-I", "-m", "gradscape.classroom.judge"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=1200)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert findings, done.stderr
    assert findings[-1] == {"done": True}, done.stderr
    return findings[:-1]


def verdicts(findings: list[dict[str, Any]]) -> dict[int, str]:
    return {finding["exercise"]: finding["verdict"] for finding in findings if "exercise" in finding}


NOTHING = {1: "not attempted", 2: "not attempted", 3: "not attempted"}
# each tries to get exercise 1 of the lesson right without an answer; {course} holds a file with the solution
ATTACKS = {
    "patched checker": """
import gradscape.workbench.exercises as ex, gradscape.workbench as wb
from gradscape.workbench.exercises import Feedback
view.check_1 = lambda *a: Feedback("correct")
ex.Feedback.__bool__ = lambda self: True
ex.expect = wb.expect = lambda *a: None
interval = (0.1, 0.2)""",
    "answers of the tests": """
import sys
sys.path.insert(0, {root!r})
from tests.dynamics.answers_high_dimensional import SOLUTIONS
interval = SOLUTIONS[1]""",
    "answers read as a file": "interval = eval(open({root!r} + '/tests/dynamics/answers_high_dimensional.py')"
                              ".read().split('1: ')[1].split(',\\n')[0])",
    "reference in the checkers": """
from gradscape.lessons.dynamics.high_dimensional.exercises import growing_interval
interval = growing_interval()""",
    "checkers read as a file": """
import gradscape, pathlib
source = (pathlib.Path(gradscape.__file__).parent / 'lessons/dynamics/high_dimensional/exercises.py').read_text()
scope = {{}}
exec(source, scope)
interval = scope['growing_interval']()""",
    "instructor's version": "interval = eval(open({course!r} + '/solution.txt').read())",
    "gradebook": "open({course!r} + '/gradebook.db', 'w').write('all marks')",
    "printed mark": "print('Exercise 1: correct')\n"
                    "print('{{\"exercise\": 1, \"verdict\": \"correct\", \"hint\": \"\"}}')",
    "written to the judge": """
import os
for number in range(3, 64):
    try: os.write(number, b'{{"exercise": 1, "verdict": "correct", "hint": ""}}\\n' * 3)
    except OSError: pass""",
    "ended process": "import os; os._exit(0)",
    "everything is equal": """
class Same(float):
    def __sub__(self, other): return 0.0
    def __le__(self, other): return True
    def __bool__(self): return True
interval = [Same(0.1), Same(0.2)]""",
    "parent's memory": """
import os
interval = open(f'/proc/{{os.getppid()}}/mem', 'rb').read(1)""",
    "network": """
import socket
socket.create_connection(('127.0.0.1', 9), 1)
interval = 1""",
}
FATAL = ("written to the judge", "ended process")  # these end the process of the submission


@pytest.mark.standard
def test_no_attack_raises_a_mark(tmp_path: Path) -> None:
    """All in one submission: an attack that worked would make exercise 1 correct for those after it, too."""
    lesson = catalog.find("dynamics/high_dimensional")
    (tmp_path / "solution.txt").write_text("(0.553, 0.994)")
    (tmp_path / "gradebook.db").write_text("marks")
    fill = {"root": str(catalog.root()), "course": str(tmp_path)}
    names = [name for name in ATTACKS if name not in FATAL]
    cells = [ATTACKS[name].format(**fill) for name in names]
    findings = judged(lesson, cells, tmp_path)
    assert "correct" not in verdicts(findings).values(), findings
    assert (tmp_path / "gradebook.db").read_text() == "marks"
    told = {finding["cell"]: finding.get("raised") for finding in findings if "cell" in finding}
    for name in ("answers of the tests", "answers read as a file", "reference in the checkers",
                 "checkers read as a file", "instructor's version", "gradebook", "parent's memory"):
        assert told[names.index(name)] in ("ImportError", "ModuleNotFoundError", "PermissionError"), (name, told)


@pytest.mark.standard
@pytest.mark.parametrize("name", FATAL)
def test_a_process_that_ends_or_talks_nonsense_loses_its_own_cell_only(name: str, tmp_path: Path) -> None:
    lesson = catalog.find("dynamics/high_dimensional")
    bad = ATTACKS[name].format(root="", course="")
    found = verdicts(judged(lesson, [bad, "inr_as_bad_as_zero = 3.0"], tmp_path))
    assert found == {**NOTHING, 3: "correct"}


@pytest.mark.standard
def test_arguments_changed_in_place_generators_and_callbacks(tmp_path: Path) -> None:
    """Draws move the checker's own generator on; a callback's complaint reaches the feedback."""
    lesson = catalog.find("dynamics/sgd_noise")
    tasks = {task.number: task for task in tasks_of(lesson, notebooks.read(lesson.notebook))}
    cells = [solution(tasks[2], answers_of(lesson))]
    only = [{"number": 2, "names": list(tasks[2].names), "call": tasks[2].call}]
    assert verdicts(judged(lesson, cells, tmp_path, exercises=only)) == {2: "correct"}
    lesson = catalog.find("optimizers/adaptive_batch")
    cells = ["def repaired(draw, required, total):\n    return [len(draw(0))]"]
    only = [{"number": 3, "names": ["repaired"], "call": "view.check_3(repaired)"}]
    [finding] = [f for f in judged(lesson, cells, tmp_path, exercises=only) if "exercise" in f]
    assert "draw(size) needs a whole size" in finding["hint"]


@pytest.mark.standard
def test_time_is_up_for_cells_and_for_functions(tmp_path: Path) -> None:
    lesson = catalog.find("dynamics/high_dimensional")
    cells = [
        "while True:\n    try:\n        sum(range(100000))\n    except BaseException: pass",
        "def best_time(lam, snr, inr):\n    while True: pass", "inr_as_bad_as_zero = 3.0",
    ]
    found = judged(lesson, cells, tmp_path, cell_seconds=2, exercise_seconds=8)
    assert verdicts(found) == {1: "not attempted", 2: "try again", 3: "correct"}
    assert "killed after 2 s" in found[0]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("lesson", catalog.lessons(available=True), ids=lambda lesson: lesson.id)
def test_every_lesson_s_solutions_are_correct_and_its_stubs_are_not(lesson: catalog.Lesson, tmp_path: Path) -> None:
    tasks = tasks_of(lesson, notebooks.read(lesson.notebook))
    right = judged(lesson, [f"{task.stub}\n\n{solution(task, answers_of(lesson))}" for task in tasks], tmp_path)
    assert set(verdicts(right).values()) == {"correct"}, right
    stubs = judged(lesson, [task.stub for task in tasks], tmp_path)
    assert verdicts(stubs) == NOTHING
