"""The grid of a sweep: axes written on the command line or given as sequences, checked before anything is computed.

A value is a list ``0.1,1,10``, a range ``0:20`` or ``0:20:5`` (as Python's: the end is left out), or evenly spaced
values with both ends: ``lin:0:1:5``, ``log:1e-4:1:7``, ``log2:2^-8:1:9``. Whole-number
fields round and drop repetitions.
"""
from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradscape.batch.parameters import ParameterError
from gradscape.lesson import Settings, explain, field_info
from gradscape.lesson.settings import FieldInfo

MAXIMUM = 200_000  # points that a sweep may have at all
SPACINGS = ("lin", "log", "log2")
_POWER = re.compile(r"^([+-]?[\d.]+)\^\(?([+-]?[\d.]+)\)?$")


@dataclass(frozen=True)
class Grid:
    """``axes`` are the fields with two or more values, in the order given; ``fixed`` those with one."""

    model: type[Settings]
    axes: dict[str, tuple[Any, ...]]
    fixed: dict[str, Any]

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def settings(self) -> Iterator[Settings]:
        """The checked settings of every point; the first axis moves slowest."""
        for values in itertools.product(*self.axes.values()):
            yield self.model(**self.fixed, **dict(zip(self.axes, values, strict=True)))

    def text(self) -> str:
        """``T 7 values × alpha 3 values × seed 20 values = 420 points``."""
        parts = [f"{name} {len(values)} values" for name, values in self.axes.items()]
        count = f"{len(self)} point" + ("s" if len(self) != 1 else "")
        return " × ".join(parts) + f" = {count}" if parts else count

    def record(self) -> dict[str, Any]:
        """Axes and fixed values as JSON takes them."""
        return {"axes": {name: list(values) for name, values in self.axes.items()}, "fixed": dict(self.fixed)}


def make(model: type[Settings], chosen: Mapping[str, Any], profile: str | None = None) -> Grid:
    """The grid that texts or sequences mean; :class:`ParameterError` with a line per problem."""
    wanted, problems = dict(chosen), []
    if profile is not None:
        if "profile" in wanted:
            raise ParameterError("profile is given twice")
        wanted["profile"] = profile
    axes: dict[str, tuple[Any, ...]] = {}
    fixed: dict[str, Any] = {}
    for name, value in wanted.items():
        try:
            values = _values(field_info(model, name), value)
        except ValueError as error:
            problems.append(str(error))
            continue
        if len(values) == 1:
            fixed[name] = values[0]
        else:
            axes[name] = values
    if problems:
        raise ParameterError("\n".join(problems))
    grid = Grid(model, axes, fixed)
    if len(grid) > MAXIMUM:
        raise ParameterError(f"{grid.text()}: at most {MAXIMUM} are allowed")
    for name, values in axes.items() or [("", ())]:  # a value alone may be refused too: profile with its sizes
        for value in values or (None,):
            first = {other: points[0] for other, points in axes.items()}
            try:
                model(**fixed, **{**first, **({name: value} if name else {})})
            except ValueError as error:
                raise ParameterError(explain(error)) from error
    return grid


def parse(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUES`` texts by name; :class:`ParameterError` for bad spelling and repetitions."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ParameterError(f"-p {text}: must be NAME=VALUES, as in T=log:1e-4:1:7 or seed=0:20 or alpha=0.1,1,10")
        if name in found:
            raise ParameterError(f"{name} is given twice; give it once")
        found[name] = value
    return found


def _values(info: FieldInfo, value: Any) -> tuple[Any, ...]:
    """All values of one field, each checked."""
    if info.kind == "text":
        if not isinstance(value, str):
            raise ValueError(f"{info.name}={value!r}: must be text, and cannot be an axis")
        return (value,)
    if isinstance(value, str):
        found = _from_text(info, value)
    elif isinstance(value, Sequence) or hasattr(value, "tolist"):
        items = value.tolist() if hasattr(value, "tolist") else value
        items = items if isinstance(items, Sequence) else [items]
        _bounded(info.name, len(items))
        found = [info.check(item.item() if hasattr(item, "item") else item) for item in items]
    else:
        found = [info.check(value)]
    if not found:
        raise ValueError(f"{info.name}={value!r}: has no values")
    if len(set(found)) < len(found):
        twice = next(item for item in found if found.count(item) > 1)
        raise ValueError(f"{info.name}={value!r}: {twice!r} is given {found.count(twice)} times")
    return tuple(found)


def _from_text(info: FieldInfo, text: str) -> list[Any]:
    def wrong(why: str) -> ValueError:
        return ValueError(f"{info.name}={text}: {why}")

    if not text.strip():
        raise wrong("has no values")
    if info.kind in ("choice", "switch"):
        return [info.parse(part.strip()) for part in text.split(",")]
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        items = text.split(",")
        _bounded(info.name, len(items))
        if any(not item.strip() for item in items):
            raise wrong("has an empty entry")
        return [_checked(info, _number(item, wrong)) for item in items]
    if parts[0] in SPACINGS:
        return _spaced(info, parts, wrong)
    if parts[0].isalpha():
        raise wrong(f"{parts[0]!r} is no spacing; known are {', '.join(SPACINGS)}")
    if len(parts) > 3:
        raise wrong("a range is FIRST:END or FIRST:END:STEP")
    return _range(info, parts, wrong)


def _range(info: FieldInfo, parts: list[str], wrong: Any) -> list[Any]:
    first, end = _number(parts[0], wrong), _number(parts[1], wrong)
    step = _number(parts[2], wrong) if len(parts) == 3 else 1.0
    if step == 0:
        raise wrong("the step is zero")
    if (end - first) * step <= 0:
        why = "the step has the wrong sign" if end != first else "first and end are equal"
        raise wrong(f"{why}, so the range is empty (its end is left out)")
    count = math.ceil((end - first) / step - 1e-9)
    _bounded(info.name, count)
    return [_checked(info, _round(first + k * step)) for k in range(count)]


def _spaced(info: FieldInfo, parts: list[str], wrong: Any) -> list[Any]:
    if len(parts) != 4:
        raise wrong(f"must be {parts[0]}:FIRST:LAST:COUNT")
    first, last = _number(parts[1], wrong), _number(parts[2], wrong)
    try:
        count = int(parts[3])
    except ValueError:
        raise wrong(f"the count {parts[3]!r} must be a whole number") from None
    if count < 2:
        raise wrong("the count must be at least 2 (one value is written alone)")
    if first == last:
        raise wrong("first and last are equal")
    _bounded(info.name, count)
    share = [k / (count - 1) for k in range(count)]
    if parts[0] == "lin":
        inner = [_round(first + s * (last - first)) for s in share]
    elif first <= 0 or last <= 0:
        raise wrong("both ends must be > 0 on a logarithmic scale")
    else:
        low, high = math.log2(first), math.log2(last)
        inner = [2.0 ** (low + s * (high - low)) for s in share]
        inner = [_round(value) for value in inner] if parts[0] == "log" else inner
    found = [first, *inner[1:-1], last]
    if info.kind == "integer":
        return list(dict.fromkeys(_checked(info, round(value)) for value in found))
    return [_checked(info, value) for value in found]


def _checked(info: FieldInfo, value: float) -> Any:
    return info.check(int(value) if info.kind == "integer" and value == int(value) else value)


def _round(value: float) -> float:
    """Without the last digits, which only say how the value was computed: 0.01 and not 0.010000000000000002."""
    return float(f"{value:.12g}")


def _number(text: str, wrong: Any) -> float:
    text = text.strip()
    try:
        power = _POWER.match(text)
        value = float(power[1]) ** float(power[2]) if power else float(text)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise wrong(f"{text or 'nothing'!r} is not a number") from None
    if isinstance(value, complex) or not math.isfinite(value):
        raise wrong(f"{text!r} is not a finite number")
    return value


def _bounded(name: str, count: int) -> None:
    if count > MAXIMUM:
        raise ValueError(f"{name}: {count} values; a sweep may have {MAXIMUM} points")
