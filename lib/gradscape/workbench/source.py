"""The essential lines of a library function, shown in the notebook from the library itself."""
from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from html import escape
from typing import Any

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

# JupyterLab's own colors where they are known (they follow its theme), fixed ones elsewhere
_STYLE = """<style>
.gs-source pre.gs-code { padding: 8px 12px; margin: 2px 0; overflow: auto; white-space: pre !important;
  line-height: 1.35; font-size: 12.5px;
  border-radius: 4px; background: var(--jp-layout-color2, #f6f8fa) !important;
  color: var(--jp-content-font-color1, #1f2933); }
.gs-source pre.gs-code code { background: none !important; }
.gs-source .k { color: var(--jp-mirror-editor-keyword-color, #8a3ffc); font-weight: 600; }
.gs-source .n { color: var(--jp-mirror-editor-def-color, #0065a8); }
.gs-source .s { color: var(--jp-mirror-editor-string-color, #00663f); }
.gs-source .c { color: var(--jp-mirror-editor-comment-color, #5f6b7a); font-style: italic; }
.gs-source .m { color: var(--jp-mirror-editor-number-color, #a33b00); }
</style>"""
_CLASSES = {
    Comment: "c", Keyword: "k", Operator.Word: "k", Name.Function: "n", Name.Class: "n", Number: "m", String: "s",
}


class Source:
    """Source lines as static HTML; plain text where HTML is not shown."""

    def __init__(self, where: str, code: str) -> None:
        self.where, self.code = where, code

    def __repr__(self) -> str:
        return f"# {self.where}\n{self.code}"

    def _repr_html_(self) -> str:
        return (
            f'{_STYLE}<div class="gs-source"><code>{escape(self.where)}</code><pre class="gs-code" tabindex="0">'
            f"<code>{_colored(self.code)}</code></pre></div>"
        )


def show_source(
    function: Callable[..., Any] | type, *, lines: tuple[int, int] | tuple[str, str] | None = None
) -> Source:
    """The source of a library function or class, without its docstring, highlighted; last expression of a cell.

    ``lines=(first, last)`` shows only these lines (1 is the first line shown without ``lines``);
    ``lines=("for ", "lr *")`` shows from the first line that holds the first text to the next line that holds the
    second. ``ValueError`` if they are not there.
    """
    function = inspect.unwrap(function)  # type: ignore[arg-type]
    shown = _without_docstring(textwrap.dedent(inspect.getsource(function))).splitlines()
    if lines is not None:
        shown = _selected(shown, lines)
    where = f"{function.__module__}.{function.__qualname__}"
    return Source(where, textwrap.dedent("\n".join(shown)).rstrip())


def _selected(shown: list[str], lines: tuple[Any, Any]) -> list[str]:
    first, last = lines
    if isinstance(first, str):
        begins = [k for k, line in enumerate(shown) if first in line]
        ends = [k for k, line in enumerate(shown) if last in line and begins and k >= begins[0]]
        if not begins or not ends:
            raise ValueError(f"lines={lines!r}: no such lines in the source")
        return shown[begins[0] : ends[0] + 1]
    if not 1 <= first <= last <= len(shown):
        raise ValueError(f"lines={lines!r}: must lie in 1 to {len(shown)}")
    return shown[first - 1 : last]


def _without_docstring(code: str) -> str:
    """Cut the docstrings of the function or class and of what it holds."""
    lines = code.splitlines()
    for node in sorted(ast.walk(ast.parse(code)), key=lambda n: -getattr(n, "lineno", 0)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node) is not None:
            text = node.body[0]
            assert text.end_lineno is not None
            if len(node.body) == 1:
                lines[text.lineno - 1 : text.end_lineno] = [" " * text.col_offset + "..."]
            else:
                del lines[text.lineno - 1 : text.end_lineno]
    return "\n".join(lines)


def _colored(code: str) -> str:
    parts = []
    for kind, text in PythonLexer().get_tokens(code):
        css = next((name for token, name in _CLASSES.items() if kind in token), "")
        parts.append(f'<span class="{css}">{escape(text)}</span>' if css else escape(text))
    return "".join(parts).rstrip("\n")
