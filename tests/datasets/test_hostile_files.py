"""Every committed file with a bit turned over, cut short or under another checksum, and files made to do harm."""
from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradscape import catalog, datasets
from gradscape.agents.turnpolicy import base
from gradscape.datasets import DataError, fashion, integrity, tables
from safetensors import SafetensorError

from tests.datasets.loopback import Course, entry

SOURCE = catalog.root() / "data"
COMMITTED = tuple(json.loads((SOURCE / integrity.REGISTRY).read_text())["committed"])
NPZ = ("fashion_mnist.npz", "keel.npz")


@pytest.fixture
def copied(course: Course) -> Path:
    """A course with a copy of the registry and of all committed files."""
    for name in (integrity.REGISTRY, *COMMITTED):
        shutil.copy(SOURCE / name, course.data / name)
    for cache in (tables._keel, fashion._committed):
        cache.cache_clear()
    return course.data


def registered(folder: Path, name: str, data: bytes) -> None:
    """Put a file there together with its true checksum, as one would who can change the registry too."""
    (folder / name).write_bytes(data)
    content = json.loads((folder / integrity.REGISTRY).read_text())
    content["committed"][name] = {**content["committed"][name], **entry(data)}
    (folder / integrity.REGISTRY).write_text(json.dumps(content))


@pytest.mark.parametrize("how", ["flipped bit", "truncated", "wrong checksum"])
@pytest.mark.parametrize("name", COMMITTED)
def test_no_byte_of_a_damaged_file_is_used(copied, name, how):
    place, data = copied / name, bytearray((copied / name).read_bytes())
    if how == "wrong checksum":
        content = json.loads((copied / integrity.REGISTRY).read_text())
        content["committed"][name]["sha256"] = "0" * 64
        (copied / integrity.REGISTRY).write_text(json.dumps(content))
    else:
        if how == "flipped bit":
            data[len(data) // 3] ^= 0b100
        else:
            del data[-1]
        place.write_bytes(bytes(data))
    with pytest.raises(DataError, match=rf"{name} is damaged: .*git checkout data/{name}"):
        integrity.committed(name)
    assert [check.name for check in datasets.verify(packages=False) if not check.ok] == [name]


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "sprung"))


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def load(name: str) -> None:
    """Read a committed file as its lessons do."""
    if name == "keel.npz":
        tables.keel("pima")
    elif name == "fashion_mnist.npz":
        fashion.load("test")
    else:
        base.load_base(next(known for known, file in base.FILES.items() if file == name))


@pytest.mark.parametrize("kind", ["pickled array", "pickle", "climbing member"])
@pytest.mark.parametrize("name", [*NPZ, *base.FILES.values()])
def test_a_file_made_to_do_harm_does_none_though_its_checksum_is_right(copied, tmp_path, name, kind):
    marker = tmp_path / "marker"
    if kind == "pickled array":
        bait = np.array([Trap(marker)], dtype=object)
        data = npz(train_images=bait, **{f"{table}_x": bait for table in tables.KEEL_TABLES})
    elif kind == "pickle":
        data = pickle.dumps(Trap(marker))
    else:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("../../marker", "sprung")
            archive.writestr("../marker.npy", "sprung")
        data = out.getvalue()
    registered(copied, name, data)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((DataError, SafetensorError), match=r"is not the expected|[Hh]eader"):
        load(name)
    assert not marker.exists()
    assert sorted(tmp_path.rglob("*")) == before
