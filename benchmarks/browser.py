"""Explorers in a real browser: from a slider's event to the redrawn figure, in JupyterLab on this machine.

Headless Chromium; a lesson's explorer cells at quick sizes; the two first sliders of every live and quick explorer are
moved to eight places. The clock runs in the page, from the slider's input event to the last redraw of the figure before
300 ms without one. The compute part is CPU time in the kernel. A quick explorer waits 150 ms until its slider rests.
Goals: computation below 100 ms for live ones, the whole below 250 ms (median). One lesson of each unit; ``--all`` takes
all.

    python benchmarks/browser.py --lessons sgd_noise,diffgrad
"""
from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gradscape import catalog
from gradscape.batch import plan
from side_by_side import TINY, goal, table

from tests.browser.conftest import ARGUMENTS
from tests.browser.lab import Lab, explorers_only, running
from tests.browser.page import Guarded, Seen

PLACES, SLIDERS = (2, 1) if TINY else (8, 2)
START_S = 240
MOVE = """([slider, plot, share]) => new Promise(done => {
    let last = null, timer = null;
    const end = () => { plot.removeListener("plotly_afterplot", drawn); done(last === null ? null : last - begun); };
    const drawn = () => { last = performance.now(); clearTimeout(timer); timer = setTimeout(end, 300); };
    plot.on("plotly_afterplot", drawn);
    timer = setTimeout(end, 15000);
    slider.value = Math.round(share * slider.max);
    const begun = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""
RECORD = """
from gradscape.workbench.explorer import Explorer as _Explorer
def _note(explorer, seconds):
    explorer.__dict__["_seconds"] = seconds
    if seconds:
        with open({path!r}, "a") as stream:
            stream.write(f"{{explorer.name}}\\t{{seconds}}\\n")
_Explorer.seconds = property(lambda explorer: explorer.__dict__.get("_seconds", 0.0), _note)
"""


def prepare(entry: catalog.Lesson, lab: Lab, record: Path) -> tuple[str, int]:
    """The lesson's explorers as a notebook of the lab that writes down what each computation took."""
    name = f"{entry.unit}_{entry.slug}.ipynb"
    count = explorers_only(entry.notebook, lab.root / name, {"profile": "smoke" if TINY else "quick"})
    node = nbformat.read(lab.root / name, as_version=4)
    node.cells.insert(0, nbformat.v4.new_code_cell(RECORD.format(path=str(record))))
    nbformat.write(node, lab.root / name)
    return name, count


def moves(explorer: Seen) -> list[float]:
    """Milliseconds of every move that redrew the figure."""
    found: list[float] = []
    sliders, plot = explorer.root.locator(".gs-control input[type=range]"), explorer.plot.element_handle()
    for k in range(min(SLIDERS, sliders.count())):
        handle = sliders.nth(k).element_handle()
        for place in range(PLACES):
            took = explorer.page.evaluate(MOVE, [handle, plot, (place + 0.5) / PLACES])
            found += [took] if took is not None else []
    return found


def high(values: list[float]) -> float:
    """The 95th percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def measured(
    chrome: Any, lab: Lab, entry: catalog.Lesson, record: Path
) -> list[tuple[str, str, list[float], list[float]]]:
    """Name, mode, latencies and computations (ms) of the lesson's live and quick explorers."""
    name, count = prepare(entry, lab, record)
    page = Guarded(chrome, lab, name)
    try:
        page.run_all()
        found = [(explorer.name.removeprefix("Explorer "), explorer.mode, moves(explorer))
                 for explorer in page.explorers(count, START_S) if explorer.mode != "run"]
    finally:
        page.close()
    spent: dict[str, list[float]] = defaultdict(list)
    for line in record.read_text().splitlines() if record.exists() else ():
        explorer, _, seconds = line.partition("\t")
        spent[explorer].append(1e3 * float(seconds))
    return [(explorer, mode, took, spent[explorer]) for explorer, mode, took in found if took]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lessons", default="", help="ids or slugs by commas")
    parser.add_argument("--all", action="store_true", help="all lessons")
    parser.add_argument("--tiny", action="store_true", help="one lesson, few moves")
    asked = parser.parse_args()
    chromium = next((path for name in ("chromium", "chromium-browser", "google-chrome")
                     if (path := shutil.which(name))), None)
    if chromium is None:
        print("No Chromium on this machine: nothing was measured.")
        return
    entries = plan.select([name for name in asked.lessons.split(",") if name])
    if not asked.lessons and not asked.all:
        entries = tuple({entry.unit: entry for entry in reversed(entries)}.values())[::-1][: 1 if TINY else None]
    from playwright.sync_api import sync_playwright

    rows, late = [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        (home / "root").mkdir()
        chrome = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with running(home / "root", home / "private") as lab:
            for entry in entries:
                for name, mode, took, spent in measured(chrome, lab, entry, home / f"{entry.slug}.txt"):
                    whole, part = statistics.median(took), statistics.median(spent) if spent else 0.0
                    rows.append((entry.slug, name, mode, len(took), f"{whole:.0f} ms", f"{high(took):.0f} ms",
                                 f"{part:.0f} ms"))
                    if mode == "live":
                        late += [(f"{entry.slug}, {name}", whole, part)]
        chrome.close()
    table(("lesson", "explorer", "mode", "moves", "median", "95 %", "compute, median"), rows)
    for name, whole, part in late:
        if part > 100:
            goal(f"{name}: computation", part, 100, "ms", most=True,
                 cause="its experiment is that large at quick sizes")
        if whole > 250:
            goal(f"{name}: from event to figure", whole, 250, "ms", most=True,
                 cause="the computation" if part > 125 else "redrawing the figure, and what else ran on the machine")
    good = sum(whole <= 250 and part <= 100 for _, whole, part in late)
    print(f"{good} of {len(late)} live explorers reach both goals.")


if __name__ == "__main__":
    main()
