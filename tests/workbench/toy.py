"""A toy lesson: settings of every kind, a computation worked out by hand, a figure."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gradscape import lesson
from gradscape.lesson import choice, integer, real, switch
from gradscape.workbench import Explorer, Figure, add_line, axis, explore, field, figure, redraw


@dataclass(frozen=True)
class Sizes:
    runs: int = 2  # nothing runs


class Settings(lesson.Settings, profiles={name: Sizes() for name in ("smoke", "quick", "full")}):
    T: float = real(0.5, 2**-7, 2**4, scale="log2", symbol="T", about="temperature")
    n: int = integer(3, 1, 5, symbol="n", about="points")
    act: str = choice("relu", ("relu", "gelu"), about="activation")
    noisy: bool = switch(False, about="with noise")


def compute(values: Any, task: Any) -> np.ndarray:
    """T, T + 1, ..., twice as high with noise."""
    return (values.T + np.arange(values.n)) * (2 if values.noisy else 1)


def fig_toy(result: np.ndarray) -> Figure:
    fig = figure("Toy", axis("k"), axis("height"), takeaway="It rises.")
    add_line(fig, np.arange(len(result)), result, "line")
    return fig


def toy(**changes: Any) -> Explorer:
    """The toy's explorer with any of its arguments replaced."""
    given: dict[str, Any] = {
        "compute": compute, "draw": redraw(fig_toy), "controls": [field(name) for name in ("T", "n", "act", "noisy")],
        "settings": Settings(), "name": "toy", "presets": {"hot": {"T": 16}, "noise helps": {"noisy": True, "n": 5}},
    }
    given |= changes
    return explore(given.pop("compute"), given.pop("draw"), given.pop("controls"), **given)
