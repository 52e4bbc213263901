"""A run: the points that are missing go to an executor, and each outcome into the store as it comes."""
from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, Protocol

from gradscape import catalog
from gradscape.batch import plan as planning
from gradscape.batch.execute import TIMEOUTS, Limits, Work
from gradscape.batch.executors import Executor
from gradscape.batch.outcome import Outcome
from gradscape.batch.parameters import Assignment
from gradscape.batch.plan import Plan
from gradscape.batch.points import Point
from gradscape.batch.store import Store, StoreError

# What a lesson may use by the course's budget; bounds the number of workers on a machine with many cores.
LESSON_BYTES = 1.5e9
# How often the driver looks up from waiting, so that Ctrl-C is answered at once.
POLL_S = 0.5


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: everything that had ended is kept, the run can be resumed."""


class Observer(Protocol):
    """Who is told how a run goes on."""

    def begin(self, total: int, kept: int, workers: int) -> None:
        """``total`` points are wanted, ``kept`` of them were finished before."""

    def cell(self, lesson: str, index: int, total: int) -> None:
        """A lesson has come to this cell."""

    def ended(self, lesson: str, outcome: Outcome, place: Path) -> None:
        """A lesson has ended, and its outcome is kept at ``place``."""

    def finish(self) -> None:
        """No more lesson will end."""


class Quiet:
    """An observer that says nothing."""

    def begin(self, total: int, kept: int, workers: int) -> None: ...
    def cell(self, lesson: str, index: int, total: int) -> None: ...
    def ended(self, lesson: str, outcome: Outcome, place: Path) -> None: ...
    def finish(self) -> None: ...


def start(plan: Plan, out: Path | None = None, about: dict[str, Any] | None = None) -> Store:
    """Make the folder of a new run; ``StoreError`` if it cannot be."""
    course = {
        "lessons": [entry.model_dump(mode="json", exclude={"authors"}) for entry in catalog.lessons()],
        "units": [unit.model_dump(mode="json") for unit in catalog.units()],
        "declared": plan.declared,
    }
    return Store.create(out, {**(about or {}), **course}, plan.points)


def replan(store: Store) -> Plan:
    """The plan of a run that is resumed: the same lessons and settings, with today's code and data."""
    entries = [catalog.find(point["lesson"]) for point in store.wanted]
    assignments = [
        Assignment(name, str(value), point["lesson"])
        for point in store.wanted for name, value in point["parameters"].items()
    ]
    plan = planning.make(entries, assignments)
    store.resume(plan.points)
    return plan


def carry_out(
    store: Store, plan: Plan, *, workers: int | None = None, timeout: float | None = None, headless: str = "1",
    executor: Executor | None = None, observer: Observer | None = None,
) -> dict[str, Outcome]:
    """Execute what the store lacks; returns the outcome of every point by lesson.

    Without ``executor`` a local pool of ``workers`` processes is used. :class:`Interrupted` on Ctrl-C; what had ended
    by then is kept.
    """
    seen = observer or Quiet()
    finished = {point.lesson: found for point in plan.points if (found := store.outcome(point.key)) and found.done}
    missing = [point for point in plan.points if point.lesson not in finished]
    runnable = [point for point in missing if point.lesson not in plan.broken]
    count = workers or min(default_workers(), max(len(runnable), 1))
    seen.begin(len(plan.points), len(finished), count)
    with store.lock():
        for point in missing:
            if point.lesson in plan.broken:
                outcome = dataclasses.replace(plan.broken[point.lesson], key=point.key)
                seen.ended(point.lesson, outcome, store.commit(point, outcome))
                finished[point.lesson] = outcome
        try:
            if runnable:
                finished.update(_execute(store, runnable, count, timeout, headless, executor, seen))
        finally:
            seen.finish()
    return {point.lesson: finished[point.lesson] for point in plan.points}


def _execute(
    store: Store, missing: Sequence[Point], workers: int, timeout: float | None, headless: str,
    executor: Executor | None, seen: Observer,
) -> dict[str, Outcome]:
    by_key = {point.key: point for point in missing}
    if executor is None:
        from gradscape.batch.executors.local import LocalPool

        executor = LocalPool(workers, on_cell=lambda key, index, total: seen.cell(by_key[key].lesson, index, total))
    found: dict[str, Outcome] = {}
    waiting: dict[Future[Outcome], Point] = {}

    def keep(future: Future[Outcome]) -> None:
        point, outcome = waiting[future], future.result()
        place = store.commit(point, outcome)
        found[point.lesson] = outcome
        del waiting[future]
        seen.ended(point.lesson, outcome, place)

    try:
        with terminated_as_interrupt():
            for point in planning.longest_first(missing):
                waiting[executor.submit(_work(point, timeout, headless))] = point
            while waiting:
                for future in wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
                    keep(future)
        executor.close()
    except KeyboardInterrupt:
        # it may have come while an outcome was being written: what had ended by now is kept all the same
        ended = [future for future in waiting if future.done() and not future.cancelled() and not future.exception()]
        executor.cancel()
        for future in ended:
            keep(future)
        how = f"gradscape run --resume {shlex.quote(str(store.folder))}"
        raise Interrupted(f"interrupted, {len(found)} of {len(missing)} lessons had ended; go on with: {how}") from None
    except OSError as error:
        executor.cancel()
        raise StoreError(f"{store.folder}: cannot be written: {error.strerror}") from error
    except BaseException:
        executor.cancel()
        raise
    return found


def _work(point: Point, timeout: float | None, headless: str) -> Work:
    limits = Limits(timeout=timeout or TIMEOUTS.get(point.profile, TIMEOUTS["full"]), headless=headless)
    source = point.notebook.read_text(encoding="utf-8")
    return Work(point.key, point.lesson, source, point.parameters, limits)


def default_workers() -> int:
    """One worker per core that this process may use, as far as memory goes."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    fitting = int(psutil.virtual_memory().available // LESSON_BYTES)
    return max(1, min(cores, _quota(), fitting))


def _quota() -> int:
    """Cores that a container's CPU quota amounts to; very many without one."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return 10**6 if limit == "max" else max(1, math.ceil(int(limit) / int(period)))
    except (OSError, ValueError):
        return 10**6


@contextlib.contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, which batch systems send when time is over, leave a resumable run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
