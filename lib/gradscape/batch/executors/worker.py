"""A worker process of the local pool: ``python -m gradscape.batch.executors.worker FD FOLDER``.

It executes one piece of work after another, and lets the kernel for the next one boot while the present one runs. If
the process that started it goes away, it kills its kernels and ends.
"""
from __future__ import annotations

import contextlib
import os
import queue
import shutil
import sys
import tempfile
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gradscape.batch import notebooks
from gradscape.batch.call import call
from gradscape.batch.execute import Limits, execute, kernel_options


class Worker:
    """State of the process: its connection and the kernels it has running."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection, self.folder = connection, folder
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.kernels: set[int] = set()
        self.ahead: tuple[Limits, Any] | None = None

    def listen(self) -> None:
        """Receive messages; the end of the connection is the end of this process, whatever it is doing."""
        from gradscape.batch.kernel import kill_group

        while True:
            try:
                self.inbox.put(self.connection.recv())
            except (EOFError, OSError):
                for pid in list(self.kernels):
                    kill_group(pid)
                shutil.rmtree(self.folder, ignore_errors=True)
                os._exit(1)

    def kernel(self, limits: Limits) -> Any:
        """The kernel that was started ahead for these limits, or a new one."""
        from gradscape.batch.kernel import Kernel

        ready, self.ahead = self.ahead, None
        if ready is not None:
            if ready[0] == limits and ready[1].exit_code is None:
                return ready[1]
            ready[1].kill()
        kernel = Kernel(kernel_options(limits))
        self.kernels.add(kernel.pid)
        self.connection.send(("kernel", kernel.pid))
        return kernel

    def run(self) -> None:
        """Serve until told to stop."""
        self.connection.send(("ready",))
        while (message := self.inbox.get())[0] != "stop":
            _, work, more = message
            if work.call is not None:
                self.connection.send(("outcome", call(work)))
                continue
            kernel = self.kernel(work.limits)
            if more:
                self.ahead = work.limits, self.kernel(work.limits)
            outcome = execute(work, kernel=kernel, on_cell=lambda i, n: self.connection.send(("cell", i, n)))
            self.kernels.discard(kernel.pid)
            self.connection.send(("outcome", outcome))
        if self.ahead is not None:
            self.ahead[1].kill()


def main() -> None:
    """Serve the connection whose file descriptor is the first argument, with temporary files in the second."""
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    os.set_inheritable(descriptor, False)
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)
    notebooks.without_slow_grammar()
    worker = Worker(Connection(descriptor), folder)
    threading.Thread(target=worker.listen, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        worker.run()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
