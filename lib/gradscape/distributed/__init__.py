"""Distributed gradients: stragglers, compression and error feedback, in a simulator and between real processes.

Shared by the lessons: ``workers`` (delays, stragglers, the master's clock, bits on the wire), ``real`` (processes
that talk over loopback), ``compressors`` and ``feedback`` (what a client sends and what it remembers), ``wire``
(compressed methods between processes).
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
    "Compressor": "compressors", "Dither": "compressors", "Identity": "compressors", "NaturalRound": "compressors",
    "Quantize": "compressors", "RandK": "compressors", "ScaledSign": "compressors", "TopK": "compressors",
    "ec_step": "feedback", "ef21_step": "feedback", "Exchange": "wire", "exchange": "wire",
    "nonconvex_least_squares": "error_feedback", "nonconvex_logistic": "error_feedback",
    "step_size": "error_feedback", "weighted_mean_smoothness": "error_feedback", "xi": "error_feedback",
}
_MODULES = ("compressors", "error_feedback", "feedback", "gradient_coding", "real", "wire", "workers")


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES, *_MODULES])
