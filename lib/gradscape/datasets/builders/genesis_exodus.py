"""Build ``data/genesis_exodus.txt.gz``, the first two books of the King James Version, one verse per line.

    apt-get install bible-kjv bible-kjv-text
    bible -f Gen1:1-Exo40:38 > FILE
    python -m gradscape.datasets.builders.genesis_exodus FILE [--out FILE] [--check]

The text itself is stored in Debian's package in a compressed form of its own, which its program ``bible`` reads.
``--check`` compares with the file that is there instead of writing one.
"""
from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path

from gradscape.datasets.builders.command import Builder, whole_file
from gradscape.datasets.text import TEXT_FILE, parse_verses

SOURCE_SHA256 = "acf831d84b01ddfb6098b38e76c4f99745575cb185adacb1cf7446687c4fd3bd"


def build(source: Path) -> str:
    """The text of ``source``, checked: ``ValueError`` for a missing file or another text."""
    data = source.read_bytes() if source.is_file() else b""
    found = hashlib.sha256(data).hexdigest() if data else "missing or empty"
    if found != SOURCE_SHA256:
        raise ValueError(f"{source}: SHA-256 {found}, that of the two books is {SOURCE_SHA256}")
    text = data.decode("ascii")
    parse_verses(text)
    return text


def difference(text: str, out: Path) -> str:
    """How the text differs from a file's."""
    same = out.is_file() and gzip.decompress(out.read_bytes()).decode("ascii") == text
    return "" if same else "differs from what the source gives"


def write(text: str, out: Path) -> None:
    """Write the packed text; no time inside: the same bytes every time."""
    with whole_file(out) as stream:
        stream.write(gzip.compress(text.encode("ascii"), 9, mtime=0))


BUILDER = Builder(
    about="Build data/genesis_exodus.txt.gz from the printed verses.", source="source", file=TEXT_FILE, build=build,
    difference=difference, write=write,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder; exit code 1 when ``--check`` finds a difference or the source is not as expected."""
    return BUILDER.run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
