"""Bad input ends with one message and code 2 and writes nothing; the rooms of a new lesson; the app's notebook."""
from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from gradscape import catalog, cli
from gradscape.classroom import assignments, projector, scaffold, slices
from typer.testing import CliRunner


def call(*words: str) -> Any:
    return CliRunner().invoke(cli.app, list(words), env={"COLUMNS": "200", "TERM": "dumb"})


def refused(*words: str) -> str:
    shown = call(*words)
    assert shown.exit_code == 2, shown.output
    assert "Traceback" not in shown.output
    return shown.output


def test_assignments_refuse_what_they_cannot_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "require", lambda package: None)
    out = tmp_path / "course"
    assert "did you mean" in refused("class", "assignments", str(out), "--lessons", "high_dimensionel")
    assert "no lesson is named" in refused("class", "assignments", str(out))
    assert "no answers at" in refused("class", "assignments", str(out), "--lessons", "high_dimensional",
                                      "--answers", str(tmp_path))
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert "not empty" in refused("class", "assignments", str(out), "--lessons", "high_dimensional")
    assert [(p.name, p.read_text()) for p in out.iterdir()] == [("mine.txt", "mine")]


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pip install no_such_package_anywhere"):
        assignments.require("no_such_package_anywhere")


def test_an_occupied_port_and_an_unknown_lesson_are_told() -> None:
    assert "did you mean" in refused("class", "app", "high_dimensionel")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port={port}: address already in use"):
            projector.free_port(port)
    with pytest.raises(ValueError, match="from 1 to 65535"):
        projector.free_port(70_000)


def test_the_app_holds_parameters_setup_and_explorers_alone() -> None:
    made = projector.notebook(catalog.find("high_dimensional"), "smoke")
    tags = [tuple(cell.metadata.get("tags", ())) for cell in made.cells]
    assert tags[0] == ()
    assert tags[1:4] == [("parameters",), (), ("setup",)]
    assert set(tags[4:]) == {("explorer",)}
    assert made.cells[2].source == "profile = 'smoke'"


def test_new_makes_rooms_that_are_not_yet_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("lib/gradscape", "tests", "notebooks", "data"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("GRADSCAPE_ROOT", str(tmp_path))
    made = scaffold.make("dynamics/brand_new")
    assert len(made) == 4
    for place in made:
        compile(place.read_text(), str(place), "exec")
        assert "SLUG" not in place.read_text()
    assert "raise AssertionError" in (tmp_path / "tests/dynamics/test_brand_new.py").read_text()
    before = [place.read_text() for place in made]
    with pytest.raises(ValueError, match="exists already"):
        scaffold.make("dynamics/brand_new")
    assert [place.read_text() for place in made] == before
    for name in ("brand_new", "dynamics/", "dynamics/Brand-New", "nowhere/brand_new", "dynamics/../x"):
        with pytest.raises(ValueError, match="must"):
            scaffold.make(name)


def test_a_slice_holds_what_a_name_needs_and_no_more() -> None:
    source = "import math\nimport os\nA = 2\nB = A + 1\ndef f(x):\n    return math.sqrt(x) + B\ndef g(): return os\n"
    cut = slices.needed(source, {"f"})
    scope: dict[str, Any] = {}
    exec(cut, scope)
    assert scope["f"](4) == 5
    assert "os" not in cut
    with pytest.raises(ValueError, match="not defined"):
        slices.needed(source, {"h"})
