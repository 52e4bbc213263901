"""Executors: where the executions of a run take place."""
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from gradscape.batch.execute import Work
from gradscape.batch.outcome import Outcome

# (key, index of the cell, number of cells): what an executor may tell while it works; it need not.
CellEvent = Callable[[str, int, int], None]


class Executor(Protocol):
    """Executes work somewhere else; the caller alone writes into the store.

    A future always ends with an :class:`~gradscape.batch.outcome.Outcome`, also when the process or machine that did
    the work is gone, unless :meth:`cancel` was called. An exception in a future means that the executor itself cannot
    go on.
    """

    def submit(self, work: Work) -> Future[Outcome]:
        """Hand over one piece of work; pieces are begun in the order of submission."""

    def cancel(self) -> None:
        """Stop everything at once: unfinished futures are cancelled, no process is left."""

    def close(self) -> None:
        """Wait for nothing and free everything; call it when all futures have ended."""
