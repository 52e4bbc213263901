"""A notebook in JupyterLab: our outputs hold nothing that axe calls serious, and every control is reached by Tab."""
from __future__ import annotations

from typing import Any

import nbformat
import pytest
from gradscape import catalog

from tests.access.axe import assert_clean, focused, open_everything
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser
OURS = (".jp-OutputArea", ".jp-MarkdownOutput")  # the rest of the page is JupyterLab's


def test_the_workbench_is_clean_and_goes_by_keyboard(notebook: Any) -> None:
    page = notebook.page
    live = notebook.explorers(4)[0]
    assert_clean(page, ".jp-OutputArea")

    # from the first slider on, Tab alone goes through everything, in the order that is seen
    slider = live.root.get_by_role("slider", name="T, temperature")
    slider.focus()
    order = [focused(page)]
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(focused(page))
    assert order == [
        "slider T, temperature", "text T, temperature: value", "select kind of decay", "checkbox with noise",
        "button hot", "button exponential", "button Reset",
    ]

    # ... and backwards; arrows move the slider, which says its value
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
    assert focused(page) == "slider T, temperature"
    before, said = live.drawn(), slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert live.await_change(before)
    assert slider.get_attribute("aria-valuetext") != said
    assert focused(page) == "slider T, temperature"

    # a button answers to Space and to Enter, and says that it is pressed; what changed is told in the text
    for key, name in (("Space", "hot"), ("Enter", "exponential")):
        while focused(page) != f"button {name}":
            page.keyboard.press("Tab")
        before = live.drawn()
        page.keyboard.press(key)
        assert live.await_change(before)
        live.root.locator(f"[data-preset={name}][aria-pressed=true]").wait_for(timeout=20_000)
    assert live.plot.get_attribute("aria-label").startswith("Line chart: Decay now. It falls & stays.")

    # the data table on request, by keys alone, and scrolled by them
    while focused(page) != "summary Data table":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    live.root.locator(".gs-table td").first.wait_for(timeout=20_000)
    page.keyboard.press("Tab")
    assert focused(page) == "region Data table"

    open_everything(page)
    assert_clean(page, ".jp-OutputArea")


@pytest.mark.slow
def test_a_whole_lesson_is_clean(opened: Any, lab: Lab) -> None:
    node = nbformat.read(catalog.find("high_dimensional").notebook, 4)
    at = next(k for k, cell in enumerate(node.cells) if "parameters" in cell.metadata.get("tags", []))
    node.cells.insert(at + 1, nbformat.v4.new_code_cell("profile = 'smoke'"))
    nbformat.write(node, lab.root / "lesson.ipynb")
    page = opened("lesson.ipynb")
    for place in OURS:  # as it is stored, and as it is once run
        assert_clean(page.page, place)
    page.run_all()
    open_everything(page.page)
    for place in OURS:
        assert_clean(page.page, place)
