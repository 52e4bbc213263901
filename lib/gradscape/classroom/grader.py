"""What nbgrader's autograde uses in a course of ours: cells restored from the gradebook, marks from the judge.

Named in the course's ``nbgrader_config.py``, in the place of nbgrader's ``Execute``: nothing of a submission runs in a
kernel, and nothing that a submission prints is looked at.
"""
from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any

from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum, Float

from gradscape import catalog
from gradscape.classroom.tasks import _in_order

SLACK_S = 240.0  # for starting processes, beyond what cells and exercises may take


class Restore(NbGraderPreprocessor):
    """Gives every cell the metadata that the gradebook has for it, and takes away what it does not know."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Rewrite the metadata; sources of locked cells are nbgrader's ``OverwriteCells``'s to restore."""
        seen: set[str] = set()
        known = _from_gradebook(resources)
        for cell in nb.cells:
            name = _grade_id(cell)
            cell.metadata.pop("nbgrader", None)
            if name in known and name not in seen:
                seen.add(name)
                cell.metadata["nbgrader"] = dict(known[name]["metadata"])
        return nb, resources


class Judge(NbGraderPreprocessor):
    """Runs the judge on a submission and writes what it found into the cells' outputs."""

    cell_seconds = Float(60.0, help="seconds that one cell of a submission may take").tag(config=True)
    exercise_seconds = Float(300.0, help="seconds that checking one exercise may take").tag(config=True)
    isolation = Enum(
        ["required", "off"], "required",
        help="required: grade only where a submission can be kept from reading other files (Linux with Landlock); "
             "off: grade in a separate process without that, for submissions that you trust",
    ).tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Judge all exercises of one notebook."""
        known = _from_gradebook(resources)
        locked = {name for name, parts in known.items() if parts["locked"]}
        own = [cell for cell in nb.cells if cell.cell_type == "code" and _grade_id(cell) not in locked]
        tests = {name: parts for name, parts in known.items() if parts["points"] is not None}
        job = {
            "lesson": catalog.find(resources["nbgrader"]["notebook"]).id,
            "trusted": [known[name]["source"] for name in ("parameters", "setup")],
            "cells": [cell.source for cell in own],
            "exercises": [_exercise(name, parts["source"], known) for name, parts in sorted(tests.items())],
            "cell_seconds": self.cell_seconds, "exercise_seconds": self.exercise_seconds,
            "isolation": self.isolation, "course": str(self.parent.parent.coursedir.root) if self.parent else "",
        }
        findings = self._findings(job)
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        for finding in findings:
            if "cell" in finding:
                _show_cell(own[finding["cell"]], finding)
        verdicts = {f"check-{finding['exercise']}": finding for finding in findings if "exercise" in finding}
        silent = {"verdict": "try again", "hint": "the judge ran out of time before it came to this exercise"}
        for cell in nb.cells:
            if (name := _grade_id(cell)) in tests:
                _show_verdict(cell, verdicts.get(name, silent))
        return nb, resources

    def _findings(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        limit = SLACK_S + 2 * len(job["cells"]) * self.cell_seconds + len(job["exercises"]) * self.exercise_seconds
        command = [sys.executable, "-I", "-m", "gradscape.classroom.judge"]
        try:
            done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=limit)
            written, ended = done.stdout, f"code {done.returncode}: {done.stderr.strip()[-400:]}"
        except subprocess.TimeoutExpired as error:
            raw = error.stdout or b""
            written, ended = raw.decode() if isinstance(raw, bytes) else raw, "no time left"
        findings = [json.loads(line) for line in written.splitlines() if line.endswith("}")]
        if not findings:
            raise RuntimeError(f"grading is not possible here: {ended}")
        return [finding for finding in findings if "done" not in finding]


def _exercise(name: str, source: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    call = source.splitlines()[0]
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    fixed = {"settings"} & {name for arg in node.args for name in _in_order(arg)}
    names = [one for arg in node.args for one in _in_order(arg) if one not in fixed]
    return {"number": int(name.removeprefix("check-")), "names": names, "call": call}


def _from_gradebook(resources: Any) -> dict[str, dict[str, Any]]:
    """The cells as they were released, by their ids."""
    place = resources["nbgrader"]
    with Gradebook(place["db_url"]) as book:
        notebook = book.find_notebook(place["notebook"], place["assignment"])
        points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
        solutions = {cell.name for cell in notebook.solution_cells}
        found = {}
        for cell in notebook.source_cells:
            metadata = {
                "grade_id": cell.name, "schema_version": 3, "cell_type": cell.cell_type, "checksum": cell.checksum,
                "grade": cell.name in points, "solution": cell.name in solutions, "locked": bool(cell.locked),
                "task": False,
            }
            if cell.name in points:
                metadata["points"] = points[cell.name]
            found[cell.name] = {"source": cell.source, "locked": bool(cell.locked), "metadata": metadata,
                                "points": points.get(cell.name)}
    return found


def _grade_id(cell: Any) -> str:
    ours = cell.metadata.get("nbgrader")
    return str(ours.get("grade_id", "")) if isinstance(ours, dict) else ""


def _show_cell(cell: Any, finding: dict[str, Any]) -> None:
    if finding.get("text"):
        cell.outputs.append(new_output("stream", name="stdout", text=finding["text"]))
    if not finding["ok"]:
        cell.outputs.append(_error(finding["raised"], finding["message"]))


def _show_verdict(cell: Any, finding: dict[str, Any]) -> None:
    """A right answer prints, a wrong one is an error: that is how nbgrader tells them apart."""
    words = f"{finding['verdict']}. {finding['hint']}".strip()
    right = finding["verdict"] == "correct"
    cell.outputs = [new_output("stream", name="stdout", text=words) if right else _error("NotSolved", words)]


def _error(name: str, words: str) -> Any:
    return new_output("error", ename=name, evalue=words, traceback=[f"{name}: {words}"])
