"""The workbench's front door: names load lazily and all exist."""
from __future__ import annotations

import subprocess
import sys

from gradscape import workbench


def test_all_names_load_and_are_documented() -> None:
    for name in workbench.__all__:
        value = getattr(workbench, name)
        if callable(value):
            assert value.__doc__, name
    assert "explore" in dir(workbench)


def test_importing_it_loads_neither_widgets_nor_plotly_nor_torch() -> None:
    code = (
        "import sys; from gradscape import workbench; "
        "print([name for name in ('plotly', 'ipywidgets', 'anywidget', 'torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_checkers_need_no_widgets() -> None:
    code = (
        "import sys; from gradscape.workbench import checker, as_array; "
        "print([name for name in ('plotly', 'ipywidgets', 'anywidget', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
