"""Decibels by hand, and against scikit-image."""
from __future__ import annotations

import math

import pytest
import torch
from gradscape import metrics


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    truth = torch.rand(*shape, generator=g, dtype=torch.float64)
    return truth, truth + 0.1 * torch.randn(*shape, generator=g, dtype=torch.float64)


def test_a_tenth_of_the_size_is_twenty_decibels():
    truth = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert float(metrics.rsnr(truth, 1.1 * truth)) == pytest.approx(20, abs=1e-9)
    assert float(metrics.rsnr(7 * truth, 7.7 * truth)) == pytest.approx(20, abs=1e-9)
    assert float(metrics.rsnr(truth, truth)) == math.inf
    assert float(metrics.rsnr(truth, 0 * truth)) == pytest.approx(0, abs=1e-9)


def test_psnr_is_that_of_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    truth, estimate = pair(8, 9)
    for peak in (1.0, 255.0):
        wanted = skimage.peak_signal_noise_ratio(truth.numpy(), estimate.numpy(), data_range=peak)
        assert float(metrics.psnr(truth, estimate, peak)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("metric", [metrics.rsnr, metrics.psnr])
def test_axes_before_the_signal_stay(metric):
    truth, estimate = pair(3, 4, 5)
    together = metric(truth, estimate, dims=2)
    assert together.shape == (3,)
    assert torch.allclose(together, torch.stack([metric(a, b) for a, b in zip(truth, estimate, strict=True)]))


@pytest.mark.parametrize("metric", [metrics.rsnr, metrics.psnr])
def test_bad_input_is_named(metric):
    truth, estimate = pair(4)
    for a, b, options, message in (
        (truth, estimate[:3], {}, "shapes differ"), (truth, estimate * math.nan, {}, "estimate holds"),
        (truth * math.inf, estimate, {}, "truth holds"), (truth[:0], estimate[:0], {}, "empty"),
        (truth, estimate, {"dims": 2}, "dims=2"), (truth, estimate, {"dims": 0}, "dims=0"),
    ):
        with pytest.raises(ValueError, match=message):
            metric(a, b, **options)
    with pytest.raises(ValueError, match="zero"):
        metrics.rsnr(0 * truth, estimate)
    with pytest.raises(ValueError, match="peak"):
        metrics.psnr(truth, estimate, 0.0)
