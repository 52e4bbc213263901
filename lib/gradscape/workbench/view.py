"""An explorer in a notebook: the live widget, or the picture that is stored in its place."""
from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from gradscape.workbench.alttext import alternative, bundle, data_table, describe

if TYPE_CHECKING:
    from gradscape.workbench.explorer import Explorer

STATIC = "gradscape-static"  # panel.js hides what ends with this class while a live view stands above it
# a notebook opened again has no models: say so by the picture, not by JupyterLab's error line above it
QUIET = (
    "<style>.jp-OutputArea:has(.gradscape-static)>.jp-OutputArea-child:has(>.jp-OutputArea-output"
    '[data-mime-type="application/vnd.jupyter.widget-view+json"]:not(:has(*))){display:none}</style>'
)
_SHOWN: dict[str, list[tuple[Any, int]]] = {}  # cell -> its widgets, each with the execution that displayed it
CONFIG = {"displaylogo": False, "responsive": True, "displayModeBar": False}


class View:
    """The live widget of an explorer: controls above, figure, notes below. ``box`` is what is displayed."""

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        from gradscape.workbench.live_figure import LiveFigure
        from gradscape.workbench.panel import Panel

        self._explorer, self._table_open, self._changed = explorer, False, False
        explorer.figure = LiveFigure(explorer.figure, CONFIG)
        controls = [
            {"name": control.name, "kind": control.kind, "symbol": control.symbol, "about": control.about,
             "allowed": control.info.allowed, "stops": [control.format(stop) for stop in control.stops]}
            for control in explorer.controls.values()
        ]
        spec = {"name": explorer.name, "mode": explorer.mode, "presets": list(explorer.presets), "controls": controls}
        text = describe(explorer.figure)
        self.panel = Panel(kind="controls", spec=spec, state=self._state(text))
        self.notes = Panel(kind="notes", state=self._noted(text))
        for panel in (self.panel, self.notes):
            panel.on_msg(lambda _, content, buffers: self.receive(content))
        self.box = ipywidgets.VBox([self.panel, explorer.figure, self.notes])
        self.box.add_class("gradscape-explorer")

    def push(self) -> None:
        """Show the explorer's present state."""
        text = describe(self._explorer.figure)
        self.panel.state, self.notes.state = self._state(text), self._noted(text)
        self._changed = True

    def progress(self, done: int, total: int) -> None:
        """Move the progress bar."""
        self.panel.progress = [done, total]

    def receive(self, content: Mapping[str, Any]) -> None:
        """Do what a message of the panel says the reader did."""
        explorer, kind = self._explorer, content.get("kind")
        try:
            if kind == "move":
                explorer.move(content["name"], content["position"])
            elif kind == "type":
                explorer.type(content["name"], str(content["text"]))
            elif kind == "preset":
                explorer.preset(content["name"])
            elif kind == "table":
                self._table_open = bool(content["open"])
                self.push()
            elif kind == "drawn":
                # a page too slow, or opened later, may have missed what came before it listened
                if self._changed or content["traces"] != len(explorer.figure.data):
                    explorer.refresh(int(content["traces"]))
                    self.push()
            elif kind in ("reset", "run", "cancel"):
                {"reset": explorer.reset, "run": explorer.run, "cancel": explorer.cancel}[kind]()
        finally:
            if kind in ("move", "type"):
                self.panel.ack += 1

    def _state(self, text: str) -> dict[str, Any]:
        explorer = self._explorer
        items = [(name, control, explorer.values[name]) for name, control in explorer.controls.items()]
        return {
            "positions": {name: control.position(value) for name, control, value in items},
            "texts": {name: control.format(value) for name, control, value in items},
            "errors": dict(explorer.errors), "status": dict(explorer.status), "preset": explorer.preset_name,
            "running": explorer.running, "alt": text,
        }

    def _noted(self, text: str) -> dict[str, str]:
        table = data_table(self._explorer.figure) if self._table_open else ""
        return {"text": text, "command": self._explorer.command, "table": table}


def display_static(explorer: Explorer) -> None:
    """The figure as it stands, its text and table, and a line how to make it live."""
    from IPython.display import display

    if not explorer.figure.data:  # a run explorer without an initial result
        display({"text/html": _how(explorer), "text/plain": _plain(explorer)}, raw=True)
        return
    display(bundle(explorer.figure), raw=True)
    html = alternative(explorer.figure) + _how(explorer)
    display({"text/html": html, "text/plain": _plain(explorer)}, raw=True)


def display_live(explorer: Explorer) -> None:
    """The widget, and behind it the picture that remains when the notebook is saved and opened again."""
    from IPython.display import display

    picture = bundle(explorer.figure)
    display_widget(explorer.widget, _plain(explorer))
    if explorer.figure.data:
        display(picture, raw=True)
    display({"text/html": QUIET + _how(explorer), "text/plain": _plain(explorer)}, raw=True)


def display_widget(widget: Any, text: str) -> None:
    """Display a widget; ``text`` stands for it where no widget can be shown.

    Widgets that an earlier run of the same cell displayed are closed: a browser that connects anew would load them all.
    """
    from IPython.display import display

    cell, run = _cell()
    if cell:
        for old in [old for old, shown in _SHOWN.get(cell, []) if shown != run and old is not widget]:
            _close(old)
        _SHOWN[cell] = [(old, shown) for old, shown in _SHOWN.get(cell, []) if shown == run] + [(widget, run)]
    made = widget._repr_mimebundle_()
    made = made[0] if isinstance(made, tuple) else made
    display({**made, "text/plain": text}, raw=True)


def _cell() -> tuple[str, int]:
    """Which cell is running, and for which time; empty where nobody says (outside JupyterLab)."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else {}
    return str(parent.get("metadata", {}).get("cellId", "")), getattr(shell, "execution_count", 0)


def _close(widget: Any) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()


def _plain(explorer: Explorer) -> str:
    return f"Explorer {explorer.name}: run this cell to move its controls ({', '.join(explorer.controls)})."


def _how(explorer: Explorer) -> str:
    """The line beside the picture."""
    names = ", ".join(escape(control.label) for control in explorer.controls.values())
    return (
        f'<p class="{STATIC}" style="font-size:.85em;margin:0 0 1em"><b>Picture of an explorer.</b> To move {names} '
        "yourself, start <code>make lab</code>, open this notebook and run this cell (Shift+Enter).</p>"
    )
