"""A course of toy lessons for the tests of the batch."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch import toy


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``course("plain", "failing")`` makes a course of these lessons and changes into its folder."""
    return lambda *slugs: toy.make(tmp_path / "course", monkeypatch, slugs or ("plain",))
