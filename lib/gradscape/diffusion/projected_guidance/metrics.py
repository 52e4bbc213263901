"""What high guidance does to samples, in numbers: burnt pixels, saturation, contrast, distances between sets of images.

Images are in [-1, 1] as data; samples may leave that range, which is what `overshoot` and `clip_fraction` measure.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.datasets.photos import LUMINANCE
from gradscape.generative.mixture import Mixture
from gradscape.validate import at_least

# added to a class's covariance in the space of a few leading principal components: keeps small classes invertible
_CLASSIFIER_RIDGE = 1e-4


def mean_norm(x: Tensor) -> float:
    """Mean L2 norm of the samples x (B, ...)."""
    return float(x.flatten(1).norm(dim=1).mean())


def overshoot(x: Tensor) -> float:
    """Mean of max(|x| - 1, 0) over all entries: how far samples leave the data's range [-1, 1]."""
    return float((x.abs() - 1).clamp_min(0).mean())


def clip_fraction(x: Tensor) -> float:
    """Share of entries outside [-1, 1]: those that a display must clip."""
    return float((x.abs() > 1).double().mean())


def contrast(rgb: Tensor) -> float:
    """Mean over images of the standard deviation of luminance within the image; rgb (B, 3, H, W)."""
    weights = torch.tensor(LUMINANCE, dtype=_color(rgb).dtype)
    return float(torch.einsum("c,bchw->bhw", weights, rgb).flatten(1).std(1, unbiased=False).mean())


def hsv_saturation(rgb: Tensor) -> float:
    """Mean HSV saturation (max - min)/max over the channels of each pixel, *after* mapping to [0, 1] and clipping.

    rgb (B, 3, H, W) in [-1, 1]; black pixels count as 0.
    """
    shown = ((_color(rgb) + 1) / 2).clamp(0, 1)
    top, bottom = shown.amax(1), shown.amin(1)
    return float(torch.where(top > 0, (top - bottom) / top.clamp_min(torch.finfo(top.dtype).tiny), 0.0).mean())


def frechet(a: Tensor, b: Tensor) -> float:
    """Fréchet distance between two sets of features (n, d): |m_a - m_b|^2 + tr(A + B - 2 sqrt(AB)), A, B covariances.

    On pixel components this is *not* the Inception-FID of papers: only its differences within the lesson have meaning.
    """
    a, b = _features("a", a), _features("b", b)
    cov_a, cov_b = torch.atleast_2d(a.T.cov()), torch.atleast_2d(b.T.cov())
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    # tr sqrt(AB) = tr sqrt(A^{1/2} B A^{1/2}), which is symmetric
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + cov_a.trace() + cov_b.trace() - 2 * cross)


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Precision and recall of generated features (Kynkäänniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2).

    A point counts as covered by a set if it lies in the ball of one of the set's points that reaches to that point's
    k-th nearest neighbor. Precision: share of fake covered by real; recall: share of real covered by fake. Both (n, d).
    """
    at_least("k", k, 1)
    real, fake = _features("real", real, k + 1), _features("fake", fake, k + 1)
    return _covered(fake, real, k), _covered(real, fake, k)


@dataclass(frozen=True)
class Components:
    """The leading principal components of real images: mean (D,) and basis (D, d)."""

    mean: Tensor
    basis: Tensor

    @classmethod
    def fit(cls, x: Tensor, count: int = 24) -> Components:
        """Take the ``count`` directions of largest variance of the images x (n, ...)."""
        flat = x.flatten(1)
        mean = flat.mean(0)
        _, vectors = torch.linalg.eigh((flat - mean).T.double().cov())
        return cls(mean, vectors[:, -count:].flip(1).to(x.dtype))

    def __call__(self, x: Tensor) -> Tensor:
        """Coordinates (n, d) of the images x (n, ...), in float64."""
        return ((x.flatten(1) - self.mean) @ self.basis).double()


def fit_classifier(features: Tensor, labels: Tensor, *, pooled: bool) -> Mixture:
    """Quadratic (``pooled=False``) or linear discriminant analysis: one Gaussian per class, as a mixture of classes.

    ``accuracy`` of it is the share of samples whose class of largest posterior is the wanted one.
    """
    groups = [features[labels == label] for label in range(int(labels.max()) + 1)]
    ridge = _CLASSIFIER_RIDGE * torch.eye(features.shape[1], dtype=features.dtype)
    covs = torch.stack([group.T.cov() + ridge for group in groups])
    counts = torch.tensor([len(group) for group in groups], dtype=features.dtype)
    if pooled:
        covs = torch.einsum("m,mde->de", (counts - 1) / (counts - 1).sum(), covs).expand_as(covs)
    return Mixture(counts, torch.stack([group.mean(0) for group in groups]), covs, torch.arange(len(groups)))


def accuracy(classifier: Mixture, features: Tensor, labels: Tensor) -> float:
    """Share of features (n, d) that the classifier assigns to their labels (n,)."""
    return float((classifier.log_posterior(features).argmax(1) == labels).double().mean())


def _covered(points: Tensor, balls: Tensor, k: int) -> float:
    radius = torch.cdist(balls, balls).kthvalue(k + 1, dim=1).values  # the first neighbor is the point itself
    return float((torch.cdist(points, balls) <= radius).any(1).double().mean())


def _features(name: str, x: Tensor, least: int = 2) -> Tensor:
    if x.ndim != 2 or len(x) < least:
        raise ValueError(f"{name} has shape {tuple(x.shape)}: must be (n, d) with n >= {least}")
    return x.double()


def _color(rgb: Tensor) -> Tensor:
    if rgb.ndim != 4 or rgb.shape[1] != 3:
        raise ValueError(f"rgb has shape {tuple(rgb.shape)}: must be (B, 3, height, width); gray has no saturation")
    return rgb
