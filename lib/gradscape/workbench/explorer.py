"""Explorers: move a control, see the figure answer; one way to build them for every lesson.

A lesson writes three small things and a call::

    def compute(values, task): ...            # pure; values.T, values.settings; task.progress(done, total), task.cancelled
    def fig_spectrum(result): ...             # result -> figure
    def explorer_spectrum(settings):
        return explore(compute, redraw(fig_spectrum), [field("alpha"), Control("n", "int", 50, 1000)],
                       settings=settings, name="spectrum", presets={"more data": {"alpha": 10.0}})

    EXPLORERS = {"spectrum": explorer_spectrum}
"""
from __future__ import annotations

import math
import shlex
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from gradscape.lesson import Settings, explain
from gradscape.workbench import headless
from gradscape.workbench.alttext import alternative, bundle, data_table, describe
from gradscape.workbench.controls import Control, Field, Values
from gradscape.workbench.figures import TEMPLATE
from gradscape.workbench.sync import Draw

Mode = Literal["live", "quick", "run"]
LIMITS: dict[str, float | None] = {"live": 2.0, "quick": 1.0, "run": None}  # seconds; live should take under 0.1
CACHE = 64             # results kept per explorer: a few sweeps of a slider
PROGRESS_EVERY = 0.1   # seconds between two messages of progress


class Stopped(Exception):
    """Raised by :meth:`Task.check` when the computation should end and has nothing to show."""


class Task:
    """What a running computation knows about its reader: progress goes out, the wish to stop comes in."""

    def __init__(self, limit_s: float | None = None, report: Callable[[int, int], None] | None = None) -> None:
        self.deadline = math.inf if limit_s is None else time.monotonic() + limit_s
        self.stopped_early = False
        self._cancel = threading.Event()
        self._report = report
        self._told = 0.0

    @property
    def cancelled(self) -> bool:
        """True once the reader cancelled or the time limit passed: return what there is so far."""
        if self._cancel.is_set():
            return True
        if time.monotonic() > self.deadline:
            self.stopped_early = True
        return self.stopped_early

    @property
    def cancelled_by_reader(self) -> bool:
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Ask the computation to stop."""
        self._cancel.set()

    def check(self) -> None:
        """Raise :class:`Stopped` if the computation should end (for code that has no partial result)."""
        if self.cancelled:
            raise Stopped

    def progress(self, done: int, total: int) -> None:
        """Say how far the computation is; has the signature that ``progress=`` takes everywhere in the library."""
        now = time.monotonic()
        if self._report is not None and (done >= total or now - self._told >= PROGRESS_EVERY):
            self._told = now
            self._report(done, total)


def explore(
    compute: Callable[[Values, Task], Any],
    draw: Draw,
    controls: Sequence[Control | Field],
    *,
    settings: Settings,
    name: str,
    mode: Mode = "live",
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    initial: Any = None,
    limit_s: float | None = None,
) -> Explorer:
    """Build an explorer; as the last expression of a cell it shows itself.

    ``compute(values, task)`` is pure and its results are cached: ``values`` are the controls (``values.T``;
    ``values.settings`` for the lesson's settings with them put in), ``task`` tells progress and whether to stop. It may
    raise ``ValueError`` to say that a combination makes no sense: the message appears inline.
    ``draw(figure, result)`` updates a plotly figure in place; it must work on an empty figure and on one it drew
    before. Most lessons write ``redraw(fig_name)``.
    ``controls``: ``field("T")`` for settings, :class:`Control` for the rest.
    ``mode``: ``"live"`` computes at every move (under 0.1 s), ``"quick"`` when the control rests (under 1 s; when
    ``limit_s`` passes, ``task.cancelled`` turns true and what is returned then is drawn as *stopped early*), ``"run"``
    at a button in a background thread with progress and cancel, showing ``initial`` (a result) at first.
    ``presets`` name two to four settings of the controls worth looking at; controls left out take their start value.

    With ``GRADSCAPE_HEADLESS=1`` it shows a plain figure at the notebook's parameters; with ``check`` it also visits
    both ends of every control and all presets (a run explorer computes once) and raises at an exception, NaN or an
    empty figure. ``ValueError`` for an unknown control or preset value.
    """
    explorer = Explorer(
        compute, draw, controls, settings=settings, name=name, mode=mode, presets=presets, initial=initial, limit_s=limit_s
    )
    if headless.mode() == "check":
        explorer.check()
    return explorer


class Explorer:
    """Controls, a computation and a figure, tied together; made by :func:`explore`.

    Everything a reader can do is a method too: :meth:`set`, :meth:`type`, :meth:`move`, :meth:`preset`, :meth:`reset`,
    :meth:`run`, :meth:`cancel`. ``figure``, ``result``, ``values``, ``status``, ``errors`` and ``seconds`` (compute time
    of the last result) tell the state.
    """

    def __init__(
        self, compute: Callable[[Values, Task], Any], draw: Draw, controls: Sequence[Control | Field], *, settings: Settings,
        name: str, mode: Mode, presets: Mapping[str, Mapping[str, Any]] | None, initial: Any, limit_s: float | None,
    ) -> None:
        if mode not in LIMITS:
            raise ValueError(f"mode={mode!r}: must be live, quick or run")
        made = [control.resolve(settings) if isinstance(control, Field) else control for control in controls]
        self.controls = {control.name: control for control in made}
        if len(self.controls) < len(made) or not made:
            raise ValueError(f"controls={[control.name for control in made]}: at least one, each name once")
        self.name, self.mode, self.settings = name, mode, settings
        self.limit_s = LIMITS[mode] if limit_s is None else limit_s
        self.presets = {title: self._complete(f"preset {title!r}", values) for title, values in (presets or {}).items()}
        self._start = Values({control.name: control.default for control in made}, settings)
        self._compute, self._draw = compute, draw
        self._cache: OrderedDict[Values, Any] = OrderedDict()
        self._lock = threading.RLock()
        self._task: Task | None = None
        self._thread: threading.Thread | None = None
        self._panel: Any = None
        self._notes: Any = None
        self._widget: Any = None
        self._table_open = False
        self.values, self.preset_name = self._start, ""
        self.figure: go.Figure = go.Figure(layout={"template": TEMPLATE})
        self.result: Any = None
        self.errors: dict[str, str] = {}
        self.status = {"kind": "ok", "text": ""}
        self.seconds = 0.0
        self._first(initial)
        self._snapshot = bundle(self.figure), alternative(self.figure)

    # ---- what a reader does --------------------------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        """Set controls by value; one that is not allowed leaves everything as it was, with an inline message."""
        changed = dict(self.values)
        for name, value in values.items():
            try:
                changed[name] = self._control(name).check(value)
            except ValueError as error:
                self._refuse(name, error)
                return
            self.errors.pop(name, None)
        self._go(changed)

    def type(self, name: str, text: str) -> None:
        """What typing into a control's text box does."""
        try:
            value = self._control(name).parse(text)
        except ValueError as error:
            self._refuse(name, error)
            return
        self.errors.pop(name, None)
        self._go({**self.values, name: value})

    def move(self, name: str, position: int) -> None:
        """What moving a slider to one of its stops (or choosing an option) does."""
        control = self._control(name)
        self.set(**{name: control.stops[min(max(int(position), 0), len(control.stops) - 1)]})

    def preset(self, title: str) -> None:
        """Go to a named preset."""
        if title not in self.presets:
            raise ValueError(f"preset={title!r}: must be one of {', '.join(self.presets) or 'none'}")
        self.errors.clear()
        self._go(self.presets[title], title)

    def reset(self) -> None:
        """Back to the notebook's parameters."""
        self.errors.clear()
        self._go(self._start)

    def run(self, *, wait: bool = False) -> None:
        """Compute at the present values in a background thread (mode ``run``); ``wait=True`` joins it."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._task = Task(self.limit_s, self._progress)
            values, task = self.values, self._task
            self.status = {"kind": "running", "text": "running"}
            self._thread = threading.Thread(
                target=self._work, args=(values, task), name=f"explorer {self.name}", daemon=True
            )
            self._progress(0, 0)
            self._push()
            self._thread.start()
        if wait:
            self.wait()

    def cancel(self) -> None:
        """Ask a running computation to stop; what it returns then is not drawn."""
        if self._task is not None:
            self._task.cancel()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the background computation."""
        if self._thread is not None:
            self._thread.join(timeout)

    @property
    def running(self) -> bool:
        return self.status["kind"] == "running"

    @property
    def command(self) -> str:
        """The shell command that runs the lesson at the present values; empty if a control is not one of its settings."""
        if not all(control.from_settings for control in self.controls.values()):
            return ""
        lesson = ".".join(type(self.settings).__module__.split(".")[1:]).replace(".", "/")
        changed = self.values.settings.changed()
        return " ".join(["gradscape run", lesson, *(f"-p {shlex.quote(f'{name}={value}')}" for name, value in changed.items())])

    # ---- checking and showing ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Visit both ends of every control and all presets (mode ``run``: the start only).

        ``AssertionError`` or the computation's own exception at the first failure, NaN or empty figure.
        """
        visits: list[tuple[str, Mapping[str, Any]]] = [("the notebook's parameters", self._start)]
        if self.mode != "run":
            for name, control in self.controls.items():
                visits += [(f"{name} = {control.format(end)}", {**self._start, name: end}) for end in control.ends()]
            visits += [(f"preset {title}", values) for title, values in self.presets.items()]
        for where, values in visits:
            try:
                figure = go.Figure(self.figure)
                self._draw(figure, self._compute(Values(values, self.settings), Task()))
                _assert_drawn(figure)
                again = go.Figure(layout={"template": TEMPLATE})
                self._draw(again, self._compute(Values(values, self.settings), Task()))
                _assert_drawn(again)
            except Exception as error:
                error.add_note(f"explorer {self.name!r} at {where}")
                raise

    @property
    def widget(self) -> Any:
        """The live widget (controls, figure, notes), made when first asked for."""
        with self._lock:
            if self._widget is None:
                self._build()
        return self._widget

    def _ipython_display_(self) -> None:
        from IPython.display import display

        picture, words = self._snapshot
        if headless.mode() == "live":
            live = self.widget._repr_mimebundle_()
            live = live[0] if isinstance(live, tuple) else live
            text = f"Explorer {self.name}: run this cell to move its controls ({', '.join(self.controls)})."
            display({**live, "text/plain": text}, raw=True)
            display(picture, raw=True)
            display({"text/html": self._how(), "text/plain": text}, raw=True)
        else:
            display(picture, raw=True)
            display({"text/html": words + self._how(), "text/plain": picture["text/plain"]}, raw=True)

    def _how(self) -> str:
        """The line beside the static figure."""
        names = ", ".join(escape(control.label) for control in self.controls.values())
        return (
            f'<p class="gradscape-static" style="font-size:.85em;margin:0 0 1em"><b>Picture of an explorer.</b> To move '
            f"{names} yourself, start <code>make lab</code>, open this notebook and run this cell (Shift+Enter).</p>"
        )

    # ---- inside --------------------------------------------------------------------------------------------------

    def _control(self, name: str) -> Control:
        if name not in self.controls:
            raise ValueError(f"control={name!r}: must be one of {', '.join(self.controls)}")
        return self.controls[name]

    def _complete(self, what: str, values: Mapping[str, Any]) -> Values:
        unknown = sorted(set(values) - set(self.controls))
        if unknown:
            raise ValueError(f"{what}: unknown control {unknown[0]!r}; there are {', '.join(self.controls)}")
        full = {name: control.check(values.get(name, control.default)) for name, control in self.controls.items()}
        return Values(full, self.settings)

    def _first(self, initial: Any) -> None:
        if initial is not None:
            self.result = self._cache[self._start] = initial
            self._draw(self.figure, initial)
        elif self.mode == "run":
            self.status = {"kind": "ok", "text": "press Run"}
        elif headless.mode() == "live":
            self._answer(self._start)
        else:  # a stored figure must not depend on the machine's speed, and a failure must stop the notebook
            self.result = self._cache[self._start] = self._compute(self._start, Task())
            self._draw(self.figure, self.result)

    def _refuse(self, name: str, error: ValueError) -> None:
        self.errors[name] = explain(error)
        self._push()

    def _go(self, values: Mapping[str, Any], preset: str = "") -> None:
        with self._lock:
            self.values, self.preset_name = Values(values, self.settings), preset
            if self.mode != "run":
                self._answer(self.values)
            elif self.values in self._cache:
                self._accept(self.values, self._cache[self.values])
            elif not self.running:
                self.status = {"kind": "stale", "text": "press Run to compute at these values"}
            self._push()

    def _answer(self, values: Values) -> None:
        """Compute and draw, turning every failure into an inline message."""
        if values in self._cache:
            self._cache.move_to_end(values)
            self._accept(values, self._cache[values])
            return
        self._attempt(values, Task(self.limit_s))

    def _attempt(self, values: Values, task: Task) -> None:
        began, cpu = time.monotonic(), time.process_time()
        try:
            result = self._compute(values, task)
        except Exception as error:
            with self._lock:
                self.status = self._failure(error, task, time.monotonic() - began)
            return
        took = time.monotonic() - began
        with self._lock:
            self.seconds = time.process_time() - cpu
            if task.cancelled_by_reader:
                self.status = {"kind": "stopped", "text": "cancelled; the figure shows the last finished result"}
                return
            if not task.stopped_early:
                self._cache[values] = result
                while len(self._cache) > CACHE:
                    self._cache.popitem(last=False)
            self._accept(values, result, early=f"stopped early after {took:.1f} s" if task.stopped_early else "")

    def _failure(self, error: Exception, task: Task, took: float) -> dict[str, str]:
        if isinstance(error, Stopped):
            word = "cancelled" if task.cancelled_by_reader else f"stopped early after {took:.1f} s"
            return {"kind": "stopped", "text": f"{word}; the figure shows the last finished result"}
        if isinstance(error, ValueError):
            return {"kind": "error", "text": explain(error)}
        return {"kind": "error", "text": f"{type(error).__name__}: {error}"}

    def _accept(self, values: Values, result: Any, early: str = "") -> None:
        try:
            self._draw(self.figure, result)
        except Exception as error:
            self.status = {"kind": "error", "text": f"cannot draw: {type(error).__name__}: {error}"}
            return
        self.result = result
        self.status = {"kind": "stopped" if early else "ok", "text": early}
        if not early and self.mode == "run" and values != self.values:
            self.status = {"kind": "stale", "text": "the figure shows " + ", ".join(
                f"{name} = {self.controls[name].format(value)}" for name, value in values.items() if value != self.values[name])}

    def _work(self, values: Values, task: Task) -> None:
        self._attempt(values, task)
        self._push()

    def _progress(self, done: int, total: int) -> None:
        if self._panel is not None:
            self._panel.progress = [done, total]

    def _build(self) -> None:
        import ipywidgets

        from gradscape.workbench.panel import Panel

        widget = go.FigureWidget(self.figure)
        widget._config = {"displaylogo": False, "responsive": True, "displayModeBar": False}
        self.figure = widget
        spec = {
            "name": self.name, "mode": self.mode, "presets": list(self.presets),
            "controls": [
                {"name": c.name, "kind": c.kind, "symbol": c.symbol, "about": c.about, "allowed": c.info.allowed,
                 "stops": [c.format(stop) for stop in c.stops]}
                for c in self.controls.values()
            ],
        }
        self._panel = Panel(kind="controls", spec=spec, state=self._state())
        self._notes = Panel(kind="notes", state=self._noted())
        self._panel.on_msg(lambda _, content, buffers: self._receive(content))
        self._notes.on_msg(lambda _, content, buffers: self._receive(content))
        self._widget = ipywidgets.VBox([self._panel, widget, self._notes])
        self._widget.add_class("gradscape-explorer")

    def _receive(self, content: Mapping[str, Any]) -> None:
        """A message of the panel."""
        kind = content.get("kind")
        try:
            if kind == "move":
                self.move(content["name"], content["position"])
            elif kind == "type":
                self.type(content["name"], str(content["text"]))
            elif kind == "preset":
                self.preset(content["name"])
            elif kind == "table":
                self._table_open = bool(content["open"])
                self._push()
            elif kind in ("reset", "run", "cancel"):
                {"reset": self.reset, "run": self.run, "cancel": self.cancel}[kind]()
        finally:
            if kind in ("move", "type"):
                self._panel.ack += 1

    def _state(self) -> dict[str, Any]:
        return {
            "positions": {name: control.position(self.values[name]) for name, control in self.controls.items()},
            "texts": {name: control.format(self.values[name]) for name, control in self.controls.items()},
            "errors": dict(self.errors), "status": dict(self.status), "preset": self.preset_name,
            "running": self.running, "alt": describe(self.figure),
        }

    def _noted(self) -> dict[str, str]:
        return {"text": describe(self.figure), "command": self.command,
                "table": data_table(self.figure) if self._table_open else ""}

    def _push(self) -> None:
        with self._lock:
            if self._panel is not None:
                self._panel.state = self._state()
                self._notes.state = self._noted()


def _assert_drawn(figure: go.Figure) -> None:
    """``AssertionError`` if a figure is empty, or holds NaN that is not declared as a gap."""
    assert len(figure.data) > 0, "the figure is empty"
    for trace in figure.data:
        gaps = isinstance(trace.meta, dict) and bool(trace.meta.get("gaps"))
        for key in ("x", "y", "z"):
            values = trace[key] if key in trace else None
            if values is None or trace.type == "image":
                continue
            array = np.asarray(values)
            if array.dtype.kind == "O":
                array = np.array([math.nan if value is None else value for value in array.ravel()])
            if array.dtype.kind not in "fiub":
                continue
            bad = int((~np.isfinite(array.astype(float))).sum())
            assert array.size > 0, f"series {trace.name!r} is empty"
            assert bad < array.size, f"series {trace.name!r} has no finite {key}"
            assert gaps or bad == 0, f"series {trace.name!r} has {bad} NaN or infinite {key} (pass gaps=True where meant)"
