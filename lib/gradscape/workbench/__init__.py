"""What a reader touches: figures, explorers, predictions, exercises.

Names load when they are first used, so ``from gradscape import workbench`` stays cheap::

    from gradscape.workbench import axis, explore, figure, add_line, checker, predict, reveal, show, show_source
"""
from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "figures": ("Figure", "PALETTE", "TEMPLATE", "axis", "figure", "mark_x", "mark_y", "panels", "style"),
    "series": ("add_band", "add_bars", "add_line", "add_points"),
    "grids": ("heatmap", "image_grid"),
    "alttext": ("data_table", "describe", "show"),
    "sync": ("redraw", "update_traces_from"),
    "controls": ("Control", "Field", "Values", "field"),
    "task": ("Stopped", "Task"),
    "explorer": ("Explorer", "explore"),
    "exercises": ("Feedback", "Hint", "as_array", "as_number", "checker", "correct", "expect", "try_again"),
    "prediction": ("chosen", "predict", "reveal"),
    "source": ("show_source",),
}
_MODULES = (*_HOME, "headless", "panel")
_NAMES = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})
