"""Claims of a paper, the criteria they are held to, and what was measured.

A criterion is fixed when the lesson is written, before anything is measured; :func:`judge` only applies it.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["paper", "counter", "control", "report"]

REPRODUCED, PARTLY, NOT_REPRODUCED = "reproduced", "partly", "not reproduced"
NOT_TESTED, HOLDS, FAILS, REPORTED = "not tested at this scale", "holds", "does not hold", "reported"
VERDICTS = (REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTED, HOLDS, FAILS, REPORTED)

# A criterion over seeds is a share over the replicates at hand: 19 of 20 when there are enough, all when there are few.
SHARE, ENOUGH_REPLICATES = 0.95, 20


@dataclass(frozen=True)
class Outcome:
    """Whether a criterion held (``None``: too few replicates to say) and how often."""

    holds: bool | None
    detail: str = ""


@dataclass(frozen=True)
class Criterion:
    """A condition on one measured part: ``text`` for people, ``test`` for one value or for the whole array."""

    text: str
    test: Callable[[Any], bool]
    over: Literal["value", "replicates", "mean"] = "value"
    minimum: int = 1

    def check(self, value: Any) -> Outcome:
        """Apply the criterion to a measured value (a number, a bool or a sequence of them)."""
        if self.over == "value":
            return Outcome(bool(self.test(_plain(value))))
        values = [float(v) for v in _plain(value)] if _is_sequence(value) else [float(value)]
        if len(values) < self.minimum:
            return Outcome(None, f"{len(values)} replicates, {self.minimum} needed")
        if self.over == "mean":
            return Outcome(bool(self.test(sum(values) / len(values))), f"mean of {len(values)}")
        passed = sum(bool(self.test(v)) for v in values)
        needed = math.ceil(SHARE * len(values) - 1e-9) if len(values) >= ENOUGH_REPLICATES else len(values)
        return Outcome(passed >= needed, f"{passed} of {len(values)}")


def within(target: float, tolerance: float) -> Criterion:
    """|value - target| <= tolerance."""
    return Criterion(f"{target:g} ± {tolerance:g}", lambda v: abs(v - target) <= tolerance)


def at_most(bound: float) -> Criterion:
    """value <= bound."""
    return Criterion(f"≤ {bound:g}", lambda v: v <= bound)


def at_least(bound: float) -> Criterion:
    """value >= bound."""
    return Criterion(f"≥ {bound:g}", lambda v: v >= bound)


def below(bound: float) -> Criterion:
    """value < bound."""
    return Criterion(f"< {bound:g}", lambda v: v < bound)


def above(bound: float) -> Criterion:
    """value > bound."""
    return Criterion(f"> {bound:g}", lambda v: v > bound)


def between(low: float, high: float) -> Criterion:
    """low <= value <= high."""
    return Criterion(f"in [{low:g}, {high:g}]", lambda v: low <= v <= high)


def equals(target: Any) -> Criterion:
    """value == target (a whole number, a word, a bool)."""
    return Criterion(f"= {target}", lambda v: v == target)


def is_true(text: str) -> Criterion:
    """A statement that the measurement itself decides; ``text`` states it."""
    return Criterion(text, lambda v: v is True or v == 1)


def increasing(strict: bool = True) -> Criterion:
    """A sequence that rises (``strict=False``: never falls)."""
    return Criterion("increasing" if strict else "never falls", lambda v: _ordered(v, strict))


def decreasing(strict: bool = True) -> Criterion:
    """A sequence that falls (``strict=False``: never rises)."""
    return Criterion("decreasing" if strict else "never rises", lambda v: _ordered(list(v)[::-1], strict))


def every(criterion: Criterion, minimum: int = 1) -> Criterion:
    """The criterion for each replicate: at least 95 % of them when there are 20 or more, all when fewer."""
    return Criterion(f"{criterion.text}, each seed", criterion.test, "replicates", minimum)


def mean_of(criterion: Criterion, minimum: int = 1) -> Criterion:
    """The criterion for the mean over replicates; not tested with fewer than ``minimum`` of them."""
    return Criterion(f"mean {criterion.text}", criterion.test, "mean", minimum)


@dataclass(frozen=True)
class Claim:
    """One row of a lesson's ledger, declared before anything is measured.

    ``kind``: ``paper`` (the criterion states what the paper says), ``counter`` (it states that the paper's sentence
    fails here), ``control`` (a control or limit of ours), ``report`` (no criterion). ``where`` locates the claim in the
    paper, ``paper`` is the paper's own value as text. ``parts`` maps names of measured values to criteria.
    """

    id: str
    kind: Kind
    sentence: str
    where: str = ""
    paper: str | None = None
    parts: Mapping[str, Criterion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in ("paper", "counter", "control", "report"):
            raise ValueError(f"kind={self.kind!r}: must be paper, counter, control or report (claim {self.id})")
        if self.kind == "report" and self.parts:
            raise ValueError(f"claim {self.id}: a report has no criterion")
        if self.kind != "report" and not self.parts:
            raise ValueError(f"claim {self.id}: a {self.kind} claim needs at least one criterion in parts")

    @property
    def criterion(self) -> str:
        """All parts' criteria as one line."""
        return "; ".join(f"{name} {part.text}" for name, part in self.parts.items()) or "none: reported"


@dataclass(frozen=True)
class Measured:
    """What one claim's protocol measured: a value, or one per replicate, for each part.

    ``spread`` holds a standard error or half-range per part where the measurement has one, ``n`` the number of
    replicates or runs behind it, ``note`` what a reader should know. Values outside the claim's parts are shown too.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    spread: Mapping[str, float] | None = None
    n: int | None = None
    note: str = ""
    tested: bool = True

    @classmethod
    def not_tested(cls, why: str) -> Measured:
        """For what this profile or this machine cannot test; ``why`` says what it would need."""
        return cls(note=why, tested=False)


@dataclass(frozen=True)
class Verdict:
    """The word for a claim, and what each part contributed."""

    word: str
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


def judge(claim: Claim, measured: Measured, *, smoke: bool = False) -> Verdict:
    """Hold a measurement against its claim's criterion.

    ``smoke`` sizes are too small to say anything, so the verdict is then always *not tested at this scale*.
    ``ValueError`` if a part was not measured.
    """
    if not measured.tested:
        return Verdict(NOT_TESTED)
    missing = [name for name in claim.parts if name not in measured.values]
    if missing:
        found = ", ".join(measured.values) or "nothing"
        raise ValueError(f"claim {claim.id}: not measured: {', '.join(missing)}; measured: {found}")
    outcomes = {name: part.check(measured.values[name]) for name, part in claim.parts.items()}
    if smoke or any(outcome.holds is None for outcome in outcomes.values()):
        return Verdict(NOT_TESTED, outcomes)
    return Verdict(_word(claim.kind, [bool(outcome.holds) for outcome in outcomes.values()]), outcomes)


def _word(kind: Kind, held: Sequence[bool]) -> str:
    if kind == "report":
        return REPORTED
    if kind == "control":
        return HOLDS if all(held) else FAILS
    if kind == "counter":
        return NOT_REPRODUCED if all(held) else PARTLY
    if all(held):
        return REPRODUCED
    return PARTLY if any(held) else NOT_REPRODUCED


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str) and getattr(value, "ndim", 1) != 0


def _plain(value: Any) -> Any:
    """Tensors and arrays as Python numbers or lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _ordered(values: Sequence[float], strict: bool) -> bool:
    pairs = list(zip(list(values), list(values)[1:], strict=False))
    return all(b > a if strict else b >= a for a, b in pairs)
