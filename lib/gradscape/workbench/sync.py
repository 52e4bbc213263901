"""Drawing in place: bring a live figure to what a freshly made one shows, changing only what differs."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import plotly.graph_objects as go

Draw = Callable[[go.Figure, Any], None]


def redraw(make: Callable[[Any], go.Figure]) -> Draw:
    """Turn ``fig_name(result) -> go.Figure`` into the ``draw(figure, result)`` that an explorer needs.

    Works on an empty figure and on one drawn before; traces may change in number and kind from call to call.

    >>> explore(compute, redraw(fig_spectrum), [field("alpha")], settings=settings, name="spectrum")
    """

    def draw(figure: go.Figure, result: Any) -> None:
        update_traces_from(figure, make(result))

    draw.__name__ = f"redraw_{getattr(make, '__name__', 'figure')}"
    return draw


def update_traces_from(figure: go.Figure, new: go.Figure) -> None:
    """Make ``figure`` (also a ``FigureWidget``) show what ``new`` shows, in one batch of changes.

    Traces are matched by order: of equal type they are updated property by property, otherwise replaced; surplus ones
    go. Layout entries that ``new`` lacks are cleared, so a zoom made by hand ends with the next drawing.
    """
    matching = 0
    for old, fresh in zip(figure.data, new.data, strict=False):
        if old.type != fresh.type:
            break
        matching += 1
    batch = figure.batch_update() if isinstance(figure, go.FigureWidget) else nullcontext()
    with batch:
        for old, fresh in zip(figure.data[:matching], new.data[:matching], strict=True):
            _assign(old, old.to_plotly_json(), fresh.to_plotly_json(), skip=("type", "uid"))
        _assign(figure.layout, figure.layout.to_plotly_json(), new.layout.to_plotly_json(), skip=())
    if len(figure.data) > matching:
        figure.data = figure.data[:matching]
    if len(new.data) > matching:
        figure.add_traces([_copied(trace) for trace in new.data[matching:]])


def _assign(target: Any, old: dict[str, Any], new: dict[str, Any], skip: tuple[str, ...]) -> None:
    for key in [*new, *(key for key in old if key not in new)]:
        if key not in skip and not _same(old.get(key), new.get(key)):
            target[key] = new.get(key)


def _copied(trace: Any) -> Any:
    made = trace.to_plotly_json()
    made.pop("uid", None)
    return made


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if a is None or b is None:
            return False
        a, b = np.asarray(a), np.asarray(b)
        return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return a is b or bool(a == b)
