"""The browser and the servers of tests/browser, and a site of the whole course, for the tests of access."""
from __future__ import annotations

from pathlib import Path

import pytest
from gradscape import catalog
from gradscape.batch import notebooks, plan, report, run
from gradscape.batch.outcome import DONE, Outcome

from tests.browser.conftest import chrome, chromium, lab, notebook, opened, pytest_runtest_makereport

__all__ = ["chrome", "chromium", "lab", "notebook", "opened", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site with every lesson as it is stored: what a run writes, without running anything."""
    made = plan.make(catalog.lessons(available=True))
    store = run.start(made, out=tmp_path_factory.mktemp("site") / "run")
    for point in made.points:
        stored = point.notebook.read_text(encoding="utf-8")
        carried = notebooks.gradscape_metadata(notebooks.read(point.notebook))
        store.commit(point, Outcome(point.key, DONE, notebook=stored, **carried))
    return report.build(store).parent.resolve()


@pytest.fixture(scope="session")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the public book, as ``gradscape site`` writes it."""
    pytest.importorskip("griffe", reason="griffelib is not installed: pip install -r requirements.txt")
    from gradscape.batch.report import book

    return book.build(tmp_path_factory.mktemp("book") / "book").parent.resolve()
