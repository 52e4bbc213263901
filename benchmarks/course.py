"""The course: ``gradscape run`` against papermill one after another and against ``pytest --nbmake -n 2``.

Whole lessons by all three, the same notebooks, profile and lessons, one compute thread per kernel, wall time. papermill
runs in one process that executes notebook after notebook; nbmake gets copies with the parameters already put in. Goals:
at least 1.8 times as fast as papermill, never slower than nbmake. With ``--blocks K`` the lessons are dealt out to K
groups of like length and every group is run by each way in turn: on a busy machine the median over groups is steadier.
The split of a lesson's CPU time comes from a run in which every code cell stands twice: experiments are cached within a
kernel, so the second time a cell costs only its figures, and what the first took beyond it is the computation.

    python benchmarks/course.py --profile smoke --lessons sgd_noise,diffgrad --rounds 5
"""
from __future__ import annotations

import argparse
import copy
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import notebooks, plan
from gradscape.batch.execute import Limits, Work, execute, kernel_options
from side_by_side import TINY, goal, shown, table

WORKERS = 2
TINY_LESSONS = "dynamics/multiscale_descent"
ENVIRONMENT = {**os.environ, "GRADSCAPE_HEADLESS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
               "OPENBLAS_NUM_THREADS": "1"}
PAPERMILL = """
import sys, papermill
for path in sys.argv[2:]:
    papermill.execute_notebook(path, path + ".out", parameters={"profile": sys.argv[1]}, kernel_name="python3",
                               progress_bar=False)
"""
WAYS = ("gradscape run", "papermill, one after another", f"pytest --nbmake -n {WORKERS}")


def timed(command: Sequence[str], folder: Path) -> float:
    """Wall seconds of a command; ``SystemExit`` with its output if it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} … failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


def ways(entries: Sequence[catalog.Lesson], profile: str) -> list[float]:
    """Wall seconds of the three ways on some lessons, in turn."""
    from nbformat.v4 import new_code_cell

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        copies = []
        for entry in entries:
            node = notebooks.read(entry.notebook)
            for cell in node.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            place = home / "pm" / f"{entry.slug}.ipynb"
            write(place, node)
            after = notebooks.tagged(node, notebooks.PARAMETERS)[0] + 1
            node.cells.insert(after, new_code_cell(f"profile = {profile!r}"))
            write(home / "nbmake" / place.name, node)
            copies.append(str(place))
        ids = [entry.id for entry in entries]
        ours = [sys.executable, "-m", "gradscape.cli", "run", *ids, "--profile", profile, "--workers", str(WORKERS),
                "--out", str(home / "run")]
        empty = home / "pytest.ini"
        empty.write_text("[pytest]\n")
        make = [sys.executable, "-m", "pytest", "-q", "-c", str(empty), "--rootdir", str(home), "--nbmake",
                 "--nbmake-timeout=1200", "-n", str(WORKERS), str(home / "nbmake")]
        return [timed(ours, home), timed([sys.executable, "-c", PAPERMILL, profile, *copies], home), timed(make, home)]


def write(place: Path, node: Any) -> None:
    import nbformat

    place.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, place)


def dealt(entries: Sequence[catalog.Lesson], blocks: int) -> list[list[catalog.Lesson]]:
    """Groups of like length: dealt out forth and back by the lessons' known times, the longest first."""
    known = plan.history(Path(plan.RUNS))
    ordered = sorted(entries, key=lambda entry: -known.get((entry.id, "quick"), entry.minutes))
    found: list[list[catalog.Lesson]] = [[] for _ in range(min(blocks, len(ordered)))]
    for k, entry in enumerate(ordered):
        turn, place = divmod(k, len(found))
        found[place if turn % 2 == 0 else -1 - place].append(entry)
    return found


def compared(entries: Sequence[catalog.Lesson], profile: str, rounds: int, blocks: int) -> None:
    groups = dealt(entries, blocks) * rounds
    times = [ways(group, profile) for group in groups]
    rows = [(", ".join(entry.slug for entry in group) if len(groups) > rounds else "all", *(f"{t:.1f} s" for t in took),
             f"{took[1] / took[0]:.2f}", f"{took[2] / took[0]:.2f}")
            for group, took in zip(groups, times, strict=True)]
    table(("lessons", *WAYS, "papermill / ours", "nbmake / ours"), rows)
    cause = "other work on the machine's cores: two workers had less than two cores"
    for way, other, bound in ((WAYS[1], 1, 1.8), (WAYS[2], 2, 1.0)):
        found = statistics.median(took[other] / took[0] for took in times)
        goal(f"{len(entries)} lessons ({profile}), against {way}", found, bound, cause=cause)
    print()


def split(entry: catalog.Lesson, profile: str) -> tuple[float, float, float, float, int]:
    """CPU seconds of kernel start, imports, computation and figures, and the bytes of the executed notebook."""
    import nbformat
    from gradscape.batch.kernel import Kernel

    node = notebooks.read(entry.notebook)
    cells: list[Any] = []
    for cell in node.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        cells.append(cell)
        if not {notebooks.PARAMETERS, notebooks.SETUP} & set(cell.metadata.get("tags", [])):
            again = copy.deepcopy(cell)
            again.id = f"{cell.id}-again"[-60:]
            again.metadata["tags"] = [*cell.metadata.get("tags", []), "again"]
            cells.append(again)
    node.cells = cells
    limits, stamps = Limits(timeout=3600), []
    kernel = Kernel(kernel_options(limits))
    work = Work(entry.id, entry.id, nbformat.writes(node), {"profile": profile}, limits)
    outcome = execute(work, kernel=kernel, on_cell=lambda index, total: stamps.append(kernel.usage()[0]))
    if not outcome.done:
        raise SystemExit(f"{entry.id}: {outcome.error and outcome.error.line()}")
    spent = [b - a for a, b in itertools.pairwise([*stamps, outcome.cpu_seconds])]
    tagged = list(zip(outcome.cells, spent, strict=True))
    imports = sum(cpu for cell, cpu in tagged if notebooks.SETUP in cell["tags"])
    second = sum(cpu for cell, cpu in tagged if "again" in cell["tags"])
    return stamps[0], imports, max(sum(spent) - imports - 2 * second, 0.0), second, len(outcome.notebook or "") // 2


def splits(entries: Sequence[catalog.Lesson], profile: str) -> None:
    rows, total = [], [0.0, 0.0, 0.0, 0.0]
    for entry in entries:
        *parts, bytes_ = split(entry, profile)
        total = [a + b for a, b in zip(total, parts, strict=True)]
        rows.append((entry.slug, *(shown(part) for part in parts), f"{bytes_ / 1e3:.0f}"))
    whole = sum(total)
    rows.append(("**share of all**", *(f"{part / whole:.0%}" for part in total), ""))
    table((f"lesson ({profile})", "kernel start", "imports", "compute", "figures, explorers, ledger", "kB"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lessons", default=TINY_LESSONS if TINY else "", help="ids or slugs by commas (default: all)")
    parser.add_argument("--profile", default="smoke" if TINY else "quick", choices=("smoke", "quick", "full"))
    parser.add_argument("--rounds", type=int, default=1, help="how often (the median is taken)")
    parser.add_argument("--blocks", type=int, default=1, help="groups into which the lessons are dealt out")
    parser.add_argument("--only", choices=("ways", "split"), help="leave the other part out")
    parser.add_argument("--tiny", action="store_true", help="one lesson, smoke")
    asked = parser.parse_args()
    entries = plan.select([name for name in asked.lessons.split(",") if name])
    if asked.only != "split":
        compared(entries, asked.profile, asked.rounds, asked.blocks)
    if asked.only != "ways":
        splits(entries, asked.profile)


if __name__ == "__main__":
    main()
