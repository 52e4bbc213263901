"""Whole runs of toy courses: endings told apart, nothing computed twice, nothing lost when it is interrupted."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from gradscape import catalog
from gradscape.batch import plan, run
from gradscape.batch.execute import Work
from gradscape.batch.outcome import DONE, FAILED, KILLED, TIMED_OUT, Outcome
from gradscape.batch.parameters import parse
from gradscape.batch.scoreboard import NOT_RUN, PLANNED, board
from gradscape.batch.store import Store, StoreError

from tests.batch import toy


class Instant:
    """An executor that ends everything at once, in the way its table says."""

    def __init__(self, **statuses: str) -> None:
        self.statuses, self.seen, self.cancelled, self.closed = statuses, [], False, False

    def submit(self, work: Work) -> Future[Outcome]:
        self.seen.append(work)
        status = self.statuses.get(work.label.partition("/")[2], DONE)
        future: Future[Outcome] = Future()
        if status == "interrupt":
            future.set_exception(KeyboardInterrupt())
        else:
            future.set_result(Outcome(work.key, status, seconds=1.0, notebook=work.notebook))
        return future

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        self.closed = True


def begun(*names: str, texts: tuple[str, ...] = ()) -> tuple[Store, plan.Plan]:
    made = plan.make(plan.select(list(names)), parse(texts))
    return run.start(made), made


def test_a_finished_point_is_never_computed_again(course):
    course("plain", "other")
    store, made = begun()
    first = Instant(other=FAILED)
    outcomes = run.carry_out(store, made, executor=first)
    assert {name: outcome.status for name, outcome in outcomes.items()} == {"toys/plain": DONE, "toys/other": FAILED}
    assert first.closed
    again = Instant()
    folder = Store.open(store.folder)
    outcomes = run.carry_out(folder, run.replan(folder), executor=again)
    assert [work.label for work in again.seen] == ["toys/other"]
    assert {outcome.status for outcome in outcomes.values()} == {DONE}
    assert len(folder.about["resumed"]) == 1


def test_changed_code_is_computed_again_with_the_same_settings(course):
    course()
    store, made = begun(texts=("rate=1.5", "seed=3"))
    run.carry_out(store, made, executor=Instant())
    toy.write(catalog.find("plain").notebook, toy.notebook(body="print('new')"))
    folder, executor = Store.open(store.folder), Instant()
    run.carry_out(folder, run.replan(folder), executor=executor)
    assert [work.parameters for work in executor.seen] == [{"seed": 3, "rate": 1.5}]


def test_an_interruption_keeps_what_had_ended(course):
    course("plain", "other")
    store, made = begun()
    executor = Instant(other="interrupt")
    with pytest.raises(run.Interrupted, match="--resume"):
        run.carry_out(store, made, executor=executor)
    assert executor.cancelled
    found = board(store)
    assert {row.id: row.state for row in found.rows} == {
        "toys/plain": DONE, "toys/other": NOT_RUN, "toys/later": PLANNED
    }


def test_a_full_disk_stops_the_run_with_one_message(course, monkeypatch):
    course()
    store, made = begun()
    monkeypatch.setattr(store, "commit", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    executor = Instant()
    with pytest.raises(StoreError, match="No space left"):
        run.carry_out(store, made, executor=executor)
    assert executor.cancelled
    assert not list((store.folder / "points").iterdir())


def test_the_timeout_follows_the_profile_unless_it_is_given(course):
    course()
    for texts, timeout, expected in ((("profile=smoke",), None, 180), ((), None, 600), ((), 7.0, 7)):
        store, made = begun(texts=texts)
        executor = Instant()
        run.carry_out(store, made, executor=executor, timeout=timeout)
        assert executor.seen[0].limits.timeout == expected


def test_the_number_of_workers_fits_the_machine(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(run, "_quota", lambda: 3)
    assert run.default_workers() <= 3
    monkeypatch.setattr(run, "LESSON_BYTES", 1e18)
    assert run.default_workers() == 1


@pytest.mark.standard
@pytest.mark.xdist_group("kernels")
def test_all_endings_are_told_apart_and_none_loses_the_others(course):
    course("plain", "failing", "endless", "suicidal", "shot", "worker_killer", "unimportable")
    store, made = begun()
    outcomes = run.carry_out(store, made, workers=2, timeout=8.0)
    assert {name.partition("/")[2]: outcome.status for name, outcome in outcomes.items()} == {
        "plain": DONE, "failing": FAILED, "endless": TIMED_OUT, "suicidal": KILLED, "shot": KILLED,
        "worker_killer": KILLED, "unimportable": FAILED,
    }
    cells = {name.partition("/")[2]: outcome.error.cell for name, outcome in outcomes.items() if outcome.error}
    assert cells == {
        "failing": 8, "endless": 8, "suicidal": 8, "shot": 8, "worker_killer": 8, "unimportable": None
    }
    found = board(store)
    assert found.counts == {"reproduced": 1, NOT_RUN: 5}
    assert found.controls == {"holds": 1, NOT_RUN: 5}
    plain = next(row for row in found.rows if row.id == "toys/plain")
    assert plain.outcome.scalars == {"product": 1.5}
    assert plain.claims[0]["measured"] == "x 1"


@pytest.mark.standard
@pytest.mark.xdist_group("kernels")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path, monkeypatch, number):
    place = tmp_path / "course"
    command = [sys.executable, str(Path(toy.__file__).with_name("driver.py")), str(place), "plain,endless",
               "run", "--workers", "2", "--out", "out"]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while not list(place.glob("out/points/*/point.json")) and time.monotonic() < limit:
        time.sleep(0.1)
    driver.send_signal(number)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 130, err
    assert "gradscape run --resume out" in err
    assert "Traceback" not in err
    (done,) = place.glob("out/points/*")
    before = (done / "point.json").read_bytes()

    toy.make(tmp_path / "again", monkeypatch, ("plain", "endless"))
    monkeypatch.setenv("GRADSCAPE_ROOT", str(place))
    folder = Store.open(place / "out")
    executor = Instant()
    run.carry_out(folder, run.replan(folder), executor=executor)
    assert [work.label for work in executor.seen] == ["toys/endless"]
    assert (done / "point.json").read_bytes() == before
    assert json.loads(before)["status"] == DONE
    assert not list(Path(place / "out").rglob(".part-*"))
