"""Criteria, verdicts of the four kinds of claim, and the ledger."""
from __future__ import annotations

import types

import numpy as np
import pytest
from gradscape import lesson
from gradscape.lesson import (
    Claim,
    Ledger,
    Measured,
    Point,
    at_least,
    at_most,
    between,
    decreasing,
    equals,
    every,
    increasing,
    is_true,
    judge,
    mean_of,
    within,
)

TWO = {"t": within(1, 0.1), "w": at_most(0.2)}


@pytest.mark.parametrize(
    ("kind", "values", "word"),
    [
        ("paper", {"t": 1.05, "w": 0.1}, "reproduced"),
        ("paper", {"t": 1.05, "w": 0.3}, "partly"),
        ("paper", {"t": 1.25, "w": 0.3}, "not reproduced"),
        ("counter", {"t": 1.0, "w": 0.1}, "not reproduced"),
        ("counter", {"t": 1.0, "w": 0.3}, "partly"),
        ("control", {"t": 1.0, "w": 0.1}, "holds"),
        ("control", {"t": 1.0, "w": 0.3}, "does not hold"),
    ],
)
def test_verdicts_by_kind(kind, values, word):
    assert judge(Claim("A", kind, "s", parts=TWO), Measured(values)).word == word


def test_nan_meets_no_criterion():
    for criterion in (within(0, 1), at_most(1), at_least(-1), between(-1, 1), equals(0), is_true("it")):
        assert criterion.check(float("nan")).holds is False


def test_report_and_untested():
    report = Claim("R", "report", "s")
    assert judge(report, Measured({"x": 3})).word == "reported"
    claim = Claim("A", "paper", "s", parts=TWO)
    assert judge(claim, Measured.not_tested("needs full")).word == "not tested at this scale"
    smoke = judge(claim, Measured({"t": 1.0, "w": 0.0}), smoke=True)
    assert smoke.word == "not tested at this scale"


@pytest.mark.parametrize(
    ("n", "failures", "holds"),
    [(20, 1, True), (20, 2, False), (19, 1, False), (19, 0, True), (40, 2, True), (40, 3, False)],
)
def test_shares_over_seeds(n, failures, holds):
    outcome = every(at_most(1)).check(np.array([2.0] * failures + [0.0] * (n - failures)))
    assert outcome.holds is holds
    assert outcome.detail == f"{n - failures} of {n}"


def test_mean_needs_its_minimum():
    criterion = mean_of(at_most(1), minimum=3)
    assert criterion.check([0.0, 0.0]).holds is None
    assert criterion.check([0.0, 0.0, 2.9]).holds is True
    verdict = judge(Claim("A", "paper", "s", parts={"x": criterion}), Measured({"x": [0.0]}))
    assert verdict.word == "not tested at this scale"


def test_sequences():
    assert increasing().check([1, 2, 3]).holds
    assert not increasing().check([1, 1]).holds
    assert increasing(strict=False).check([1, 1]).holds
    assert decreasing().check(np.array([3.0, 2.0])).holds
    assert not decreasing().check([2.0, float("nan"), 1.0]).holds


def test_a_claim_is_well_formed():
    with pytest.raises(ValueError, match="kind='proof'"):
        Claim("A", "proof", "s")
    with pytest.raises(ValueError, match="needs at least one criterion"):
        Claim("A", "paper", "s")
    with pytest.raises(ValueError, match="a report has no criterion"):
        Claim("A", "report", "s", parts=TWO)
    with pytest.raises(ValueError, match="not measured: w"):
        judge(Claim("A", "paper", "s", parts=TWO), Measured({"t": 1.0}))


@pytest.fixture
def toy():
    calls: list[str] = []
    module = types.ModuleType("gradscape.nowhere.toy")

    def measure_a(settings):
        calls.append("A")
        return Measured({"t": 1.0, "w": [0.1] * 6}, spread={"t": 0.01}, n=6, note="<b>note</b>")

    module.CLAIMS = (
        Claim("A", "paper", "noise <script>alert(1)</script>", "Sec. 1", "1",
              {"t": within(1, 0.1), "w": every(at_most(0.2))}),
        Claim("B", "report", "something"),
    )
    module.MEASURES = {"A": measure_a, "B": lambda settings: Measured({"x": float("nan")})}
    module.point = lambda settings: Point({"loss": 2, "undefined": float("nan")})
    return module, calls


class Plain(lesson.Settings):
    pass


def test_ledger_measures_each_claim_once(toy, capsys):
    module, calls = toy
    ledger = Ledger(module, Plain())
    ledger.show("A")
    ledger.verdicts()
    bundle, metadata = ledger._repr_mimebundle_()
    assert calls == ["A"]
    assert capsys.readouterr().out.splitlines() == [
        "A  reproduced                t 1 ± 0.1; w ≤ 0.2, each seed",
        "B  reported                  none: reported",
    ]
    rows = metadata["gradscape"]["claims"]
    assert [row["verdict"] for row in rows] == ["reproduced", "reported"]
    assert set(rows[0]) >= {
        "id", "kind", "sentence", "where", "paper", "measured", "spread", "n", "criterion", "verdict",
    }
    assert rows[0]["criterion"] == "t 1 ± 0.1; w ≤ 0.2, each seed (6 of 6)"
    assert metadata["gradscape"]["scalars"] == {"loss": 2.0, "undefined": None}
    assert "<script>" not in bundle["text/html"]
    assert "&lt;b&gt;note" in bundle["text/html"]


def test_ledger_refuses_undeclared_claims(toy):
    module, _ = toy
    with pytest.raises(ValueError, match="claim_id='Z': must be one of A, B"):
        Ledger(module, Plain()).show("Z")
    module.MEASURES.pop("B")
    with pytest.raises(ValueError, match="differ"):
        Ledger(module, Plain())


def test_own_sizes_head_the_ledger(toy):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Sizes:
        runs: int = 3

    class Sized(lesson.Settings, profiles={name: Sizes() for name in ("smoke", "quick", "full")}):
        pass

    module, _ = toy
    assert "own sizes (runs:5)" in repr(Ledger(module, Sized(sizes="runs:5")))
    assert "own sizes" not in repr(Ledger(module, Sized()))
