"""The benchmarks run at their smallest, and their page is put together from what they print."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2] / "benchmarks"
PAGE = HERE.parent / "docs" / "benchmarks.md"
SLOW = {"course.py", "sweep.py", "sessions.py", "metric_losses.py", "gradient_coding_search.py"}


def load(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report = load("report")


def marks(script):
    if script == "browser.py":
        return [pytest.mark.browser, pytest.mark.slow]
    return [pytest.mark.slow if script in SLOW else pytest.mark.standard]


@pytest.mark.parametrize("script", [pytest.param(name, marks=marks(name), id=name) for name in report.SCRIPTS])
def test_a_script_runs_at_its_smallest_and_prints_a_table(script):
    done = subprocess.run(
        [sys.executable, str(HERE / script), "--tiny"], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "\n|---" in done.stdout


def test_the_report_knows_every_script_and_the_page_names_it():
    found = {path.name for path in HERE.glob("*.py")}
    assert found == {*report.SCRIPTS, *report.HELPERS}
    page = PAGE.read_text(encoding="utf-8")
    for script in report.SCRIPTS:
        assert f"`benchmarks/{script}`" in page or f"`{script}`: not measured yet" in page, script


def test_sections_are_kept_replaced_and_what_falls_short_is_listed(tmp_path):
    page = tmp_path / "page.md"
    short = "text\n\n- **short of its goal** 256 networks: 4 times (goal: at least 5 times). Cause: width.\n"
    met = ("- **met** start: 1 times (goal: at most 2 times).\n"
           "- **behind** a table: scipy takes 0.50 of our time. Cause: x.\n")
    sections = {
        "many_networks.py": report.section("many_networks.py", short, 90.0, (0.5, 1.5)),
        "start.py": report.section("start.py", met, 30.0, (0.5, 0.5)),
    }
    report.write(page, sections)
    assert report.read(page).keys() == sections.keys()
    text = page.read_text()
    top = text[: text.index("<!-- many_networks.py -->")]
    assert "- `many_networks.py`: 256 networks: 4 times (goal: at least 5 times). Cause: width." in top
    assert "- `start.py`: a table: scipy takes 0.50 of our time. Cause: x." in top
    assert "start: 1 times" not in top
    assert "- `growth.py`: not measured yet." in top
    assert "(2 minutes of work" in top
    again = report.read(page)
    again["start.py"] = report.section("start.py", "- **met** all well.\n", 30.0, (0.5, 0.5))
    report.write(page, again)
    assert report.read(page)["many_networks.py"].strip() == sections["many_networks.py"].strip()
    assert "scipy" not in page.read_text()


def test_goals_and_tables_are_markdown(capsys):
    side = load("side_by_side")
    times = side.Times(["ours", "theirs", "other"])
    times.update(ours=[2.0, 2.0, 2.0], theirs=[1.0, 1.2, 0.8], other=[0.1, 0.1, 0.1])
    side.report("a case", times, behind="it does less", others=("other",))
    printed = capsys.readouterr().out
    assert "| theirs | 1.00 s | 0.50 |" in printed
    assert "- **behind** a case: theirs takes 0.50 of our time. Cause: it does less." in printed
    assert "other takes" not in printed
    assert side.goal("x", 6.0, 5.0)
    assert not side.goal("y", 0.3, 0.15, "", most=True, cause="size")
    printed = capsys.readouterr().out
    assert "- **met** x: 6 times (goal: at least 5 times)." in printed
    assert "- **short of its goal** y: 0.3 (goal: at most 0.15). Cause: size." in printed
    with pytest.raises(SystemExit):
        side.agree("differences", 2.0, 1.0)
    with pytest.raises(SystemExit):
        side.agree("differences", float("nan"), 1.0)
