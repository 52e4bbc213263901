"""Checkers answer, hint, and never raise."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gradscape.workbench import Feedback, as_array, as_number, checker, correct, expect, try_again


@checker(1)
def check_square(answer: Any) -> None:
    values = as_array(answer(np.arange(3.0)), "square(x)", shape=(3,))
    expect(np.allclose(values, [0, 1, 4]), "Try it on 3: what should come out?")


@checker(2)
def check_number(answer: Any, tolerance: float = 0.1) -> Feedback:
    number = as_number(answer, "T_c")
    return correct("Where the branches meet.") if abs(number - 0.5) < tolerance else try_again("Look at the figure.")


def stub(x: Any) -> Any:
    return ...


def test_untouched_stubs_are_not_attempted() -> None:
    assert check_square(...).verdict == "not attempted"
    assert check_square(stub).verdict == "not attempted"
    assert check_number((..., ...)).verdict == "not attempted"
    assert repr(check_number(...)) == "Exercise 2: not attempted"


def test_right_and_wrong_answers() -> None:
    assert check_square(np.square)
    assert check_square(lambda x: torch.as_tensor(x) ** 2)
    assert check_number(0.52) == Feedback("correct", "Where the branches meet.", 2)
    assert repr(check_number(torch.tensor(0.9))) == "Exercise 2: try again. Look at the figure."
    assert not check_square(lambda x: x)


def exits(x: Any) -> Any:
    raise SystemExit("bye")


def buggy(x: Any) -> Any:
    return x + undefined_name  # noqa: F821


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (buggy, "buggy raised NameError: name 'undefined_name' is not defined"),
        (lambda x: 1 / 0, "<lambda> raised ZeroDivisionError: division by zero"),
        (lambda: 1, "<lambda> raised TypeError: "),
        (exits, "exits raised SystemExit: bye"),
        (lambda x: None, "<lambda> returned None: does it end with return?"),
        (lambda x: x[:2], "square(x) has shape (2,); it should be (3)."),
        (lambda x: "four", "square(x) must be an array of numbers, not str."),
        (lambda x: x / np.zeros(3), "square(x) holds NaN or infinite values."),
        (3.0, "The answer could not be checked: TypeError: 'float' object is not callable"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_whatever_goes_wrong_becomes_a_hint(answer: Any, hint: str) -> None:
    feedback = check_square(answer)
    assert feedback.verdict == "try again"
    assert feedback.hint.startswith(hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("half", "T_c must be a number, not str."),
        ([1, 2], "T_c must be a number, not list."),
        (np.ones((2, 2)), "T_c must be a number, not ndarray of shape (2, 2)."),
        (torch.ones(3), "T_c must be a number, not Tensor of shape (3,)."),
        (float("nan"), "T_c is nan: it must be finite."),
        (1j, "T_c must be a number, not complex."),
    ],
)
def test_numbers_of_the_wrong_kind_get_a_hint_that_names_them(answer: Any, hint: str) -> None:
    assert check_number(answer) == Feedback("try again", hint, 2)


def test_the_reader_can_interrupt() -> None:
    def interrupted(x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_square(interrupted)


def test_options_reach_the_checker() -> None:
    assert check_number(0.9, tolerance=1.0)


def test_html_is_escaped_and_does_not_rely_on_color() -> None:
    html = Feedback("try again", "<b>x</b> & y", 3)._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt; &amp; y" in html
    assert "Exercise 3:" in html
    assert "try again" in html
