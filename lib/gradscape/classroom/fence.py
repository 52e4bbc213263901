"""Landlock: what a process may read and write from now on, for ever (Linux 5.13 and newer, no rights needed)."""
from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

CREATE, ADD, RESTRICT, NO_NEW_PRIVILEGES = 444, 445, 446, 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1, 2, 4, 8, 1 << 14
# rights on files and folders that each version of the kernel's interface knows
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
TCP = 0b11  # bind and connect, version 4


class FenceError(RuntimeError):
    """This system cannot fence a process."""


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    try:
        return max(0, ctypes.CDLL(None, use_errno=True).syscall(CREATE, 0, 0, 1))
    except (OSError, AttributeError):
        return 0


def close(read: Iterable[Path], write: Iterable[Path], hidden: Iterable[Path] = ()) -> None:
    """From here on this process reads only below ``read``, writes only below ``write``, sees nothing in ``hidden``.

    TCP is closed too where the kernel can (6.7). :class:`FenceError` where Landlock is missing.
    """
    known = version()
    if not known:
        raise FenceError("this system has no Landlock (Linux 5.13 and newer have it)")
    handled = RIGHTS[min(known, 4)]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    rules = (ctypes.c_uint64 * 2)(handled, TCP if known >= 4 else 0)
    ruleset = libc.syscall(CREATE, ctypes.byref(rules), ctypes.c_size_t(16 if known >= 4 else 8), 0)
    if ruleset < 0:
        raise FenceError(f"Landlock refuses: {os.strerror(ctypes.get_errno())}")
    try:
        for place, rights in _rules(read, write, {path.resolve() for path in hidden}, handled):
            _add(libc, ruleset, place, rights)
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if libc.syscall(RESTRICT, ruleset, 0) != 0:
            raise FenceError(f"Landlock refuses: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(ruleset)


def _rules(
    read: Iterable[Path], write: Iterable[Path], hidden: set[Path], handled: int
) -> Iterator[tuple[Path, int]]:
    for place in read:
        if place.exists():
            yield from _around(place.resolve(), hidden)
    for place in write:
        yield place, handled


def _around(place: Path, hidden: set[Path]) -> Iterator[tuple[Path, int]]:
    """Rules for everything below a place except what is hidden; names of files can be listed all the same."""
    if place in hidden:
        return
    if not any(place in path.parents for path in hidden):
        yield place, EXECUTE | READ_FILE | READ_DIR
        return
    yield place, READ_DIR
    for child in place.iterdir():
        yield from _around(child.resolve(), hidden)


def _add(libc: ctypes.CDLL, ruleset: int, place: Path, rights: int) -> None:
    try:
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= FILE_RIGHTS
        rule = bytes(ctypes.c_uint64(rights)) + bytes(ctypes.c_int32(handle))  # packed, as the kernel wants it
        if libc.syscall(ADD, ruleset, 1, rule, 0) != 0:
            raise FenceError(f"Landlock refuses {place}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(handle)
