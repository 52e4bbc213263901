"""Each lesson executed headlessly at other parameters and another seed, its explorers moved to every end."""
from __future__ import annotations

import math

import pytest
from gradscape import catalog
from gradscape.batch import plan as planning
from gradscape.batch import run
from gradscape.batch.parameters import Assignment, ParameterError
from gradscape.lesson import FieldInfo, fields

LESSONS = catalog.lessons(available=True)
lessons = pytest.mark.parametrize("entry", LESSONS, ids=[entry.id for entry in LESSONS])


def other_value(info: FieldInfo) -> str:
    """A value that differs from the default: another option, or half way to an end on the field's own scale."""
    if info.kind == "switch":
        return str(not info.default)
    if info.kind == "choice":
        return str(next(option for option in info.options if option != info.default))
    assert info.low is not None
    assert info.high is not None
    end = info.low if info.default != info.low else info.high
    if info.scale == "lin":
        value = (info.default + end) / 2
    else:
        value = math.sqrt(info.default * end)
    return str(round(value) if info.kind == "integer" else value)


@pytest.mark.standard
@lessons
def test_other_parameters_and_seed(entry, tmp_path):
    model = entry.load().Settings
    changed = [Assignment(info.name, other_value(info)) for info in fields(model)]
    plan = planning.make([entry], [Assignment("profile", "smoke"), Assignment("seed", "12345"), *changed])
    outcomes = run.carry_out(run.start(plan, tmp_path / "run"), plan, workers=1, headless="check")
    outcome = outcomes[entry.id]
    assert outcome.done, f"{outcome.status}: {outcome.error and outcome.error.traceback[-3000:]}"
    assert [claim["id"] for claim in outcome.claims] == [claim.id for claim in entry.load().CLAIMS]
    assert {claim["verdict"] for claim in outcome.claims} == {"not tested at this scale"}
    assert outcome.scalars


@lessons
def test_bad_parameters_stop_before_a_kernel_starts(entry):
    info = next(field for field in fields(entry.load().Settings) if field.kind in ("real", "integer"))
    bad = {
        f"{info.name}=1e300": "must be",
        f"{info.name}=nan": "must be",
        f"{info.name}=banana": "must be",
        "profil=quick": "did you mean profile",
        "sizes=nonsense:1": "unknown size",
        "seed=-1": "must be a whole number",
    }
    for text, says in bad.items():
        name, value = text.split("=")
        with pytest.raises(ParameterError, match=says) as caught:
            planning.make([entry], [Assignment(name, value)])
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
