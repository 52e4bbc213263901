"""The four rooms of a lesson that is still to be written, with tests that fail until it is."""
from __future__ import annotations

import re
from pathlib import Path

from gradscape import catalog

SCIENCE = '''"""TITLE: say in one sentence what the paper defines, and give its address."""
from __future__ import annotations

from dataclasses import dataclass

from gradscape import lesson
from gradscape.lesson import Claim, Measured, Point


@dataclass(frozen=True)
class Sizes:
    """One comment for each entry."""

    runs: int = 20  # replicates


SIZES = {"smoke": Sizes(2), "quick": Sizes(), "full": Sizes(100)}


class Settings(lesson.Settings, profiles=SIZES):
    """What a reader can move: fields made by real(), integer() and choice()."""


CLAIMS: tuple[Claim, ...] = ()  # write every claim with its criterion before anything is measured
MEASURES: dict[str, Measured] = {}


def point(settings: Settings) -> Point:
    """One experiment at the settings' own values."""
    raise NotImplementedError("docs/adding_a_paper.md, section 1")
'''
VIEW = '''"""What a reader sees of this lesson: figures, explorers, checkers."""
from __future__ import annotations

from gradscape.workbench import Feedback, checker, expect


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """The first exercise."""
    expect(False, "this checker is still to be written")
    return None
'''
TESTS = '''"""Facts about UNIT/SLUG, each with an oracle. Every test here fails until its part is written."""
from __future__ import annotations

from gradscape import catalog
from gradscape.UNIT import SLUG


def test_the_paper_is_in_the_catalog():
    assert catalog.find("UNIT/SLUG").available


def test_every_claim_is_declared_and_measured():
    assert SLUG.CLAIMS
    assert {claim.id for claim in SLUG.CLAIMS} == set(SLUG.MEASURES)


def test_the_algorithm_agrees_with_an_oracle():
    raise AssertionError("a closed form, a limiting case, finite differences or an independent implementation")


def test_the_notebook_is_written():
    assert catalog.find("UNIT/SLUG").notebook.is_file()
'''
ANSWERS = '''"""Solutions of the exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

SOLUTIONS: dict[int, object] = {}

# exercise -> (answer, part of the hint): at least three for each
WRONG: dict[int, list[tuple[object, str]]] = {}
'''


def make(name: str) -> list[Path]:
    """Write the rooms of ``unit/slug`` into the checkout; returns the files. The catalog is left to its author.

    ``ValueError`` for a malformed name, an unknown unit, rooms that exist already, and outside a checkout.
    """
    unit, _, slug = name.partition("/")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", unit) or not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        raise ValueError(f"name={name!r}: must look like unit/slug, small letters, digits and _")
    units = [known.name for known in catalog.units()]
    if unit not in units:
        raise ValueError(f"unit={unit!r}: must be one of {', '.join(units)}; enter a new one in catalog.toml first")
    root = catalog.root()
    library = root / "lib" / "gradscape"
    if not (library.is_dir() and (root / "tests").is_dir()):
        raise ValueError(f"{root} is no checkout of gradscape: a lesson is written in a clone of the repository")
    texts = {
        library / unit / f"{slug}.py": SCIENCE, library / "lessons" / unit / f"{slug}.py": VIEW,
        root / "tests" / unit / f"test_{slug}.py": TESTS, root / "tests" / unit / f"answers_{slug}.py": ANSWERS,
    }
    packages = [library / unit / slug, library / "lessons" / unit / slug]
    rooms = [*texts, *packages, root / "notebooks" / unit / f"{slug}.ipynb"]
    taken = [place for place in rooms if place.exists()]
    if taken:
        raise ValueError(f"{taken[0]} exists already; nothing was written")
    for place, text in texts.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("UNIT", unit).replace("SLUG", slug).replace("TITLE", slug), encoding="utf-8")
    return list(texts)
