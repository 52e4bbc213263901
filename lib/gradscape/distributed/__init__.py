"""Distributed gradients: stragglers, compression and error feedback, in a simulator and between real processes.

Shared by the lessons: ``workers`` (delays, stragglers, the master's clock, bits on the wire) and ``real`` (processes
that talk over loopback).
"""
from __future__ import annotations

import importlib
from typing import Any

# Public name -> module that defines it; loaded when first asked for.
_NAMES = {
    "Channel": "real", "ProcessError": "real", "launch": "real",
    "Clock": "workers", "DelayModel": "workers", "DelayTrace": "workers", "Link": "workers", "bits": "workers",
    "gilbert_elliott": "workers", "timeline": "workers",
    "BurstyModel": "gradient_coding", "GC": "gradient_coding", "GradientCode": "gradient_coding",
    "MSGC": "gradient_coding", "NoCoding": "gradient_coding", "SRSGC": "gradient_coding",
    "train_sequence": "gradient_coding",
}
_MODULES = ("gradient_coding", "real", "workers")


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_MODULES])
