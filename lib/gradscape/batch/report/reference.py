"""The library's reference, from signatures and docstrings: Griffe reads the sources, nothing is imported."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradscape import catalog
from gradscape.batch.report import markdown
from gradscape.batch.report.markdown import Page

PACKAGE = "gradscape"
# Not part of the library: the command line has --help.
LEFT_OUT = ("cli",)
# What the parts of the library are for, in the order of the page that lists them; units come first.
GROUPS = {
    "Shared by several lessons": ("ensemble", "numerics", "stats", "learning", "generative", "metrics", "datasets"),
    "Contracts and records": ("lesson", "results", "sweeptable", "catalog", "provenance", "validate"),
    "In a notebook": ("workbench",),
    "Batch and classroom": ("batch", "classroom"),
}
# Modules of a lesson that describe the lesson rather than the paper; they come last on its page.
LAST = ("settings", "experiments", "claims", "checks", "tables")
WIDTH = 92  # a signature that is longer gets a line per parameter
_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`(~?)([^`]+)`")


class MissingPackage(ValueError):
    """A package that only the book needs is not installed."""


@dataclass
class Item:
    """A module, class, function or property: ``signature`` and ``text`` are safe HTML."""

    kind: str
    name: str
    anchor: str
    signature: str = ""
    text: str = ""
    members: list[Item] = field(default_factory=list)


@dataclass
class Part:
    """One page: a module, or a package with its modules."""

    name: str
    file: str
    group: str
    summary: str
    modules: list[Any]


def load() -> Any:
    """The package as Griffe sees it; :class:`MissingPackage` where Griffe is not installed."""
    try:
        import griffe
    except ImportError:
        raise MissingPackage(
            "the reference needs the package griffelib: pip install -r requirements.txt, or pip install griffelib"
        ) from None
    return griffe.load(PACKAGE, search_paths=[catalog.PACKAGE.parent], allow_inspection=False)


def parts(package: Any, only: tuple[str, ...] | None = None) -> list[Part]:
    """The pages of the reference in their order; ``only`` keeps those of these names, without ``gradscape.``."""
    found: dict[str, list[Any]] = {}
    for module in _walk(package):
        name = module.path.removeprefix(f"{PACKAGE}.")
        if name != PACKAGE and name.split(".")[0] not in LEFT_OUT:
            found.setdefault(_home(name), []).append(module)
    made = [
        Part(name, f"ref-{name}.html", _group(name), _summary(modules), modules)
        for name, modules in found.items()
        if any(module.docstring for module in modules) and (only is None or name in only)
    ]
    order = [*(unit.title for unit in catalog.units()), *GROUPS]
    return sorted(made, key=lambda part: order.index(part.group) if part.group in order else len(order))


def addresses(found: list[Part]) -> dict[str, str]:
    """Where each name is described: full paths, paths from ``gradscape`` on, and names that mean one thing only."""
    places: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    for part in found:
        for module in part.modules:
            places[module.path] = part.file if module is part.modules[0] else f"{part.file}#{module.path}"
            for thing in _things(module):
                places[thing.path] = f"{part.file}#{thing.path}"
                short.setdefault(thing.name, set()).add(thing.path)
                for member in _members(thing):
                    places[member.path] = f"{part.file}#{member.path}"
    # a name that a package offers again, as gradscape.optimizers.DiffGrad
    for name, paths in short.items():
        if len(paths) == 1:
            places.setdefault(name, places[next(iter(paths))])
    return places


def describe(part: Part, places: Mapping[str, str], page: Page) -> list[Item]:
    """The modules of a page with all that is public in them."""
    return [
        Item("module", module.path, module.path, "", _text(module, places, page),
             [_item(thing, places, page) for thing in _things(module)])
        for module in part.modules
    ]


def _item(thing: Any, places: Mapping[str, str], page: Page) -> Item:
    members = [_item(member, places, page) for member in _members(thing)] if thing.is_class else []
    kind = "class" if thing.is_class else "property" if thing.is_attribute else "function"
    return Item(kind, thing.name, thing.path, markdown.highlight(signature(thing)), _text(thing, places, page), members)


def _walk(module: Any) -> Iterator[Any]:
    yield module
    def rank(named: tuple[str, Any]) -> tuple[int, str]:
        return (LAST.index(named[0]) + 1 if named[0] in LAST else 0, named[0])

    for name, member in sorted(module.modules.items(), key=rank):
        if not member.is_alias and not name.startswith("_"):
            yield from _walk(member)


def _home(name: str) -> str:
    """The page that a module is on: a lesson, a part of its unit, or a top-level name."""
    words = name.split(".")
    units = {unit.name for unit in catalog.units()}
    depth = 3 if words[0] == "lessons" else 2 if words[0] in units else 1
    return ".".join(words[:depth])


def _group(name: str) -> str:
    words = name.split(".")
    titles = {unit.name: unit.title for unit in catalog.units()}
    unit = words[1] if words[0] == "lessons" and len(words) > 1 else words[0]
    if unit in titles:
        return titles[unit]
    return next((title for title, names in GROUPS.items() if words[0] in names), "More")


def _things(module: Any) -> list[Any]:
    """Public classes and functions that a module defines, in the order of its source."""
    own = [m for name, m in module.members.items() if not m.is_alias and not name.startswith("_")]
    return sorted((m for m in own if m.is_class or m.is_function), key=lambda m: m.lineno or 0)


def _members(thing: Any) -> list[Any]:
    """Public methods and properties of a class; its fields are in its signature."""
    if not thing.is_class:
        return []
    own = [m for name, m in thing.members.items() if not m.is_alias and not name.startswith("_")]
    shown = (m for m in own if m.is_function or (m.is_attribute and "property" in m.labels))
    return sorted(shown, key=lambda m: m.lineno or 0)


def signature(thing: Any) -> str:
    """The lines of source that say how a thing is called; a class shows its fields with their defaults."""
    if thing.is_attribute:
        return f"{thing.name} -> {thing.annotation}" if thing.annotation is not None else thing.name
    if thing.is_class:
        fields = [f"    {_field(m)}" for m in thing.members.values()
                  if m.is_attribute and not m.is_alias and m.annotation is not None and "property" not in m.labels
                  and not m.name.startswith("_")]
        bases = ", ".join(map(str, thing.bases))
        head = f"class {thing.name}({bases})" if bases else f"class {thing.name}"
        if fields:
            return "\n".join([f"{head}:", *fields])
        made = thing.members.get("__init__")
        return f"{head}\n{_call(thing.name, made)}" if made is not None and made.is_function else head
    return _call(thing.name, thing)


def _field(member: Any) -> str:
    value = "" if member.value is None else f" = {member.value}"
    return f"{member.name}: {member.annotation}{value}"


def _call(name: str, function: Any) -> str:
    words = [str(p) for p in _parameters(function)]
    back = f" -> {function.returns}" if function.returns is not None and function.name != "__init__" else ""
    line = f"{name}({', '.join(words)}){back}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){back}"


def _parameters(function: Any) -> Iterator[str]:
    """Parameters as they are written, with the marks for what is given by position or by name only."""
    kinds = [str(p.kind.value) for p in function.parameters]
    for position, parameter in enumerate(function.parameters):
        kind = kinds[position]
        if parameter.name in ("self", "cls") and position == 0:
            continue
        if kind == "keyword-only" and not {"keyword-only", "variadic positional"} & set(kinds[:position]):
            yield "*"
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        note = f": {parameter.annotation}" if parameter.annotation is not None else ""
        shown = parameter.default is not None and not stars
        value = (f" = {parameter.default}" if note else f"={parameter.default}") if shown else ""
        yield f"{stars}{parameter.name}{note}{value}"
        if kind == "positional-only" and kinds[position + 1:position + 2] != [kind]:
            yield "/"


def _summary(modules: list[Any]) -> str:
    """What a package says of itself, else the first of its modules, each by its sentence."""
    said = _first(modules[0])
    return said or " ".join(filter(None, map(_first, modules[1:4])))


def _first(thing: Any) -> str:
    """The first paragraph of a docstring as plain text."""
    text = thing.docstring.value.split("\n\n")[0] if thing.docstring else ""
    return _ROLE.sub(lambda match: match[2].rpartition(".")[2], " ".join(text.split())).replace("``", "")


def _text(thing: Any, places: Mapping[str, str], page: Page) -> str:
    if not thing.docstring:
        return ""
    return markdown.render(as_markdown(thing.docstring.value, thing.path, places), page)


def as_markdown(text: str, where: str, places: Mapping[str, str]) -> str:
    """A docstring as markdown: roles become links, ``::`` an indented block, a doctest a block of code."""
    def linked(match: re.Match[str]) -> str:
        name = match[2].split("<")[-1].rstrip(">()").strip()
        shown = name.rpartition(".")[2] if match[1] or name.startswith(f"{PACKAGE}.") else name
        target = _resolve(name, where, places)
        return f"[`{shown}`]({target})" if target else f"`{shown}`"

    lines, inside = [], False
    for line in _ROLE.sub(linked, text).splitlines():
        starts = line.lstrip().startswith(">>>")
        if starts and not inside:
            lines += ["", "```python"]
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line.strip() if inside else line)
    if inside:
        lines.append("```")
    return re.sub(r"[ \t]*::[ \t]*$", lambda m: ":" if m.start() else "", "\n".join(lines), flags=re.MULTILINE)


def _resolve(name: str, where: str, places: Mapping[str, str]) -> str | None:
    """The full name that ``places`` knows: as it stands, from the place where it is written up, or by its last word."""
    scopes = where.split(".")
    tries = [name, *(".".join((*scopes[:n], name)) for n in range(len(scopes), 0, -1)), name.rpartition(".")[2]]
    return next((known for known in tries if known in places), None)
