"""Small tables: digits and breast cancer from scikit-learn's wheel (read without importing it), thirteen of KEEL."""
from __future__ import annotations

import gzip
import io
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape import validate
from gradscape.datasets import integrity, labels
from gradscape.datasets.labels import Labeled

DIGIT_SCALES = ("unit", "raw", "symmetric", "standard")
TABLE_SCALES = ("raw", "standard")
KEEL_FILE = "keel.npz"
KEEL_TABLES = (
    "ecoli1", "ecoli3", "glass0", "glass1", "glass2", "haberman", "pima", "vehicle1", "abalone9-18", "yeast-1_vs_7",
    "new-thyroid1", "winequality-red-8_vs_6", "yeast4",
)

Floats = NDArray[np.float64]


def digits(
    *, n: int | None = None, flat: bool = True, scale: str = "unit", dtype: torch.dtype = torch.float32
) -> Labeled:
    """Load the 1,797 digits of 8 x 8 pixels (UCI "Optical recognition of handwritten digits", test part), CC BY 4.0.

    ``n``: the first n in stored order, ``None`` all. ``scale``: "raw" 0 … 16; "unit" [0, 1]; "symmetric" [-1, 1];
    "standard", minus the mean and divided by the standard deviation over all pixels of all 1,797 images.
    Returns x (n, 64), or (n, 1, 8, 8) with ``flat=False``, float32 or float64, and y (n,) int64 in 0 … 9.
    Neighbors in this order share their writers: draw splits with ``labels.random_split``.
    Raises ValueError for a bad argument, DataError when the file is missing or damaged.

    >>> x, y = digits(n=3)
    >>> x.shape, y.tolist()
    (torch.Size([3, 64]), [0, 1, 2])
    """
    validate.one_of("scale", scale, DIGIT_SCALES)
    labels.float_dtype(dtype)
    values, target = _digits()
    count = labels.first(n, len(target), "digits")
    if scale == "unit":
        values = values / 16
    elif scale == "symmetric":
        values = values / 8 - 1
    elif scale == "standard":
        values = (values - values.mean()) / values.std()
    x = torch.tensor(values[:count], dtype=dtype)
    return Labeled(x if flat else x.view(-1, 1, 8, 8), torch.tensor(target[:count]))


def breast_cancer(*, scale: str = "raw", dtype: torch.dtype = torch.float64) -> Labeled:
    """Load the 569 x 30 features of the Wisconsin diagnostic breast cancer table (UCI, CC BY 4.0).

    ``scale``: "raw", or "standard", each feature minus its mean and divided by its standard deviation.
    Returns x (569, 30), float64 or float32, and y (569,) int64: 0 malignant (212), 1 benign (357).
    Raises ValueError for a bad argument, DataError when the file is missing or damaged.
    """
    validate.one_of("scale", scale, TABLE_SCALES)
    labels.float_dtype(dtype)
    values, target = _breast_cancer()
    if scale == "standard":
        values = (values - values.mean(0)) / values.std(0)
    return Labeled(torch.tensor(values, dtype=dtype), torch.tensor(target))


def keel(name: str, *, scale: str = "raw", dtype: torch.dtype = torch.float64) -> Labeled:
    """Load one of thirteen imbalanced two-class tables of the KEEL repository (:data:`KEEL_TABLES`; UCI, CC BY 4.0).

    ``scale``: "raw", or "standard", each feature minus its mean and divided by its standard deviation. The sex in
    "abalone9-18" is three columns of 0 and 1 (female, infant, male), the first three.
    Returns x (N, d), float64 or float32, and y (N,) int64: 1 for the rare class.
    Raises ValueError for a bad argument, DataError when the file is missing or damaged.

    >>> x, y = keel("haberman")
    >>> x.shape, y.bincount().tolist()
    (torch.Size([306, 3]), [225, 81])
    """
    validate.one_of("name", name, KEEL_TABLES)
    validate.one_of("scale", scale, TABLE_SCALES)
    labels.float_dtype(dtype)
    arrays = _keel(str(integrity.data_folder()))
    values, target = arrays[f"{name}_x"], arrays[f"{name}_y"]
    if scale == "standard":
        values = (values - values.mean(0)) / values.std(0)
    return Labeled(torch.tensor(values, dtype=dtype), torch.tensor(target.astype(np.int64)))


@lru_cache(maxsize=2)
def _keel(_folder: str) -> dict[str, NDArray]:
    try:
        with np.load(io.BytesIO(integrity.committed(KEEL_FILE)), allow_pickle=False) as stored:
            return {f"{table}_{part}": stored[f"{table}_{part}"] for table in KEEL_TABLES for part in "xy"}
    except (OSError, ValueError, KeyError) as error:
        raise integrity.DataError(f"{KEEL_FILE} is not the expected npz of plain arrays ({error})") from error


@lru_cache(maxsize=1)
def _digits() -> tuple[Floats, NDArray[np.int64]]:
    text = gzip.decompress(integrity.packaged("sklearn/datasets/data/digits.csv.gz")).decode()
    return _numbers(text.splitlines(), 64)


@lru_cache(maxsize=1)
def _breast_cancer() -> tuple[Floats, NDArray[np.int64]]:
    text = integrity.packaged("sklearn/datasets/data/breast_cancer.csv").decode()
    return _numbers(text.splitlines()[1:], 30)  # the first line counts rows and names the classes


def _numbers(lines: list[str], features: int) -> tuple[Floats, NDArray[np.int64]]:
    table = np.loadtxt(lines, delimiter=",", ndmin=2)
    return table[:, :features], table[:, features].astype(np.int64)
