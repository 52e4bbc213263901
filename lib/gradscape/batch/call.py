"""One point without a kernel: a lesson's ``point``, its claims, or both, called in the process that asks."""
from __future__ import annotations

import datetime
import importlib
import time
import traceback
from typing import Any

from gradscape.batch import memory
from gradscape.batch.execute import Work
from gradscape.batch.outcome import DONE, FAILED, Failure, Outcome
from gradscape.lesson import Ledger, clear_cache
from gradscape.lesson.experiment import finite_scalars

_protocol: Any = None  # the settings that the cached experiments of claims belong to


def call(work: Work) -> Outcome:
    """Do what ``work.call`` says at ``work.parameters``; every exception becomes a failed :class:`Outcome`.

    The numbers are those of an executed notebook, whose ledger takes them from the same functions.
    """
    asked = work.call
    if asked is None:
        raise ValueError(f"{work.label}: is a notebook, not a call")
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    begin, cpu, status, error = time.monotonic(), time.process_time(), DONE, None
    scalars: dict[str, Any] = {}
    claims: list[dict[str, Any]] = []
    memory.forget_peak()
    try:
        module: Any = importlib.import_module(asked.module)
        settings = module.Settings(**work.parameters)
        _forget_experiments(settings.protocol if asked.claims else None)
        if asked.scalars:
            scalars = dict(finite_scalars(module.point(settings).scalars))
        if asked.claims:
            claims = [row.record() for row in Ledger(module, settings).rows]
    except Exception as problem:
        text = "".join(traceback.format_exception(problem))
        status, error = FAILED, Failure(type(problem).__name__, str(problem), traceback=text)
    return Outcome(
        key=work.key, status=status, seconds=round(time.monotonic() - begin, 4), started=started,
        cpu_seconds=round(time.process_time() - cpu, 4), peak_memory=memory.peak(), scalars=scalars, claims=claims,
        error=error,
    )


def _forget_experiments(protocol: Any) -> None:
    """Free what earlier points left in the caches; claims at the same seed and profile share theirs."""
    global _protocol
    if protocol is None or protocol != _protocol:
        clear_cache()
    _protocol = protocol
