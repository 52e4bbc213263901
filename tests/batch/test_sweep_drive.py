"""A sweep carried out by an executor in this process: retries, interruptions, resumption, commands and refusals."""
from __future__ import annotations

import dataclasses
from concurrent.futures import Future

import pytest
from gradscape import batch, catalog
from gradscape.batch import run
from gradscape.batch.call import call
from gradscape.batch.executors.local import OVER_MEMORY
from gradscape.batch.outcome import DONE, FAILED, KILLED, TIMED_OUT, Failure, Outcome
from gradscape.batch.parameters import ParameterError
from gradscape.batch.sweeps import api, stability
from gradscape.batch.sweeps.command import duration, line_of
from gradscape.batch.sweeps.drive import State
from gradscape.batch.sweeps.store import SweepStore
from gradscape.lesson import Point
from gradscape.sweeptable import SweepTable

from tests.batch.test_cli import call as gradscape


class Here:
    """Computes at once in this process; ``endings`` are used up before a point with that seed is computed."""

    def __init__(self, **endings: list[Outcome | BaseException]) -> None:
        self.endings, self.seen, self.cancelled = endings, [], False
        self.slots = 1

    def submit(self, work):
        self.seen.append((work.parameters["rate"], work.parameters["seed"]))
        future: Future[Outcome] = Future()
        queue = self.endings.get(f"seed{work.parameters['seed']}", [])
        ending = queue.pop(0) if queue else call(work)
        if isinstance(ending, BaseException):
            future.set_exception(ending)
        else:
            future.set_result(dataclasses.replace(ending, key=work.key))
        return future

    def cancel(self):
        self.cancelled = True

    def close(self):
        pass


@pytest.fixture
def ready(course, tmp_path):
    course("plain")
    made = api.prepare("plain", {"rate": "0.5,1.5", "seed": range(3)}, None, api.Options(function=True, claims=True))
    return made, SweepStore.create(tmp_path / "s", made.about)


def dead(name="WorkerDied"):
    return Outcome("", KILLED, error=Failure(name, "gone"))


def test_every_point_once_and_the_numbers_are_those_of_single_calls(ready):
    sweep, store = ready
    executor = Here()
    state = sweep.carry_out(store, executor)
    assert (state.done, state.failed, state.retried) == (6, 0, 0)
    assert len(executor.seen) == len(set(executor.seen)) == 6
    table = SweepTable.open(store.folder)
    for row in table.flat():
        assert row["product"] == row["rate"] * row["steps"]
        assert row["N1_measured"] == f"x {1 + 0.01 * row['seed']:g}"
    again = Here()
    assert sweep.carry_out(SweepStore.open(store.folder), again).kept == 6
    assert again.seen == []


def test_a_dead_kernel_is_retried_so_often_and_no_more(ready):
    sweep, store = ready
    executor = Here(seed1=[dead()], seed2=[dead(), dead(), dead(), dead(), dead(), dead()])
    state = sweep.carry_out(store, executor)
    assert (state.done, state.failed) == (4, 2)
    rows = SweepTable.open(store.folder).rows
    assert sorted(row["attempts"] for row in rows) == [1, 1, 1, 2, 3, 3]
    assert {row["status"] for row in rows if row["settings"]["seed"] == 2} == {KILLED}


@pytest.mark.parametrize("ending", [
    Outcome("", FAILED, error=Failure("ValueError", "wrong")), dead(OVER_MEMORY),
    Outcome("", TIMED_OUT, error=Failure("Timeout", "late")),
])
def test_errors_of_the_point_itself_are_not_retried(ready, ending):
    sweep, store = ready
    executor = Here(seed1=[ending, ending])
    state = sweep.carry_out(store, executor)
    assert (state.done, state.failed, state.retried) == (4, 2, 0)
    assert len(executor.seen) == 6
    resumed = Here()
    sweep.carry_out(SweepStore.open(store.folder), resumed)
    assert len(resumed.seen) == (0 if ending.status == FAILED else 2)


def test_ctrl_c_leaves_a_sweep_that_goes_on_where_it_stopped(ready):
    sweep, store = ready
    executor = Here(seed2=[KeyboardInterrupt()])
    with pytest.raises(run.Interrupted, match=r"--out .* --resume"):
        sweep.carry_out(store, executor)
    assert executor.cancelled
    kept = len(SweepTable.open(store.folder).done)
    assert 2 <= kept < 6
    rest = Here()
    sweep.carry_out(SweepStore.open(store.folder), rest)
    assert len(rest.seen) == 6 - kept
    assert len(SweepTable.open(store.folder).done) == 6


def test_a_point_that_makes_no_sense_has_its_error_in_its_row(ready, monkeypatch):
    sweep, store = ready

    def point(settings):
        if settings.rate > 1:
            raise ValueError("rate=1.5: too fast for this lesson")
        return Point({"product": 1.0})

    monkeypatch.setattr(catalog.find("plain").load(), "point", point)
    state = sweep.carry_out(store, Here())
    assert (state.done, state.failed, state.retried) == (3, 3, 0)
    assert "too fast" in SweepTable.open(store.folder).rows[3]["error"]


def test_from_python_with_plain_processes_refused_before_anything_starts(course, tmp_path):
    course("plain")
    for wrong, message in (
        ({"parameters": {"speed": 1}}, "unknown parameter"), ({"workers": 0}, "workers=0"), ({"memory": -1}, "memory"),
        ({"function": True, "notebooks": True}, "--notebooks"), ({"resume": True}, "out"),
        ({"scheduler": "tcp://127.0.0.1:1", "workers": 2}, "--workers"), ({"retries": -1}, "retries"),
    ):
        with pytest.raises(ParameterError, match=message):
            batch.sweep("plain", **{"parameters": {"rate": 0.5}, **wrong})
    with pytest.raises(ValueError, match="planned"):
        batch.sweep("later", {})
    assert not (tmp_path / "course" / "runs").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["sweep"], "which lesson"),
    (["sweep", "plane"], "did you mean"),
    (["sweep", "plain", "-p", "speed=1"], "unknown parameter"),
    (["sweep", "plain", "-p", "rate=0.5:0.1:1"], "wrong sign"),
    (["sweep", "plain", "-p", "rate=log:0:1:3"], "logarithmic"),
    (["sweep", "plain", "-p", "seed=0:1000000"], "200000"),
    (["sweep", "plain", "-p", "seed=0:1000"], "--yes"),
    (["sweep", "plain", "--out", "data"], "empty"),
    (["sweep", "plain", "--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler answers"),
    (["sweep", "plain", "--scheduler", "nonsense://x"], "no Dask scheduler answers"),
    (["sweep", "--resume"], "no sweep in"),
    (["sweep", "--resume", "--out", "data"], "holds no sweep"),
    (["sweep", "plain", "--workers", "0"], "--workers"),
    (["results", "data"], "holds no sweep"),
    (["stability", "later"], "planned"),
])
def test_bad_input_is_one_message_and_code_2_and_writes_nothing(course, monkeypatch, words, message):
    from gradscape.batch.executors import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 0.3)
    folder = course("plain")
    before = sorted(folder.rglob("*"))
    shown = gradscape(*words)
    assert shown.exit_code == 2, shown.output
    assert message in shown.output
    assert "Traceback" not in shown.output
    assert sorted(folder.rglob("*")) == before


def test_results_report_and_stability_of_a_finished_sweep(course, monkeypatch, tmp_path):
    folder = course("plain")
    (folder / "docs").mkdir()
    monkeypatch.setattr(api.Sweep, "executor", lambda self: Here())
    shown = gradscape("sweep", "plain", "-p", "rate=0.5,1.5", "-p", "seed=0:3", "--function", "--claims", "--out", "s")
    assert shown.exit_code == 0, shown.output
    assert "rate 2 values × seed 3 values = 6 points" in shown.output
    shown = gradscape("results", "s", "--csv", "s.csv")
    assert "6 of 6 points done" in shown.output
    assert "reproduced 6" in shown.output
    assert len((folder / "s.csv").read_text().splitlines()) == 7
    shown = gradscape("sweep", "--resume", "--out", "s")
    assert "0 points to compute, 6 are there already" in shown.output
    shown = gradscape("report", "s")
    page = (folder / "s" / "site" / "index.html").read_text()
    assert shown.output.strip().endswith("s/site/index.html")
    assert "product" in page
    assert "the same everywhere" in page
    assert "://" not in page
    assert gradscape("sweep", "plain", "-p", "rate=0.7", "--resume", "--out", "s").exit_code == 2


def test_stability_writes_a_table_and_a_page_and_marks_what_hangs_on_the_seed(course, monkeypatch):
    folder = course("plain")
    monkeypatch.setattr(api.Sweep, "executor", lambda self: Here())
    shown = gradscape("stability", "plain")
    assert shown.exit_code == 0, shown.output
    page = (folder / "docs" / "stability.md").read_text()
    # N1 is within 0.1 of 1 up to seed 9
    assert "| N1 | paper | reproduced 10/20, not reproduced 10/20 | **unstable** |" in page
    assert "| C1 | control | holds 20/20 |  |" in page
    shares = stability.shares("toys/plain")
    assert {name: stability.unstable(counts) for name, counts in shares.items()} == {"N1": "10 of 20 seeds", "C1": ""}
    again = gradscape("stability", "plain")
    assert "0 points to compute" in again.output
    from gradscape.batch import plan
    from gradscape.batch.scoreboard import board

    made = plan.make(plan.select([]))
    rows = {row.id: row for row in board(run.start(made)).rows}
    assert [claim["unstable"] for claim in rows["toys/plain"].claims] == ["10 of 20 seeds", ""]


def test_progress_is_told_with_the_time_left():
    state = State(total=10, kept=2, done=3, failed=1, retried=4)
    state.begun -= 8
    assert line_of(state).startswith("[6/10] 1 failed, 4 retried, 8 s left")
    assert [duration(s) for s in (5, 600, 7200)] == ["5 s", "10 min", "2.0 h"]
    assert State(total=3).left_seconds is None


def test_nothing_heavy_is_imported_for_help_or_for_the_package():
    import subprocess
    import sys

    code = ("import sys, gradscape.batch, gradscape.cli\n"
            "print([n for n in ('dask', 'distributed', 'pyarrow', 'numpy', 'pydantic') if n in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_done_is_the_same_word_everywhere():
    from gradscape import sweeptable

    assert sweeptable.DONE == DONE
