"""Parameters are read and refused before anything starts, each with one message that says what is allowed."""
from __future__ import annotations

import pytest
from gradscape import catalog
from gradscape.batch.parameters import ParameterError, all_settings, check_selection, parse, settings_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.batch.toy import Settings


def test_values_reach_the_lesson_in_their_types(course):
    course()
    found = settings_for("toys/plain", Settings, parse(["rate=1.5", "steps=4", "sizes=runs:7"], "smoke"))
    assert (found.rate, found.steps, found.profile, found.size.runs) == (1.5, 4, "smoke", 7)


def test_a_lessons_own_value_wins(course):
    course("plain", "other")
    assignments = parse(["rate=1.5", "other:rate=0.25"])
    assert settings_for("toys/plain", Settings, assignments).rate == 1.5
    assert settings_for("toys/other", Settings, assignments).rate == 0.25


@pytest.mark.parametrize(("text", "parts"), [
    ("speed=1", ["toys/plain", "speed='1'", "rate"]),
    ("rat=1", ["rat='1'", "did you mean rate?"]),
    ("rate=fast", ["rate='fast'", "a number from 0.1 to 2"]),
    ("rate=3", ["rate=3", "0.1 to 2"]),
    ("rate=nan", ["rate=nan", "0.1 to 2"]),
    ("steps=2.5", ["steps='2.5'", "a whole number from 1 to 10"]),
    ("profile=huge", ["profile='huge'", "smoke, quick, full"]),
    ("device=tpu", ["device='tpu'", "cpu, cuda or cuda:0"]),
    ("sizes=walks:3", ["sizes='walks:3'", "runs"]),
    ("seed=-1", ["seed=-1"]),
])
def test_one_message_names_parameter_value_and_what_is_allowed(course, text, parts):
    course()
    with pytest.raises(ParameterError) as error:
        settings_for("toys/plain", Settings, parse([text]))
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_problems_of_all_lessons_are_listed(course):
    course("plain", "other")
    with pytest.raises(ParameterError) as error:
        all_settings({"toys/plain": Settings, "toys/other": Settings}, parse(["rate=9"]))
    assert str(error.value).splitlines() == [
        f"toys/{slug}: rate=9.0: must be a number from 0.1 to 2" for slug in ("plain", "other")
    ]


@pytest.mark.parametrize(("texts", "profile", "words"), [
    (["rate"], None, "NAME=VALUE"),
    (["=1"], None, "NAME=VALUE"),
    ([":rate=1"], None, "NAME=VALUE"),
    (["ra te=1"], None, "NAME=VALUE"),
    (["nowhere:rate=1"], None, "no such lesson"),
    (["rate=1", "rate=1"], None, "2 times"),
    (["plain:rate=1", "toys/plain:rate=2"], None, "2 times"),
    (["profile=full"], "quick", "profile is given twice"),
    (["plain:profile=full"], "quick", "profile is given twice"),
    (["profile=full", "profile=smoke"], None, "2 times"),
])
def test_bad_spelling_and_repetition(course, texts, profile, words):
    course()
    with pytest.raises(ParameterError, match=words):
        parse(texts, profile)


def test_a_lesson_that_is_not_selected_cannot_be_addressed(course):
    course("plain", "other")
    with pytest.raises(ParameterError, match="toys/other is not selected"):
        check_selection(parse(["other:rate=1"]), [catalog.find("plain")])


def test_equals_and_colons_belong_to_the_value(course):
    course()
    assert parse(["sizes=runs:3,x:y=z"])[0].value == "runs:3,x:y=z"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*Settings.model_fields, "__class__", "os"]), value=st.text(max_size=30))
def test_no_text_does_more_than_set_or_refuse(name, value):
    try:
        found = settings_for("toys/plain", Settings, parse([f"{name}={value}"]))
    except ParameterError:
        return
    assert getattr(found, name) is not None
    assert type(getattr(found, name)) in (str, int, float)
