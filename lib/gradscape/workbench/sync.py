"""Drawing in place: bring a live figure to what a freshly made one shows, changing only what differs."""
from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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

    Where both have the same structure (traces of the same kinds with the same entries, layouts with the same entries)
    only values are changed, in place. Otherwise all traces are taken out and drawn anew: plotly.js leaves residues of
    entries that are merely cleared. A zoom made by hand ends with the next drawing that changes the axis.
    """
    old, fresh = ([trace.to_plotly_json() for trace in made.data] for made in (figure, new))
    if _shape(old) == _shape(fresh) and _shape(figure.layout.to_plotly_json()) == _shape(new.layout.to_plotly_json()):
        with _batch(figure):
            for trace, before, after in zip(figure.data, old, fresh, strict=True):
                _assign(trace, before, after)
            _assign(figure.layout, figure.layout.to_plotly_json(), new.layout.to_plotly_json())
        return
    marks = {key: new.layout[key] for key in ("shapes", "annotations")}
    figure.layout.update(dict.fromkeys(marks, ()), overwrite=True)  # plotly cannot place them on axes without traces
    figure.data = []
    with _batch(figure):
        rest = {key: value for key, value in new.layout.to_plotly_json().items() if key not in marks}
        _assign(figure.layout, figure.layout.to_plotly_json(), rest)
    figure.add_traces([{key: value for key, value in trace.items() if key != "uid"} for trace in fresh])
    if any(marks.values()):
        figure.layout.update(marks, overwrite=True)


def _batch(figure: go.Figure) -> AbstractContextManager[Any]:
    widgets = sys.modules.get("plotly.basewidget")  # headless, nobody has made a live figure: importing it costs 3 s
    live = widgets is not None and isinstance(figure, widgets.BaseFigureWidget)
    return figure.batch_update() if live else nullcontext()


def _shape(value: Any) -> Any:
    """What must agree for an update in place: the entries that exist, kinds of traces and axes, not the values."""
    if isinstance(value, dict):
        kept = {key: _shape(entry) for key, entry in value.items() if key not in ("uid", "meta", "template")}
        return {key: entry for key, entry in kept.items() if entry} | {"type": value.get("type", "")}
    if isinstance(value, list | tuple) and any(isinstance(entry, dict) for entry in value):
        return [_shape(entry) for entry in value]
    return "" if value is None or (isinstance(value, list | tuple) and len(value) == 0) else "value"


def _assign(target: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in [*new, *(key for key in old if key not in new)]:
        if key not in ("type", "uid") and not _same(old.get(key), new.get(key)):
            target[key] = new.get(key)


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
