"""The command line: what it says, what it refuses with exit code 2, and that refusing writes nothing."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gradscape import catalog, cli, results
from gradscape.batch import lab, plan, run
from gradscape.batch.outcome import DONE, Outcome
from typer.testing import CliRunner

from tests.batch import toy


def call(*words: str) -> Any:
    return CliRunner().invoke(cli.app, list(words), env={"COLUMNS": "160", "TERM": "dumb"})


def files(folder: Path) -> dict[str, bytes]:
    return {str(place.relative_to(folder)): place.read_bytes() for place in folder.rglob("*") if place.is_file()}


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom gradscape import cli\nsys.argv = ['gradscape', '--help']\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "heavy = ('torch', 'numpy', 'papermill', 'nbformat', 'plotly', 'pydantic', 'jinja2')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for command in ("list", "show", "run", "record", "report", "check", "data", "lab"):
        assert f" {command} " in done.stdout


def test_list_shows_planned_lessons_as_planned(course):
    course("plain")
    shown = call("list")
    assert shown.exit_code == 0
    lines = {line.split()[0]: line for line in shown.output.splitlines() if line.startswith("toys/")}
    assert lines["toys/plain"].rstrip().endswith("available")
    assert lines["toys/later"].rstrip().endswith("planned")
    assert "2 papers, 1 lessons available" in shown.output


def test_show_tells_ranges_sizes_claims_and_minutes(course):
    course("plain")
    shown = call("show", "plain").output
    for words in ("a number from 0.1 to 2", "a whole number from 1 to 10", "runs", "smoke", "x 1 ± 0.1",
                  "One is <b>one</b> & nothing else.", "10 minutes", "gradscape run toys/plain -p rate=0.5 -p steps=3"):
        assert words in shown
    assert "state: planned" in call("show", "later").output


@pytest.mark.parametrize(("words", "message"), [
    (["run", "plane"], "did you mean"),
    (["run", "later"], "planned"),
    (["run", "-p", "speed=1"], "no such parameter"),
    (["run", "-p", "rate=fast"], "must be a number from 0.1 to 2"),
    (["run", "-p", "rate=7"], "must be a number from 0.1 to 2"),
    (["run", "-p", "other:rate=1", "plain"], "toys/other is not selected"),
    (["run", "--profile", "huge"], "smoke, quick, full"),
    (["run", "--profile", "smoke", "-p", "profile=full"], "profile is given twice"),
    (["run", "-p", "rate"], "NAME=VALUE"),
    (["run", "--out", "data"], "empty"),
    (["run", "--resume", "data"], "holds no run"),
    (["run", "--resume", "data", "plain"], "cannot be given"),
    (["run", "--store", "--profile", "full"], "--store"),
    (["run", "--store", "-p", "rate=1"], "--store"),
    (["run", "start_here"], "no lesson"),
    (["run", "--workers", "0"], "--workers"),
    (["run", "--timeout", "soon"], "--timeout"),
    (["show", "../plain"], "no such lesson"),
    (["record", "plain", "--table", "none"], "has claims, rates"),
    (["record", "plain", "-p", "rate=9"], "0.1 to 2"),
    (["record", "later"], "planned"),
    (["report"], "no run in"),
    (["report", "data"], "holds no run"),
    (["check", "later"], "planned"),
    (["data", "fetch", "everything"], "mnist"),
    (["unknown"], "No such command"),
])
def test_bad_input_ends_with_one_message_and_code_2_and_writes_nothing(course, monkeypatch, words, message):
    folder = course("plain", "other")
    monkeypatch.setattr(catalog.find("plain").load(), "TABLES", {"rates": None}, raising=False)
    before = files(folder)
    shown = call(*words)
    assert shown.exit_code == 2, shown.output
    assert message in shown.output
    assert "Traceback" not in shown.output
    assert files(folder) == before
    assert not (folder / "runs").exists()


def test_report_takes_the_newest_run(course):
    course("plain")
    made = plan.make(plan.select([]))
    store = run.start(made)
    store.commit(made.points[0], Outcome(made.points[0].key, DONE, notebook=None))
    shown = call("report")
    assert shown.exit_code == 0
    assert Path(shown.output.strip()) == (store.folder / "site" / "index.html").resolve()
    assert Path(shown.output.strip()).is_file()


def test_record_writes_a_table_of_claims_in_the_profile_full(course):
    folder = course("plain")
    shown = call("record", "plain", "--table", "claims")
    assert shown.exit_code == 0, shown.output
    place = folder / "data" / "results" / "toys" / "plain" / "claims.json"
    table = json.loads(place.read_text())
    assert table["settings"]["profile"] == "full"
    assert table["columns"]["verdict"] == ["reproduced", "holds"]
    assert results.load("plain", "claims").columns["n"] == [16, None]
    assert call("record", "plain", "--table", "claims", "--profile", "quick", "-p", "seed=2").exit_code == 0
    assert results.load("plain", "claims").columns["measured"] == ["x 1.02", "x 0"]


def test_record_makes_every_declared_table_and_keeps_large_ones_out(course, monkeypatch):
    folder = course("plain")
    module = catalog.find("plain").load()
    size = {"n": 10}

    def rates(settings: toy.Settings) -> results.Table:
        return results.make("toys/plain", "rates", {"rate": [settings.rate] * size["n"]}, settings)

    monkeypatch.setattr(module, "TABLES", {"rates": rates}, raising=False)
    assert call("record", "plain").exit_code == 0
    place = folder / "data" / "results" / "toys" / "plain"
    assert {p.name for p in place.iterdir()} == {"claims.json", "rates.json"}
    before = files(place)
    size["n"] = 100_000
    shown = call("record", "plain", "--table", "rates")
    assert shown.exit_code == 2
    assert "200000 are allowed" in shown.output
    assert files(place) == before


def test_check_lists_faults_with_code_1(course):
    course("plain")
    shown = call("check", "plain")
    assert shown.exit_code == 1
    assert "toys/plain: cell 2: no execution count" in shown.output


def test_data_list_and_a_set_that_cannot_be_had(course, monkeypatch):
    course("plain")
    monkeypatch.setattr("gradscape.datasets.remote_sets", lambda: (), raising=False)
    assert call("data", "list").exit_code == 0
    from gradscape.datasets import DataError

    def fetch(name: str, **_: object) -> Path:
        raise DataError(f"{name} is nowhere: try again")

    monkeypatch.setattr("gradscape.datasets.fetch", fetch, raising=False)
    shown = call("data", "fetch", "mnist")
    assert shown.exit_code == 1
    assert shown.output.strip() == "mnist is nowhere: try again"


def test_lab_listens_on_this_machine_only_and_opens_the_start_page(course):
    folder = course("plain")
    toy.write(folder / "notebooks" / "start_here.ipynb", toy.notebook())
    words = lab.command(8890, browser=False)
    assert "--ServerApp.ip=127.0.0.1" in words
    assert "--ServerApp.port=8890" in words
    assert "--LabApp.default_url=/lab/tree/notebooks/start_here.ipynb" in words
    assert "--ServerApp.open_browser=False" in words
    assert not [word for word in words if "allow_root" in word]
    assert "--ServerApp.allow_root=True" in lab.command(8890, browser=False, allow_root=True)
    assert not [word for word in words if "token" in word or "password" in word]
    settings = json.loads((lab.CONFIG / "labconfig" / "default_setting_overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert lab.environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0] == str(lab.CONFIG)


@pytest.mark.standard
@pytest.mark.xdist_group("kernels")
def test_a_run_ends_with_scoreboard_site_and_code(course):
    folder = course("plain", "failing")
    shown = call("run", "--workers", "2", "-p", "plain:seed=3", "--timeout", "60")
    assert shown.exit_code == 1, shown.output
    for words in ("toys/plain done in", "toys/failing FAILED", "cell 8 (raise ArithmeticError", "x 1.03", "reproduced",
                  "Claims of the papers: 1 reproduced, 1 not run", "Lessons: 1 of 2 done", "1 more are planned"):
        assert words in shown.output
    site = Path(shown.output.partition("Site: ")[2].strip())
    assert site.is_file()
    assert site.is_relative_to(folder / "runs")
    again = call("run", "--resume", str(site.parent.parent))
    assert again.exit_code == 1
    assert "1 lesson to run with 1 worker, 1 finished before" in again.output
    assert call("run", "plain", "--profile", "smoke").exit_code == 0


@pytest.mark.standard
@pytest.mark.xdist_group("kernels")
def test_store_refreshes_notebooks_that_then_have_no_fault(course):
    folder = course("plain", "failing")
    toy.write(folder / "notebooks" / "start_here.ipynb", toy.notebook())
    before = files(folder / "notebooks")
    shown = call("run", "--store", "--profile", "quick")
    assert shown.exit_code == 1
    assert "toys/plain: stored" in shown.output
    assert "start_here: stored" in shown.output
    after = files(folder / "notebooks")
    assert {name for name in after if after[name] != before[name]} == {"toys/plain.ipynb", "start_here.ipynb"}
    faults = [line for line in call("check").output.splitlines() if "cannot be imported" not in line]
    assert not [line for line in faults if line.startswith(("toys/plain", "start_here"))], faults
