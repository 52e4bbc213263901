"""Outputs that go back into the course are free of whatever differs by machine or day."""
from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from gradscape import catalog
from gradscape.batch import hygiene, stored
from gradscape.batch.notebooks import WIDGET
from gradscape.batch.outcome import DONE, FAILED, Outcome

from tests.batch import toy

out = nbformat.v4.new_output


def executed(body: str | None = None) -> nbformat.NotebookNode:
    node = toy.notebook(body=body)
    for number, cell in enumerate(c for c in node.cells if c.cell_type == "code"):
        cell.execution_count = number + 1
        cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
        cell.metadata["papermill"] = {"duration": 1.0}
        cell.outputs = [out("stream", name="stdout", text="fine\n")]
    node.metadata["widgets"] = {"state": {}}
    node.metadata["papermill"] = {"start_time": "2026"}
    node.metadata["language_info"] = {"name": "python", "version": "3.11.2"}
    claims = [{"id": "N1", "kind": "paper", "verdict": "reproduced"}]
    node.cells[9].outputs = [out("display_data", {"text/plain": "ledger"}, metadata={"gradscape": {"claims": claims}})]
    return node


def outcome(node: nbformat.NotebookNode, status: str = DONE) -> Outcome:
    return Outcome("key", status, notebook=nbformat.writes(node))


def test_a_refreshed_notebook_has_no_fault(course):
    course()
    place = catalog.find("plain").notebook
    assert stored.refresh(place, outcome(executed()))
    assert list(hygiene.notebook_faults(place, toy.Settings)) == []
    before = place.read_bytes()
    assert not stored.refresh(place, outcome(executed()))
    assert place.read_bytes() == before


def test_paths_timestamps_and_widgets_are_taken_out(course):
    root = course()
    package = Path(catalog.PACKAGE.parent)
    node = executed()
    node.cells[4].outputs = [
        out("stream", name="stderr", text=f"{root}/notebooks/x.ipynb\n{package}/gradscape/lesson.py:3: Warning\n"),
        out("stream", name="stderr", text=f"{sys.prefix}/lib/python3.11/site-packages/torch/x.py\n{Path.home()}/y\n"),
        out("stream", name="stderr", text="/tmp/ipykernel_123/456.py:2: Warning\n"),
        out("display_data", {WIDGET: {"model_id": "1"}}),
        out("display_data", {WIDGET: {"model_id": "1"}, "text/plain": "slider"}),
    ]
    place = catalog.find("plain").notebook
    stored.refresh(place, outcome(node))
    text = place.read_text()
    for word in (str(root), str(package), sys.prefix, "model_id", "iopub", "papermill", "3.11.2", "/tmp/"):
        assert word not in text
    outputs = nbformat.read(place, as_version=4).cells[4].outputs
    assert outputs[0].text.splitlines() == ["notebooks/x.ipynb", "lib/gradscape/lesson.py:3: Warning"]
    assert outputs[1].text.startswith("site-packages/torch/x.py")
    assert outputs[2].text == "cell:2: Warning\n"
    assert [o.data for o in outputs[3:]] == [{"text/plain": "slider"}]


@pytest.mark.parametrize(("node", "status", "words"), [
    (executed("print('other')"), DONE, "no longer those"), (executed(), FAILED, "only a finished run"),
])
def test_what_is_not_a_finished_run_of_these_cells_is_refused(course, node, status, words):
    course()
    place = catalog.find("plain").notebook
    before = place.read_bytes()
    with pytest.raises(ValueError, match=words):
        stored.refresh(place, outcome(node, status))
    assert place.read_bytes() == before


def test_text_that_only_looks_like_a_path_is_left():
    for text in ("1/2", "a /b", "https://arxiv.org/abs/1", "log10(x)/n"):
        assert stored.without_paths(text) == text
