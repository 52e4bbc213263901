"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747): 12,000 committed images; full sets on request."""
from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape import validate
from gradscape.datasets import integrity, labels
from gradscape.datasets.labels import Labeled

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
COMMITTED = "fashion_10k"
DATASETS = (COMMITTED, "fashion_mnist", "mnist", "cifar10")  # the last three after `gradscape data fetch NAME`
SPLITS = ("train", "test")
SCALES = ("unit", "symmetric", "standard")
_FILE = "fashion_mnist.npz"

Bytes = NDArray[np.uint8]


def load(
    split: str = "train",
    *,
    n: int | None = None,
    classes: Sequence[int] | None = None,
    pool: int = 1,
    flat: bool = False,
    scale: str = "unit",
    dtype: torch.dtype = torch.float32,
    dataset: str = COMMITTED,
) -> Labeled:
    """Load images and labels of Fashion-MNIST, or of a fetched set.

    Every ten images in a row of the committed set hold each class once, so any ``n`` is balanced.
    ``n``: the first n images (of ``classes``, if given); ``None``: all, that is 10,000 train and 2,000 test.
    ``classes``: keep only these; their labels become positions in ``classes``.
    ``pool``: mean over pool x pool pixels (2 gives 14 x 14, 4 gives 7 x 7). ``flat``: one row per image.
    ``scale``: "unit" [0, 1]; "symmetric" [-1, 1]; "standard", minus the mean and divided by the standard deviation over
    all pixels of all classes of the whole *training* split, for both splits.
    ``dataset``: "fashion_10k" (committed) or "fashion_mnist", "mnist", "cifar10" after ``gradscape data fetch``.

    Returns x (n, 1, 28, 28) — CIFAR-10: (n, 3, 32, 32) — or (n, pixels) in ``dtype`` (float32 or float64), and y (n,)
    int64: fresh tensors that the caller may change.
    Raises ValueError for a bad argument, DataError when data are missing or damaged.

    >>> x, y = load("test", n=50, pool=2, flat=True)
    >>> x.shape, y.bincount().tolist()
    (torch.Size([50, 196]), [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
    """
    validate.one_of("split", split, SPLITS)
    validate.one_of("scale", scale, SCALES)
    labels.float_dtype(dtype)
    pixels, targets = images(split, dataset=dataset)
    pool = _check_pool(pool, pixels.shape[-1])
    rows, y = torch.arange(len(targets)), torch.from_numpy(targets.astype(np.int64))
    if classes is not None:
        rows, y = labels.keep_classes(y, classes)
    chosen = "" if classes is None else f" with classes {tuple(classes)}"
    count = labels.first(n, len(y), f"{dataset} {split}{chosen}")
    rows, y = rows[:count], y[:count].clone()
    x = _pooled(pixels[rows.numpy()], pool, dtype)
    if scale == "symmetric":
        x = x.mul_(2).sub_(1)
    elif scale == "standard":
        mean, std = moments(dataset=dataset, pool=pool)
        x = x.sub_(mean).div_(std)
    return Labeled(x.flatten(1) if flat else x, y)


def images(split: str = "train", *, dataset: str = COMMITTED) -> tuple[Bytes, Bytes]:
    """The stored pixels (N, channels, height, width) and labels (N,), uint8, read-only, read once per process."""
    validate.one_of("split", split, SPLITS)
    validate.one_of("dataset", dataset, DATASETS)
    if dataset == COMMITTED:
        return _committed(str(integrity.data_folder()))[split]
    from gradscape.datasets import remote

    return remote.images(dataset, split)


@lru_cache(maxsize=16)
def moments(*, dataset: str = COMMITTED, pool: int = 1) -> tuple[float, float]:
    """Mean and standard deviation of all pixels of the training split in [0, 1], after pooling: those of "standard"."""
    pixels, _ = images("train", dataset=dataset)
    pool = _check_pool(pool, pixels.shape[-1])
    chunks = [_pooled(pixels[i : i + 5000], pool, torch.float64) for i in range(0, len(pixels), 5000)]
    total = sum(chunk.numel() for chunk in chunks)
    mean = float(sum(chunk.sum() for chunk in chunks)) / total
    return mean, (float(sum(((chunk - mean) ** 2).sum() for chunk in chunks)) / total) ** 0.5


def _check_pool(pool: int, side: int) -> int:
    pool = validate.at_least("pool", pool, 1)
    return validate.one_of("pool", pool, [k for k in range(1, side + 1) if side % k == 0])


def _pooled(pixels: Bytes, pool: int, dtype: torch.dtype) -> Tensor:
    x = torch.from_numpy(pixels.astype(np.float64 if dtype == torch.float64 else np.float32))
    if pool > 1:
        x = torch.nn.functional.avg_pool2d(x, pool)
    return x.div_(255)


@lru_cache(maxsize=2)
def _committed(_folder: str) -> dict[str, tuple[Bytes, Bytes]]:
    arrays = read_arrays(integrity.committed(_FILE))
    return {split: (arrays[f"{split}_images"][:, None], arrays[f"{split}_labels"]) for split in SPLITS}


def read_arrays(data: bytes, name: str = _FILE) -> dict[str, Bytes]:
    """Read the image and label arrays of the npz from bytes; a pickled object in it is refused, never loaded.

    Raises DataError for a file that is not an npz, lacks an array, or holds one of another type or shape.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {f"{s}_{kind}": stored[f"{s}_{kind}"] for s in SPLITS for kind in ("images", "labels")}
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for a damaged file; all mean the same here
        found = f"{type(error).__name__}: {error}"
        raise integrity.DataError(f"{name} is not the expected npz of plain arrays ({found})") from error
    for split in SPLITS:
        pixels, targets = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if not (
            pixels.dtype == targets.dtype == np.uint8
            and targets.ndim == 1
            and pixels.shape == (len(targets), 28, 28)
            and targets.max(initial=0) < len(CLASSES)
        ):
            found = f"{pixels.dtype} {pixels.shape} and {targets.dtype} {targets.shape}"
            raise integrity.DataError(f"{name}: {split} holds {found}, not uint8 (N, 28, 28) and (N,), labels 0 to 9")
    for array in arrays.values():
        array.setflags(write=False)
    return arrays
