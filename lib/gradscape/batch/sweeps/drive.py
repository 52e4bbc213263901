"""A sweep goes on: missing points go to an executor, each row is kept as it comes, dead kernels are retried."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from gradscape.batch.execute import Work
from gradscape.batch.executors import Executor
from gradscape.batch.executors.local import OVER_MEMORY
from gradscape.batch.outcome import DONE, KILLED, Outcome
from gradscape.batch.points import Point
from gradscape.batch.run import POLL_S, terminated_as_interrupt
from gradscape.batch.sweeps.store import SweepStore

# Points handed to the executor beyond those that can run at once, so that no worker waits for the driver.
AHEAD = 4
Missing = Callable[[dict[str, Any] | None], bool]


@dataclass
class State:
    """How a sweep stands: ``kept`` points were finished before; times are of this run."""

    total: int
    kept: int = 0
    done: int = 0
    failed: int = 0
    retried: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> int:
        """Points that need no more work."""
        return self.kept + self.done + self.failed

    @property
    def left_seconds(self) -> float | None:
        """Time that the rest will take at the pace so far; ``None`` before the first point has ended."""
        now = self.done + self.failed
        return (time.monotonic() - self.begun) / now * (self.total - self.ended) if now else None


class Watcher(Protocol):
    """Who is told how a sweep goes on."""

    def begin(self, state: State) -> None:
        """Work starts."""

    def ended(self, state: State, point: Point, outcome: Outcome) -> None:
        """A point has ended, for good or to be retried."""

    def finish(self) -> None:
        """No more point will end."""


class Silent:
    """A watcher that says nothing."""

    def begin(self, state: State) -> None: ...
    def ended(self, state: State, point: Point, outcome: Outcome) -> None: ...
    def finish(self) -> None: ...


def drive(
    store: SweepStore, points: Sequence[Point], executor: Executor, work: Callable[[Point], Work], *, retries: int = 2,
    notebooks: bool = False, watcher: Watcher | None = None, missing: Missing | None = None,
) -> State:
    """Compute the points that the store lacks; returns the end state.

    A point whose worker or kernel died is tried ``retries`` times more; an error of its own (a wrong parameter, a limit
    of time or memory) is not tried again. ``KeyboardInterrupt`` leaves everything that had ended in the store.
    """
    seen, first = watcher or Silent(), points[0]
    missing = missing or (lambda row: row is None or row["status"] != DONE)
    with store.opened(first.code, first.data) as rows:
        pending = deque(point for point in points if missing(rows.get(point.key)))
        state = State(len(points), kept=len(points) - len(pending))
        seen.begin(state)
        tries: dict[str, int] = {}
        waiting: dict[Future[Outcome], Point] = {}

        def keep(future: Future[Outcome]) -> None:
            point, outcome = waiting.pop(future), future.result()
            tries[point.key] = tries.get(point.key, 0) + 1
            if _worth_retrying(outcome) and tries[point.key] <= retries:
                state.retried += 1
                pending.append(point)
            else:
                store.keep(point, outcome, tries[point.key], notebooks)
                state.done, state.failed = state.done + outcome.done, state.failed + (not outcome.done)
            seen.ended(state, point, outcome)

        try:
            with terminated_as_interrupt():
                while pending or waiting:
                    room = getattr(executor, "slots", getattr(executor, "size", 1)) + AHEAD - len(waiting)
                    for _ in range(min(room, len(pending))):
                        point = pending.popleft()
                        waiting[executor.submit(work(point))] = point
                    for future in wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED).done:
                        keep(future)
                    store.sync()
            store.flush()  # everything is a part before the executor is asked to leave
            executor.close()
        except BaseException as error:
            ended = [f for f in waiting if f.done() and not f.cancelled() and not f.exception()]
            executor.cancel()
            if not isinstance(error, OSError):  # nothing can be kept on a full disk
                for future in ended:
                    keep(future)
                store.sync()
            raise
        finally:
            seen.finish()
    return state


def _worth_retrying(outcome: Outcome) -> bool:
    return outcome.status == KILLED and (outcome.error is None or outcome.error.name != OVER_MEMORY)
