"""Essential lines of the library, shown as they are."""
from __future__ import annotations

import functools
from typing import Any

import pytest
from gradscape.workbench import show_source


def step(x: float, lr: float) -> float:
    """One step.

    With a long explanation.
    """
    y = x - lr  # why
    if y < 0:
        return 0.0
    return y


class Model:
    """A model."""

    def value(self) -> str:
        """Its value."""
        return "<b>"

    def nothing(self) -> None:
        """Only words."""


def wrapped() -> Any:
    @functools.wraps(step)
    def wrapper(*args: Any) -> Any:
        return step(*args)

    return wrapper


def test_docstrings_are_left_out_and_wrappers_looked_through() -> None:
    code = show_source(step).code
    assert code.splitlines()[:2] == ["def step(x: float, lr: float) -> float:", "    y = x - lr  # why"]
    assert "explanation" not in code
    assert show_source(wrapped()).code == code
    shown = show_source(Model).code
    assert "Its value" not in shown
    assert shown.endswith("def nothing(self) -> None:\n        ...")


def test_lines_are_chosen_by_number_or_by_what_they_hold() -> None:
    assert show_source(step, lines=(2, 2)).code == "y = x - lr  # why"
    assert show_source(step, lines=("if y", "return")).code == "if y < 0:\n    return 0.0"
    with pytest.raises(ValueError, match="must lie in 1 to 5"):
        show_source(step, lines=(0, 2))
    with pytest.raises(ValueError, match="no such lines"):
        show_source(step, lines=("while", "return"))


def test_html_is_static_escaped_and_names_the_module_only() -> None:
    html = show_source(Model)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert "http" not in html
    assert "/work" not in html
    assert "test_source.Model" in html
    assert repr(show_source(step)).startswith("# ")
