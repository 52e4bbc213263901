"""Every lesson's explorers in JupyterLab: each slider moved by keyboard changes its figure, silently and offline."""
from __future__ import annotations

import subprocess
from typing import Any

import pytest
from gradscape import catalog

from tests.browser.lab import Lab, explorers_only

# one lesson per class of explorer is enough for a working day, with those that changed; all of them every night
REPRESENTATIVES = ("dynamics/high_dimensional", "optimizers/diffgrad", "diffusion/projected_guidance")


def changed_since_main() -> frozenset[str]:
    """Ids of lessons whose files differ from the branch ``main`` (none where git cannot say)."""
    command = ["git", "-C", str(catalog.root()), "diff", "--name-only", "main", "--", "lib", "notebooks"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(
        lesson.id for lesson in catalog.lessons(available=True)
        if any(f"/{lesson.id}/" in f"/{path}" or f"/{lesson.id}." in f"/{path}" for path in listed)
    )


def lessons() -> list[Any]:
    daily = {*REPRESENTATIVES, *changed_since_main()}
    return [
        pytest.param(lesson, id=lesson.id, marks=[pytest.mark.browser] if lesson.id in daily else
                     [pytest.mark.browser, pytest.mark.slow])
        for lesson in catalog.lessons(available=True)
    ]


@pytest.mark.parametrize("lesson", lessons())
def test_explorers_of(lesson: catalog.Lesson, opened: Any, lab: Lab) -> None:
    name = f"{lesson.unit}_{lesson.slug}.ipynb"
    count = explorers_only(lesson.notebook, lab.root / name, {"profile": "smoke"})
    assert count, f"{lesson.id} has no cell tagged explorer"
    page = opened(name)
    page.run_all()
    for explorer in page.explorers(count):
        plot = explorer.plot
        assert plot.get_attribute("role") == "img"
        assert len(plot.get_attribute("aria-label")) > 40
        for k in range(explorer.controls().count()):
            control = explorer.controls().nth(k)
            label = control.get_attribute("aria-label")
            assert label, f"{explorer.name}: control {k} has no accessible name"
            if explorer.mode == "run":
                explorer.press(control, "ArrowRight")
            else:
                assert explorer.moves(control), f"{explorer.name}: {label} did not change the figure"
        if explorer.mode == "run":
            before = explorer.drawn()
            explorer.run()
            assert explorer.await_change(before), f"{explorer.name}: Run did not change the figure: {explorer.status}"
        assert explorer.root.locator(".gs-status[data-kind=error]").count() == 0, explorer.status
