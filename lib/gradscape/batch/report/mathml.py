"""Formulas without a network and without a script: TeX becomes MathML, which every browser draws by itself."""
from __future__ import annotations

import functools
import re
from html import escape
from typing import Any

# Environments that a notebook writes without dollar signs around them.
_BARE = re.compile(r"^\\begin\{(align|equation|gather)\*?\}.*\\end\{\1\*?\}$", re.DOTALL)
_LABELS = re.compile(r"\\(?:label|tag\*?)\{[^{}]*\}|\\(?:notag|nonumber)\b")


@functools.cache
def _converter() -> Any:
    try:
        from math_core import LatexToMathML
    except ImportError:
        return None
    return LatexToMathML(fancy_error=False, allow_unreliable_rendering=True)


@functools.lru_cache(maxsize=4096)
def render(tex: str, display: bool) -> str:
    """A formula as MathML; one that cannot be converted is shown as its TeX source."""
    source = tex.strip()
    converter = _converter()
    if converter is not None:
        try:
            found = converter.convert_with_local_state(_LABELS.sub("", source), displaystyle=display)
        except Exception:  # each version of the converter knows more commands; what it does not know stays readable
            found = None
        if found is not None:
            return f'<span class="formula">{found}</span>' if display else str(found)
    kind = "formula tex" if display else "tex"
    shown = source if display and _BARE.match(source) else source.replace("\n", " ")
    return f'<code class="{kind}">{escape(shown)}</code>'
