"""The workbench in JupyterLab as a reader meets it: keys, messages, names, and nothing over the network."""
from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.browser import demo
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser


def test_explorers_answer_by_keyboard_and_name_everything(notebook: Any) -> None:
    live, early, training = notebook.explorers(4)[:3]
    assert [live.mode, early.mode, training.mode] == ["live", "quick", "run"]

    # each control moves the figure by a key alone, and says what it is
    for k in range(live.controls().count()):
        control = live.controls().nth(k)
        assert control.get_attribute("aria-label")
        assert live.moved(control), f"control {k} did not change the figure"
    slider = live.root.get_by_role("slider", name="T, temperature")
    assert slider.count() == 1
    assert slider.get_attribute("aria-valuetext") == live.text_box("T").input_value()
    plot = live.root.locator(".js-plotly-plot")
    assert plot.get_attribute("role") == "img"
    assert plot.get_attribute("aria-label").startswith("Line chart: Decay now. It falls & stays.")

    # bad text: one line that names parameter, value and range; the figure stays; a good value clears it
    before, box = live.drawn(), live.text_box("T")
    box.fill("99")
    box.press("Enter")
    message = live.root.locator(".gs-control[data-name=T] .gs-error")
    message.filter(has_text="T=99: must be a number from 0.0078125 to 16").wait_for(timeout=20_000)
    assert box.get_attribute("aria-invalid") == "true"
    assert live.drawn() == before
    box.fill("2^-2")
    box.press("Enter")
    assert live.await_change(before)
    assert message.inner_text() == ""
    assert box.input_value() == "0.25"

    # what the computation refuses is told inline, as text
    box.fill("16")
    box.press("Enter")
    live.root.get_by_text("T > 15 melts <b>everything</b>").wait_for(timeout=20_000)

    # presets, reset, the table on request
    live.press(live.button("hot"), "Enter")
    live.root.locator("[data-preset=hot][aria-pressed=true]").wait_for(timeout=20_000)
    assert box.input_value() == "8"
    live.root.get_by_text("Data table").click()
    live.root.locator(".gs-table td").first.wait_for(timeout=20_000)
    assert live.root.locator(".gs-table tr").count() <= 52
    live.press(live.button("Reset"), "Enter")
    live.root.locator("[data-preset=hot][aria-pressed=false]").wait_for(timeout=20_000)
    assert box.input_value() == "0.5"

    # the quick one stops at its limit and says so
    assert early.status.startswith("stopped early after")
    before = early.drawn()
    early.press(early.controls().first, "End")
    assert early.await_change(before)


def test_run_explorer_computes_cancels_and_reports(notebook: Any) -> None:
    training = notebook.explorers(4)[2]
    before = training.drawn()
    training.press(training.controls().first, "End")
    training.root.get_by_text("press Run to compute at these values").wait_for(timeout=20_000)
    assert training.drawn() == before
    training.press(training.button("Run"), "Enter")
    bar = training.root.get_by_role("progressbar")
    bar.wait_for(timeout=20_000)
    training.press(training.button("Cancel"), "Enter")
    training.root.get_by_text("cancelled").wait_for(timeout=20_000)
    assert training.drawn() == before
    training.run()
    assert training.await_change(before)
    assert not bar.is_visible()


def test_a_figure_that_went_through_other_kinds_looks_as_if_drawn_afresh(notebook: Any) -> None:
    kinds = notebook.explorers(4)[3]
    choice, plot = kinds.controls().first, kinds.root.locator(".js-plotly-plot")
    looks: dict[str, bytes] = {}
    for kind in ("line", "marked", "points", "map", "image", "marked", "line", "map", "points", "image", "line"):
        before = kinds.drawn()
        choice.select_option(kind)
        kinds.await_change(before, 5.0)
        notebook.page.wait_for_timeout(500)  # plotly's own transitions
        shot = plot.screenshot()
        assert looks.setdefault(kind, shot) == shot, f"{kind} looks different the second time"


def test_pictures_hide_behind_live_views_and_return_when_reopened(notebook: Any, opened: Any, lab: Lab) -> None:
    page = notebook.page
    notebook.explorers(4)
    assert page.locator(".js-plotly-plot:visible").count() == 5  # one figure, four explorers, no picture beside them
    assert not page.get_by_text("Picture of an explorer.").first.is_visible()

    # a prediction made after everything ran still opens the comparison
    page.get_by_role("radio", name="bends it").check()
    page.get_by_text("You predicted: bends it. It is: shifts the curve").wait_for(timeout=20_000)

    page.keyboard.press("Control+s")
    page.get_by_text("Saving completed").first.wait_for(timeout=20_000)
    # under another name: the same name would find the running kernel, and with it the live views
    shutil.copy(lab.root / "demo.ipynb", lab.root / "reopened.ipynb")
    again = opened("reopened.ipynb")
    again.page.get_by_text("Picture of an explorer.").first.wait_for(timeout=20_000)
    assert again.page.locator(".gradscape-explorer").count() == 0
    # JupyterLab draws stored figures from the picture that it saved with them
    again.page.locator(".jp-OutputArea-output img:visible, .js-plotly-plot:visible").nth(3).wait_for(timeout=20_000)
    assert not again.page.get_by_text("model not found").first.is_visible()


def test_a_page_loaded_again_shows_the_figure_as_it_was_left(notebook: Any) -> None:
    state = ("plot => JSON.stringify([plot.data.map(trace => [trace.type, trace.name, [...trace.y ?? []]]), "
             "plot.layout.title, plot.layout.xaxis.title])")
    kinds = notebook.explorers(4)[3]
    before = kinds.drawn()
    kinds.controls().first.select_option("points")  # other traces than the page began with
    assert kinds.await_change(before)
    left = kinds.plot.evaluate(state)
    notebook.page.keyboard.press("Control+s")
    notebook.page.get_by_text("Saving completed").first.wait_for(timeout=20_000)
    notebook.page.reload()
    again = notebook.explorers(4, 60)[3]
    notebook.page.wait_for_timeout(1000)
    assert again.plot.evaluate(state) == left


@pytest.mark.slow
def test_explorers_answer_on_a_slow_machine_too(opened: Any, lab: Lab) -> None:
    demo.write(lab.root / "slow.ipynb")
    page = opened("slow.ipynb")
    page.slow_down(8)  # beyond the two seconds that anywidget allows
    page.run_all()
    for explorer in page.explorers(4, 120)[:2]:
        before = explorer.drawn()
        explorer.press(explorer.controls().first, "Home")
        assert explorer.await_change(before, 60)
        assert explorer.text_box("T").input_value() == "0.0078125"
