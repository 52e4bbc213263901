"""What a sweep says of its length before it starts."""
from __future__ import annotations

import json

import pytest
from gradscape.batch.sweeps import api, estimate
from gradscape.batch.sweeps.store import SweepStore

from tests.batch.test_cli import call as gradscape
from tests.batch.test_sweep_drive import Here

GRID = {"rate": "0.5,1.5", "seed": range(3)}


def prepared(profile=None, **options):
    return api.prepare("plain", GRID, profile, api.Options(**{"function": True, "workers": 2, **options}))


@pytest.fixture
def earlier(course, tmp_path):
    """A finished sweep below runs/ whose points took 1, 2, … 6 s, and the folder of runs."""
    course("plain")
    runs = tmp_path / "earlier-runs"
    made = prepared()
    store = SweepStore.create(runs / "20260101T000000Z-abc", made.about)
    made.carry_out(store, Here())
    store = SweepStore.open(store.folder)
    with store.opened(made.about["code"], made.about["data"]) as rows:
        kept = sorted(rows.values(), key=lambda row: row["key"])
    for place in (store.folder / "table").glob("part-*"):
        place.unlink()
    lines = [json.dumps({**row, "seconds": float(k + 1)}) for k, row in enumerate(kept)]
    (store.folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    return runs


def test_the_median_of_the_newest_sweep_times_the_points_over_the_workers(earlier):
    found = estimate.pace(prepared(), runs=earlier)
    assert found is not None
    assert found.seconds == 3.5
    assert "20260101T000000Z-abc" in found.source
    assert estimate.text(prepared(), 6, runs=earlier).startswith("about 10 s with 2 workers (3.5 s a point, as in ")
    assert estimate.text(prepared(workers=1), 100, runs=earlier).startswith("about 6 min with 1 worker (")
    assert "about 4 min of work" in estimate.text(
        prepared(workers=None, scheduler="tcp://127.0.0.1:1"), 60, runs=earlier)


@pytest.mark.parametrize(("profile", "options"), [
    ("full", {}), (None, {"function": False}), (None, {"claims": True}),
])
def test_points_of_another_kind_say_nothing(earlier, profile, options):
    made = prepared(profile, **options)
    assert estimate.pace(made, runs=earlier) is None
    assert estimate.text(made, 6, runs=earlier) == estimate.UNKNOWN


def test_damaged_folders_are_passed_over(earlier):
    for name, content in (("20270101T000000Z-a", "{"), ("20270101T000000Z-b", "[]")):
        (earlier / name).mkdir()
        (earlier / name / "sweep.json").write_text(content)
    found = estimate.pace(prepared(), runs=earlier)
    assert found is not None
    assert found.seconds == 3.5


def test_the_command_says_it_before_the_first_point(course, monkeypatch):
    course("plain")
    monkeypatch.setattr(api.Sweep, "executor", lambda self: Here())
    asked = ("sweep", "plain", "-p", "rate=0.5,1.5", "--function")
    first = gradscape(*asked, "--out", "runs/one")
    assert first.exit_code == 0
    assert first.output.index(estimate.UNKNOWN) < first.output.index("points to compute")
    again = gradscape(*asked, "--out", "runs/two")
    assert again.output.index("s a point, as in runs/one") < again.output.index("points to compute")
