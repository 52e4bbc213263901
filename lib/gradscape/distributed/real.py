"""Real processes on this machine that talk over loopback with ``torch.distributed`` (gloo).

`launch` starts the processes, lets them find each other through a file (no port is chosen beforehand) and returns
what each of them computed; `Channel` is what a program sees: messages to and from other ranks, counted in bits.
"""
from __future__ import annotations

import contextlib
import datetime
import importlib
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gradscape import validate
from gradscape.distributed.workers import bits

Program = Callable[..., Any]
POLL = 0.02  # seconds between two looks at the processes
GRACE = 2.0  # seconds that the others have after a failure: the first to fail is the cause, its partners fail with it


class ProcessError(RuntimeError):
    """A process failed, vanished or did not answer in time; the message holds its own traceback."""


class Channel:
    """One rank's end of the wire; ``sent`` and ``received`` count bits exactly, by ``kind`` of message.

    A receiver names shape and type of what it expects, so nothing but the entries travels.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()

    def send(self, tensor: Tensor, to: int, kind: str = "data") -> None:
        """Send a tensor to another rank; returns when it may be changed again."""
        torch.distributed.send(tensor.contiguous(), self._other("to", to))
        self.sent[kind] += bits(tensor)

    def receive(
        self, shape: tuple[int, ...], source: int, kind: str = "data", dtype: torch.dtype = torch.float64
    ) -> Tensor:
        """The next tensor from another rank."""
        tensor = torch.empty(shape, dtype=dtype)
        torch.distributed.recv(tensor, self._other("source", source))
        self.received[kind] += bits(tensor)
        return tensor

    def tell(self, tensor: Tensor, kind: str = "data") -> None:
        """Send a tensor to every other rank."""
        for other in range(self.size):
            if other != self.rank:
                self.send(tensor, other, kind)

    def _other(self, name: str, rank: int) -> int:
        if rank == self.rank or not 0 <= rank < self.size:
            raise ValueError(f"{name}={rank!r}: must be another rank of 0 to {self.size - 1}")
        return rank


def launch(program: Program, *args: Any, processes: int = 2, timeout: float = 120.0) -> list[Any]:
    """Run ``program(channel, *args)`` in new processes and return its results, rank by rank.

    ``program`` must be a function of an importable module: each process imports it by name and runs nothing of the
    calling script. ``args`` and results must pickle. Only loopback is used. :class:`ProcessError` if a process
    raises, ends early, or ``timeout`` seconds pass; no process outlives this call.
    """
    validate.at_least("processes", processes, 2)
    validate.positive("timeout", timeout)
    module, name = program.__module__, program.__qualname__
    if module == "__main__" or "." in name or "<" in name:
        raise ValueError(f"program={module}.{name}: must be a function of a module, importable by name")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="gradscape-") as place:
        folder = Path(place)
        (folder / "task").write_bytes(pickle.dumps((module, name, args, processes, timeout)))
        started: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(processes):
                command = [sys.executable, "-m", __name__, place, str(rank)]
                started.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=environment))
            _wait(started, folder, timeout)
        finally:
            for process in started:
                process.kill()
                process.wait()
                if process.stdin is not None:
                    process.stdin.close()
        return [pickle.loads((folder / f"result{rank}").read_bytes())[1] for rank in range(processes)]


def _wait(started: list[subprocess.Popen[bytes]], folder: Path, timeout: float) -> None:
    """Return when all have ended well; raise soon after one has not."""
    deadline = time.monotonic() + timeout
    troubles: list[tuple[float, str]] = []  # when it happened (a vanished process comes before what it broke), and what
    running = dict(enumerate(started))
    while running:
        for rank, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[rank]
            answer = folder / f"result{rank}"
            if not answer.is_file():
                troubles.append((0.0, f"rank {rank} ended with exit status {process.returncode} and without a result"))
                continue
            failed_at, value = pickle.loads(answer.read_bytes())
            if failed_at is not None:
                troubles.append((failed_at, f"rank {rank} failed:\n{value}"))
        if troubles and (not running or time.monotonic() > deadline):
            raise ProcessError(min(troubles)[1])
        if troubles:
            deadline = min(deadline, time.monotonic() + GRACE)
        elif running and time.monotonic() > deadline:
            raise ProcessError(f"no answer from rank {', '.join(map(str, running))} within {timeout:g} s")
        time.sleep(POLL)


def _enter(folder: Path, rank: int) -> int:
    """What a started process does: meet the others, run the program, leave the result."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module, name, args, size, timeout = pickle.loads((folder / "task").read_bytes())
    failed_at: float | None = None
    value: Any = None
    try:
        torch.set_num_threads(1)
        os.environ["GLOO_SOCKET_IFNAME"] = loopback()
        store = torch.distributed.FileStore(str(folder / "meet"), size)
        limit = datetime.timedelta(seconds=timeout)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=limit)
        value = getattr(importlib.import_module(module), name)(Channel(rank, size), *args)
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    except BaseException:  # the connection stays open until the end, so the others fail later than the cause
        failed_at, value = time.time(), traceback.format_exc()
    written = folder / f"writing{rank}"
    written.write_bytes(pickle.dumps((failed_at, value)))
    written.rename(folder / f"result{rank}")
    return 0 if failed_at is None else 1


def _end_with_parent() -> None:
    """The parent holds the other end of standard input: when it dies, so does this process."""
    with contextlib.suppress(OSError):
        sys.stdin.buffer.read()
    os._exit(1)


def loopback() -> str:
    """Name of this machine's loopback interface (``lo``, or ``lo0`` on a Mac)."""
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if not names:
        raise OSError("this machine has no loopback interface lo or lo0")
    return names[0]


if __name__ == "__main__":
    # the exit status goes out at once: taking down an interpreter that holds torch costs more than most programs here
    code = _enter(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
