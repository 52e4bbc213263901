"""The site: nothing that axe calls serious, in both themes, on a desk and on a phone, and every figure in words."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gradscape import catalog

from tests.access.axe import assert_clean, open_everything

pytestmark = pytest.mark.browser
# a scoreboard; curves, bars and heat maps; images and panels
DAILY = ("index", "timings", "environment", "dynamics-high_dimensional", "diffusion-projected_guidance")
BOOK = ("index", "scoreboard", "docs-teaching", "reference", "ref-optimizers", "cite", "optimizers-diffgrad")
LOOKS = (("light", 1200), ("dark", 1200), ("light", 400), ("dark", 400))
DRAW_S = 30


def names() -> list[Any]:
    rest = [lesson.id.replace("/", "-") for lesson in catalog.lessons(available=True)]
    return [*DAILY, *(pytest.param(name, marks=pytest.mark.slow) for name in rest if name not in DAILY)]


def drawn(page: Any) -> Any:
    """Scroll to each figure until it is drawn; all figures."""
    figures = page.locator(".figure")
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        page.locator(".figure[data-drawn]").nth(k).wait_for(state="attached", timeout=1000 * DRAW_S)
    return figures


def look(chrome: Any, place: Path, looks: tuple[tuple[str, int], ...]) -> None:
    """Open a page in each theme and width; fail for a grave violation or a figure without words."""
    for theme, width in looks:
        view = {"width": width, "height": 900}
        context = chrome.new_context(viewport=view, color_scheme=theme, reduced_motion="reduce")
        page = context.new_page()
        page.goto(place.as_uri())
        figures = drawn(page)
        open_everything(page)
        assert_clean(page)
        for k in range(figures.count()):
            figure = figures.nth(k)
            image = figure.locator(".main-svg[role=img]")
            assert image.count() == 1, f"figure {k + 1}: {image.count()} drawings with a name"
            assert len(image.get_attribute("aria-label")) > 40, f"figure {k + 1} has no words"
        context.close()


@pytest.mark.parametrize("name", names())
def test_axe_finds_nothing_grave_on_the_site_of_a_run(chrome: Any, site: Path, name: str) -> None:
    look(chrome, site / f"{name}.html", LOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOK)
def test_axe_finds_nothing_grave_in_the_public_book(chrome: Any, public: Path, name: str) -> None:
    look(chrome, public / f"{name}.html", LOOKS[1:3])


def test_figures_and_their_tables_are_reached_by_keyboard(chrome: Any, site: Path) -> None:
    context = chrome.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto((site / "dynamics-high_dimensional.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    drawn(page)
    summary = page.locator("details.gradscape-alt > summary, .html details > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    table = summary.locator("xpath=..").locator("table").first
    table.wait_for(timeout=1000 * DRAW_S)
    assert table.locator("th[scope=col]").count() >= 2
    assert table.locator("caption").inner_text()
    context.close()
