"""Build the site of a run: scoreboard, a page per executed notebook, timings, environment."""
from __future__ import annotations

import functools
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradscape.batch import atomic, notebooks, scoreboard
from gradscape.batch.outcome import DONE, plain
from gradscape.batch.report import cells
from gradscape.batch.report.markdown import Page
from gradscape.batch.scoreboard import Board, LessonRow, board, sign, tally
from gradscape.batch.store import Store, StoreError

HERE = Path(__file__).parent
# Cells that are listed on the page of timings.
SLOWEST, SLOW_S = 20, 0.1
NAV = (
    ("index", "index.html", "Scoreboard"), ("timings", "timings.html", "Timings"),
    ("environment", "environment.html", "Environment"),
)
# The words of states and verdicts as names of style classes.
CLASSES = {
    "reproduced": "good", "holds": "good", "done": "good", "partly": "middling", "not reproduced": "bad",
    "does not hold": "bad", "failed": "bad", "timed out": "bad", "killed": "bad", "reported": "info",
}


def build(store: Store, place: Path | None = None) -> Path:
    """Write the site of a run into ``place`` (default ``site/`` inside it) and return its first page.

    The site appears whole: it is made beside its place and then put there. ``StoreError`` where it cannot be written;
    the run itself is not touched.
    """
    place = place or store.folder / "site"
    part: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=place.parent, prefix=".site-"))
        _write(store, part)
        part.chmod(0o755)
        atomic.replace_folder(place, part)
    except OSError as error:
        later = f"nothing of the run is lost; later: gradscape report {shlex.quote(str(store.folder))}"
        raise StoreError(f"{place}: cannot be written: {error.strerror}; {later}") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return place / "index.html"


def _write(store: Store, part: Path) -> None:
    found = board(store)
    lessons = pages(found)
    common = {
        "about": store.about, "board": found, "pages": lessons, "nav": NAV, "scores": "index.html", "timed": True,
        "foot": f"Run {store.folder.name}, {store.about['created']}.",
    }
    assets(part / "assets")
    for row, before, after in neighbors([row for row in found.run if row.page]):
        page = Page(lessons)
        if row.outcome is None or row.outcome.notebook is None or row.page is None:
            continue
        seconds = {cell["index"]: cell["seconds"] for cell in row.outcome.cells}
        shown = cells.shown(node(row.outcome.notebook), page, seconds)
        text = render("lesson.html", row=row, cells=shown, page=page, before=before, after=after, **common)
        (part / row.page).write_text(text, encoding="utf-8")
    (part / "index.html").write_text(render("index.html", **common), encoding="utf-8")
    timings = render("timings.html", slowest=_slowest(found), longest=_longest(found), **common)
    (part / "timings.html").write_text(timings, encoding="utf-8")
    (part / "environment.html").write_text(render("environment.html", **common), encoding="utf-8")


def pages(found: Board) -> dict[str, str]:
    """Where links to notebooks lead, by id and by slug of the lesson."""
    by_id = {row.id: row.page for row in found.run if row.page}
    return {**{name.rpartition("/")[2]: page for name, page in by_id.items()}, **by_id}


def neighbors(rows: list[LessonRow]) -> Iterator[tuple[LessonRow, LessonRow | None, LessonRow | None]]:
    """Each row with the one before and the one after it, None at the ends."""
    for position, row in enumerate(rows):
        yield row, rows[position - 1] if position else None, rows[position + 1] if position + 1 < len(rows) else None


def _slowest(found: Board) -> list[dict[str, Any]]:
    """The cells that took longest, over all lessons."""
    every = [{"row": row, **cell} for row in found.run if row.outcome for cell in row.outcome.cells]
    every = [cell for cell in every if cell["seconds"] >= SLOW_S]
    return sorted(every, key=lambda cell: -cell["seconds"])[:SLOWEST]


def _longest(found: Board) -> float:
    return max([row.outcome.seconds for row in found.run if row.outcome] or [1.0]) or 1.0


def phases(row: LessonRow) -> list[tuple[str, float]]:
    """A lesson's wall time: until the kernel answered, its imports, its other cells, and what is left."""
    outcome = row.outcome
    if outcome is None:
        return []
    setup = sum(cell["seconds"] for cell in outcome.cells if notebooks.SETUP in cell["tags"])
    rest = sum(cell["seconds"] for cell in outcome.cells) - setup
    found = [("kernel", outcome.start_seconds), ("setup", setup), ("cells", rest)]
    return [*found, ("other", max(0.0, outcome.seconds - sum(seconds for _, seconds in found)))]


def node(text: str) -> Any:
    """A stored notebook's text as nbformat's node."""
    notebooks.without_slow_grammar()
    import nbformat

    return nbformat.reads(text, as_version=4)


def assets(folder: Path) -> None:
    """Make the folder with style, script and plotly.js, which every page of a site links to."""
    from plotly.offline import get_plotlyjs
    from pygments.formatters import HtmlFormatter

    folder.mkdir()
    light = HtmlFormatter(style="xcode").get_style_defs(":root pre")
    # HTML of lessons stays a white card in the dark theme, and so does the code in it
    dark = HtmlFormatter(style="github-dark").get_style_defs(":root[data-theme=dark] pre:not(.html *)")
    of_code = re.compile(r" pre(:not\(\.html \*\))? \.")
    colors = "\n".join(line for line in f"{light}\n{dark}".splitlines() if of_code.search(line))
    style = (HERE / "static" / "site.css").read_text(encoding="utf-8")
    (folder / "site.css").write_text(f"{style}\n{colors}\n", encoding="utf-8")
    shutil.copyfile(HERE / "static" / "site.js", folder / "site.js")
    (folder / "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")


def render(template: str, **context: Any) -> str:
    """A template of this package filled in, everything escaped."""
    return str(_environment().get_template(template).render(**context))


@functools.cache
def _environment() -> Any:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals.update(
        phases=phases, tally=tally, sign=sign, DONE=DONE, PLANNED=scoreboard.PLANNED, ABSENT=scoreboard.ABSENT,
        paper_verdicts=scoreboard.PAPER_VERDICTS, control_verdicts=scoreboard.CONTROL_VERDICTS,
        css_class=lambda word: CLASSES.get(word, "muted"),
    )
    made.filters.update(seconds=_seconds, megabytes=lambda n: f"{n / 1e6:.0f} MB", plain=plain, number=_number)
    return made


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 300 else f"{value / 60:.1f} min"


def _number(value: Any) -> str:
    return "—" if value is None else f"{value:.4g}" if isinstance(value, int | float) else str(value)
