"""The second executor: dask.distributed, on this machine or on a cluster whose scheduler has an address.

A Dask worker computes nothing itself: it hands each point to a process of its own (:class:`LocalPool` with one worker),
which can be killed at its limits of time and memory, and which dies with the Dask worker. So a local cluster needs no
further processes: its scheduler and workers are threads of the driver.
"""
from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import logging
import platform
import secrets
import threading
import time
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import Any

from gradscape.batch.execute import Work
from gradscape.batch.executors.local import LocalPool
from gradscape.batch.outcome import KILLED, Failure, Outcome

CONNECT_S, WORKERS_S = 10.0, 30.0
POLL_S = 0.5
OTHER_VERSION = "OtherVersion"
NEAR = ("python", "numpy", "torch")  # reported when they differ; what must agree is gradscape, its code and its data


class ClusterError(ValueError):
    """A scheduler that cannot be reached, is gone, or has no workers that could compute the same numbers."""


class DaskExecutor:
    """Executes work on the workers of a Dask cluster; a ``LocalCluster`` of ``workers`` when no address is given.

    ``module`` is the science that will be called: workers with other code or data are refused with
    :class:`ClusterError`, at the start and when they join later.
    """

    def __init__(self, address: str | None = None, workers: int = 1, module: str = "gradscape.lesson") -> None:
        import distributed

        self.address, self.cluster = address, None
        self.expected, self.session, self._count = identity(module), secrets.token_hex(4), 0
        self.warnings: list[str] = []
        for name in ["distributed", "tornado.application", *logging.root.manager.loggerDict]:
            if name.startswith(("distributed", "tornado.application")):  # what matters is an outcome or an error
                logging.getLogger(name).setLevel(logging.CRITICAL)
        if address is None:
            self.cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None, memory_limit=0,
                silence_logs=logging.CRITICAL,
                # the small servers for health would take the same port in every sweep, and listen to the whole network
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"}, worker_dashboard_address="127.0.0.1:0",
            )
            self.client = distributed.Client(self.cluster, set_as_default=False)
        else:
            self.client = _connect(address)
            try:
                self._check_workers(module)
            except BaseException:
                self.client.close()
                raise
        self._slots, self._counted = 0, 0.0
        self._closed = False
        self._futures: dict[Any, tuple[Work, Future[Outcome], float]] = {}
        self._done = distributed.as_completed(with_results=True, raise_errors=False, loop=self.client.loop)
        self._more = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="gradscape-cluster", daemon=True)
        self._thread.start()

    @property
    def slots(self) -> int:
        """How many points can run at once now; workers may come and go."""
        if time.monotonic() - self._counted > 5.0:
            with contextlib.suppress(Exception):
                self._slots = sum(self.client.nthreads().values())
            self._counted = time.monotonic()
        return max(1, self._slots)

    def submit(self, work: Work) -> Future[Outcome]:
        """Hand over one piece of work; the worker that does it is the scheduler's choice."""
        self._count += 1
        future: Future[Outcome] = Future()
        name = f"gradscape-{self.session}-{work.key}-{self._count}"
        try:
            remote = self.client.submit(perform, work, self.expected, key=name, pure=False)
        except Exception as error:
            raise ClusterError(f"the scheduler{self._at()} is gone: {error}") from error
        self._futures[remote] = work, future, time.monotonic()
        self._done.add(remote)
        self._more.set()
        return future

    def cancel(self) -> None:
        """Cancel all that has not ended; workers kill what they were computing."""
        self._closed = True
        waiting = list(self._futures.items())
        with contextlib.suppress(Exception):
            self.client.cancel([remote for remote, _ in waiting], force=True)
        for _, (_, future, _) in waiting:
            future.cancel()
        self.close()

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self._closed = True
        self._more.set()
        if self.cluster is None and self.client.status == "running":
            with contextlib.suppress(Exception):
                # not waited for: a worker that is busy or leaving must not hold up the driver
                self.client.run(close_pools, on_error="ignore", wait=False)
        elif self.cluster is not None:
            close_pools(running=True)
        with contextlib.suppress(Exception):
            self.client.close(timeout=5)
        if self.cluster is not None:
            with contextlib.suppress(Exception):
                self.cluster.close(timeout=5)

    def _at(self) -> str:
        return f" at {self.address}" if self.address else ""

    def _check_workers(self, module: str) -> None:
        import distributed

        try:
            self.client.wait_for_workers(1, timeout=WORKERS_S)
        except (TimeoutError, distributed.TimeoutError) as error:
            raise ClusterError(f"the scheduler{self._at()} has had no worker for {WORKERS_S:g} s") from error
        for worker, found in self.client.run(identity, module, on_error="return").items():
            problem = difference(self.expected, found)
            if problem:
                raise ClusterError(f"worker {worker}: {problem}; install the same gradscape there")
            near = [f"{name} {found.get(name)} instead of {self.expected.get(name)}" for name in NEAR
                    if found.get(name) != self.expected.get(name)]
            if near:
                self.warnings.append(f"worker {worker} has {', '.join(near)}: last digits may differ")

    def _collect(self) -> None:
        """The thread that turns what comes back into outcomes."""
        while not self._closed:
            self._more.clear()
            if self._done.is_empty():
                self._more.wait(POLL_S)
                continue
            try:
                batch = self._done.next_batch()
            except StopIteration:
                continue
            except Exception:  # the client is being closed
                return
            for remote, result in batch:
                work, future, begun = self._futures.pop(remote)
                self._finish(future, work, remote.status, result, time.monotonic() - begun)

    def _finish(self, future: Future[Outcome], work: Work, status: str, result: Any, seconds: float) -> None:
        with contextlib.suppress(InvalidStateError):
            if isinstance(result, Outcome):
                if result.error is not None and result.error.name == OTHER_VERSION:
                    future.set_exception(ClusterError(result.error.message))
                else:
                    future.set_result(result)
                return
            problem = result[1] if isinstance(result, tuple) and len(result) > 1 else result
            if type(problem).__name__ == "KilledWorker":
                error = Failure("WorkerDied", "the Dask worker that computed it is gone")
                future.set_result(Outcome(work.key, KILLED, seconds=round(seconds, 3), error=error))
            elif status in ("cancelled", "lost") or isinstance(problem, CancelledError):
                future.set_exception(ClusterError(f"the scheduler{self._at()} is gone"))
            else:
                future.set_exception(ClusterError(f"the cluster{self._at()} cannot do it: {problem}"))


def _connect(address: str) -> Any:
    import distributed

    try:
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError, distributed.TimeoutError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"--scheduler {address}: no Dask scheduler answers there ({words})") from error


# What runs in the Dask workers


def identity(module: str) -> dict[str, str]:
    """Versions and checksums of what a worker would compute with."""
    import gradscape
    from gradscape import provenance
    from gradscape.batch import points

    found = {"gradscape": gradscape.__version__, "code": provenance.code_checksum(module), "data": points.data_digest(),
             "python": platform.python_version(), "module": module}
    for name in ("numpy", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def difference(expected: dict[str, str], found: Any) -> str:
    """Why a worker with this identity would not compute the same numbers; empty if it would."""
    if not isinstance(found, dict):
        return f"has no gradscape that could be asked ({type(found).__name__}: {found})"
    if found["gradscape"] != expected["gradscape"]:
        return f"has gradscape {found['gradscape']}, this is {expected['gradscape']}"
    for name in ("code", "data"):
        if found[name] != expected[name]:
            return f"has gradscape {found['gradscape']} with other {name}"
    return ""


@functools.lru_cache(maxsize=8)
def _own(module: str) -> dict[str, str]:
    return identity(module)


_free: list[LocalPool] = []
_running: set[LocalPool] = set()
_lock = threading.Lock()


def perform(work: Work, expected: dict[str, str]) -> Outcome:
    """Compute one piece of work in a process of this Dask worker; stop it when the driver has lost interest."""
    from gradscape.batch.outcome import FAILED

    problem = difference(expected, _own(expected["module"]))
    if problem:
        return Outcome(work.key, FAILED, error=Failure(OTHER_VERSION, f"a worker {problem}"))
    with _lock:
        pool = _free.pop() if _free else LocalPool(1)
        _running.add(pool)
    unwanted = _unwanted()
    future = pool.submit(work)
    try:
        while True:
            try:
                outcome = future.result(timeout=POLL_S)
                break
            except TimeoutError:
                if unwanted():
                    raise CancelledError from None
    except BaseException:
        with _lock:
            _running.discard(pool)
        pool.cancel()
        raise
    with _lock:
        _running.discard(pool)
        _free.append(pool)
    return outcome


def _unwanted() -> Any:
    """A function that tells whether the scheduler has dropped the task of this thread."""
    import distributed

    try:
        worker = distributed.get_worker()
        key = worker.get_current_task()
    except (ValueError, AttributeError):
        return lambda: False

    def unwanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state in ("cancelled", "released")

    return unwanted


def close_pools(running: bool = False) -> None:
    """End the processes of this Dask worker that have nothing to do; with ``running`` also those that have."""
    with _lock:
        free, busy = list(_free), list(_running) if running else []
        _free.clear()
    for pool in free:
        pool.close()
    for pool in busy:
        pool.cancel()
