"""Every test of the workbench starts live, whatever the shell says."""
from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADSCAPE_HEADLESS", raising=False)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The mime bundles that the code under test displays."""
    shown: list[dict[str, object]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw=False: shown.append(bundle))
    return shown
