"""The explorers' check mode: visit the corners, look at what is drawn."""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from gradscape.workbench.controls import Values
from gradscape.workbench.figures import TEMPLATE
from gradscape.workbench.task import Task

if TYPE_CHECKING:
    from gradscape.workbench.explorer import Explorer


def visits(explorer: Explorer) -> Iterator[tuple[str, Values]]:
    """The start, both ends of every control, all presets (mode ``run``: the start only), each with words for it."""
    yield "the notebook's parameters", explorer.start
    if explorer.mode == "run":
        return
    for name, control in explorer.controls.items():
        for end in control.ends():
            yield f"{name} = {control.format(end)}", Values({**explorer.start, name: end}, explorer.settings)
    for title, values in explorer.presets.items():
        yield f"preset {title}", values


def check(explorer: Explorer) -> None:
    """Compute and draw at every visit, on the figure drawn before and on an empty one; see ``Explorer.check``."""
    used = go.Figure(explorer.figure)
    for where, values in visits(explorer):
        try:
            # a quick explorer may stop at its limit here too: what it returns then must be drawable
            task = Task(explorer.limit_s if explorer.mode == "quick" else None)
            result = explorer.compute(values, task)
            for figure in (used, go.Figure(layout={"template": TEMPLATE})):
                explorer.draw(figure, result)
                assert_drawn(figure, partial=task.stopped_early)
        except Exception as error:
            error.add_note(f"explorer {explorer.name!r} at {where}")
            raise


def assert_drawn(figure: go.Figure, *, partial: bool = False) -> None:
    """``AssertionError`` if a figure is empty, or holds NaN that is not declared as a gap (or ``partial``)."""
    assert len(figure.data) > 0, "the figure is empty"
    for trace in figure.data:
        if trace.type == "image":
            _check_image(trace)
            continue
        gaps = partial or (isinstance(trace.meta, Mapping) and bool(trace.meta.get("gaps")))
        for key in ("x", "y", "z"):
            array = _numbers(trace[key]) if key in trace and trace[key] is not None else None
            if array is None:
                continue
            bad, name = int((~np.isfinite(array)).sum()), trace.name
            assert array.size > 0, f"series {name!r} is empty"
            assert bad < array.size, f"series {name!r} has no finite {key}"
            assert gaps or bad == 0, f"series {name!r}: {bad} NaN or infinite {key} (pass gaps=True where meant)"


def _check_image(trace: Any) -> None:
    missing = trace.meta.get("missing", 0) if isinstance(trace.meta, Mapping) else 0
    assert not missing, f"images {trace.name!r}: {missing} NaN or infinite pixels"


def _numbers(values: Any) -> np.ndarray | None:
    """Numeric coordinates as floats with NaN for missing ones; ``None`` for words."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        flat = [math.nan if value is None else value for value in array.ravel()]
        if any(isinstance(value, str) for value in flat):
            return None
        array = np.array(flat, dtype=float)
    return array.astype(float) if array.dtype.kind in "fiub" else None
