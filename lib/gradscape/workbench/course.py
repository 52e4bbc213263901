"""The map of the course, as a reader sees it on the start page."""
from __future__ import annotations

from dataclasses import dataclass
from html import escape

from gradscape import catalog
from gradscape.lesson.ledger import SIGNS

MEANINGS = {
    "reproduced": "every part of the criterion held: the paper's sentence shows at this scale",
    "partly": "some parts held, others did not; the row says which",
    "not reproduced": "no part held, or a measurement shows that the sentence fails here; the row gives the value",
    "not tested at this scale": "this profile, or any laptop, is too small; the row says what it would take",
    "holds": "a control or a limit of ours, not the paper's: it held",
    "does not hold": "a control or a limit of ours: it did not hold",
    "reported": "measured and shown without a criterion",
}


@dataclass(frozen=True)
class CourseMap:
    """Units and lessons with state, minutes and links, as a table; ``folder`` leads to the notebooks."""

    folder: str = "."

    def _repr_markdown_(self) -> str:
        return "\n\n".join(self._unit(unit) for unit in catalog.units())

    def _unit(self, unit: catalog.Unit) -> str:
        rows = [self._row(lesson) for lesson in catalog.lessons() if lesson.unit == unit.name]
        head = "| lesson | the question | paper | minutes | state |\n|---|---|---|---|---|"
        return f"### {unit.title}\n{unit.about}\n\n" + "\n".join([head, *rows])

    def _row(self, lesson: catalog.Lesson) -> str:
        name = f"[{lesson.slug}]({self.folder}/{lesson.id}.ipynb)" if lesson.available else lesson.slug
        paper = f"[{escape(lesson.title)}]({lesson.url}), {lesson.year}"
        return f"| {name} | {lesson.short} | {paper} | {lesson.minutes} | {lesson.state} |"

    def __repr__(self) -> str:
        ready = catalog.lessons(available=True)
        return f"{len(catalog.lessons())} papers, {len(ready)} lessons available: " + ", ".join(x.id for x in ready)


def course_map(folder: str = ".") -> CourseMap:
    """The whole course: what there is, how long it takes, and where it is."""
    return CourseMap(folder)


@dataclass(frozen=True)
class VerdictWords:
    """The words a ledger uses, with their signs and meanings."""

    def _repr_markdown_(self) -> str:
        rows = [f"| {SIGNS[word][0]} **{word}** | {meaning} |" for word, meaning in MEANINGS.items()]
        return "\n".join(["| verdict | meaning |", "|---|---|", *rows])

    def __repr__(self) -> str:
        return "\n".join(f"{word}: {meaning}" for word, meaning in MEANINGS.items())


def verdict_words() -> VerdictWords:
    """How to read a ledger's last column."""
    return VerdictWords()
