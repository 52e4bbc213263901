"""Pictures of a sweep's table, and an explorer that answers from it: nothing is computed, a slider moves at once.

In a lesson's notebook, after ``gradscape sweep sgd_noise -p T=log2:2^-12:2^-4:9 -p alpha=1,100 --out runs/phase``::

    from gradscape.workbench import explore_sweep
    explore_sweep("runs/phase", Settings(), scalar="test_error")
"""
from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gradscape.lesson import Settings
from gradscape.sweeptable import SweepTable
from gradscape.workbench.controls import Control, Scale, Values
from gradscape.workbench.explorer import Explorer, explore
from gradscape.workbench.figures import Figure, axis, figure, mark_x, panels
from gradscape.workbench.grids import heatmap
from gradscape.workbench.series import add_bars, add_line
from gradscape.workbench.sync import redraw
from gradscape.workbench.task import Task

SEED = "seed"
BAND = (10, 90)  # percentiles over seeds that a band spans
CURVES, PANELS = 6, 12  # that a figure can still show
SPREAD = f"band: {BAND[0]}th to {BAND[1]}th percentile of seeds"


def fig_sweep(table: SweepTable, scalar: str) -> Figure:
    """A scalar over the grid: bars, a curve with a band, a heat map or small multiples, by the number of axes.

    Lines and cells are medians over seeds. ``ValueError`` for an unknown scalar.
    """
    values = table.values(scalar)
    names = [name for name in table.axes if name != SEED]
    if SEED in table.axes:
        values = np.moveaxis(values, list(table.axes).index(SEED), -1)
    else:
        values = values[..., None]
    numeric = sorted(names, key=lambda name: not _numeric(table, name))  # axes of words come last
    values = np.moveaxis(values, [names.index(name) for name in numeric], range(len(names)))
    if not names:
        return _bars(table, scalar, [("all seeds", values)])
    if len(names) == 1:
        return _curve(table, scalar, numeric[0], values)
    if len(names) == 2:
        return _map(table, scalar, numeric, _median(values))
    return _multiples(table, scalar, numeric, _median(values))


def fig_verdicts(table: SweepTable) -> Figure:
    """How often each claim got each verdict, over all seeds and parameters of the sweep."""
    words = dict.fromkeys(row["claims"][name]["verdict"] for row in table.done for name in row["claims"])
    fig = figure("Verdicts over the sweep", "claim", axis("share of points", range=(0.0, 1.0)), barmode="stack",
                 takeaway=_stable(table))
    counts = {name: Counter(row["claims"][name]["verdict"] for row in table.done if name in row["claims"])
              for name in table.claims}
    for i, word in enumerate(words):
        shares = [counts[name][word] / max(1, counts[name].total()) for name in table.claims]
        add_bars(fig, list(table.claims), shares, word, i)
    return fig


def explore_sweep(
    sweep: SweepTable | Path | str, settings: Settings, *, scalar: str | None = None, name: str = "sweep"
) -> Explorer:
    """An explorer on a finished sweep: choose the scalar and the axis drawn, move the others.

    ``ValueError`` when the sweep is of another lesson, or holds nothing to draw.
    """
    table = sweep if isinstance(sweep, SweepTable) else SweepTable.open(sweep)
    home = type(settings).__module__.split(".")[1:3]
    if "/".join(home) != table.lesson:
        raise ValueError(f"sweep={str(table.folder)!r}: is of {table.lesson}, these are settings of {'/'.join(home)}")
    axes = [axis for axis in table.axes if axis != SEED]
    drawn = [axis for axis in axes if _numeric(table, axis)]
    if not table.scalars or not drawn:
        raise ValueError(f"sweep={str(table.folder)!r}: needs a finished point and an axis of numbers besides the seed")
    if scalar is not None and scalar not in table.scalars:
        raise ValueError(f"scalar={scalar!r}: must be one of {', '.join(table.scalars)}")
    controls = [Control("scalar", "choice", options=table.scalars, default=scalar or table.scalars[0])]
    if len(drawn) > 1:
        controls.append(Control("along", "choice", options=tuple(drawn), about="axis drawn"))
    controls += [_control(table, axis) for axis in axes if len(axes) > 1]

    def compute(values: Values, task: Task) -> tuple[str, str, dict[str, Any]]:
        along = values["along"] if "along" in values else drawn[0]
        return values["scalar"], along, {axis: _nearest(table, axis, values[axis]) for axis in axes if axis in values}

    def draw(result: tuple[str, str, dict[str, Any]]) -> Figure:
        return _slice(table, *result)

    return explore(compute, redraw(draw), controls, settings=settings, name=name)


def _slice(table: SweepTable, scalar: str, along: str, at: dict[str, Any]) -> Figure:
    """One line of the grid, with the position of the slider on the axis drawn."""
    values, index = table.values(scalar), []
    for name, points in table.axes.items():
        index.append(slice(None) if name in (along, SEED) else points.index(at[name]))
    line = values[tuple(index)]
    if SEED in table.axes:
        line = line if list(table.axes).index(SEED) > list(table.axes).index(along) else line.T
    else:
        line = line[:, None]
    rest = ", ".join(f"{_symbol(table, name)} = {_short(value)}" for name, value in at.items() if name != along)
    fig = _curve(table, scalar, along, line, title=f"{scalar} at {rest}" if rest else scalar)
    if along in at:
        mark_x(fig, float(at[along]), f"{_symbol(table, along)} = {_short(at[along])}")
    return fig


def _curve(table: SweepTable, scalar: str, name: str, values: np.ndarray, title: str = "") -> Figure:
    if not _numeric(table, name):
        return _bars(table, scalar, [(str(v), values[k]) for k, v in enumerate(table.axes[name])])
    seeds = values.shape[-1]
    gap = _gap(values)
    fig = figure(title or f"{scalar} over {_symbol(table, name)}", _axis(table, name), scalar,
                 takeaway=(f"Median of {seeds} seeds; {SPREAD}." if seeds > 1 else "One seed.") + gap)
    low, high = (_percentile(values, q) for q in BAND)
    order = np.argsort(np.asarray(table.axes[name], dtype=float))
    x = np.asarray(table.axes[name], dtype=float)[order]
    band = (low[order], high[order]) if seeds > 1 else None
    add_line(fig, x, _median(values)[order], scalar, band=band, gaps=bool(gap))
    return fig


def _bars(table: SweepTable, scalar: str, groups: list[tuple[str, np.ndarray]]) -> Figure:
    fig = figure(scalar, "", scalar, takeaway=f"Median over seeds; bars: {SPREAD.removeprefix('band: ')}.")
    middle = np.array([_median(values) for _, values in groups], dtype=float)
    half = np.array([(_percentile(v, BAND[1]) - _percentile(v, BAND[0])) / 2 for _, v in groups], dtype=float)
    add_bars(fig, [label for label, _ in groups], middle, scalar, error=np.nan_to_num(half), gaps=True)
    return fig


def _map(table: SweepTable, scalar: str, names: list[str], z: np.ndarray) -> Figure:
    fig = figure(f"{scalar} over {' and '.join(_symbol(table, n) for n in names)}", _axis(table, names[0]),
                 _axis(table, names[1]), takeaway="Each cell is the median over its seeds." + _gap(z))
    heatmap(fig, _places(table, names[0]), _places(table, names[1]), z.T, scalar, gaps=True)
    return fig


def _multiples(table: SweepTable, scalar: str, names: list[str], z: np.ndarray) -> Figure:
    """A heat map for each combination of the third and later axes, all in the same colors."""
    rest = names[2:]
    combinations = list(itertools.product(*(range(len(table.axes[name])) for name in rest)))
    shown = combinations[:PANELS]
    titles = [", ".join(f"{_symbol(table, n)} = {_short(table.axes[n][k])}" for n, k in zip(rest, places, strict=True))
              for places in shown]
    left = f" The first {PANELS} of {len(combinations)} combinations are drawn." if len(combinations) > PANELS else ""
    fig = panels(
        f"{scalar} over {', '.join(_symbol(table, n) for n in names)}", titles,
        [_axis(table, names[0]) for _ in shown], [_axis(table, names[1]) for _ in shown],
        columns=min(3, len(shown)),
        takeaway="Each cell is the median over its seeds; one color scale." + left + _gap(z),
    )
    finite = z[np.isfinite(z)]
    ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for k, places in enumerate(shown):
        cells = z.reshape(*z.shape[:2], -1)[:, :, combinations.index(places)]
        heatmap(fig, _places(table, names[0]), _places(table, names[1]), cells.T, scalar, gaps=True, range=ends,
                panel=k, showscale=k == len(shown) - 1)
    return fig


def _stable(table: SweepTable) -> str:
    """In one sentence: claims whose verdict is not the same everywhere."""
    moving = []
    for name in table.claims:
        counts = Counter(row["claims"][name]["verdict"] for row in table.done if name in row["claims"])
        word, most = counts.most_common(1)[0]
        if most < counts.total():
            moving.append(f"{name} ({word} for {most} of {counts.total()})")
    return "Not the same everywhere: " + ", ".join(moving) + "." if moving else "Every verdict is the same everywhere."


def _control(table: SweepTable, name: str) -> Control:
    points, symbol = table.axes[name], _symbol(table, name)
    if not _numeric(table, name):
        return Control(name, "choice", options=points, symbol=symbol)
    ordered = sorted(points)
    scale = _scale(table, name)
    base: Any = {"lin": float, "log": math.log10, "log2": math.log2}[scale]
    steps = np.diff([base(value) for value in ordered])
    step = float(steps.mean()) if np.allclose(steps, steps.mean(), rtol=1e-6) else None
    return Control(name, "real", float(ordered[0]), float(ordered[-1]), scale, symbol=symbol, step=step)


def _nearest(table: SweepTable, name: str, value: Any) -> Any:
    points = table.axes[name]
    if value in points or not _numeric(table, name):
        return value
    base: Any = float if _scale(table, name) == "lin" else math.log
    return min(points, key=lambda point: abs(base(point) - base(value)))


def _scale(table: SweepTable, name: str) -> Scale:
    scale: Scale = table.about["scales"].get(name, "lin")
    return scale if min(table.axes[name]) > 0 else "lin"


def _numeric(table: SweepTable, name: str) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in table.axes[name])


def _axis(table: SweepTable, name: str) -> Any:
    if not _numeric(table, name):
        return axis(_symbol(table, name))
    return axis(_symbol(table, name), log={"lin": False, "log": 10, "log2": 2}[_scale(table, name)])


def _places(table: SweepTable, name: str) -> Any:
    points = table.axes[name]
    return np.asarray(points, dtype=float) if _numeric(table, name) else np.asarray([str(p) for p in points])


def _symbol(table: SweepTable, name: str) -> str:
    return table.about["symbols"].get(name) or name


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _gap(values: np.ndarray) -> str:
    missing = int((~np.isfinite(values)).sum())
    return f" {missing} of {values.size} values are missing." if missing else ""


def _median(values: np.ndarray) -> np.ndarray:
    return _percentile(values, 50)


def _percentile(values: np.ndarray, q: float) -> np.ndarray:
    """Over the last axis, missing values left out; NaN where all are missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanpercentile(values, q, axis=-1))
