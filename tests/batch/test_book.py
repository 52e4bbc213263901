"""The public book: every lesson, claim, paper and doc is in it, nothing remote is, and bad input changes nothing."""
from __future__ import annotations

import errno
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from gradscape import catalog, cli
from gradscape.batch.report import book, reference, search
from gradscape.batch.report import site as site_module
from gradscape.batch.report.reference import MissingPackage
from gradscape.batch.store import StoreError
from typer.testing import CliRunner

from tests.batch import toy
from tests.batch.test_batch_report import HOSTILE, Seen, executed, pages

pytest.importorskip("griffe", reason="griffelib is not installed: pip install -r requirements.txt")

CFF = """\
cff-version: 1.2.0
message: Please cite it.
title: "A course: toys"
type: software
version: 1.2.3
date-released: "2026-01-02"
authors:
  - name: The toy makers
  - {given-names: Ann, family-names: Other}
"""
DOC = f"""\
# Reading a ledger

About *rows* and [teaching](teaching.md#second-part).

![a picture](images/dot.png) ![gone](images/gone.png) ![far](https://e.org/x.png)

## A part {HOSTILE}

See [the lesson](../notebooks/toys/plain.ipynb), [away](https://example.org/x) and `pip --index https://example.org/whl`.
"""


def with_outputs(folder: Path, slug: str) -> None:
    """Store a toy lesson as if it had been executed: a figure, hostile texts, and a ledger with its rows."""
    node = executed(slug)
    rows = [
        {"id": "N1", "kind": "paper", "sentence": f"One is one {HOSTILE}", "where": "Sec. 1", "paper": "1",
         "measured": "x 1.02", "spread": {}, "n": 4, "criterion": "x 1 ± 0.1", "verdict": "reproduced"},
        {"id": "C1", "kind": "control", "verdict": "does not hold"},
    ]
    ledger = nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>ledger</td></tr></table>"},
                                    metadata={"gradscape": {"claims": rows, "scalars": {}}})
    node.cells[9].outputs = [ledger]
    toy.write(folder / "notebooks" / "toys" / f"{slug}.ipynb", node)


def furnish(folder: Path) -> Path:
    """Outputs for the lessons ``plain`` and ``other`` of a toy course, docs and a citation file."""
    for slug in ("plain", "other"):
        with_outputs(folder, slug)
    (folder / "docs" / "images").mkdir(parents=True)
    (folder / "docs" / "images" / "dot.png").write_bytes(b"\x89PNG")
    (folder / "docs" / "ledger.md").write_text(DOC, encoding="utf-8")
    (folder / "docs" / "teaching.md").write_text("# Teaching\n\n## First part\nx\n\n## Second part\ny\n")
    (folder / "CITATION.cff").write_text(CFF, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def package() -> Any:
    """The library as Griffe reads it, which takes seconds."""
    return reference.load()


@pytest.fixture
def toys(course, package, monkeypatch) -> Path:
    """A course of two lessons and a planned one, with docs and a citation file."""
    monkeypatch.setattr(reference, "load", lambda: package)
    return furnish(course("plain", "other"))


@pytest.fixture(scope="module")
def made(package, tmp_path_factory) -> Path:
    """The book of such a course; its reference describes two modules of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "load", lambda: package)
        folder = furnish(toy.make(tmp_path_factory.mktemp("toys") / "course", patch, ("plain", "other")))
        (folder / "papers.bib").write_text("\n\n".join(entry.bibtex() for entry in catalog.lessons()))
        return book.build(folder / "book", only=("validate", "results")).parent.resolve()


def plain_text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def index_of(made: Path) -> dict[str, Any]:
    text = (made / "assets" / search.FILE).read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.gradscapeIndex=").removesuffix(";\n"))


def test_the_book_holds_lessons_scoreboard_docs_reference_and_citations(made):
    assert set(pages(made)) == {
        "index.html", "scoreboard.html", "docs.html", "docs-ledger.html", "docs-teaching.html", "reference.html",
        "ref-validate.html", "ref-results.html", "cite.html", "toys-plain.html", "toys-other.html",
    }
    assets = {place.name for place in (made / "assets").iterdir()}
    assert assets == {"plotly.js", "site.css", "site.js", "search.js", search.FILE}
    assert not [place for place in made.parent.iterdir() if place.name.startswith(".")]


def test_no_address_leads_out_of_the_book_and_every_link_arrives(made):
    anchors = {name: {a["id"] for _, a in Seen(text).tags if a.get("id")} for name, text in pages(made).items()}
    for name, text in pages(made).items():
        for tag, attributes in Seen(text).tags:
            assert not [attribute for attribute in attributes if attribute.startswith("on")], (name, tag)
            assert tag not in ("iframe", "object", "embed", "form", "svg", "base")
            for attribute in ("src", "href", "action", "data", "poster", "srcset", "formaction", "background"):
                value = attributes.get(attribute)
                if value is None or value.startswith("data:"):
                    continue
                target, _, anchor = value.partition("#")
                assert (made / (target or name)).is_file(), f"{name}: <{tag} {attribute}={value!r}>"
                if anchor and anchor != "content":
                    assert anchor in anchors[target or name], f"{name}: {value}"
        bare = re.sub(r"<pre.*?</pre>|<code.*?</code>|data:[^\"]*", "", text, flags=re.DOTALL)
        assert not re.search(r"https?://", bare), name
        policy = next(a["content"] for tag, a in Seen(text).tags if a.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in policy
    for name in ("site.css", "site.js", "search.js"):
        text = (made / "assets" / name).read_text()
        assert "//" not in re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE), name
    assert "://" not in (made / "assets" / search.FILE).read_text()


def test_each_page_has_its_landmarks_and_one_title_and_skips_no_level_of_headings(made):
    for name, text in pages(made).items():
        tags = [tag for tag, _ in Seen(text).tags]
        assert tags.count("h1") == 1, name
        assert {"header", "nav", "main", "footer"} <= set(tags)
        assert Seen(text).tags[tags.index("body") + 1][1].get("href") == "#content"
        for tag, attributes in Seen(text).tags:
            assert tag != "img" or attributes.get("alt") or not attributes.get("src"), name
        if name.startswith(("ref", "cite", "index", "docs.html", "scoreboard")):
            levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
            assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), (name, levels)


def test_the_map_leads_to_every_lesson_and_marks_the_planned_one(made):
    text = pages(made)["index.html"]
    assert '<a href="toys-plain.html">What is plain?</a>' in text
    assert '<a href="toys-other.html">What is other?</a>' in text
    stop = text[text.index("What is later?"):]
    assert "planned" in stop[:120]
    assert "toys-later" not in text
    assert "3 research papers" in text
    assert "(1 of them planned)" in text


def test_a_lesson_stands_below_its_prerequisite(toys, monkeypatch):
    units, (plain, other, later) = catalog._course()
    other = other.model_copy(update={"prerequisites": ("toys/plain",)})
    monkeypatch.setattr(catalog, "_course", lambda: (units, (plain, other, later)))
    made = book.build(toys / "book", only=("validate",)).parent
    tree = pages(made)["index.html"]
    assert '<ul aria-label="After What is plain?"><li' in tree.replace("\n", "")
    plain_page, other_page = pages(made)["toys-plain.html"], pages(made)["toys-other.html"]
    assert "Leads to" in plain_page
    assert "First do" in other_page
    assert "Leads to" not in other_page


def test_a_lesson_shows_its_paper_figures_and_verdicts(made):
    text = pages(made)["toys-plain.html"]
    for words in ("The paper of plain", "A. Uthor (2020)", "arXiv 2001.00000", "profile quick, seed 0"):
        assert words in plain_text(text)
    assert '<div class="figure" role="img" aria-label="Line chart' in text
    assert '<script src="assets/plotly.js" defer>' in text
    assert 'href="cite.html#toys/plain"' in text
    assert re.search(r"<b>1</b>\s*reproduced", text)
    assert text.index("<h1") < text.index('<dl class="about">')
    assert "<script>alert" not in text


def test_the_scoreboard_holds_every_claim_of_the_stored_ledgers(made):
    text = plain_text(pages(made)["scoreboard.html"])
    for words in ("x 1.02", "x 1 ± 0.1", "2 reproduced", "2 does not hold", "quick · seed 0"):
        assert words in text
    assert re.search(r"What is later\? +toys/later +planned", text)


def test_docs_keep_their_links_and_pictures_inside_the_book(made):
    text = pages(made)["docs-ledger.html"]
    assert '<a href="docs-teaching.html#second-part">teaching</a>' in text
    assert '<a href="toys-plain.html">the lesson</a>' in text
    assert 'src="data:image/png;base64,iVBORw==" alt="a picture"' in text
    assert "[picture: gone]" in text
    assert "[picture: far]" in text
    assert 'away <span class="address">(example.org/x)</span>' in text
    listed = plain_text(pages(made)["docs.html"])
    assert "Reading a ledger About rows and teaching." in listed
    assert "First part · Second part" in listed


def test_papers_and_course_can_be_cited(made):
    text = pages(made)["cite.html"]
    entries = (made.parent / "papers.bib").read_text().split("\n\n")
    assert len(entries) == 3
    assert all(entry in text for entry in entries)
    for words in ("@software{gradscape2026", "title = {{A course: toys}}", "version = {1.2.3}",
                  "author = {{The toy makers} and Ann Other}", "Please cite it."):
        assert words in text


def test_the_reference_shows_signatures_and_docstrings(made):
    text = pages(made)["ref-validate.html"]
    assert 'id="gradscape.validate.positive"' in text
    from gradscape import validate

    assert str(validate.positive.__doc__).split(".")[0].split("``")[0].strip()[:20] in plain_text(text)
    assert "positive(name: str, " in re.sub(r"<[^>]+>", "", text)
    assert "<code>gradscape.validate</code>" in pages(made)["reference.html"]


def test_docstrings_become_markdown_with_links():
    places = {"gradscape.a.f": "ref-a.html#gradscape.a.f", "Store": "ref-b.html#x"}
    text = ("Calls :func:`gradscape.a.f` and :class:`~gradscape.b.Store`, not :meth:`gone`::\n\n"
            "    code\n\n>>> 1 + 1\n2\n\nEnd.")
    found = reference.as_markdown(text, "gradscape.a.g", places)
    assert "Calls [`f`](gradscape.a.f) and [`Store`](Store), not `gone`:\n" in found
    assert "```python\n>>> 1 + 1\n2\n```" in found
    assert found.endswith("End.")


def test_signatures_are_as_in_the_source(tmp_path):
    griffe = pytest.importorskip("griffe")
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "__init__.py").write_text('''\
"""A sample."""
from dataclasses import dataclass

def f(a: int, /, b=2, *rest: str, c: float = 1.0, **more) -> bool: ...
def g(a, *, b: int = 3): ...

@dataclass
class Box:
    """A box."""
    size: int = 1

    def grow(self, by: int) -> "Box": ...
    @property
    def volume(self) -> int: ...

class Made(ValueError):
    def __init__(self, words: str) -> None: ...
''')
    module = griffe.load("sample", search_paths=[tmp_path], allow_inspection=False)
    said = {name: reference.signature(module[name]) for name in ("f", "g", "Box", "Made", "Box.grow", "Box.volume")}
    assert said["f"] == "f(a: int, /, b=2, *rest: str, c: float = 1.0, **more) -> bool"
    assert said["g"] == "g(a, *, b: int = 3)"
    assert said["Box"] == "class Box:\n    size: int = 1"
    assert said["Made"] == "class Made(ValueError)\nMade(words: str)"
    assert said["Box.grow"].startswith("grow(by: int) -> ")
    assert said["Box.volume"] == "volume -> int"


def test_every_part_of_the_library_has_a_page(package):
    """All units, lessons and shared packages, each name described in one place."""
    found = reference.parts(package)
    names = {part.name for part in found}
    assert {f"{entry.unit}.{entry.slug}" for entry in catalog.lessons(available=True)} <= names
    assert {f"lessons.{entry.unit}.{entry.slug}" for entry in catalog.lessons(available=True)} <= names
    assert {name for group in reference.GROUPS.values() for name in group} <= names
    assert len({part.file for part in found}) == len(found)
    places = reference.addresses(found)
    assert places["gradscape.optimizers.diffgrad"].startswith("ref-optimizers.diffgrad.html")
    assert places["DiffGrad"].startswith("ref-optimizers.diffgrad.html#")


def test_the_index_finds_lessons_claims_docs_and_functions(made):
    index = index_of(made)
    kinds = {page[0] for page in index["pages"]}
    assert kinds == {"lesson", "claims", "docs", "reference", "cite", "map"}
    found = [(index["pages"][number][1], anchor, title) for number, anchor, title, _ in index["pieces"]]
    assert ("docs-teaching.html", "second-part", "Second part") in found
    assert any(file == "scoreboard.html" and anchor == "toys/plain-N1" for file, anchor, _ in found)
    assert any(file == "ref-validate.html" and anchor == "gradscape.validate.positive" for file, anchor, _ in found)
    texts = " ".join(text for *_, text in index["pieces"])
    assert "x 1.02" in texts
    assert "import math" not in texts  # code is not searched


def test_a_page_is_split_at_headings_without_code_figures_and_tables_of_contents():
    html = ("<body><nav>no</nav><main><h1>Title</h1><p>a <b>b</b><details><summary>no</summary></details></p>"
            "<h2 id='x'>Part <code>f</code></h2><pre>no</pre><div class='output big'><div>no</div>no</div><p>c<br>d</p>"
            "<table><tr id='r'><th>R <small>s</small></th><td>cell http://e.org</td></tr></table></main>no")
    assert [(p.anchor, p.title, p.text) for p in search.pieces(html)] == [
        ("", "Title", "a b"), ("x", "Part f", "c d"), ("r", "R s", "cell e.org"),
    ]


def content(folder: Path) -> dict[Path, bytes]:
    return {place: place.read_bytes() for place in folder.rglob("*") if place.is_file()}


@pytest.mark.parametrize("kind", ["full folder", "file", "name too long", "below a file"])
def test_a_place_that_is_not_free_is_one_message_and_stays_as_it_is(toys, kind):
    place = toys / "book"
    if kind == "full folder":
        place.mkdir()
        (place / "mine.txt").write_text("mine")
    elif kind == "file":
        place.write_text("mine")
    elif kind == "name too long":
        place = toys / ("x" * 300)
    else:
        (toys / "book").write_text("mine")
        place = toys / "book" / "below"
    before = content(toys)
    done = CliRunner().invoke(cli.app, ["site", str(place)])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert content(toys) == before
    assert not [name for name in toys.iterdir() if name.name.startswith(".")]


def test_an_empty_folder_is_filled_and_not_replaced(toys):
    place = toys / "book"
    place.mkdir()
    inode = place.stat().st_ino
    book.build(place, only=("validate",))
    assert place.stat().st_ino == inode
    assert (place / "index.html").is_file()
    assert not [name for name in place.iterdir() if name.name.startswith(".")]
    with pytest.raises(StoreError, match="must be a folder that is empty or does not exist yet"):
        book.build(place, only=("validate",))


@pytest.mark.parametrize("standing", [True, False])
def test_a_full_disk_is_one_message_and_nothing_is_left(toys, monkeypatch, standing):
    place = toys / "book"
    if standing:
        place.mkdir()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(site_module, "assets", full)
    before = content(toys)
    done = CliRunner().invoke(cli.app, ["site", str(place)])
    assert done.exit_code == 2
    assert done.stderr.strip() == f"{place}: cannot be written: No space left on device; nothing was left there"
    assert content(toys) == before
    assert place.exists() == standing
    assert not standing or not list(place.iterdir())


def test_without_griffe_the_message_says_what_to_install(course, monkeypatch):
    toys = course("plain")
    monkeypatch.setitem(sys.modules, "griffe", None)
    with pytest.raises(MissingPackage, match=r"pip install -r requirements\.txt"):
        book.build(toys / "book")
    assert not (toys / "book").exists()


def test_a_damaged_notebook_is_named(toys):
    (toys / "notebooks" / "toys" / "other.ipynb").write_text("{")
    with pytest.raises(ValueError, match=r"other\.ipynb is not a notebook"):
        book.build(toys / "book", only=("validate",))
    assert not (toys / "book").exists()


def test_a_course_without_docs_or_citation_has_a_book_as_well(course, package, monkeypatch):
    monkeypatch.setattr(reference, "load", lambda: package)
    course("plain")
    made = book.build(Path("book"), only=("validate",)).parent
    assert "The course" not in plain_text(pages(made)["cite.html"])


def test_a_citation_file_that_says_too_little_is_named(toys):
    (toys / "CITATION.cff").write_text("title: x")
    with pytest.raises(ValueError, match=r"CITATION\.cff: not a citation file"):
        book.build(toys / "book", only=("validate",))
