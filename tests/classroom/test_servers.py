"""JupyterLab and the app listen to this machine only, and let in who has the token."""
from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from gradscape import catalog
from gradscape.classroom import projector

from tests.browser.app import stop

pytestmark = [pytest.mark.standard, pytest.mark.xdist_group("kernels")]
START_S = 120


def answer(address: str) -> tuple[int, str]:
    """Status, and the page that it led to."""
    try:
        with urllib.request.urlopen(address, timeout=30) as found:
            return found.status, urlsplit(found.url).path
    except urllib.error.HTTPError as error:
        return error.code, urlsplit(error.url).path


# what each is asked for, and its answer to who may ask: the app has no such kernel
@pytest.mark.parametrize(("words", "asked", "known"), [
    (("lab", "--no-browser", "--allow-root"), "api/contents", 200),
    (("class", "app", "high_dimensional", "--no-browser", "--profile", "smoke"),
     "api/kernels/5b6f5c4e-1d4f-4e0a-9b0a-0f3c2b1a0d11", 404),
])
def test_a_server_listens_here_alone_and_asks_for_its_token(
    tmp_path: Path, words: tuple[str, ...], asked: str, known: int
) -> None:
    if words[0] == "class":
        pytest.importorskip("voila", reason="voila is not installed: pip install -r requirements-test.txt")
    log, port = tmp_path / "log", projector.free_port(None)
    env = {name: value for name, value in os.environ.items() if name not in ("JUPYTER_TOKEN", "GRADSCAPE_HEADLESS")}
    with log.open("w") as sink:
        server = subprocess.Popen([sys.executable, "-m", "gradscape.cli", *words, "--port", str(port)], env=env,
                                  stdout=sink, stderr=subprocess.STDOUT, start_new_session=True, cwd=tmp_path)
    here = f"http://127.0.0.1:{port}/"
    try:
        limit = time.monotonic() + START_S
        while True:
            try:
                refused = answer(here + asked)
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < limit, log.read_text()
                time.sleep(0.3)
        assert refused[0] == 403
        token = re.findall(r"\?token=([0-9a-f]{48})", log.read_text())[0]
        assert answer(f"{here}{asked}?token={token[::-1]}")[0] == 403
        assert answer(f"{here}{asked}?token={token}")[0] == known
        assert answer(here)[1].endswith("/login")
        process = psutil.Process(server.pid)
        both = (process, *process.children(recursive=True))
        listening = {found.laddr.ip for one in both for found in one.net_connections("inet")
                     if found.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert not any(token in word for word in process.cmdline()), "every user of the machine could read it"
    finally:
        stop(server)


def test_a_browser_is_opened_with_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(projector.subprocess, "Popen", lambda words, env: started.append(env))
    monkeypatch.setattr(projector.os, "execve", lambda file, words, env: became.append((words, env)))
    monkeypatch.setattr(projector.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    projector.serve(catalog.find("high_dimensional"), None, True, "smoke")
    ((words, env),) = became
    assert started[0]["GRADSCAPE_APP"].endswith(f"/?token={env['JUPYTER_TOKEN']}")
    assert len(env["JUPYTER_TOKEN"]) == 48
    assert "--Voila.ip=127.0.0.1" in words
    assert "--Voila.auto_token=True" in words
    assert not any(env["JUPYTER_TOKEN"] in word for word in words)
