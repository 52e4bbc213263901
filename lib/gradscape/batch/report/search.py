"""The index that the book's search reads: made from the finished pages; a script, so that it works from a file."""
from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser

FILE = "search-index.js"
# Each of these begins a piece that can be found by itself.
_STARTS = ("h1", "h2", "h3", "h4", "tr")
_SKIPPED = ("script", "style", "nav", "pre", "math", "button", "svg", "details")
_VOID = ("br", "hr", "img", "input", "wbr", "col", "meta", "link")
# Characters of text that a piece keeps; a function's first lines say what it does.
LONGEST, SHORTEST = 5000, 280


@dataclass
class Piece:
    """A heading, or a row with a name, and the text below it."""

    anchor: str
    title: str = ""
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return re.sub(r"https?://", "", " ".join(" ".join(self.words).split()))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces = [Piece("")]
        self.skipping: list[str] = []  # open tags inside what is left out
        self.main = False
        self.heading: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "main":
            self.main = True
        if self.skipping:
            if tag not in _VOID:
                self.skipping.append(tag)
        elif tag in _SKIPPED or "output" in (names.get("class") or "").split():
            self.skipping.append(tag)
        elif self.main and tag in _STARTS and (names.get("id") or tag == "h1"):
            self.pieces.append(Piece(names.get("id") or ""))
            self.heading = tag if tag != "tr" else "th"

    def handle_endtag(self, tag: str) -> None:
        if self.skipping:
            while self.skipping and self.skipping.pop() != tag:
                pass
        elif tag == "main":
            self.main = False
        elif tag == self.heading:
            self.heading = None

    def handle_data(self, data: str) -> None:
        if self.main and not self.skipping:
            piece = self.pieces[-1]
            if self.heading:
                piece.title += data
            else:
                piece.words.append(data)


def pieces(html: str) -> list[Piece]:
    """The parts of a page that can be found, without code, figures and output."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    for piece in reader.pieces:
        piece.title = " ".join(piece.title.split())
    return [piece for piece in reader.pieces if piece.title]


def index(pages: Iterable[tuple[str, str, str, str]]) -> str:
    """The script: ``pages`` are kind, file, title and HTML of each."""
    listed, found = [], []
    for number, (kind, file, title, html) in enumerate(pages):
        listed.append([kind, file, title])
        longest = SHORTEST if kind == "reference" else LONGEST
        found += [[number, piece.anchor, piece.title, piece.text[:longest]] for piece in pieces(html)]
    text = json.dumps({"pages": listed, "pieces": found}, ensure_ascii=False, separators=(",", ":"))
    return f"window.gradscapeIndex={text};\n"
