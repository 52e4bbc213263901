"""What is committed is what was built, and nothing damaged is ever used."""
from __future__ import annotations

import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from gradscape import datasets
from gradscape.datasets import DataError, fashion, integrity
from gradscape.datasets.builders.command import array_digest

MAX_COMMITTED_BYTES = 6_000_000  # what a clone may be asked to carry for one data set


def test_everything_here_is_as_registered():
    problems = [f"{check.name}: {check.problem}" for check in datasets.verify() if not check.ok]
    assert not problems
    assert datasets.checksums()["fashion_mnist.npz"] == integrity.registry()["committed"]["fashion_mnist.npz"]["sha256"]


def test_every_committed_data_file_is_registered_and_small():
    folder = integrity.data_folder()
    other = {"registry.json", "README.md"}
    present = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")} - other
    assert present == set(integrity.registry()["committed"])
    assert all((folder / name).stat().st_size <= MAX_COMMITTED_BYTES for name in present)


def test_arrays_of_the_committed_file():
    described = integrity.registry()["committed"]["fashion_mnist.npz"]["arrays"]
    with np.load(integrity.data_folder() / "fashion_mnist.npz", allow_pickle=False) as stored:
        assert set(stored.files) == set(described)
        for name, entry in described.items():
            array = stored[name]
            assert (array.dtype.name, list(array.shape)) == (entry["dtype"], entry["shape"])
            assert array_digest(array) == entry["sha256"]


@pytest.fixture
def copied(course) -> Path:
    """The course of the test with the real registry and a copy of the committed files."""
    source = Path(integrity.__file__).resolve().parents[3] / "data"
    if not source.is_dir():
        source = Path(integrity.__file__).resolve().parents[1] / "_root" / "data"
    for path in source.iterdir():
        if path.name == "registry.json" or path.suffix in (".npz", ".gz", ".safetensors"):
            shutil.copy(path, course.data / path.name)
    return course.data / "fashion_mnist.npz"


def spoil(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "flipped byte":
        data[len(data) // 2] ^= 1
    elif how == "truncated":
        del data[len(data) // 2 :]
    elif how == "longer":
        data += b"\0"
    elif how == "empty":
        data.clear()
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["flipped byte", "truncated", "longer", "empty"])
def test_a_damaged_file_is_refused(copied, how):
    assert len(fashion.load("test").y) == 2000
    fashion._committed.cache_clear()  # as in the next process
    spoil(copied, how)
    with pytest.raises(DataError, match=r"fashion_mnist\.npz is damaged: .*git checkout data/fashion_mnist\.npz"):
        fashion.load()
    [check] = [check for check in datasets.verify(packages=False) if not check.ok]
    assert check.path == copied
    assert datasets.checksums()["fashion_mnist.npz"] != integrity.registry()["committed"]["fashion_mnist.npz"]["sha256"]


def test_a_missing_file_is_refused(copied):
    copied.unlink()
    with pytest.raises(DataError, match=r"fashion_mnist\.npz cannot be read .*No such file.*git checkout"):
        fashion.load()
    [check] = [check for check in datasets.verify(packages=False) if not check.ok]
    assert "cannot be read" in check.problem
    assert datasets.checksums()["fashion_mnist.npz"] == "missing"


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "sprung"))


def arrays() -> dict[str, np.ndarray]:
    made = {}
    for split in ("train", "test"):
        made[f"{split}_images"] = np.zeros((2, 28, 28), np.uint8)
        made[f"{split}_labels"] = np.zeros(2, np.uint8)
    return made


def npz(**changes: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **(arrays() | changes))
    return out.getvalue()


def test_a_hostile_npz_is_not_unpickled(tmp_path):
    marker = tmp_path / "marker"
    bait = np.array([Trap(marker)], dtype=object)
    with pytest.raises(DataError, match=r"plain arrays .*allow_pickle=False"):
        fashion.read_arrays(npz(train_images=bait))
    assert not marker.exists()
    with pytest.raises(DataError, match="plain arrays"):
        fashion.read_arrays(pickle.dumps(Trap(marker)))
    assert not marker.exists()
    np.load(io.BytesIO(npz(train_images=bait)), allow_pickle=True)["train_images"]
    assert marker.read_text() == "sprung"  # the trap is a real one


@pytest.mark.parametrize(
    "changes",
    [
        {"train_images": np.zeros((2, 28, 28), np.float32)},
        {"train_images": np.zeros((3, 28, 28), np.uint8)},
        {"train_images": np.zeros((2, 784), np.uint8)},
        {"test_labels": np.zeros((2, 1), np.uint8)},
        {"test_labels": np.full(2, 10, np.uint8)},
        {"test_labels": np.zeros(2, np.int64)},
    ],
    ids=str,
)
def test_arrays_of_another_kind_are_refused(changes):
    with pytest.raises(DataError, match="labels 0 to 9"):
        fashion.read_arrays(npz(**changes))


def test_an_npz_without_an_array_is_refused():
    out = io.BytesIO()
    np.savez(out, train_images=np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(DataError, match="train_labels"):
        fashion.read_arrays(out.getvalue())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"committed": {}, "packaged": {}}',
        '{"committed": {"a": 1}, "packaged": {}, "remote": {}}',
        '{"committed": {"a": {"bytes": 1}}, "packaged": {}, "remote": {}}',
        '{"committed": {}, "packaged": {}, "remote": {"mnist": {}}}',
    ],
)
def test_a_spoilt_registry_is_refused(course, text):
    (course.data / "registry.json").write_text(text)
    with pytest.raises(DataError, match=r"no registry of checksums .*git checkout data/registry\.json"):
        fashion.load()


def test_no_registry(course):
    (course.data / "registry.json").unlink()
    with pytest.raises(DataError, match="no registry of checksums at"):
        datasets.verify()


def test_a_file_that_is_not_registered(course):
    with pytest.raises(DataError, match="is not in"):
        fashion.load()
    with pytest.raises(DataError, match="is not in"):
        integrity.packaged("skimage/data/camera.png")


def test_no_course(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADSCAPE_ROOT", str(tmp_path))
    with pytest.raises(DataError, match="data folder was not found"):
        fashion.load()


def test_a_package_that_is_not_installed(course):
    course.register(packaged={"no_such_package/a": {"bytes": 1, "sha256": "0" * 64, "package": "no-such-package"}})
    [check] = datasets.verify()
    assert "no_such_package is not installed" in check.problem


def test_the_registry_is_tidy():
    text = (integrity.data_folder() / "registry.json").read_text()
    content = json.loads(text)
    assert text == json.dumps(content, indent=1) + "\n"
    for name, entry in content["remote"].items():
        assert entry["license"], name
        assert all(address.startswith("http") and address.endswith("/") for address in entry["mirrors"])
