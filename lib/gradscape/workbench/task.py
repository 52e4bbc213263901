"""What a running computation knows about its reader: progress goes out, the wish to stop comes in."""
from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

PROGRESS_EVERY = 0.1  # seconds between two messages of progress: smooth to the eye, few for the browser


class Stopped(Exception):
    """Raised by :meth:`Task.check` when the computation should end and has nothing to show."""


class Task:
    """Handed to ``compute(values, task)``: :attr:`cancelled` and :meth:`progress` are all that most need.

    ``limit_s`` seconds after its making it asks the computation to end (``None``: never).
    """

    def __init__(self, limit_s: float | None = None, report: Callable[[int, int], None] | None = None) -> None:
        self.deadline = math.inf if limit_s is None else time.monotonic() + limit_s
        self.stopped_early = False
        self._cancel = threading.Event()
        self._report = report
        self._told = -math.inf

    @property
    def cancelled(self) -> bool:
        """True once the reader cancelled or the time limit passed: return what there is so far."""
        if self._cancel.is_set():
            return True
        if time.monotonic() >= self.deadline:
            self.stopped_early = True
        return self.stopped_early

    @property
    def cancelled_by_reader(self) -> bool:
        """True once the reader cancelled; the time limit does not count."""
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Ask the computation to stop."""
        self._cancel.set()

    def check(self) -> None:
        """Raise :class:`Stopped` if the computation should end (for code that has no partial result)."""
        if self.cancelled:
            raise Stopped

    def step(self, done: int, total: int) -> None:
        """:meth:`check`, then :meth:`progress`: hand it on as the ``progress=`` of any function of the library."""
        self.check()
        self.progress(done, total)

    def progress(self, done: int, total: int) -> None:
        """Say how far the computation is; a computation that keeps its partial result asks :attr:`cancelled` beside."""
        now = time.monotonic()
        if self._report is not None and (done >= total or now - self._told >= PROGRESS_EVERY):
            self._told = now
            self._report(done, total)
