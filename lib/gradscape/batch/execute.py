"""One notebook execution from beginning to end, in the process that calls it."""
from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradscape.batch import notebooks
from gradscape.batch.outcome import DONE, FAILED, KILLED, TIMED_OUT, Failure, Outcome, plain

# Seconds for a whole notebook, about ten times the course's budget: noisy machines are slow, endless cells are endless.
TIMEOUTS = {"smoke": 180.0, "quick": 600.0, "full": 7200.0}


# papermill puts two cells with this tag into a notebook that failed; the report shows the error in its own way.
MARKER = "papermill-error-cell-tag"


@dataclass(frozen=True)
class Limits:
    """What one execution may use, and how its kernel is started (see :class:`gradscape.batch.kernel.KernelOptions`)."""

    timeout: float = TIMEOUTS["quick"]
    threads: int = 1
    headless: str = "1"
    preload: tuple[str, ...] = ()
    memory: float | None = None  # bytes that one process may hold; the process that holds more is killed


@dataclass(frozen=True)
class Call:
    """A lesson's module to be called without a kernel: its ``point``, its claims, or both."""

    module: str
    scalars: bool = True
    claims: bool = False


@dataclass(frozen=True)
class Work:
    """What an executor is given: the notebook as text, so that no shared file system is needed; or a ``call``."""

    key: str
    label: str
    notebook: str
    parameters: dict[str, Any]
    limits: Limits = Limits()
    call: Call | None = None


def kernel_options(limits: Limits) -> Any:
    """How the kernel for these limits is started."""
    from gradscape.batch.kernel import KernelOptions

    return KernelOptions(headless=limits.headless, threads=limits.threads, preload=limits.preload)


def execute(work: Work, *, kernel: Any = None, on_cell: Callable[[int, int], None] | None = None) -> Outcome:
    """Execute a notebook with papermill and our engine; every way it can end is an :class:`Outcome`.

    ``kernel`` is one that was started ahead; ``on_cell(index, total)`` is told before each code cell.
    """
    notebooks.without_slow_grammar()
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from gradscape.batch.kernel import DeadlineError, Kernel, KernelDied, Trace

    logging.getLogger("papermill").setLevel(logging.ERROR)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    begin, trace, status, error = time.monotonic(), Trace(on_cell=on_cell), DONE, None
    try:
        source = nbformat.reads(work.notebook, as_version=4)
        kernel = kernel or Kernel(kernel_options(work.limits))
        papermill.execute_notebook(
            source, None, parameters=work.parameters, engine_name="gradscape", kernel_name="python3", language="python",
            progress_bar=False, request_save_on_cell_execute=False, deadline=work.limits.timeout, trace=trace,
            kernel=kernel,
        )
    except PapermillExecutionError as problem:
        text = plain("\n".join(problem.traceback))
        trace.notebook.cells = [c for c in trace.notebook.cells if MARKER not in c.metadata.get("tags", [])]
        status, error = FAILED, _failure(trace, problem.ename, plain(problem.evalue), text)
    except DeadlineError as problem:
        status, error = TIMED_OUT, _failure(trace, "Timeout", str(problem))
    except KernelDied as problem:
        status, error = KILLED, _failure(trace, "KernelDied", str(problem))
    except Exception as problem:  # a damaged notebook, a full disk: the run goes on with the other lessons
        status, error = FAILED, _failure(trace, type(problem).__name__, str(problem))
    finally:
        if kernel is not None:  # also when papermill gave up before it came to the engine
            kernel.kill()
    found = {}
    if trace.notebook is not None:
        trace.notebook.metadata.get("papermill", {}).pop("input_path", None)  # papermill keeps all of the source there
        found = notebooks.gradscape_metadata(trace.notebook)
    return Outcome(
        key=work.key, status=status, seconds=round(time.monotonic() - begin, 3), started=started,
        start_seconds=round(trace.start_seconds, 3), cpu_seconds=round(trace.cpu_seconds, 2),
        peak_memory=trace.peak_memory, cells=[dataclasses.asdict(cell) for cell in trace.cells], error=error,
        notebook=nbformat.writes(trace.notebook) if trace.notebook is not None else None, **found,
    )


def _failure(trace: Any, name: str, message: str, traceback: str = "") -> Failure:
    """The error with its cell; a cell is counted as in the stored notebook, which has no injected parameters."""
    if trace.current is None or trace.notebook is None:
        return Failure(name, message, traceback=traceback)
    injected = [i for i in notebooks.tagged(trace.notebook, "injected-parameters") if i < trace.current]
    source = trace.notebook.cells[trace.current].source
    return Failure(name, message, trace.current - len(injected) + 1, source, traceback)
