"""A lesson served as an app on loopback, and the page that a browser opens there."""
from __future__ import annotations

import contextlib
import os
import secrets
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

from tests.browser.page import RUN_S, Guarded

START_S = 90


@contextlib.contextmanager
def serving(lesson: str, log: Path, profile: str = "smoke") -> Iterator[str]:
    """``gradscape class app`` for a lesson; its address. ``log`` takes what it says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with log.open("w") as sink:
        server = subprocess.Popen(
            [sys.executable, "-m", "gradscape.cli", "class", "app", lesson, "--port", str(port), "--no-browser",
             "--profile", profile],
            stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "JUPYTER_TOKEN": token},
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
        yield f"http://127.0.0.1:{port}/?token={token}"
    finally:
        stop(server)


def stop(server: subprocess.Popen[Any]) -> None:
    """End a server that leads its own process group, with all that it has started."""
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
