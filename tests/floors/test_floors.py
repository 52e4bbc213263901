"""The dependency rule: imports go down only, the numeric floor stands alone, importing costs nothing."""
from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from gradscape import catalog

PACKAGE = Path(catalog.__file__).parent
UNITS = tuple(unit.name for unit in catalog.units())
SHARED = ("ensemble", "numerics", "stats", "learning", "generative", "metrics")
GROUND = ("lesson", "results", "catalog", "provenance", "sweeptable", "validate")
# Upper floors need these; the numeric floor must import without them.
BLOCKED = ("plotly", "ipywidgets", "pandas", "papermill", "matplotlib", "IPython")


def floor(module: str) -> int:
    """0 ground, 1 data, 2 shared, 3 science, 4 workbench, 5 lesson views, 6 batch, 7 command line."""
    first = module.split(".")[1] if "." in module else ""
    order = {"datasets": 1, "workbench": 4, "lessons": 5, "batch": 6, "classroom": 6, "cli": 7}
    if first in GROUND or not first:
        return 0
    return 2 if first in SHARED else 3 if first in UNITS else order[first]


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] == "_root":
            continue
        found.append((".".join(("gradscape", *[p for p in parts if p != "__init__"])), path))
    return found


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "gradscape"}


def test_imports_go_down_only():
    upward = [
        f"{module} imports {name}"
        for module, path in modules()
        if module != "gradscape"
        for name in imported(path)
        if name.count(".") and floor(name) > floor(module)
    ]
    assert not upward


def test_no_lesson_imports_another():
    slugs = {(lesson.unit, lesson.slug) for lesson in catalog.lessons()}
    wrong = []
    for module, path in modules():
        parts = module.split(".")
        home = tuple(parts[2:4]) if parts[1:2] == ["lessons"] else tuple(parts[1:3])
        if home not in slugs:
            continue
        for name in imported(path):
            other = name.split(".")
            target = tuple(other[2:4]) if other[1:2] == ["lessons"] else tuple(other[1:3])
            if target in slugs and target != home:
                wrong.append(f"{module} imports {name}")
    assert not wrong


def numeric_modules() -> list[str]:
    return [module for module, _ in modules() if floor(module) <= 3]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd="/")


@pytest.mark.standard
def test_numeric_floor_imports_alone():
    code = (
        "import sys, importlib\n"
        f"for name in {BLOCKED!r}: sys.modules[name] = None\n"
        f"for name in {numeric_modules()!r}: importlib.import_module(name)\n"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr[-2000:]


def test_import_is_lazy():
    heavy = ("torch", "numpy", "scipy", "plotly", "pydantic", "ipywidgets", "IPython")
    done = run(f"import gradscape, sys; print([name for name in {heavy!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr
    done = run("import gradscape.lesson, gradscape.catalog, gradscape.results, sys\n"
               "print([name for name in ('torch', 'plotly', 'ipywidgets', 'numpy') if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_modules_stay_small():
    long = {module: n for module, path in modules() if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_subpackages_are_offered():
    import gradscape

    assert gradscape.lesson.Claim.__name__ == "Claim"
    with pytest.raises(AttributeError, match="nonsense"):
        gradscape.nonsense
    assert all(getattr(gradscape, name).__name__ == f"gradscape.{name}" for name in dir(gradscape))
