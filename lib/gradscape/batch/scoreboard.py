"""The scoreboard: every lesson of the course with its claims, what was measured and the verdicts."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gradscape.batch.outcome import DONE, Outcome
from gradscape.batch.store import Store
from gradscape.lesson.ledger import SIGNS

PLANNED, NOT_RUN, ABSENT = "planned", "not run", "not in this run"
# Verdicts on what papers say, best first; a control is ours and is counted apart.
PAPER_VERDICTS = ("reproduced", "partly", "not reproduced", "not tested at this scale", "reported")
CONTROL_VERDICTS = ("holds", "does not hold", "not tested at this scale")
# What a claim's row holds as long as nothing was measured.
BLANK: dict[str, Any] = {
    "id": "", "kind": "paper", "sentence": "", "where": "", "paper": None, "measured": "", "spread": {}, "n": None,
    "criterion": "", "verdict": NOT_RUN, "note": "", "recorded": "", "unstable": "",
}


@dataclass(frozen=True)
class LessonRow:
    """One lesson of the course: ``state`` is how its execution ended, or that it was not run, and why."""

    id: str
    unit: str
    title: str
    short: str
    minutes: int
    state: str
    outcome: Outcome | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    claims: tuple[dict[str, Any], ...] = ()

    @property
    def counts(self) -> Counter[str]:
        """Verdicts on what the paper says."""
        return Counter(claim["verdict"] for claim in self.claims if claim["kind"] != "control")

    @property
    def controls(self) -> Counter[str]:
        """Verdicts on controls of ours."""
        return Counter(claim["verdict"] for claim in self.claims if claim["kind"] == "control")

    @property
    def page(self) -> str | None:
        """File of the lesson's page in the site, if anything of it was executed."""
        return f"{self.id.replace('/', '-')}.html" if self.outcome and self.outcome.notebook else None


@dataclass(frozen=True)
class Board:
    """All lessons of the course in its order."""

    rows: tuple[LessonRow, ...]

    @property
    def run(self) -> list[LessonRow]:
        """Lessons that this run was asked for."""
        return [row for row in self.rows if row.state not in (PLANNED, ABSENT)]

    @property
    def failures(self) -> list[LessonRow]:
        """Lessons of this run that did not finish."""
        return [row for row in self.run if row.state != DONE]

    @property
    def counts(self) -> Counter[str]:
        """Verdicts on what the papers say, over all lessons."""
        return sum((row.counts for row in self.rows), Counter())

    @property
    def controls(self) -> Counter[str]:
        """Verdicts on our controls, over all lessons."""
        return sum((row.controls for row in self.rows), Counter())


def board(store: Store) -> Board:
    """The scoreboard of a run, from its folder alone."""
    about = store.about
    wanted = {point["lesson"]: point for point in store.wanted}
    rows = []
    for entry in about.get("lessons", []):
        name = f"{entry['unit']}/{entry['slug']}"
        common = {key: entry[key] for key in ("unit", "title", "short", "minutes")}
        if name in wanted:
            rows.append(_row(name, common, wanted[name], store, about.get("declared", {}).get(name, [])))
        else:
            rows.append(LessonRow(name, state=ABSENT if entry["state"] == "available" else PLANNED, **common))
    return Board(tuple(rows))


def _row(
    name: str, common: dict[str, Any], point: dict[str, Any], store: Store, declared: list[dict[str, Any]]
) -> LessonRow:
    outcome = store.outcome(point["key"])
    return LessonRow(
        name, state=outcome.status if outcome else NOT_RUN, outcome=outcome, settings=point["settings"],
        parameters=point["parameters"], claims=claims(name, outcome, declared), **common,
    )


def claims(name: str, outcome: Outcome | None, declared: Iterable[dict[str, Any]] = ()) -> tuple[dict[str, Any], ...]:
    """A lesson's claims as it measured them; those only declared are blank, those that hang on the seed say so."""
    measured = {str(claim.get("id")): {**BLANK, **claim} for claim in outcome.claims} if outcome else {}
    moving = _unstable(name)
    found = [measured.pop(claim["id"], {**BLANK, **claim}) for claim in declared]
    return tuple({**claim, "unstable": moving.get(claim["id"], "")} for claim in (*found, *measured.values()))


def _unstable(lesson: str) -> dict[str, str]:
    """Claims whose verdict hangs on the seed, as ``gradscape stability`` last found: ``16 of 20 seeds``."""
    from gradscape.batch.sweeps import stability

    try:
        return {claim: words for claim, counts in stability.shares(lesson).items()
                if (words := stability.unstable(counts))}
    except (ValueError, KeyError):  # a damaged table must not hide the scoreboard
        return {}


def sign(verdict: str) -> str:
    """The sign that stands for a verdict beside its color."""
    if verdict in SIGNS:
        return SIGNS[verdict][0]
    return {DONE: "✓", NOT_RUN: "–"}.get(verdict, "!")


def tally(counts: Counter[str], order: Iterable[str]) -> list[tuple[str, int]]:
    """Verdicts with their numbers in a fixed order, those that do not occur left out, unknown ones last."""
    known = list(order)
    return [(word, counts[word]) for word in [*known, *sorted(set(counts) - set(known))] if counts[word]]
