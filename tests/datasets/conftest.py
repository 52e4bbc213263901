"""A course folder of its own for a test, a loopback server, and a network that must not be touched."""
from __future__ import annotations

import gzip
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.loopback import SIZES, Course, Server, entry, idx, whole


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    root = tmp_path / "course"
    (root / "notebooks").mkdir(parents=True)
    (root / "data").mkdir()
    monkeypatch.setenv("GRADSCAPE_ROOT", str(root))
    for name in ("GRADSCAPE_CACHE", "GRADSCAPE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    rng = np.random.default_rng(0)
    arrays, files = {}, {}
    for prefix, count in SIZES.items():
        arrays[f"{prefix}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    for name, array in arrays.items():
        files[f"{name}.gz"] = gzip.compress(idx(array), mtime=0)
    made = Course(root, files, arrays)
    remote = {
        name: {"title": name, "license": "test", "mirrors": ["http://127.0.0.1:9/"],  # port 9, discard: nobody listens
               "files": {file: entry(data) for file, data in files.items()}}
        for name in ("mnist", "fashion_mnist")
    }
    remote["cifar10"] = {"title": "", "license": "", "mirrors": ["http://127.0.0.1:9/"],
                         "files": {"cifar-10-binary.tar.gz": entry(b"")}}
    made.register(remote=remote)
    return made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server(behavior=whole)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            state.headers.append(dict(self.headers))
            if self.path not in state.files:
                self.send_error(404)
                return
            try:
                assert state.behavior is not None
                state.behavior(self, state.files[self.path])
            except (BrokenPipeError, ConnectionResetError):  # the client has seen enough
                pass

        def log_message(self, *_: Any) -> None:
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    state.address = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to open a connection or to look up a name fails the test."""
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
