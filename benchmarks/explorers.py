"""Compute time per move of every live and quick explorer: CPU seconds at four stops of each control.

A live explorer should stay below 0.1 s, a quick one below 1 s; run explorers have a button and no bound.
"""
from __future__ import annotations

import importlib
import os
import statistics
import time

os.environ.setdefault("GRADSCAPE_HEADLESS", "1")

from gradscape import catalog
from gradscape.workbench import Task, Values
from side_by_side import TINY, goal, table

BOUNDS = {"live": 0.1, "quick": 1.0}
STOPS = 4  # of each control, spread from end to end


def seconds(explorer, settings) -> list[float]:
    """CPU seconds of each computation; combinations that make no sense are passed over."""
    spent = []
    for name, control in explorer.controls.items():
        last = len(control.stops) - 1
        for position in sorted({round(last * k / (STOPS - 1)) for k in range(STOPS)}):
            values = Values({**explorer.start, name: control.stops[position]}, settings)
            began = time.process_time()
            try:
                explorer.compute(values, Task(BOUNDS[explorer.mode]))
            except ValueError:
                continue
            spent.append(time.process_time() - began)
    return spent


def main() -> None:
    rows, late = [], []
    for entry in catalog.lessons(available=True)[: 1 if TINY else None]:
        settings = entry.load().Settings()
        for name, make in importlib.import_module(entry.view).EXPLORERS.items():
            explorer = make(settings)
            if explorer.mode not in BOUNDS:
                continue
            spent = seconds(explorer, settings)
            median, worst = statistics.median(spent), max(spent)
            rows.append((entry.id, name, explorer.mode, f"{1e3 * median:.0f} ms", f"{1e3 * worst:.0f} ms"))
            if worst > BOUNDS[explorer.mode]:
                late.append((f"{entry.slug}, {name} ({explorer.mode})", worst, BOUNDS[explorer.mode]))
    table(("lesson", "explorer", "mode", "median", "largest"), rows)
    for what, worst, bound in late:
        goal(f"{what}: largest computation", 1e3 * worst, 1e3 * bound, "ms", most=True,
             cause="at one end of a control the computation is this large; the explorer then stops early and says so")


if __name__ == "__main__":
    main()
