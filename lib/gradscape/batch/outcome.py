"""How the execution of one point ended, and everything that was kept of it."""
from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

DONE, FAILED, TIMED_OUT, KILLED = "done", "failed", "timed out", "killed"
STATUSES = (DONE, FAILED, TIMED_OUT, KILLED)

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class Failure:
    """What went wrong: the error's name and message, and the cell, counted from 1 as stored in the course."""

    name: str
    message: str
    cell: int | None = None
    source: str = ""
    traceback: str = ""

    def where(self) -> str:
        """``cell 12 (fig = fig_risk(result))``, or that no cell is to blame."""
        if self.cell is None:
            return "before the first cell"
        first = next((line.strip() for line in self.source.splitlines() if line.strip()), "")
        return f"cell {self.cell}" + (f" ({first[:60]})" if first else "")

    def line(self) -> str:
        """Cell and error in one line."""
        message = next(iter(self.message.strip().splitlines()), "")
        return f"{self.where()}: {self.name}: {message}" if message else f"{self.where()}: {self.name}"


@dataclass(frozen=True)
class Outcome:
    """The end of one execution.

    ``seconds`` is wall time, ``cpu_seconds`` that of the kernel, ``start_seconds`` the time until the kernel answered,
    ``peak_memory`` its largest resident size in bytes, ``cells`` one entry per executed code cell. ``notebook`` is the
    executed notebook as text, as far as it came.
    """

    key: str
    status: str
    seconds: float = 0.0
    start_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    started: str = ""
    cells: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    scalars: dict[str, Any] = field(default_factory=dict)
    error: Failure | None = None
    notebook: str | None = None

    @property
    def done(self) -> bool:
        """Whether every cell ran without an error."""
        return self.status == DONE

    def record(self) -> dict[str, Any]:
        """Everything but the notebook, as JSON takes it."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "notebook"}
        return {**found, "error": dataclasses.asdict(self.error) if self.error else None}

    @classmethod
    def from_record(cls, record: dict[str, Any], notebook: str | None = None) -> Outcome:
        """The inverse of :meth:`record`; names it does not know are left out."""
        known = {f.name for f in dataclasses.fields(cls)} - {"notebook", "error"}
        error = Failure(**record["error"]) if record.get("error") else None
        return cls(**{k: v for k, v in record.items() if k in known}, error=error, notebook=notebook)


def plain(text: str) -> str:
    """Text without terminal color codes."""
    return _ANSI.sub("", text)
