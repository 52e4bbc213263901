"""Explorers without a browser: on their own methods, on the widget's traits, headless and in check mode."""
from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from gradscape.workbench import Control, Explorer, Stopped, field, figure
from gradscape.workbench.view import CONFIG

from tests.workbench.toy import Settings, compute, fig_toy, toy

WAIT = 20.0  # seconds a background thread may take on a busy machine before a test gives up


def heights(explorer: Explorer) -> list[float]:
    return np.asarray(explorer.figure.data[-1].y).tolist()


class TestLive:
    def test_starts_at_the_notebooks_parameters_and_follows_every_control(self) -> None:
        explorer = toy(settings=Settings(T=2.0))
        assert heights(explorer) == [2, 3, 4]
        explorer.set(T=4.0, n=2)
        assert heights(explorer) == [4, 5]
        explorer.move("noisy", 1)
        assert heights(explorer) == [8, 10]
        explorer.move("n", 99)
        assert explorer.values.n == 5
        explorer.reset()
        assert dict(explorer.values) == {"T": 2.0, "n": 3, "act": "relu", "noisy": False}

    def test_presets_start_from_the_notebooks_parameters(self) -> None:
        explorer = toy()
        explorer.set(n=2)
        explorer.preset("hot")
        assert heights(explorer) == [16, 17, 18]
        assert explorer.preset_name == "hot"
        explorer.set(T=1.0)
        assert explorer.preset_name == ""
        with pytest.raises(ValueError, match="preset='cold': must be one of hot, noise helps"):
            explorer.preset("cold")

    def test_bad_text_leaves_everything_and_leaves_one_message(self) -> None:
        explorer = toy()
        before = dict(explorer.values)
        explorer.type("T", "warm")
        assert explorer.errors == {"T": "T=warm: must be a number from 0.0078125 to 16"}
        assert dict(explorer.values) == before
        explorer.type("n", "2.5")
        assert explorer.errors["n"] == "n=2.5: must be a whole number from 1 to 5"
        explorer.type("T", "1")
        assert set(explorer.errors) == {"n"}
        explorer.reset()
        assert explorer.errors == {}

    def test_results_are_remembered(self) -> None:
        calls = []
        explorer = toy(compute=lambda values, task: (calls.append(values.T), compute(values, task))[1])
        for T in (1.0, 2.0, 1.0, 0.5):
            explorer.set(T=T)
        assert calls == [0.5, 1.0, 2.0]

    def test_failures_become_inline_messages_and_the_figure_stays(self) -> None:
        def fragile(values: Any, task: Any) -> Any:
            if values.T > 8:
                raise ValueError("T is too high")
            return 1 / (values.n - 2) * np.ones(3) if values.n == 2 else compute(values, task)

        explorer = toy(compute=fragile)
        before = heights(explorer)
        explorer.set(T=16.0)
        assert explorer.status == {"kind": "error", "text": "T is too high"}
        explorer.set(T=0.5, n=2)
        assert explorer.status == {"kind": "error", "text": "ZeroDivisionError: division by zero"}
        assert heights(explorer) == before
        explorer.set(n=3)
        assert explorer.status["kind"] == "ok"

    def test_a_figure_that_cannot_be_drawn_is_told_too(self) -> None:
        explorer = toy(draw=lambda figure, result: figure.add_bar(y=result["no such"]))
        assert explorer.status["text"].startswith("cannot draw: IndexError")

    def test_compute_sees_the_lessons_settings_with_the_controls_in(self) -> None:
        seen = []
        explorer = toy(compute=lambda values, task: (seen.append(values.settings), compute(values, task))[1])
        explorer.set(T=4.0)
        assert seen[-1] == Settings(T=4.0)


class TestCommand:
    def test_reproduces_what_is_shown(self) -> None:
        class Moved(Settings):
            """Settings that live where a lesson's would."""

        Moved.__module__ = "gradscape.dynamics.sgd_noise.settings"
        explorer = toy(settings=Moved(seed=7))
        assert explorer.command == "gradscape run dynamics/sgd_noise -p seed=7"
        explorer.set(T=2.0, act="gelu")
        assert explorer.command == "gradscape run dynamics/sgd_noise -p seed=7 -p T=2.0 -p act=gelu"

    def test_is_not_given_for_controls_that_no_command_line_has(self) -> None:
        assert toy().command == ""
        local = Control("w", lo=0, hi=1)
        assert toy(controls=[field("T"), field("n"), field("noisy"), local], presets={}).command == ""


class TestDeclaration:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"mode": "slow"}, "mode='slow'"),
            ({"controls": []}, "at least one"),
            ({"controls": [field("T"), field("T")]}, "each name once"),
            ({"presets": {"bad": {"U": 1}}}, "preset 'bad': control='U': must be one of T, n, act, noisy"),
            ({"presets": {"bad": {"T": 99}}}, "T=99"),
        ],
    )
    def test_mistakes_are_told_when_it_is_made(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            toy(**changes)


class TestQuick:
    def test_stops_at_its_limit_with_what_there_is_and_does_not_remember_it(self) -> None:
        rounds = []

        def slow(values: Any, task: Any) -> np.ndarray:
            rounds.append(0)
            while not task.cancelled:
                rounds[-1] += 1
                time.sleep(0.001)
            return np.array([values.T])

        explorer = toy(compute=slow, mode="quick", limit_s=0.02)
        assert explorer.status["kind"] == "stopped"
        assert explorer.status["text"].startswith("stopped early after 0.")
        assert heights(explorer) == [0.5]
        explorer.set(T=1.0)
        explorer.set(T=0.5)
        assert len(rounds) == 3

    def test_may_stop_without_a_result(self) -> None:
        def slow(values: Any, task: Any) -> np.ndarray:
            if values.T == 0.5:
                return compute(values, task)
            while True:
                task.check()

        explorer = toy(compute=slow, mode="quick", limit_s=0.02)
        before = heights(explorer)
        explorer.set(T=1.0)
        assert explorer.status["text"].startswith("stopped early")
        assert explorer.status["text"].endswith("the figure shows the last finished result")
        assert heights(explorer) == before

    def test_takes_its_time_for_the_first_figure_if_the_limit_leaves_none(self) -> None:
        tries = []

        def slow(values: Any, task: Any) -> np.ndarray:
            tries.append(task.deadline)
            if len(tries) == 1:
                while True:
                    task.check()
            return compute(values, task)

        explorer = toy(compute=slow, mode="quick", limit_s=0.02)
        assert explorer.status["kind"] == "ok"
        assert len(heights(explorer)) > 0
        assert tries[1] == float("inf")


class TestRun:
    def gated(self, **changes: Any) -> tuple[Explorer, threading.Event, threading.Event]:
        """A run explorer that computes until it is let go or cancelled."""
        begun, go_on = threading.Event(), threading.Event()

        def gate(values: Any, task: Any) -> np.ndarray:
            begun.set()
            for k in range(int(WAIT / 0.005)):
                if task.cancelled or go_on.is_set():
                    break
                task.progress(k, 1000)
                time.sleep(0.005)
            return compute(values, task)

        return toy(compute=gate, mode="run", **changes), begun, go_on

    def test_shows_the_initial_result_and_computes_only_at_the_button(self) -> None:
        explorer, begun, go_on = self.gated(initial=np.array([7.0, 8.0]))
        assert heights(explorer) == [7, 8]
        explorer.set(T=2.0)
        assert not begun.is_set()
        assert explorer.status == {"kind": "stale", "text": "press Run to compute at these values"}
        go_on.set()
        explorer.run(wait=True)
        assert heights(explorer) == [2, 3, 4]
        assert not explorer.running
        explorer.reset()  # the initial result belongs to the start
        assert heights(explorer) == [7, 8]
        explorer.run(wait=True)
        assert explorer.status["text"] == "already computed at these values"

    def test_reports_progress_on_the_widget_and_can_be_cancelled(self) -> None:
        explorer, begun, _ = self.gated(initial=np.array([7.0]))
        panel = explorer.widget.children[0]
        told: list[Any] = []
        panel.observe(lambda change: told.append(change["new"]), "progress")
        explorer.set(T=2.0)
        explorer.run()
        assert begun.wait(WAIT)
        assert panel.state["running"]
        explorer.run()  # a second press while it runs does nothing
        time.sleep(0.3)
        explorer.cancel()
        explorer.wait(WAIT)
        assert not explorer.running
        assert explorer.status["text"].startswith("cancelled")
        assert heights(explorer) == [7]
        assert any(total == 1000 for _, total in (entry for entry in told if entry))
        assert len(told) < 20  # throttled

    def test_says_what_it_shows_when_the_controls_moved_meanwhile(self) -> None:
        explorer, begun, go_on = self.gated()
        assert explorer.status["text"] == "press Run"
        explorer.run()
        assert begun.wait(WAIT)
        explorer.set(T=2.0)
        assert explorer.running
        go_on.set()
        explorer.wait(WAIT)
        assert heights(explorer) == [0.5, 1.5, 2.5]
        assert explorer.status == {"kind": "stale", "text": "the figure shows T = 0.5"}

    def test_a_failure_in_the_thread_is_told_inline(self) -> None:
        def broken(values: Any, task: Any) -> Any:
            raise RuntimeError("out of luck")

        explorer = toy(compute=broken, mode="run")
        explorer.run(wait=True)
        assert explorer.status == {"kind": "error", "text": "RuntimeError: out of luck"}
        assert not explorer.running

    def test_cancelling_may_also_raise(self) -> None:
        def endless(values: Any, task: Any) -> Any:
            while not task.cancelled_by_reader:
                time.sleep(0.001)
            raise Stopped

        explorer = toy(compute=endless, mode="run")
        explorer.run()
        explorer.cancel()
        explorer.wait(WAIT)
        assert explorer.status["text"].startswith("cancelled")


class TestWidget:
    """Traits only: what the browser is told, and what its messages do."""

    def test_is_controls_figure_and_notes_made_once(self) -> None:
        explorer = toy()
        panel, plot, notes = explorer.widget.children
        assert explorer.widget is explorer.widget
        assert isinstance(plot, go.FigureWidget)
        assert explorer.figure is plot
        assert [control["name"] for control in panel.spec["controls"]] == ["T", "n", "act", "noisy"]
        assert panel.spec["presets"] == ["hot", "noise helps"]
        assert panel.state["texts"] == {"T": "0.5", "n": "3", "act": "relu", "noisy": "off"}
        assert panel.state["alt"].startswith("Line chart: Toy. It rises.")
        assert notes.state["table"] == ""

    def send(self, explorer: Explorer, **content: Any) -> None:
        panel = explorer.widget.children[0]
        panel._handle_custom_msg(content, [])

    def test_messages_move_type_choose_and_are_acknowledged(self) -> None:
        explorer = toy()
        panel, plot, notes = explorer.widget.children
        stops = explorer.controls["T"].stops
        self.send(explorer, kind="move", name="T", position=stops.index(4.0))
        assert panel.ack == 1
        assert plot.data[-1].y.tolist() == [4, 5, 6]
        assert panel.state["positions"]["T"] == stops.index(4.0)
        self.send(explorer, kind="type", name="T", text="<b>99</b>")
        assert panel.ack == 2
        assert panel.state["errors"]["T"] == "T=<b>99</b>: must be a number from 0.0078125 to 16"
        assert panel.state["texts"]["T"] == "4"
        self.send(explorer, kind="preset", name="hot")
        assert panel.state["preset"] == "hot"
        self.send(explorer, kind="reset")
        assert panel.state["texts"]["T"] == "0.5"
        self.send(explorer, kind="table", open=True)
        assert "<td>2.5</td>" in notes.state["table"]
        self.send(explorer, kind="move", name="T", position=stops.index(1.0))
        assert "<td>3</td>" in notes.state["table"]
        self.send(explorer, kind="table", open=False)
        assert notes.state["table"] == ""

    def test_a_page_that_asks_gets_the_present_figure(self) -> None:
        explorer = toy()
        plot = explorer.widget.children[1]
        assert plot.comm is not None
        explorer.set(T=4.0)
        told = plot.get_state()
        assert [trace["uid"] for trace in told["_widget_data"]] == [trace.uid for trace in plot.data]
        assert np.frombuffer(told["_widget_data"][-1]["y"]["buffer"]).tolist() == [4, 5, 6]
        assert told["_widget_layout"]["title"] == plot.to_plotly_json()["layout"]["title"]
        assert told["_config"] == CONFIG

    def test_a_page_that_missed_something_is_drawn_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        explorer = toy()
        plot = explorer.widget.children[1]
        sent: list[tuple[str, Any]] = []
        for name in ("deleteTraces", "addTraces", "relayout"):
            monkeypatch.setattr(plot, f"_send_{name}_msg", lambda told, name=name: sent.append((name, told)))
        self.send(explorer, kind="drawn", traces=len(plot.data))
        assert not sent  # nothing has changed: nothing is drawn again
        self.send(explorer, kind="drawn", traces=0)
        assert [name for name, _ in sent] == ["addTraces", "relayout"]  # there is nothing to take away
        sent.clear()
        self.send(explorer, kind="drawn", traces=len(plot.data))
        assert [name for name, _ in sent] == ["deleteTraces", "addTraces", "relayout"]
        assert sent[0][1] == list(range(len(plot.data)))
        assert [trace["uid"] for trace in sent[1][1]] == [trace.uid for trace in plot.data]
        assert sent[2][1]["title"] == plot.to_plotly_json()["layout"]["title"]

    def test_a_closed_widget_is_made_anew(self) -> None:
        explorer = toy()
        first = explorer.widget
        first.close()
        assert explorer.widget is not first
        explorer.set(T=4.0)
        assert explorer.widget.children[1].data[-1].y.tolist() == [4, 5, 6]


class TestDisplay:
    def test_live_shows_the_widget_and_a_picture_with_a_line_how_to_make_it_live(self, displayed: list[Any]) -> None:
        toy()._ipython_display_()
        assert ["application/vnd.jupyter.widget-view+json" in shown for shown in displayed] == [True, False, False]
        assert "application/vnd.plotly.v1+json" in displayed[1]
        assert "gradscape-static" in displayed[2]["text/html"]
        assert "make lab" in displayed[2]["text/html"]
        assert displayed[0]["text/plain"] == "Explorer toy: run this cell to move its controls (T, n, act, noisy)."

    def test_headless_shows_only_the_picture(self, displayed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        explorer = toy(settings=Settings(T=4.0))
        explorer._ipython_display_()
        assert [sorted(shown) for shown in displayed] == [
            ["application/vnd.plotly.v1+json", "text/plain"], ["text/html", "text/plain"],
        ]
        assert displayed[0]["application/vnd.plotly.v1+json"]["data"][0]["y"] == [4, 5, 6]
        assert explorer._view is None

    def test_headless_does_not_depend_on_the_machines_speed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        explorer = toy(mode="quick", limit_s=0.0, compute=lambda values, task: np.array([float(task.cancelled)]))
        assert heights(explorer) == [0]

    def test_headless_failures_stop_the_notebook(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        with pytest.raises(ZeroDivisionError):
            toy(compute=lambda values, task: 1 / 0)

    def test_a_run_explorer_without_result_shows_only_the_line(
        self, displayed: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
        toy(mode="run")._ipython_display_()
        assert len(displayed) == 1
        assert "make lab" in displayed[0]["text/html"]

    def test_a_misspelt_mode_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "yes")
        with pytest.raises(ValueError, match="GRADSCAPE_HEADLESS='yes': must be 0, 1 or check"):
            toy()


class TestCheckMode:
    @pytest.fixture(autouse=True)
    def check(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GRADSCAPE_HEADLESS", "check")

    def test_visits_both_ends_of_every_control_and_all_presets(self) -> None:
        seen: list[dict[str, Any]] = []
        toy(compute=lambda values, task: (seen.append(dict(values)), compute(values, task))[1])
        start = {"T": 0.5, "n": 3, "act": "relu", "noisy": False}
        ends = [{"T": 2**-7}, {"T": 16}, {"n": 1}, {"n": 5}, {"act": "gelu"}, {"noisy": True}]
        for changes in (*ends, {"noisy": True, "n": 5}):
            assert {**start, **changes} in seen

    def test_a_run_explorer_computes_once(self) -> None:
        calls: list[float] = []
        toy(mode="run", compute=lambda values, task: (calls.append(values.T), compute(values, task))[1])
        assert calls == [0.5]

    @pytest.mark.parametrize(
        ("compute_", "draw", "message"),
        [
            (lambda v, t: np.array([1.0, np.nan]) if v.n == 5 else np.ones(2), None, "1 NaN or infinite y"),
            (lambda v, t: np.full(2, np.inf) if v.noisy else np.ones(2), None, "no finite y"),
            (lambda v, t: np.ones(0) if v.T == 16 else np.ones(2), None, "is empty"),
            (lambda v, t: np.ones(2), lambda f, r: f.update_layout(title="nothing"), "the figure is empty"),
        ],
    )
    def test_finds_nan_and_empty_figures_and_says_where(self, compute_: Any, draw: Any, message: str) -> None:
        with pytest.raises(AssertionError, match=message) as caught:
            toy(compute=compute_, **({"draw": draw} if draw else {}))
        assert caught.value.__notes__[0].startswith("explorer 'toy' at ")

    def test_finds_a_computation_that_fails_at_an_end(self) -> None:
        with pytest.raises(ZeroDivisionError) as caught:
            toy(compute=lambda values, task: np.ones(3) / (1 if values.T < 16 else 1 // 0))
        assert caught.value.__notes__ == ["explorer 'toy' at T = 16"]

    def test_finds_a_draw_that_works_only_once(self) -> None:
        def once(fig: go.Figure, result: Any) -> None:
            assert not fig.data, "drawn before"
            fig.add_scatter(y=result)

        with pytest.raises(AssertionError, match="drawn before"):
            toy(draw=once)

    def test_declared_gaps_pass(self) -> None:
        from gradscape.workbench import add_line, redraw

        def fig_gaps(result: np.ndarray) -> go.Figure:
            fig = figure("gaps")
            add_line(fig, np.arange(3), [1.0, np.nan, 2.0], "with a hole", gaps=True)
            return fig

        assert len(fig_toy(np.ones(2)).data) == 1
        toy(draw=redraw(fig_gaps))
