"""The binary formats of the image sets, IDX (MNIST, Fashion-MNIST) and the records of CIFAR-10; never a pickle."""
from __future__ import annotations

import gzip
import io
import math
import tarfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

CIFAR_ROW = 1 + 3 * 32 * 32  # one label, then the red, green and blue planes
CIFAR_FILE_ROWS = 10_000
_CIFAR_FOLDER = "cifar-10-batches-bin"
_CIFAR_FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
_CIFAR_OTHERS = ("batches.meta.txt", "readme.html")
_MAX_IDX_BYTES = 256 * 2**20  # five times the largest file we read: a "gzip bomb" stops here


def read_idx(data: bytes, name: str = "data") -> Bytes:
    """Parse one IDX file of unsigned bytes, gzipped or plain.

    The format: two zero bytes, the type (8 = unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit integer, then the values in C order. Returns a uint8 array of that shape.
    Raises ValueError when the stream is damaged, of another type or not exactly as long as its header says.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(_MAX_IDX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{name}: damaged gzip stream ({error})") from error
        if len(data) > _MAX_IDX_BYTES:
            raise ValueError(f"{name}: unpacks to more than {_MAX_IDX_BYTES} bytes; no file of these sets does")
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or not 1 <= data[3] <= 3:
        raise ValueError(f"{name}: starts with {data[:4].hex()!r}; an IDX file of bytes with 000008 and 01 to 03")
    rank = data[3]
    if len(data) < 4 + 4 * rank:
        raise ValueError(f"{name}: ends within the header")
    shape = tuple(int(n) for n in np.frombuffer(data[4 : 4 + 4 * rank], dtype=">u4"))
    body = data[4 + 4 * rank :]
    if len(body) != math.prod(shape):
        raise ValueError(f"{name}: header promises shape {shape}, {math.prod(shape)} bytes; {len(body)} follow")
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


def read_cifar10(archive: Any, split: str, name: str = "cifar-10-binary.tar.gz") -> tuple[Bytes, Bytes]:
    """Read one split of CIFAR-10's binary version from a file object holding the tar.gz, without unpacking it to disk.

    Returns images (N, 3, 32, 32) and labels (N,), uint8. Every member's name, kind and size is checked:
    raises ValueError for a name outside the expected ones (an absolute one or one with ``..`` is never expected),
    for a link or device, a wrong size, a label above 9, a missing or repeated batch.
    """
    wanted = _CIFAR_FILES[split]
    known = {f"{_CIFAR_FOLDER}/{file}" for file in (*_CIFAR_FILES["train"], *_CIFAR_FILES["test"], *_CIFAR_OTHERS)}
    rows: dict[str, Bytes] = {}
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as tar:
            for member in tar:
                if member.isdir() and member.name == _CIFAR_FOLDER:
                    continue
                if member.name not in known or not member.isreg():
                    raise ValueError(
                        f"{name}: unexpected member {member.name!r}; only files of {_CIFAR_FOLDER} belong here"
                    )
                file = member.name.removeprefix(f"{_CIFAR_FOLDER}/")
                if file in rows:
                    raise ValueError(f"{name}: member {member.name!r} comes twice")
                if file in wanted:
                    rows[file] = _cifar_rows(tar, member, name)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ValueError(f"{name}: damaged tar archive ({error})") from error
    missing = [file for file in wanted if file not in rows]
    if missing:
        raise ValueError(f"{name}: lacks {', '.join(missing)}")
    table = np.concatenate([rows[file] for file in wanted])
    return np.ascontiguousarray(table[:, 1:]).reshape(-1, 3, 32, 32), table[:, 0].copy()


def _cifar_rows(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> Bytes:
    expected = CIFAR_ROW * CIFAR_FILE_ROWS
    stream = tar.extractfile(member) if member.size == expected else None
    data = stream.read() if stream is not None else b""
    if len(data) != expected:
        raise ValueError(f"{name}: member {member.name!r} has {member.size} bytes; a batch has {expected}")
    table = np.frombuffer(data, dtype=np.uint8).reshape(CIFAR_FILE_ROWS, CIFAR_ROW)
    if table[:, 0].max() > 9:
        raise ValueError(f"{name}: member {member.name!r} holds the label {table[:, 0].max()}; labels are 0 to 9")
    return table
