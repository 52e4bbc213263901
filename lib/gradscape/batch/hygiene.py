"""``gradscape check``: faults of stored notebooks and of the catalog that no reader should ever see."""
from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import notebooks
from gradscape.batch.notebooks import CHECKED, EXERCISE, EXPLORER, PARAMETERS, PREDICT, SETUP, WIDGET, tagged
from gradscape.batch.stored import VOLATILE, start_page
from gradscape.lesson import parameters_source

CELL_LINES, NOTEBOOK_BYTES = 20, 400_000
# A path from the root of some machine; an address after a scheme is none.
_PATH = re.compile(
    r"(?<![\w.:/~<-])/(?:home|root|Users|tmp|usr|opt|var|mnt|srv|work|workspace|builds?)/[\w.+-]+"
    r"|\b[A-Z]:\\{1,2}Users\\"
)
_ONCE, _SOME = (PARAMETERS, SETUP), (EXPLORER, PREDICT, EXERCISE, CHECKED)


def check(entries: tuple[catalog.Lesson, ...] | None = None) -> list[str]:
    """All faults, one line each: of the catalog, of the start page, and of each lesson (default: all available)."""
    found = [] if entries is not None else [*catalog_faults()]
    if entries is None and start_page().exists():
        found += [f"start_here: {fault}" for fault in notebook_faults(start_page(), lesson=None)]
    for entry in entries if entries is not None else catalog.lessons(available=True):
        found += [f"{entry.id}: {fault}" for fault in lesson_faults(entry)]
    return found


def catalog_faults() -> Iterator[str]:
    """Entries of the catalog that contradict each other or the files."""
    seen: set[str] = set()
    entries = {entry.id: entry for entry in catalog.lessons()}
    slugs = [entry.slug for entry in entries.values()]
    if len(entries) != len(catalog.lessons()):
        yield "catalog: an id stands in it twice"
    for entry in catalog.lessons():
        if slugs.count(entry.slug) > 1:
            yield f"catalog: slug {entry.slug} is used {slugs.count(entry.slug)} times, so it names no lesson"
        if entry.minutes < 1:
            yield f"catalog: {entry.id} has minutes={entry.minutes}"
        late = [name for name in entry.prerequisites if name not in seen]
        if late:
            yield f"catalog: {entry.id} comes before its prerequisite {late[0]}"
        if not entry.available and entry.notebook.exists():
            yield f"catalog: {entry.id} is planned, but its notebook exists"
        seen.add(entry.id)
    known = {entry.notebook for entry in entries.values()}
    for place in sorted((catalog.root() / "notebooks").glob("*/*.ipynb")):
        if place not in known and place.parent.name != ".ipynb_checkpoints":
            yield f"catalog: {place.relative_to(catalog.root())} belongs to no lesson"


def lesson_faults(entry: catalog.Lesson) -> Iterator[str]:
    """Faults of one lesson: its module, its view, and its stored notebook."""
    import importlib

    settings = None
    try:
        settings = entry.load().Settings
    except Exception as error:
        yield f"{entry.module} cannot be imported: {type(error).__name__}: {error}"
    try:
        importlib.import_module(entry.view)
    except Exception as error:
        yield f"{entry.view} cannot be imported: {type(error).__name__}: {error}"
    yield from notebook_faults(entry.notebook, settings)


def notebook_faults(place: Path, lesson: Any) -> Iterator[str]:
    """Faults of one stored notebook; ``lesson`` is its settings model, ``None`` for a notebook that is no lesson."""
    try:
        notebook = notebooks.read(place)
    except ValueError as error:
        yield str(error)
        return
    size = place.stat().st_size
    if size > NOTEBOOK_BYTES:
        yield f"{size} bytes, {NOTEBOOK_BYTES} are allowed"
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield f"kernel is {kernel!r}, must be 'python3'"
    for name in VOLATILE:
        if name in notebook.metadata:
            yield f"notebook metadata holds {name!r}"
    yield from _cells(notebook)
    yield from _counts(notebook)
    yield from _checked(notebook)
    if lesson is not None:
        yield from _shape(notebook, lesson)
        yield from _explorers(notebook)


def _cells(notebook: Any) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, 1):
        lines = len(cell.source.splitlines())
        if cell.cell_type == "code" and lines > CELL_LINES and PARAMETERS not in cell.metadata.get("tags", []):
            yield f"cell {number}: {lines} lines, {CELL_LINES} are allowed"
        for name in VOLATILE:
            if name in cell.metadata:
                yield f"cell {number}: metadata holds {name!r}"
        if match := _PATH.search(cell.source):
            yield f"cell {number}: absolute path {match[0]!r}"
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                yield f"cell {number}: stored with an error, {output.ename}"
            if WIDGET in output.get("data", {}):
                yield f"cell {number}: stored with a live widget, which no reader will see working"
            if match := _PATH.search(_text(output)):
                yield f"cell {number}: output with absolute path {match[0]!r}"


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return "\n".join(str(value) for mime, value in output.data.items() if mime.startswith("text/"))


def _counts(notebook: Any) -> Iterator[str]:
    executed = [(n, c) for n, c in enumerate(notebook.cells, 1) if c.cell_type == "code" and c.source.strip()]
    counts = [(number, cell.execution_count) for number, cell in executed]
    missing = [number for number, count in counts if count is None]
    if missing:
        how = "store it with `gradscape run LESSON --store`"
        yield f"cell {missing[0]}: no execution count ({len(missing)} cells in all); {how}"
    elif [count for _, count in counts] != list(range(1, len(counts) + 1)):
        yield "execution counts are not 1, 2, 3, …: it was not run from top to bottom"


def _checked(notebook: Any) -> Iterator[str]:
    for index in tagged(notebook, CHECKED):
        if not notebook.cells[index].get("outputs"):
            yield f"cell {index + 1}: tagged {CHECKED} but stored without outputs, so nothing would be compared"


def _shape(notebook: Any, settings: Any) -> Iterator[str]:
    for tag in _ONCE:
        if len(tagged(notebook, tag)) != 1:
            yield f"{len(tagged(notebook, tag))} cells tagged {tag!r}, must be 1"
    for tag in _SOME:
        if not tagged(notebook, tag):
            yield f"no cell tagged {tag!r}"
    for index in tagged(notebook, PARAMETERS):
        if notebook.cells[index].source != parameters_source(settings):
            yield f"cell {index + 1}: the parameters cell differs from lesson.parameters_source(Settings)"
    if not any(notebooks.gradscape_metadata(notebook).values()):
        yield "no ledger among the stored outputs"


def _explorers(notebook: Any) -> Iterator[str]:
    """An explorer cell uses only names from parameters and setup, so that a lesson can be served without running it."""
    offered: set[str] = set(dir(builtins)) | {"display", "get_ipython"}
    elsewhere: set[str] = set()
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.get("tags", [])
        assigned, used = _names(cell.source)
        if EXPLORER in tags:
            for name in sorted((used - assigned - offered) & elsewhere):
                yield f"cell {index + 1}: the explorer uses {name!r}, which neither parameters nor setup define"
        if PARAMETERS in tags or SETUP in tags:
            offered |= assigned
        else:
            elsewhere |= assigned


def _names(source: str) -> tuple[set[str], set[str]]:
    """Names that a cell binds and names that it reads; both empty for a cell that is not plain Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set(), set()
    bound: set[str] = set()
    read: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    return bound, read
