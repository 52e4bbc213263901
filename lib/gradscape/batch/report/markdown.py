"""Markdown of notebooks as safe HTML: formulas as MathML, links that stay inside the site, images embedded."""
from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any
from urllib.parse import unquote, urlsplit

from gradscape.batch.report import mathml, sanitize

# A formula waits under such a mark while the rest is made safe; text that brings the marks with it loses them.
_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_HEADING = re.compile(r"<(h[1-6])>(.*?)</\1>", re.DOTALL)


@dataclass
class Heading:
    """A heading of a page, for its table of contents."""

    level: int
    text: str
    anchor: str


@dataclass
class Page:
    """What markdown of one page shares: where links lead, by name of a lesson or file, and the headings so far."""

    lessons: Mapping[str, str] = field(default_factory=dict)
    headings: list[Heading] = field(default_factory=list)

    def link(self, url: str) -> str | None:
        """The page of the site that a link means, if any."""
        if url in self.lessons:
            return self.lessons[url]
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            return None
        if not parts.path:
            return f"#{_anchor(unquote(parts.fragment))}" if parts.fragment else None
        tail = "/".join(parts.path.split("/")[-2:]).removesuffix(".ipynb")
        page = self.lessons.get(tail) or self.lessons.get(tail.rpartition("/")[2])
        return f"{page}#{_anchor(unquote(parts.fragment))}" if page and parts.fragment else page


def render(text: str, page: Page, attachments: Mapping[str, Any] | None = None) -> str:
    """One cell or output of markdown as HTML that is safe to put into a page."""
    formulas: list[tuple[str, str]] = []
    renderer = _renderer_class()(page, attachments or {}, formulas)
    html = sanitize.clean(_parse(text.replace("\ue000", "").replace("\ue001", ""), renderer))
    html = _HEADING.sub(lambda match: _with_anchor(match, page, formulas), html)
    return _MARKED.sub(lambda match: formulas[int(match[1])][1], html)


def _with_anchor(match: re.Match[str], page: Page, formulas: list[tuple[str, str]]) -> str:
    tag, inner = match[1], match[2]
    bare = unescape(re.sub(r"<[^>]+>", "", inner))
    words = _MARKED.sub(lambda mark: formulas[int(mark[1])][0], bare).strip()
    anchor, taken = _anchor(words), {heading.anchor for heading in page.headings}
    names = (f"{anchor}-{number}" if number else anchor for number in range(len(taken) + 1))
    unique = next(name for name in names if name not in taken)
    page.headings.append(Heading(int(tag[1]), words, unique))
    return f'<{tag} id="{escape(unique)}">{inner}</{tag}>'


def _anchor(words: str) -> str:
    return re.sub(r"[^\w.-]+", "-", words).strip("-").lower() or "section"


def _parse(text: str, renderer: Any) -> str:
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    return str(MarkdownWithMath(renderer=renderer)(text))


@functools.cache
def _renderer_class() -> Callable[..., Any]:
    """The renderer, made late: its base classes take a third of a second to import."""
    from mistune import HTMLRenderer

    class Renderer(HTMLRenderer):
        def __init__(self, page: Page, attachments: Mapping[str, Any], formulas: list[tuple[str, str]]) -> None:
            super().__init__(escape=False)
            self.page, self.attachments, self.formulas = page, attachments, formulas

        def _formula(self, tex: str, display: bool) -> str:
            self.formulas.append((tex, mathml.render(tex, display)))
            return _MARK.format(len(self.formulas) - 1)

        def inline_math(self, body: str) -> str:
            return self._formula(body, False)

        def block_math(self, body: str) -> str:
            return self._formula(body, True)

        def latex_environment(self, name: str, body: str) -> str:
            return self._formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)

        def block_code(self, code: str, info: str | None = None) -> str:
            return f'<pre class="code">{highlight(code, (info or "text").split()[0])}</pre>'

        def link(self, text: str, url: str, title: str | None = None) -> str:
            inside = self.page.link(url)
            if inside is not None:
                return f'<a href="{escape(inside)}">{text}</a>'
            address = re.sub(r"^(https?:)?//", "", url)
            if not re.match(r"(https?:)?//", url):
                return text
            if escape(address).rstrip("/") in text:
                return f'<span class="address">{escape(address)}</span>'
            last = address.rpartition("/")[2]
            if len(last) > 4 and last in text:  # "arXiv 1710.03667" says it all
                return text
            return f'{text} <span class="address">({escape(address)})</span>'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            source = embedded(self.attachments.get(url.removeprefix("attachment:"), {}))
            alt = escape(re.sub(r"<[^>]+>", "", text))
            return f'<img src="{source}" alt="{alt}">' if source else f'<span class="missing">[picture: {alt}]</span>'

    return Renderer


def embedded(bundle: Mapping[str, Any]) -> str | None:
    """A picture of a mime bundle as an address that holds the picture itself."""
    for mime in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        if mime in bundle:
            data = bundle[mime] if isinstance(bundle[mime], str) else "".join(bundle[mime])
            coded = "".join(data.split())
            return f"data:{mime};base64,{coded}" if _BASE64.fullmatch(coded) else None
    return None


def highlight(code: str, language: str = "python") -> str:
    """Source with a span around each kind of word."""
    from pygments import highlight as color
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    return str(color(code, lexer, HtmlFormatter(nowrap=True)))
