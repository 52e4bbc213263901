"""A tiny course, the bytes of its "mnist", and the ways in which a loopback server misbehaves."""
from __future__ import annotations

import hashlib
import http.server
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"train": 30, "t10k": 10}


def idx(array: np.ndarray) -> bytes:
    """Write an array of bytes in the IDX format (by hand: the reader is what is tested)."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


def entry(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@dataclass
class Course:
    """A course root in a temporary folder, and the content of the tiny "mnist" that its registry promises."""

    root: Path
    files: dict[str, bytes]
    arrays: dict[str, np.ndarray]

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    def register(self, **sections: dict[str, Any]) -> None:
        content = {"committed": {}, "packaged": {}, "remote": {}} | sections
        (self.data / "registry.json").write_text(json.dumps(content))

    def names(self, folder: str = "mnist") -> list[str]:
        """Everything below a folder of the cache, hidden or not."""
        return sorted(str(p.relative_to(self.cache / folder)) for p in (self.cache / folder).rglob("*"))


@dataclass
class Server:
    """What the loopback server gives: ``files`` by path, each through a ``behavior``."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    behavior: Callable[[http.server.BaseHTTPRequestHandler, bytes], None] | None = None
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def whole(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def in_pieces(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    """Chunked transfer of 50 bytes at a time, as a proxy may do it: no length is announced."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for start in range(0, len(data), 50):
        piece = data[start : start + 50]
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def truncated(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    """Promise the whole length and close the connection half way."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])


def unannounced(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    """End half way without having promised a length: only the checksum can tell."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])


def wrong(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    """One flipped bit."""
    whole(handler, data[:-1] + bytes([data[-1] ^ 1]))


def slow(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    time.sleep(1.0)


def endless(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(bytes(2**16))


def broken(handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_error(503)
