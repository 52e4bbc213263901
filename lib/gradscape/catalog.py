"""The course as data: papers, units, lessons, their state, and where their files are."""
from __future__ import annotations

import functools
import importlib
import os
import tomllib
import unicodedata
from pathlib import Path
from types import ModuleType
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

PACKAGE = Path(__file__).parent


class UnknownLesson(ValueError):
    """A lesson's name that the catalog does not hold."""


class Unit(BaseModel):
    """A group of lessons on one subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    about: str


class Lesson(BaseModel):
    """One paper and its lesson.

    ``minutes`` is the reading time of the whole notebook, ``prerequisites`` are ids of lessons worth doing before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    slug: str
    title: str
    short: str
    authors: tuple[str, ...]
    year: int
    arxiv: str
    venue: str = ""
    state: Literal["available", "planned"]
    minutes: int
    prerequisites: tuple[str, ...] = ()

    @field_validator("arxiv")
    @classmethod
    def _check_arxiv(cls, value: str) -> str:
        first, dot, second = value.partition(".")
        if not (dot and first.isdigit() and second.isdigit() and len(first) == 4 and len(second) in (4, 5)):
            raise ValueError(f"arxiv={value!r}: must look like 1710.03667")
        return value

    @property
    def id(self) -> str:
        """``unit/slug``, the lesson's name everywhere."""
        return f"{self.unit}/{self.slug}"

    @property
    def available(self) -> bool:
        """Whether the lesson is written; a planned one never counts as passing."""
        return self.state == "available"

    @property
    def module(self) -> str:
        """Name of the science module."""
        return f"gradscape.{self.unit}.{self.slug}"

    @property
    def view(self) -> str:
        """Name of the module with figures, explorers and checkers."""
        return f"gradscape.lessons.{self.unit}.{self.slug}"

    @property
    def notebook(self) -> Path:
        """The stored notebook."""
        return root() / "notebooks" / self.unit / f"{self.slug}.ipynb"

    def load(self) -> ModuleType:
        """Import the science module; ``ValueError`` for a planned lesson."""
        if not self.available:
            raise ValueError(f"lesson {self.id} is planned, not written yet")
        return importlib.import_module(self.module)

    @property
    def url(self) -> str:
        """Address of the paper's abstract."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def bibtex(self) -> str:
        """The paper as a BibTeX entry."""
        surname = unicodedata.normalize("NFKD", self.authors[0].split()[-1]).encode("ascii", "ignore").decode().lower()
        surname = surname.replace("-", "")
        key = f"{surname}{self.year}{self.slug.replace('_', '')}"
        note = f"\n  note = {{{self.venue}}}," if self.venue else ""
        return (f"@misc{{{key},\n  title = {{{{{self.title}}}}},\n  author = {{{' and '.join(self.authors)}}},\n"
                f"  year = {{{self.year}}},\n  eprint = {{{self.arxiv}}},\n  archivePrefix = {{arXiv}},{note}\n}}")


@functools.cache
def _course() -> tuple[tuple[Unit, ...], tuple[Lesson, ...]]:
    data = tomllib.loads((PACKAGE / "catalog.toml").read_text(encoding="utf-8"))
    found = tuple(Unit(**unit) for unit in data["unit"]), tuple(Lesson(**lesson) for lesson in data["lesson"])
    ids = {lesson.id for lesson in found[1]}
    names = {unit.name for unit in found[0]}
    for lesson in found[1]:
        unknown = set(lesson.prerequisites) - ids
        if unknown or lesson.unit not in names:
            raise ValueError(f"catalog: {lesson.id} refers to {sorted(unknown) or lesson.unit}, which is not in it")
    return found


def units() -> tuple[Unit, ...]:
    """All units, in the course's order."""
    return _course()[0]


def lessons(*, available: bool | None = None) -> tuple[Lesson, ...]:
    """All lessons in the course's order; ``available=True`` leaves out the planned ones."""
    return tuple(lesson for lesson in _course()[1] if available is None or lesson.available == available)


def find(name: str) -> Lesson:
    """A lesson by ``unit/slug`` or by its slug alone; :class:`UnknownLesson` names the near ones."""
    for lesson in lessons():
        if name in (lesson.id, lesson.slug):
            return lesson
    import difflib

    near = difflib.get_close_matches(name, [known for lesson in lessons() for known in (lesson.id, lesson.slug)], 1)
    hint = f"did you mean {near[0]}?" if near else "`gradscape list` shows all lessons"
    raise UnknownLesson(f"lesson={name!r}: no such lesson; {hint}")


def root() -> Path:
    """The folder that holds ``notebooks`` and ``data``.

    ``GRADSCAPE_ROOT`` if set, else the checkout above an editable install, else the copy inside the wheel.
    ``FileNotFoundError`` says where it looked.
    """
    named = os.environ.get("GRADSCAPE_ROOT")
    places = [Path(named).resolve()] if named else [PACKAGE.parent.parent, PACKAGE / "_root"]
    for place in places:
        if (place / "notebooks").is_dir() and (place / "data").is_dir():
            return place
    looked = ", ".join(map(str, places)) + (" (from GRADSCAPE_ROOT)" if named else "")
    raise FileNotFoundError(f"no folder with notebooks/ and data/ at {looked}")
