"""Which lessons a run takes, in which order, and what happens to one that cannot be read."""
from __future__ import annotations

import pytest
from gradscape import catalog
from gradscape.batch import plan
from gradscape.batch.outcome import DONE, Outcome
from gradscape.batch.parameters import parse
from gradscape.batch.store import Store


def ids(names: list[str]) -> list[str]:
    return [entry.id for entry in plan.select(names)]


def test_names_units_and_everything(course):
    course("plain", "other")
    assert ids([]) == ids(["toys"]) == ["toys/plain", "toys/other"]
    assert ids(["other", "toys/plain", "other"]) == ["toys/other", "toys/plain"]


@pytest.mark.parametrize(
    ("name", "words"), [("plane", "did you mean"), ("later", "planned"), ("../etc", "no such lesson")]
)
def test_unknown_and_planned_lessons_are_refused(course, name, words):
    course()
    with pytest.raises(ValueError, match=words):
        plan.select([name])


def test_a_lesson_that_cannot_be_imported_does_not_stop_the_others(course):
    course("plain", "unimportable")
    made = plan.make(plan.select([]))
    assert [point.lesson for point in made.points] == ["toys/plain", "toys/unimportable"]
    assert made.broken["toys/unimportable"].error.line() == (
        "before the first cell: ImportError: No module named 'missing_friend'"
    )


@pytest.mark.parametrize("text", [None, "{}", "not json"])
def test_a_lesson_without_a_readable_notebook_has_failed_before_it_began(course, text):
    course("plain", "other")
    place = catalog.find("other").notebook
    place.unlink() if text is None else place.write_text(text)
    made = plan.make(plan.select([]))
    assert list(made.broken) == ["toys/other"]
    assert "other.ipynb" in made.broken["toys/other"].error.message


def test_only_what_differs_from_the_defaults_is_injected(course):
    course()
    (point,) = plan.make(plan.select([]), parse(["rate=1", "steps=3"])).points
    assert point.parameters == {"rate": 1.0}
    assert point.settings["steps"] == 3


def test_longest_first_by_history_then_unknown_ones_before(course):
    course("plain", "other", "third")
    made = plan.make(plan.select([]))
    store = Store.create(None, {}, made.points)
    for point, seconds in zip(made.points[:2], (3.0, 9.0), strict=True):
        store.commit(point, Outcome(point.key, DONE, seconds=seconds))
    assert [point.lesson for point in plan.longest_first(made.points)] == ["toys/third", "toys/other", "toys/plain"]


def test_history_passes_over_what_it_cannot_read(course):
    folder = course()
    place = folder / "runs" / "x" / "points" / "y"
    place.mkdir(parents=True)
    (folder / "runs" / "x" / "run.json").write_text("{}")
    for text in ("{", "[]", '{"point": {"lesson": "toys/plain"}}'):
        (place / "point.json").write_text(text)
        assert plan.history(folder / "runs") == {}
