"""A notebook with one explorer of each class, a prediction and a figure, for the tests of the workbench itself."""
from __future__ import annotations

from pathlib import Path

import nbformat

SETUP = '''
import time
from dataclasses import dataclass
import numpy as np
from gradscape import lesson
from gradscape.lesson import choice, real, switch
from gradscape.workbench import *

@dataclass(frozen=True)
class Sizes:
    n: int = 3  # nothing

class Settings(lesson.Settings, profiles={name: Sizes() for name in ("smoke", "quick", "full")}):
    T: float = real(0.5, 2**-7, 2**4, scale="log2", symbol="T", about="temperature")
    shape: str = choice("power", ("power", "exponential"), about="kind of decay")
    noisy: bool = switch(False, about="with noise")

settings = Settings()
x = np.geomspace(1, 1e3, 200)

def fig_decay(result):
    fig = figure("Decay <em>now</em>", axis("time t", "steps", log=True), axis("error"), takeaway="It falls & stays.")
    add_line(fig, x, result, "error", 0, band=(0.9 * result, 1.1 * result))
    return fig

def fig_kind(kind):
    up = axis("y", range=(0, 5) if kind == "marked" else None)
    fig = figure(kind, axis("x", log=kind != "map"), up, takeaway=kind)
    if kind == "line":
        add_line(fig, [1, 2, 4], [1, 2, 3], "line", 0, band=([0, 1, 2], [2, 3, 4]))
    elif kind == "marked":
        add_line(fig, [1, 2, 4], [1, 3, 3], "line", 0)
        mark_x(fig, 2, "here")
    elif kind == "points":
        for i in range(3):
            add_points(fig, [1, 8], [i, i + 1], f"series {i}", i, error=[0.2, 0.3])
    elif kind == "map":
        heatmap(fig, [1, 2], [1, 2], [[1, 2], [3, 4]], "z")
    else:
        fig = image_grid(np.eye(8).reshape(1, 1, 8, 8), "image", columns=["one"])
    return fig

KINDS = ("line", "marked", "points", "map", "image")

def compute(values, task):
    if values.T > 15:
        raise ValueError("T > 15 melts <b>everything</b>")
    y = 1 / (1 + values.T * x) if values.shape == "power" else np.exp(-values.T * x)
    return y * (1 + 0.1 * np.sin(x) * values.noisy)

def slow(values, task):
    y = np.zeros_like(x)
    for k in range(40):
        if task.cancelled:
            break
        time.sleep(0.05)
        y += 1 / (1 + values.T * x) / 40
        task.progress(k + 1, 40)
    return y
'''
CELLS = (
    ("parameters", "profile: str = 'quick'"),
    ("setup", SETUP),
    ("predict", 'predict("What does <T> do?", ["shifts the curve", "bends it"], key="t")'),
    ("", "fig_decay(1 / x)"),
    ("", 'reveal("t", "shifts the curve", "Only T·t enters.")'),
    ("explorer", 'explore(compute, redraw(fig_decay), [field("T"), field("shape"), field("noisy")],\n'
                 '        settings=settings, name="decay",\n'
                 '        presets={"hot": {"T": 8.0}, "exponential": {"shape": "exponential"}})'),
    ("explorer", 'explore(slow, redraw(fig_decay), [field("T")], settings=settings, name="early", mode="quick",\n'
                 "        limit_s=0.5)"),
    ("explorer", 'explore(slow, redraw(fig_decay), [field("T")], settings=settings, name="training", mode="run",\n'
                 "        initial=1 / x)"),
    ("explorer", 'explore(lambda values, task: values.kind, redraw(fig_kind), \n'
                 '        [Control("kind", "choice", options=KINDS)], settings=settings, name="kinds")'),
)


def write(path: Path) -> None:
    """Write the demo notebook."""
    made = nbformat.v4.new_code_cell
    cells = [made(source.strip(), metadata={"tags": [tag] if tag else []}) for tag, source in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.write(notebook, path)
