"""Kernels for headless runs: started ahead, capped in threads and time, measured, never forked from one another."""
from __future__ import annotations

import asyncio
import contextlib
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

from gradscape.batch import memory

# Every library that would otherwise open one thread per core.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)
# A cell is never given less than this, so that a run whose time is over ends as timed out and not as unlimited.
SHORTEST_S = 0.05
START_S = 60
LOG_TAIL = 2000
# Streams of one cell beyond this are dropped: an endless print must not fill the memory of the process that listens.
STREAM_LIMIT = 2_000_000
# Names of Unix sockets end at 107 bytes; "ipc-5" comes after this much.
SOCKET_PATH_LIMIT = 98


class DeadlineError(TimeoutError):
    """The whole run took longer than its deadline; the kernel was killed."""


class KernelDied(RuntimeError):
    """The kernel process ended by itself or was killed from outside."""


@dataclass(frozen=True)
class KernelOptions:
    """How a kernel is started: ``preload`` names modules that it imports while it waits."""

    headless: str = "1"
    threads: int = 1
    preload: tuple[str, ...] = ()


@dataclass
class CellTime:
    """Seconds that one code cell took; ``index`` counts all cells of the executed notebook from 0."""

    index: int
    count: int | None
    tags: list[str]
    seconds: float


@dataclass
class Trace:
    """What is known about an execution, also when it ends badly: filled while the notebook runs."""

    notebook: Any = None
    current: int | None = None
    started: float = 0.0
    start_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    cells: list[CellTime] = field(default_factory=list)
    on_cell: Callable[[int, int], None] | None = None


def environment(options: KernelOptions) -> dict[str, str]:
    """The variables a headless kernel runs with."""
    env = dict(os.environ)
    env.update(dict.fromkeys(THREAD_VARIABLES, str(options.threads)))
    env["GRADSCAPE_HEADLESS"] = options.headless
    env["PLOTLY_RENDERER"] = "plotly_mimetype"
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    if "GRADSCAPE_ROOT" in env:  # the kernel has a working folder of its own
        env["GRADSCAPE_ROOT"] = str(Path(env["GRADSCAPE_ROOT"]).resolve())
    return env


class Kernel:
    """One kernel process that boots in the background from the moment it is made.

    It has a working folder of its own, so a lesson that writes files leaves nothing in the course, and an IPython
    profile of its own, so a user's start-up files change nothing.
    """

    def __init__(self, options: KernelOptions | None = None) -> None:
        self.options = options or KernelOptions()
        self.folder = Path(tempfile.mkdtemp(prefix="gradscape-"))
        self.log = self.folder / "kernel.log"
        work = self.folder / "work"
        work.mkdir()
        socket = str(self.folder / "ipc")
        where = {"transport": "ipc", "ip": socket} if len(socket) < SOCKET_PATH_LIMIT else {"transport": "tcp"}
        self.manager = AsyncKernelManager(
            kernel_name="python3", connection_file=str(self.folder / "connection.json"), **where
        )
        self.manager._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3 (ipykernel)", language="python",
        )
        arguments = ["--HistoryManager.hist_file=:memory:"]
        if self.options.preload:
            lines = [f"__import__({name!r})" for name in self.options.preload]
            arguments.append(f"--IPKernelApp.exec_lines={lines!r}")
        env = {**environment(self.options), "IPYTHONDIR": str(self.folder / "ipython")}
        try:
            with self.log.open("wb") as log:
                run_sync(self.manager.start_kernel)(
                    extra_arguments=arguments, env=env, cwd=str(work), stdout=log, stderr=log
                )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        provisioner: Any = self.manager.provisioner
        self.process = provisioner.process
        self.pid: int = self.process.pid

    @property
    def exit_code(self) -> int | None:
        """``None`` while it runs; negative: the signal that ended it."""
        return self.process.poll()

    def ending(self) -> str:
        """How the process ended, in words, with the last lines it wrote."""
        code = self.exit_code
        if code is None:
            words = "the kernel stopped answering"
        elif code < 0:
            words = f"the kernel was killed by {_signal_name(-code)}"
        else:
            words = f"the kernel process ended by itself with code {code}"
        tail = self.log.read_text(errors="replace")[-LOG_TAIL:].strip() if self.log.exists() else ""
        tail = "\n".join(line for line in tail.splitlines() if "without encryption" not in line).strip()
        return f"{words}\n{tail}".strip()

    def usage(self) -> tuple[float, int]:
        """CPU seconds and peak resident bytes so far; zeros when the process is gone."""
        try:
            process = psutil.Process(self.pid)
            times = process.cpu_times()
            below = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            return times.user + times.system + below, memory.peak(self.pid)
        except psutil.Error:
            return 0.0, 0

    def kill(self) -> None:
        """End the process with everything it started, and remove its folder; does nothing the second time."""
        if not self.folder.exists():
            return
        kill_group(self.pid)
        with contextlib.suppress(Exception):
            self.process.wait(timeout=10)
        with contextlib.suppress(Exception):
            run_sync(self.manager.cleanup_resources)()
        shutil.rmtree(self.folder, ignore_errors=True)


def kill_group(pid: int) -> None:
    """Kill a kernel's process group: the kernel leads its own session, so nothing else is in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


class DeadlineClient(PapermillNotebookClient):
    """papermill's client with one deadline for all cells and a trace of each."""

    def __init__(self, nb_man: Any, kernel: Kernel, trace: Trace, deadline: float | None, **options: Any) -> None:
        self.kernel, self.trace = kernel, trace
        self.until = None if deadline is None else time.monotonic() + deadline
        self.streamed = 0
        startup = START_S if deadline is None else max(1, math.ceil(deadline))
        options.update(store_widget_state=False, timeout=None, timeout_func=self._left, startup_timeout=startup)
        super().__init__(nb_man, km=kernel.manager, **options)

    def _left(self, cell: Any = None) -> float | None:
        return None if self.until is None else max(self.until - time.monotonic(), SHORTEST_S)

    def start_new_kernel_client(self, **options: Any) -> Any:
        """Connect to the kernel and note how long it took to answer."""
        client = super().start_new_kernel_client(**options)
        self.trace.start_seconds = time.monotonic() - self.trace.started
        return client

    def execute_cell(self, cell: Any, cell_index: int, *args: Any, **options: Any) -> Any:
        """Execute one cell; its time is kept whatever happens in it."""
        if cell.cell_type != "code":
            return cell
        self.trace.current, self.streamed = cell_index, 0
        if self.trace.on_cell:
            self.trace.on_cell(cell_index, len(self.nb.cells))
        started = time.monotonic()
        try:
            return super().execute_cell(cell, cell_index, *args, **options)
        finally:
            seconds = time.monotonic() - started
            tags = list(cell.metadata.get("tags", []))
            self.trace.cells.append(CellTime(cell_index, cell.get("execution_count"), tags, round(seconds, 4)))
            cpu, peak = self.kernel.usage()
            self.trace.cpu_seconds = max(self.trace.cpu_seconds, cpu)
            self.trace.peak_memory = max(self.trace.peak_memory, peak)


    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Handle one message of the kernel, with a bound on what a cell may print."""
        if msg["msg_type"] == "stream":
            before, self.streamed = self.streamed, self.streamed + len(msg["content"]["text"])
            if before > STREAM_LIMIT:
                return None
            if self.streamed > STREAM_LIMIT:
                text = msg["content"]["text"][: STREAM_LIMIT - before]
                msg["content"]["text"] = f"{text}\n[output cut here: more than {STREAM_LIMIT} characters]\n"
        return super().process_message(msg, cell, cell_index)


class ManagedEngine(NBClientEngine):
    """What :class:`gradscape.batch.engine.GradscapeEngine` does once papermill is imported."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, deadline: float | None = None, threads: int = 1, headless: str = "1",
        kernel: Kernel | None = None, trace: Trace | None = None, **options: Any,
    ) -> Any:
        """Run all cells; :class:`DeadlineError` or :class:`KernelDied` when they cannot be finished."""
        trace = trace if trace is not None else Trace()
        trace.notebook, trace.started = nb_man.nb, time.monotonic()
        kernel = kernel or Kernel(KernelOptions(headless=headless, threads=threads))
        kept = {name: options[name] for name in ("log_output", "stdout_file", "stderr_file") if name in options}
        client = None
        try:
            client = DeadlineClient(nb_man, kernel, trace, _seconds(deadline), kernel_name=kernel_name, **kept)
            return client.execute()
        except TimeoutError as error:
            raise DeadlineError(f"not finished after {_seconds(deadline):g} s") from error
        except RuntimeError as error:
            if kernel.exit_code is None and "died" not in str(error).lower():
                if "didn't respond" in str(error):
                    raise DeadlineError(f"no kernel within {_seconds(deadline) or START_S:g} s") from error
                raise
            raise KernelDied(kernel.ending()) from error
        finally:
            kernel.kill()
            if client is not None and client.kc is not None:
                run_sync(_cancel_listeners)()
                client.kc.stop_channels()
            nb_man.nb.metadata.pop("widgets", None)
            nb_man.nb.metadata["gradscape"] = {"peak_memory": trace.peak_memory, "cpu_seconds": trace.cpu_seconds}


async def _cancel_listeners() -> None:
    """End what still waits for messages of a kernel that is gone; after a timeout nbclient leaves it waiting."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _seconds(deadline: float | None) -> float | None:
    return None if deadline is None else float(deadline)


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory, or killed from outside)" if number == signal.SIGKILL else name
