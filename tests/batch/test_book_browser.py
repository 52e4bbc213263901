"""The public book in a browser, opened from its file: search by keyboard, the theme, a figure drawn with its data."""
from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradscape.batch.report import book

from tests.batch import toy
from tests.batch.test_batch_report import pages
from tests.batch.test_book import furnish

pytestmark = pytest.mark.browser
pytest.importorskip("griffe", reason="griffelib is not installed: pip install -r requirements.txt")
WIDTHS = (380, 768, 1200)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The book of a toy course."""
    with pytest.MonkeyPatch.context() as patch:
        folder = furnish(toy.make(tmp_path_factory.mktemp("toys") / "course", patch, ("plain", "other")))
        return book.build(folder / "book", only=("validate", "workbench")).parent.resolve()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if not shutil.which("chromium"):
        pytest.skip("no Chromium; on Debian install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def tab(chrome) -> Iterator[Any]:
    """A window of a reader who prefers light; what it asks of any network or complains about fails the test."""
    context = chrome.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(30_000)
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert not complaints


def found(tab: Any) -> list[str]:
    return [" ".join(text.split()) for text in tab.locator("#found li").all_inner_texts()]


def test_search_works_by_keyboard_alone_and_leads_to_the_place(tab, made):
    tab.goto((made / "index.html").as_uri())
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "search"
    tab.keyboard.type("second PART")
    tab.wait_for_selector("#found li")
    assert found(tab)[0].startswith("Second part docs")
    assert tab.get_attribute("#search", "aria-expanded") == "true"
    assert tab.inner_text("#told").endswith("found")
    tab.keyboard.press("ArrowDown")
    assert tab.get_attribute("#search", "aria-activedescendant") == "found-0"
    assert tab.get_attribute("#found-0", "aria-selected") == "true"
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/docs-teaching.html#second-part")


@pytest.mark.parametrize(("query", "page"), [
    ("toys/plain N1", "scoreboard.html#toys/plain-N1"),
    ("nonnegative", "ref-validate.html#gradscape.validate.nonnegative"),
    ("plain experiment", "toys-plain.html#experiment"),
])
def test_search_finds_claims_functions_and_sections(tab, made, query, page):
    tab.goto((made / "docs.html").as_uri())
    tab.fill("#search", query)
    tab.wait_for_selector("#found li")
    tab.click("#found li >> nth=0")
    tab.wait_for_url(f"**/{page}")


def test_search_says_when_nothing_is_found_and_escape_shuts_it(tab, made):
    tab.goto((made / "index.html").as_uri())
    tab.fill("#search", "zzzz")
    tab.get_by_text("0 places found", exact=True).wait_for()
    assert not tab.is_visible("#found")
    tab.fill("#search", "toys")
    tab.wait_for_selector("#found li")
    tab.press("#search", "Escape")
    assert not tab.is_visible("#found")
    assert tab.input_value("#search") == "toys"


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_remembered(tab, made):
    theme = "document.documentElement.dataset.theme"
    tab.emulate_media(color_scheme="dark")
    tab.goto((made / "index.html").as_uri())
    assert tab.evaluate(theme) == "dark"
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.focus("#theme")
    tab.keyboard.press("Enter")
    assert tab.evaluate(theme) == "light"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != background
    tab.goto((made / "cite.html").as_uri())
    assert tab.evaluate(theme) == "light"


def test_a_figure_is_drawn_with_its_data(tab, made):
    tab.goto((made / "toys-plain.html").as_uri())
    figure = tab.locator(".figure").first
    figure.scroll_into_view_if_needed()
    tab.wait_for_selector(".figure[data-drawn=yes]")
    assert tab.evaluate("Array.from(document.querySelector('.figure .js-plotly-plot').data[0].y)") == [1, 2]
    assert figure.locator(".main-svg").first.get_attribute("role") == "img"


def test_bibtex_can_be_copied(tab, made):
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto((made / "cite.html").as_uri())
    tab.click("section .copied button >> nth=0")
    tab.get_by_text("Copied", exact=True).wait_for()
    assert tab.evaluate("navigator.clipboard.readText()").startswith("@misc{uthor2020plain")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_window(tab, made, width):
    tab.set_viewport_size({"width": width, "height": 900})
    for name in sorted(pages(made)):
        tab.goto((made / name).as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name


def test_the_first_key_skips_to_the_content(tab, made):
    tab.goto((made / "toys-plain.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == "#content"
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/toys-plain.html#content")
