"""A figure in words and numbers: text alternative, data table, and a display that carries both.

Everything is made from the figure's own data, so it cannot disagree with what is drawn.
"""
from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

ROWS = 50      # rows of a data table per series
COLUMNS = 12   # columns of a heatmap's data table
DIGITS = 5     # significant digits kept in a displayed figure: finer than a pixel
_TAG = re.compile(r"</?(b|i|em|sub|sup|span|a)( [^>]*)?>")
FLAT = 0.01    # a change below this share of the series' range of magnitudes is called flat
CONFIG = {"displaylogo": False, "responsive": True, "plotlyServerURL": "",
          "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "toImage"]}


def describe(fig: go.Figure) -> str:
    """The figure as a few sentences: what it shows, its axes, and for each series where it goes and its extremes."""
    title, _, takeaway = (_words(part) for part in (fig.layout.title.text or "").partition("<br>"))
    parts = [f"{_kind(fig)}: {title}." if title else f"{_kind(fig)}."]
    if takeaway:
        parts.append(takeaway if takeaway.endswith((".", "!", "?")) else takeaway + ".")
    axes = sorted({key for trace in fig.data for key in _axes(trace)}, key=lambda key: (key[1:], key[0]))
    parts += [_axis_sentence(fig, key) for key in axes]
    parts += [sentence for trace in fig.data if (sentence := _trace_sentence(trace))]
    return " ".join(part for part in parts if part)


def data_table(fig: go.Figure, rows: int = ROWS) -> str:
    """The figure's data as HTML tables, one per series, thinned to ``rows`` rows each; every text is escaped."""
    tables = []
    for trace in fig.data:
        if _is_band(trace):
            continue
        table = _table(fig, trace, rows)
        if table is not None:
            tables.append(_html(_name(trace), *table))
    return "".join(tables) or "<p>No data.</p>"


def show(fig: go.Figure, *, table: bool = True) -> None:
    """Display a figure, and below it a closed ``<details>`` with its text alternative and data table."""
    from IPython.display import display

    display(bundle(fig), raw=True)
    display({"text/html": alternative(fig, table=table), "text/plain": describe(fig)}, raw=True)


def bundle(fig: go.Figure) -> dict[str, Any]:
    """The mime bundle of a static figure: plotly JSON with rounded numbers, and the text alternative as plain text."""
    return {"application/vnd.plotly.v1+json": slim(fig), "text/plain": describe(fig)}


def alternative(fig: go.Figure, *, table: bool = True) -> str:
    """The closed ``<details>`` that stands below a static figure."""
    inner = f"<p>{escape(describe(fig))}</p>" + (data_table(fig) if table else "")
    return (
        '<details class="gradscape-alt" style="font-size:.85em;margin:0 0 1em"><summary style="cursor:pointer">'
        f"Figure as text{' and table' if table else ''}</summary>{inner}</details>"
    )


def slim(fig: go.Figure) -> dict[str, Any]:
    """The figure as plain JSON: lists instead of arrays, five significant digits, missing values as null."""
    # trace by trace: the figure's own to_plotly_json() packs arrays as base64 of full float64
    traces = [trace.to_plotly_json() for trace in fig.data]
    data = [{key: value for key, value in trace.items() if key != "uid"} for trace in traces]
    return {"data": _plain(data), "layout": _plain(fig.layout.to_plotly_json()), "config": CONFIG}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return _rounded(value) if math.isfinite(value) else None
    return value


def _rounded(value: float) -> float | int:
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def _words(text: str | None) -> str:
    """Plotly's pseudo-HTML as plain words."""
    text = _TAG.sub("", re.sub(r"<br\s*/?>", " ", text or ""))
    return " ".join(text.split())


def _kind(fig: go.Figure) -> str:
    kinds = {trace.type for trace in fig.data}
    if kinds <= {"scatter"} and kinds:
        lines = any("lines" in (trace.mode or "lines") for trace in fig.data)
        return "Line chart" if lines else "Scatter plot"
    names = {"heatmap": "Heat map", "bar": "Bar chart", "image": "Images", "contour": "Contour plot", "box": "Box plot"}
    return names.get(next(iter(kinds)), "Figure") if len(kinds) == 1 else "Figure" if kinds else "Empty figure"


def _axes(trace: Any) -> tuple[str, ...]:
    if trace.type == "image" or "xaxis" not in trace:
        return ()
    return (trace.xaxis or "x", trace.yaxis or "y")


def _axis_sentence(fig: go.Figure, key: str) -> str:
    spec = fig.layout[f"{key[0]}axis{key[1:]}"]
    title = _words(spec.title.text)
    if not title:
        return ""
    scale = ", logarithmic" if spec.type == "log" else ""
    which = f"{key[0]} axis" + (f" of panel {key[1:]}" if key[1:] else "")
    return f"{which[0].upper()}{which[1:]}: {title}{scale}."


def _trace_sentence(trace: Any) -> str:
    if _is_band(trace):
        return ""
    if trace.type == "image":
        meta = trace.meta or {}
        rows, columns = (", ".join(meta.get(key, [])) for key in ("rows", "columns"))
        text = f"{meta.get('count', 'Some')} images"
        return text + (f"; rows: {rows}" if rows else "") + (f"; columns: {columns}" if columns else "") + "."
    if trace.type in ("heatmap", "contour"):
        return _grid_sentence(trace)
    if "y" not in trace or trace.y is None:
        return f"{_name(trace)}." if trace.name else ""
    return _series_sentence(trace)


def _grid_sentence(trace: Any) -> str:
    z = np.asarray(trace.customdata if trace.customdata is not None else trace.z, dtype=float)
    if not np.isfinite(z).any():
        return f"{_name(trace)}: no values."
    x, y = _coordinates(trace.x, z.shape[1]), _coordinates(trace.y, z.shape[0])
    spots = []
    for word, index in (("lowest", np.nanargmin(z)), ("highest", np.nanargmax(z))):
        r, c = np.unravel_index(index, z.shape)
        spots.append(f"{word} {_number(z[r, c])} at x = {x[c]}, y = {y[r]}")
    missing = int((~np.isfinite(z)).sum())
    gaps = f"; {missing} cells empty" if missing else ""
    return f"{_name(trace)}: {z.shape[0]} by {z.shape[1]} cells, {spots[0]}, {spots[1]}{gaps}."


def _series_sentence(trace: Any) -> str:
    y = np.asarray(trace.y, dtype=float)
    labels = _coordinates(trace.x, len(y))
    fine = np.flatnonzero(np.isfinite(y))
    if len(fine) == 0:
        return f"{_name(trace)}: no values."
    first, last = fine[0], fine[-1]
    low, high = fine[np.argmin(y[fine])], fine[np.argmax(y[fine])]
    ends = f"from {_number(y[first])} at {labels[first]} to {_number(y[last])} at {labels[last]}"
    if len(fine) == 1:
        return f"{_name(trace)}: {_number(y[first])} at {labels[first]}."
    if trace.type == "bar":
        listed = ", ".join(f"{labels[k]} {_number(y[k])}" for k in fine[:8])
        return f"{_name(trace)}: {listed}{', ...' if len(fine) > 8 else ''}."
    ordered = trace.mode is None or "lines" in trace.mode
    sentence = f"{_name(trace)}: {len(fine)} points, " + (f"{_trend(y[fine])} {ends}" if ordered else ends)
    extremes = (("lowest", low), ("highest", high))
    inner = [f"{word} {_number(y[k])} at {labels[k]}" for word, k in extremes if k not in (first, last)]
    return sentence + (f"; {', '.join(inner)}" if inner else "") + "."


def _trend(y: np.ndarray) -> str:
    reach = float(y.max() - y.min())
    if reach <= FLAT * float(np.abs(y).max() or 1):
        return "flat,"
    steps = np.diff(y)
    slack = FLAT * reach
    if (steps >= -slack).all() and y[-1] - y[0] >= 0.9 * reach:
        return "rises"
    if (steps <= slack).all() and y[0] - y[-1] >= 0.9 * reach:
        return "falls"
    low, high = int(np.argmin(y)), int(np.argmax(y))
    if 0 < low < len(y) - 1 and (np.diff(y[: low + 1]) <= slack).all() and (np.diff(y[low:]) >= -slack).all():
        return "falls, then rises,"
    if 0 < high < len(y) - 1 and (np.diff(y[: high + 1]) >= -slack).all() and (np.diff(y[high:]) <= slack).all():
        return "rises, then falls,"
    return "goes up and down"


def _table(fig: go.Figure, trace: Any, rows: int) -> tuple[list[str], list[list[str]]] | None:
    if trace.type in ("heatmap", "contour"):
        z = np.asarray(trace.customdata if trace.customdata is not None else trace.z, dtype=float)
        x, y = _coordinates(trace.x, z.shape[1]), _coordinates(trace.y, z.shape[0])
        picked_c, picked_r = list(_picked(z.shape[1], COLUMNS)), list(_picked(z.shape[0], rows))
        return ["y \\ x", *(x[c] for c in picked_c)], [[y[r], *(_number(z[r, c]) for c in picked_c)] for r in picked_r]
    if "y" not in trace or trace.y is None:
        return None
    labels = _coordinates(trace.x, len(trace.y))
    heads = [_axis_title(fig, key) or key[0] for key in (_axes(trace) or ("x", "y"))]
    heights = np.asarray(trace.y, dtype=float)
    return heads, [[labels[k], _number(heights[k])] for k in _picked(len(heights), rows)]


def _html(caption: str, heads: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _picked(n: int, limit: int) -> Iterator[int]:
    return iter(sorted({round(k) for k in np.linspace(0, n - 1, min(n, limit))})) if n else iter(())


def _axis_title(fig: go.Figure, key: str) -> str:
    return _words(fig.layout[f"{key[0]}axis{key[1:]}"].title.text)


def _coordinates(values: Any, n: int) -> list[str]:
    return [str(k) for k in range(n)] if values is None else [_number(value) for value in values]


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    number = float(value)
    return f"{number:.4g}" if math.isfinite(number) else "missing"


def _name(trace: Any) -> str:
    return _words(trace.name) or "Series"


def _is_band(trace: Any) -> bool:
    return isinstance(trace.meta, dict) and bool(trace.meta.get("band"))


def size_of(fig: go.Figure) -> int:
    """Bytes that the figure takes in a stored notebook."""
    return len(json.dumps(slim(fig), separators=(",", ":")))
