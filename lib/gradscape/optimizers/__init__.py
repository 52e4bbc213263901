"""Optimizers: how far to step, and what the gradients of the last steps say about it."""
from __future__ import annotations

import importlib
from typing import Any

# Public name -> lesson that defines it; loaded when first asked for.
_NAMES = {
    "DiffGrad": "diffgrad",
    "FrictionRecord": "diffgrad",
    "diffgrad_state": "diffgrad",
    "diffgrad_update": "diffgrad",
    "friction": "diffgrad",
}
_LESSONS = ("diffgrad",)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _LESSONS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_LESSONS])
