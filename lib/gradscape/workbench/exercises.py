"""Checkers of exercises: they answer at once, give a hint instead of the solution, and never raise.

A lesson writes::

    @checker(1)
    def check_1(answer):
        guess = as_number(answer, "T_c")
        expect(guess > 0, "a temperature is positive")
        expect(abs(guess - 0.5) < 0.05, "look where the two branches of the figure meet")
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np

Verdict = Literal["not attempted", "correct", "try again"]
_LOOKS = {"not attempted": ("○", "#5f6b7a"), "correct": ("✓", "#00815c"), "try again": ("✗", "#b42318")}


@dataclass(frozen=True)
class Feedback:
    """A checker's answer; true when correct."""

    verdict: Verdict
    hint: str = ""
    number: int | None = None

    def __bool__(self) -> bool:
        return self.verdict == "correct"

    def __repr__(self) -> str:
        return f"{self._title}: {self.verdict}" + (f". {self.hint}" if self.hint else "")

    @property
    def _title(self) -> str:
        return "Exercise" if self.number is None else f"Exercise {self.number}"

    def _repr_html_(self) -> str:
        sign, color = _LOOKS[self.verdict]
        hint = f"<div>{escape(self.hint)}</div>" if self.hint else ""
        return (
            f'<div style="border-left:4px solid {color};padding:4px 12px"><b>{escape(self._title)}: '
            f'<span aria-hidden="true">{sign}</span> {self.verdict}</b>{hint}</div>'
        )


class Hint(Exception):
    """Raised inside a checker to end it with a hint."""


class _NotAttempted(Exception):
    pass


class _Failed(Exception):
    """The reader's own function raised."""


def correct(praise: str = "") -> Feedback:
    """The answer is right; ``praise`` may say what it shows."""
    return Feedback("correct", praise)


def try_again(hint: str) -> Feedback:
    """The answer is not right yet; ``hint`` says where to look, not what to write."""
    return Feedback("try again", hint)


def expect(condition: Any, hint: str) -> None:
    """Inside a checker: end with ``hint`` unless the condition holds."""
    if not bool(condition):
        raise Hint(hint)


def as_number(answer: Any, name: str = "the answer") -> float:
    """A finite number from what a reader gave, or a hint."""
    try:
        number = float(answer.item() if hasattr(answer, "item") else answer)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"{name} must be a number, not {_what(answer)}.") from None
    if not math.isfinite(number):
        raise Hint(f"{name} is {number}: it must be finite.")
    return number


def as_array(answer: Any, name: str = "the answer", shape: Sequence[int | None] | None = None) -> np.ndarray:
    """A float64 array of finite numbers from what a reader gave, or a hint; ``None`` in ``shape`` allows any length."""
    try:
        array = np.asarray(answer.detach().cpu().numpy() if hasattr(answer, "detach") else answer, dtype=float)
    except (TypeError, ValueError):
        raise Hint(f"{name} must be an array of numbers, not {_what(answer)}.") from None
    if shape is not None:
        pairs = zip(shape, array.shape, strict=False)
        if array.ndim != len(shape) or any(want not in (None, have) for want, have in pairs):
            wanted = tuple("any" if want is None else want for want in shape)
            raise Hint(f"{name} has shape {array.shape}; it should be ({', '.join(map(str, wanted))}).")
    if not np.isfinite(array).all():
        raise Hint(f"{name} holds NaN or infinite values.")
    return array


def checker(number: int) -> Callable[[Callable[..., Feedback | None]], Callable[..., Feedback]]:
    """Make a checker of exercise ``number``.

    The decorated function gets the reader's answers, may raise through :func:`expect`, :func:`as_number` and
    :func:`as_array`, and returns a :class:`Feedback` or ``None`` for correct. Around it: an answer that is (or, for a
    function, returns) ``...`` is *not attempted*; an exception in the reader's function, or one that its result causes
    here (a wrong shape, a wrong type), becomes a hint that names it; nothing is ever raised.
    """

    def decorate(check: Callable[..., Feedback | None]) -> Callable[..., Feedback]:
        @functools.wraps(check)
        def checked(*answers: Any, **options: Any) -> Feedback:
            try:
                if any(_is_stub(answer) for answer in (*answers, *options.values())):
                    raise _NotAttempted
                given = [_guarded(answer) if callable(answer) else answer for answer in answers]
                options = {key: _guarded(value) if callable(value) else value for key, value in options.items()}
                made = check(*given, **options)
                return Feedback("correct", "", number) if made is None else Feedback(made.verdict, made.hint, number)
            except _NotAttempted:
                return Feedback("not attempted", "", number)
            except (Hint, _Failed) as error:
                return Feedback("try again", str(error), number)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                # what the reader returned could not be compared at all: usually a wrong type or shape
                return Feedback("try again", f"The answer could not be checked: {_reason(error)}", number)

        return checked

    return decorate


def _is_stub(answer: Any) -> bool:
    return answer is ... or (isinstance(answer, list | tuple) and any(entry is ... for entry in answer))


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The reader's function, telling apart: not written yet, failed, returned nothing."""
    name = getattr(function, "__name__", type(function).__name__)

    @functools.wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            value = function(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _Failed(f"{name} raised {_reason(error)}") from error
        if _is_stub(value):
            raise _NotAttempted
        if value is None:
            raise _Failed(f"{name} returned None: does it end with return?")
        return value

    return call


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _what(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape is not None else type(value).__name__
