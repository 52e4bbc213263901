"""Build ``data/genesis_exodus.txt.gz``, the first two books of the King James Version, one verse per line.

    apt-get install bible-kjv bible-kjv-text
    bible -f Gen1:1-Exo40:38 > FILE
    python -m gradscape.datasets.builders.genesis_exodus FILE [--out FILE] [--check]

The text itself is stored in Debian's package in a compressed form of its own, which its program ``bible`` reads.
``--check`` compares with the file that is there instead of writing one.
"""
from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder; exit code 1 when ``--check`` finds a difference or the source is not as expected."""
    from gradscape.datasets.integrity import data_folder

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, default=None, help="default: data/genesis_exodus.txt.gz")
    parser.add_argument("--check", action="store_true", help="compare with the file that is there; write nothing")
    options = parser.parse_args(arguments)
    out = options.out or data_folder() / TEXT_FILE
    try:
        text = build(options.source)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.check:
        same = out.is_file() and gzip.decompress(out.read_bytes()).decode("ascii") == text
        print(f"{out}: " + ("equals what the source gives" if same else "differs from what the source gives"))
        return 0 if same else 1
    out.write_bytes(gzip.compress(text.encode("ascii"), 9, mtime=0))  # no time inside: the same bytes every time
    print(f"{out}: {out.stat().st_size} bytes, SHA-256 {hashlib.sha256(out.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
