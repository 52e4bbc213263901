"""The ledger of a lesson: each claim with its criterion, what was measured, and the verdict."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from types import ModuleType
from typing import Any

from gradscape.lesson.claims import NOT_TESTED, Claim, Measured, Verdict, judge
from gradscape.lesson.experiment import check_declared, finite_scalars
from gradscape.lesson.settings import Settings

# Each verdict has its own sign as well as its color, so that no one needs to see the color.
SIGNS = {
    "reproduced": ("✓", "#1a7f37"), "holds": ("✓", "#1a7f37"), "partly": ("◐", "#8a5a00"),
    "not reproduced": ("✗", "#b42318"), "does not hold": ("✗", "#b42318"),
    "not tested at this scale": ("–", "#57606a"), "reported": ("•", "#0550ae"),
}
_CELL = 'style="text-align:left;vertical-align:top;padding:4px 10px;white-space:normal"'


@dataclass(frozen=True)
class Row:
    """One claim with its measurement, verdict and, where this run could not test it, the recorded result."""

    claim: Claim
    measured: Measured
    verdict: Verdict
    recorded: str = ""

    @property
    def values(self) -> str:
        """The measured values as text, with spread and, for replicates, their range."""
        spread = self.measured.spread or {}
        return "; ".join(_part(name, value, spread.get(name)) for name, value in self.measured.values.items()) or "—"

    @property
    def criterion(self) -> str:
        """The criterion, with the number of replicates that met it."""
        texts = []
        for name, part in self.claim.parts.items():
            detail = self.verdict.outcomes[name].detail if name in self.verdict.outcomes else ""
            texts.append(f"{name} {part.text}" + (f" ({detail})" if detail else ""))
        return "; ".join(texts) or "none: reported"

    def record(self) -> dict[str, Any]:
        """The row as JSON takes it."""
        return {
            "id": self.claim.id, "kind": self.claim.kind, "sentence": self.claim.sentence, "where": self.claim.where,
            "paper": self.claim.paper, "measured": self.values, "spread": dict(self.measured.spread or {}),
            "n": self.measured.n, "criterion": self.criterion, "verdict": self.verdict.word,
            "note": self.measured.note, "recorded": self.recorded,
        }

    def _repr_html_(self) -> str:
        return _table([self], heading=None)

    def __repr__(self) -> str:
        return f"{self.claim.id}: {self.verdict.word} (measured {self.values}; criterion {self.criterion})"


class Ledger:
    """All claims of a lesson's science module, measured when first asked for.

    ``module`` declares ``CLAIMS`` and ``MEASURES``; ``settings`` decides profile, sizes, seed and device. As the last
    value of a cell the ledger renders as a table and carries its rows as output metadata.
    """

    def __init__(self, module: ModuleType, settings: Settings) -> None:
        check_declared(module.CLAIMS, module.MEASURES)
        self.module, self.settings = module, settings
        self._rows: dict[str, Row] = {}

    def show(self, claim_id: str) -> Row:
        """The row of one claim, to stand beside its evidence; ``ValueError`` for an unknown id."""
        claims = {claim.id: claim for claim in self.module.CLAIMS}
        if claim_id not in claims:
            raise ValueError(f"claim_id={claim_id!r}: must be one of {', '.join(claims)}")
        if claim_id not in self._rows:
            claim = claims[claim_id]
            measured = self.module.MEASURES[claim_id](self.settings.protocol)
            verdict = judge(claim, measured, smoke=self.settings.profile == "smoke")
            recorded = self._recorded(claim_id) if verdict.word == NOT_TESTED else ""
            self._rows[claim_id] = Row(claim, measured, verdict, recorded)
        return self._rows[claim_id]

    @property
    def rows(self) -> list[Row]:
        """Every row, in the order of declaration."""
        return [self.show(claim.id) for claim in self.module.CLAIMS]

    @property
    def scalars(self) -> dict[str, float | None]:
        """The scalars of ``point`` at the settings' own values."""
        return finite_scalars(self.module.point(self.settings).scalars)

    def verdicts(self) -> None:
        """Print id, criterion and verdict of every claim: no numbers that could differ between machines."""
        width = max(len(claim.id) for claim in self.module.CLAIMS)
        for row in self.rows:
            print(f"{row.claim.id:<{width}}  {row.verdict.word:<25} {row.claim.criterion}")

    def metadata(self) -> dict[str, Any]:
        """What a batch run reads from the executed notebook."""
        return {"claims": [row.record() for row in self.rows], "scalars": self.scalars}

    def _recorded(self, claim_id: str) -> str:
        from gradscape import results

        table = results.find(self.module.__name__.removeprefix("gradscape.").replace(".", "/"), "claims")
        if table is None:
            return ""
        for row in table.rows():
            if row["id"] == claim_id and row["verdict"] != NOT_TESTED:
                return f"{table.caption}: {row['measured']} → {row['verdict']}"
        return ""

    def _heading(self) -> str:
        sizes = f", own sizes ({self.settings.sizes})" if self.settings.own_sizes else ""
        return f"Profile {self.settings.profile}{sizes}, seed {self.settings.seed}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        bundle = {"text/html": _table(self.rows, self._heading()), "text/plain": repr(self)}
        return bundle, {"gradscape": self.metadata()}

    def __repr__(self) -> str:
        return "\n".join([self._heading(), *map(repr, self.rows)])


def number(value: Any) -> str:
    """A measured value with four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    value = float(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.4g}"


def _part(name: str, value: Any, spread: float | None) -> str:
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, list | tuple):
        if not plain:
            text = "none"
        elif len(plain) <= 5:
            text = ", ".join(map(number, plain))
        else:
            ordered = sorted(plain)
            text = f"median {number(ordered[len(ordered) // 2])} [{number(ordered[0])}, {number(ordered[-1])}]"
    else:
        text = number(plain)
    return f"{name} {text}" + (f" ± {number(spread)}" if spread is not None else "")


def _table(rows: list[Row], heading: str | None) -> str:
    head = "".join(f'<th scope="col" {_CELL}>{title}</th>' for title in
                   ("Claim", "What the paper says", "Paper", "Measured here", "Criterion", "Verdict"))
    caption = f'<caption style="text-align:left;caption-side:top">{escape(heading)}</caption>' if heading else ""
    return (f'<table class="gradscape-ledger" style="border-collapse:collapse">{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(map(_row_html, rows))}</tbody></table>")


def _row_html(row: Row) -> str:
    sign, color = SIGNS[row.verdict.word]
    ours = {"control": " <em>(a control of ours)</em>", "counter": " <em>(measured against the paper)</em>"}
    notes = "".join(f"<br><small>{escape(text)}</small>" for text in (row.measured.note, row.recorded) if text)
    where = f"<br><small>{escape(row.claim.where)}</small>" if row.claim.where else ""
    count = f"<br><small>n = {row.measured.n}</small>" if row.measured.n else ""
    cells = (
        f"{escape(row.claim.sentence)}{ours.get(row.claim.kind, '')}{where}",
        escape(row.claim.paper or "—"),
        escape(row.values) + count + notes,
        escape(row.criterion),
        f'<strong style="color:{color}"><span aria-hidden="true">{sign}</span> {escape(row.verdict.word)}</strong>',
    )
    body = "".join(f"<td {_CELL}>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row" {_CELL}>{escape(row.claim.id)}</th>{body}</tr>'


def scoreboard(claims: list[Mapping[str, Any]]) -> dict[str, int]:
    """How many of the recorded claim rows have each verdict."""
    counts: dict[str, int] = {}
    for claim in claims:
        counts[claim["verdict"]] = counts.get(claim["verdict"], 0) + 1
    return counts
