"""Parameters of a run: read from the command line and checked for every lesson before a kernel starts."""
from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradscape import catalog
from gradscape.lesson import Settings, explain, field_info


class ParameterError(ValueError):
    """A parameter with an unknown name, a wrong type or a value out of range; the message has one line per problem."""


@dataclass(frozen=True)
class Assignment:
    """``NAME=VALUE`` for every selected lesson, or ``LESSON:NAME=VALUE`` for one (``lesson`` is its id)."""

    name: str
    value: str
    lesson: str | None = None

    @property
    def target(self) -> str:
        """What is assigned, as it was written."""
        return f"{self.lesson}:{self.name}" if self.lesson else self.name


def parse(texts: Sequence[str], profile: str | None = None) -> tuple[Assignment, ...]:
    """Read ``-p`` texts, with ``--profile`` as one more; :class:`ParameterError` for bad spelling and repetitions."""
    found: list[Assignment] = []
    for text in texts:
        left, equals, value = text.partition("=")
        lesson, colon, name = left.rpartition(":")
        if not equals or not name.isidentifier() or (colon and not lesson):
            raise ParameterError(f"-p {text}: must be NAME=VALUE or LESSON:NAME=VALUE")
        try:
            found.append(Assignment(name, value, catalog.find(lesson).id if lesson else None))
        except catalog.UnknownLesson as error:
            raise ParameterError(f"-p {text}: {error}") from error
    if profile is not None:
        if any(a.name == "profile" for a in found):
            raise ParameterError(f"profile is given twice: --profile {profile} and -p profile=…")
        found.append(Assignment("profile", profile))
    targets = [a.target for a in found]
    for target in targets:
        if targets.count(target) > 1:
            raise ParameterError(f"{target} is given {targets.count(target)} times; give it once")
    return tuple(found)


def check_selection(assignments: Sequence[Assignment], entries: Sequence[catalog.Lesson]) -> None:
    """:class:`ParameterError` if a parameter addresses a lesson that is not selected."""
    selected = {entry.id for entry in entries}
    for assignment in assignments:
        if assignment.lesson is not None and assignment.lesson not in selected:
            raise ParameterError(f"-p {assignment.target}={assignment.value}: {assignment.lesson} is not selected")


def settings_for(lesson: str, model: type[Settings], assignments: Sequence[Assignment]) -> Settings:
    """The checked settings of one lesson; what addresses it by name wins over what is meant for all."""
    chosen = {a.name: a.value for a in assignments if a.lesson is None}
    chosen.update({a.name: a.value for a in assignments if a.lesson == lesson})
    values, problems = {}, []
    for name, text in chosen.items():
        try:
            values[name] = _value(model, name, text)
        except ValueError as error:
            problems.append(str(error))
    if not problems:
        try:
            return model(**values)
        except ValueError as error:
            problems = explain(error).splitlines()
    raise ParameterError("\n".join(f"{lesson}: {problem}" for problem in problems))


def all_settings(
    models: Mapping[str, type[Settings]], assignments: Sequence[Assignment]
) -> dict[str, Settings]:
    """The settings of every lesson, by id; :class:`ParameterError` lists the problems of all of them."""
    found, problems = {}, []
    for lesson, model in models.items():
        try:
            found[lesson] = settings_for(lesson, model, assignments)
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError("\n".join(problems))
    return found


def _value(model: type[Settings], name: str, text: str) -> Any:
    if name not in model.model_fields:
        near = difflib.get_close_matches(name, list(model.model_fields), 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"{name}={text!r}: no such parameter; {hint}allowed are {', '.join(model.model_fields)}")
    info = field_info(model, name)
    return text if info.kind == "text" else info.parse(text)
