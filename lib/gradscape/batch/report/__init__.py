"""The report of a run: a static site that opens from a file and holds no remote address."""
from __future__ import annotations

from gradscape.batch.report.site import build

__all__ = ["build"]
