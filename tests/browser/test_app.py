"""A lesson as an app, in a real browser: explorers drawn with data, code hidden, a slider that moves the figure."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.page import RUN_S, Guarded

pytestmark = pytest.mark.browser
pytest.importorskip("voila", reason="voila is not installed: pip install -r requirements-test.txt")
START_S = 90


@pytest.fixture(scope="module")
def app(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served lesson."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("app") / "log"
    with log.open("w") as sink:
        server = subprocess.Popen(
            [sys.executable, "-m", "gradscape.cli", "class", "app", "high_dimensional", "--port", str(port),
             "--no-browser", "--profile", "smoke"],
            stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )
    try:
        until = time.monotonic() + START_S
        while time.monotonic() < until and server.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/static/voila.js", timeout=2):
                    break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.3)
        assert server.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}/"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


class Shown(Guarded):
    """The app's page; :class:`Guarded` without what is JupyterLab's own."""

    def __init__(self, browser: Any, address: str) -> None:
        self.foreign, self.errors = [], []
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
        self.context.route("**/*", self._route)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._note(f"uncaught: {error}", ""))
        self.page.goto(address, timeout=1000 * RUN_S)


def test_the_app_draws_hides_code_and_follows_a_slider(chrome: Any, app: str) -> None:
    from gradscape import catalog
    from gradscape.classroom import projector

    made = projector.notebook(catalog.find("high_dimensional"), "smoke")
    count = sum("explorer" in cell.metadata.get("tags", []) for cell in made.cells)
    page = Shown(chrome, app)
    try:
        explorers = page.explorers(count, RUN_S)
        first = explorers[0]
        assert first.mode in ("live", "quick")
        assert page.page.locator(".jp-CodeMirrorEditor, .jp-InputArea-editor, .highlight").count() == 0
        assert "settings" not in page.page.locator("body").inner_text()
        slider = first.root.locator(".gs-control input[type=range]").first
        assert first.moved(slider), "the slider did not change the figure"
        assert not page.foreign, f"requests that left the machine: {page.foreign}"
        assert not page.errors, f"errors in the browser: {page.errors}"
    except BaseException:
        Path("test-results").mkdir(exist_ok=True)
        page.page.screenshot(path="test-results/app.png", full_page=True)
        raise
    finally:
        page.close()
