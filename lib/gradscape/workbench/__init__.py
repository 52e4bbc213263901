"""What a reader touches: figures, explorers, predictions, exercises.

Names load when they are first used, so ``from gradscape import workbench`` stays cheap::

    from gradscape.workbench import axis, explore, figure, add_line, checker, predict, reveal, show, show_source
"""
from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "figures": ("Figure", "PALETTE", "TEMPLATE", "add_band", "add_bars", "add_line", "add_points", "axis", "figure",
                "heatmap", "image_grid", "mark_x", "mark_y", "panels", "style"),
    "alttext": ("data_table", "describe", "show"),
    "sync": ("redraw", "update_traces_from"),
    "controls": ("Control", "Field", "Values", "field"),
    "explorer": ("Explorer", "Stopped", "Task", "explore"),
    "exercises": ("Feedback", "Hint", "as_array", "as_number", "checker", "correct", "expect", "try_again"),
    "prediction": ("predict", "reveal"),
    "source": ("show_source",),
}
_MODULES = ("alttext", "controls", "exercises", "explorer", "figures", "headless", "panel", "prediction", "source", "sync")
_NAMES = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - made from the table above


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})
