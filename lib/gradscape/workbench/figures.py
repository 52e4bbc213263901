"""One visual idiom for every figure: titles with a takeaway, axes with units, series that differ without color.

A lesson writes ``fig_<name>(result) -> Figure`` from these few calls. A :class:`Figure` shown at the end of a cell
brings its text alternative and data table with it (see :mod:`gradscape.workbench.alttext`).
"""
from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

# Blue, vermilion, green, purple, ochre, brown, gray, ink: told apart with the common kinds of color blindness, and each
# at least 3:1 against the white card; order, dash and marker carry the difference for everyone else.
PALETTE = ("#0065a8", "#cf4a00", "#00815c", "#9c3f8a", "#a26b00", "#6b4423", "#5f6b7a", "#1f2933")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "triangle-down")
INK, MUTED, GRID = "#1f2933", "#52606d", "#e4e7eb"
SEQUENTIAL, DIVERGING = "Viridis", "RdBu"

POINTS = 400        # points kept per curve: one per two screen pixels at the usual width
MARKERS_SHOWN = 9   # markers drawn on a curve of many points, enough to recognize it
WRAP = 96           # characters of the takeaway per line at the usual width of a cell
HEIGHT = 380

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "colorway": list(PALETTE),
        "title": {
            "x": 0, "xref": "paper", "xanchor": "left", "yref": "container", "y": 1, "yanchor": "top",
            "pad": {"t": 12}, "font": {"size": 16}, "subtitle": {"font": {"size": 13, "color": MUTED}},
        },
        "margin": {"l": 64, "r": 24, "b": 52},
        "xaxis": {"gridcolor": GRID, "linecolor": MUTED, "showline": True, "ticks": "outside", "ticklen": 4,
                  "zeroline": False, "exponentformat": "power", "title": {"standoff": 8}, "automargin": True},
        "yaxis": {"gridcolor": GRID, "linecolor": MUTED, "showline": True, "ticks": "outside", "ticklen": 4,
                  "zeroline": False, "exponentformat": "power", "title": {"standoff": 8}, "automargin": True},
        "legend": {"bgcolor": "rgba(255,255,255,0.8)", "itemwidth": 40, "tracegroupgap": 4},
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


def axis(
    title: str,
    unit: str = "",
    *,
    log: bool | int = False,
    range: tuple[float, float] | None = None,
    ticks: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """An axis for :func:`figure`: ``axis("time t", "steps", log=True)`` reads *time t (steps)* on a log scale.

    ``log=2`` puts the ticks at powers of two. ``range`` is in data units also on log axes. ``ticks`` and ``labels`` set
    the ticks by hand.
    """
    made: dict[str, Any] = {"title": {"text": f"{title} ({unit})" if unit else title}}
    if log:
        made["type"] = "log"
        made |= {"dtick": math.log10(2), "tick0": 0, "tickformat": "~g"} if log == 2 and log is not True else {}
    if range is not None:
        low, high = range
        made["range"] = [math.log10(low), math.log10(high)] if log else [low, high]
    if ticks is not None:
        made |= {"tickmode": "array", "tickvals": list(ticks)}
        made |= {"ticktext": list(labels)} if labels is not None else {}
    return made


def figure(
    title: str,
    x: dict[str, Any] | str = "",
    y: dict[str, Any] | str = "",
    *,
    takeaway: str = "",
    height: int = HEIGHT,
    **layout: Any,
) -> Figure:
    """An empty figure in the house idiom; ``takeaway`` is the one sentence a reader should remember.

    ``x`` and ``y`` come from :func:`axis` (or are plain titles); further plotly layout entries go in as keywords.
    """
    fig = Figure(layout={"template": TEMPLATE})
    fig.update_layout(
        xaxis=axis(x) if isinstance(x, str) else x, yaxis=axis(y) if isinstance(y, str) else y, **_heading(title, takeaway),
        height=height,
    )
    fig.update_layout(**layout)
    return fig


def panels(
    title: str,
    titles: Sequence[str],
    x: Sequence[dict[str, Any]],
    y: Sequence[dict[str, Any]],
    *,
    takeaway: str = "",
    columns: int | None = None,
    height: int | None = None,
    **layout: Any,
) -> Figure:
    """A figure of several panels side by side (``columns`` per row); draw into panel k with ``panel=k`` (from 0).

    ``titles``, ``x`` and ``y`` have one entry per panel.
    """
    columns = columns or len(titles)
    rows = math.ceil(len(titles) / columns)
    grid = make_subplots(rows, columns, subplot_titles=list(titles), horizontal_spacing=0.3 / columns / max(1, columns - 1),
                         vertical_spacing=0.32 / rows)
    fig = Figure(grid, layout_template=TEMPLATE)
    fig.update_layout(**_heading(title, takeaway, extra=22), height=height or 60 + 300 * rows, **layout)
    fig.update_annotations(font={"size": 13, "color": INK})
    for k, (ax, ay) in enumerate(zip(x, y, strict=True)):
        row, col = divmod(k, columns)
        fig.update_xaxes(ax, row=row + 1, col=col + 1)
        fig.update_yaxes(ay, row=row + 1, col=col + 1)
    return fig


def style(i: int) -> dict[str, str]:
    """Color, dash and marker symbol of series ``i``; neighbors differ in all three."""
    return {"color": PALETTE[i % len(PALETTE)], "dash": DASHES[i % len(DASHES)], "symbol": MARKERS[i % len(MARKERS)]}


def add_line(
    fig: go.Figure,
    x: Any,
    y: Any,
    name: str,
    i: int = 0,
    *,
    band: tuple[Any, Any] | None = None,
    gaps: bool = False,
    panel: int = 0,
    legend: bool = True,
    **trace: Any,
) -> None:
    """Draw series ``i`` as a curve; ``band=(low, high)`` shades its spread.

    Long curves are thinned to 400 points (evenly on the axis as drawn, extremes kept). ``gaps=True`` says that missing
    values are meant (a cell that could not be measured); otherwise the explorers' check mode takes NaN for a failure.
    ``trace`` goes to ``go.Scatter``.
    """
    x, y = _vector("x", x), _vector("y", y)
    _same_length(name, x, y)
    looks, where = style(i), _panel(fig, panel)
    keep = _thinned(x, y, _is_log(fig, panel))
    if band is not None:
        add_band(fig, x, band[0], band[1], name, i, panel=panel)
    fig.add_trace(
        go.Scatter(
            x=x[keep], y=y[keep], name=name, legendgroup=name, showlegend=legend,
            mode=trace.pop("mode", "lines+markers"),
            line={"color": looks["color"], "dash": looks["dash"], "width": 2} | trace.pop("line", {}),
            marker={"symbol": looks["symbol"], "size": 7, "maxdisplayed": MARKERS_SHOWN} | trace.pop("marker", {}),
            meta={"gaps": True} if gaps else None, **where, **trace,
        )
    )


def add_band(
    fig: go.Figure, x: Any, low: Any, high: Any, name: str, i: int = 0, *, panel: int = 0, opacity: float = 0.18
) -> None:
    """Shade the region between two curves in the color of series ``i`` (no legend entry of its own)."""
    x, low, high = _vector("x", x), _vector("low", low), _vector("high", high)
    _same_length(name, x, low, high)
    keep = _thinned(x, high, _is_log(fig, panel), POINTS // 2)
    keep = keep[np.isfinite(low[keep]) & np.isfinite(high[keep])]
    red, green, blue = (int(style(i)["color"][k : k + 2], 16) for k in (1, 3, 5))
    fig.add_trace(
        go.Scatter(
            x=np.concatenate([x[keep], x[keep][::-1]]), y=np.concatenate([high[keep], low[keep][::-1]]), mode="lines",
            name=name, legendgroup=name, showlegend=False, hoverinfo="skip", line={"width": 0},
            fill="toself", fillcolor=f"rgba({red},{green},{blue},{opacity})", meta={"band": True}, **_panel(fig, panel),
        )
    )


def add_points(
    fig: go.Figure,
    x: Any,
    y: Any,
    name: str,
    i: int = 0,
    *,
    error: Any = None,
    gaps: bool = False,
    panel: int = 0,
    legend: bool = True,
    **trace: Any,
) -> None:
    """Draw series ``i`` as separate points; ``error`` is a half-length per point. Thinned to 400 by stride."""
    x, y = _vector("x", x), _vector("y", y)
    _same_length(name, x, y)
    keep, looks = slice(None, None, math.ceil(len(x) / POINTS) or 1), style(i)
    bars = None if error is None else {"array": _vector("error", error)[keep], "thickness": 1.2, "width": 3}
    fig.add_trace(
        go.Scatter(
            x=x[keep], y=y[keep], name=name, legendgroup=name, showlegend=legend, mode=trace.pop("mode", "markers"),
            error_y=bars, marker={"color": looks["color"], "symbol": looks["symbol"], "size": 8} | trace.pop("marker", {}),
            meta={"gaps": True} if gaps else None, **_panel(fig, panel), **trace,
        )
    )


def add_bars(
    fig: go.Figure, labels: Sequence[str], values: Any, name: str, i: int = 0, *, error: Any = None, panel: int = 0, **trace: Any
) -> None:
    """Draw series ``i`` as bars, one per label, with a hatch that differs between series."""
    hatches = ("", "/", "\\", "x", ".", "-", "|", "+")
    fig.add_trace(
        go.Bar(
            x=list(labels), y=_vector("values", values), name=name,
            error_y=None if error is None else {"array": _vector("error", error)},
            marker={"color": style(i)["color"], "pattern": {"shape": hatches[i % len(hatches)], "fillmode": "replace"}},
            **_panel(fig, panel), **trace,
        )
    )


def heatmap(
    fig: go.Figure,
    x: Any,
    y: Any,
    z: Any,
    name: str,
    *,
    diverging: bool = False,
    log: bool = False,
    range: tuple[float, float] | None = None,
    gaps: bool = False,
    panel: int = 0,
    **trace: Any,
) -> None:
    """Color the grid ``z[len(y), len(x)]``; ``name`` stands at the color bar.

    ``diverging`` centers the colors at 0, ``log`` colors by log10 of z (ticks still show z), ``range`` fixes the ends
    (in units of z). Missing cells stay empty; say ``gaps=True`` where that is meant.
    """
    z = np.asarray(_plain(z), dtype=float)
    x, y = _ticks(x), _ticks(y)
    if z.shape != (len(y), len(x)):
        raise ValueError(f"z has shape {z.shape}: must be (len(y), len(x)) = ({len(y)}, {len(x)})")
    bar: dict[str, Any] = {"title": {"text": name, "side": "right"}, "thickness": 14, "outlinewidth": 0}
    shown, ends = z, range
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.where(z > 0, np.log10(z), np.nan)
        ends = (math.log10(range[0]), math.log10(range[1])) if range else None
        finite = shown[np.isfinite(shown)]
        low, high = ends or ((finite.min(), finite.max()) if finite.size else (0, 1))
        powers = [p for p in _integers(low, high)] if high - low >= 1 else list(np.linspace(low, high, 4))
        bar |= {"tickmode": "array", "tickvals": powers, "ticktext": [f"{10.0**p:.3g}" for p in powers]}
    limits = {} if ends is None else {"zmin": ends[0], "zmax": ends[1]}
    if diverging and ends is None:
        limits = {"zmid": 0}
    fig.add_trace(
        go.Heatmap(
            x=x, y=y, z=shown, customdata=z if log else None, name=name, colorbar=bar, hoverongaps=False,
            colorscale=DIVERGING if diverging else SEQUENTIAL, reversescale=diverging,
            hovertemplate="%{x:.4~g}, %{y:.4~g}: " + ("%{customdata:.4~g}" if log else "%{z:.4~g}") + "<extra></extra>",
            meta={"gaps": True} if gaps else None, **limits, **_panel(fig, panel), **trace,
        )
    )


def image_grid(
    images: Any,
    title: str,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    takeaway: str = "",
    range: tuple[float, float] = (0.0, 1.0),
    gap: int = 1,
    height: int | None = None,
) -> Figure:
    """Images ``[R, C, H, W]`` (gray) or ``[R, C, H, W, 3]`` as one PNG, so that a hundred of them cost a few kilobytes.

    Values are mapped from ``range`` to black ... white and clipped. ``rows`` and ``columns`` name the rows and columns.
    """
    pixels = np.asarray(_plain(images), dtype=float)
    if pixels.ndim not in (4, 5) or (pixels.ndim == 5 and pixels.shape[-1] != 3):
        raise ValueError(f"images has shape {pixels.shape}: must be [R, C, H, W] or [R, C, H, W, 3]")
    for kind, names, count in (("rows", rows, pixels.shape[0]), ("columns", columns, pixels.shape[1])):
        if names is not None and len(names) != count:
            raise ValueError(f"{kind} has {len(names)} names: there are {count} {kind} of images")
    n_rows, n_columns, h, w = pixels.shape[:4]
    low, high = range
    gray = (np.clip((pixels - low) / (high - low), 0, 1) * 255).round()
    sheet = np.full((n_rows * (h + gap) - gap, n_columns * (w + gap) - gap, *pixels.shape[4:]), 255, dtype=np.uint8)
    for r, row in enumerate(np.nan_to_num(gray).astype(np.uint8)):
        for c, tile in enumerate(row):
            sheet[r * (h + gap) : r * (h + gap) + h, c * (w + gap) : c * (w + gap) + w] = tile

    def centers(count: int, size: int) -> list[float]:
        return [k * (size + gap) + (size - 1) / 2 for k in np.arange(count)]

    bare = {"showgrid": False, "showline": False, "ticks": "", "showticklabels": False}
    fig = figure(
        title, axis("", ticks=centers(n_columns, w), labels=columns) | bare | {"showticklabels": columns is not None, "side": "top"},
        axis("", ticks=centers(n_rows, h), labels=rows) | bare | {"showticklabels": rows is not None},
        takeaway=takeaway, height=height or int(min(720, 110 + sheet.shape[0] * min(6.0, 640 / sheet.shape[1]))),
    )
    fig.update_layout(margin={"b": 16, "t": (fig.layout.margin.t or 60) + (18 if columns is not None else 0)})
    fig.add_trace(
        go.Image(
            source=_png(sheet), name=title, hoverinfo="skip",
            meta={"rows": [str(r) for r in rows or []], "columns": [str(c) for c in columns or []],
                  "count": n_rows * n_columns, "size": [h, w]},
        )
    )
    return fig


def mark_x(fig: go.Figure, x: float, label: str = "", *, panel: int = 0, i: int | None = None) -> None:
    """A thin dashed vertical line at ``x`` with a label at its top: a threshold, a predicted time."""
    _mark(fig, "x", x, label, panel, i)


def mark_y(fig: go.Figure, y: float, label: str = "", *, panel: int = 0, i: int | None = None) -> None:
    """A thin dashed horizontal line at ``y`` with a label at its right end."""
    _mark(fig, "y", y, label, panel, i)


def _mark(fig: go.Figure, along: str, at: float, label: str, panel: int, i: int | None) -> None:
    if not math.isfinite(at):
        return
    n = "" if panel == 0 else str(panel + 1)
    color = MUTED if i is None else style(i)["color"]
    other = "y" if along == "x" else "x"
    ends = {f"{along}0": at, f"{along}1": at, f"{other}0": 0, f"{other}1": 1}
    refs = {f"{along}ref": f"{along}{n}", f"{other}ref": f"{other}{n} domain"}
    fig.add_shape(type="line", line={"color": color, "width": 1.2, "dash": "dash"}, layer="below", **ends, **refs)
    if label:
        axis_of = fig.layout[f"{along}axis{n}"]
        place = {along: math.log10(at) if axis_of.type == "log" else at, other: 1}
        anchor = {"xanchor": "left", "yanchor": "top"} if along == "x" else {"xanchor": "right", "yanchor": "bottom"}
        fig.add_annotation(text=label, showarrow=False, font={"size": 12, "color": color}, **place, **refs, **anchor)


def _heading(title: str, takeaway: str, extra: int = 0) -> dict[str, Any]:
    lines = textwrap.wrap(takeaway, WRAP)
    made: dict[str, Any] = {"text": title}
    if lines:
        made["subtitle"] = {"text": "<br>".join(lines)}
    return {"title": made, "margin": {"t": 48 + 18 * len(lines) + extra}}


def _plain(value: Any) -> Any:
    """Tensors (also those that need gradients) as arrays."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _vector(name: str, values: Any) -> np.ndarray:
    array = np.asarray(_plain(values), dtype=float)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}: must have one dimension")
    return array


def _ticks(values: Any) -> np.ndarray:
    array = np.asarray(_plain(values))
    return array if array.dtype.kind in "US" else array.astype(float)


def _same_length(name: str, *arrays: np.ndarray) -> None:
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"series {name!r}: lengths differ: {lengths}")


def _panel(fig: go.Figure, panel: int) -> dict[str, str]:
    if panel == 0:
        return {}
    if f"xaxis{panel + 1}" not in fig.layout.to_plotly_json():
        raise ValueError(f"panel={panel!r}: the figure has no such panel (they count from 0)")
    return {"xaxis": f"x{panel + 1}", "yaxis": f"y{panel + 1}"}


def _is_log(fig: go.Figure, panel: int) -> bool:
    return fig.layout["xaxis" if panel == 0 else f"xaxis{panel + 1}"].type == "log"


def _thinned(x: np.ndarray, y: np.ndarray, log: bool, limit: int = POINTS) -> np.ndarray:
    """Indices of at most about ``limit`` points, evenly spread along the axis as drawn; ends and extremes stay."""
    n = len(x)
    if n <= limit:
        return np.arange(n)
    along = np.arange(n, dtype=float)
    if log and np.all(x > 0) and np.all(np.diff(x) > 0):
        along = np.log(x)
    wanted = np.linspace(along[0], along[-1], limit - 2)
    keep = set(np.clip(np.searchsorted(along, wanted), 0, n - 1).tolist()) | {0, n - 1}
    if np.isfinite(y).any():
        keep |= {int(np.nanargmin(y)), int(np.nanargmax(y))}
    return np.array(sorted(keep))


def _integers(low: float, high: float) -> list[int]:
    return list(np.arange(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))


def _png(sheet: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
