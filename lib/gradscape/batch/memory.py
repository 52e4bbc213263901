"""The largest resident size of a process, as Linux counts it."""
from __future__ import annotations

import contextlib
from pathlib import Path


def peak(pid: int | None = None) -> int:
    """Bytes of a process (this one by default) at its largest; where the system does not count them, those of now.

    ``psutil.Error`` when the process is gone.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid or 'self'}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import psutil

    return int(psutil.Process(pid).memory_info().rss)


def forget_peak() -> None:
    """Let Linux count this process's largest size from here on; elsewhere nothing happens."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
