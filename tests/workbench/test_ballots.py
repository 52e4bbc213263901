"""Predictions of a class: collected by session, counted without names, and nothing at all without a folder."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gradscape import cli
from gradscape.workbench import ballots, predict, reveal
from gradscape.workbench.prediction import _PANELS
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def forgotten() -> Any:
    yield
    _PANELS.clear()


def ask() -> Any:
    predict("What?", ["shift", "bend"], key="t")
    reveal("t", "shift", "Because.")
    return _PANELS["t"]


def test_the_last_choice_of_each_session_counts(
    displayed: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ballots.VARIABLE, str(tmp_path / "votes"))
    asked = ask()
    asked.choose(1)
    asked.choose(0)
    monkeypatch.setattr(ballots, "_SESSION", "another")
    asked.choose(0)
    (tmp_path / "votes" / "broken.jsonl").write_text("{nonsense\n[1]\n")
    assert ballots.count(tmp_path / "votes") == {"What?": {"shift": 2}}
    assert asked.reveals[0][0].state["why"] == "Because. The class: 2 × shift, 0 × bend."
    shown = CliRunner().invoke(cli.app, ["class", "predictions", str(tmp_path / "votes")])
    assert shown.exit_code == 0
    assert "2  shift" in shown.output


def test_without_a_folder_nothing_is_kept_and_a_bad_one_disturbs_nobody(
    displayed: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ballots.VARIABLE, raising=False)
    ask().choose(0)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(ballots.VARIABLE, str(tmp_path / "file" / "below"))
    asked = ask()
    asked.choose(1)
    assert asked.reveals[0][0].state["why"] == "Because."
    assert CliRunner().invoke(cli.app, ["class", "predictions", str(tmp_path / "none")]).exit_code == 2


def test_headless_nothing_is_collected(displayed: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSCAPE_HEADLESS", "1")
    monkeypatch.setenv(ballots.VARIABLE, str(tmp_path / "votes"))
    ask()
    assert not (tmp_path / "votes").exists()
