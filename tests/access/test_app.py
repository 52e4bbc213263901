"""A lesson as an app: nothing that axe calls serious, light and dark, also with everything open that can be opened."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gradscape import catalog
from gradscape.classroom import projector

from tests.access.axe import assert_clean, open_everything
from tests.browser.app import Shown, serving
from tests.browser.page import RUN_S

pytestmark = pytest.mark.browser
pytest.importorskip("voila", reason="voila is not installed: pip install -r requirements-test.txt")
LESSON = "high_dimensional"


@pytest.fixture(scope="module")
def app(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served lesson."""
    with serving(LESSON, tmp_path_factory.mktemp("app") / "log") as address:
        yield address


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave_in_the_app(chrome: Any, app: str, theme: str) -> None:
    made = projector.notebook(catalog.find(LESSON), "smoke")
    count = sum("explorer" in cell.metadata.get("tags", []) for cell in made.cells)
    page = Shown(chrome, app + ("&" if "?" in app else "?") + f"theme={theme}")
    try:
        page.explorers(count, RUN_S)
        assert_clean(page.page)
        open_everything(page.page)
        assert_clean(page.page)
    finally:
        page.close()
