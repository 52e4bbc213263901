"""``gradscape.batch.sweep``: a lesson over a grid of its settings, as a table."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradscape import catalog
from gradscape.batch import notebooks, points
from gradscape.batch.execute import TIMEOUTS, Call, Limits, Work
from gradscape.batch.executors import Executor
from gradscape.batch.outcome import KILLED, TIMED_OUT
from gradscape.batch.parameters import ParameterError
from gradscape.batch.points import Point
from gradscape.batch.run import Interrupted, default_workers
from gradscape.batch.sweeps import grid as grids
from gradscape.batch.sweeps.drive import State, Watcher, drive
from gradscape.batch.sweeps.store import SweepStore
from gradscape.sweeptable import DONE, SweepTable

POOL = "pool"


@dataclass(frozen=True)
class Options:
    """How a sweep is carried out; nothing here changes a number."""

    function: bool = False
    claims: bool = False
    scalars: bool = True
    notebooks: bool = False
    scheduler: str | None = None
    workers: int | None = None
    timeout: float | None = None
    memory: float | None = None
    retries: int = 2
    words: str = ""

    def check(self) -> None:
        """:class:`ParameterError` for options that contradict each other or make no sense."""
        for name, value, low in (("workers", self.workers, 1), ("timeout", self.timeout, 0.1),
                                 ("memory", self.memory, 0.01), ("retries", self.retries, 0)):
            if value is not None and not low <= value < 1e9:
                raise ParameterError(f"{name}={value}: must be at least {low}")
        if self.function and self.notebooks:
            raise ParameterError("--notebooks: there is no notebook with --function")
        if self.scheduler not in (None, POOL) and self.workers is not None:
            raise ParameterError("--workers: a cluster has the workers it has; leave it out with --scheduler")


@dataclass(frozen=True)
class Sweep:
    """A sweep that is ready to go: its grid, its points and its folder."""

    entry: catalog.Lesson
    grid: grids.Grid
    options: Options
    about: dict[str, Any] = field(default_factory=dict)

    def points(self) -> list[Point]:
        """All points, in the order of the grid."""
        code, data = self.about["code"], self.about["data"]
        return [
            Point(self.entry.id, settings.model_dump(mode="json"), settings.changed(), self.entry.notebook, code, data)
            for settings in self.grid.settings()
        ]

    def work(self) -> Callable[[Point], Work]:
        """What an executor is given for a point."""
        options = self.options
        memory = None if options.memory is None else options.memory * 1e9
        call = Call(self.entry.module, options.scalars, options.claims) if options.function else None
        source = "" if options.function else _bare(self.entry.notebook)

        def make(point: Point) -> Work:
            limits = Limits(options.timeout or TIMEOUTS.get(point.profile, TIMEOUTS["full"]), memory=memory)
            parameters = point.settings if call is not None else point.parameters
            return Work(point.key, point.lesson, source, parameters, limits, call)

        return make

    def executor(self) -> Executor:
        """The executor that was asked for: a local Dask cluster unless told otherwise."""
        options = self.options
        workers = options.workers or min(default_workers(), len(self.grid))
        if options.scheduler == POOL:
            from gradscape.batch.executors.local import LocalPool

            return LocalPool(workers)
        from gradscape.batch.executors.cluster import DaskExecutor

        return DaskExecutor(options.scheduler, workers, self.entry.module)

    def carry_out(self, store: SweepStore, executor: Executor, watcher: Watcher | None = None) -> State:
        """Compute what is missing; :class:`~gradscape.batch.run.Interrupted` on Ctrl-C."""
        try:
            return drive(
                store, self.points(), executor, self.work(), retries=self.options.retries,
                notebooks=self.options.notebooks, watcher=watcher, missing=_missing,
            )
        except KeyboardInterrupt:
            table = SweepTable.open(store.folder)
            how = f"gradscape sweep --out {store.folder} --resume"
            raise Interrupted(f"interrupted, {len(table.done)} of {table.total} points are kept; go on with: {how}") \
                from None


def prepare(
    lesson: str, parameters: Mapping[str, Any], profile: str | None = None, options: Options | None = None
) -> Sweep:
    """Check everything that can be checked before a point is computed; ``ValueError`` otherwise."""
    options = options or Options()
    options.check()
    entry = catalog.find(lesson)
    module = entry.load()
    grid = grids.make(module.Settings, parameters, profile)
    about = {
        "lesson": entry.id, **grid.record(), "total": len(grid), "function": options.function,
        "claims": options.claims or not options.function, "scalars": options.scalars, "command": options.words,
        "symbols": {name: grids.field_info(module.Settings, name).symbol for name in grid.axes},
        "scales": {name: grids.field_info(module.Settings, name).scale for name in grid.axes},
        "code": _code(entry, options.function), "data": points.data_digest(),
    }
    return Sweep(entry, grid, options, about)


def again(folder: Path, options: Options) -> Sweep:
    """The sweep that a folder was made for, with today's code and data; ``ValueError`` if it holds none."""
    about = SweepStore.open(folder).about
    chosen = {**about["fixed"], **about["axes"]}
    kept = {"function": about["function"], "claims": about["claims"] and about["function"], "scalars": about["scalars"]}
    return prepare(about["lesson"], chosen, None, Options(**{**vars(options), **kept}))


def sweep(
    lesson: str, parameters: Mapping[str, Any], *, profile: str | None = None, function: bool = False,
    claims: bool = False, notebooks: bool = False, scheduler: str | None = None, workers: int | None = None,
    timeout: float | None = None, memory: float | None = None, retries: int = 2, out: Path | str | None = None,
    resume: bool = False,
) -> SweepTable:
    """Compute a lesson at every point of a grid and return the table; what is in ``out`` already is kept.

    ``parameters`` maps fields of the lesson's settings to a value, a sequence, or a text as on the command line
    (``"log:1e-4:1:7"``). ``function=True`` calls the lesson's ``point`` without a kernel; ``claims=True`` then measures
    its claims too. ``scheduler`` is the address of a Dask cluster, ``"pool"`` plain processes; else ``workers``
    processes under a local Dask cluster. ``timeout`` (s) and ``memory`` (GB) bound a point. ``ValueError`` for wrong
    parameters, an unreachable scheduler, a folder that holds another sweep or cannot be written.

    >>> table = sweep("sgd_noise", {"T": "log:1e-3:0.1:5", "seed": range(4)}, profile="smoke", function=True)
    >>> table.values("test_error").shape
    (5, 4)
    """
    options = Options(function, claims, True, notebooks, scheduler, workers, timeout, memory, retries)
    made = prepare(lesson, parameters, profile, options)
    place = Path(out) if out is not None else None
    if resume and place is None:
        raise ParameterError("resume=True: name the sweep's folder with out")
    if resume and place is not None:
        store = SweepStore.open(place, made.about)
    elif place is not None:
        SweepStore.check_vacant(place)
    executor = made.executor()
    try:
        if not resume:
            store = SweepStore.create(place, made.about)
        made.carry_out(store, executor)
    except BaseException:
        executor.cancel()
        raise
    return SweepTable.open(store.folder)


def _missing(row: dict[str, Any] | None) -> bool:
    """What a resumed sweep computes: what is not there, and what died or ran out of time; not an error of its own."""
    return row is None or row["status"] in (KILLED, TIMED_OUT)


def _code(entry: catalog.Lesson, function: bool) -> str:
    """What a point's key takes as its code: the science; with a kernel also the view and the notebook's cells."""
    from gradscape import provenance

    return provenance.code_checksum(entry.module) if function else points.code_checksum(entry)


def _bare(place: Path) -> str:
    """A stored notebook without its outputs, as it goes over the wire."""
    node = notebooks.read(place)
    import nbformat

    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return str(nbformat.writes(node))


__all__ = ["DONE", "Options", "Sweep", "again", "prepare", "sweep"]
