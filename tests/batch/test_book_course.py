"""The book of the real course: every link arrives, no page is heavy, nothing of another machine is named."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from gradscape import catalog
from gradscape.batch.report import book

from tests.batch.test_batch_report import Seen, pages

pytestmark = pytest.mark.standard
pytest.importorskip("griffe", reason="griffelib is not installed: pip install -r requirements.txt")
HEAVIEST = 2_000_000  # bytes of a lesson with its style and scripts, before the shared script of plotly
SHARED = ("site.css", "site.js", "search.js")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The whole book, as ``gradscape site`` builds it."""
    return book.build(tmp_path_factory.mktemp("book") / "book").parent


def test_every_lesson_has_a_page_with_figures_and_claims_that_is_light(made):
    shared = sum((made / "assets" / name).stat().st_size for name in SHARED)
    for entry in catalog.lessons(available=True):
        place = made / f"{entry.unit}-{entry.slug}.html"
        text = place.read_text(encoding="utf-8")
        assert place.stat().st_size + shared <= HEAVIEST, entry.id
        assert text.count('<div class="figure"') >= 1, entry.id
        assert re.search(r"<b>\d+</b> (reproduced|partly|not reproduced)", text), entry.id
    names = {place.name for place in made.glob("*.html")}
    assert not [entry for entry in catalog.lessons(available=False) if f"{entry.unit}-{entry.slug}.html" in names]


def test_every_link_of_the_book_arrives(made):
    tags = {name: Seen(text).tags for name, text in pages(made).items()}
    anchors = {name: {a["id"] for _, a in found if a.get("id")} for name, found in tags.items()}
    lost = []
    for name, found in tags.items():
        for _, attributes in found:
            for attribute in ("href", "src"):
                value = attributes.get(attribute)
                if value is None or value.startswith("data:"):
                    continue
                target, _, anchor = value.partition("#")
                arrives = (made / target).is_file() if target else True
                if not arrives or (anchor and anchor not in anchors.get(target or name, ())):
                    lost.append(f"{name}: {value}")
    assert not lost


def test_ids_are_unique_and_each_page_has_one_title(made):
    for name, text in pages(made).items():
        ids = [a["id"] for _, a in Seen(text).tags if a.get("id")]
        assert len(ids) == len(set(ids)), (name, sorted({each for each in ids if ids.count(each) > 1}))
        assert sum(tag == "h1" for tag, _ in Seen(text).tags) == 1, name
