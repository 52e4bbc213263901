"""What HTML from a notebook may contain: structure and looks, nothing that runs, loads or leads away."""
from __future__ import annotations

import functools
import re
from typing import Any

# fmt: off
TAGS = frozenset((
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn",
    "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "input",
    "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var", "wbr",
))
_ANYWHERE = frozenset((
    "alt", "class", "colspan", "dir", "lang", "open", "role", "rowspan", "scope", "start", "title",
))
_STYLES = frozenset((
    "align-items", "background", "background-color", "border", "border-bottom", "border-collapse", "border-color",
    "border-left", "border-radius", "border-right", "border-spacing", "border-style", "border-top", "border-width",
    "caption-side", "color", "cursor", "display", "flex", "flex-wrap", "font-family", "font-size", "font-style",
    "font-weight", "gap", "grid-template-columns", "height", "justify-content", "line-height", "list-style", "margin",
    "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width", "min-width", "opacity", "overflow",
    "overflow-x", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align",
    "text-decoration", "vertical-align", "white-space", "width",
))
# fmt: on
_EMBEDDED = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
# Elements whose text nobody is meant to read; the site has styles of its own.
_UNSEEN = re.compile(r"<(style|script)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
# In a style: what could load something, and escapes that could hide it.
_LOADING = re.compile(r"url|image|src|import|expression|@|\\", re.IGNORECASE)
# The only places a link leads to: a heading of the same page, or another page of the site.
_INSIDE = re.compile(r"#[\w.%-]*|[\w.-]+\.html(?:#[\w.%-]*)?")


def clean(html: str) -> str:
    """HTML with what is not allowed taken away or shown as text."""
    return str(_cleaner().clean(_UNSEEN.sub("", html)))


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "style":
        return _LOADING.search(value) is None
    if name in _ANYWHERE or name.startswith("aria-"):
        return True
    if tag == "a" and name == "href":
        return _INSIDE.fullmatch(value) is not None
    if tag == "img" and name == "src":
        return _EMBEDDED.fullmatch(value) is not None
    if tag == "input":  # a task list's box
        return (name, value) == ("type", "checkbox") or name in ("checked", "disabled")
    return tag in ("img", "col", "table") and name in ("width", "height")


@functools.cache
def _cleaner() -> Any:
    from bleach.css_sanitizer import CSSSanitizer
    from bleach.sanitizer import Cleaner

    # the protocols only let relative addresses through here; what an address may be is decided in _allowed
    return Cleaner(
        tags=TAGS, attributes=_allowed, protocols=("data", "https"), strip=False, strip_comments=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES),
    )
