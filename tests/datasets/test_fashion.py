"""The committed Fashion-MNIST: balance, ranges and the algebra of the loader's options."""
from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from gradscape.datasets import fashion, integrity

ROUNDING = 1e-6  # float32 values in [-1, 1]


@pytest.mark.parametrize(("split", "count"), [("train", 10_000), ("test", 2_000)])
def test_shapes_types_and_ranges(split, count):
    x, y = fashion.load(split)
    assert (x.shape, x.dtype) == ((count, 1, 28, 28), torch.float32)
    assert (y.shape, y.dtype) == ((count,), torch.int64)
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert y.bincount().tolist() == [count // 10] * 10
    assert y.view(-1, 10).sort(dim=1).values.eq(torch.arange(10)).all()  # each ten in a row hold each class once


def test_it_looks_like_clothes():
    """Nearest class means are right for most test images: pixels and labels belong together."""
    x, y = fashion.load(flat=True)
    centers = torch.stack([x[y == c].mean(0) for c in range(10)])
    xt, yt = fashion.load("test", flat=True)
    assert (torch.cdist(xt, centers).argmin(1) == yt).float().mean() > 0.6


def test_train_and_test_share_no_image():
    train, test = (fashion.images(split)[0].reshape(-1, 784) for split in fashion.SPLITS)
    assert not {row.tobytes() for row in train} & {row.tobytes() for row in test}


def test_indices_are_of_the_original_files():
    with np.load(integrity.data_folder() / "fashion_mnist.npz", allow_pickle=False) as stored:
        for split, total in (("train", 60_000), ("test", 10_000)):
            index = stored[f"{split}_index"]
            assert len(np.unique(index)) == len(index)
            assert 0 <= index.min() < index.max() < total


def test_a_prefix_is_a_prefix():
    x, y = fashion.load("test", n=37, scale="standard", pool=2)
    whole, labels = fashion.load("test", scale="standard", pool=2)
    assert torch.equal(x, whole[:37])
    assert torch.equal(y, labels[:37])


def test_classes_are_filtered_and_renumbered():
    x, y = fashion.load("test", classes=(6, 0), n=100)
    whole, labels = fashion.load("test")
    rows = torch.nonzero((labels == 6) | (labels == 0)).squeeze(1)[:100]
    assert torch.equal(x, whole[rows])
    assert torch.equal(y, (labels[rows] == 0).long())
    assert y.bincount().tolist() == [50, 50]


@pytest.mark.parametrize("pool", [2, 4, 7, 14, 28])
def test_pooling_is_the_mean_of_blocks(pool):
    x, _ = fashion.load("test", n=20)
    side = 28 // pool
    by_hand = x.view(20, 1, side, pool, side, pool).mean(dim=(3, 5))
    pooled, _ = fashion.load("test", n=20, pool=pool)
    assert torch.allclose(pooled, by_hand, atol=ROUNDING, rtol=0)
    flat, _ = fashion.load("test", n=20, pool=pool, flat=True)
    assert torch.equal(flat, pooled.view(20, -1))


def test_symmetric_is_unit_stretched():
    unit, _ = fashion.load("test", n=10)
    symmetric, _ = fashion.load("test", n=10, scale="symmetric")
    assert torch.equal(symmetric, unit * 2 - 1)


@pytest.mark.parametrize("pool", [1, 2])
def test_standard_is_that_of_the_training_images(pool):
    train, _ = fashion.load(scale="standard", pool=pool, dtype=torch.float64)
    assert abs(train.mean()) < 1e-12
    assert abs(train.square().mean() - 1) < 1e-12  # torch.std itself is off by 4e-11 over eight million values
    unit, _ = fashion.load("train", pool=pool, dtype=torch.float64)
    mean, std = fashion.moments(pool=pool)
    assert mean == pytest.approx(float(unit.mean()), rel=1e-12)
    assert std == pytest.approx(unit.numpy().std(), rel=1e-12)
    test, _ = fashion.load("test", n=30, scale="standard", pool=pool, dtype=torch.float64)
    raw, _ = fashion.load("test", n=30, pool=pool, dtype=torch.float64)
    assert torch.allclose(test * std + mean, raw, atol=1e-14, rtol=0)


def test_the_subset_has_the_moments_of_the_whole():
    """The full training set has mean .2860 and standard deviation .3530, as its users commonly write."""
    assert fashion.moments() == (pytest.approx(0.2860, abs=0.003), pytest.approx(0.3530, abs=0.003))


def test_double_precision_agrees():
    single, _ = fashion.load("test", n=10, scale="standard")
    double, _ = fashion.load("test", n=10, scale="standard", dtype=torch.float64)
    assert double.dtype == torch.float64
    assert torch.allclose(single.double(), double, atol=4 * ROUNDING, rtol=0)


def test_what_is_given_may_be_changed():
    x, y = fashion.load("test", n=5)
    x.zero_()
    y.zero_()
    again, labels = fashion.load("test", n=5)
    assert again.sum() > 0
    assert labels.sum() > 0
    with pytest.raises(ValueError, match="read-only"):
        fashion.images("test")[0][0] = 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "valid"}, r"split='valid': must be one of 'train', 'test'"),
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, r"n=2\.5"),
        ({"n": "3"}, "n='3'"),
        ({"n": 10_001}, r"n=10001: fashion_10k train has 10000 rows"),
        ({"n": 2001, "classes": (0, 1)}, r"train with classes \(0, 1\) has 2000 rows"),
        ({"pool": 3}, r"pool=3: must be one of 1, 2, 4, 7, 14, 28"),
        ({"pool": 2.5}, r"pool=2\.5"),
        ({"pool": 0}, "pool=0"),
        ({"scale": "z"}, "scale='z'"),
        ({"dtype": torch.float16}, r"dtype=torch\.float16"),
        ({"dataset": "imagenet"}, r"dataset='imagenet': must be one of 'fashion_10k', 'fashion_mnist'"),
        ({"classes": ()}, "classes"),
        ({"classes": (0, 0)}, "classes"),
        ({"classes": (10,)}, "classes"),
        ({"classes": ("a",)}, "classes"),
        ({"classes": 3}, "classes"),
    ],
    ids=str,
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        fashion.load(**arguments)


def test_loading_touches_neither_the_network_nor_other_libraries():
    """In a process of its own: no connection, and neither scikit-learn, scikit-image nor pooch is imported."""
    code = """
import socket, sys
def refuse(*a, **k): raise SystemExit("the network was touched")
socket.socket.connect = socket.getaddrinfo = refuse
from gradscape import datasets
from gradscape.datasets import fashion, labels, photos, remote, tables
assert "torch" in sys.modules
fashion.load("test"), tables.digits(), tables.breast_cancer(), photos.load("camera"), photos.load("china")
datasets.verify(), datasets.checksums()
print([name for name in ("sklearn", "skimage", "pooch", "requests", "pandas", "plotly") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_importing_the_package_loads_no_tensors():
    code = "import sys; import gradscape.datasets; print([n for n in ('torch', 'numpy', 'PIL') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
