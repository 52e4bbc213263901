"""Bit-planes, patches, pipelines, detectors: closed forms, convolutions, torch's attention, scikit-learn."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from gradscape.robustness import bitplanes as bp
from gradscape.robustness.bitplanes.detectors import as_input, logits
from gradscape.stats import Grid
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import convolve2d

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 48, 48, 3), dtype=np.uint8)
KERNELS = ([[-1, 1]], [[-1], [1]], [[-1, 0], [0, 1]], [[0, -1], [1, 0]])
SHARE = 0.005  # of a share among 10^6 pixels: ten standard errors


# ---- planes ----------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (2, 3, 4, 3)), st.integers(1, 8))
def test_planes_go_round(images, keep):
    planes = bp.bit_planes(images)
    assert set(np.unique(planes)) <= {0, 1}
    np.testing.assert_array_equal(bp.compose(planes, 8), images)
    np.testing.assert_array_equal(bp.compose(planes, keep), images.astype(int) % 2**keep)
    np.testing.assert_array_equal(bp.low_bits(images, keep), images.astype(int) % 2**keep)


def test_the_papers_three_planes():
    x = IMAGES.astype(int)
    planes = bp.bit_planes(IMAGES)
    np.testing.assert_array_equal(bp.low_bits(IMAGES), 4 * planes[2] + 2 * planes[1] + planes[0])
    np.testing.assert_array_equal(bp.low_bits(IMAGES), x & 7)


def test_threshold_is_idempotent_and_scale_has_levels_of_sevenths():
    z = bp.low_bits(IMAGES)
    once = bp.threshold_noise(z)
    np.testing.assert_array_equal(bp.threshold_noise(once), once)
    levels = np.unique(bp.scale_noise(z)) * 7 / 255
    np.testing.assert_allclose(levels, np.arange(8), atol=1e-5)


def test_scale_is_per_image_and_channel():
    z = np.zeros((2, 4, 4, 3), np.uint8)
    z[0, 0, 0, 0], z[1, ..., 1] = 3, 5
    scaled = bp.scale_noise(z)
    assert scaled[0, 0, 0, 0] == 255
    assert scaled[1].max() == 0  # a constant channel, whatever its value
    np.testing.assert_array_equal(scaled[0], bp.scale_noise(z[0]))


def test_even_bits_have_known_shares():
    x = RNG.integers(0, 256, (1, 700, 500, 3), dtype=np.uint8)
    assert abs((bp.noise_image(x, 3) == 255).mean() - 7 / 8) < SHARE
    assert abs((bp.noise_image(x, 1) == 255).mean() - 1 / 2) < SHARE


def test_low_bits_see_remainders_only():
    x = IMAGES // 2
    np.testing.assert_array_equal(bp.low_bits(x + np.uint8(64)), bp.low_bits(x))
    assert (bp.low_bits(x + np.uint8(1)) != bp.low_bits(x)).all()


@pytest.mark.parametrize("call", [bp.bit_planes, bp.low_bits, bp.scale_noise, bp.threshold_noise, bp.noise_image])
def test_images_must_be_bytes_in_color(call):
    for bad in (IMAGES / 255, IMAGES.astype(int), [[1.0]]):
        with pytest.raises(TypeError, match="uint8"):
            call(bad)
        with pytest.raises(ValueError, match="uint8"):
            call(bad)
    for bad in (IMAGES[..., 0], IMAGES[..., :2], IMAGES[:0], IMAGES[None]):
        with pytest.raises(ValueError, match="shape"):
            call(bad)


@pytest.mark.parametrize("planes", [0, 9, 2.5, float("nan"), "3", True, None])
def test_planes_must_be_one_to_eight(planes):
    with pytest.raises(ValueError, match="planes"):
        bp.low_bits(IMAGES, planes)
    with pytest.raises(ValueError, match="keep"):
        bp.compose(bp.bit_planes(IMAGES), planes)


def test_other_bad_planes():
    with pytest.raises(ValueError, match="mode"):
        bp.noise_image(IMAGES, 3, "raw")
    with pytest.raises(ValueError, match="planes"):
        bp.compose(IMAGES)
    with pytest.raises(ValueError, match="0 or 1"):
        bp.compose(np.stack([IMAGES] * 8))


# ---- patches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["threshold", "scale"])
def test_score_is_the_sum_of_four_valid_convolutions(mode):
    patches = bp.patch_grid(bp.noise_image(IMAGES[:2], 3, mode), 16)
    for patch in patches.reshape(-1, 16, 16, 3)[:5]:
        z = patch.astype(np.int64 if mode == "threshold" else float)
        wanted = sum(np.abs(convolve2d(z[..., c], k, "valid")).sum() for c in range(3) for k in KERNELS)
        if mode == "threshold":
            assert int(bp.gradient_score(patch)) == int(wanted)
        assert float(bp.gradient_score(patch)) == pytest.approx(float(wanted), rel=1e-9)


def test_score_of_a_constant_and_of_a_checkerboard():
    assert int(bp.gradient_score(np.full((5, 5, 3), 7, np.uint8))) == 0
    board = np.zeros((4, 4, 3), np.uint8)
    board[..., 0] = 255 * (np.indices((4, 4)).sum(0) % 2)
    assert int(bp.gradient_score(board)) == 12 * 255 + 12 * 255  # diagonal neighbors are equal


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (5, 4, 3)))
def test_score_knows_neither_direction_nor_sign(z):
    score = int(bp.gradient_score(z))
    assert score == int(bp.gradient_score(z.transpose(1, 0, 2)))
    assert score == int(bp.gradient_score(255 - z)) == int(bp.gradient_score(z[::-1])) >= 0


def test_grid_is_row_by_row():
    grid = bp.patch_grid(IMAGES, 16)
    assert grid.shape == (6, 9, 16, 16, 3)
    np.testing.assert_array_equal(grid[2, 5], IMAGES[2, 16:32, 32:48])
    np.testing.assert_array_equal(bp.patch_grid(IMAGES[2], 16), grid[2])


def test_selection_takes_the_extreme_and_the_first_of_equals():
    noise = bp.noise_image(IMAGES, 1)
    most, least = (bp.select_patch(noise, 16, how) for how in ("max", "min"))
    np.testing.assert_array_equal(most.scores, bp.gradient_score(bp.patch_grid(noise, 16)))
    assert (most.scores[np.arange(6), most.index] == most.scores.max(1)).all()
    assert (least.scores[np.arange(6), least.index] == least.scores.min(1)).all()
    np.testing.assert_array_equal(most.patches[3], bp.patch_grid(noise, 16)[3, most.index[3]])
    flat = bp.select_patch(np.zeros((1, 48, 48, 3), np.uint8), 16)
    assert flat.index.tolist() == [0]
    single = bp.select_patch(noise[4], 16)
    assert int(single.index) == int(most.index[4])
    assert single.patches.shape == (16, 16, 3)


def test_random_patches_are_uniform_and_repeat():
    noise = np.zeros((9000, 12, 12, 3), np.uint8)
    first, again = (bp.select_patch(noise, 4, "random", np.random.default_rng(3)).index for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert abs(np.bincount(first, minlength=9) / 9000 - 1 / 9).max() < 0.015  # four standard errors


def test_bad_patches():
    for call, part in (
        (lambda: bp.patch_grid(IMAGES, 7), "size"), (lambda: bp.patch_grid(IMAGES, 1), "size"),
        (lambda: bp.patch_grid(IMAGES[..., 0], 8), "shape"), (lambda: bp.select_patch(IMAGES, 16, "best"), "how"),
        (lambda: bp.select_patch(IMAGES, 16, "random"), "generator"),
        (lambda: bp.gradient_score(IMAGES[0, 0]), "shape"),
        (lambda: bp.gradient_score(np.full((2, 2, 3), np.nan)), "NaN"),
        (lambda: bp.gradient_score(np.array([[["a"] * 3] * 2] * 2)), "numbers"),
    ):
        with pytest.raises(ValueError, match=part):
            call()


# ---- pipelines -------------------------------------------------------------------------------------------------------


def test_half_to_even_leaves_three_eighths():
    means = RNG.integers(0, 256, (4, 1, 600, 500, 3)).mean(0)
    assert abs((bp.provenance(means, "half_even") & 1).mean() - 3 / 8) < SHARE
    assert abs((bp.provenance(means) & 1).mean() - 1 / 2) < SHARE


def test_roundings_differ_at_half_of_the_ties_only():
    values = np.array([0.5, 1.5, 2.5, 2.25, 2.75, 255.0]).repeat(3).reshape(1, 2, 3, 3)
    assert bp.provenance(values)[..., 0].ravel().tolist() == [1, 2, 3, 2, 3, 255]
    assert bp.provenance(values, "half_even")[..., 0].ravel().tolist() == [0, 2, 2, 2, 3, 255]


def test_jpeg_comes_nearer_with_quality():
    smooth = np.add.outer(np.arange(48), np.arange(48))[None, ..., None].repeat(3, -1).astype(float)
    errors = [np.abs(bp.provenance(smooth, jpeg=q).astype(float) - smooth).mean() for q in (20, 75, 100)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.5
    np.testing.assert_array_equal(bp.provenance(smooth, jpeg=75), bp.degrade(bp.provenance(smooth), jpeg=75))


def test_blur_keeps_the_mean_and_takes_away_contrast():
    one, three = (bp.degrade(IMAGES, blur=s).astype(float) for s in (1.0, 3.0))
    assert abs(one.mean() - IMAGES.mean()) < 0.5
    assert IMAGES.std() > 2 * one.std() > 2 * three.std()
    np.testing.assert_array_equal(bp.degrade(IMAGES, blur=0.0), IMAGES)
    np.testing.assert_array_equal(bp.degrade(IMAGES[0], blur=1.0), bp.degrade(IMAGES, blur=1.0)[0])


def test_shift_clips_instead_of_wrapping():
    assert bp.shifted(np.full((1, 1, 3), 254, np.uint8), 3).max() == 255
    assert bp.shifted(np.full((1, 1, 3), 1, np.uint8), -3).max() == 0
    np.testing.assert_array_equal(bp.shifted(IMAGES, 0, 1.0), IMAGES)


def test_bad_pipelines():
    for call, part in (
        (lambda: bp.provenance(IMAGES, "up"), "rounding"), (lambda: bp.provenance(IMAGES + 0.5), "255"),
        (lambda: bp.provenance(np.full((2, 2, 3), np.nan)), "255"), (lambda: bp.provenance(IMAGES[..., 0]), "shape"),
        (lambda: bp.provenance(IMAGES, jpeg=0), "jpeg"), (lambda: bp.degrade(IMAGES, blur=-1.0), "blur"),
        (lambda: bp.degrade(IMAGES / 2), "uint8"), (lambda: bp.shifted(IMAGES, 1, 0.0), "gamma"),
        (lambda: bp.cue_accuracy(*[np.array([np.nan])] * 4), "finite"), (lambda: bp.crops(["coffee"], 0, 0), "count"),
        (lambda: bp.crops(["nobody"], 3, 0), "name"), (lambda: bp.last_step(IMAGES, "Q"), "arm"),
    ):
        with pytest.raises(ValueError, match=part):
            call()


def test_crops_are_exact_quarters_of_the_photographs_own_bytes():
    from gradscape.datasets import photos

    found = bp.crops(("coffee", "china"), 5, 1)
    assert found.shape == (5, 48, 48, 3)
    assert (found * 4 == np.round(found * 4)).all()
    whole = photos.pixels("coffee").numpy().astype(int)
    blocks = whole[:, :400, :600].reshape(3, 200, 2, 300, 2).sum((2, 4)).transpose(1, 2, 0) / 4
    windows = np.lib.stride_tricks.sliding_window_view(blocks, (48, 48, 3))[:, :, 0]
    first = windows[..., 0, 0, 0]
    assert any((windows[i, j] == crop).all() for crop in found for i, j in np.argwhere(first == crop[0, 0, 0]))


def test_cue_threshold_is_learned_on_training_values_and_may_point_either_way():
    low, high = np.linspace(0, 1, 50), np.linspace(2, 3, 50)
    assert bp.cue_accuracy(low, high, low, high) == bp.cue_accuracy(high, low, high, low) == 1
    assert bp.cue_accuracy(low, high, high, low) == 0  # turned round at test: worse than chance, not mended
    assert bp.cue_accuracy(np.ones(9), np.ones(9), np.ones(9), np.ones(9)) == 0.5


def test_cues_name_a_jpeg_file_by_its_blocks():
    smooth = RNG.normal(0, 4, (20, 48, 48, 1)).cumsum(1).cumsum(2).repeat(3, -1)
    smooth = (128 + smooth - smooth.mean((1, 2, 3), keepdims=True)).clip(0, 255)
    plain, filed = bp.provenance(smooth), bp.provenance(smooth, jpeg=10)
    see = bp.CUES["JPEG block borders"]
    assert np.median(see(filed)) > see(plain).max()
    assert bp.CUES["share of 0 and 255"](np.zeros((2, 8, 8, 3), np.uint8)).tolist() == [1, 1]


# ---- detectors -------------------------------------------------------------------------------------------------------


def test_balanced_accuracy_weighs_classes_alike():
    real, fake = torch.tensor([-1.0, -1.0, -1.0, 1.0]), torch.tensor([1.0, -1.0])
    assert bp.balanced_accuracy(real, fake) == pytest.approx((0.75 + 0.5) / 2)
    assert bp.balanced_accuracy(torch.zeros(3), torch.zeros(5)) == 0.5  # a logit of 0 says real
    for bad in (torch.zeros(0), torch.tensor([float("nan")])):
        with pytest.raises(ValueError, match="logit"):
            bp.balanced_accuracy(bad, fake)
        with pytest.raises(ValueError, match="logit"):
            bp.average_precision(fake, bad)


def test_average_precision_is_scikit_learns():
    from sklearn.metrics import average_precision_score

    draws = torch.Generator().manual_seed(0)
    real = torch.randn(40, generator=draws).round(decimals=1)
    fake = (torch.randn(25, generator=draws) + 0.7).round(decimals=1)
    truth = [0] * 40 + [1] * 25
    wanted = average_precision_score(truth, torch.cat([real, fake]).numpy())
    assert bp.average_precision(real, fake) == pytest.approx(wanted, abs=1e-12)


def _guided() -> bp.NoiseGuidedClassifier:
    torch.manual_seed(0)
    return bp.NoiseGuidedClassifier(channels=4, heads=2, patch=4, image=8).eval()


def test_guided_without_guidance_is_plain_attention():
    net = _guided()
    features, zero = torch.randn(3, 8, 2, 2), torch.zeros(3, 2, 4)
    tokens = features.flatten(2).mT
    q, k, v = net.query(tokens.mean(1, keepdim=True)), net.key(tokens), net.value(tokens)
    q, k, v = (x.unflatten(2, (2, 4)).transpose(1, 2) for x in (q, k, v))
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(1)
    torch.testing.assert_close(net.attention(features, zero), wanted)


def test_guidance_counts_up_to_a_constant_per_head():
    net = _guided()
    features, guidance = torch.randn(3, 8, 2, 2), torch.randn(3, 2, 4)
    pooled = net.attention(features, guidance)
    torch.testing.assert_close(net.attention(features, guidance + torch.tensor([[[2.0], [-1.0]]])), pooled)
    assert not torch.allclose(net.attention(features, guidance + torch.arange(4.0)), pooled)
    only = torch.full((3, 2, 4), -1e9)
    only[..., 2] = 0  # all weight on one token
    torch.testing.assert_close(net.attention(features, only), net.value(features.flatten(2).mT[:, 2]))


def test_networks_give_one_logit_each():
    x = as_input(IMAGES[:, :16, :16])
    assert x.min() >= -1
    assert x.max() <= 1
    assert bp.NoiseBasedClassifier(4)(x).shape == bp.LinearClassifier(16)(x).shape == (6,)
    net = bp.NoiseGuidedClassifier(4, 2, 16, 48)
    assert net(as_input(IMAGES), x).shape == (6,)
    torch.testing.assert_close(
        logits(net.eval(), as_input(IMAGES), x, chunk=4), net(as_input(IMAGES), x).detach(), rtol=1e-4, atol=1e-5)


def test_linear_head_learns_a_first_order_cue():
    x = torch.randn(400, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    y = (torch.arange(400) % 2).float()
    x += 0.5 * y.view(-1, 1, 1, 1)
    torch.manual_seed(0)
    net = bp.fit_detector(bp.LinearClassifier(4), x, y, epochs=20, lr=0.02)
    found = logits(net, x)
    assert bp.balanced_accuracy(found[y == 0], found[y == 1]) > 0.95
    assert not net.training


def test_bad_detectors():
    x, y = torch.zeros(4, 3, 4, 4), torch.tensor([0, 1, 0, 1])
    net = bp.LinearClassifier(4)
    for call, part in (
        (lambda: bp.fit_detector(net, x, y[:3]), "labels"), (lambda: bp.fit_detector(net, x, y * 2), "labels"),
        (lambda: bp.fit_detector(net, x, y, epochs=0), "epochs"), (lambda: bp.fit_detector(net, x, y, lr=0.0), "lr"),
        (lambda: bp.fit_detector(net, x, y, batch=0), "batch"), (lambda: bp.NoiseBasedClassifier(0), "channels"),
        (lambda: bp.NoiseGuidedClassifier(heads=5), "heads"), (lambda: bp.NoiseGuidedClassifier(image=30), "image"),
        (lambda: bp.Options(mode="noise"), "mode"), (lambda: bp.Options(head="mlp"), "head"),
        (lambda: bp.Options(planes=0), "planes"), (lambda: bp.Options(batch=1), "batch"),
        (lambda: bp.train_detectors(IMAGES, {}), "fakes"),
        (lambda: bp.train_detectors(IMAGES, {"small": IMAGES[:, :32, :32]}), "small"),
    ):
        with pytest.raises(ValueError, match=part):
            call()


# ---- matrices --------------------------------------------------------------------------------------------------------


def test_gap_by_hand():
    matrix = Grid({"train": ("a", "b"), "test": ("a", "b", "quilt")}, np.array([[0.9, 0.6, 0.1], [0.7, 0.8, 0.2]]))
    assert bp.generalization_gap(matrix) == pytest.approx((0.85, 0.65, 0.2))
    turned = Grid({"train": ("b", "a"), "test": ("a", "b")}, np.array([[0.7, 0.8], [0.9, 0.6]]))
    assert bp.generalization_gap(turned) == pytest.approx((0.85, 0.65, 0.2))
    with pytest.raises(ValueError, match="two"):
        bp.generalization_gap(Grid({"train": ("a",), "test": ("b",)}, [[1.0]]))
    with pytest.raises(ValueError, match="axes"):
        bp.generalization_gap(Grid({"x": ("a", "b"), "test": ("a", "b")}, np.ones((2, 2))))


def _noise(count: int, share: float, seed: int):
    """Random images whose lowest bit is 1 with the given probability."""
    draws = np.random.default_rng(seed)
    bits = (draws.random((count, 16, 16, 3)) < share).astype(np.uint8)
    return (draws.integers(0, 128, bits.shape) * 2).astype(np.uint8) + bits


def test_a_trace_on_real_images_transfers_and_its_absence_is_chance():
    options = bp.Options(size=8, epochs=4)
    fakes = [{name: _noise(60, 0.5, 10 * k + seed) for k, name in enumerate("ab")} for seed in (1, 2)]
    marked, alike = (bp.cross_generator_matrix(_noise(60, share, 3), _noise(60, share, 4), *fakes, options)
                     for share in (0.2, 0.5))
    assert bp.generalization_gap(marked).off > 0.97
    assert abs(bp.generalization_gap(marked).gap) < 0.03
    assert abs(alike.values - 0.5).max() < 0.12  # 60 images a class: standard error .05 around chance
    again = bp.cross_generator_matrix(_noise(60, 0.2, 3), _noise(60, 0.2, 4), *fakes, options)
    np.testing.assert_array_equal(again.values, marked.values)


def test_one_gray_level_flips_what_a_detector_of_the_lowest_bit_says():
    real, fake = _noise(80, 0.2, 1), _noise(80, 0.8, 2)
    found = bp.train_detectors(real, {"f": fake}, bp.Options(size=8, epochs=4))
    says = [float((found.logits(x)["f"] > 0).double().mean()) for x in (real, bp.shifted(real, 1), fake)]
    assert says[0] < 0.05
    assert says[1] > 0.95
    assert says[2] > 0.95


@pytest.mark.parametrize("options", [bp.Options(mode="raw", size=8), bp.Options(head="linear", size=8),
                                     bp.Options(head="guided", size=8), bp.Options(mode="scale", planes=3, size=16)])
@pytest.mark.parametrize("how", bp.CHOICES)
def test_every_kind_of_detector_makes_a_matrix(options, how):
    tests = {"a": _noise(6, 0.5, 4), "q": _noise(5, 0.5, 5)}
    made = bp.cross_generator_matrix(
        _noise(8, 0.5, 1), _noise(6, 0.5, 2), {"a": _noise(8, 0.5, 3)}, tests,
        bp.Options(**{**vars(options), "epochs": 1}), how=how)
    assert made.axes == {"train": ("a",), "test": ("a", "q")}
    assert ((made.values >= 0) & (made.values <= 1)).all()
