"""Heat maps and sheets of images in the house idiom."""
from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gradscape.workbench.figures import DIVERGING, SEQUENTIAL, Axis, Figure, axis, axis_of, figure, place, plain, retick

LABELS = 5            # ticks of a color bar that spans less than a decade
LARGEST_SCALE = 6.0   # screen pixels per image pixel, at most
USUAL_WIDTH = 720     # pixels that a notebook's cell leaves for the sheet


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
    (in units of z). Missing cells stay empty; say ``gaps=True`` where that is meant. ``ValueError`` for a wrong shape.
    """
    z = np.asarray(plain(z), dtype=float)
    x, y = _coordinates(x), _coordinates(y)
    if z.shape != (len(y), len(x)):
        raise ValueError(f"z has shape {z.shape}: must be (len(y), len(x)) = ({len(y)}, {len(x)})")
    bar: dict[str, Any] = {"title": {"text": name, "side": "right"}, "thickness": 14, "outlinewidth": 0}
    shown, ends = z, range
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.where(z > 0, np.log10(z), np.nan)
        ends = None if range is None else (math.log10(range[0]), math.log10(range[1]))
        bar |= _log_ticks(shown, ends)
    limits: dict[str, Any] = {} if ends is None else {"zmin": ends[0], "zmax": ends[1]}
    if diverging and ends is None:
        limits = {"zmid": 0}
    value = "%{customdata:.4~g}" if log else "%{z:.4~g}"
    fig.add_trace(
        go.Heatmap(
            x=x, y=y, z=shown, customdata=z if log else None, name=name, colorbar=bar | _beside(fig, panel),
            colorscale=DIVERGING if diverging else SEQUENTIAL, reversescale=diverging, hoverongaps=False,
            hovertemplate=f"%{{x}}, %{{y}}: {value}<extra></extra>", meta={"gaps": True} if gaps else None,
            **limits, **place(fig, panel), **trace,
        )
    )
    retick(fig, panel, **{letter: array for letter, array in (("x", x), ("y", y)) if array.dtype.kind == "f"})


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
    ``ValueError`` for a wrong shape or number of names.
    """
    pixels = np.asarray(plain(images), dtype=float)
    if pixels.ndim not in (4, 5) or (pixels.ndim == 5 and pixels.shape[-1] != 3) or pixels.size == 0:
        raise ValueError(f"images has shape {pixels.shape}: must be [R, C, H, W] or [R, C, H, W, 3], not empty")
    for kind, names, count in (("rows", rows, pixels.shape[0]), ("columns", columns, pixels.shape[1])):
        if names is not None and len(names) != count:
            raise ValueError(f"{kind} has {len(names)} names: there are {count} {kind} of images")
    n_rows, n_columns, h, w = pixels.shape[:4]
    sheet = _sheet(pixels, range, gap)
    scale = min(LARGEST_SCALE, USUAL_WIDTH / sheet.shape[1])
    fig = figure(
        title, _names_axis(columns, n_columns, w + gap, w), _names_axis(rows, n_rows, h + gap, h), takeaway=takeaway
    )
    top = fig.layout.margin.t + (16 if columns is not None else -6)
    height = height or round(top + 14 + sheet.shape[0] * scale)
    fig.update_layout(height=height, margin={"t": top, "b": 10}, xaxis_side="top")
    described = {"rows": [str(name) for name in rows or ()], "columns": [str(name) for name in columns or ()],
                 "count": n_rows * n_columns, "size": [h, w], "missing": int((~np.isfinite(pixels)).sum())}
    fig.add_trace(go.Image(source=_png(sheet), name=title, hoverinfo="skip", meta=described))
    return fig


def _sheet(pixels: np.ndarray, range: tuple[float, float], gap: int) -> np.ndarray:
    low, high = range
    n_rows, n_columns, h, w = pixels.shape[:4]
    shades = (np.clip((np.nan_to_num(pixels) - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)
    sheet = np.full((n_rows * (h + gap) - gap, n_columns * (w + gap) - gap, *pixels.shape[4:]), 255, dtype=np.uint8)
    for r, row in enumerate(shades):
        for c, tile in enumerate(row):
            sheet[r * (h + gap) : r * (h + gap) + h, c * (w + gap) : c * (w + gap) + w] = tile
    return sheet


def _names_axis(names: Sequence[str] | None, count: int, pitch: int, size: int) -> Axis:
    made = axis("", ticks=[k * pitch + (size - 1) / 2 for k in np.arange(count).tolist()], labels=names)
    made.update(showgrid=False, showline=False, ticks="", showticklabels=names is not None)
    return made


def _png(sheet: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _coordinates(values: Any) -> np.ndarray:
    array = np.asarray(plain(values))
    return array if array.dtype.kind in "US" else array.astype(float)


def _log_ticks(shown: np.ndarray, ends: tuple[float, float] | None) -> dict[str, Any]:
    """Color-bar ticks that show z although the colors follow its logarithm."""
    finite = shown[np.isfinite(shown)]
    low, high = ends or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    inside = np.arange(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    powers = inside[:: math.ceil(len(inside) / 7)] if len(inside) > 2 else np.linspace(low, high, LABELS)
    return {"tickmode": "array", "tickvals": powers.tolist(), "ticktext": [f"{10.0**p:.3g}" for p in powers.tolist()]}


def _beside(fig: go.Figure, panel: int) -> dict[str, Any]:
    """Where a panel's color bar stands: at the panel's own right edge, as high as the panel."""
    if "xaxis2" not in fig.layout.to_plotly_json():
        return {}
    across, up = axis_of(fig, "x", panel).domain, axis_of(fig, "y", panel).domain
    middle, height = (up[0] + up[1]) / 2, up[1] - up[0]
    return {"x": across[1] + 0.008, "xanchor": "left", "xpad": 0, "y": middle, "len": height, "ypad": 0}
