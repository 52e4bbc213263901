"""What a reader touches: figures, explorers, predictions, exercises.

Names load when they are first used, so ``from gradscape import workbench`` stays cheap::

    from gradscape.workbench import axis, explore, figure, add_line, checker, predict, reveal, show, show_source
"""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "alttext", "controls", "exercises", "explorer", "figures", "grids", "headless", "panel", "prediction",
        "series", "source", "sweeps", "sync", "task",
    ],
    {
        "figures": ["axis", "Figure", "figure", "mark_x", "mark_y", "PALETTE", "panels", "style", "TEMPLATE"],
        "series": ["add_band", "add_bars", "add_line", "add_points"],
        "grids": ["heatmap", "image_grid"],
        "alttext": ["data_table", "describe", "show"],
        "sync": ["redraw", "update_traces_from"],
        "controls": ["Control", "Field", "field", "Values"],
        "task": ["Stopped", "Task"],
        "explorer": ["explore", "Explorer"],
        "exercises": ["as_array", "as_number", "checker", "correct", "expect", "Feedback", "Hint", "try_again"],
        "prediction": ["chosen", "predict", "reveal"],
        "source": ["show_source"],
        "sweeps": ["explore_sweep", "fig_sweep", "fig_verdicts"],
    },
)
