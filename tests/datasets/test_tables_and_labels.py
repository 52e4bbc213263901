"""Digits and breast cancer against scikit-learn's own loaders; parity, splits and their bad arguments."""
from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
import torch
from gradscape.datasets import Labeled, labels, parity, random_split, tables


def test_digits_are_scikit_learns():
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = tables.digits(scale="raw", dtype=torch.float64)
    assert np.array_equal(x.numpy(), reference.data)
    assert np.array_equal(y.numpy(), reference.target)
    square, _ = tables.digits(scale="raw", flat=False, dtype=torch.float64)
    assert np.array_equal(square[:, 0].numpy(), reference.images)


def test_breast_cancer_is_scikit_learns():
    reference = pytest.importorskip("sklearn.datasets").load_breast_cancer()
    x, y = tables.breast_cancer()
    assert np.array_equal(x.numpy(), reference.data)
    assert np.array_equal(y.numpy(), reference.target)
    assert y.bincount().tolist() == [212, 357]


@pytest.mark.parametrize(("scale", "low", "high"), [("unit", 0, 1), ("raw", 0, 16), ("symmetric", -1, 1)])
def test_ranges_of_digits(scale, low, high):
    x, y = tables.digits(scale=scale)
    assert (x.shape, x.dtype, y.dtype) == ((1797, 64), torch.float32, torch.int64)
    assert (x.min(), x.max()) == (low, high)


def test_standard_scales():
    x, _ = tables.digits(scale="standard", dtype=torch.float64)
    assert abs(x.mean()) < 1e-12
    assert abs(x.std(correction=0) - 1) < 1e-12
    x, _ = tables.breast_cancer(scale="standard")
    assert x.mean(0).abs().max() < 1e-12
    assert (x.std(0, correction=0) - 1).abs().max() < 1e-12


def test_what_is_given_may_be_changed():
    tables.digits()[0].zero_()
    tables.digits(scale="raw", dtype=torch.float64)[0].zero_()
    tables.breast_cancer()[0].zero_()
    assert tables.digits(scale="raw", dtype=torch.float64)[0].sum() > 0
    assert tables.breast_cancer()[0].sum() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tables.digits(n=1798), "n=1798: digits has 1797 rows"),
        (lambda: tables.digits(scale="z"), "scale='z'"),
        (lambda: tables.digits(dtype=torch.int64), "dtype"),
        (lambda: tables.breast_cancer(scale="unit"), "scale='unit': must be one of 'raw', 'standard'"),
        (lambda: tables.breast_cancer(dtype=torch.float16), "dtype"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_parity_by_hand():
    assert parity(torch.tensor([0, 1, 2, 9])).tolist() == [1.0, -1.0, 1.0, -1.0]
    assert parity(torch.tensor([[3]], dtype=torch.uint8)).tolist() == [[-1.0]]
    assert parity(torch.zeros(0, dtype=torch.int64)).shape == (0,)
    assert parity(torch.tensor([0])).dtype == torch.float32


@pytest.mark.parametrize("bad", [torch.tensor([0.0]), torch.tensor([True]), torch.tensor([-1]), torch.tensor([1j])])
def test_parity_refuses(bad):
    with pytest.raises(ValueError, match="integers >= 0"):
        parity(bad)


def test_random_split_is_disjoint_and_repeatable():
    sizes = (5, 3, 2)
    parts = random_split(12, sizes, torch.Generator().manual_seed(1))
    assert [len(part) for part in parts] == [5, 3, 2]
    joined = torch.cat(parts)
    assert len(set(joined.tolist())) == 10
    assert set(joined.tolist()) <= set(range(12))
    again = random_split(12, sizes, torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(parts, again, strict=True))
    assert not torch.equal(parts[0], random_split(12, sizes, torch.Generator().manual_seed(2))[0])


def test_random_split_reaches_every_row_equally():
    """Each of 6 rows is in the first part with probability 1/2: over 4000 draws within five standard errors."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(6)
    for _ in range(4000):
        counts[random_split(6, [3], generator)[0]] += 1
    assert (counts / 4000 - 0.5).abs().max() < 5 * 0.5 / 4000**0.5


@pytest.mark.parametrize("sizes", [(0,), (1.5,), (-1,), (7, 6)])
def test_random_split_refuses(sizes):
    with pytest.raises(ValueError, match="sizes"):
        random_split(12, sizes, torch.Generator())


def test_keep_classes_by_hand():
    rows, new = labels.keep_classes(torch.tensor([2, 0, 1, 2, 0]), (2, 0))
    assert rows.tolist() == [0, 1, 3, 4]
    assert new.tolist() == [0, 1, 0, 1]


def test_labeled_unpacks():
    pair = Labeled(torch.ones(2), torch.zeros(2))
    x, y = pair
    assert pair.x is x
    assert pair.y is y


@pytest.mark.parametrize("module", ["fashion", "integrity", "labels", "photos", "tables"])
def test_examples_in_docstrings_are_true(module):
    outcome = doctest.testmod(importlib.import_module(f"gradscape.datasets.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
