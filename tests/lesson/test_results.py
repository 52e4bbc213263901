"""Recorded tables: written whole or not at all, and honest about their age."""
from __future__ import annotations

import pytest
from gradscape import catalog, results
from gradscape.lesson import Settings


@pytest.fixture
def course(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("GRADSCAPE_ROOT", str(tmp_path))
    return tmp_path


LESSON = "dynamics/sgd_noise"


def test_round_trip(course):
    table = results.make(LESSON, "phase", {"T": [0.1, float("nan")], "n": [1, 2]}, Settings(seed=3))
    place = results.save(table)
    assert place == course / "data/results/dynamics/sgd_noise/phase.json"
    loaded = results.load("sgd_noise", "phase")
    assert list(loaded.rows()) == [{"T": 0.1, "n": 1}, {"T": None, "n": 2}]
    assert loaded.age == ""
    assert "profile quick, seed 3" in loaded.caption
    assert [p.name for p in place.parent.iterdir()] == ["phase.json"]


def test_changed_code_is_told(course, monkeypatch):
    results.save(results.make(LESSON, "phase", {"T": [1.0]}, Settings()))
    monkeypatch.setattr(results.provenance, "code_checksum", lambda module: "other")
    assert "recorded with earlier code" in results.load(LESSON, "phase").caption


def test_too_large_or_broken_tables_are_refused(course):
    with pytest.raises(ValueError, match="200000 are allowed"):
        results.save(results.make(LESSON, "big", {"x": list(range(10**5))}, Settings()))
    assert not (course / "data/results").exists()
    with pytest.raises(ValueError, match="different length"):
        results.make(LESSON, "odd", {"x": [1], "y": [1, 2]}, Settings())
    with pytest.raises(ValueError, match=r"table='\.\./x'"):
        results.path(LESSON, "../x")
    with pytest.raises(FileNotFoundError, match="gradscape record"):
        results.load(LESSON, "absent")
    assert results.find(LESSON, "absent") is None
    place = results.path(LESSON, "bad")
    place.parent.mkdir(parents=True)
    place.write_text('{"lesson": 1}')
    with pytest.raises(ValueError, match="is not a recorded table"):
        results.load(LESSON, "bad")


def test_committed_tables_are_readable():
    for place in (catalog.root() / "data" / "results").rglob("*.json"):
        lesson = "/".join(place.parent.parts[-2:])
        table = results.load(lesson, place.stem)
        assert table.lesson == lesson
        assert place.stat().st_size <= results.LIMIT_BYTES
