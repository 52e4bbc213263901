"""The local pool: loses no work but what a dead worker was doing, and leaves no process behind."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError

import nbformat
import psutil
import pytest
from gradscape.batch.execute import Limits, Work
from gradscape.batch.executors import local
from gradscape.batch.executors.local import LocalPool
from gradscape.batch.outcome import DONE, KILLED, TIMED_OUT

from tests.batch import toy

pytestmark = [pytest.mark.standard, pytest.mark.xdist_group("kernels")]


def work(name: str, body: str = "pass", timeout: float = 60.0) -> Work:
    cells = [toy.code("value: int = 1", "parameters"), toy.code(body)]
    return Work(name, name, nbformat.writes(nbformat.v4.new_notebook(cells=cells)), {}, Limits(timeout))


def kernels() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if "ipykernel_launcher" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def gone(processes: list[psutil.Process], seconds: float = 15.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def test_a_killed_worker_is_named_and_the_rest_goes_on():
    with LocalPool(2) as pool:
        bodies = {"a": "pass", "victim": toy.ENDINGS["worker_killer"], "b": "pass", "c": "pass"}
        futures = {name: pool.submit(work(name, body)) for name, body in bodies.items()}
        outcomes = {name: future.result(timeout=90) for name, future in futures.items()}
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "a": DONE, "victim": KILLED, "b": DONE, "c": DONE
    }
    assert "killed by SIGKILL" in outcomes["victim"].error.message
    assert outcomes["victim"].error.cell == 2
    assert not pool.folder.exists()


def test_the_next_kernel_is_ready_before_it_is_needed():
    with LocalPool(1) as pool:
        futures = [pool.submit(work(name, "import time; time.sleep(2)")) for name in "abc"]
        outcomes = [future.result(timeout=90) for future in futures]
    assert max(outcome.start_seconds for outcome in outcomes[1:]) < outcomes[0].start_seconds


def test_cancel_ends_every_process():
    before = {process.pid for process in kernels()}
    pool = LocalPool(2)
    cells: list[str] = []
    pool.on_cell = lambda key, index, total: cells.append(key)
    futures = [pool.submit(work(name, "import time; time.sleep(600)")) for name in "abc"]
    limit = time.monotonic() + 60
    while len(set(cells)) < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    ours = [process for process in kernels() if process.pid not in before]
    assert ours
    pool.cancel()
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(timeout=1)
    assert gone(ours)
    assert not [child for child in psutil.Process().children() if "executors.worker" in " ".join(child.cmdline())]
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(work("late"))


def test_a_worker_that_hangs_is_killed_after_its_deadline(monkeypatch):
    monkeypatch.setattr(local, "GRACE_S", 1.0)
    stop_the_worker = "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)"
    with LocalPool(1) as pool:
        outcome = pool.submit(work("a", stop_the_worker, timeout=4.0)).result(timeout=60)
        assert outcome.status == TIMED_OUT
        assert "hung" in outcome.error.message
        assert pool.submit(work("b")).result(timeout=60).status == DONE


def test_no_worker_can_be_started(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LocalPool(1) as pool, pytest.raises(RuntimeError, match="no worker process could be started"):
        pool.submit(work("a")).result(timeout=60)


def test_no_process_outlives_a_killed_driver(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(
        "import sys, time\nsys.path.insert(0, sys.argv[1])\n"
        "from tests.batch.test_batch_pool import LocalPool, work\n"
        "pool = LocalPool(2, on_cell=lambda key, index, total: print(key, flush=True))\n"
        "for name in 'ab': pool.submit(work(name, 'import time; time.sleep(600)'))\ntime.sleep(600)\n"
    )
    command = [sys.executable, str(script), os.getcwd()]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert driver.stdout is not None
    names = {driver.stdout.readline().strip() for _ in range(4)}
    assert names == {"a", "b"}
    ours = psutil.Process(driver.pid).children(recursive=True)
    assert len(ours) >= 4
    driver.send_signal(signal.SIGKILL)
    driver.wait(timeout=10)
    driver.stdout.close()
    assert gone(ours)


def test_the_number_of_workers_is_checked():
    with pytest.raises(ValueError, match="workers=0"):
        LocalPool(0)
