"""Figures in the house idiom: what they hold, how small they are, what they refuse."""
from __future__ import annotations

import base64
import io
import itertools
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from gradscape.workbench import (
    PALETTE,
    add_band,
    add_bars,
    add_line,
    add_points,
    axis,
    figure,
    heatmap,
    image_grid,
    mark_x,
    mark_y,
    panels,
    redraw,
    style,
    update_traces_from,
)
from gradscape.workbench.alttext import size_of, slim
from PIL import Image

CONTRAST = 3.0  # WCAG 1.4.11: graphics against their ground


def luminance(color: str) -> float:
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colors_stand_out_from_the_card_and_series_differ_without_them() -> None:
    for color in PALETTE:
        assert 1.05 / (luminance(color) + 0.05) >= CONTRAST
    for i, j in itertools.combinations(range(len(PALETTE)), 2):
        a, b = style(i), style(j)
        assert (a["dash"], a["symbol"]) != (b["dash"], b["symbol"])
        assert a["color"] != b["color"]


def test_importing_and_drawing_leaves_plotlys_default_template_alone() -> None:
    import plotly.io

    figure("x")
    assert plotly.io.templates.default == "plotly"
    assert "gradscape" not in plotly.io.templates


def test_a_figure_carries_title_takeaway_axes_and_units() -> None:
    fig = figure("Decay", axis("time t", "τ", log=True, range=(1, 100)), axis("error"), takeaway="It falls.")
    assert fig.layout.title.text.startswith("Decay<br>")
    assert "It falls." in fig.layout.title.text
    assert fig.layout.xaxis.title.text == "time t (τ)"
    assert (fig.layout.xaxis.type, fig.layout.xaxis.range) == ("log", (0, 2))
    assert fig.layout.yaxis.title.text == "error"


def test_long_curves_are_thinned_evenly_on_the_axis_as_drawn_and_keep_their_extremes() -> None:
    x = np.arange(1, 100_001)
    y = np.ones(len(x))
    y[77_777], y[33_333] = 9.0, -9.0
    for log in (False, True):
        fig = figure("long", axis("t", log=log), axis("y"))
        add_line(fig, x, y, "curve")
        kept = fig.data[0]
        assert len(kept.x) <= 200
        assert (kept.x[0], kept.x[-1], kept.y.max(), kept.y.min()) == (1, 100_000, 9.0, -9.0)
    assert (kept.x < 1000).sum() > 60  # the log axis gives each decade its share


def test_figures_are_small() -> None:
    fig = figure("many", axis("t", log=True), axis("y"))
    x = np.geomspace(1, 1e5, 10_000)
    for i in range(4):
        add_line(fig, x, np.sin(i + np.log(x)), f"series {i}", i, band=(np.sin(x) - 1, np.sin(x) + 1))
    add_points(fig, np.random.default_rng(0).random(5000), np.zeros(5000), "cloud", 5)
    assert size_of(fig) < 40_000
    assert "bdata" not in json.dumps(slim(fig))


def test_tensors_are_drawn_and_wrong_shapes_refused_by_name() -> None:
    fig = figure("x")
    add_line(fig, torch.arange(3), torch.ones(3, requires_grad=True), "tensor")
    assert fig.data[0].y.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match=r"series 'short': lengths differ: 3, 2"):
        add_line(fig, [1, 2, 3], [1, 2], "short")
    with pytest.raises(ValueError, match=r"y has shape \(1, 2\)"):
        add_points(fig, [1, 2], [[1, 2]], "flat")
    with pytest.raises(ValueError, match="lengths differ"):
        add_points(fig, [1, 2], [1, 2], "error", error=[1])
    with pytest.raises(ValueError, match="panel=1"):
        add_line(fig, [1], [1], "no such panel", panel=1)
    with pytest.raises(ValueError, match=r"must be \(len\(y\), len\(x\)\) = \(2, 3\)"):
        heatmap(fig, [1, 2, 3], [1, 2], np.zeros((3, 2)), "z")


def test_axes_of_powers_of_two_get_few_ticks_where_the_data_lie() -> None:
    fig = figure("x", axis("α", log=2), axis("T", log=2))
    heatmap(fig, 2.0 ** np.arange(-16, 19), 2.0 ** np.arange(0, 4), np.ones((4, 35)), "z")
    ticks = fig.layout.xaxis.tickvals
    assert 4 <= len(ticks) <= 9
    assert all(np.log2(tick) % 1 == 0 for tick in ticks)
    assert min(ticks) <= 2**-12
    assert fig.layout.yaxis.ticktext == ("1", "2", "4", "8")


def test_axes_of_powers_of_ten_leave_out_the_twos_and_fives_from_two_decades_on() -> None:
    wide, middle, narrow = (figure("x", axis("t", log=True)) for _ in range(3))
    add_line(wide, [1, 1e4], [0, 1], "wide")
    add_line(middle, [1, 50], [0, 1], "middle")
    add_line(narrow, [1, 5], [0, 1], "narrow")
    assert wide.layout.xaxis.dtick == 1
    assert middle.layout.xaxis.dtick == "D2"  # 1, 2, 5, 10, …: all nine digits would overlap
    assert narrow.layout.xaxis.dtick is None


def test_a_logarithmic_heat_map_shows_values_and_leaves_empty_cells_empty() -> None:
    fig = figure("x")
    heatmap(fig, [1, 2], [1, 2], [[1, 10], [100, 0]], "loss", log=True, gaps=True)
    trace = fig.data[0]
    np.testing.assert_allclose(trace.z, [[0, 1], [2, np.nan]])
    assert trace.colorbar.ticktext == ("1", "10", "100")
    assert trace.customdata[1, 0] == 100


def test_panels_hold_their_own_axes_and_color_bars() -> None:
    axes = [axis("a"), axis("b")]
    fig = panels("two", ["left", "right"], axes, axes)
    for k in range(2):
        heatmap(fig, [1, 2], [1, 2], np.eye(2), f"z{k}", panel=k)
    bars = [trace.colorbar for trace in fig.data]
    assert fig.layout.xaxis.domain[1] < bars[0].x < fig.layout.xaxis2.domain[0]
    assert bars[1].x > fig.layout.xaxis2.domain[1]
    with pytest.raises(ValueError, match="one per panel"):
        panels("two", ["left", "right"], axes, axes[:1])


def test_image_grids_are_one_png_with_every_pixel_in_its_place() -> None:
    tiles = np.zeros((2, 3, 4, 5))
    tiles[1, 2] = 1.0
    fig = image_grid(tiles, "sheet", rows=["a", "b"], columns=["x", "y", "z"], gap=1)
    source = fig.data[0].source
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
    assert sheet.shape == (2 * 4 + 1, 3 * 5 + 2)
    assert (sheet[5:, 12:] == 255).all()
    assert (sheet[:4, :5] == 0).all()
    assert size_of(image_grid(np.random.default_rng(0).random((8, 8, 28, 28)), "noise")) < 100_000
    with pytest.raises(ValueError, match="rows has 1 names: there are 2 rows"):
        image_grid(tiles, "sheet", rows=["a"])
    with pytest.raises(ValueError, match="must be"):
        image_grid(tiles[0], "sheet")


def test_marks_stand_where_they_should_and_vanish_where_they_cannot() -> None:
    fig = figure("x", axis("t", log=True))
    mark_x(fig, 100.0, "t*")
    mark_y(fig, float("nan"), "nowhere")
    assert len(fig.layout.shapes) == len(fig.layout.annotations) == 1
    assert (fig.layout.shapes[0].x0, fig.layout.annotations[0].x) == (100.0, 2.0)


def test_bars_and_bands_differ_without_color_and_stay_out_of_the_legend() -> None:
    fig = figure("x")
    add_bars(fig, ["a", "b"], [1, 2], "one", 0)
    add_bars(fig, ["a", "b"], [2, 1], "two", 1)
    add_band(fig, [0, 1], [0, 0], [1, 1], "one", 0)
    assert fig.data[0].marker.pattern.shape != fig.data[1].marker.pattern.shape
    assert fig.data[2].showlegend is False


class TestSync:
    """An in-place update ends where a fresh figure starts."""

    def shapes(self) -> list[go.Figure]:
        one, three, grid, bare = (figure(name, axis("t", log=2), axis("y"), takeaway=name) for name in "abcd")
        add_line(one, [1, 2, 4], [1, 2, 3], "line", 0, band=([0, 1, 2], [2, 3, 4]))
        mark_x(one, 2, "here")
        for i in range(3):
            add_points(three, [1, 8], [i, i], f"p{i}", i, error=[0.1, 0.2])
        heatmap(grid, [1, 2], [1, 2], [[1, np.nan], [3, 4]], "z", gaps=True)
        return [one, three, grid, bare, image_grid(np.zeros((1, 1, 2, 2)), "img")]

    @pytest.mark.parametrize("kind", [go.Figure, go.FigureWidget])
    def test_every_figure_turns_into_every_other(self, kind: type[go.Figure]) -> None:
        made = self.shapes()
        for a, b in itertools.product(made, made):
            live = kind(a)
            update_traces_from(live, b)
            self.same(live, b)
            update_traces_from(live, a)
            self.same(live, a)

    def same(self, live: go.Figure, wanted: go.Figure) -> None:
        have, want = (self.cleared(slim(made)) for made in (live, wanted))
        assert have == want

    def cleared(self, value: Any) -> Any:
        """Without entries that are there but empty."""
        if isinstance(value, dict):
            return {key: self.cleared(entry) for key, entry in value.items() if entry not in ({}, [], None)}
        return [self.cleared(entry) for entry in value] if isinstance(value, list) else value

    def test_redraw_works_on_an_empty_figure_and_on_one_drawn_before(self) -> None:
        made = self.shapes()
        draw, live = redraw(lambda k: made[k]), go.Figure()
        for k in (0, 2, 1, 3, 0):
            draw(live, k)
            self.same(live, made[k])
