"""Stored notebooks: an execution's outputs go back into the course, freed of what differs by machine or day."""
from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import atomic, notebooks
from gradscape.batch.execute import Limits, Work, execute
from gradscape.batch.outcome import Outcome

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
# Metadata that an execution leaves and that says when, where or by what it ran.
VOLATILE = ("execution", "papermill", "widgets", "ExecuteTime")
START = "start_here"


def refresh(place: Path, outcome: Outcome) -> bool:
    """Write a finished execution's outputs back into the stored notebook at ``place``, atomically.

    Returns whether anything changed. ``ValueError`` if the outcome is not a finished run of these very cells.
    """
    if not outcome.done or outcome.notebook is None:
        raise ValueError(f"{place.name}: only a finished run can be stored, this one {outcome.status}")
    notebooks.without_slow_grammar()
    import nbformat

    stored, executed = notebooks.read(place), nbformat.reads(outcome.notebook, as_version=4)
    if [cell.source for cell in stored.cells] != [cell.source for cell in executed.cells]:
        raise ValueError(f"{place.name}: its cells are no longer those that were executed; run it again")
    for cell, ran in zip(stored.cells, executed.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    text = nbformat.writes(tidy(stored), indent=1, sort_keys=True) + "\n"
    if place.read_text(encoding="utf-8") == text:
        return False
    atomic.write_text(place, text)
    return True


def refresh_start(timeout: float) -> Outcome:
    """Execute the course's first page, which is no lesson and has no parameters, and store its outputs."""
    place = start_page()
    outcome = execute(Work(START, START, place.read_text(encoding="utf-8"), {}, Limits(timeout)))
    if outcome.done:
        refresh(place, outcome)
    return outcome


def start_page() -> Path:
    """The notebook that a reader opens first."""
    return catalog.root() / "notebooks" / f"{START}.ipynb"


def tidy(notebook: Any) -> Any:
    """Take out widget state, timestamps, papermill's notes and absolute paths; the notebook is changed in place."""
    notebook.metadata = {"kernelspec": dict(KERNELSPEC), "language_info": dict(LANGUAGE)}
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    for cell in notebook.cells:
        for name in VOLATILE:
            cell.metadata.pop(name, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_tidy_output, cell.outputs) if output is not None]
    return notebook


def _tidy_output(output: Any) -> Any:
    if output.output_type == "stream":
        output.text = without_paths(output.text)
        return output
    if output.output_type == "error":
        output.traceback = [without_paths(line) for line in output.traceback]
        return output
    output.data.pop(notebooks.WIDGET, None)
    for mime, value in output.data.items():
        if isinstance(value, str) and mime.startswith("text/"):
            output.data[mime] = without_paths(value)
    return output if output.data else None


def without_paths(text: str) -> str:
    """Text with paths of this machine made relative to the course, to ``site-packages`` or to the home folder."""
    places = {str(catalog.root()): "", str(catalog.PACKAGE.parent): "lib"}
    for place, instead in sorted(places.items(), key=lambda item: -len(item[0])):
        text = text.replace(place + "/", f"{instead}/" if instead else "").replace(place, instead or ".")
    text = re.sub(r"(?:/[\w.+-]+)+/(site-packages|python3\.\d+)/", r"\1/", text)
    text = re.sub(r"/tmp/ipykernel_\d+/\d+\.py", "cell", text)
    text = text.replace(sys.executable, "python")
    return text.replace(str(Path.home()) + "/", "~/") if str(Path.home()) != "/" else text
