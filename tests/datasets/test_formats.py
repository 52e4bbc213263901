"""IDX and CIFAR-10 files, whole, damaged and hostile; the oracle is the format written by hand."""
from __future__ import annotations

import contextlib
import gzip
import io
import random
import tarfile

import numpy as np
import pytest
from gradscape.datasets import formats
from gradscape.datasets.formats import read_cifar10, read_idx

from tests.datasets.loopback import idx

ROWS = 3  # per batch, instead of CIFAR-10's 10,000
FOLDER = "cifar-10-batches-bin"


@pytest.mark.parametrize("shape", [(5,), (2, 3), (4, 3, 2), (0, 28, 28)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_round_trip(shape, pack):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(read_idx(pack(idx(array))), array)
    assert read_idx(pack(idx(array))).shape == shape


def test_idx_by_hand():
    assert read_idx(bytes.fromhex("00000801 00000002 07ff")).tolist() == [7, 255]
    assert read_idx(bytes.fromhex("00000802 00000002 00000001 07ff")).tolist() == [[7], [255]]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_truncation_of_an_idx_file_is_refused(pack):
    data = pack(idx(np.arange(6).reshape(2, 3)))
    for end in range(len(data)):
        with pytest.raises(ValueError, match="some file"):
            read_idx(data[:end], "some file")
    if pack is bytes:
        with pytest.raises(ValueError, match="6 bytes; 7 follow"):
            read_idx(data + b"\0")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04K\x01.", bytes.fromhex("00000d01 00000001 00"), bytes.fromhex("00000804" + "00000001" * 4 + "00")],
    ids=["empty", "pickle", "floats", "four dimensions"],
)
def test_other_files_are_refused(data):
    with pytest.raises(ValueError, match="starts with"):
        read_idx(data)


def test_a_gzip_bomb_stops(monkeypatch):
    monkeypatch.setattr(formats, "_MAX_IDX_BYTES", 1000)
    with pytest.raises(ValueError, match="unpacks to more than 1000 bytes"):
        read_idx(gzip.compress(bytes(10_000)))


def test_a_header_that_promises_too_much_allocates_nothing():
    with pytest.raises(ValueError, match="4294967295"):
        read_idx(bytes.fromhex("00000803 ffffffff ffffffff ffffffff 00"))


def test_noise_is_never_anything_but_a_value_error():
    rng = random.Random(0)
    good = idx(np.zeros((2, 2)))
    for _ in range(2000):
        data = bytearray(rng.choice([good, gzip.compress(good, mtime=0)]))
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(ValueError):
            read_idx(bytes(data))


def batch(label: int, shift: int = 0) -> bytes:
    """Three rows: labels label, label + 1, …; pixel k of row r has the value (k + r + shift) mod 256."""
    rows = [bytes([label + r]) + bytes((k + r + shift) % 256 for k in range(3072)) for r in range(ROWS)]
    return b"".join(rows)


def batches() -> dict[str, bytes]:
    made = {f"{FOLDER}/data_batch_{i}.bin": batch(i, i) for i in range(1, 6)}
    return made | {f"{FOLDER}/test_batch.bin": batch(0), f"{FOLDER}/batches.meta.txt": b"airplane\n"}


def archive(members: dict[str, bytes], *extra: tarfile.TarInfo) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        folder = tarfile.TarInfo(FOLDER)
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info)
    out.seek(0)
    return out


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(formats, "CIFAR_FILE_ROWS", ROWS)


@pytest.mark.usefixtures("small")
class TestCifar:
    def test_planes_and_labels(self):
        images, labels = read_cifar10(archive(batches()), "test")
        assert (images.shape, images.dtype) == ((ROWS, 3, 32, 32), np.uint8)
        assert labels.tolist() == [0, 1, 2]
        assert images[1, 0, 0, :3].tolist() == [1, 2, 3]  # red, row by row
        assert images[0, 0, 1, 0] == 32
        assert images[0, 2, 31, 31] == 3071 % 256  # blue comes last

    def test_the_order_of_members_does_not_matter(self):
        shuffled = dict(reversed(batches().items()))
        images, labels = read_cifar10(archive(shuffled), "train")
        assert labels.tolist() == [label + r for label in range(1, 6) for r in range(ROWS)]
        assert images[::ROWS, 0, 0, 0].tolist() == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("name", ["../evil", "/etc/passwd", f"{FOLDER}/../evil", f"{FOLDER}/other.bin", "evil.pkl"])
    def test_unexpected_names_are_refused(self, name):
        with pytest.raises(ValueError, match="unexpected member"):
            read_cifar10(archive({name: b"x"} | batches()), "train")

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
    def test_links_and_devices_are_refused(self, kind):
        info = tarfile.TarInfo(f"{FOLDER}/readme.html")
        info.type, info.linkname = kind, "/etc/passwd"
        with pytest.raises(ValueError, match="unexpected member"):
            read_cifar10(archive({}, info), "train")

    @pytest.mark.parametrize("change", [-1, 1])
    def test_a_batch_of_another_size_is_refused(self, change):
        members = batches()
        name = f"{FOLDER}/test_batch.bin"
        members[name] = members[name][:-1] if change < 0 else members[name] + b"\0"
        with pytest.raises(ValueError, match=r"test_batch\.bin' has \d+ bytes; a batch has 9219"):
            read_cifar10(archive(members), "test")

    def test_a_label_above_nine_is_refused(self):
        with pytest.raises(ValueError, match="holds the label 10"):
            read_cifar10(archive(batches() | {f"{FOLDER}/test_batch.bin": batch(8)}), "test")

    def test_a_missing_batch_is_named(self):
        members = batches()
        del members[f"{FOLDER}/data_batch_4.bin"]
        with pytest.raises(ValueError, match=r"lacks data_batch_4\.bin"):
            read_cifar10(archive(members), "train")

    def test_a_repeated_batch_is_refused(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for _ in range(2):
                info = tarfile.TarInfo(f"{FOLDER}/test_batch.bin")
                info.size = len(batch(0))
                tar.addfile(info, io.BytesIO(batch(0)))
        out.seek(0)
        with pytest.raises(ValueError, match="comes twice"):
            read_cifar10(out, "test")

    def test_a_truncated_archive_is_refused(self):
        data = archive(batches()).getvalue()
        for share in (0.0, 0.001, 0.2, 0.5, 0.9):
            with pytest.raises(ValueError, match=r"damaged tar archive|lacks"):
                read_cifar10(io.BytesIO(data[: int(share * len(data))]), "train")

    def test_no_archive_at_all(self):
        with pytest.raises(ValueError, match="damaged tar archive"):
            read_cifar10(io.BytesIO(b"\x80\x04K\x01."), "train")
