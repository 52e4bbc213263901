"""A ``FigureWidget`` that shares plotly's five megabytes of code with its siblings.

Plotly's own widget brings all of plotly.js with every instance, and anywidget gives up on a view whose code is not
there within two seconds: a notebook of several explorers then shows none on a slow machine. Here one hidden widget
carries the code once per kernel, the page loads it once, and each figure waits for it as long as it takes.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import plotly
import plotly.graph_objects as go
import traitlets

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
    """``go.FigureWidget`` with the shared code; everything else is plotly's."""

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        global _carrier
        if _carrier is None or _carrier.comm is None:
            _carrier = PlotlyCode(code=_BUNDLE.read_text(encoding="utf-8"))
        super().__init__(*args, **kwargs)
