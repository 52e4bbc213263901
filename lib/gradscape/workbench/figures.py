"""One visual idiom for every figure: titles with a takeaway, axes with units, series that differ without color.

A lesson writes ``fig_<name>(result) -> Figure`` from :func:`figure` (or :func:`panels`) and the calls of ``series`` and
``grids``. A :class:`Figure` at the end of a cell shows itself with its text alternative and data table (``alttext``).
"""
from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

# Blue, vermilion, green, purple, olive, brown, gray, ink. Each is 4.5:1 against the white card, since labels wear it
# too; any two are ten steps of CIEDE2000 apart, also without red, green or blue cones (tests/access/test_colors.py);
# dash and marker carry the difference for everyone else.
PALETTE = ("#1863b2", "#cf4a00", "#00815c", "#890978", "#694400", "#412709", "#5f6b7a", "#1f2933")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "12px,3px,3px,3px,3px,3px", "6px,2px")
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "triangle-down")
INK, MUTED, GRID = "#1f2933", "#52606d", "#e4e7eb"
SEQUENTIAL, DIVERGING = "Viridis", "RdBu"

HEIGHT = 380
WRAP = 104        # characters of the takeaway per line at the usual width of a cell
LINE = 18         # pixels that a line of the takeaway adds to the top margin
TICKS = 8         # at most so many labels on an axis of powers of two
FEW = 0.9         # decades that show three of the labels 1, 2 and 5 at least
_TAKEAWAY = f'<span style="font-size:13px;color:{MUTED}">'

_AXIS = {"gridcolor": GRID, "linecolor": MUTED, "showline": True, "ticks": "outside", "ticklen": 4, "zeroline": False,
         "exponentformat": "power", "title": {"standoff": 8, "font": {"size": 13}}, "automargin": True}

# A white card with dark ink reads the same in a light and in a dark notebook, on paper and on a projector.
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 12.5, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "colorway": list(PALETTE),
        "title": {"xref": "container", "x": 0, "xanchor": "left", "yref": "container", "y": 1, "yanchor": "top",
                  "pad": {"t": 22, "l": 10}, "font": {"size": 16}},
        "margin": {"l": 64, "r": 24, "b": 52},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"bgcolor": "rgba(255,255,255,0.8)", "itemwidth": 40, "tracegroupgap": 2},
        "hoverlabel": {"font": {"size": 12}},
        "hovermode": "closest",
        "colorscale": {"sequential": SEQUENTIAL, "diverging": DIVERGING},
    }
)


class Figure(go.Figure):
    """A plotly figure that shows itself with its text alternative and data table, in few bytes, without remote code."""

    def _ipython_display_(self) -> None:
        from gradscape.workbench.alttext import show

        show(self)


class Axis(dict[str, Any]):
    """A plotly axis that remembers which powers its ticks should be (``base`` 10 or 2); made by :func:`axis`."""

    base: int | None = None


def axis(
    title: str,
    unit: str = "",
    *,
    log: bool | int = False,
    range: tuple[float, float] | None = None,
    ticks: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
) -> Axis:
    """An axis for :func:`figure`: ``axis("time t", "steps", log=True)`` reads *time t (steps)* on a log scale.

    ``log=2`` puts the ticks at powers of two. ``range`` is in data units also on log axes. ``ticks`` and ``labels`` set
    the ticks by hand.
    """
    made = Axis(title={"text": f"{title} ({unit})" if unit else title})
    if log:
        made["type"] = "log"
        made.base = 10 if log is True or log == 10 else 2
    if range is not None:
        low, high = range
        made["range"] = [math.log10(low), math.log10(high)] if log else [low, high]
    if ticks is not None:
        made |= {"tickmode": "array", "tickvals": list(ticks)}
        made |= {"ticktext": list(labels)} if labels is not None else {}
        made.base = None
    return made


def figure(
    title: str,
    x: Axis | str = "",
    y: Axis | str = "",
    *,
    takeaway: str = "",
    height: int = HEIGHT,
    **layout: Any,
) -> Figure:
    """An empty figure in the house idiom; ``takeaway`` is the one sentence a reader should remember.

    ``x`` and ``y`` come from :func:`axis` (or are plain titles); further plotly layout entries go in as keywords.
    """
    fig = Figure(layout={"template": TEMPLATE, "height": height, **heading(title, takeaway)})
    _set_axes(fig, [axis(x) if isinstance(x, str) else x], [axis(y) if isinstance(y, str) else y])
    fig.update_layout(**layout)
    return fig


def panels(
    title: str,
    titles: Sequence[str],
    x: Sequence[Axis],
    y: Sequence[Axis],
    *,
    takeaway: str = "",
    columns: int | None = None,
    height: int | None = None,
    **layout: Any,
) -> Figure:
    """A figure of several panels (``columns`` per row, all in one row if left out); draw with ``panel=k`` from 0.

    ``titles``, ``x`` and ``y`` have one entry per panel.
    """
    if not len(titles) == len(x) == len(y):
        raise ValueError(f"titles, x and y have {len(titles)}, {len(x)} and {len(y)} entries: one per panel is needed")
    columns = columns or len(titles)
    rows = math.ceil(len(titles) / columns)
    grid = make_subplots(
        rows, columns, subplot_titles=list(titles), vertical_spacing=0.32 / rows,
        horizontal_spacing={1: 0.0, 2: 0.14, 3: 0.1}.get(columns, 0.07),
    )
    fig = Figure(grid, layout_template=TEMPLATE)
    fig.update_annotations(font={"size": 13, "color": INK})
    fig.update_layout(height=height or 40 + 300 * rows, **heading(title, takeaway, extra=20))
    _set_axes(fig, x, y)
    fig.update_layout(**layout)
    return fig


def style(i: int) -> dict[str, str]:
    """Color, dash and marker symbol of series ``i``; neighbors differ in all three."""
    return {"color": PALETTE[i % len(PALETTE)], "dash": DASHES[i % len(DASHES)], "symbol": MARKERS[i % len(MARKERS)]}


def mark_x(fig: go.Figure, x: float, label: str = "", *, panel: int = 0, i: int | None = None) -> None:
    """A thin dashed vertical line at ``x`` with a label at its top: a threshold, a predicted time.

    In the color of series ``i`` if given. Nothing is drawn where ``x`` is not finite.
    """
    _mark(fig, "x", x, label, panel, i)


def mark_y(fig: go.Figure, y: float, label: str = "", *, panel: int = 0, i: int | None = None) -> None:
    """A thin dashed horizontal line at ``y`` with a label at its right end; otherwise as :func:`mark_x`."""
    _mark(fig, "y", y, label, panel, i)


def _mark(fig: go.Figure, along: str, at: float, label: str, panel: int, i: int | None) -> None:
    at = float(at)
    if not math.isfinite(at):
        return
    n = "" if panel == 0 else str(panel + 1)
    color = MUTED if i is None else style(i)["color"]
    other = "y" if along == "x" else "x"
    ends = {f"{along}0": at, f"{along}1": at, f"{other}0": 0, f"{other}1": 1}
    refs = {f"{along}ref": f"{along}{n}", f"{other}ref": f"{other}{n} domain"}
    fig.add_shape(type="line", line={"color": color, "width": 1.3, "dash": "4px,3px"}, layer="below", **ends, **refs)
    if label:
        place = {along: math.log10(at) if fig.layout[f"{along}axis{n}"].type == "log" else at, other: 1}
        anchor = {"xanchor": "left", "yanchor": "top"} if along == "x" else {"xanchor": "right", "yanchor": "bottom"}
        looks = {"showarrow": False, "xshift": 3 if along == "x" else 0, "font": {"size": 12, "color": color}}
        fig.add_annotation(text=label, **looks, **place, **refs, **anchor)


# ---- for the other modules of the workbench --------------------------------------------------------------------------


def heading(title: str, takeaway: str, extra: int = 0) -> dict[str, Any]:
    """Title and takeaway as one text (a separate subtitle is misplaced when a live figure redraws), and room for it."""
    lines = textwrap.wrap(takeaway, WRAP)
    text = title + (f"<br>{_TAKEAWAY}{'<br>'.join(lines)}</span>" if lines else "")
    return {"title": {"text": text}, "margin": {"t": 46 + LINE * len(lines) + extra}}


def place(fig: go.Figure, panel: int) -> dict[str, str]:
    """The axes of a panel as a trace names them; ``ValueError`` if there is no such panel."""
    if panel == 0:
        return {}
    if panel < 0 or f"xaxis{panel + 1}" not in fig.layout.to_plotly_json():
        raise ValueError(f"panel={panel!r}: the figure has no such panel (they count from 0)")
    return {"xaxis": f"x{panel + 1}", "yaxis": f"y{panel + 1}"}


def axis_of(fig: go.Figure, letter: str, panel: int) -> Any:
    """The axis object of a panel."""
    return fig.layout[f"{letter}axis" if panel == 0 else f"{letter}axis{panel + 1}"]


def plain(value: Any) -> Any:
    """Tensors (also those that need gradients) as arrays."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def vector(name: str, values: Any) -> np.ndarray:
    """A one-dimensional float array; ``ValueError`` for other shapes."""
    array = np.asarray(plain(values), dtype=float)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}: must have one dimension")
    return array


def retick(fig: go.Figure, panel: int, **values: np.ndarray) -> None:
    """Put the ticks of a panel's log axes where the data now lie (``x=...``, ``y=...`` newly drawn).

    What the axes span so far is kept in ``layout.meta``, which plotly ignores.
    """
    spans = dict((fig.layout.meta or {}).get("log") or {})
    for letter, array in values.items():
        fine = array[np.isfinite(array) & (array > 0)]
        if f"{letter}{panel}" not in spans or not len(fine):
            continue
        base, *seen = spans[f"{letter}{panel}"]
        low, high = (math.log(end, base) for end in (fine.min(), fine.max()))
        if seen:
            low, high = min(low, seen[0]), max(high, seen[1])
        span = (base, round(low, 3), round(high, 3))
        if span != tuple(spans[f"{letter}{panel}"]):
            spans[f"{letter}{panel}"] = span
            axis_of(fig, letter, panel).update(_powers_of_two(low, high) if base == 2 else _decades(low, high))
            fig.layout.meta = {"log": spans}


def _decades(low: float, high: float) -> dict[str, Any]:
    """Whole powers of ten from two decades on; 1, 2 and 5 about one decade, where nine digits would overlap; plotly's
    own ticks below. It draws powers 1.25 larger.
    """
    if high - low < FEW - 1e-9:
        return {}
    if high - low < 2 - 1e-9:
        return {"dtick": "D2"}
    return {"dtick": math.ceil((high - low) / TICKS), "tickfont": {"size": 10.5}}


def _powers_of_two(low: float, high: float) -> dict[str, Any]:
    first, last = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    step = next(s for s in (1, 2, 4, 8, 16, 32) if (last - first) / s < TICKS or s == 32)
    powers = range(-(-first // step) * step, last + 1, step)
    if first >= -4 and last <= 12:
        text = [f"{2.0**p:g}" for p in powers]
    else:
        text = [f"2<sup>{p}</sup>".replace("-", "−") for p in powers]
    return {"tickmode": "array", "tickvals": [2.0**p for p in powers], "ticktext": text, "tickfont": {"size": 12}}


def _set_axes(fig: go.Figure, x: Sequence[Axis], y: Sequence[Axis]) -> None:
    spans = {}
    for letter, axes in (("x", x), ("y", y)):
        for panel, spec in enumerate(axes):
            axis_of(fig, letter, panel).update(spec)
            if getattr(spec, "base", None):
                spans[f"{letter}{panel}"] = (spec.base,)
    if spans:
        fig.layout.meta = {"log": spans}
