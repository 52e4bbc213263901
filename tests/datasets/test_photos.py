"""Photographs against the packages that ship them; patches on a picture whose every pixel says where it is."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from gradscape.datasets import photos

EIGHT = ("astronaut", "chelsea", "coffee", "immunohistochemistry", "rocket", "retina", "china", "flower")
JPEG_ROUNDING = 2  # gray levels by which two decoders of one JPEG may differ


@pytest.mark.parametrize("name", photos.NAMES)
def test_every_photograph_is_there(name, no_network):
    stored = photos.pixels(name)
    assert stored.dtype == torch.uint8
    assert stored.shape[0] == (3 if name in photos.COLOR else 1)
    assert min(stored.shape[1:]) >= 300
    assert stored.float().std() > 10  # a picture, not a blank


@pytest.mark.parametrize(
    "name",
    ["astronaut", "camera", "chelsea", "coins", "immunohistochemistry", "retina", "rocket", "stereo_motorcycle"],
)
def test_scikit_image_shows_the_same(name, no_network):
    """Its loaders of these files read the wheel too; were they to download, ``no_network`` would fail the test."""
    data = pytest.importorskip("skimage.data")
    reference = getattr(data, name)()
    reference = reference[0] if name == "stereo_motorcycle" else reference
    ours = photos.pixels(name).numpy().astype(int)
    ours = ours[0] if reference.ndim == 2 else ours.transpose(1, 2, 0)
    assert ours.shape == reference.shape
    assert np.abs(ours - reference).max() <= (JPEG_ROUNDING if name in ("retina", "rocket") else 0)


@pytest.mark.parametrize("name", ["china", "flower"])
def test_scikit_learn_shows_the_same(name):
    reference = pytest.importorskip("sklearn.datasets").load_sample_image(f"{name}.jpg")
    assert np.abs(photos.pixels(name).numpy().transpose(1, 2, 0).astype(int) - reference).max() <= JPEG_ROUNDING


def test_gray_is_scikit_images():
    rgb2gray = pytest.importorskip("skimage.color").rgb2gray
    image = photos.load("coffee", dtype=torch.float64)
    gray = photos.load("coffee", gray=True, dtype=torch.float64)
    assert gray.shape == (1, 400, 600)
    assert np.abs(gray[0].numpy() - rgb2gray(image.numpy().transpose(1, 2, 0))).max() < 1e-12
    assert torch.equal(photos.load("camera", gray=True), photos.load("camera"))


def test_load_is_in_the_unit_interval():
    image = photos.load("astronaut")
    assert (image.shape, image.dtype) == ((3, 512, 512), torch.float32)
    assert (image.min(), image.max()) == (0.0, 1.0)
    assert torch.equal((image * 255).round().to(torch.uint8), photos.pixels("astronaut"))


def test_crop_then_halve():
    whole = photos.load("retina")
    part = photos.load("retina", crop=(300, 1100, 310, 1100))
    assert torch.equal(part, whole[:, 300:1100, 310:1100])
    assert torch.equal(photos.load("retina", crop=(300, 1100, 310, 1100), halved=True), photos.halve(part))


def test_halve_by_hand():
    image = torch.tensor([[1.0, 3.0, 0.0, 0.0, 9.0], [5.0, 7.0, 0.0, 4.0, 9.0], [9.0, 9.0, 9.0, 9.0, 9.0]])
    assert photos.halve(image).tolist() == [[4.0, 1.0]]  # the odd row and column are cut
    assert photos.halve(image.expand(2, 3, 3, 5)).shape == (2, 3, 1, 2)


@pytest.mark.parametrize("bad", [torch.ones(1, 5), torch.ones(5), torch.ones(4, 4, dtype=torch.uint8)])
def test_halve_refuses(bad):
    with pytest.raises(ValueError, match="floats of at least 2 x 2"):
        photos.halve(bad)


def test_patches_of_the_lesson():
    crops = {"retina": (300, 1100, 300, 1100)}
    x, y = photos.patches(EIGHT, 8, 50, generator=torch.Generator().manual_seed(0), crops=crops)
    assert (x.shape, x.dtype) == ((400, 3, 8, 8), torch.float32)
    assert x.min() >= -1
    assert x.max() <= 1
    assert y.tolist() == [k for k in range(8) for _ in range(50)]


def test_patches_are_repeatable_and_depend_on_the_generator():
    draw = [photos.patches(["coffee"], 4, 20, generator=torch.Generator().manual_seed(seed)).x for seed in (0, 0, 1)]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])


@pytest.fixture
def addressed(monkeypatch):
    """Pictures of 12 x 16 pixels: red says the row, green the column, blue is 7; "camera" is gray."""
    color = np.zeros((3, 12, 16), np.uint8)
    color[0], color[1], color[2] = np.arange(12)[:, None], np.arange(16)[None], 7
    monkeypatch.setattr(photos, "_decoded", lambda name: color if name in photos.COLOR else color[:1])


def test_patches_are_contiguous_and_reach_every_position(addressed):
    size = 5
    x, _ = photos.patches(
        ["coffee"], size, 2000, halved=False, scale="unit", generator=torch.Generator().manual_seed(0)
    )
    values = (x * 255).round().long()
    corner = values[:, :2, 0, 0]
    steps = torch.arange(size)
    assert torch.equal(values[:, 0], (corner[:, 0, None] + steps)[:, :, None].expand(-1, -1, size))
    assert torch.equal(values[:, 1], (corner[:, 1, None] + steps)[:, None, :].expand(-1, size, -1))
    assert (values[:, 2] == 7).all()
    seen = {tuple(pair) for pair in corner.tolist()}
    assert seen == {(row, column) for row in range(12 - size + 1) for column in range(16 - size + 1)}


def test_patch_as_large_as_the_picture(addressed):
    x, _ = photos.patches(["coffee"], 6, 3, crops={"coffee": (0, 12, 2, 14)}, generator=torch.Generator())
    assert torch.equal(x[0], photos.load("coffee", crop=(0, 12, 2, 14), halved=True) * 2 - 1)
    assert torch.equal(x[0], x[2])


def test_patches_bad_arguments(addressed):
    generator = torch.Generator()
    for arguments, message in (
        ({"names": "coffee"}, "names='coffee': a sequence"),
        ({"names": []}, "names"),
        ({"names": ["mona_lisa"]}, "name='mona_lisa': must be one of 'astronaut'"),
        ({"size": 7}, r"size=7: larger than 'coffee' with \(6, 8\) pixels"),
        ({"size": 0}, "size=0"),
        ({"count": 0}, "count=0"),
        ({"scale": "standard"}, "scale='standard'"),
        ({"crops": {"rocket": (0, 4, 0, 4)}}, "crops='rocket'"),
        ({"crops": {"coffee": (0, 13, 0, 4)}}, r"crop=\(0, 13, 0, 4\).*12 x 16"),
        ({"crops": {"coffee": (4, 4, 0, 4)}}, "crop="),
        ({"names": ["coffee", "camera"]}, "gray and color"),
        ({"dtype": torch.uint8}, "dtype"),
    ):
        with pytest.raises(ValueError, match=message):
            photos.patches(**({"names": ["coffee"], "size": 2, "count": 1, "generator": generator} | arguments))
    x, _ = photos.patches(["coffee", "camera"], 2, 1, gray=True, generator=generator)
    assert x.shape == (2, 1, 2, 2)


def test_what_is_given_may_be_changed():
    photos.pixels("camera").zero_()
    photos.load("camera").zero_()
    assert photos.pixels("camera").sum() > 0
