"""Gradscape: 27 papers about gradients, noise and learning, as notebooks over one tested library.

Importing the package loads nothing heavy; subpackages load when they are first used.
"""
from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_SUBPACKAGES = (
    "agents", "batch", "catalog", "credit", "datasets", "diffusion", "distributed", "dynamics", "ensemble",
    "generative", "learning", "lesson", "lessons", "metrics", "numerics", "optimizers", "recovery", "results",
    "robustness", "stats", "workbench",
)


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"gradscape.{name}")
    raise AttributeError(f"module 'gradscape' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBPACKAGES])
