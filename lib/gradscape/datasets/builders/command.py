"""What all builders share: their command line, and files that appear whole or not at all."""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Made = TypeVar("Made")
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Builder(Generic[Made]):
    """How one file is built: ``build`` refuses a wrong source by ``ValueError``; ``difference`` says how what was made
    differs from a file ("" if it does not); ``details`` are lines printed after writing."""

    about: str
    source: str
    file: str
    build: Callable[[Path], Made]
    difference: Callable[[Made, Path], str]
    write: Callable[[Made, Path], None]
    details: Callable[[Made], Iterable[str]] = lambda made: ()
    default: Path | None = None

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """The command; exit code 1 when ``--check`` finds a difference or the source is not as expected."""
        from gradscape.datasets.integrity import data_folder

        parser = argparse.ArgumentParser(description=self.about)
        parser.add_argument(self.source, type=Path, nargs=None if self.default is None else "?", default=self.default)
        parser.add_argument("--out", type=Path, default=None, help=f"default: data/{self.file}")
        parser.add_argument("--check", action="store_true", help="compare with the file that is there; write nothing")
        options = parser.parse_args(arguments)
        out = options.out or data_folder() / self.file
        try:
            made = self.build(getattr(options, self.source))
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        if options.check:
            different = self.difference(made, out)
            print(f"{out}: {different or 'equals what the source gives'}")
            return 1 if different else 0
        self.write(made, out)
        print(f"{out}: {out.stat().st_size} bytes, SHA-256 {hashlib.sha256(out.read_bytes()).hexdigest()}")
        for line in self.details(made):
            print(f"  {line}")
        return 0


@contextlib.contextmanager
def whole_file(out: Path) -> Iterator[IO[bytes]]:
    """A stream under a temporary name that is renamed to ``out`` at the end, so that no half file is ever seen."""
    partial = out.with_name(f".{out.name}.partial")
    with partial.open("wb") as stream:
        yield stream
    os.replace(partial, out)


def array_digest(array: NDArray[np.generic]) -> str:
    """SHA-256 of an array's type, shape and values: unlike a file's, the same with every version of zlib."""
    header = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()


def write_arrays(arrays: Arrays, out: Path) -> None:
    """Write the compressed arrays."""
    with whole_file(out) as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)  # type: ignore[arg-type]


def differing_arrays(arrays: Arrays, out: Path) -> str:
    """The names of arrays that a file lacks, has besides, or holds otherwise."""
    with np.load(out, allow_pickle=False) as present:
        different = sorted({*present.files} ^ {*arrays})
        common = [name for name in arrays if name in present.files]
        different += [name for name in common if not np.array_equal(present[name], arrays[name])]
    return f"differs in {', '.join(different)}" if different else ""


def array_lines(arrays: Arrays) -> Iterator[str]:
    """Name, type, shape and digest of each array."""
    for name, array in arrays.items():
        yield f"{name} {array.dtype} {array.shape} {array_digest(array)}"
