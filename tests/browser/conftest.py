"""A real browser on a private JupyterLab: started once for all tests of this folder, cut off from the world."""
from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import demo
from tests.browser.lab import Lab, running
from tests.browser.page import Guarded

HOW = "no Chromium; on Debian install it with: apt-get install chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--no-default-browser-check", "--disable-dev-shm-usage", "--disable-gpu",
]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; the test is skipped without one (a failure with GRADSCAPE_REQUIRE_ALL=1)."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), "")
    if not found:
        pytest.skip(HOW)
    pytest.importorskip("playwright", reason="playwright is not installed: pip install -r requirements-test.txt")
    return found


@pytest.fixture(scope="module")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab whose root is an empty temporary folder."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "root").mkdir()
    with running(folder / "root", folder / "private") as server:
        yield server


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Any]:
    """A headless browser. Its event loop ends with the module, so that later tests can run loops of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chrome: Any, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Any]:
    """``opened(notebook)`` opens a notebook of the lab's root and returns the :class:`Guarded` page.

    At the end it fails the test for a console error of ours or a request that left the machine, and keeps a picture in
    ``test-results/`` if the test failed.
    """
    pages: list[Guarded] = []

    def open_notebook(path: str) -> Guarded:
        pages.append(Guarded(chrome, lab, path))
        return pages[-1]

    yield open_notebook
    failed = getattr(request.node, "failed_call", False)
    for page in pages:
        if failed:
            Path("test-results").mkdir(exist_ok=True)
            page.page.screenshot(path=f"test-results/{request.node.name.replace('/', '_')}.png", full_page=True)
        page.close()
    for page in pages:
        assert not page.foreign, f"requests that left the machine: {page.foreign}"
        assert not page.errors, f"errors in the browser: {page.errors}"


@pytest.fixture
def notebook(opened: Any, lab: Lab) -> Any:
    """The notebook of :mod:`tests.browser.demo`, opened and run."""
    demo.write(lab.root / "demo.ipynb")
    page = opened("demo.ipynb")
    page.run_all()
    return page


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """Let the fixtures know whether the test itself failed."""
    report = yield
    if report.when == "call":
        item.failed_call = report.failed  # type: ignore[attr-defined]
    return report
