"""The public book: the map of papers, every lesson as it is stored, the scoreboard, the docs, the library's reference.

It shares templates, cells and style with the site of a run. All pages lie in one folder, so that they open from files.
"""
from __future__ import annotations

import base64
import contextlib
import datetime
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradscape
from gradscape import catalog, provenance
from gradscape.batch import notebooks, scoreboard, stored
from gradscape.batch.outcome import DONE, Outcome
from gradscape.batch.report import cells, cite, markdown, reference, search, site
from gradscape.batch.report.markdown import Page
from gradscape.batch.scoreboard import PLANNED, Board, LessonRow
from gradscape.batch.store import StoreError, check_vacant

NAV = (
    ("index", "index.html", "Map"), ("scoreboard", "scoreboard.html", "Scoreboard"), ("docs", "docs.html", "Docs"),
    ("reference", "reference.html", "Reference"), ("cite", "cite.html", "Cite"),
)
# The docs in the order in which they are read; others follow by name.
DOCS = (
    "first_hour", "ledger", "teaching", "hubs", "sweeps", "troubleshooting", "reliability", "architecture",
    "adding_a_paper",
)
_SETTING = re.compile(r'^(profile|seed|sizes) = "?([^"#\n]*?)"?\s*(?:#.*)?$', re.MULTILINE)


@dataclass
class Doc:
    """A page of the docs: its name and file in the book, its title and first paragraph, and its text."""

    name: str
    title: str
    about: str
    text: str

    @property
    def file(self) -> str:
        return f"docs-{self.name}.html"


@dataclass
class Node:
    """A lesson on the map, with those that build on it first of all."""

    entry: catalog.Lesson
    row: LessonRow
    after: list[Node] = field(default_factory=list)


def build(place: Path, only: tuple[str, ...] | None = None) -> Path:
    """Write the book into the new or empty folder ``place`` and return its first page.

    ``only`` limits the reference to these names (``stats``, ``dynamics.high_dimensional``). The folder is filled whole
    or not at all: ``StoreError`` if it is not empty or cannot be written, ``MissingPackage`` without Griffe,
    ``ValueError`` for a damaged notebook. What was there before is never touched.
    """
    check_vacant(place, option="")
    package = reference.load()
    try:
        with _filled(place) as part:
            _Book(part, package, only).write()
    except OSError as error:
        raise StoreError(f"{place}: cannot be written: {error.strerror or error}; nothing was left there") from error
    return place / "index.html"


@contextlib.contextmanager
def _filled(place: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``place``, or whose content moves there if that folder exists and is empty."""
    inside = place.is_dir()
    if not inside:
        place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=place if inside else place.parent, prefix=".book-"))
    moved: list[Path] = []
    try:
        yield part
        if inside:
            for made in sorted(part.iterdir(), key=lambda file: file.name == "index.html"):
                moved.append(place / made.name)
                made.rename(moved[-1])
        else:
            part.chmod(0o755)
            part.rename(place)
        moved = []
    finally:
        for file in moved:
            shutil.rmtree(file, ignore_errors=True) if file.is_dir() else file.unlink(missing_ok=True)
        shutil.rmtree(part, ignore_errors=True)


class _Book:
    """One build: what all pages share, and the pages written so far, for the index."""

    def __init__(self, folder: Path, package: Any, only: tuple[str, ...] | None) -> None:
        self.folder = folder
        self.entries = catalog.lessons()
        self.board = Board(tuple(map(_row, self.entries)))
        self.docs = list(_docs(catalog.root()))
        self.parts = reference.parts(package, only)
        self.places = reference.addresses(self.parts)
        self.links = {**self.places, **{f"{doc.name}.md": doc.file for doc in self.docs}, **site.pages(self.board)}
        self.written: list[tuple[str, str, str, str]] = []
        now = datetime.datetime.now(datetime.UTC).date().isoformat()
        revision = provenance.git_revision(catalog.root())
        words = (f"Gradscape {gradscape.__version__}", f"commit {revision[:12]}" if revision else "", f"built {now}")
        self.common: dict[str, Any] = {
            "nav": NAV, "foot": ", ".join(filter(None, words)) + ".", "scores": "scoreboard.html", "timed": False,
            "board": self.board, "about": {"units": [unit.model_dump() for unit in catalog.units()]},
        }

    def write(self) -> None:
        site.assets(self.folder / "assets")
        shutil.copyfile(site.HERE / "static" / "search.js", self.folder / "assets" / "search.js")
        self._lessons()
        self._page("claims", "scoreboard.html", "Scoreboard", "scoreboard.html")
        self._docs()
        self._reference()
        papers = [(entry, next(row for row in self.board.rows if row.id == entry.id)) for entry in self.entries]
        self._page("cite", "cite.html", "How to cite", "cite.html", course=cite.course(catalog.root()), papers=papers)
        units = [(unit, _trees(unit, self.board)) for unit in catalog.units()]
        self._page("map", "index.html", "Gradscape", "landing.html", units=units, docs=self.docs)
        (self.folder / "assets" / search.FILE).write_text(search.index(self.written), encoding="utf-8")

    def _page(self, kind: str, file: str, title: str, template: str, **context: Any) -> None:
        html = site.render(template, **{**self.common, **context})
        (self.folder / file).write_text(html, encoding="utf-8")
        self.written.append((kind, file, title, html))

    def _lessons(self) -> None:
        known = {part.name: part for part in self.parts}
        names = {entry.id: entry for entry in self.entries}
        rows = {row.id: row for row in self.board.rows}
        for row, before, after in site.neighbors([row for row in self.board.rows if row.page]):
            entry, page = names[row.id], Page(self.links)
            if row.page is None or row.outcome is None or row.outcome.notebook is None:
                continue
            shown = cells.shown(site.node(row.outcome.notebook), page, {})
            head = ""
            if shown and shown[0].kind == "text" and "</h1>" in shown[0].html:  # facts stand below the title
                head, end, shown[0].html = shown[0].html.partition("</h1>")
                head += end
            code = [known[name] for name in (f"{entry.unit}.{entry.slug}", f"lessons.{entry.unit}.{entry.slug}")
                    if name in known]
            self._page(
                "lesson", row.page, row.short, "paper.html", row=row, entry=entry, head=head, cells=shown, page=page,
                code=code, before=before, after=after, first=[rows[name] for name in entry.prerequisites],
                then=[rows[e.id] for e in self.entries if entry.id in e.prerequisites],
            )

    def _docs(self) -> None:
        start = stored.start_page()
        if start.is_file():
            page = Page(self.links)
            shown = cells.shown(notebooks.read(start), page, {})
            self._page("docs", "start.html", "Start here", "notebook.html", cells=shown, page=page)
        for doc in self.docs:
            page = Page(self.links)
            html = markdown.render(doc.text, page, _pictures(doc.text, catalog.root() / "docs"))
            self._page("docs", doc.file, doc.title, "doc.html", doc=doc, html=html, page=page)
        self._page("docs", "docs.html", "Docs", "docs.html", docs=self.docs, start=start.is_file())

    def _reference(self) -> None:
        for part in self.parts:
            items = reference.describe(part, self.places, Page(self.links))
            self._page("reference", part.file, f"gradscape.{part.name}", "part.html", part=part, items=items)
        groups = {part.group: [other for other in self.parts if other.group == part.group] for part in self.parts}
        self._page("reference", "reference.html", "Reference", "reference.html", groups=groups)


def _row(entry: catalog.Lesson) -> LessonRow:
    """A lesson as it is stored: its notebook executed at the profile ``quick``, with the ledger that it carries."""
    common: dict[str, Any] = {"unit": entry.unit, "title": entry.title, "short": entry.short, "minutes": entry.minutes}
    if not entry.available:
        return LessonRow(entry.id, state=PLANNED, **common)
    node = notebooks.read(entry.notebook)
    carried = notebooks.gradscape_metadata(node)
    outcome = Outcome(entry.id, DONE, claims=carried["claims"], scalars=carried["scalars"],
                      notebook=entry.notebook.read_text(encoding="utf-8"))
    settings = {"profile": "quick", "seed": 0, "sizes": ""}
    for index in notebooks.tagged(node, notebooks.PARAMETERS):
        settings.update(_SETTING.findall(node.cells[index].source))
    return LessonRow(entry.id, state=DONE, outcome=outcome, settings=settings,
                     claims=scoreboard.claims(entry.id, outcome), **common)


def _docs(root: Path) -> Iterator[Doc]:
    """The course's docs, those that are read first before the others."""
    places = {place.stem: place for place in sorted((root / "docs").glob("*.md"))}
    for name in [*(name for name in DOCS if name in places), *(name for name in places if name not in DOCS)]:
        text = places[name].read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        yield Doc(name, title[1].strip() if title else name, _about(text), text)


def _about(text: str) -> str:
    """What a page of the docs says before its first section, else the names of its sections."""
    before, *_ = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)
    plain = [block for block in re.split(r"\n\s*\n", before) if not re.match(r"#|```|\||!\[|- |\d+\. |\s*$", block)]
    found = plain[0] if plain else " · ".join(re.findall(r"^## (.+)$", text, re.MULTILINE))
    return " ".join(re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", lambda match: match[1] or "", found).split())


def _pictures(text: str, folder: Path) -> dict[str, dict[str, str]]:
    """The pictures that a page of the docs shows, as a notebook's attachments."""
    names = [name for name in re.findall(r"!\[[^]]*\]\(([^)\s]+\.png)\)", text) if (folder / name).is_file()]
    return {name: {"image/png": base64.b64encode((folder / name).read_bytes()).decode()} for name in names}


def _trees(unit: catalog.Unit, board: Board) -> list[Node]:
    """The unit's lessons, each below the first of its prerequisites in the same unit."""
    rows = {row.id: row for row in board.rows}
    nodes = {entry.id: Node(entry, rows[entry.id]) for entry in catalog.lessons() if entry.unit == unit.name}
    roots: list[Node] = []
    for node in nodes.values():
        parent = next((name for name in node.entry.prerequisites if name in nodes), None)
        (nodes[parent].after if parent else roots).append(node)
    return roots
