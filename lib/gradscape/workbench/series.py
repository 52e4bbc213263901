"""Curves, points, bands and bars in the house idiom."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gradscape.workbench.figures import axis_of, place, retick, style, vector

POINTS = 200        # points kept per curve: four pixels apart at the usual width, too fine to be seen in a curve
CLOUD = 300         # points kept per scatter
BAND = 60           # points kept per edge of a band, which has no fine detail
MARKERS_SHOWN = 9   # markers drawn on a curve of many points, enough to recognize it
HATCHES = ("", "/", "\\", "x", ".", "-", "|", "+")


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

    Long curves are thinned (evenly on the axis as drawn, ends and extremes kept). ``gaps=True`` says that missing
    values are meant (a cell that could not be measured); otherwise the explorers' check mode takes NaN for a failure.
    ``trace`` goes to ``go.Scatter``. ``ValueError`` for unequal lengths or more than one dimension.
    """
    x, y, looks = vector("x", x), vector("y", y), style(i)
    _same_length(name, x, y)
    if band is not None:
        add_band(fig, x, band[0], band[1], name, i, panel=panel)
    keep = _thinned(x, y, _is_log(fig, panel), POINTS)
    line = {"color": looks["color"], "dash": looks["dash"], "width": 2} | trace.pop("line", {})
    marker = {"color": looks["color"], "symbol": looks["symbol"], "size": 7} | trace.pop("marker", {})
    if len(keep) > 2 * MARKERS_SHOWN:
        marker = {"maxdisplayed": MARKERS_SHOWN} | marker
    made = {"mode": "lines+markers", "legendgroup": name, "showlegend": legend, **place(fig, panel), **trace}
    fig.add_trace(go.Scatter(x=x[keep], y=y[keep], name=name, line=line, marker=marker, meta=_meta(gaps), **made))
    retick(fig, panel, x=x, y=y)


def add_band(
    fig: go.Figure, x: Any, low: Any, high: Any, name: str, i: int = 0, *, panel: int = 0, opacity: float = 0.18
) -> None:
    """Shade the region between two curves in the color of series ``i``; it comes and goes with the series ``name``."""
    x, low, high = vector("x", x), vector("low", low), vector("high", high)
    _same_length(name, x, low, high)
    keep = _thinned(x, high, _is_log(fig, panel), BAND)
    keep = keep[np.isfinite(low[keep]) & np.isfinite(high[keep])]
    red, green, blue = (int(style(i)["color"][k : k + 2], 16) for k in (1, 3, 5))
    fig.add_trace(
        go.Scatter(
            x=np.concatenate([x[keep], x[keep][::-1]]), y=np.concatenate([high[keep], low[keep][::-1]]), mode="lines",
            name=name, legendgroup=name, showlegend=False, hoverinfo="skip", line={"width": 0}, fill="toself",
            fillcolor=f"rgba({red},{green},{blue},{opacity})", meta={"band": True}, **place(fig, panel),
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
    """Draw series ``i`` as separate points; ``error`` is a half-length per point. At most 300, taken by stride."""
    x, y, looks = vector("x", x), vector("y", y), style(i)
    _same_length(name, x, y)
    keep = slice(None, None, math.ceil(len(x) / CLOUD) or 1)
    bars = None
    if error is not None:
        error = vector("error", error)
        _same_length(name, x, error)
        bars = {"array": error[keep], "thickness": 1.2, "width": 3}
    marker = {"color": looks["color"], "symbol": looks["symbol"], "size": 8} | trace.pop("marker", {})
    made = {"mode": "markers", "legendgroup": name, "showlegend": legend, **place(fig, panel), **trace}
    fig.add_trace(go.Scatter(x=x[keep], y=y[keep], name=name, error_y=bars, marker=marker, meta=_meta(gaps), **made))
    retick(fig, panel, x=x, y=y)


def add_bars(
    fig: go.Figure,
    labels: Sequence[str],
    values: Any,
    name: str,
    i: int = 0,
    *,
    error: Any = None,
    gaps: bool = False,
    panel: int = 0,
    **trace: Any,
) -> None:
    """Draw series ``i`` as bars, one per label, hatched so that series differ without color."""
    values = vector("values", values)
    _same_length(name, values, np.asarray(labels))
    pattern = {"shape": HATCHES[i % len(HATCHES)], "fillmode": "replace"}
    fig.add_trace(
        go.Bar(
            x=list(labels), y=values, name=name, error_y=None if error is None else {"array": vector("error", error)},
            marker={"color": style(i)["color"], "pattern": pattern}, meta=_meta(gaps), **place(fig, panel), **trace,
        )
    )


def _meta(gaps: bool) -> dict[str, bool] | None:
    return {"gaps": True} if gaps else None


def _same_length(name: str, *arrays: np.ndarray) -> None:
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"series {name!r}: lengths differ: {', '.join(map(str, lengths))}")


def _is_log(fig: go.Figure, panel: int) -> bool:
    place(fig, panel)
    return axis_of(fig, "x", panel).type == "log"


def _thinned(x: np.ndarray, y: np.ndarray, log: bool, limit: int) -> np.ndarray:
    """Indices of at most ``limit`` points, evenly spread along the axis as drawn; ends and extremes stay."""
    n = len(x)
    if n <= limit:
        return np.arange(n)
    along = np.arange(n, dtype=float)
    if log and (x > 0).all() and (np.diff(x) > 0).all():
        along = np.log(x)
    wanted = np.linspace(along[0], along[-1], limit - 4)
    keep = set(np.clip(np.searchsorted(along, wanted), 0, n - 1).tolist()) | {0, n - 1}
    if np.isfinite(y).any():
        keep |= {int(np.nanargmin(y)), int(np.nanargmax(y))}
    return np.array(sorted(keep))
