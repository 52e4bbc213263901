"""The full MNIST, Fashion-MNIST and CIFAR-10: fetched on request with checksums, read from the cache ever after.

Only ``fetch`` touches the network. Sets lie in ``<cache>/<name>/``; the cache is ``GRADSCAPE_CACHE``, else
``data/cache`` of the course, else (read-only course) the user's cache folder. ``GRADSCAPE_MIRROR`` names one address
to fetch everything from, ``<address>/<name>/<file>``, for a class without a way to the internet.
"""
from __future__ import annotations

import io
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradscape import validate
from gradscape.datasets import formats, integrity
from gradscape.datasets.integrity import DataError

CACHE_VARIABLE = "GRADSCAPE_CACHE"
MIRROR_VARIABLE = "GRADSCAPE_MIRROR"
NAMES = ("mnist", "fashion_mnist", "cifar10")
_IDX_FILES = {"train": "train", "test": "t10k"}
_PARTIAL = ".partial-"
_STALE_SECONDS = 24 * 3600  # no download of at most 170 MB takes a day; an older partial folder is a killed process's
_CHUNK = 2**16

Bytes = NDArray[np.uint8]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RemoteSet:
    """A set that can be fetched: name, title, license, size in bytes, and its folder, None while it is not there."""

    name: str
    title: str
    license: str
    size: int
    folder: Path | None


def remote_sets() -> tuple[RemoteSet, ...]:
    """All sets that ``fetch`` knows, with the folder of those complete by names and sizes (reading checks more)."""
    found = []
    for name in NAMES:
        entry = _entry(name)
        size = sum(file["bytes"] for file in entry["files"].values())
        found.append(RemoteSet(name, entry["title"], entry["license"], size, _complete(name)))
    return tuple(found)


def cache_folders() -> tuple[Path, ...]:
    """The folders in which fetched sets are looked for; the first one is written to."""
    override = os.environ.get(CACHE_VARIABLE)
    if override:
        return (Path(override).expanduser().absolute(),)
    import pooch

    course, user = integrity.data_folder() / "cache", Path(pooch.os_cache("gradscape"))
    return (course, user) if _writable(course) else (user, course)


def fetch(
    name: str, *, progress: Progress | None = None, mirrors: Sequence[str] | None = None, timeout: float = 30.0
) -> Path:
    """Download a set into the cache, unless it is there already, and return its folder.

    ``name``: "mnist" (12 MB), "fashion_mnist" (31 MB) or "cifar10" (170 MB, binary version).
    ``progress(done, total)``: called with bytes of the whole set.
    ``mirrors``: addresses that hold the files, tried in order; default: GRADSCAPE_MIRROR/name, else the registry's.
    ``timeout``: seconds without an answer after which a mirror is given up.

    A file gets its name only after its size and SHA-256 matched; an interrupted download leaves nothing behind.
    Raises ValueError for a bad argument, DataError when a file cannot be had: it names each address and what to do.
    """
    validate.one_of("name", name, NAMES)
    validate.positive("timeout", timeout)
    entry, bases = _entry(name), _mirrors(name, mirrors)
    folder = cache_folders()[0] / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    total = sum(file["bytes"] for file in entry["files"].values())
    done = 0
    for file, expected in entry["files"].items():
        if not _intact(folder / file, expected):
            _fetch_file(name, file, bases, folder, _Download(done, total, expected["bytes"], progress, timeout))
        done += expected["bytes"]
        if progress is not None:
            progress(done, total)
    return folder


def images(name: str, split: str) -> tuple[Bytes, Bytes]:
    """Read one split of a fetched set: pixels (N, channels, height, width) and labels (N,), uint8, read-only.

    The files' checksums are compared before anything is parsed; nothing is ever unpickled or unpacked to disk.
    Raises ValueError for a bad argument, DataError when the set was not fetched or is damaged.
    """
    validate.one_of("name", name, NAMES)
    validate.one_of("split", split, tuple(_IDX_FILES))
    folder = _complete(name)
    if folder is None:
        places = ", ".join(str(place / name) for place in cache_folders())
        raise DataError(f"{name} is not on this machine (looked in {places}): run `gradscape data fetch {name}` once, "
                        "with a network; everything else works without it")
    return _split(name, split, folder)


@lru_cache(maxsize=4)
def _split(name: str, split: str, folder: Path) -> tuple[Bytes, Bytes]:
    try:
        if name == "cifar10":
            file = "cifar-10-binary.tar.gz"
            pixels, labels = formats.read_cifar10(io.BytesIO(_read(name, folder, file)), split, str(folder / file))
        else:
            prefix = _IDX_FILES[split]
            pixels, labels = (
                formats.read_idx(_read(name, folder, file), str(folder / file))
                for file in (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
            )
            pixels = pixels[:, None]
    except ValueError as error:
        raise DataError(f"{error}; the registry's checksum matches it: report this") from error
    pixels.setflags(write=False)
    labels.setflags(write=False)
    return pixels, labels


def _entry(name: str) -> dict[str, Any]:
    entry: dict[str, Any] = integrity.registry()["remote"][name]
    return entry


def _complete(name: str) -> Path | None:
    files = _entry(name)["files"]
    for place in cache_folders():
        folder = place / name
        if all((folder / f).is_file() and (folder / f).stat().st_size == entry["bytes"] for f, entry in files.items()):
            return folder
    return None


def _read(name: str, folder: Path, file: str) -> bytes:
    return integrity.read_verified(
        folder / file, _entry(name)["files"][file], f"`gradscape data fetch {name}` fetches it again"
    )


def _intact(path: Path, expected: dict[str, Any]) -> bool:
    return path.is_file() and not integrity.mismatch(path.read_bytes(), expected)


def _mirrors(name: str, mirrors: Sequence[str] | None) -> list[str]:
    if mirrors is None:
        base = os.environ.get(MIRROR_VARIABLE)
        mirrors = [f"{base.rstrip('/')}/{name}"] if base else _entry(name)["mirrors"]
    if isinstance(mirrors, str) or not mirrors:
        raise ValueError(f"mirrors={mirrors!r}: a sequence of at least one address is needed")
    for address in mirrors:
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"mirrors holds {address!r}: addresses start with http:// or https://")
    return [address.rstrip("/") for address in mirrors]


class _TooLong(Exception):
    """A mirror sends more bytes than the file has."""


class _Download:
    """What pooch calls to download one file: reports ``progress(done, total)`` and stops at an answer without end."""

    def __init__(self, before: int, total: int, expected: int, progress: Progress | None, timeout: float) -> None:
        self.before, self.total, self.expected, self.progress, self.timeout = before, total, expected, progress, timeout

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        import requests

        headers = {"Accept-Encoding": "identity"}  # a mirror that packs the .gz once more would change its bytes
        done = 0
        with (
            requests.get(url, stream=True, timeout=self.timeout, headers=headers) as answer,
            open(output_file, "wb") as out,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_content(_CHUNK):
                done += len(chunk)
                if done > self.expected:
                    raise _TooLong(f"more than the {self.expected} bytes of this file")
                out.write(chunk)
                if self.progress is not None:
                    self.progress(self.before + done, self.total)


def _fetch_file(name: str, file: str, bases: Iterable[str], folder: Path, download: _Download) -> None:
    digest = _entry(name)["files"][file]["sha256"]
    tried = []
    for base in bases:
        address = f"{base}/{file}"
        problem = _try(address, folder / file, digest, download)
        if not problem:
            return
        tried.append(f"  {address}: {problem}")
    raise DataError("\n".join((
        f"{name}: {file} could not be fetched; no part of it was kept. Looked at", *tried,
        f"Check the network and run `gradscape data fetch {name}` again; or put the file into {folder} by hand; "
        f"or set {MIRROR_VARIABLE} to an address that holds {name}/{file}.",
    )))


def _try(address: str, target: Path, digest: str, download: _Download) -> str:
    """Fetch one file from one address; returns what went wrong, or nothing."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # its "Downloading data from" would mix with our progress lines
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{_PARTIAL}{_owner()}-") as partial:
            pooch.retrieve(address, f"sha256:{digest}", fname=target.name, path=partial, downloader=download)
            os.replace(Path(partial) / target.name, target)
    except requests.HTTPError as error:
        return f"the server answered {error}"
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        return f"the download broke off ({_innermost(error)})"
    except requests.Timeout:
        return f"no answer within {download.timeout:g} s"
    except requests.ConnectionError as error:
        return f"no connection ({_innermost(error)})"
    except requests.RequestException as error:
        return f"the request failed ({_innermost(error)})"
    except _TooLong as error:
        return f"wrong content: {error}"
    except ValueError:  # what pooch raises for a checksum that differs
        return f"wrong content: its SHA-256 is not {digest}"
    except OSError as error:  # after requests' own, which are OSErrors too
        raise _unwritable(target.parent, error) from error
    return ""


def _innermost(error: BaseException) -> str:
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, BaseException) else error)


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(f"cannot write to {folder} ({error.strerror or error}): make room or set {CACHE_VARIABLE} "
                     "to another folder; no half file was kept")


def _owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _sweep(folder: Path) -> None:
    """Remove partial folders that a killed process left: those of this machine's dead processes and those a day old."""
    import psutil

    for partial in folder.glob(f"{_PARTIAL}*"):
        host, _, rest = partial.name.removeprefix(_PARTIAL).rpartition("-")[0].rpartition("-")
        dead = host == socket.gethostname() and rest.isdigit() and not psutil.pid_exists(int(rest))
        try:
            old = time.time() - partial.stat().st_mtime > _STALE_SECONDS
        except FileNotFoundError:  # another process has just finished with it
            continue
        if dead or old:
            shutil.rmtree(partial, ignore_errors=True)


def _writable(folder: Path) -> bool:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
