"""Hostile values: whatever is given, a value is set or refused in one line, and nothing is written or executed."""
from __future__ import annotations

import json
import math
import os
import subprocess
from typing import Any

import pytest
from gradscape import catalog, cli
from gradscape.batch.parameters import ParameterError, parse, settings_for
from gradscape.batch.store import StoreError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from tests.batch.test_batch_run import Instant

LESSONS = catalog.lessons(available=True)
# 450 for each of the course's lessons, as objects and as text: more than ten thousand cases
EXAMPLES = 450
HOSTILE = st.sampled_from([
    "../../etc/passwd", "..", "/", "\x00", "a\nb = 1", "__import__('os').system('touch owned')", "${HOME}", "$(id)",
    "<script>alert(1)</script>", "{{7*7}}", "%s%n", "1e999", "-0", "0x10", "1_000", "٣", "nan", "inf", "True", "None",
    "\ud800", "9" * 5000, "runs:1,runs:2", ":", ",,,", "runs:-1", "'; open('owned', 'w'); '",
])
VALUES = st.one_of(
    HOSTILE, st.text(max_size=40), st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=8),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def still(tmp_path, monkeypatch):
    """An empty folder to be in, and nothing that starts processes."""
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a value was executed")

    monkeypatch.chdir(tmp_path)
    for module, name in ((subprocess, "Popen"), (os, "system")):
        monkeypatch.setattr(module, name, refuse)
    return tmp_path


def fields(entry: catalog.Lesson) -> st.SearchStrategy[str]:
    return st.sampled_from([*entry.load().Settings.model_fields, "__class__", "model_config", "os", ""])


@pytest.mark.standard
@pytest.mark.parametrize("entry", LESSONS, ids=[entry.id for entry in LESSONS])
def test_settings_take_a_value_or_refuse_it_in_words(entry, still):
    model = entry.load().Settings

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET, database=None, derandomize=True)
    @given(name=fields(entry), value=VALUES, text=st.booleans())
    def check(name: str, value: Any, text: bool) -> None:
        try:
            if text:
                made = settings_for(entry.id, model, parse([f"{name}={value}"]))
            else:
                made = model(**{name: value})
        except (ParameterError, ValidationError, ValueError, TypeError) as error:
            assert isinstance(error, ValueError) or name not in model.model_fields, repr(error)
            assert str(error)
            return
        kept = getattr(made, name)
        assert type(kept) in (str, int, float, bool)
        assert isinstance(kept, str) or math.isfinite(kept)
        json.dumps(made.model_dump(mode="json"), allow_nan=False)

    check()
    assert list(still.iterdir()) == []


WORDS = st.one_of(HOSTILE, st.text(max_size=20), st.sampled_from([
    "plain", "toys", "-p", "--profile", "quick", "rate=1", "--table", "--function", "seed=0:3"
]))


@pytest.mark.standard
@pytest.mark.parametrize("command", ["list", "show", "check", "report", "record", "run", "results", "sweep"])
def test_commands_refuse_what_makes_no_sense_and_write_nothing_elsewhere(course, monkeypatch, command):
    folder = course("plain")
    monkeypatch.setattr("gradscape.batch.executors.local.LocalPool", lambda *_, **__: Instant())
    monkeypatch.setattr("gradscape.batch.runs.report.build", lambda store: store.folder)
    monkeypatch.setattr("gradscape.batch.sweeps.api.Sweep.executor", lambda sweep: Instant())
    outside = folder.parent / "elsewhere"
    outside.mkdir()

    @settings(max_examples=100, deadline=None, suppress_health_check=QUIET, database=None, derandomize=True)
    @example(words=["9" * 5000])
    @given(words=st.lists(WORDS.filter(lambda word: "\x00" not in word), max_size=4))
    def check(words: list[str]) -> None:
        found = CliRunner().invoke(cli.app, [command, *words])
        assert found.exit_code in (0, 1, 2), (words, found.exception)
        assert found.exception is None or isinstance(found.exception, SystemExit), (words, found.exception)

    check()
    assert list(outside.iterdir()) == []
    allowed = {"data", "notebooks", "runs"}
    assert {place.name for place in folder.iterdir()} <= allowed
    assert not list(folder.rglob("owned"))


def test_errors_of_the_store_are_value_errors():
    assert issubclass(StoreError, ValueError)
