"""For the scripts beside it: several ways to one result, timed in turn, block by block, on one thread.

A ratio is the median over blocks of a block's own ratio, so that a busy machine slows both sides alike.
"""
from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

BLOCKS = 7


def seconds(jobs: Mapping[str, Callable[[], Any]], blocks: int = BLOCKS, calls: int = 1) -> dict[str, list[float]]:
    """CPU seconds of a call of each job, one entry per block; a first block, which fills caches, is not counted."""
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for block in range(blocks + 1):
        for name, job in jobs.items():
            began = time.process_time()
            for _ in range(calls):
                job()
            if block:
                times[name].append((time.process_time() - began) / calls)
    return times


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times longer theirs takes: the median over blocks."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))


def report(title: str, times: Mapping[str, list[float]], scale: float = 1.0) -> None:
    """A line for each job: the median time, and its ratio to the first job's; ``scale`` is calls of the first per call
    of the others, where these do a part of its work only.
    """
    print(title)
    first = next(iter(times.values()))
    for name, values in times.items():
        factor = 1.0 if values is first else scale
        print(f"  {name:<44} {1e3 * factor * statistics.median(values):10.3f} ms   "
              f"{factor * ratio(first, values):8.2f} times the first")


def agree(what: str, difference: float, tolerance: float) -> None:
    """Print a difference of results; ``SystemExit`` if it is above the tolerance: then no time counts."""
    print(f"  {what}: {difference:.1e} (at most {tolerance:.0e})")
    if not difference <= tolerance:
        raise SystemExit(f"{what} differ by {difference:.1e}")
