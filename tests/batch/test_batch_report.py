"""The site of a run: every claim on it, nothing remote in it, no text of a lesson that runs in it."""
from __future__ import annotations

import errno
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from gradscape.batch import plan, report, run
from gradscape.batch.notebooks import PLOTLY, WIDGET
from gradscape.batch.outcome import DONE, FAILED, Failure, Outcome
from gradscape.batch.report import markdown, mathml, sanitize
from gradscape.batch.report import site as site_module
from gradscape.batch.report.markdown import Page
from gradscape.batch.store import StoreError

from tests.batch import toy

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
CLAIMS = [
    {"id": "N1", "kind": "paper", "sentence": f"sentence {HOSTILE}", "where": "Sec. 1", "paper": "one",
     "measured": "x 1.02", "spread": {"x": 0.1}, "n": 4, "criterion": "x 1 ± 0.1", "verdict": "reproduced",
     "note": "a note", "recorded": ""},
    {"id": "C1", "kind": "control", "verdict": "does not hold"},
]
out = nbformat.v4.new_output


class Seen(HTMLParser):
    """Tags and attributes of a page, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def executed(slug: str) -> nbformat.NotebookNode:
    node = toy.notebook(slug)
    for number, cell in enumerate(c for c in node.cells if c.cell_type == "code"):
        cell.execution_count = number + 1
    figure = {"data": [{"y": [1, 2], "name": "</script><script>alert(1)</script>"}], "layout": {"height": 300}}
    node.cells[4].outputs = [
        out("stream", text=f"\x1b[31m{HOSTILE}\x1b[0m"), out("display_data", {"text/html": f"<b>bold</b>{HOSTILE}"}),
        out("display_data", {"text/markdown": f"[click](javascript:alert(1)) {HOSTILE}"}),
        out("display_data", {"image/svg+xml": "<svg onload='alert(1)' xmlns='http://www.w3.org/2000/svg'/>"}),
        out("display_data", {"image/png": "aGk=\" onload=\"alert(1)"}),
        out("display_data", {WIDGET: {"model_id": "1"}, "text/plain": "IntSlider()"}),
        out("display_data", {"text/latex": r"$\alpha$"}), out("display_data", {"application/x-unknown": "?"}),
        out("error", ename="E", evalue=HOSTILE, traceback=[HOSTILE]),
    ]
    node.cells[6].outputs = [out("display_data", {PLOTLY: figure, "text/plain": f"Line chart {HOSTILE}"})]
    links = "[next](../toys/other.ipynb) [away](https://example.org/x) ![p](https://e.org/p.png)"
    node.cells[3].source = f"## Heading {HOSTILE}\n{links}"
    return node


@pytest.fixture
def site(course) -> Path:
    """The site of a run with a finished lesson, one that failed, one that was not reached, and a planned one."""
    course("plain", "other", "third")
    made = plan.make(plan.select([]))
    store = run.start(made, about={"command": f"gradscape run {HOSTILE}"})
    cells = [{"index": 1, "count": 1, "tags": ["parameters"], "seconds": 0.25}]
    plain, other, _ = made.points
    store.commit(plain, Outcome(
        plain.key, DONE, seconds=3.0, start_seconds=1.0, cpu_seconds=2.0, peak_memory=2 * 10**8, cells=cells,
        claims=CLAIMS, notebook=nbformat.writes(executed("plain")),
    ))
    error = Failure("ValueError", HOSTILE, cell=8, source=HOSTILE, traceback=HOSTILE)
    store.commit(other, Outcome(other.key, FAILED, error=error, notebook=nbformat.writes(executed("other"))))
    return report.build(store).parent.resolve()


def pages(site: Path) -> dict[str, str]:
    return {place.name: place.read_text(encoding="utf-8") for place in site.glob("*.html")}


def test_one_page_for_each_executed_notebook(site):
    assert set(pages(site)) == {"index.html", "timings.html", "environment.html", "toys-plain.html", "toys-other.html"}
    assert {place.name for place in (site / "assets").iterdir()} == {"plotly.js", "site.css", "site.js"}


def test_the_scoreboard_says_what_was_claimed_measured_and_judged(site):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", pages(site)["index.html"]))
    for words in ("x 1.02", "x 1 ± 0.1", "reproduced", "one", "n = 4", "a note"):
        assert words in text
    assert "1 of 3 lessons finished; 1 more are planned" in text
    papers, ours = text.partition("Claims of the papers")[2].partition("Controls of ours")[::2]
    assert re.match(r" +1 reproduced +2 not run ", re.sub(r" +", " ", papers))
    assert "1 does not hold" in ours[:80]


def test_planned_and_unfinished_lessons_never_look_as_if_they_passed(site):
    rows = re.findall(r"<tr class=\"(?:off)?\">.*?</tr>", pages(site)["index.html"], re.DOTALL)
    states = {re.search(r"<small>(.*?)</small>", row)[1]: row for row in rows}
    assert set(states) == {"toys/plain", "toys/other", "toys/third", "toys/later"}
    assert "planned" in states["toys/later"]
    for name, word in (("toys/other", "failed"), ("toys/third", "not run"), ("toys/later", "planned")):
        assert word in states[name]
        assert "good" not in states[name]
    assert "good" in states["toys/plain"]


def test_no_address_leads_out_of_the_site(site):
    for name, text in pages(site).items():
        for tag, attributes in Seen(text).tags:
            for attribute in ("src", "href", "action", "data", "poster", "srcset", "formaction", "background"):
                value = attributes.get(attribute)
                if value is None:
                    continue
                if value.startswith(("#", "data:")):
                    continue
                target = value.partition("#")[0]
                assert (site / target).is_file(), f"{name}: <{tag} {attribute}={value!r}>"
            assert "url(" not in (attributes.get("style") or "")
        bare = re.sub(r"<pre.*?</pre>|<code.*?</code>|data:[^\"]*", "", text, flags=re.DOTALL)
        assert not re.search(r"https?://", bare), name
    for place in (site / "assets" / "site.css", site / "assets" / "site.js"):
        assert "//" not in re.sub(r"^\s*//.*$", "", place.read_text(), flags=re.MULTILINE)


def test_nothing_hostile_survives(site):
    for name, text in pages(site).items():
        scripts = [attributes for tag, attributes in Seen(text).tags if tag == "script"]
        for script in scripts:
            assert script.get("type") == "application/json" or str(script.get("src")).startswith("assets/"), name
        for tag, attributes in Seen(text).tags:
            assert not [attribute for attribute in attributes if attribute.startswith("on")], (name, tag)
            assert tag not in ("iframe", "object", "embed", "form", "svg", "base")
            assert "javascript:" not in str(attributes.get("href", ""))
        policy = next(a["content"] for tag, a in Seen(text).tags if a.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_links_between_lessons_lead_to_pages_and_others_become_text(site):
    text = pages(site)["toys-plain.html"]
    assert '<a href="toys-other.html">next</a>' in text
    assert 'away <span class="address">(example.org/x)</span>' in text
    assert "[picture: p]" in text


def test_outputs_are_shown_each_in_its_way(site):
    text = pages(site)["toys-plain.html"]
    assert '<div class="figure" role="img" aria-label="Line chart &lt;script&gt;' in text
    assert "\\u003c/script\\u003e" in text
    for words in ("ansi-red-fg", "<b>bold</b>", "data:image/svg+xml;base64,", "A live control", "not shown here"):
        assert words in text


def test_a_site_is_replaced_as_a_whole(site, course):
    (site / "stale.html").write_text("old")
    from gradscape.batch.store import Store

    assert report.build(Store.open(site.parent)).parent.resolve() == site
    assert not (site / "stale.html").exists()
    assert not [place for place in site.parent.iterdir() if place.name.startswith(".")]


def test_a_full_disk_is_one_message_and_the_run_is_kept(course, monkeypatch):
    course("plain")
    made = plan.make(plan.select([]))
    store = run.start(made)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = {place: place.read_bytes() for place in store.folder.rglob("*") if place.is_file()}
    monkeypatch.setattr(site_module, "assets", full)
    with pytest.raises(StoreError, match="cannot be written: No space left on device; nothing of the run is lost"):
        report.build(store)
    assert {place: place.read_bytes() for place in store.folder.rglob("*") if place.is_file()} == before


def test_formulas_are_drawn_without_a_script_and_unknown_ones_stay_readable():
    pytest.importorskip("math_core")
    assert "<mfrac>" in mathml.render(r"\frac{a}{b}", False)
    assert mathml.render("x", True).startswith('<span class="formula"><math display="block">')
    assert mathml.render(r"\nonsense{<b>}", False) == r'<code class="tex">\nonsense{&lt;b&gt;}</code>'
    assert "<script" not in mathml.render(r"\text{<script>alert(1)</script>}", False)


def test_markdown_keeps_formulas_apart_from_everything_else():
    html = markdown.render("| $a$ | *c* |\n|---|---|\n| $x_1$ | $y_2 < 3$ |\n\n\ue0000\ue001 $z$", Page())
    assert "<table>" in html
    assert "<em>" not in html.replace("<em>c</em>", "")
    assert "\ue000" not in html
    assert "<script" not in markdown.render(HOSTILE, Page())


def test_headings_get_anchors_of_their_own():
    page = Page()
    markdown.render("# Same\n# Same\n## $x$ & y", page)
    assert [heading.anchor for heading in page.headings] == ["same", "same-1", "x-y"]
    assert page.headings[2].text == "x & y"


@pytest.mark.parametrize("html", [
    '<p style="background:url(https://e.org/x)">t</p>', '<p style="width:expression(alert(1))">t</p>',
    '<a href="//e.org">t</a>', '<a href="java&#10;script:alert(1)">t</a>', '<img src="https://e.org/x.png">',
    '<img src="data:image/svg+xml;base64,PHN2Zz4=">', '<math><style><img src=x onerror=alert(1)></style></math>',
    '<svg><script>alert(1)</script></svg>', '<input type="image" src="https://e.org/x">', '<p id="theme">t</p>',
    '<link rel="stylesheet" href="https://e.org/x.css">', '<meta http-equiv="refresh" content="0;url=https://e.org">',
])
def test_html_is_cut_down_to_what_cannot_do_harm(html):
    for tag, attributes in Seen(sanitize.clean(html)).tags:
        assert tag in sanitize.TAGS
        assert not set(attributes) & {"id", "onerror", "src", "href"}, attributes
        assert "url" not in (attributes.get("style") or "")
        assert "expression" not in (attributes.get("style") or "")


def open_pages(site: Path, *names: str) -> tuple[list[str], list[str], dict[str, Any]]:
    """Open pages of the site from their files; what the browser asked for, complained about, and found."""
    from playwright.sync_api import sync_playwright

    asked, complaints, found = [], [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme, width in (("light", 1200), ("dark", 390)):
            tab = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda message: complaints.append(message.text))
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            for name in names:
                tab.goto((site / name).as_uri())
                for figure in tab.query_selector_all(".figure"):
                    figure.scroll_into_view_if_needed()
                    tab.wait_for_function("figure => figure.dataset.drawn", arg=figure)
                found[f"{scheme} {name}"] = tab.evaluate(
                    "() => ({theme: document.documentElement.dataset.theme, wide: document.documentElement.scrollWidth,"
                    " drawn: document.querySelectorAll('.figure .main-svg').length,"
                    " background: getComputedStyle(document.body).backgroundColor})"
                )
        browser.close()
    return asked, complaints, found


@pytest.mark.browser
def test_in_a_browser_figures_work_and_nothing_is_asked_of_any_network(site):
    if not shutil.which("chromium"):
        pytest.skip("no Chromium; on Debian install it with: apt-get install chromium")
    names = sorted(pages(site))
    asked, complaints, found = open_pages(site, *names)
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert not complaints
    for name in names:
        assert found[f"light {name}"]["theme"] == "light"
        assert found[f"dark {name}"]["theme"] == "dark"
        assert found[f"dark {name}"]["background"] != found[f"light {name}"]["background"]
        assert found[f"dark {name}"]["wide"] <= 390
        assert bool(found[f"light {name}"]["drawn"]) == name.startswith("toys-")
