"""Explorers: move a control, see the figure answer; one way to build them for every lesson.

A lesson writes three small things and a call::

    def compute(values, task): ...    # pure; values.T, values.settings; task.progress(done, total), task.cancelled
    def fig_spectrum(result): ...     # result -> figure
    def explorer_spectrum(settings):
        return explore(compute, redraw(fig_spectrum), [field("alpha"), Control("n", "int", 50, 1000)],
                       settings=settings, name="spectrum", presets={"more data": {"alpha": 10.0}})

    EXPLORERS = {"spectrum": explorer_spectrum}
"""
from __future__ import annotations

import shlex
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import plotly.graph_objects as go

from gradscape.lesson import Settings, explain
from gradscape.workbench import headless
from gradscape.workbench.controls import Control, Field, Values
from gradscape.workbench.figures import TEMPLATE
from gradscape.workbench.sync import Draw
from gradscape.workbench.task import Stopped, Task

Mode = Literal["live", "quick", "run"]
Compute = Callable[[Values, Task], Any]
LIMITS: dict[str, float | None] = {"live": 2.0, "quick": 1.0, "run": None}  # seconds; live should take under 0.1
CACHE = 64  # results kept per explorer: a few sweeps of a slider


def explore(
    compute: Compute,
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
        compute, draw, controls, settings=settings, name=name, mode=mode, presets=presets, initial=initial,
        limit_s=limit_s,
    )
    if headless.mode() == "check":
        explorer.check()
    return explorer


class Explorer:
    """Controls, a computation and a figure, tied together; made by :func:`explore`.

    Everything a reader can do is a method too: :meth:`set`, :meth:`type`, :meth:`move`, :meth:`preset`, :meth:`reset`,
    :meth:`run`, :meth:`cancel`. ``figure``, ``result``, ``values``, ``status`` (kind and text), ``errors`` and
    ``seconds`` (compute time of the last result) tell the state; ``widget`` is the live widget.
    """

    def __init__(
        self, compute: Compute, draw: Draw, controls: Sequence[Control | Field], *, settings: Settings, name: str,
        mode: Mode, presets: Mapping[str, Mapping[str, Any]] | None, initial: Any, limit_s: float | None,
    ) -> None:
        if mode not in LIMITS:
            raise ValueError(f"mode={mode!r}: must be live, quick or run")
        made = [control.resolve(settings) if isinstance(control, Field) else control for control in controls]
        self.controls = {control.name: control for control in made}
        if len(self.controls) < len(made) or not made:
            raise ValueError(f"controls={[control.name for control in made]}: at least one, each name once")
        self.compute, self.draw = compute, draw
        self.name, self.mode, self.settings = name, mode, settings
        self.limit_s = LIMITS[mode] if limit_s is None else limit_s
        self.start = self.values = Values({control.name: control.default for control in made}, settings)
        self.presets = {title: self._complete(title, values) for title, values in (presets or {}).items()}
        self.preset_name = ""
        self.figure: go.Figure = go.Figure(layout={"template": TEMPLATE})
        self.result: Any = None
        self.errors: dict[str, str] = {}
        self.status = {"kind": "ok", "text": ""}
        self.seconds = 0.0
        self.running = False
        self._cache: OrderedDict[Values, Any] = OrderedDict()
        self._lock = threading.RLock()  # moves, the background thread and the front end's messages come from any thread
        self._task: Task | None = None
        self._thread: threading.Thread | None = None
        self._view: Any = None
        self._begin(initial)

    # ---- what a reader does --------------------------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        """Set controls by value; one that is not allowed leaves all as they were, with an inline message."""
        changed = dict(self.values)
        for name, value in values.items():
            try:
                changed[name] = self._control(name).check(value)
            except ValueError as error:
                self._refuse(name, error)
                return
        self._go(changed, cleared=values)

    def type(self, name: str, text: str) -> None:
        """What typing into a control's text box does."""
        try:
            value = self._control(name).parse(text)
        except ValueError as error:
            self._refuse(name, error)
            return
        self._go({**self.values, name: value}, cleared=[name])

    def move(self, name: str, position: int) -> None:
        """What moving a slider to one of its stops (or choosing an option) does."""
        stops = self._control(name).stops
        self.set(**{name: stops[min(max(int(position), 0), len(stops) - 1)]})

    def preset(self, title: str) -> None:
        """Go to a named preset; ``ValueError`` for an unknown one."""
        if title not in self.presets:
            raise ValueError(f"preset={title!r}: must be one of {', '.join(self.presets) or 'none'}")
        self._go(self.presets[title], cleared=self.controls, preset=title)

    def reset(self) -> None:
        """Back to the notebook's parameters."""
        self._go(self.start, cleared=self.controls)

    def run(self, *, wait: bool = False) -> None:
        """Compute at the present values in a background thread (mode ``run``); ``wait=True`` joins it."""
        with self._lock:
            if self.running:
                return
            if self.values in self._cache:
                self._accept(self.values, self._cache[self.values])
                self.status = {"kind": "ok", "text": "already computed at these values"}
                self._push()
                return
            self.running, self.status = True, {"kind": "running", "text": "running"}
            self._task = Task(self.limit_s, self._progress)
            self._thread = threading.Thread(
                target=self._work, args=(self.values, self._task), name=f"explorer {self.name}", daemon=True
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

    def refresh(self, shown: int) -> None:
        """Draw the live figure from nothing on a page that shows ``shown`` traces: it may have missed changes."""
        with self._lock:
            if self._view is not None:
                self.figure.resend(shown)

    @property
    def command(self) -> str:
        """The shell command that runs the lesson at these values; empty if a control is not one of its settings."""
        parts = type(self.settings).__module__.split(".")
        if parts[0] != "gradscape" or not all(control.from_settings for control in self.controls.values()):
            return ""
        changed = self.values.settings.changed().items()
        given = [f"-p {shlex.quote(f'{name}={value}')}" for name, value in changed]
        return " ".join(["gradscape run", "/".join(parts[1:3]), *given])

    # ---- checking and showing ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Visit both ends of every control and all presets (mode ``run``: the start only); raise at the first failure.

        ``AssertionError`` for NaN or an empty figure, or the computation's own exception, with a note saying where.
        """
        from gradscape.workbench.checking import check

        check(self)

    @property
    def widget(self) -> Any:
        """The live widget (controls, figure, notes), made when first asked for."""
        from gradscape.workbench.view import View

        with self._lock:
            if self._view is None or self._view.box.comm is None:  # never made, or closed by a later run of its cell
                self._view = View(self)
            return self._view.box

    def _ipython_display_(self) -> None:
        from gradscape.workbench.view import display_live, display_static

        (display_live if headless.mode() == "live" else display_static)(self)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _control(self, name: str) -> Control:
        if name not in self.controls:
            raise ValueError(f"control={name!r}: must be one of {', '.join(self.controls)}")
        return self.controls[name]

    def _complete(self, title: str, values: Mapping[str, Any]) -> Values:
        """A preset with the controls it does not name at their start."""
        for name in values:
            if name not in self.controls:
                known = ", ".join(self.controls)
                raise ValueError(f"preset {title!r}: control={name!r}: must be one of {known}")
        full = {name: control.check(values.get(name, control.default)) for name, control in self.controls.items()}
        return Values(full, self.settings)

    def _begin(self, initial: Any) -> None:
        if initial is None and self.mode == "run":
            self.status = {"kind": "stale", "text": "press Run"}
        elif initial is None and headless.mode() == "live":
            self._answer(self.start, Task(self.limit_s))
            if self.status["kind"] == "stopped" and self.result is None:
                self._answer(self.start, Task())  # on a slow machine too: there is no earlier figure to fall back on
        else:
            # a stored figure must not depend on the machine's speed, and a failure must stop the notebook
            self.result = self._cache[self.start] = self.compute(self.start, Task()) if initial is None else initial
            self.draw(self.figure, self.result)

    def _refuse(self, name: str, error: ValueError) -> None:
        with self._lock:
            self.errors[name] = explain(error)
            self._push()

    def _go(self, values: Mapping[str, Any], *, cleared: Any, preset: str = "") -> None:
        with self._lock:
            for name in cleared:
                self.errors.pop(name, None)
            self.values, self.preset_name = Values(values, self.settings), preset
            if self.mode != "run":
                self._answer(self.values, Task(self.limit_s))
            elif not self.running and self.values in self._cache:
                self._accept(self.values, self._cache[self.values])
            elif not self.running:
                self.status = {"kind": "stale", "text": "press Run to compute at these values"}
            self._push()

    def _answer(self, values: Values, task: Task) -> None:
        """Compute (or remember) and draw, turning every failure into an inline message."""
        began, cpu = time.monotonic(), time.process_time()
        try:
            if values in self._cache:
                self._cache.move_to_end(values)
                result = self._cache[values]
            else:
                result = self.compute(values, task)
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
            self._accept(values, result, f"stopped early after {took:.1f} s" if task.stopped_early else "")

    def _failure(self, error: Exception, task: Task, took: float) -> dict[str, str]:
        if isinstance(error, Stopped):
            word = "cancelled" if task.cancelled_by_reader else f"stopped early after {took:.1f} s"
            return {"kind": "stopped", "text": f"{word}; the figure shows the last finished result"}
        text = explain(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return {"kind": "error", "text": text}

    def _accept(self, values: Values, result: Any, early: str = "") -> None:
        try:
            self.draw(self.figure, result)
        except Exception as error:
            self.status = {"kind": "error", "text": f"cannot draw: {type(error).__name__}: {error}"}
            return
        self.result = result
        self.status = {"kind": "stopped" if early else "ok", "text": early}
        other = [name for name in values if values[name] != self.values[name]]
        if other and not early:
            shown = ", ".join(f"{name} = {self.controls[name].format(values[name])}" for name in other)
            self.status = {"kind": "stale", "text": f"the figure shows {shown}"}

    def _work(self, values: Values, task: Task) -> None:
        try:
            self._answer(values, task)
        finally:
            with self._lock:
                self.running = False
                self._push()

    def _progress(self, done: int, total: int) -> None:
        if self._view is not None:
            self._view.progress(done, total)

    def _push(self) -> None:
        if self._view is not None:
            self._view.push()
