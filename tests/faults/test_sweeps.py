"""Real faults in the middle of a sweep: finished rows are whole, and resuming ends with the undisturbed table."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from gradscape.sweeptable import SweepTable, parts

from tests.batch import sweep_course
from tests.faults.test_runs import gone, inside

pytestmark = pytest.mark.slow
TRIALS, WORKERS_KILLED, RACES = 20, 6, 5
GRID = ("-p", "rate=lin:0.5:1.9:6", "-p", "seed=0:4", "--function", "--claims")
POINTS = 24
ENGINES = {"dask": (), "pool": ("--scheduler", "pool")}
WAIT_S = 240
Rows = list[tuple[str, dict, dict, dict]]


def rows(folder: Path) -> Rows:
    """Status, settings, scalars and claims of each row, in the order of the grid; fails on one that is not whole."""
    table = SweepTable.open(folder)
    found = [(row["status"], row["settings"], row["scalars"], row["claims"]) for row in table.rows]
    assert all(status == "done" and scalars and len(claims) == 2 for status, _, scalars, claims in found)
    keys = [row["key"] for row in table.rows]
    assert len(keys) == len(set(keys))
    return found


@pytest.fixture(scope="module")
def science(tmp_path_factory) -> Iterator[Path]:
    """The lesson that computing processes import."""
    folder = tmp_path_factory.mktemp("science")
    with pytest.MonkeyPatch.context() as patch:
        sweep_course.science(folder, patch)
        yield folder


@pytest.fixture(scope="module")
def undisturbed(science) -> tuple[Rows, float]:
    """The table of a sweep that nothing disturbs, and the seconds it took."""
    begun = time.monotonic()
    driver = sweep_course.driver(science / "course", "sweep", "plain", *GRID, "--workers", "2", "--out", "s")
    out, _ = driver.communicate(timeout=WAIT_S)
    assert driver.returncode == 0, out
    found = rows(science / "course" / "s")
    assert len(found) == POINTS
    return found, time.monotonic() - begun


class Trial:
    """A course of its own, whose calls are written down in ``log``."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder, self.log = place / "course", place / "course" / "s", place / "calls.log"

    def start(self, *words: str, seconds: float = 0.1) -> subprocess.Popen[str]:
        """Begin ``gradscape sweep WORDS``, whose points take so long; the caller ends it."""
        return sweep_course.driver(self.place, "sweep", *words, SWEEP_LOG=str(self.log), SWEEP_SLEEP=str(seconds))

    def begin(self, *words: str, seconds: float = 0.1) -> subprocess.Popen[str]:
        """Begin the sweep in its folder."""
        return self.start("plain", *GRID, "--workers", "2", "--out", "s", *words, seconds=seconds)

    def resume(self) -> str:
        """Go on to the end; returns what was said."""
        driver = self.start("--resume", "--out", "s", "--workers", "2")
        out, _ = driver.communicate(timeout=WAIT_S)
        assert driver.returncode == 0, out
        return out

    def count(self, word: str) -> int:
        """Points that began or ended so far, over all attempts."""
        return len(sweep_course.calls(self.log, word))

    def until(self, condition: Callable[[], bool], driver: subprocess.Popen[str]) -> None:
        """Wait for it while the sweep runs."""
        limit = time.monotonic() + WAIT_S
        while not condition() and driver.poll() is None:
            assert time.monotonic() < limit, "waited in vain"
            time.sleep(0.02)


@pytest.fixture
def trial(tmp_path, science) -> Trial:
    return Trial(tmp_path)


def children(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes below a driver that still runs."""
    try:
        return psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("number", range(TRIALS))
def test_a_driver_killed_at_any_moment_loses_only_points_in_flight(trial, undisturbed, number):
    table, seconds = undisturbed
    chance, engine = random.Random(number), list(ENGINES)[number % 2]
    driver = trial.begin(*ENGINES[engine])
    if number % 4 < 2:  # at a moment of the whole time, most of which is the start
        time.sleep(chance.uniform(0.1, 1.0) * seconds)
    else:  # among the points
        wanted = chance.randrange(1, POINTS)
        trial.until(lambda: trial.count("begin") >= wanted, driver)
        time.sleep(chance.uniform(0.0, 0.2))
    left = children(driver)
    driver.kill()
    driver.communicate()
    assert gone(left), "a computing process outlived its driver"
    if not (trial.folder / "sweep.json").exists():  # killed before the sweep had begun: it begins once more
        assert not trial.count("begin")
        driver = trial.begin(*ENGINES[engine])
        out, _ = driver.communicate(timeout=WAIT_S)
        assert driver.returncode == 0, out
        assert rows(trial.folder) == table
        return
    kept, ended = rows(trial.folder), trial.count("end")
    assert all(row in table for row in kept)
    assert len(kept) >= ended - 4, "more was lost than what the two workers had in hand"
    begun = trial.count("begin")
    said = trial.resume()
    assert f"{POINTS - len(kept)} points to compute" in said
    assert rows(trial.folder) == table
    assert trial.count("begin") - begun == POINTS - len(kept), "a finished point was computed again"
    assert not list((trial.folder / "table").glob(".*"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", range(WORKERS_KILLED // 2))
def test_a_killed_worker_costs_its_own_point_a_second_attempt(trial, undisturbed, engine, number):
    chance = random.Random(number)
    driver = trial.begin(*ENGINES[engine])
    wanted = chance.randrange(2, POINTS - 4)
    trial.until(lambda: trial.count("begin") >= wanted, driver)
    time.sleep(chance.uniform(0.0, 0.1))
    victim = int(trial.log.read_text().splitlines()[-1].split()[3])
    os.kill(victim, signal.SIGKILL)
    out, _ = driver.communicate(timeout=WAIT_S)
    assert driver.returncode == 0, out
    assert rows(trial.folder) == undisturbed[0]
    assert max(row["attempts"] for row in SweepTable.open(trial.folder).rows) <= 2
    assert POINTS <= trial.count("begin") <= POINTS + 1


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.5])
def test_ctrl_c_twice_ends_at_once_and_the_sweep_can_be_resumed(trial, undisturbed, pause):
    driver = trial.begin()
    trial.until(lambda: trial.count("end") >= 5, driver)
    left = children(driver)
    driver.send_signal(signal.SIGINT)
    time.sleep(pause)
    driver.send_signal(signal.SIGINT)
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode in (130, -signal.SIGINT), out
    assert gone(left)
    kept = rows(trial.folder)
    assert 1 <= len(kept) < POINTS
    assert all(row in undisturbed[0] for row in kept)
    trial.resume()
    assert rows(trial.folder) == undisturbed[0]


def test_a_sweep_that_another_process_holds_is_refused(trial, undisturbed):
    first = trial.begin(seconds=WAIT_S)
    trial.until(lambda: trial.count("begin") >= 2, first)
    second = trial.start("--resume", "--out", "s", "--workers", "1")
    third = trial.begin()
    said = [driver.communicate(timeout=WAIT_S)[0] for driver in (second, third)]
    assert first.poll() is None
    first.terminate()
    first.communicate(timeout=60)
    assert [second.returncode, third.returncode] == [2, 2], said
    assert "another process is running into this folder" in said[0]
    assert "--resume" in said[1]
    assert "Traceback" not in "".join(said)
    trial.resume()
    assert rows(trial.folder) == undisturbed[0]


@pytest.mark.parametrize("number", range(RACES))
def test_of_two_different_sweeps_that_begin_at_once_one_gets_the_folder(trial, undisturbed, number):
    first = trial.begin("--scheduler", "pool")
    second = trial.start("plain", "-p", "rate=0.7,0.9", "--function", "--claims", "--scheduler", "pool", "--out", "s")
    said = [driver.communicate(timeout=WAIT_S)[0] for driver in (first, second)]
    assert sorted([first.returncode, second.returncode]) == [0, 2], said
    found = rows(trial.folder)
    if first.returncode == 0:
        assert found == undisturbed[0]
    else:
        assert [settings["rate"] for _, settings, *_ in found] == [0.7, 0.9]
    lost = said[0] if first.returncode else said[1]
    assert "Traceback" not in lost
    assert "--resume" in lost or "another process" in lost


DISK = """
set -u
mount -t tmpfs -o size=$1 tmpfs "$2"
shift
disk="$1"
shift
words="sweep plain -p rate=lin:0.5:1.9:6 -p seed=0:4 --function --claims --workers 2 --out"
"$@" $words "$disk/s" >"$disk.err" 2>&1
echo "full: $?"
mount -o remount,size=200m "$disk"
if [ -e "$disk/s/sweep.json" ]; then "$@" sweep --resume --out "$disk/s" --workers 2
else "$@" $words "$disk/s"; fi >"$disk.err2" 2>&1
echo "room again: $?"
cp -r "$disk" "$disk.kept"
"""


# room for no file; for the first file; for some rows; for all rows of the journal but no part
@pytest.mark.parametrize("size", ["4k", "12k", "20k", "28k"])
def test_a_full_disk_is_one_message_and_loses_nothing(trial, undisturbed, tmp_path, size):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = inside(DISK, size, str(disk), *sweep_course.command(trial.place))
    words = disk.with_suffix(".err").read_text()
    assert "full: 2" in done.stdout, done.stdout + done.stderr + words
    assert "cannot be written: No space left on device" in words
    assert "Traceback" not in words
    assert "room again: 0" in done.stdout, disk.with_suffix(".err2").read_text()
    assert rows(disk.with_suffix(".kept") / "s") == undisturbed[0]


READ_ONLY = """
set -u
place="$1"
shift
mount --bind "$place" "$place" && mount -o remount,ro,bind "$place"
"$@" sweep --resume --out "$place/s" --workers 1; echo "resumed: $?"
"$@" sweep plain -p rate=0.5 --function --workers 1 --out "$place/other"; echo "new: $?"
"$@" results "$place/s"; echo "results: $?"
"""


def test_a_folder_that_may_only_be_read(trial, undisturbed, tmp_path):
    driver = trial.begin()
    trial.until(lambda: trial.count("end") >= 5, driver)
    driver.kill()
    driver.communicate()
    kept = rows(trial.folder)
    done = inside(READ_ONLY, str(trial.place), *sweep_course.command(tmp_path / "elsewhere"))
    assert "resumed: 2" in done.stdout, done.stdout + done.stderr
    assert "new: 2" in done.stdout, done.stdout + done.stderr
    assert "results: 0" in done.stdout, done.stdout + done.stderr
    assert done.stderr.count("cannot be written: Read-only file system") == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert rows(trial.folder) == kept
    trial.resume()
    assert rows(trial.folder) == undisturbed[0]


# Python imports this in every process of the sweep; no one may set a machine's real clock in a test.
BACK = """
import datetime, time
real, years = time.time, 20 * 365 * 86400
time.time = lambda: real() - years
class Back(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Back
"""


def test_a_clock_set_back_changes_nothing(trial, undisturbed, tmp_path, monkeypatch):
    driver = trial.begin()
    trial.until(lambda: trial.count("end") >= 7, driver)
    driver.kill()
    driver.communicate()
    kept = rows(trial.folder)
    begun = trial.count("begin")
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(BACK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'clock'}:{os.environ['PYTHONPATH']}")
    said = trial.resume()
    assert f"{POINTS - len(kept)} points to compute" in said
    assert rows(trial.folder) == undisturbed[0]
    assert trial.count("begin") - begun == POINTS - len(kept)
    years = sorted({row["started"][:4] for row in SweepTable.open(trial.folder).rows})
    assert len(years) == 2, "the clock was not set back"
    assert int(years[1]) - int(years[0]) in (19, 20)


def test_a_part_cut_in_the_middle_is_named_and_nothing_is_written_over_it(trial, undisturbed):
    driver = trial.begin()
    out, _ = driver.communicate(timeout=WAIT_S)
    assert driver.returncode == 0, out
    (part,) = parts(trial.folder)
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    driver = trial.start("--resume", "--out", "s", "--workers", "1")
    out, _ = driver.communicate(timeout=WAIT_S)
    assert driver.returncode == 2, out
    assert "part-00000.parquet: is damaged" in out
    assert "Traceback" not in out
    assert part.read_bytes() == whole[: len(whole) // 2]
