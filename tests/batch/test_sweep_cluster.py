"""Sweeps over several processes: a Dask scheduler and workers on loopback, killed workers and drivers, limits."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from gradscape import batch
from gradscape.batch.executors import cluster
from gradscape.batch.executors.cluster import ClusterError
from gradscape.sweeptable import SweepTable

from tests.batch import sweep_course

pytestmark = [pytest.mark.standard, pytest.mark.xdist_group("kernels")]
START_S = 60


@pytest.fixture
def log(course: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course whose lesson can be imported by other processes; where its calls are written down."""
    course("plain")
    return sweep_course.science(tmp_path, monkeypatch)


class Loopback:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.file, self.processes = folder / "scheduler.json", []
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self.file)
        limit = time.monotonic() + START_S
        while not self.file.exists() and time.monotonic() < limit:
            time.sleep(0.05)
        import json

        time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, *words: Any, **changes: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, **changes})
        self.processes.append(process)
        return process

    def worker(self, **changes: str) -> subprocess.Popen[bytes]:
        return self.start("worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard",
                          "--local-directory", self.file.parent, **changes)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def loopback(tmp_path: Path, log: Path):
    made = Loopback(tmp_path)
    yield made
    made.end()


def until(condition: Any, seconds: float = START_S) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_costs_nothing_but_its_own_point(loopback, log, tmp_path):
    workers = {process.pid: process for process in (loopback.worker(), loopback.worker())}
    words = ("sweep", "plain", "-p", "rate=lin:0.5:1.9:8", "-p", "seed=0:4", "--function", "--scheduler",
             loopback.address, "--out", str(tmp_path / "s"))
    driver = sweep_course.driver(tmp_path / "other", *words)
    until(lambda: len(sweep_course.calls(log, "end")) >= 6)
    begun = len(sweep_course.calls(log, "begin"))
    until(lambda: len(sweep_course.calls(log, "begin")) > begun)
    victim = log.read_text().split()[-1]
    workers[int(victim)].kill()
    out, _ = driver.communicate(timeout=90)
    assert driver.returncode == 0, out
    table = SweepTable.open(tmp_path / "s")
    assert len(table.done) == len(table) == 32
    times = Counter(sweep_course.calls(log, "end"))
    assert len(times) == 32
    # computed to the end once each; lost with a worker is at most what it was at and what it had not yet handed over
    lines = [line.split() for line in log.read_text().splitlines()]
    last = [(rate, seed) for word, rate, seed, _, worker in lines if (word, worker) == ("begin", victim)][-2:]
    assert {point for point, count in times.items() if count > 1} <= set(last)
    assert max(times.values()) <= 2
    assert all(row["product"] == row["rate"] * row["steps"] for row in table.flat())


def test_a_killed_driver_loses_only_the_points_in_flight(log, tmp_path):
    words = ("sweep", "plain", "-p", "rate=lin:0.5:1.9:8", "-p", "seed=0:4", "--function", "--workers", "2",
             "--out", str(tmp_path / "s"))
    driver = sweep_course.driver(tmp_path / "first", *words)
    until(lambda: len(sweep_course.calls(log, "end")) >= 9)
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait(timeout=10)
    driver.stdout.close()
    assert not psutil.wait_procs(children, timeout=15)[1]
    kept = len(SweepTable.open(tmp_path / "s").done)
    assert kept >= len(sweep_course.calls(log, "end")) - 4
    words = ("sweep", "--resume", "--out", str(tmp_path / "s"), "--workers", "2")
    again = sweep_course.driver(tmp_path / "second", *words)
    out, _ = again.communicate(timeout=90)
    assert again.returncode == 0, out
    assert f"{32 - kept} points to compute, {kept} are there already" in out
    assert len(SweepTable.open(tmp_path / "s").done) == 32
    assert len(sweep_course.calls(log, "end")) <= 32 + 4


def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(log, tmp_path):
    words = ("sweep", "plain", "-p", "rate=lin:0.5:1.9:8", "-p", "seed=0:4", "--function", "--workers", "2",
             "--out", str(tmp_path / "s"))
    driver = sweep_course.driver(tmp_path / "first", *words)
    until(lambda: len(sweep_course.calls(log, "end")) >= 4)
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGINT)
    out, _ = driver.communicate(timeout=30)
    assert driver.returncode == 130, out
    assert "--resume" in out
    assert "Traceback" not in out
    assert not psutil.wait_procs(children, timeout=15)[1]
    assert len(SweepTable.open(tmp_path / "s").done) >= 3


def test_limits_of_time_and_memory_and_a_dead_process(log, tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEP_SLEEP", "0")
    table = batch.sweep("plain", {"steps": [3, 7, 8, 9]}, function=True, workers=2, timeout=6.0, memory=0.6, retries=1,
                        out=tmp_path / "s")
    rows = {row["settings"]["steps"]: row for row in table.rows}
    assert rows[3]["status"] == "done"
    assert (rows[7]["status"], rows[7]["attempts"]) == ("killed", 2)
    assert "SIGKILL" in rows[7]["error"]
    assert (rows[8]["status"], rows[8]["attempts"]) == ("timed out", 1)
    assert (rows[9]["status"], rows[9]["attempts"]) == ("killed", 1)
    assert "OverMemory" in rows[9]["error"]


def test_an_executed_notebook_and_a_call_give_the_same_numbers(log, tmp_path):
    grid = {"rate": [0.5, 0.7], "seed": [1]}
    called = batch.sweep("plain", grid, function=True, claims=True, workers=1, scheduler="pool", out=tmp_path / "f")
    executed = batch.sweep("plain", grid, notebooks=True, workers=1, out=tmp_path / "n")
    assert (called.values("product") == executed.values("product")).all()
    assert called.claims == executed.claims == ("N1", "C1")
    for one, other in zip(called.rows, executed.rows, strict=True):
        assert one["claims"] == other["claims"]
    assert len(list((tmp_path / "n" / "notebooks").glob("*.ipynb"))) == 2


def test_workers_with_another_gradscape_are_refused(loopback, tmp_path):
    other = tmp_path / "older" / "gradscape"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("__version__ = '0.0.1'\n")
    loopback.worker(PYTHONPATH=str(other.parent))
    with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+: has no gradscape"):
        batch.sweep("plain", {"rate": 0.5}, function=True, scheduler=loopback.address, out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_workers_with_other_code_or_data_are_refused():
    own = cluster.identity("gradscape.metrics")
    assert cluster.difference(own, own) == ""
    assert "0.0.1" in cluster.difference(own, {**own, "gradscape": "0.0.1"})
    for name in ("code", "data"):
        assert f"other {name}" in cluster.difference(own, {**own, name: "0"})


def test_a_scheduler_without_workers_and_one_that_goes_away(loopback, log, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "WORKERS_S", 0.5)
    with pytest.raises(ClusterError, match="no worker"):
        batch.sweep("plain", {"rate": 0.5}, function=True, scheduler=loopback.address, out=tmp_path / "s")
    monkeypatch.setattr(cluster, "WORKERS_S", 60)
    monkeypatch.setenv("SWEEP_SLEEP", "1")
    loopback.worker()
    driver = sweep_course.driver(tmp_path / "first", "sweep", "plain", "-p", "seed=0:40", "--function", "--scheduler",
                                 loopback.address, "--out", str(tmp_path / "s"))
    until(lambda: len(sweep_course.calls(log, "end")) >= 2)
    loopback.processes[0].kill()
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode == 2, out
    assert "scheduler" in out
    assert "Traceback" not in out
    assert len(SweepTable.open(tmp_path / "s").done) >= 1


