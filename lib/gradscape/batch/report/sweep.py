"""The pictures of a sweep as one page that opens from a file: the grid of every scalar, the stability of verdicts."""
from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from gradscape.batch import atomic
from gradscape.batch.report import cells, site
from gradscape.sweeptable import SweepTable

PLACE = "site"


def build(folder: Path) -> Path:
    """Write the page of a sweep into its folder and return it; ``ValueError`` when nothing is there to draw."""
    table = SweepTable.open(folder)
    if not table.done:
        raise ValueError(f"{folder}: no point is done yet; `gradscape results {folder}` shows why")
    place = folder / PLACE
    part = Path(tempfile.mkdtemp(dir=folder, prefix=".site-"))
    try:
        site.assets(part / "assets")
        (part / "index.html").write_text(page(table), encoding="utf-8")
        part.chmod(0o755)
        atomic.replace_folder(place, part)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place / "index.html"


def page(table: SweepTable) -> str:
    """The page as HTML."""
    from gradscape.workbench.sweeps import fig_sweep, fig_verdicts

    drawn = [name for name in table.scalars if any(row["scalars"].get(name) is not None for row in table.done)]
    empty = [name for name in table.scalars if name not in drawn]
    figures = [(name, _shown(fig_sweep(table, name))) for name in drawn]
    verdicts = _shown(fig_verdicts(table)) if table.claims else ""
    failed = Counter(row["error"] or row["status"] for row in table.rows if row["status"] != "done")
    return site.render(
        "sweep.html", table=table, figures=figures, verdicts=verdicts, stability=_stability(table),
        failed=failed.most_common(20), empty=empty, done=len(table.done), missing=table.total - len(table),
        about=table.about,
        fixed=", ".join(f"{name} = {value}" for name, value in table.about["fixed"].items()),
        axes=[(name, len(points), points[0], points[-1]) for name, points in table.axes.items()],
    )


def _stability(table: SweepTable) -> list[tuple[str, list[tuple[str, int]], str]]:
    """Per claim: verdicts with their numbers, and whether they hang on the seed or on another parameter."""
    found = []
    for name in table.claims:
        rows = [row for row in table.done if name in row["claims"]]
        counts = Counter(row["claims"][name]["verdict"] for row in rows)
        by_seed: dict[Any, set[str]] = {}
        for row in rows:
            by_seed.setdefault(row["settings"]["seed"], set()).add(row["claims"][name]["verdict"])
        if len(counts) == 1:
            words = "the same everywhere"
        elif all(len(words) == 1 for words in by_seed.values()):
            words = "differs between seeds only"
        else:
            words = "differs between parameters at the same seed"
        found.append((name, counts.most_common(), words))
    return found


def _shown(figure: Any) -> str:
    from gradscape.workbench.alttext import describe

    label = escape(describe(figure))
    return f"{cells._figure(_plain(figure), describe(figure))}<p>{label}</p>"


def _plain(figure: Any) -> Any:
    import json

    return json.loads(figure.to_json())
