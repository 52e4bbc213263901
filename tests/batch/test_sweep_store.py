"""A sweep's rows survive a stop at any moment, are written once each, and are never mixed with another sweep's."""
from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from gradscape.batch.outcome import DONE, FAILED, KILLED, Failure, Outcome
from gradscape.batch.store import StoreError
from gradscape.batch.sweeps import api, store
from gradscape.batch.sweeps.store import SweepStore
from gradscape.sweeptable import ABOUT, SweepTable, parts


@pytest.fixture
def sweep(course):
    course("plain")
    return api.prepare("plain", {"rate": "0.5,1.5", "seed": range(3)}, None, api.Options(function=True, claims=True))


def outcome(point, status=DONE, **scalars):
    claims = [{"id": "N1", "measured": "x 1", "verdict": "reproduced"}] if status == DONE else []
    error = None if status == DONE else Failure("ValueError", "no such thing")
    return Outcome(point.key, status, seconds=0.5, peak_memory=7, scalars=scalars, claims=claims, error=error)


def begun(sweep, place):
    return SweepStore.create(place, sweep.about)


def test_rows_are_readable_before_and_after_they_are_a_part(sweep, tmp_path):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        made.keep(points[0], outcome(points[0], product=2.5), 1)
        made.sync()
        assert not parts(made.folder)
        assert SweepTable.open(made.folder).done[0]["scalars"] == {"product": 2.5}
    (part,) = parts(made.folder)
    assert (made.folder / "journal.jsonl").read_text() == ""
    row = pq.read_table(part).to_pylist()[0]
    assert (row["rate"], row["seed"], row["product"], row["N1_verdict"]) == (0.5, 0, 2.5, "reproduced")
    assert row["steps"] == 3
    assert json.loads(row["versions"])["gradscape"]


@pytest.mark.parametrize("moment", ["journal", "torn line", "part before journal", "temporary part"])
def test_nothing_that_had_ended_is_lost_or_doubled_after_a_stop(sweep, tmp_path, moment):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        for point in points[:3]:
            made.keep(point, outcome(point, product=1.0), 1)
        made.sync()
        journal = (made.folder / "journal.jsonl").read_bytes()
        if moment == "part before journal":
            made.flush()
    for part in parts(made.folder):
        if moment != "part before journal":
            part.unlink()
    if moment == "torn line":
        journal += b'{"key": "half a li'
    if moment == "temporary part":
        (made.folder / "table" / ".part-00000.parquet.17").write_bytes(b"PAR1 half")
    (made.folder / "journal.jsonl").write_bytes(journal)
    again = SweepStore.open(made.folder, sweep.about)
    with again.opened(points[0].code, points[0].data) as rows:
        assert set(rows) == {point.key for point in points[:3]}
        again.keep(points[3], outcome(points[3], product=4.0), 1)
    table = SweepTable.open(made.folder)
    assert [row["scalars"]["product"] for row in table.rows] == [1.0, 1.0, 1.0, 4.0]
    assert sum(pq.read_metadata(part).num_rows for part in parts(made.folder)) == 4
    assert not list((made.folder / "table").glob(".*"))


def test_all_parts_have_the_same_columns_also_when_the_first_points_fail(sweep, tmp_path):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        made.keep(points[0], outcome(points[0], FAILED), 1)
        made.flush()
        made.keep(points[1], outcome(points[1], product=1.0), 1)
        made.flush()
        made.keep(points[2], outcome(points[2], KILLED), 3)
    schemas = [pq.read_schema(part).remove_metadata() for part in parts(made.folder)]
    assert len(schemas) == 3
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert pq.read_table(made.folder / "table").num_rows == 3
    table = SweepTable.open(made.folder)
    assert [row["status"] for row in table.rows] == [FAILED, DONE, KILLED]
    assert table.rows[0]["error"] == "before the first cell: ValueError: no such thing"


def test_a_point_that_is_tried_again_has_one_row(sweep, tmp_path):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        made.keep(points[0], outcome(points[0], KILLED), 3)
        made.keep(points[1], outcome(points[1], product=1.0), 1)
    with made.opened(points[0].code, points[0].data):
        made.keep(points[0], outcome(points[0], product=2.0), 1)
    assert sorted(row["status"] for row in pq.read_table(made.folder / "table").to_pylist()) == [DONE, DONE]


def test_rows_of_earlier_code_are_set_aside_whole(sweep, tmp_path):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        made.keep(points[0], outcome(points[0], product=1.0), 1)
    with made.opened("0" * 64, points[0].data) as rows:
        assert rows == {}
    (earlier,) = (made.folder / "earlier").iterdir()
    assert len(SweepTable.open(earlier).done) == 1
    assert len(SweepTable.open(made.folder)) == 0


def test_foreign_folders_are_refused_and_left_alone(sweep, tmp_path):
    made = begun(sweep, tmp_path / "s")
    other = api.prepare("plain", {"rate": "0.5,1.0", "seed": range(3)}, None, sweep.options)
    with pytest.raises(StoreError, match="holds another sweep: axes"):
        SweepStore.open(made.folder, other.about)
    with pytest.raises(StoreError, match="--resume"):
        SweepStore.create(made.folder, sweep.about)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="empty"):
        SweepStore.create(tmp_path / "own", sweep.about)
    with pytest.raises(StoreError, match="holds no sweep"):
        SweepStore.open(tmp_path / "own")
    assert [place.name for place in (tmp_path / "own").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("text", "words"), [("{", "not readable"), ("[]", "holds a list"), ("{}", "format None")])
def test_a_description_that_is_none_is_refused_in_words(tmp_path, text, words):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(StoreError, match=words):
        SweepStore.open(tmp_path)


def test_what_was_stopped_before_its_first_row_can_begin_again(sweep, tmp_path):
    left = tmp_path / "s"
    (left / "table").mkdir(parents=True)
    (left / "lock").touch()
    (left / ".sweep.json.k3x").write_text("{")
    assert begun(sweep, left).about["total"] == 6
    (tmp_path / "t" / "table").mkdir(parents=True)
    (tmp_path / "t" / "table" / "part-00000.parquet").touch()
    with pytest.raises(StoreError, match="empty"):
        SweepStore.create(tmp_path / "t", sweep.about)


def test_the_newest_is_the_one_begun_last_whatever_its_name(sweep, tmp_path):
    with pytest.raises(StoreError, match="no sweep in"):
        SweepStore.newest(tmp_path)
    for name, day in (("zeta", "01"), ("alpha", "03"), ("mid", "02")):
        store = begun(sweep, tmp_path / name)
        store._write({**store.about, "created": f"2026-01-{day}T00:00:00+00:00"})
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / ABOUT).write_text("{")
    assert SweepStore.newest(tmp_path).folder == tmp_path / "alpha"


def test_of_two_that_begin_at_once_the_second_writes_nothing(sweep, tmp_path, monkeypatch):
    first, other = begun(sweep, tmp_path / "s"), {**sweep.about, "total": 7}
    check, asked = SweepStore.check_vacant, []

    def late(place):
        asked.append(place)
        if len(asked) > 1:  # the first time it was asked the other had not begun
            check(place)

    monkeypatch.setattr(SweepStore, "check_vacant", staticmethod(late))
    with pytest.raises(StoreError, match="--resume"):
        SweepStore.create(first.folder, other)
    assert first.about["total"] == 6


def test_two_processes_cannot_write_one_sweep(sweep, tmp_path):
    made, first = begun(sweep, tmp_path / "s"), sweep.points()[0]
    with made.opened(first.code, first.data), pytest.raises(StoreError, match="another process"), \
            SweepStore.open(made.folder).opened(first.code, first.data):
        pass


def test_a_full_disk_is_one_message_and_keeps_what_there_was(sweep, tmp_path, monkeypatch):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        made.keep(points[0], outcome(points[0], product=1.0), 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    def fill_it():
        with made.opened(points[0].code, points[0].data):
            made.keep(points[1], outcome(points[1], product=1.0), 1)
            monkeypatch.setattr(store.os, "fsync", full)
            made.sync()

    with pytest.raises(StoreError, match="No space left"):
        fill_it()
    monkeypatch.undo()
    assert SweepTable.open(made.folder).done[0]["key"] == points[0].key


def test_a_damaged_part_is_named(sweep, tmp_path):
    made = begun(sweep, tmp_path / "s")
    (made.folder / "table" / "part-00000.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"part-00000.parquet: is damaged"):
        SweepTable.open(made.folder)


def test_values_lie_on_the_axes_and_csv_has_every_row(sweep, tmp_path):
    made, points = begun(sweep, tmp_path / "s"), sweep.points()
    with made.opened(points[0].code, points[0].data):
        for k, point in reversed(list(enumerate(points[:5]))):
            made.keep(point, outcome(point, product=float(k)), 1)
    table = SweepTable.open(made.folder)
    assert [row["scalars"]["product"] for row in table.rows] == [0.0, 1.0, 2.0, 3.0, 4.0]  # in the grid's order
    found = table.values("product")
    assert found.shape == (2, 3)
    assert found[1, 1] == 4.0
    assert found[1, 2] != found[1, 2]
    lines = table.csv(tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 6
    assert "product" in lines[0].split(",")
    with pytest.raises(ValueError, match="must be one of product"):
        table.values("nothing")
