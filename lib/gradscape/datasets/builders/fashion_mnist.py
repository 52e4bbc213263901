"""Build ``data/fashion_mnist.npz``, a tenth of the training images and a fifth of the test images of Fashion-MNIST.

    python -m gradscape.datasets.builders.fashion_mnist [FOLDER] [--out FILE] [--check]

FOLDER holds the four ``*-ubyte.gz`` files: those of Debian's package ``dataset-fashion-mnist`` (the default) or the
canonical ones of github.com/zalandoresearch/fashion-mnist; unpacked, both are the same bytes, which is checked.
``--check`` compares with the file that is there instead of writing one.
"""
from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gradscape.datasets.builders.command import Builder, array_lines, differing_arrays, write_arrays
from gradscape.datasets.formats import read_idx

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SEED = 20170828
PER_CLASS = {"train": 1000, "test": 200}
CLASSES = 10

# SHA-256 of the unpacked files: Debian packs them anew, so only the unpacked bytes are common to both sources
UNPACKED = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def scramble(count: int, salt: int) -> NDArray[np.uint64]:
    """Give ``count`` 64-bit numbers that look random: SplitMix64 (Steele, Lea & Flood 2014) from SEED and ``salt``.

    Plain integer arithmetic, so that the choice of images does not hang on a library's generator.
    """
    golden = 0x9E3779B97F4A7C15
    start = (SEED * golden + salt * 0xD1B54A32D192ED03) % 2**64
    z = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(golden)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def choose(labels: NDArray[np.uint8], per_class: int, salt: int) -> NDArray[np.int64]:
    """Choose ``per_class`` images of each class, in an order whose every ten in a row hold each class once.

    ``labels``: (N,) uint8. Returns the (10 * per_class,) indices; any prefix is balanced to within one image per class.
    Raises ValueError when a class has fewer images.
    """
    keys = scramble(len(labels), salt)
    columns = []
    for label in range(CLASSES):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            raise ValueError(f"class {label} has {len(members)} images: {per_class} are needed")
        columns.append(members[np.argsort(keys[members], kind="stable")][:per_class])
    table = np.stack(columns, axis=1)  # row: the ten images of one block, class by class
    order = np.argsort(scramble(table.size, salt + 100).reshape(table.shape), axis=1, kind="stable")
    return np.take_along_axis(table, order, axis=1).reshape(-1)


def read_source(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Read the four files of ``folder``; raises ValueError when one is missing or is not the canonical content."""
    arrays = {}
    for name, expected in UNPACKED.items():
        path = folder / f"{name}.gz"
        if not path.is_file():
            raise ValueError(f"{path} is missing: install Debian's dataset-fashion-mnist or name another folder")
        try:
            data = gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: damaged gzip file ({error})") from error
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise ValueError(f"{path}: SHA-256 of the unpacked file is {found}, that of Fashion-MNIST is {expected}")
        arrays[name] = read_idx(data, str(path))
    return arrays


def build(folder: Path) -> dict[str, NDArray[np.generic]]:
    """Make the arrays of the committed file from the four files in ``folder``.

    Returns train_images (10000, 28, 28) and test_images (2000, 28, 28) uint8, train_labels and test_labels uint8, and
    train_index, test_index int32, the places of the images in the original files.
    """
    source = read_source(folder)
    arrays: dict[str, NDArray[np.generic]] = {}
    for salt, (split, prefix) in enumerate((("train", "train"), ("test", "t10k"))):
        images, labels = source[f"{prefix}-images-idx3-ubyte"], source[f"{prefix}-labels-idx1-ubyte"]
        index = choose(labels, PER_CLASS[split], salt)
        arrays[f"{split}_images"] = images[index]
        arrays[f"{split}_labels"] = labels[index]
        arrays[f"{split}_index"] = index.astype(np.int32)
    return arrays


BUILDER = Builder(
    about="Build data/fashion_mnist.npz from the files of Fashion-MNIST.", source="folder", file="fashion_mnist.npz",
    build=build, difference=differing_arrays, write=write_arrays, details=array_lines, default=DEBIAN_FOLDER,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder; exit code 1 when ``--check`` finds a difference or the source is not as expected."""
    return BUILDER.run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
