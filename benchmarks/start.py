"""What it takes to begin: importing the package, the command line, a lesson's first cells, an idle kernel.

Wall time and CPU time of fresh processes, in turn; the bare interpreter, numpy and torch stand beside, for what they
take nobody can save. The kernel is the one of a headless run, started as ``gradscape run`` starts it; its first cells
are those up to and including the imports of a lesson. Memory is the resident size after the last of them.
"""
from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import Any

import psutil
from side_by_side import TINY, goal, shown, size, table

ROUNDS = size(7, 1)
LESSONS = ("dynamics/high_dimensional", "optimizers/diffgrad", "diffusion/projected_guidance")
COMMANDS = {
    "python -c pass": "pass",
    "import gradscape": "import gradscape",
    "gradscape --help": "import sys; sys.argv = ['gradscape', '--help']; from gradscape.cli import main; main()",
    "gradscape list": "import sys; sys.argv = ['gradscape', 'list']; from gradscape.cli import main; main()",
    "import numpy": "import numpy",
    "import torch": "import torch",
}


def spent(code: str) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and resident bytes at its largest of ``python -c code``."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def processes() -> dict[str, float]:
    """The table of fresh processes; median CPU seconds by name."""
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, code in COMMANDS.items():
            found[name].append(spent(code))
    median = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    table(("process", "wall time", "CPU time", "MB"),
          [(f"`{name}`", shown(wall), shown(cpu), f"{held / 1e6:.0f}") for name, (wall, cpu, held) in median.items()])
    return {name: row[1] for name, row in median.items()}


def first_cells(lesson: str) -> tuple[float, float, float, int, int]:
    """Seconds until the kernel answers and of the cells up to the imports (wall, CPU); idle bytes before and after."""
    from gradscape import catalog
    from gradscape.batch import notebooks
    from gradscape.batch.kernel import Kernel
    from jupyter_core.utils import run_sync

    node = notebooks.read(catalog.find(lesson).notebook)
    last = notebooks.tagged(node, notebooks.SETUP)[0]
    sources = [cell.source for cell in node.cells[: last + 1] if cell.cell_type == "code"]
    began = time.perf_counter()
    kernel = Kernel()
    manager: Any = kernel.manager
    client = manager.client()
    client.start_channels()
    try:
        run_sync(client.wait_for_ready)(timeout=120)
        answered = time.perf_counter() - began
        process = psutil.Process(kernel.pid)
        before, cpu = process.memory_info().rss, sum(process.cpu_times()[:2])
        began = time.perf_counter()
        for source in sources:
            reply = run_sync(client.execute_interactive)(source, timeout=120, output_hook=lambda message: None)
            if reply["content"]["status"] != "ok":
                raise SystemExit(f"{lesson}: {reply['content'].get('evalue')}")
        took = time.perf_counter() - began
        return answered, took, sum(process.cpu_times()[:2]) - cpu, before, process.memory_info().rss
    finally:
        client.stop_channels()
        kernel.kill()


def kernels() -> None:
    rows = []
    for lesson in LESSONS[: 1 if TINY else None]:
        parts = [first_cells(lesson) for _ in range(size(5, 1))]
        answered, took, cpu, before, after = (statistics.median(column) for column in zip(*parts, strict=True))
        rows.append((lesson, shown(answered), shown(took), shown(cpu), f"{before / 1e6:.0f}", f"{after / 1e6:.0f}"))
    table(("lesson", "kernel answers", "first cells, wall", "first cells, CPU", "MB idle", "MB after imports"), rows)


def main() -> None:
    cpu = processes()
    goal("`import gradscape` over the bare interpreter", cpu["import gradscape"] / cpu["python -c pass"], 1.5,
         most=True, cause="a module that the package imports eagerly")
    goal("`gradscape --help` over `import torch`", cpu["gradscape --help"] / cpu["import torch"], 1.0, most=True,
         cause="typer and rich, which draw the help")
    kernels()


if __name__ == "__main__":
    main()
