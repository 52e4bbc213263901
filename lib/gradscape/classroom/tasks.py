"""The exercises of a lesson, read from its notebook: text, stub, names, and the call that checks them."""
from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from gradscape import catalog
from gradscape.batch import notebooks
from gradscape.classroom.slices import defined_by, entry, names_in, needed


@dataclass(frozen=True)
class Task:
    """One exercise: ``names`` are what its cell defines and its check takes; ``call`` is ``view.check_<n>(…)``."""

    number: int
    text: str
    stub: str
    names: tuple[str, ...]
    call: str


def tasks_of(lesson: catalog.Lesson, notebook: Any) -> tuple[Task, ...]:
    """All exercises of a lesson, in order; ``ValueError`` where a cell has no check after it."""
    found = []
    for index in notebooks.tagged(notebook, notebooks.EXERCISE):
        stub = notebook.cells[index].source
        check = next((cell.source for cell in notebook.cells[index + 1 : index + 3] if cell.cell_type == "code"), "")
        text = notebook.cells[index - 1].source if notebook.cells[index - 1].cell_type == "markdown" else ""
        call = _call(lesson, check)
        defined = {name for statement in ast.parse(stub).body for name in defined_by(statement)}
        names = tuple(name for arg in call.args for name in _in_order(arg) if name in defined)
        function = call.func
        assert isinstance(function, ast.Attribute)
        number = int(function.attr.removeprefix("check_"))
        found.append(Task(number, text, stub, names, ast.unparse(call)))
    return tuple(found)


def solution(task: Task, answers: str) -> str:
    """Code that defines the task's names as the lesson's file of answers does."""
    expression = entry(answers, "SOLUTIONS", task.number)
    parts = needed(answers, _known(answers, expression))
    bound = ", ".join(task.names)
    return f"{parts}\n{bound} = {ast.unparse(expression)}".strip()


def _known(source: str, expression: ast.expr) -> set[str]:
    defined = {name for statement in ast.parse(source).body for name in defined_by(statement)}
    return names_in(expression) & defined


def _call(lesson: catalog.Lesson, source: str) -> ast.Call:
    try:
        statement = ast.parse(source).body[-1]
    except (SyntaxError, IndexError):
        statement = ast.Pass()
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("check_"):
        return call
    raise ValueError(f"{lesson.id}: an exercise is not followed by its check; `gradscape check` says more")


def _in_order(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    return [name for part in getattr(node, "elts", []) for name in _in_order(part)]
