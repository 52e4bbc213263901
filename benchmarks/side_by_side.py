"""For the scripts beside it: several ways to one result, timed in turn, block by block, on one thread.

A ratio is the median over blocks of a block's own ratio, so that a busy machine slows both sides alike. What is printed
is Markdown: ``report.py`` puts it into docs/benchmarks.md. With ``--tiny`` a script runs in seconds, as a test does.
"""
from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from gradscape.batch import memory  # noqa: E402

BLOCKS = 7
TINY = "--tiny" in sys.argv[1:]
MET, SHORT, BEHIND = "- **met**", "- **short of its goal**", "- **behind**"


def size(usual: int, tiny: int) -> int:
    """A size of a benchmark, and what ``--tiny`` makes of it."""
    return tiny if TINY else usual


class Times(dict[str, list[float]]):
    """CPU seconds of each way, one entry per block; ``memory`` holds the bytes that a call adds at its largest."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__({name: [] for name in names})
        self.memory: dict[str, int] = {}


def seconds(jobs: Mapping[str, Callable[[], Any]], blocks: int = BLOCKS, calls: int = 1) -> Times:
    """CPU seconds of a call of each job, one entry per block; a first block, which fills caches, is not counted."""
    import torch

    torch.set_num_threads(1)
    times = Times(jobs)
    for block in range(size(blocks, 1) + 1):
        for name, job in jobs.items():
            began = time.process_time()
            for _ in range(size(calls, 1)):
                job()
            if block:
                times[name].append((time.process_time() - began) / size(calls, 1))
    for name, job in jobs.items():
        times.memory[name] = added(job)
    return times


def added(job: Callable[[], Any]) -> int:
    """Bytes by which a call of ``job`` makes this process larger at its largest (Linux; elsewhere 0)."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # not every C library has it
        ctypes.CDLL(None).malloc_trim(0)
    memory.forget_peak()
    before = _resident()
    job()
    return max(memory.peak() - before, 0)


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times longer theirs takes: the median over blocks."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))


def table(head: Collection[str], rows: Collection[Collection[Any]]) -> None:
    """Print a Markdown table; every column after the first is set to the right."""
    print()
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def report(
    title: str, times: Mapping[str, list[float]], scale: float = 1.0, *, behind: str = "", others: Collection[str] = (),
) -> None:
    """A table: median time of each way, its ratio to the first's, and the memory it adds.

    ``scale`` is calls of the others per call of the first, where these do a part of its work only. A way that is faster
    than the first is named with the reason ``behind``, unless it is one of ``others``, which do something else.
    """
    print(f"{title.rstrip(':')}:")
    first = next(iter(times.values()))
    held = getattr(times, "memory", {})
    rows, ahead = [], []
    for name, values in times.items():
        factor = 1.0 if values is first else scale
        against = factor * ratio(first, values)
        rows.append((name, shown(factor * statistics.median(values)), f"{against:.2f}",
                     f"{held[name] / 1e6:.1f}" if name in held else ""))
        if against < 1 and name not in others:
            ahead.append((name, against))
    table(("way", "CPU time", "times the first", "MB added"), rows)
    for name, against in ahead:
        print(f"{BEHIND} {title.strip().rstrip(':')}: {name} takes {against:.2f} of our time. "
              f"Cause: {behind or 'not known'}.")
    if ahead:
        print()


def shown(took: float) -> str:
    """Seconds with a unit."""
    return f"{1e6 * took:.0f} µs" if took < 1e-3 else f"{1e3 * took:.2f} ms" if took < 1 else f"{took:.2f} s"


def goal(what: str, value: float, bound: float, unit: str = "times", *, most: bool = False, cause: str = "") -> bool:
    """Say whether a figure reaches its goal (at least ``bound``, with ``most`` at most); ``cause`` why it does not."""
    met = value <= bound if most else value >= bound
    asked = f"goal: at {'most' if most else 'least'} {bound:g} {unit}".rstrip()
    why = "" if met else f". Cause: {cause or 'not known'}"
    print(f"{MET if met else SHORT} {what}: {f'{value:.3g} {unit}'.rstrip()} ({asked}){why}.", flush=True)
    return met


def agree(what: str, difference: float, tolerance: float) -> None:
    """Print a difference of results; ``SystemExit`` if it is above the tolerance: then no time counts."""
    print(f"Same result: {what} {difference:.1e} (at most {tolerance:.0e}).\n")
    if not difference <= tolerance:
        raise SystemExit(f"{what} differ by {difference:.1e}")
