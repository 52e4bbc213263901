"""Throughput of sweeps, as ratios within one run: two workers against one, calls against executed notebooks.

Targets: two workers at least 1.8 times as fast as one; a call at least 5 times as fast as papermill. The machine must
have two idle cores: other load on it lowers the first ratio. A rate counts from when every worker has ended two points,
by which it has imported what it needs. All ways must give the same numbers.
"""
from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradscape.batch.outcome import Outcome
from gradscape.batch.points import Point
from gradscape.batch.sweeps import api
from gradscape.batch.sweeps.drive import State
from gradscape.batch.sweeps.store import SweepStore
from gradscape.sweeptable import SweepTable
from side_by_side import TINY, goal, table

LESSON, REPEATS = "dynamics/sgd_noise", 1 if TINY else 5
CALLS: Mapping[str, Any] = {"T": [2.0**-9, 2.0**-8], "alpha": [0.1, 1.0], "seed": range(2 if TINY else 16)}
NOTEBOOKS: Mapping[str, Any] = {"T": [2.0**-9, 2.0**-8], "alpha": [0.1, 1.0], "seed": range(2)}


class Clock:
    """Wall time from when every worker has ended its first point to the end of the last."""

    def __init__(self, workers: int) -> None:
        self.times: list[float] = []
        self.workers = workers

    def begin(self, state: State) -> None: ...
    def finish(self) -> None: ...

    def ended(self, state: State, point: Point, outcome: Outcome) -> None:
        if not outcome.done:
            raise SystemExit(f"a point failed: {outcome.error}")
        self.times.append(time.monotonic())

    @property
    def rate(self) -> float:
        """Points per second, once all workers are at work."""
        warm = 2 * self.workers
        return (len(self.times) - warm) / (self.times[-1] - self.times[warm - 1])


def sweep(folder: Path, grid: Mapping[str, Any], workers: int, function: bool) -> tuple[float, SweepTable]:
    options = api.Options(function=function, workers=workers)
    made = api.prepare(LESSON, grid, "smoke", options)
    store, clock = SweepStore.create(folder, made.about), Clock(workers)
    made.carry_out(store, made.executor(), clock)
    return clock.rate, SweepTable.open(folder)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home, gains, rows = Path(name), [], []
        for k in range(REPEATS):
            one, first = sweep(home / f"one-{k}", CALLS, 1, True)
            two, second = sweep(home / f"two-{k}", CALLS, 2, True)
            if (first.values("steps") != second.values("steps")).any():
                raise SystemExit("one and two workers give different numbers")
            gains.append(two / one)
            rows.append((k + 1, f"{one:.1f}", f"{two:.1f}", f"{gains[-1]:.2f}"))
        table(("run", "points/s, one worker", "points/s, two workers", "times"), rows)
        slow, found = sweep(home / "papermill", NOTEBOOKS, 2, False)
        if (found.values("steps") != first.values("steps")[..., :2]).any():
            raise SystemExit("notebooks and calls give different numbers")
        again, _ = sweep(home / "two-again", CALLS, 2, True)
        print(f"As notebooks {slow:.2f} points/s, as calls {again:.1f}.\n")
        goal("two workers against one", statistics.median(gains), 1.8, cause="other work on the machine's cores")
        goal("calls against executed notebooks", again / slow, 5)


if __name__ == "__main__":
    main()
