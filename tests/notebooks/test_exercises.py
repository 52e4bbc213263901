"""Every exercise of every lesson: the solution is accepted, plausible wrong answers get their own hint, a stub none.

``tests/<unit>/answers_<slug>.py`` holds ``SOLUTIONS`` (exercise -> answer) and ``WRONG`` (exercise -> pairs of an answer
and a part of its hint). For a checker of several arguments an answer is the tuple of them. ``SLOW`` names exercises
whose checker computes for seconds.
"""
from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from gradscape import catalog

FEWEST_WRONG = 3


def check_of(entry: catalog.Lesson, number: int) -> Callable[[Any], Any]:
    """The checker as a function of one answer."""
    check = getattr(importlib.import_module(entry.view), f"check_{number}")
    required = [p for p in inspect.signature(check).parameters.values() if p.default is p.empty]
    return (lambda answer: check(*answer)) if len(required) > 1 else check


def answers_of(entry: catalog.Lesson) -> ModuleType:
    return importlib.import_module(f"tests.{entry.unit}.answers_{entry.slug}")


def stub(solution: Any) -> Any:
    """What the notebook holds before anyone has written anything."""
    if isinstance(solution, tuple):
        return (...,) * len(solution)
    return (lambda *args, **kwargs: ...) if callable(solution) else ...


def exercises() -> Iterator[Any]:
    for entry in catalog.lessons(available=True):
        slow = getattr(answers_of(entry), "SLOW", ())
        for number in (1, 2, 3):
            marks = [pytest.mark.standard] if number in slow else []
            yield pytest.param(entry, number, id=f"{entry.slug}-{number}", marks=marks)


each = pytest.mark.parametrize(("entry", "number"), list(exercises()))


@each
def test_a_stub_is_not_attempted(entry, number):
    assert check_of(entry, number)(stub(answers_of(entry).SOLUTIONS[number])).verdict == "not attempted"


@each
def test_the_solution_is_accepted(entry, number):
    feedback = check_of(entry, number)(answers_of(entry).SOLUTIONS[number])
    assert feedback, feedback


@each
def test_wrong_answers_get_their_own_hints(entry, number):
    check, hints = check_of(entry, number), set()
    for answer, hint in answers_of(entry).WRONG[number]:
        feedback = check(answer)
        hints.add(feedback.hint)
        assert feedback.verdict == "try again", (answer, feedback)
        assert hint in feedback.hint, (answer, feedback)
    assert len(hints) >= FEWEST_WRONG


@each
def test_nonsense_never_raises(entry, number):
    solution = answers_of(entry).SOLUTIONS[number]
    nonsense = (None, "x", float("nan"), [], {}, lambda *args: 1 / 0)
    for answer in nonsense:
        given = (answer,) * len(solution) if isinstance(solution, tuple) else answer
        assert check_of(entry, number)(given).verdict == "try again", answer
