"""Figures in words and numbers: made from the data, escaped, small."""
from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
from gradscape.workbench import (
    add_band,
    add_bars,
    add_line,
    axis,
    data_table,
    describe,
    figure,
    heatmap,
    image_grid,
    show,
)
from gradscape.workbench.alttext import slim


def told(y: list[float], x: list[float] | None = None) -> str:
    fig = figure("F")
    add_line(fig, x or range(len(y)), y, "s")
    return describe(fig).split("s: ")[1]


def test_says_where_each_series_goes() -> None:
    assert told([1, 2, 3]) == "3 points, rises from 1 at 0 to 3 at 2."
    assert told([3, 2, 1]) == "3 points, falls from 3 at 0 to 1 at 2."
    assert told([2, 2, 2]) == "3 points, flat, from 2 at 0 to 2 at 2."
    assert told([0, 0, 0]).startswith("3 points, flat,")
    assert told([3, 1, 2]) == "3 points, falls, then rises, from 3 at 0 to 2 at 2; lowest 1 at 1."
    assert told([1, 5, 2]) == "3 points, rises, then falls, from 1 at 0 to 2 at 2; highest 5 at 1."
    assert told([0, 5, -5, 1]) == "4 points, goes up and down from 0 at 0 to 1 at 3; lowest -5 at 2, highest 5 at 1."
    assert told([7]) == "7 at 0."
    assert told([float("nan")] * 2) == "no values."
    assert told([1, float("nan"), 2]).startswith("2 points, rises")


def test_begins_with_kind_title_takeaway_and_axes() -> None:
    fig = figure("Loss & <i>accuracy</i>", axis("time t", "τ", log=True), axis("loss"), takeaway="It falls")
    add_line(fig, [1, 10], [2, 1], "SGD")
    add_band(fig, [1, 10], [1, 1], [2, 2], "SGD")
    assert describe(fig) == (
        "Line chart: Loss & accuracy. It falls. X axis: time t (τ), logarithmic. Y axis: loss. "
        "SGD: 2 points, falls from 2 at 1 to 1 at 10."
    )


def test_grids_bars_and_images_are_described_too() -> None:
    fig = figure("G")
    heatmap(fig, [1, 10], [0, 1], [[1, 100], [np.nan, 10]], "loss", log=True)
    cells = "loss: 2 by 2 cells, lowest 1 at x = 1, y = 0, highest 100 at x = 10, y = 0; 1 cells empty."
    assert describe(fig).endswith(cells)
    bars = figure("B")
    add_bars(bars, ["SGD", "Adam"], [1, 2], "loss")
    assert describe(bars).endswith("loss: SGD 1, Adam 2.")
    images = image_grid(np.zeros((1, 2, 4, 4)), "I", rows=["CFG"], columns=["w = 1", "w = 5"])
    assert describe(images) == "Images: I. 2 images; rows: CFG; columns: w = 1, w = 5."
    assert describe(go.Figure()) == "Empty figure."


def test_tables_are_thinned_and_escaped() -> None:
    fig = figure("T", axis("<x>"), axis("y & z"))
    add_line(fig, np.arange(1000), np.arange(1000.0), "<script>alert(1)</script>")
    table = data_table(fig)
    assert table.count("<tr>") == 51
    assert "<td>0</td>" in table
    assert "<td>999</td>" in table
    assert "<script" not in table
    assert "&lt;script&gt;" in table
    assert '<th scope="col">&lt;x&gt;</th><th scope="col">y &amp; z</th>' in table
    assert data_table(go.Figure()) == "<p>No data.</p>"


def test_what_is_stored_is_plain_json_rounded_without_remote_addresses() -> None:
    fig = figure("S")
    add_line(fig, [1 / 3, 2.0], [np.pi * 1e6, np.nan], "s", gaps=True)
    stored = slim(fig)
    assert stored["data"][0]["x"] == [0.33333, 2]
    assert stored["data"][0]["y"] == [3141600, None]
    assert "uid" not in stored["data"][0]
    text = json.dumps(stored, allow_nan=False)
    assert "http" not in text


def test_show_displays_the_figure_and_closed_details(displayed: list[dict[str, Any]]) -> None:
    fig = figure("A <b>bold</b> & <img src=x onerror=alert(1)> title")
    add_line(fig, [0, 1], [1, 2], "s")
    fig._ipython_display_()
    picture, words = displayed
    assert picture["text/plain"] == describe(fig)
    html = words["text/html"]
    assert html.startswith("<details")
    assert " open" not in html
    assert "<img" not in html
    displayed.clear()
    show(fig, table=False)
    assert "<table" not in displayed[1]["text/html"]
