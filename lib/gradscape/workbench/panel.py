"""The widgets that carry an explorer's controls and notes, and a prediction's radio buttons.

All logic is in Python and all controls are the browser's own (range, text, select, checkbox, button), so they work by
keyboard and have names for screen readers. ``panel.js`` draws what ``spec`` and ``state`` say and sends back what the
reader did; the next message of a moved control waits for ``ack``, so that a slow computation is never flooded.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from gradscape.workbench.reliable import RELIABLE, Reliable

_HERE = Path(__file__).parent
_CSS = (_HERE / "panel.css").read_text(encoding="utf-8")
_JS = RELIABLE + (_HERE / "panel.js").read_text(encoding="utf-8")


class Panel(Reliable):
    """One of the small views in ``panel.js``: ``kind`` is ``controls``, ``notes``, ``predict`` or ``reveal``."""

    _esm = _JS
    _css = _CSS
    kind = traitlets.Unicode("controls").tag(sync=True)
    spec = traitlets.Dict().tag(sync=True)        # what never changes: controls, presets, mode
    state = traitlets.Dict().tag(sync=True)       # what does: values, errors, status, text alternative
    progress: traitlets.List[Any] = traitlets.List().tag(sync=True)    # [] or [done, total] of a running computation
    ack = traitlets.Int(0).tag(sync=True)         # counts the messages dealt with
