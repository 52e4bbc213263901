"""Files and folders that appear whole or not at all, also when the machine stops in the middle."""
from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_text(place: Path, text: str) -> None:
    """Replace a file: written under a temporary name, flushed to disk, renamed."""
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
        os.chmod(name, mode)
        os.replace(name, place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(place.parent)


@contextlib.contextmanager
def folder(place: Path) -> Iterator[Path]:
    """A folder to fill that is renamed to ``place`` when the block ends well; what fails leaves nothing behind.

    If ``place`` exists by then it is kept as it is, and the new one is dropped.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=place.parent, prefix=".part-"))
    try:
        yield part
        os.chmod(part, 0o755)
        for file in part.iterdir():
            _sync(file)
        _sync(part)
        if not place.exists():
            part.rename(place)
            _sync(place.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_folder(place: Path, part: Path) -> None:
    """Put the finished folder ``part`` where ``place`` is; readers see the old one or the new one."""
    old = None
    if place.exists():
        old = place.with_name(f".old-{os.getpid()}-{place.name}")
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    part.rename(place)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _sync(place: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems refuse to sync a folder
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
