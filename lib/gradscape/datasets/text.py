"""English prose in the public domain: Genesis and Exodus in the King James Version (1611), 70,949 words."""
from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from gradscape.datasets import integrity
from gradscape.validate import one_of

TEXT_FILE = "genesis_exodus.txt.gz"
SPLITS = ("train", "validation", "test", "all")
EVERY = 10  # chapters: the fifth of ten is for validation, the tenth for testing
_LINE = re.compile(r"(Ge|Exo)(\d+):(\d+) (\S.*)")
_TOKEN = re.compile(r"[a-z]+(?:['-][a-z]+)*'?|[^\sa-z]")


@dataclass(frozen=True)
class Verse:
    """One verse: its book ("Ge" or "Exo"), chapter and number (from 1), and its text as printed."""

    book: str
    chapter: int
    number: int
    text: str

    @property
    def tokens(self) -> list[str]:
        """Lower-case words and, each alone, the marks of punctuation."""
        return tokenize(self.text)


def tokenize(text: str) -> list[str]:
    """Lower-case words (with their apostrophes and hyphens) and single marks of punctuation.

    >>> tokenize("And God said, Let there be light: and there was light.")[:6]
    ['and', 'god', 'said', ',', 'let', 'there']
    """
    return _TOKEN.findall(text.lower())


def parse_verses(text: str) -> tuple[Verse, ...]:
    """Read lines such as ``Ge1:1 In the beginning ...``; ``ValueError`` for a line of another form, or none at all."""
    verses = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is not a verse: {line[:60]!r}")
        verses.append(Verse(match[1], int(match[2]), int(match[3]), match[4]))
    if not verses:
        raise ValueError("text is empty: at least one verse is needed")
    return tuple(verses)


def verses(split: str = "all") -> tuple[Verse, ...]:
    """The verses of a split: whole chapters, of which the fifth of ten validates and the tenth tests.

    Chapters are counted through both books, so that the splits share books but no passage.
    Raises ValueError for an unknown split, DataError when the file is missing or damaged.

    >>> len(verses()), verses("train")[0].text[:16]
    (2746, 'In the beginning')
    """
    one_of("split", split, SPLITS)
    everything = _verses(str(integrity.data_folder()))
    if split == "all":
        return everything
    wanted = {"validation": EVERY // 2 - 1, "test": EVERY - 1}
    chapters = {key: place for place, key in enumerate(dict.fromkeys((v.book, v.chapter) for v in everything))}
    kept = []
    for verse in everything:
        place = chapters[verse.book, verse.chapter] % EVERY
        if (place not in wanted.values()) if split == "train" else (place == wanted[split]):
            kept.append(verse)
    return tuple(kept)


@lru_cache(maxsize=2)
def _verses(_folder: str) -> tuple[Verse, ...]:
    try:
        return parse_verses(gzip.decompress(integrity.committed(TEXT_FILE)).decode("ascii"))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise integrity.DataError(f"{TEXT_FILE} is not the expected text ({error})") from error
