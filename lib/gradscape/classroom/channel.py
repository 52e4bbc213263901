"""Messages over a socket pair: a length, JSON, raw buffers; every wait has an end."""
from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

from gradscape.classroom.codec import LARGEST, CodecError

_HEAD = struct.Struct("!QQ")


class TooLong(Exception):
    """The other side did not answer in time."""


class Gone(Exception):
    """The other side has ended."""


class Channel:
    """One end. ``until`` is a time of ``time.monotonic`` at which waiting ends with :class:`TooLong`; None waits on."""

    def __init__(self, end: socket.socket) -> None:
        self.end, self.until = end, None  # type: socket.socket, float | None

    def send(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        """Send a message with its buffers."""
        buffers = buffers or []
        head = json.dumps({**message, "sizes": [len(part) for part in buffers]}).encode()
        body = b"".join(buffers)
        if len(head) + len(body) > LARGEST:
            raise CodecError(f"a message of {len(head) + len(body)} bytes; {LARGEST} are allowed")
        self._limit()
        try:
            self.end.sendall(_HEAD.pack(len(head), len(body)) + head + body)
        except TimeoutError:
            raise TooLong from None
        except OSError as error:
            raise Gone(str(error)) from error

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """The next message and its buffers; :class:`CodecError` if it makes no sense."""
        head, body = _HEAD.unpack(self._exactly(_HEAD.size))
        if head + body > LARGEST:
            raise CodecError(f"a message of {head + body} bytes; {LARGEST} are allowed")
        try:
            message = json.loads(self._exactly(head))
            raw, buffers = self._exactly(body), []
            for size in message["sizes"]:
                buffers.append(raw[:size])
                raw = raw[size:]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CodecError(f"unreadable message: {error}") from error
        return message, buffers

    def _exactly(self, size: int) -> bytes:
        parts, left = [], size
        while left:
            self._limit()
            try:
                part = self.end.recv(min(left, 2**20))
            except TimeoutError:
                raise TooLong from None
            except OSError as error:
                raise Gone(str(error)) from error
            if not part:
                raise Gone("it has ended")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _limit(self) -> None:
        if self.until is None:
            self.end.settimeout(None)
            return
        left = self.until - time.monotonic()
        if left <= 0:
            raise TooLong
        self.end.settimeout(left)
