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
    print(f"{'lesson':30} {'explorer':12} {'mode':6} {'median':>8} {'largest':>8}")
    for entry in catalog.lessons(available=True):
        settings = entry.load().Settings()
        for name, make in importlib.import_module(entry.view).EXPLORERS.items():
            explorer = make(settings)
            if explorer.mode not in BOUNDS:
                continue
            spent = seconds(explorer, settings)
            late = "  over the bound" if max(spent) > BOUNDS[explorer.mode] else ""
            row = f"{entry.id:30} {name:12} {explorer.mode:6}"
            print(f"{row} {statistics.median(spent) * 1e3:5.0f} ms {max(spent) * 1e3:5.0f} ms{late}")


if __name__ == "__main__":
    main()
