"""Each fault of a stored notebook and of the catalog is found and named with its cell."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from gradscape import catalog
from gradscape.batch import hygiene
from gradscape.batch.notebooks import WIDGET

from tests.batch import toy
from tests.batch.test_batch_stored import executed, outcome

out = nbformat.v4.new_output


@pytest.fixture
def clean(course) -> Any:
    """A stored notebook without a fault."""
    from gradscape.batch import stored

    course()
    place = catalog.find("plain").notebook
    stored.refresh(place, outcome(executed()))
    return nbformat.read(place, as_version=4)


def faults(node: Any) -> list[str]:
    return list(hygiene.notebook_faults(toy.write(catalog.find("plain").notebook, node), toy.Settings))


def changed(node: Any, index: int, **fields: Any) -> None:
    for name, value in fields.items():
        node.cells[index][name] = value


def printed(node: Any, output: Any) -> None:
    changed(node, 4, outputs=[output])


def tag(node: Any, index: int, *tags: str) -> None:
    node.cells[index].metadata["tags"] = list(tags)


FAULTS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda n: changed(n, 4, source="\n".join("x = 1" for _ in range(21))), "cell 5: 21 lines, 20 are allowed"),
    (lambda n: printed(n, out("stream", text="x" * 400_000)), "400000 are allowed"),
    (lambda n: n.metadata.update(widgets={"a": {}}), "notebook metadata holds 'widgets'"),
    (lambda n: n.cells[4].metadata.update(execution={}), "cell 5: metadata holds 'execution'"),
    (lambda n: n.cells[4].metadata.update(papermill={}), "cell 5: metadata holds 'papermill'"),
    (lambda n: printed(n, out("stream", text="/home/ann/x.py:1")), "cell 5: output with absolute path '/home/ann'"),
    (lambda n: printed(n, out("display_data", {"text/html": "C:\\Users\\ann"})), "cell 5: output with absolute path"),
    (lambda n: changed(n, 4, source="open('/tmp/file.txt')"), "cell 5: absolute path '/tmp/file.txt'"),
    (lambda n: changed(n, 0, source="see /usr/share/doc"), "cell 1: absolute path '/usr/share'"),
    (lambda n: n.metadata.kernelspec.update(name="conda-env"), "kernel is 'conda-env', must be 'python3'"),
    (lambda n: changed(n, 4, execution_count=None), "cell 5: no execution count"),
    (lambda n: changed(n, 4, execution_count=17), "not 1, 2, 3"),
    (lambda n: changed(n, 1, source=n.cells[1].source.replace("0.5", "0.7")), "cell 2: the parameters cell differs"),
    (lambda n: tag(n, 1), "0 cells tagged 'parameters', must be 1"),
    (lambda n: tag(n, 7, "setup"), "2 cells tagged 'setup', must be 1"),
    (lambda n: tag(n, 8), "no cell tagged 'explorer'"),
    (lambda n: tag(n, 4), "no cell tagged 'predict'"),
    (lambda n: tag(n, 11), "no cell tagged 'exercise'"),
    (lambda n: tag(n, 10), "no cell tagged 'nbval-check-output'"),
    (lambda n: changed(n, 10, outputs=[]), "cell 11: tagged nbval-check-output but stored without outputs"),
    (lambda n: changed(n, 9, outputs=[]), "no ledger among the stored outputs"),
    (lambda n: printed(n, out("error", ename="KeyError", evalue="1", traceback=[])), "stored with an error, KeyError"),
    (lambda n: printed(n, out("display_data", {WIDGET: {"model_id": "1"}})), "cell 5: stored with a live widget"),
    (lambda n: changed(n, 8, source="print(figure)"), "cell 9: the explorer uses 'figure'"),
]


@pytest.mark.parametrize(("spoil", "words"), FAULTS, ids=[words for _, words in FAULTS])
def test_each_fault_is_named(clean, spoil, words):
    assert faults(clean) == []
    spoil(clean)
    found = faults(clean)
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize("text", ["{}", "", "[]"])
def test_what_is_no_notebook_is_one_fault(course, text):
    course()
    place = catalog.find("plain").notebook
    place.write_text(text)
    (fault,) = hygiene.notebook_faults(place, toy.Settings)
    assert "is not a notebook" in fault
    place.unlink()
    (fault,) = hygiene.notebook_faults(place, toy.Settings)
    assert "no notebook at" in fault


def test_explorers_may_use_what_they_define_themselves(clean):
    body = "import numpy as np\ndef f(a):\n    return [a + b for b in range(3)]\nprint(f(total), np, math.pi)"
    changed(clean, 8, source=body)
    assert faults(clean) == []


def test_addresses_and_relative_paths_are_no_faults(clean):
    changed(clean, 0, source="# T\n[paper](https://arxiv.org/home/x) [next](../tmp/a.ipynb) `data/tmp/x` <br/>")
    assert faults(clean) == []


def test_faults_of_the_catalog(course, monkeypatch):
    root = course("plain", "other")
    assert list(hygiene.catalog_faults()) == []
    toy.write(root / "notebooks" / "toys" / "stray.ipynb", toy.notebook())
    toy.write(root / "notebooks" / "toys" / "later.ipynb", toy.notebook())
    units, lessons = catalog._course()
    spoiled = (
        lessons[0].model_copy(update={"prerequisites": ("toys/other",), "minutes": 0}), lessons[1],
        lessons[2], lessons[1].model_copy(update={"unit": "toys2"}),
    )
    monkeypatch.setattr(catalog, "_course", lambda: (units, spoiled))
    found = "\n".join(hygiene.catalog_faults())
    for words in ("toys/plain comes before its prerequisite toys/other", "minutes=0", "slug other is used 2 times",
                  "toys/later is planned, but its notebook exists", "notebooks/toys/stray.ipynb belongs to no lesson"):
        assert words in found


def test_a_module_that_cannot_be_imported_is_a_fault(course):
    course("unimportable")
    found = list(hygiene.lesson_faults(catalog.find("unimportable")))
    assert "toy.toys.unimportable cannot be imported: ImportError" in found[0]
    assert "toy.lessons.toys.unimportable cannot be imported" in found[1]
