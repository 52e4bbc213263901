"""A lesson as an app, in a real browser: explorers drawn with data, code hidden, a slider that moves the figure."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.app import Shown, serving
from tests.browser.page import RUN_S

pytestmark = pytest.mark.browser
pytest.importorskip("voila", reason="voila is not installed: pip install -r requirements-test.txt")


@pytest.fixture(scope="module")
def app(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served lesson."""
    with serving("high_dimensional", tmp_path_factory.mktemp("app") / "log") as address:
        yield address


def test_the_app_draws_hides_code_and_follows_a_slider(chrome: Any, app: str) -> None:
    from gradscape import catalog
    from gradscape.classroom import projector

    made = projector.notebook(catalog.find("high_dimensional"), "smoke")
    count = sum("explorer" in cell.metadata.get("tags", []) for cell in made.cells)
    page = Shown(chrome, app)
    try:
        explorers = page.explorers(count, RUN_S)
        first = explorers[0]
        assert first.mode in ("live", "quick")
        assert page.page.locator(".jp-CodeMirrorEditor, .jp-InputArea-editor, .highlight").count() == 0
        assert "settings" not in page.page.locator("body").inner_text()
        slider = first.root.locator(".gs-control input[type=range]").first
        assert first.moved(slider), "the slider did not change the figure"
        assert not page.foreign, f"requests that left the machine: {page.foreign}"
        assert not page.errors, f"errors in the browser: {page.errors}"
    except BaseException:
        Path("test-results").mkdir(exist_ok=True)
        page.page.screenshot(path="test-results/app.png", full_page=True)
        raise
    finally:
        page.close()
