"""The folder of a run: whole or absent, never overwritten, never shared by two runs."""
from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import nbformat
import pytest
from gradscape import catalog
from gradscape.batch import atomic, points
from gradscape.batch.outcome import DONE, FAILED, Failure, Outcome
from gradscape.batch.store import Store, StoreError

from tests.batch import toy


@pytest.fixture
def point(course) -> points.Point:
    course()
    return points.make(catalog.find("plain"), toy.Settings())


def outcome(key: str, status: str = DONE, seconds: float = 1.0) -> Outcome:
    error = None if status == DONE else Failure("ValueError", "no", cell=3, source="x = 1")
    return Outcome(key, status, seconds=seconds, error=error, notebook=nbformat.writes(toy.notebook()))


def listing(folder: Path) -> set[str]:
    return {str(place.relative_to(folder)) for place in folder.rglob("*")}


def test_default_folder_is_named_by_time_and_holds_provenance(point):
    store = Store.create(None, {"command": "gradscape run"}, [point])
    assert store.folder.parent == Path("runs")
    about = json.loads((store.folder / "run.json").read_text())
    assert about["points"][0]["key"] == point.key
    assert {"python", "platform", "torch"} <= set(about["versions"])
    assert {"git", "data", "created"} <= set(about)


@pytest.mark.parametrize("content", ["file.txt", "run.json", ".hidden"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(point, tmp_path, content):
    place = tmp_path / "mine"
    place.mkdir()
    (place / content).write_text("precious")
    with pytest.raises(StoreError, match=str(place)):
        Store.create(place, {}, [point])
    assert listing(place) == {content}
    assert (place / content).read_text() == "precious"


def test_a_file_in_place_of_the_folder_is_refused(point, tmp_path):
    place = tmp_path / "mine"
    place.write_text("x")
    with pytest.raises(StoreError, match="must be a folder"):
        Store.create(place, {}, [point])
    with pytest.raises(StoreError, match="cannot be written"):
        Store.create(place / "below", {}, [point])


def test_an_empty_folder_is_taken(point, tmp_path):
    (tmp_path / "empty").mkdir()
    assert Store.create(tmp_path / "empty", {}, [point]).exists()


@pytest.mark.parametrize(("text", "words"), [
    (None, "holds no run"), ("{", "not readable"), ('{"format": "gradscape-run/9"}', "gradscape-run/9"),
])
def test_what_is_no_run_cannot_be_opened(tmp_path, text, words):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(StoreError, match=words):
        Store.open(tmp_path)


def test_a_finished_point_never_changes(point):
    store = Store.create(None, {}, [point])
    first = store.commit(point, outcome(point.key, seconds=1.0))
    store.commit(point, outcome(point.key, seconds=2.0))
    assert first == store.folder / "points" / point.key
    assert store.outcome(point.key).seconds == 1.0
    assert listing(store.folder / "points") == {point.key, f"{point.key}/point.json", f"{point.key}/notebook.ipynb"}


def test_attempts_are_kept_beside_and_the_finished_one_counts(point):
    store = Store.create(None, {}, [point])
    store.commit(point, outcome(point.key, FAILED, 1.0))
    store.commit(point, outcome(point.key, FAILED, 2.0))
    assert store.outcome(point.key).seconds == 2.0
    assert store.outcome(point.key).error.line() == "cell 3 (x = 1): ValueError: no"
    store.commit(point, outcome(point.key, DONE, 3.0))
    assert store.outcome(point.key).status == DONE


def test_an_outcome_survives_its_file(point):
    store = Store.create(None, {}, [point])
    kept = dataclasses.replace(outcome(point.key), claims=[{"id": "N1"}], scalars={"a": 1.5}, cells=[{"index": 0}])
    store.commit(point, kept)
    assert store.outcome(point.key) == kept


def test_what_fails_while_a_folder_is_filled_leaves_nothing(tmp_path):
    def fill() -> None:
        with atomic.folder(tmp_path / "points" / "k") as part:
            (part / "half").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill()
    assert listing(tmp_path / "points") == set()


def test_what_fails_while_a_file_is_written_keeps_the_old_one(tmp_path, monkeypatch):
    place = tmp_path / "file"
    atomic.write_text(place, "old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        atomic.write_text(place, "new")
    assert place.read_text() == "old"
    assert listing(tmp_path) == {"file"}


def test_two_runs_cannot_share_a_folder(point):
    store = Store.create(None, {}, [point])
    with store.lock(), pytest.raises(StoreError, match="another process"), Store.open(store.folder).lock():
        pass
    with Store.open(store.folder).lock():
        pass


def test_newest(point, tmp_path):
    with pytest.raises(StoreError, match="no run in"):
        Store.newest()
    older, newer = (Store.create(Path("runs") / name, {}, [point]) for name in ("b", "a"))
    for store, created in ((older, "2026-01-01"), (newer, "2026-01-02")):
        text = json.dumps({**store.about, "created": created})
        (store.folder / "run.json").write_text(text)
    assert Store.newest().folder == newer.folder


def test_a_key_changes_with_settings_code_and_data(course, point):
    entry = catalog.find("plain")
    assert points.make(entry, toy.Settings()).key == point.key
    keys = {point.key, points.make(entry, toy.Settings(seed=1)).key}
    toy.write(entry.notebook, toy.notebook(body="print(1 + 1)"))
    keys.add(points.make(entry, toy.Settings()).key)
    data = catalog.root() / "data"
    (data / "a.bin").write_bytes(b"a")
    registry = {"committed": {"a.bin": {"bytes": 1, "sha256": "0" * 64}}, "packaged": {}, "remote": {}}
    (data / "registry.json").write_text(json.dumps(registry))
    keys.add(points.make(entry, toy.Settings()).key)
    (data / "a.bin").write_bytes(b"b")
    keys.add(points.make(entry, toy.Settings()).key)
    assert len(keys) == 5


def test_words_around_the_code_do_not_change_a_key(point):
    entry = catalog.find("plain")
    changed = toy.notebook()
    changed.cells[0].source = "# Another title"
    toy.write(entry.notebook, changed)
    assert points.make(entry, toy.Settings()).key == point.key
