"""The figures of the stored notebooks: each has its words and its table, and series that differ without colors."""
from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from gradscape import catalog
from gradscape.batch import notebooks
from gradscape.batch.notebooks import PLOTLY

KINDS = re.compile(r"(Line chart|Scatter plot|Heat map|Bar chart|Images|Contour plot|Box plot|Figure): \S")
# Colors of series before each had a dash of its own: notebooks that hold them are judged once they are stored again.
FORMER = ("#0065a8", "#9c3f8a", "#a26b00", "#6b4423")
WIDER = 2.0  # lines of so different widths are told apart as well
# Curves of the lesson that only their colors tell apart, and what else does.
EXCEPTIONS = {
    "dynamics/multiscale_descent": {"Ridge regression (points) and its theories (lines)":
                                    "each curve runs through its own markers"},
}


def figures(lesson: catalog.Lesson) -> Iterator[tuple[Any, dict[str, Any], str, list[Any]]]:
    """Cell, figure, words, and the outputs after it, of each figure that is stored."""
    for cell in notebooks.read(lesson.notebook).cells:
        outputs = cell.get("outputs", [])
        for k, output in enumerate(outputs):
            if PLOTLY in output.get("data", {}):
                words = "".join(output["data"].get("text/plain", ""))
                yield cell, output["data"][PLOTLY], words, outputs[k + 1 :]


def look(trace: dict[str, Any]) -> tuple[Any, ...]:
    """What of a trace is seen without color, but for the width of its line."""
    kind, mode, marker = trace.get("type", "scatter"), trace.get("mode", "lines"), trace.get("marker", {})
    if kind != "scatter":
        return kind, str(marker.get("pattern", {}).get("shape", ""))
    dash = trace.get("line", {}).get("dash", "solid") if "lines" in mode else None
    return kind, dash, str(marker.get("symbol", "circle")) if "markers" in mode else None, trace.get("fill")


def color(trace: dict[str, Any]) -> str:
    """The color of a series; empty for one whose points have colors of their own."""
    lines = "lines" in trace.get("mode", "lines") and trace.get("type", "scatter") == "scatter"
    found = trace.get("line", {}).get("color") if lines else None
    found = found or trace.get("marker", {}).get("color")
    return found if isinstance(found, str) else ""


def alike(figure: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of series in one panel that differ by color alone."""
    kinds = ("scatter", "bar")
    series = [
        trace for trace in figure["data"]
        if trace.get("type", "scatter") in kinds and not (trace.get("meta") or {}).get("band") and color(trace)
    ]
    found = []
    for a, b in itertools.combinations(series, 2):
        same = a.get("xaxis", "x") == b.get("xaxis", "x") and look(a) == look(b) and color(a) != color(b)
        thin, thick = sorted(each.get("line", {}).get("width", 2.0) for each in (a, b))
        if same and not ("lines" in a.get("mode", "lines") and thick >= WIDER * thin):
            found.append((a.get("name", ""), b.get("name", "")))
    return found


LESSONS = [pytest.param(lesson, id=lesson.id) for lesson in catalog.lessons(available=True)]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_stored_figure_has_words_and_a_table(lesson: catalog.Lesson) -> None:
    count = 0
    for cell, figure, words, after in figures(lesson):
        count += 1
        title = re.sub(r"<[^>]+>", "", str(figure["layout"].get("title", {}).get("text", "")).partition("<br>")[0])
        assert KINDS.match(words), words[:80]
        assert " ".join(title.split()) in words, title
        assert len(words) > 60, words
        tables = [html for output in after if "gradscape-alt" in (html := "".join(output.data.get("text/html", "")))]
        assert tables, f"no text beside the figure of: {cell.source}"
    assert count


@pytest.mark.parametrize("lesson", LESSONS)
def test_series_differ_by_dash_or_marker_as_well_as_by_color(lesson: catalog.Lesson) -> None:
    excused = EXCEPTIONS.get(lesson.id, {})
    if any(former in lesson.notebook.read_text(encoding="utf-8") for former in FORMER):
        return
    for _, figure, words, _ in figures(lesson):
        pairs = alike(figure)
        assert not pairs or any(title in words for title in excused), f"{words[:80]}: {pairs[:5]}"
