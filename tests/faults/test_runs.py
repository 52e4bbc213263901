"""Real faults in the middle of a run: what had finished is whole, and resuming ends with the undisturbed table."""
from __future__ import annotations

import datetime
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from gradscape.batch import plan, run, store

from tests.batch.test_batch_run import Instant
from tests.faults import toys

pytestmark = pytest.mark.slow
TRIALS = 50
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict, float]:
    """A course, the table of its run, and the seconds that took."""
    course = tmp_path_factory.mktemp("undisturbed") / "course"
    begun = time.monotonic()
    done = toys.call(course, "run", "--workers", "2", "--out", "out")
    assert done.returncode == 0, done.stderr
    table = toys.table(course / "out")
    assert len(table) == len(toys.LESSONS)
    return course, table, time.monotonic() - begun


def gone(processes: list[psutil.Process], seconds: float = 20.0) -> bool:
    """Whether all of these end by themselves in time."""
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_driver_killed_at_any_moment_loses_only_points_in_flight(tmp_path, undisturbed, trial):
    _, table, seconds = undisturbed
    course, folder = tmp_path / "course", tmp_path / "course" / "out"
    driver = toys.start(course, "run", "--workers", "2", "--out", "out")
    time.sleep(random.Random(trial).uniform(0.1, 1.0) * seconds)
    children = psutil.Process(driver.pid).children(recursive=True) if driver.poll() is None else []
    driver.kill()
    driver.communicate()
    assert gone(children), "a worker or kernel outlived its driver"
    begun = (folder / "run.json").is_file()
    kept = toys.table(folder) if begun else {}
    assert all(table[lesson] == found for lesson, found in kept.items())
    if begun:
        stamps = {name: (folder / "points" / key / "point.json").stat().st_mtime_ns for name, (key, *_) in kept.items()}
        done = toys.call(course, "run", "--resume", "out")
        assert done.returncode == 0, done.stderr
        assert toys.table(folder) == table
        for name, (key, *_) in kept.items():  # a finished point is never computed again
            assert (folder / "points" / key / "point.json").stat().st_mtime_ns == stamps[name]


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.5])
def test_ctrl_c_twice_ends_at_once_and_the_run_can_be_resumed(tmp_path, pause):
    lessons = ("plain", "endless")
    driver = toys.start(tmp_path / "course", "run", "--workers", "2", "--out", "out", lessons=lessons)
    folder, limit = tmp_path / "course" / "out", time.monotonic() + 60
    while not list(folder.glob("points/[0-9a-f]*/point.json")) and time.monotonic() < limit:
        time.sleep(0.05)
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGINT)
    time.sleep(pause)
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode in (130, -signal.SIGINT), err
    assert gone(children)
    assert list(toys.table(folder)) == ["toys/plain"]


def test_two_runs_into_one_folder_at_once(tmp_path):
    lessons = ("plain", "endless")
    first = toys.start(tmp_path / "course", "run", "--workers", "1", "--out", "out", lessons=lessons)
    folder, limit = tmp_path / "course" / "out", time.monotonic() + 60
    while not (folder / "lock").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    second = toys.call(tmp_path / "course", "run", "--resume", "out", lessons=lessons)
    third = toys.call(tmp_path / "course", "run", "--out", "out", lessons=lessons)
    first.terminate()
    first.communicate(timeout=30)
    assert second.returncode == 2
    assert "another process is running into this folder" in second.stderr
    assert third.returncode == 2
    assert "--resume out" in third.stderr


def inside(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A shell script with mounts of its own, as an unprivileged user may have them."""
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("this system allows no mounts of one's own")
    return subprocess.run([*UNSHARE, "bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=240)


DISK = """
set -u
mount -t tmpfs -o size=$1 tmpfs "$2"
shift
disk="$1"
shift
"$@" run --workers 1 --out "$disk/out" >/dev/null 2>"$disk.err"
echo "full: $?"
mount -o remount,size=200m "$disk"
"$@" run --resume "$disk/out" >/dev/null 2>"$disk.err2" || "$@" run --out "$disk/second" >/dev/null 2>>"$disk.err2"
echo "room again: $?"
cp -r "$disk" "$disk.kept"
"""


@pytest.mark.parametrize("size", ["8k", "28k", "64k"])
def test_a_full_disk_is_one_message_and_loses_nothing(tmp_path, undisturbed, size):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = inside(DISK, size, str(disk), *toys.command(tmp_path / "course"))
    assert "full: 2" in done.stdout, done.stdout + done.stderr
    words = disk.with_suffix(".err").read_text()
    assert "cannot be written: No space left on device" in words
    assert "Traceback" not in words
    assert "room again: 0" in done.stdout, disk.with_suffix(".err2").read_text()
    kept = disk.with_suffix(".kept")
    assert toys.table(kept / "out" if (kept / "out" / "run.json").is_file() else kept / "second") == undisturbed[1]


def test_a_folder_that_cannot_be_written(tmp_path):
    place = tmp_path / "only_read"
    place.mkdir()
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && "$@"'
    done = inside(script, str(place), *toys.command(tmp_path / "course", "run", "--out", str(place / "out")))
    assert done.returncode == 2, done.stderr
    assert "cannot be written: Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_clock_set_back_changes_nothing(course, monkeypatch):
    course("plain", "other")
    made = plan.make(plan.select([]))
    folder = run.start(made)
    run.carry_out(folder, made, executor=Instant(other="failed"))
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    monkeypatch.setattr(store, "_now", lambda: past)
    again = store.Store.open(folder.folder)
    executor = Instant()
    outcomes = run.carry_out(again, run.replan(again), executor=executor)
    assert [work.label for work in executor.seen] == ["toys/other"]
    assert {outcome.status for outcome in outcomes.values()} == {"done"}
    assert store.Store.newest(folder.folder.parent).folder.resolve() == folder.folder.resolve()


def test_a_kernel_out_of_memory_is_named_and_the_others_go_on(tmp_path):
    script = 'ulimit -v 6000000; exec "$@"'
    words = toys.command(tmp_path / "course", "run", "--workers", "1", "--out", "out", lessons=("hungry", "plain"))
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert list(toys.table(tmp_path / "course" / "out")) == ["toys/plain"]
    assert "MemoryError" in done.stdout or "KernelDied" in done.stdout
