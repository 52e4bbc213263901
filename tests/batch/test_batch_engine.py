"""Executions in real kernels: how each of them can end, and what is kept of it."""
from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import psutil
import pytest
from gradscape.batch import engine, execute
from gradscape.batch.execute import Limits, Work
from gradscape.batch.outcome import DONE, FAILED, KILLED, TIMED_OUT, Outcome, plain

from tests.batch import toy

pytestmark = [pytest.mark.standard, pytest.mark.xdist_group("kernels")]


def run(*bodies: str, timeout: float = 60.0, headless: str = "1", **parameters: object) -> Outcome:
    cells = [toy.code("value: int = 1  # a number", "parameters"), *map(toy.code, bodies)]
    text = nbformat.writes(nbformat.v4.new_notebook(cells=cells))
    return execute.execute(Work("key", "toy", text, parameters, Limits(timeout, headless=headless)))


def printed(outcome: Outcome) -> str:
    node = nbformat.reads(outcome.notebook, as_version=4)
    return "".join(output.get("text", "") for cell in node.cells for output in cell.get("outputs", []))


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_done_keeps_times_and_memory_and_stores_no_widgets():
    outcome = run("import ipywidgets\nipywidgets.IntSlider()", "x = bytearray(120_000_000)", "print(value)", value=5)
    assert outcome.status == DONE
    assert printed(outcome) == "5\n"
    node = nbformat.reads(outcome.notebook, as_version=4)
    assert "widgets" not in node.metadata
    assert [cell["count"] for cell in outcome.cells] == [1, 2, 3, 4, 5]
    assert 120e6 < outcome.peak_memory < 1e9
    assert 0 < outcome.start_seconds < outcome.seconds
    assert outcome.cpu_seconds > 0.1
    assert not children()


def test_the_kernel_is_headless_capped_and_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADSCAPE_ROOT", ".")
    ask = (
        "import json, os, sys\nfrom pathlib import Path\nPath('litter').write_text('x')\n"
        "names = ('GRADSCAPE_HEADLESS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'GRADSCAPE_ROOT')\n"
        "print(json.dumps([*(os.environ[name] for name in names), sys.executable]))"
    )
    found = json.loads(printed(run(ask, headless="check")))
    assert found == ["check", "1", "1", str(tmp_path), sys.executable]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("body", "status", "name", "words"), [
    ("1 / 0", FAILED, "ZeroDivisionError", "division by zero"),
    ("import sys; sys.exit(2)", FAILED, "SystemExit", "2"),
    ("def broken(:", FAILED, "SyntaxError", ""),
    ("import os; os._exit(3)", KILLED, "KernelDied", "ended by itself with code 3"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", KILLED, "KernelDied", "SIGKILL"),
    ("import ctypes; ctypes.string_at(0)", KILLED, "KernelDied", "SIGSEGV"),
])
def test_bad_endings_are_told_apart_with_cell_and_error(body, status, name, words):
    outcome = run("print('before')", body, "print('after')", value=2)
    assert (outcome.status, outcome.error.name, outcome.error.cell) == (status, name, 3)
    assert words in outcome.error.message
    assert outcome.error.source == body
    assert printed(outcome).startswith("before")
    assert "after\n" not in printed(outcome)
    assert not children()


@pytest.mark.parametrize("body", ["while True: pass", "import time; time.sleep(60)", "while True: print('x' * 1000)"])
def test_endless_cells_time_out_and_their_kernel_is_gone(body):
    outcome = run(body, timeout=3.0)
    assert (outcome.status, outcome.error.cell) == (TIMED_OUT, 2)
    assert 2.5 < outcome.seconds < 20
    assert len(outcome.notebook) < 4_000_000
    assert not children()


def test_the_deadline_is_for_the_whole_run():
    outcome = run(*["import time; time.sleep(1.2)"] * 6, timeout=4.0)
    assert outcome.status == TIMED_OUT
    assert outcome.error.cell > 2


@pytest.mark.parametrize("text", ["", "{}", '{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'])
def test_a_damaged_notebook_fails_before_its_first_cell(text):
    outcome = execute.execute(Work("key", "toy", text, {}))
    assert outcome.status == FAILED
    assert outcome.error.where() == "before the first cell"


@pytest.mark.parametrize("value", ["'); import os; os._exit(9) #", '"""\nraise SystemExit', "\\", "\u2028\x00", "{x}"])
def test_a_parameter_is_never_code(value):
    outcome = run("print(repr(word))", word=value)
    assert outcome.status == DONE
    assert printed(outcome) == repr(value) + "\n"


def test_papermills_own_command_takes_the_engine(tmp_path):
    place = tmp_path / "in.ipynb"
    nbformat.write(toy.notebook(), place)
    command = [sys.executable, "-m", "papermill", "--engine", "gradscape", "--no-progress-bar", str(place), "out.ipynb"]
    done = subprocess.run([*command, "-p", "rate", "2.0"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    node = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert node.cells[2].metadata.tags == ["injected-parameters"]
    assert node.metadata.gradscape.peak_memory > 0


@pytest.mark.parametrize("first", ["gradscape.batch.engine", "gradscape.batch.kernel", "papermill"])
def test_whatever_is_imported_first_finds_the_engine(first):
    code = f"import {first}, papermill.engines as e; print(e.papermill_engines.get_engine('gradscape').__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == engine.GradscapeEngine.__name__


def test_terminal_colors_are_taken_out():
    assert plain("\x1b[31mred\x1b[0m \x1b[1;4mbold\x1b[0m") == "red bold"
