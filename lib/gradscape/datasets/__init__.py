"""Real data: committed Fashion-MNIST, tables and photographs from installed wheels, full sets fetched on request.

Nothing is read on import and no loader touches the network; only ``fetch`` does.
"""
from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("fashion", "formats", "integrity", "labels", "photos", "remote", "tables")
_NAMES = {
    "DataError": "integrity", "checksums": "integrity", "verify": "integrity",
    "Labeled": "labels", "parity": "labels", "random_split": "labels",
    "fetch": "remote", "remote_sets": "remote",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_NAMES])
