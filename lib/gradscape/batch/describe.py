"""The course, a lesson and the data sets as text on a terminal."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gradscape import catalog
from gradscape.lesson import Claim, FieldInfo, fields


def course(console: Console) -> None:
    """Units and lessons with minutes and state."""
    for unit in catalog.units():
        table = Table(title=f"{unit.title}: {unit.about}", title_justify="left", box=None, pad_edge=False, expand=False)
        table.add_column("lesson", no_wrap=True)
        table.add_column("the question")
        table.add_column("min", justify="right")
        table.add_column("state")
        for entry in catalog.lessons():
            if entry.unit == unit.name:
                style = "" if entry.available else "dim"
                table.add_row(escape(entry.id), escape(entry.short), str(entry.minutes), entry.state, style=style)
        console.print(table)
        console.print()
    ready = len(catalog.lessons(available=True))
    console.print(f"{len(catalog.lessons())} papers, {ready} lessons available")


def lesson(console: Console, entry: catalog.Lesson) -> None:
    """All that is declared about a lesson, before anything of it is run."""
    say = lambda text: console.print(text, markup=False, soft_wrap=True)  # noqa: E731
    venue = f", {entry.venue}" if entry.venue else ""
    say(f"{entry.title}\n{', '.join(entry.authors)} ({entry.year}), arXiv {entry.arxiv}{venue}")
    say(f"\n{entry.id}: {entry.short}")
    say(f"{entry.minutes} minutes; first do: {', '.join(entry.prerequisites) or 'nothing'}; state: {entry.state}")
    if not entry.available:
        return
    module = entry.load()
    console.print(_parameters(list(fields(module.Settings))))
    say("and profile (smoke, quick, full), seed, device, sizes (overrides, name:value separated by commas)\n")
    console.print(_sizes(module.Settings.SIZES))
    console.print(_claims(module.CLAIMS))
    example = "".join(f" -p {info.name}={info.default}" for info in list(fields(module.Settings))[:2])
    say(f"gradscape run {entry.id}{example}")


def _parameters(infos: list[FieldInfo]) -> Table:
    table = Table("parameter", "symbol", "default", "allowed", "meaning", title="Parameters", title_justify="left")
    for info in infos:
        allowed = info.allowed + (f", {info.scale} scale" if info.scale != "lin" else "")
        table.add_row(*map(escape, (info.name, info.symbol, str(info.default), allowed, info.about)))
    return table


def _sizes(profiles: Mapping[str, Any]) -> Table:
    table = Table("size", *profiles, title="Sizes by profile", title_justify="left")
    first = next(iter(profiles.values()))
    for entry in dataclasses.fields(first):
        table.add_row(escape(entry.name), *(escape(str(getattr(sizes, entry.name))) for sizes in profiles.values()))
    return table


def _claims(claims: Sequence[Claim]) -> Table:
    names = ("claim", "kind", "what the paper says", "paper", "criterion")
    table = Table(*names, title="Claims", title_justify="left", show_lines=True)
    for claim in claims:
        where = f" ({claim.where})" if claim.where else ""
        table.add_row(*map(escape, (claim.id, claim.kind, claim.sentence + where, claim.paper or "—", claim.criterion)))
    return table


def data_sets(console: Console) -> None:
    """The sets that can be fetched, with size, license and place."""
    from gradscape import datasets

    table = Table("name", "title", "size", "license", "where", box=None, pad_edge=False)
    for entry in datasets.remote_sets():
        where = str(entry.folder) if entry.folder else "not fetched"
        table.add_row(*map(escape, (entry.name, entry.title, f"{entry.size / 1e6:.0f} MB", entry.license, where)))
    console.print(table)


def fetch(console: Console, name: str) -> None:
    """Download a set with a progress bar and say where it is."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from gradscape import datasets

    if not console.is_terminal:
        folder = datasets.fetch(name)
    else:
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(escape(name), total=None)
            folder = datasets.fetch(name, progress=lambda done, total: bar.update(task, completed=done, total=total))
    console.print(f"{name}: {folder}", markup=False, soft_wrap=True)
