"""The local executor: worker processes on this machine, one compute thread each."""
from __future__ import annotations

import collections
import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from gradscape.batch.execute import Work
from gradscape.batch.executors import CellEvent
from gradscape.batch.outcome import KILLED, TIMED_OUT, Failure, Outcome

# A worker ends a run at its deadline by itself; one that is this much later has hung and is killed.
GRACE_S = 30.0
# How often running work is held against its limits where the pool alone keeps them: memory, and calls without kernel.
WATCH_S, IDLE_S = 0.2, 1.0
OVER_MEMORY = "OverMemory"
# A worker that cannot even start will not start the next time either.
FAILED_STARTS = 3


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    folder: Path
    log: Path
    ready: bool = False
    work: Work | None = None
    future: Future[Outcome] | None = None
    begun: float = 0.0
    kernels: set[int] = field(default_factory=set)
    cell: int | None = None
    late: bool = False
    over: int = 0


class LocalPool:
    """Executes work in ``workers`` processes; survives the death of any of them and names what it was doing.

    Processes and not threads, because papermill changes the working folder of the process that calls it; fresh
    processes and not forks, because forked kernels share state that they must not share.
    """

    def __init__(self, workers: int, on_cell: CellEvent | None = None) -> None:
        if workers < 1:
            raise ValueError(f"workers={workers!r}: must be at least 1")
        self.size, self.on_cell = workers, on_cell
        self.folder = Path(tempfile.mkdtemp(prefix="gradscape-pool-"))
        self._queue: collections.deque[tuple[Work, Future[Outcome]]] = collections.deque()
        self._workers: list[_Worker] = []
        self._lock = threading.RLock()
        self._wake_out, self._wake_in = multiprocessing.Pipe(duplex=False)
        self._closed = False
        self._failed_starts = self._started = 0
        self._thread = threading.Thread(target=self._serve, name="gradscape-pool", daemon=True)
        self._thread.start()

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def submit(self, work: Work) -> Future[Outcome]:
        """Queue one piece of work."""
        future: Future[Outcome] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._queue.append((work, future))
        self._wake()
        return future

    def cancel(self) -> None:
        """Kill all workers and kernels; futures that have not ended are cancelled."""
        with self._lock:
            waiting = [future for _, future in self._queue]
            running = [worker.future for worker in self._workers if worker.future is not None]
            self._queue.clear()
            for worker in self._workers:
                worker.future = None
        for future in [*waiting, *running]:
            future.cancel()
        self.close()

    def close(self) -> None:
        """End all workers; work that is still running is lost."""
        with self._lock:
            self._closed = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)
        with self._lock:
            for worker in self._workers:
                self._end(worker)
            self._workers.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    # The thread that owns the workers

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_in.send_bytes(b"1")

    def _serve(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                self._assign()
                connections: list[Any] = [self._wake_out, *(worker.connection for worker in self._workers)]
                busy = [worker.work for worker in self._workers if worker.work is not None]
            watched = any(work.call is not None or work.limits.memory is not None for work in busy)
            for ready in wait(connections, timeout=WATCH_S if watched else IDLE_S):
                if ready is self._wake_out:
                    self._wake_out.recv_bytes()
                    continue
                with self._lock:
                    worker = next((w for w in self._workers if w.connection is ready), None)
                    if worker is not None:
                        self._receive(worker)
            self._kill_late()

    def _assign(self) -> None:
        """Give work to idle workers, starting as many as there is work for."""
        for worker in self._workers:
            if worker.ready and worker.work is None and self._queue:
                work, future = self._queue.popleft()
                worker.work, worker.future, worker.begun = work, future, time.monotonic()
                worker.cell, worker.late, worker.over = None, False, 0
                with contextlib.suppress(OSError):  # a dead worker is noticed by its closed connection
                    worker.connection.send(("run", work, bool(self._queue)))
        starting = sum(not worker.ready for worker in self._workers)
        while len(self._workers) < self.size and starting < len(self._queue):
            self._workers.append(self._start())
            starting += 1

    def _start(self) -> _Worker:
        self._started += 1
        ours, theirs = multiprocessing.Pipe()
        folder, log = self.folder / f"w{self._started}", self.folder / f"w{self._started}.log"
        os.set_inheritable(theirs.fileno(), True)
        command = [sys.executable, "-m", "gradscape.batch.executors.worker", str(theirs.fileno()), str(folder)]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                start_new_session=True,  # Ctrl-C on the terminal is for the driver, which then ends the workers
                env={**os.environ, **_one_thread()},
            )
        theirs.close()
        return _Worker(process, ours, folder, log)

    def _receive(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        kind = message[0]
        if kind == "ready":
            worker.ready, self._failed_starts = True, 0
        elif kind == "kernel":
            worker.kernels.add(message[1])
        elif kind == "cell" and worker.work is not None:
            worker.cell = message[1]
            if self.on_cell is not None:
                self.on_cell(worker.work.key, message[1], message[2])
        elif kind == "outcome":
            _finish(worker.future, message[1])
            worker.work = worker.future = None

    def _lost(self, worker: _Worker) -> None:
        """A worker's connection is closed: it died, alone or by our hand."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(timeout=5)
        words = _ending(worker.process.returncode, worker.log)
        self._end(worker)
        self._workers.remove(worker)
        if worker.work is not None:
            seconds = round(time.monotonic() - worker.begun, 3)
            if worker.over:
                words = f"it held {worker.over / 1e9:.2f} GB, {(worker.work.limits.memory or 0) / 1e9:.2f} are allowed"
                status, error = KILLED, Failure(OVER_MEMORY, words, cell=_stored(worker))
            elif worker.late:
                hung = "" if worker.work.call is not None else ", and the worker had hung"
                words = f"not finished after {worker.work.limits.timeout:g} s{hung}"
                status, error = TIMED_OUT, Failure("Timeout", words, cell=_stored(worker))
            else:
                status, error = KILLED, Failure("WorkerDied", words, cell=_stored(worker))
            _finish(worker.future, Outcome(worker.work.key, status, seconds=seconds, error=error))
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                for _, future in self._queue:
                    future.set_exception(RuntimeError(f"no worker process could be started: {words}"))
                self._queue.clear()

    def _kill_late(self) -> None:
        with self._lock:
            for worker in self._workers:
                if worker.work is None or worker.late or worker.over:
                    continue
                limits, grace = worker.work.limits, GRACE_S if worker.work.call is None else 0.0
                worker.late = time.monotonic() - worker.begun > limits.timeout + grace
                if limits.memory is not None and not worker.late:
                    held = _held(worker.process.pid)
                    worker.over = held if held > limits.memory else 0
                if worker.late or worker.over:
                    worker.process.kill()

    def _end(self, worker: _Worker) -> None:
        """Kill a worker and its kernels and remove its files."""
        from gradscape.batch.kernel import kill_group

        with contextlib.suppress(OSError):
            worker.connection.close()
        worker.process.kill()
        for pid in worker.kernels:
            if _is_kernel(pid):
                kill_group(pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(timeout=5)
        shutil.rmtree(worker.folder, ignore_errors=True)


def _held(pid: int) -> int:
    """Resident bytes of the largest process among a worker and what it started."""
    import psutil

    held = 0
    with contextlib.suppress(psutil.Error):
        worker = psutil.Process(pid)
        for process in (worker, *worker.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held = max(held, process.memory_info().rss)
    return held


def _is_kernel(pid: int) -> bool:
    """Whether a process is (still) a kernel of ours: numbers of dead processes are used again."""
    import psutil

    try:
        return any("ipykernel_launcher" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _stored(worker: _Worker) -> int | None:
    """The cell a lost worker was in, counted from 1 as stored; injected parameters add one cell."""
    if worker.cell is None or worker.work is None:
        return None
    return worker.cell + 1 - bool(worker.work.parameters)


def _finish(future: Future[Outcome] | None, outcome: Outcome) -> None:
    if future is not None:
        with contextlib.suppress(InvalidStateError):
            future.set_result(outcome)


def _ending(code: int | None, log: Path) -> str:
    if code is None:
        words = "the worker process closed its connection"
    elif code < 0:
        words = f"the worker process was killed by {signal.Signals(-code).name}"
    else:
        words = f"the worker process ended with code {code}"
    tail = log.read_text(errors="replace")[-2000:].strip() if log.exists() else ""
    return f"{words}\n{tail}".strip()


def _one_thread() -> dict[str, str]:
    return {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
