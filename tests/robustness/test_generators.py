"""Small generators: what they copy, what they keep of the data's moments, and that a seed decides everything."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from gradscape.robustness import generators as g

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 32, 3), dtype=np.uint8)
STEPS = 2  # enough to run every line


def test_bytes_go_round():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    np.testing.assert_array_equal(g.to_bytes(g.from_bytes(every)), every)


def test_to_bytes_clips_and_rounds_halves_up():
    values = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    # 0 is 127.5 on the scale of bytes: up, where half to even would also say 128
    assert g.to_bytes(values)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]
    odd = torch.full((1, 3, 1, 1), 126.5 / 127.5 - 1, dtype=torch.float64)
    assert g.to_bytes(odd).max() == 127  # half to even would give 126


@pytest.mark.parametrize("name", g.GENERATORS)
def test_a_seed_decides_everything(name):
    first, again, other = (g.GENERATORS[name]().fit(IMAGES, seed, STEPS) for seed in (1, 1, 2))
    made = first.sample(7, 3)
    assert made.dtype == np.uint8
    assert made.shape == (7, 16, 32, 3)
    np.testing.assert_array_equal(made, again.sample(7, 3))
    assert (made != first.sample(7, 4)).any()
    if name in ("vae", "gan", "diffusion"):
        assert (made != other.sample(7, 3)).any()


@pytest.mark.parametrize("name", ["vae", "gan", "diffusion"])
def test_fitting_leaves_the_global_stream_alone_and_tells_progress(name):
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    told = []
    g.GENERATORS[name]().fit(IMAGES, 0, 3, lambda done, total: told.append((done, total)))
    assert torch.equal(torch.rand(1), wanted)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_all_principal_components_keep_mean_and_covariance():
    pixels = np.random.default_rng(1).normal(128, 20, (60, 8, 8, 3)).clip(0, 255).astype(np.uint8)
    made = g.PCAGenerator(59).fit(pixels)
    x = g.from_bytes(pixels).flatten(1)
    torch.testing.assert_close(made.mean, x.mean(0))
    centered = x - x.mean(0)
    wanted = centered.T @ centered / len(x)
    # float32 arithmetic on a Gram matrix with entries near 5
    torch.testing.assert_close(made.directions.T @ made.directions, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(made.directions.norm(dim=1).double(), made.deviations, rtol=1e-4, atol=1e-5)


def test_fewer_components_are_the_leading_ones():
    x = g.from_bytes(IMAGES).flatten(1)
    singular = torch.linalg.svdvals(x - x.mean(0))
    made = g.PCAGenerator(5).fit(IMAGES)
    wanted = (singular[:5] / len(x) ** 0.5).flip(0).double()
    torch.testing.assert_close(made.deviations, wanted, rtol=1e-4, atol=0)


def test_quilt_holds_only_copied_pieces():
    made = g.QuiltGenerator(8).fit(IMAGES).sample(3, 0)
    known = {IMAGES[k, i : i + 8, j : j + 8].tobytes() for k in range(40) for i in range(9) for j in range(25)}
    pieces = [image[i : i + 8, j : j + 8].tobytes() for image in made for i in (0, 8) for j in (0, 8, 16, 24)]
    assert set(pieces) <= known
    assert len(set(pieces)) > 10


def test_vae_learns_to_reconstruct():
    flat = np.full((40, 16, 16, 3), 200, np.uint8)
    made = g.VAEGenerator().fit(flat, 0, 60).sample(20, 0)
    assert abs(float(made.mean()) - 200) < 20  # an untrained one is near 128


def test_diffusion_is_pulled_towards_the_data():
    flat = np.full((40, 16, 16, 3), 200, np.uint8)
    made = g.DiffusionGenerator().fit(flat, 0, 60).sample(20, 0)
    assert abs(float(made.mean()) - 200) < 30


@pytest.mark.parametrize(
    ("images", "part"),
    [
        (IMAGES.astype(float), "uint8"), (IMAGES[0], "uint8"), (IMAGES[:0], "not empty"), (IMAGES[:, :12], "divisible"),
        (IMAGES[..., :2], "uint8"), (None, "uint8"),
    ],
)
@pytest.mark.parametrize("name", ["pca", "quilt"])
def test_bad_images_are_refused(name, images, part):
    with pytest.raises(ValueError, match=r"images|piece") as error:
        g.GENERATORS[name]().fit(images)
    assert part in str(error.value) or "piece" in str(error.value)


def test_bad_numbers_are_refused():
    made = g.PCAGenerator().fit(IMAGES)
    for call in (
        lambda: g.PCAGenerator(0), lambda: g.QuiltGenerator(-1), lambda: g.DiffusionGenerator(0),
        lambda: g.DiffusionGenerator(smin=float("nan")), lambda: made.sample(0), lambda: made.sample(3, -1),
        lambda: made.fit(IMAGES, seed=1.5), lambda: made.fit(IMAGES, steps=0),
        lambda: g.QuiltGenerator(7).fit(IMAGES), lambda: g.GANGenerator().sample(3),
    ):
        with pytest.raises(ValueError, match=r"=|has not been fitted"):
            call()
