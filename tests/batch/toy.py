"""A course of a few small lessons in a folder of its own, for tests that run, check and report one."""
from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
from gradscape import catalog, lesson
from gradscape.lesson import Claim, Measured, Point, integer, real, within


@dataclass(frozen=True)
class Sizes:
    """Sizes of every toy lesson."""

    runs: int = 4


SIZES = {"smoke": Sizes(1), "quick": Sizes(), "full": Sizes(16)}


class Settings(lesson.Settings, profiles=SIZES):
    """Settings of every toy lesson."""

    rate: float = real(0.5, 0.1, 2.0, about="a rate")
    steps: int = integer(3, 1, 10, about="a number of steps")


CLAIMS = (
    Claim("N1", "paper", "One is <b>one</b> & nothing else.", where="Sec. 1", parts={"x": within(1, 0.1)}),
    Claim("C1", "control", "Zero stays zero.", parts={"x": within(0, 0.1)}),
)


class ToyLesson(catalog.Lesson):
    """A catalog entry whose module was made by the test."""

    @property
    def module(self) -> str:
        return f"toy.{self.unit}.{self.slug}"

    @property
    def view(self) -> str:
        return f"toy.lessons.{self.unit}.{self.slug}"

    def load(self) -> ModuleType:
        if self.slug == "unimportable":
            raise ImportError("No module named 'missing_friend'")
        return super().load()


def module(name: str) -> ModuleType:
    """A science module of a toy lesson."""
    made: Any = ModuleType(name)
    made.Settings, made.SIZES, made.CLAIMS = Settings, SIZES, CLAIMS
    made.MEASURES = {
        "N1": lambda settings: Measured({"x": 1.0 + 0.01 * settings.seed}, n=settings.size.runs),
        "C1": lambda settings: Measured({"x": 0.0}),
    }
    made.point = lambda settings: Point({"product": settings.rate * settings.steps})
    return made


LEDGER = """\
from IPython.display import display
claims = [
    {"id": "N1", "kind": "paper", "sentence": "One is <b>one</b> & nothing else.", "where": "Sec. 1", "paper": "1",
     "measured": f"x {1 + 0.01 * seed:g}", "spread": {}, "n": 4, "criterion": "x 1 ± 0.1", "verdict": "reproduced"},
    {"id": "C1", "kind": "control", "sentence": "Zero stays zero.", "where": "", "paper": None,
     "measured": "x 0", "spread": {}, "n": None, "criterion": "x 0 ± 0.1", "verdict": "holds"},
]
display({"text/plain": "ledger", "text/html": "<table><tr><td>ledger</td></tr></table>"}, raw=True,
        metadata={"gradscape": {"claims": claims, "scalars": {"product": rate * steps}}})"""
FIGURE = """\
from IPython.display import display
figure = {"data": [{"x": [1, 2, 3], "y": [1, 4, rate], "type": "scatter", "name": "curve"}],
          "layout": {"title": {"text": "A curve"}, "height": 320}}
display({"application/vnd.plotly.v1+json": figure, "text/plain": "Line chart: A curve."}, raw=True)"""
ENDINGS = {
    "plain": "print(rate * steps)",
    "failing": "raise ArithmeticError('<script>alert(1)</script> went wrong')",
    "endless": "while True: pass",
    "suicidal": "import os; os._exit(3)",
    "shot": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "hungry": "hoard = []\nwhile True:\n    hoard.append(bytearray(200_000_000))",
    "worker_killer": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
}


def code(source: str, *tags: str) -> Any:
    """A code cell with tags."""
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def notebook(slug: str = "plain", body: str | None = None) -> Any:
    """A toy lesson of the course's shape whose middle does what its slug says."""
    md = nbformat.v4.new_markdown_cell
    cells = [
        md(f"# Toy {slug}\n\nThe question of $\\alpha^2 < 1$, see [the paper](https://arxiv.org/abs/1710.03667)."),
        code(lesson.parameters_source(Settings), "parameters"),
        code("import math\ntotal = rate * steps", "setup"),
        md("## Predict first\n*2 min*"),
        code("print('predict')", "predict"),
        md("## Experiment\n$$\\sum_{i=1}^n x_i$$"),
        code(FIGURE),
        code(body if body is not None else ENDINGS.get(slug, ENDINGS["plain"])),
        code("print(total)", "explorer"),
        code(LEDGER),
        code("print('N1 reproduced')", "nbval-check-output"),
        code("def answer():\n    return ...", "exercise"),
    ]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02d}"
    return made


def write(place: Path, node: Any) -> Path:
    """Write a notebook where a lesson expects it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, place)
    return place


def make(
    folder: Path, monkeypatch: Any, slugs: tuple[str, ...] = ("plain",), planned: tuple[str, ...] = ("later",)
) -> Path:
    """A course with these lessons below ``folder``; catalog, modules and root are replaced for the test."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "notebooks").mkdir(exist_ok=True)
    registry = {"committed": {}, "packaged": {}, "remote": {}}
    (folder / "data" / "registry.json").write_text(json.dumps(registry))
    entries = []
    for number, slug in enumerate((*slugs, *planned)):
        state = "planned" if slug in planned else "available"
        entries.append(ToyLesson(
            unit="toys", slug=slug, title=f"The paper of {slug}", short=f"What is {slug}?", authors=("A. Uthor",),
            year=2020, arxiv=f"2001.0000{number % 10}", state=state, minutes=10 + number,
        ))
        if state == "available":
            monkeypatch.setitem(sys.modules, entries[-1].module, module(entries[-1].module))
            write(folder / "notebooks" / "toys" / f"{slug}.ipynb", notebook(slug))
    course = (catalog.Unit(name="toys", title="Toys", about="Small lessons."),), tuple(entries)
    monkeypatch.setattr(catalog, "_course", lambda: course)
    monkeypatch.setenv("GRADSCAPE_ROOT", str(folder))
    monkeypatch.chdir(folder)
    return folder
