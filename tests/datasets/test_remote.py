"""Fetching over a loopback server, whole, broken off, wrong or refused: the message, and what is left on the disk."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from gradscape.datasets import DataError, fashion, fetch, remote, remote_sets

from tests.datasets import loopback


@pytest.fixture
def stocked(course, server):
    """A server that holds the tiny mnist at /m/."""
    server.files = {f"/m/{name}": data for name, data in course.files.items()}
    return server


def address(server) -> list[str]:
    return [f"{server.address}/m/"]


def test_a_fetched_set_is_read_like_the_committed_one(course, stocked):
    folder = fetch("mnist", mirrors=address(stocked))
    assert folder == course.cache / "mnist"
    assert course.names() == sorted(course.files)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        x, y = fashion.load(split, dataset="mnist")
        assert x.shape == (loopback.SIZES[prefix], 1, 28, 28)
        assert x.dtype == torch.float32
        stored = torch.from_numpy(course.arrays[f"{prefix}-images-idx3-ubyte"])
        assert torch.equal((x * 255).round().to(torch.uint8)[:, 0], stored)
        assert y.tolist() == course.arrays[f"{prefix}-labels-idx1-ubyte"].tolist()
    assert next(s for s in remote_sets() if s.name == "mnist").folder == folder
    assert next(s for s in remote_sets() if s.name == "cifar10").folder is None


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(course, stocked):
    fetch("mnist", mirrors=address(stocked))
    stocked.asked.clear()
    fetch("mnist", mirrors=address(stocked))
    assert stocked.asked == []
    victim = course.cache / "mnist" / "train-labels-idx1-ubyte.gz"
    victim.write_bytes(victim.read_bytes()[::-1])
    with pytest.raises(DataError, match=r"is damaged: SHA-256 .* `gradscape data fetch mnist` fetches it again"):
        fashion.load(dataset="mnist")
    fetch("mnist", mirrors=address(stocked))
    assert stocked.asked == ["/m/train-labels-idx1-ubyte.gz"]
    assert len(fashion.load(dataset="mnist").y) == loopback.SIZES["train"]


def test_progress_counts_bytes_up_to_the_whole(course, stocked):
    seen: list[tuple[int, int]] = []
    fetch("mnist", mirrors=address(stocked), progress=lambda done, total: seen.append((done, total)))
    total = sum(len(data) for data in course.files.values())
    assert {whole for _, whole in seen} == {total}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (total, total)


def test_small_pieces_are_no_trouble(course, stocked):
    stocked.behavior = loopback.in_pieces
    fetch("mnist", mirrors=address(stocked))
    assert course.names() == sorted(course.files)


def test_the_server_is_asked_not_to_pack_the_bytes(course, stocked):
    fetch("mnist", mirrors=address(stocked))
    assert all(headers["Accept-Encoding"] == "identity" for headers in stocked.headers)


@pytest.mark.parametrize(
    ("behavior", "says"),
    [
        (loopback.truncated, "the download broke off"),
        (loopback.unannounced, "wrong content: its SHA-256 is not"),
        (loopback.wrong, "wrong content: its SHA-256 is not"),
        (loopback.endless, "wrong content: more than the"),
        (loopback.broken, "the server answered 503"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_download_says_where_and_leaves_nothing(course, stocked, behavior, says):
    stocked.behavior = behavior
    with pytest.raises(DataError) as caught:
        fetch("mnist", mirrors=address(stocked))
    message = str(caught.value)
    assert f"{stocked.address}/m/train-images-idx3-ubyte.gz: {says}" in message
    assert "no part of it was kept" in message
    assert "run `gradscape data fetch mnist` again" in message
    assert str(course.cache / "mnist") in message
    assert course.names() == []


def test_a_silent_server_is_given_up(course, stocked):
    stocked.behavior = loopback.slow
    with pytest.raises(DataError, match=r"no answer within 0\.2 s"):
        fetch("mnist", mirrors=address(stocked), timeout=0.2)
    assert course.names() == []


def test_a_missing_file_is_named(course, server):
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: the server answered 404"):
        fetch("mnist", mirrors=address(server))


def test_nobody_listens(course, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as listener:  # bound but never listening: the port is refused and stays ours
        listener.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(DataError, match=r"no connection .*refused") as caught:
            fetch("mnist", mirrors=[nowhere])
    assert nowhere in str(caught.value)
    assert course.names() == []


def test_the_next_mirror_helps_out(course, stocked):
    fetch("mnist", mirrors=[f"{stocked.address}/nothing", *address(stocked)])
    assert course.names() == sorted(course.files)


def test_the_environment_names_a_mirror(course, stocked, monkeypatch):
    monkeypatch.setenv("GRADSCAPE_MIRROR", f"{stocked.address}/class/")
    stocked.files = {f"/class/fashion_mnist/{name}": data for name, data in course.files.items()}
    fetch("fashion_mnist")
    assert course.names("fashion_mnist") == sorted(course.files)


def test_without_a_mirror_the_registry_is_asked(course, stocked):
    registry = remote.integrity.registry()["remote"]
    course.register(remote=registry | {"mnist": registry["mnist"] | {"mirrors": address(stocked)}})
    fetch("mnist")
    assert course.names() == sorted(course.files)


def test_a_cancelled_download_leaves_nothing(course, stocked):
    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mnist", mirrors=address(stocked), progress=cancel)
    assert course.names() == []


def test_leftovers_of_a_killed_process_are_swept(course, stocked):
    folder = course.cache / "mnist"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    dead = folder / f".partial-{host}-{gone.pid}-abc"
    alive = folder / f".partial-{host}-{os.getpid()}-abc"
    elsewhere = folder / ".partial-another-host-1-abc"
    ancient = folder / ".partial-another-host-1-old"
    for partial in (dead, alive, elsewhere, ancient):
        partial.mkdir(parents=True)
        (partial / "half").write_bytes(b"half")
    long_ago = time.time() - 48 * 3600
    os.utime(ancient, (long_ago, long_ago))
    fetch("mnist", mirrors=address(stocked))
    assert [partial.exists() for partial in (dead, alive, elsewhere, ancient)] == [False, True, True, False]


@pytest.mark.parametrize("kind", ["GRADSCAPE_CACHE", "read-only course"])
def test_where_the_cache_is(course, stocked, monkeypatch, tmp_path, kind):
    if kind == "GRADSCAPE_CACHE":
        monkeypatch.setenv("GRADSCAPE_CACHE", str(tmp_path / "mine"))
        expected = tmp_path / "mine"
    else:
        # as root every folder is writable, so the answer is given rather than made
        monkeypatch.setattr(remote, "_writable", lambda folder: False)
        expected = tmp_path / "user" / "gradscape"
    assert fetch("mnist", mirrors=address(stocked)) == expected / "mnist"
    assert not course.cache.exists()
    assert len(fashion.load("test", dataset="mnist").y) == loopback.SIZES["t10k"]


def test_a_cache_that_cannot_be_written(course, stocked, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADSCAPE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot write to .*file/mnist.*GRADSCAPE_CACHE"):
        fetch("mnist", mirrors=address(stocked))


def test_a_full_disk_is_not_blamed_on_the_mirror(course, stocked, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remote.os, "replace", full)
    with pytest.raises(DataError, match="No space left on device"):
        fetch("mnist", mirrors=address(stocked))
    assert course.names() == []


def test_a_set_that_was_not_fetched_says_how(course, no_network):
    with pytest.raises(DataError, match=r"mnist is not on this .*data/cache/mnist.*`gradscape data fetch mnist`"):
        fashion.load(dataset="mnist")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"name": "fashion_10k"}, "name='fashion_10k'"),
        ({"name": "../mnist"}, "name='../mnist'"),
        ({"name": "mnist", "timeout": 0}, "timeout=0"),
        ({"name": "mnist", "mirrors": []}, "mirrors"),
        ({"name": "mnist", "mirrors": "http://x"}, "mirrors"),
        ({"name": "mnist", "mirrors": ["file:///etc"]}, "file:///etc"),
    ],
)
def test_bad_arguments(course, no_network, arguments, names):
    with pytest.raises(ValueError, match=names):
        fetch(**arguments)
    assert not course.cache.exists()


def test_a_file_that_matches_its_checksum_but_is_no_image_set(course):
    bad = b"not an idx file"
    registry = remote.integrity.registry()["remote"]
    files = {name: loopback.entry(bad) for name in course.files}
    course.register(remote=registry | {"mnist": registry["mnist"] | {"files": files}})
    for name in files:
        (course.cache / "mnist").mkdir(parents=True, exist_ok=True)
        (course.cache / "mnist" / name).write_bytes(bad)
    with pytest.raises(DataError, match="starts with"):
        fashion.load(dataset="mnist")


def test_stored_pixels_are_read_only(course, stocked):
    fetch("mnist", mirrors=address(stocked))
    pixels, _ = remote.images("mnist", "test")
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0, 0, 0] = 1
    assert pixels.dtype == np.uint8


def test_two_processes_may_fetch_at_once(course, stocked):
    """Here as threads: each has a partial folder of its own, and the last rename wins with the same bytes."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            fetch("mnist", mirrors=address(stocked))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert course.names() == sorted(course.files)


@pytest.mark.standard
def test_a_killed_download_leaves_no_file_of_the_set(course, stocked):
    stalled = threading.Event()

    def stall(handler, data) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        stalled.set()
        time.sleep(60)

    stocked.behavior = stall
    code = f"from gradscape.datasets import fetch; fetch('mnist', mirrors={address(stocked)!r})"
    child = subprocess.Popen([sys.executable, "-c", code])
    assert stalled.wait(60)
    folder = course.cache / "mnist"
    deadline = time.monotonic() + 30
    while not any(path.is_file() for path in folder.rglob("*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert not any((folder / name).exists() for name in course.files)
    assert all(name.startswith(".partial-") for name in course.names())
    assert course.names()  # the kill left something to sweep
    stocked.behavior = loopback.whole
    fetch("mnist", mirrors=address(stocked))
    assert course.names() == sorted(course.files)
