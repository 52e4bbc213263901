"""The last step of a pipeline: how real-valued pixels became bytes. Applied to one class only, it *is* the detector."""
from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradscape.robustness.bitplanes.planes import Bytes, check_images
from gradscape.validate import in_range, nonnegative, one_of

ROUNDINGS = ("half_up", "half_even")
TRUNCATE = 4.0  # of the blurring Gaussian, in standard deviations


def provenance(images: NDArray[Any], rounding: str = "half_up", jpeg: int | None = None) -> Bytes:
    """Real-valued images (N, H, W, 3) or (H, W, 3) with values in [0, 255] as bytes.

    ``rounding``: "half_up", floor(v + 1/2), or "half_even" as ``numpy.round`` does: ties go to the even number.
    ``jpeg``: the quality (1 to 100) of a JPEG file that the bytes go through afterwards; None for no such file.
    ``ValueError`` for values out of range, NaN, another shape or an unknown option.
    """
    one_of("rounding", rounding, ROUNDINGS)
    values = np.asarray(images)
    if values.ndim not in (3, 4) or values.shape[-1] != 3 or values.size == 0 or values.dtype.kind not in "uif":
        raise ValueError(f"images is {values.dtype} of shape {values.shape}: must be numbers (N, H, W, 3)")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255):
        raise ValueError("images holds values that are not in [0, 255]: clip them first")
    values = values.astype(np.float64)
    done = (np.floor(values + 0.5) if rounding == "half_up" else np.round(values)).astype(np.uint8)
    return done if jpeg is None else through_jpeg(done, jpeg)


def through_jpeg(images: Bytes, quality: int) -> Bytes:
    """Write each image as a JPEG file of this quality (1 to 100, Pillow's default subsampling) and read it again."""
    from PIL import Image

    images = check_images("images", images)
    in_range("jpeg", quality, 1, 100)

    def once(image: Bytes) -> Bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
        return np.asarray(Image.open(buffer).convert("RGB"))

    return once(images) if images.ndim == 3 else np.stack([once(image) for image in images])


def degrade(images: Bytes, jpeg: int | None = None, blur: float | None = None) -> Bytes:
    """Blur by a Gaussian of ``blur`` pixels (rounded half up), then write as JPEG; either may be None.

    Unlike :func:`provenance` this is meant for both classes.
    """
    images = check_images("images", images)
    if blur is not None and nonnegative("blur", blur) > 0:
        from scipy.ndimage import gaussian_filter

        sigma = (0.0,) * (images.ndim - 3) + (blur, blur, 0.0)
        blurred = gaussian_filter(images.astype(np.float32), sigma, mode="reflect", truncate=TRUNCATE)
        images = provenance(np.clip(blurred, 0, 255))
    return images if jpeg is None else through_jpeg(images, jpeg)


def shifted(images: Bytes, levels: int = 0, gamma: float = 1.0) -> Bytes:
    """Raise brightness by whole gray ``levels`` (clipped), after v -> 255 (v/255)^gamma rounded half up."""
    images = check_images("images", images)
    in_range("levels", levels, -255, 255)
    in_range("gamma", gamma, 0, 10, open_low=True)
    bent = images if gamma == 1 else provenance(255 * (images / 255.0) ** gamma)
    return np.clip(bent.astype(np.int16) + int(levels), 0, 255).astype(np.uint8)


def _ones(images: Bytes) -> NDArray[np.float64]:
    return (images & 1).mean(axis=(1, 2, 3))


def _clipped(images: Bytes) -> NDArray[np.float64]:
    return ((images == 0) | (images == 255)).mean(axis=(1, 2, 3))


def _steps(images: Bytes) -> NDArray[np.float64]:
    return np.abs(np.diff(images.astype(np.int16), axis=2)).mean(axis=(1, 2, 3))


def _blocks(images: Bytes) -> NDArray[np.float64]:
    """Steps across the borders of 8 x 8 blocks over all others: a JPEG file leaves more than 1."""
    steps = np.abs(np.diff(images.astype(np.int16), axis=2)).mean(axis=(1, 3))
    border = np.arange(steps.shape[1]) % 8 == 7
    return (steps[:, border].mean(1) + 0.1) / (steps[:, ~border].mean(1) + 0.1)


def _second(images: Bytes) -> NDArray[np.float64]:
    """Second differences over first ones: resampling and smooth decoders lower it."""
    values = images.astype(np.int16)
    return (np.abs(np.diff(values, 2, axis=2)).mean(axis=(1, 2, 3)) + 0.1) / (_steps(images) + 0.1)


def _range(images: Bytes) -> NDArray[np.float64]:
    return (images.max(axis=(1, 2, 3)).astype(float) - images.min(axis=(1, 2, 3)))


# One number per image: what a reader should look at before believing any detector.
CUES: dict[str, Callable[[Bytes], NDArray[np.float64]]] = {
    "ones in the lowest bit": _ones, "share of 0 and 255": _clipped, "range of values": _range,
    "mean step": _steps, "second over first steps": _second, "JPEG block borders": _blocks,
}


def cue_accuracy(
    real_train: NDArray[np.float64], fake_train: NDArray[np.float64],
    real_test: NDArray[np.float64], fake_test: NDArray[np.float64],
) -> float:
    """Balanced accuracy on test values of the threshold on one number that is best on the training values.

    Values (N,) of one cue; a threshold may point either way. ``ValueError`` for NaN or no values.
    """
    arrays = (real_train, fake_train, real_test, fake_test)
    if any(np.size(v) == 0 or not np.isfinite(v).all() for v in arrays):
        raise ValueError("values: each of the four sets needs at least one, all finite")
    real, fake = np.sort(real_train), np.sort(fake_train)
    values = np.unique(np.concatenate([real, fake]))
    cuts = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    above = (1 - np.searchsorted(fake, cuts) / len(fake) + np.searchsorted(real, cuts) / len(real)) / 2
    upward = above.max() >= 1 - above.min()
    cut = cuts[above.argmax() if upward else above.argmin()]
    found = ((fake_test > cut).mean() + (real_test <= cut).mean()) / 2
    return float(found if upward else 1 - found)
