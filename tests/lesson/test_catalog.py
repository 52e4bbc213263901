"""The course as data, and where its files are."""
from __future__ import annotations

import re

import pytest
from gradscape import catalog, provenance


def test_all_27_papers_are_there():
    lessons = catalog.lessons()
    assert len(lessons) == 27
    assert len({lesson.id for lesson in lessons}) == len({lesson.arxiv for lesson in lessons}) == 27
    assert {unit.name for unit in catalog.units()} == {lesson.unit for lesson in lessons}


def test_prerequisites_come_earlier():
    seen: set[str] = set()
    for lesson in catalog.lessons():
        assert set(lesson.prerequisites) <= seen
        seen.add(lesson.id)


def test_available_lessons_have_their_rooms():
    for lesson in catalog.lessons(available=True):
        assert lesson.notebook.is_file(), lesson.id
        assert (catalog.root() / "tests" / lesson.unit / f"test_{lesson.slug}.py").is_file(), lesson.id


def test_unknown_lessons_are_explained():
    with pytest.raises(catalog.UnknownLesson, match="did you mean sgd_noise"):
        catalog.find("sgd_nois")
    with pytest.raises(catalog.UnknownLesson, match="gradscape list"):
        catalog.find("../../etc/passwd")
    planned = next(iter(catalog.lessons(available=False)), None)
    if planned:
        with pytest.raises(ValueError, match="planned"):
            planned.load()


def test_bibtex_is_complete():
    for lesson in catalog.lessons():
        entry = lesson.bibtex()
        assert re.match(r"@misc\{[a-z]+\d{4}[a-z0-9]+,\n", entry)
        assert f"eprint = {{{lesson.arxiv}}}" in entry
        assert entry.count("{") == entry.count("}")


def test_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADSCAPE_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="GRADSCAPE_ROOT"):
        catalog.root()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir()
    assert catalog.root() == tmp_path


def test_code_checksum_sees_code_and_only_code(tmp_path, monkeypatch):
    package = tmp_path / "gradscape"
    (package / "unit").mkdir(parents=True)
    for name, text in {
        "__init__.py": "", "unit/__init__.py": "", "shared.py": "X = 1\n", "other.py": "Y = 1\n",
        "unit/paper.py": "from gradscape import shared\n\n\ndef f():\n    return shared.X\n",
    }.items():
        (package / name).write_text(text)
    monkeypatch.setattr(provenance, "PACKAGE", package)
    first = provenance.code_checksum("gradscape.unit.paper")

    def after(name: str, text: str) -> str:
        (package / name).write_text(text)
        provenance._essence.cache_clear()
        provenance._imports.cache_clear()
        return provenance.code_checksum("gradscape.unit.paper")

    assert after("other.py", "Y = 2\n") == first
    assert after("shared.py", '"""A docstring."""\nX = 1  # a comment\n') == first
    assert after("shared.py", "X = 2\n") != first
