"""The whole of a sweep: sixty points of a lesson on two workers, one of them killed, the driver killed, gone on with.

In a fresh clone: ``make .venv/.ready-test && .venv/bin/python -m pytest tests/batch/test_acceptance.py -m slow -s``.
"""
from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from gradscape import catalog
from gradscape.lesson.experiment import finite_scalars
from gradscape.sweeptable import SweepTable

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels")]
LESSON = "dynamics/sgd_noise"
GRID = ("-p", "T=log2:2^-10:2^-2:5", "-p", "alpha=0.01,1,16,100", "-p", "seed=0:3", "--profile", "smoke")
POINTS = 60
WAIT_S = 600


def gradscape(place: Path, *words: str) -> subprocess.Popen[str]:
    """The command line, in a folder of its own."""
    return subprocess.Popen([sys.executable, "-m", "gradscape.cli", *words], cwd=place, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def computing(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of a sweep that compute points."""
    below = psutil.Process(driver.pid).children(recursive=True)
    return [process for process in below if "gradscape.batch.executors.worker" in process.cmdline()]


def wait_for(folder: Path, count: int, driver: subprocess.Popen[str]) -> None:
    """Until so many points are kept."""
    limit = time.monotonic() + WAIT_S
    while not (folder / "sweep.json").exists() or len(SweepTable.open(folder).done) < count:
        assert driver.poll() is None, driver.communicate()[0]
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.05)


def test_sixty_points_survive_a_killed_worker_and_a_killed_driver(tmp_path):
    folder = tmp_path / "phase"
    driver = gradscape(tmp_path, "sweep", LESSON, *GRID, "--function", "--workers", "2", "--out", "phase")
    wait_for(folder, 8, driver)
    victims = computing(driver)
    assert len(victims) == 2
    victims[0].kill()
    wait_for(folder, 25, driver)
    left = computing(driver)
    assert len(left) == 2, "the killed worker was not replaced"
    driver.kill()
    driver.communicate()
    assert not psutil.wait_procs(left, timeout=30)[1]
    kept = {row["key"]: row for row in SweepTable.open(folder).done}
    assert 25 <= len(kept) < POINTS

    driver = gradscape(tmp_path, "sweep", "--resume", "--out", "phase", "--workers", "2")
    out, _ = driver.communicate(timeout=WAIT_S)
    assert driver.returncode == 0, out
    assert f"{POINTS - len(kept)} points to compute, {len(kept)} are there already" in out
    table = SweepTable.open(folder)
    assert len(table.done) == len(table) == POINTS
    points = {(row["settings"]["T"], row["settings"]["alpha"], row["settings"]["seed"]) for row in table.rows}
    assert len(points) == POINTS
    assert all(row == kept[row["key"]] for row in table.rows if row["key"] in kept)

    module = catalog.find(LESSON).load()
    for row in table.rows:
        single = module.point(module.Settings(**row["settings"])).scalars
        assert row["scalars"] == finite_scalars(single), row["settings"]

    row = table.rows[POINTS // 2]
    chosen = [word for name in ("T", "alpha", "seed") for word in ("-p", f"{name}={row['settings'][name]!r}")]
    alone = gradscape(tmp_path, "run", LESSON, "--profile", "smoke", "--out", "single", *chosen)
    out, _ = alone.communicate(timeout=WAIT_S)
    assert alone.returncode == 0, out
    (point,) = (tmp_path / "single" / "points").iterdir()
    assert json.loads((point / "point.json").read_text())["scalars"] == row["scalars"]
    print(f"{POINTS} points, {len(kept)} kept when the driver was killed; all equal to single calls, one to a run")
