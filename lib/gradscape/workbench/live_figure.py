"""A ``FigureWidget`` that shares plotly's five megabytes of code with its siblings.

Plotly's own widget brings all of plotly.js with every instance, and anywidget gives up on a view whose code is not
there within two seconds: a notebook of several explorers then shows none on a slow machine. Here one hidden widget
carries the code once per kernel, the page loads it once, and each figure waits for it as long as it takes.

Plotly also opens the connection before the widget has its data, sends these after it, and tells a page that is opened
later what the figure was at first. Here the connection opens last, and whoever asks gets the figure as it is.
"""
from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import anywidget
import plotly
import plotly.graph_objects as go
import traitlets
from plotly.serializers import custom_serializers

from gradscape.workbench.reliable import RELIABLE, Reliable

_BUNDLE = Path(plotly.__file__).parent / "package_data" / "widgetbundle.js"
_SHARED = f"globalThis.gradscapePlotly_{plotly.__version__.replace('.', '_').replace('-', '_')}"
_carrier: PlotlyCode | None = None


class PlotlyCode(anywidget.AnyWidget):
    """Carries plotly's widget code to the page; never displayed."""

    _esm = f"""
export default {{
  initialize({{ model }}) {{
    {_SHARED} ??= import(URL.createObjectURL(new Blob([model.get("code")], {{ type: "text/javascript" }})));
  }},
}};
"""
    code = traitlets.Unicode().tag(sync=True)


class LiveFigure(Reliable, go.FigureWidget):
    """``go.FigureWidget`` with the shared code, complete before a page hears of it; ``config`` is plotly.js's."""

    _complete = False

    _esm = f"""{RELIABLE}
async function shared() {{
  while (!{_SHARED}) await new Promise((resolve) => setTimeout(resolve, 20));
  return {_SHARED};
}}
export default () => {{
  let inner, ready;
  return {{
    initialize({{ model }}) {{
      ready = shared().then((module) => {{ inner = module.default(); inner.initialize({{ model }}); }});
    }},
    async render(context) {{
      await ready;
      await reliable(context.model);
      return inner.render(context);
    }},
  }};
}};
"""

    def __init__(self, figure: go.Figure, config: Mapping[str, Any]) -> None:
        global _carrier
        if _carrier is None or _carrier.comm is None:
            _carrier = PlotlyCode(code=_BUNDLE.read_text(encoding="utf-8"))
        super().__init__(figure)
        self._config = dict(config)
        self._complete = True
        self.open()

    def open(self) -> None:
        """Open the connection, once the figure is complete."""
        if self._complete:
            super().open()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """What a page is told; asked for everything, with the figure's present traces and layout."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None:
            state |= {name: custom_serializers["to_json"](value, self) for name, value in self._present().items()}
        return state

    def resend(self, shown: int) -> None:
        """Draw everything anew on a page that shows ``shown`` traces, whatever they are."""
        now = self._present()
        if shown:
            self._send_deleteTraces_msg(list(range(shown)))
        self._send_addTraces_msg(now["_widget_data"])
        self._send_relayout_msg(now["_widget_layout"])

    def _present(self) -> dict[str, Any]:
        return {"_widget_data": deepcopy(self._data), "_widget_layout": deepcopy(self._layout_obj._props)}
