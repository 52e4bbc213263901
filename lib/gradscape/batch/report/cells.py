"""An executed notebook as the cells of a page."""
from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from gradscape.batch.notebooks import PLOTLY, WIDGET
from gradscape.batch.report import markdown, sanitize
from gradscape.batch.report.markdown import Page

# What of an output is shown: the first of these that it has.
ORDER = (
    PLOTLY, "text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain",
)
FIGURE_HEIGHT = 450
TEXT_LIMIT = 40_000


@dataclass
class Shown:
    """One cell of a page: ``html`` is safe to insert as it is."""

    kind: str
    html: str
    number: int
    count: int | None = None
    tags: list[str] = field(default_factory=list)
    seconds: float | None = None
    outputs: list[str] = field(default_factory=list)
    failed: bool = False


def shown(notebook: Any, page: Page, seconds: Mapping[int, float]) -> list[Shown]:
    """All cells with their outputs; ``seconds`` by index of the cell."""
    found = []
    for index, cell in enumerate(notebook.cells):
        tags = list(cell.metadata.get("tags", []))
        if cell.cell_type == "markdown":
            html = markdown.render(cell.source, page, cell.get("attachments"))
            found.append(Shown("text", html, index + 1, tags=tags))
        elif cell.cell_type == "code" and (cell.source.strip() or cell.outputs):
            outputs = [html for output in cell.outputs if (html := _output(output, page))]
            failed = any(output.output_type == "error" for output in cell.outputs)
            code = markdown.highlight(cell.source)
            found.append(
                Shown("code", code, index + 1, cell.execution_count, tags, seconds.get(index), outputs, failed)
            )
    return found


def _output(output: Any, page: Page) -> str:
    if output.output_type == "stream":
        kind = "stderr" if output.name == "stderr" else "stdout"
        return _text(output.text, kind)
    if output.output_type == "error":
        return _text("\n".join(output.traceback) or f"{output.ename}: {output.evalue}", "error")
    for mime in ORDER:
        if mime in output.data:
            return _render(mime, output.data, page)
    return _text(", ".join(sorted(output.data)) + ": not shown here", "stdout")


def _render(mime: str, data: Mapping[str, Any], page: Page) -> str:
    value = data[mime]
    if mime == PLOTLY:
        return _figure(value, _joined(data.get("text/plain", "")))
    text = _joined(value)
    if mime == "text/html":
        return f'<div class="html">{sanitize.clean(text)}</div>'
    if mime == "text/markdown":
        return f'<div class="html">{markdown.render(text, page)}</div>'
    if mime == "text/latex":
        return markdown.render(text if "$" in text else f"$${text}$$", page)
    if mime == "image/svg+xml":  # as a picture of its own, so that nothing in it can run
        coded = base64.b64encode(text.encode()).decode()
        return f'<img class="picture" alt="{_alternative(data)}" src="data:image/svg+xml;base64,{coded}">'
    if mime.startswith("image/"):
        source = markdown.embedded({mime: text})
        return f'<img class="picture" alt="{_alternative(data)}" src="{source}">' if source else _alternative(data)
    if WIDGET in data:
        return '<p class="note">A live control stood here; it works in JupyterLab.</p>'
    return _text(text, "result")


def _figure(figure: Any, alternative: str) -> str:
    """A figure as data that the page's script draws when it comes into view."""
    kept = {key: figure.get(key) for key in ("data", "layout", "config", "frames") if figure.get(key) is not None}
    text = json.dumps(kept, ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=str)
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    height = (figure.get("layout") or {}).get("height")
    height = int(height) if isinstance(height, int | float) and 0 < height < 5000 else FIGURE_HEIGHT
    label = escape(alternative, quote=True)
    return (f'<div class="figure" role="img" aria-label="{label}" style="min-height:{height}px">'
            f'<script type="application/json">{text}</script></div>')


def _text(text: str, kind: str) -> str:
    from nbconvert.filters.ansi import ansi2html

    if len(text) > TEXT_LIMIT:
        text = text[:TEXT_LIMIT] + f"\n[{len(text) - TEXT_LIMIT} more characters in the notebook]"
    return f'<pre class="{kind}" tabindex="0">{ansi2html(text)}</pre>' if text.strip() else ""


def _joined(value: Any) -> str:
    return value if isinstance(value, str) else "".join(value) if isinstance(value, list) else json.dumps(value)


def _alternative(data: Mapping[str, Any]) -> str:
    return escape(_joined(data.get("text/plain", "picture")), quote=True)
