"""The builder of the committed file, on small sources made here, and (nightly) on Debian's package."""
from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest
from gradscape.datasets import integrity
from gradscape.datasets.builders import fashion_mnist as builder
from gradscape.datasets.builders.command import write_arrays

from tests.datasets.loopback import idx

DEBIAN = builder.DEBIAN_FOLDER


def test_scramble_is_splitmix64(monkeypatch):
    """The published first outputs of SplitMix64 for the state 1234567."""
    monkeypatch.setattr(builder, "SEED", 0)
    inverse = pow(0xD1B54A32D192ED03, -1, 2**64)  # the salt that gives this state
    values = builder.scramble(3, 1234567 * inverse % 2**64)
    assert values.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_choice_is_balanced_block_by_block():
    labels = np.random.default_rng(0).integers(0, 10, 3000).astype(np.uint8)
    index = builder.choose(labels, 50, salt=3)
    assert len(set(index.tolist())) == 500
    assert (np.sort(labels[index].reshape(50, 10), axis=1) == np.arange(10)).all()
    assert not (labels[index].reshape(50, 10) == np.arange(10)).all(1).any()  # shuffled within the block
    assert (index == builder.choose(labels, 50, salt=3)).all()
    assert (index != builder.choose(labels, 50, salt=4)).any()


def test_a_class_that_is_too_small():
    with pytest.raises(ValueError, match="class 0 has 1 images: 2 are needed"):
        builder.choose(np.array([0, 1, 1], np.uint8), 2, salt=0)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with four small files of the right names, and a builder that takes them for the real ones."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "source"
    folder.mkdir()
    unpacked = {}
    for prefix, count in (("train", 100), ("t10k", 50)):
        images, labels = rng.integers(0, 256, (count, 28, 28)), rng.permutation(np.arange(count) % 10)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name = f"{prefix}-{kind}-ubyte"
            data = idx(array)
            unpacked[name] = hashlib.sha256(data).hexdigest()
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
    monkeypatch.setattr(builder, "UNPACKED", unpacked)
    monkeypatch.setattr(builder, "PER_CLASS", {"train": 4, "test": 2})
    return folder


def test_build_write_check(source, tmp_path, capsys):
    out = tmp_path / "out.npz"
    assert builder.main([str(source), "--out", str(out)]) == 0
    first = out.read_bytes()
    with np.load(out, allow_pickle=False) as stored:
        assert stored["train_images"].shape == (40, 28, 28)
        assert stored["test_labels"].shape == (20,)
        original = builder.read_source(source)["train-images-idx3-ubyte"]
        assert np.array_equal(original[stored["train_index"]], stored["train_images"])
    assert builder.main([str(source), "--out", str(out)]) == 0
    assert out.read_bytes() == first  # no clock in the file
    assert builder.main([str(source), "--out", str(out), "--check"]) == 0
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []
    with np.load(out, allow_pickle=False) as stored:
        changed = dict(stored)
    changed["test_labels"] = changed["test_labels"][::-1]
    write_arrays(changed, out)
    assert builder.main([str(source), "--out", str(out), "--check"]) == 1
    assert "differs in test_labels" in capsys.readouterr().out


def test_a_source_that_is_not_fashion_mnist(source, tmp_path, capsys):
    file = source / "t10k-labels-idx1-ubyte.gz"
    out = tmp_path / "out.npz"
    file.write_bytes(gzip.compress(idx(np.zeros(50))))
    assert builder.main([str(source), "--out", str(out)]) == 1
    assert "t10k-labels-idx1-ubyte.gz: SHA-256 of the unpacked file is" in capsys.readouterr().err
    file.write_bytes(file.read_bytes()[:20])
    assert builder.main([str(source), "--out", str(out)]) == 1
    assert "t10k-labels-idx1-ubyte.gz: damaged gzip file" in capsys.readouterr().err
    file.unlink()
    assert builder.main([str(source), "--out", str(out)]) == 1
    assert "t10k-labels-idx1-ubyte.gz is missing" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")
class TestDebian:
    def test_the_committed_file_is_built_from_it(self, tmp_path):
        assert builder.main(["--check"]) == 0
        write_arrays(builder.build(DEBIAN), tmp_path / "again.npz")
        with np.load(tmp_path / "again.npz") as again:
            described = integrity.registry()["committed"]["fashion_mnist.npz"]["arrays"]
            assert {name: builder.array_digest(again[name]) for name in again.files} == {
                name: entry["sha256"] for name, entry in described.items()
            }

    @pytest.mark.parametrize("name", builder.UNPACKED)
    def test_its_files_are_the_canonical_ones_but_for_the_gzip_header(self, name):
        """The originals carry a name and a time of 31 August 2017; with these put back, the checksum is theirs."""
        data = (DEBIAN / f"{name}.gz").read_bytes()
        stamp = struct.pack("<I", 1504176606 if name.startswith("train") else 1504176627)
        has_name = b"\x08"
        canonical = data[:3] + has_name + stamp + data[8:10] + name.encode() + b"\0" + data[10:]
        assert not integrity.mismatch(canonical, integrity.registry()["remote"]["fashion_mnist"]["files"][f"{name}.gz"])
