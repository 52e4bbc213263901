"""Gaussian mixtures whose score and denoiser are known in closed form at every noise level."""
from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from gradscape.validate import finite, nonnegative

# an eigenvalue this far below zero, relative to the largest, is no longer round-off of a positive semidefinite matrix
_NEGATIVE = 1e-6


class Mixture:
    """The mixture sum_m weights_m N(means_m, covs_m) of x0, and everything about x = x0 + sigma n in closed form.

    Args:
        weights: (M,), positive; normalized here.
        means: (M, d).
        covs: (M, d, d) full, (M, d) diagonal, or (M,) isotropic variances.
        labels: (M,) class of each component, for conditional predictions; default: one class.

    The denoiser is D(x, sigma) = sum_m r_m(x) [mu_m + S_m (S_m + sigma^2)^{-1} (x - mu_m)] with r_m proportional to
    weights_m N(x; mu_m, S_m + sigma^2 I); given labels, only the components of a sample's class take part.
    The work is done in the eigenbases of the S_m, in the dtype of ``means``.

    Example:
        >>> unit = Mixture(torch.ones(1), torch.zeros(1, 3), torch.ones(1))
        >>> unit(torch.ones(2, 3), 1.0)[0]                # the Wiener filter x / (1 + sigma^2)
        tensor([0.5000, 0.5000, 0.5000])
    """

    def __init__(self, weights: Tensor, means: Tensor, covs: Tensor, labels: Tensor | None = None) -> None:
        self.means = finite("means", means)
        self.components, self.dim = means.shape
        for name, value in (("weights", weights), ("covs", covs)):
            if len(value) != self.components:
                raise ValueError(f"{name} has {len(value)} entries: means has {self.components} components")
        if not bool((finite("weights", weights) > 0).all()):
            raise ValueError(f"weights={weights.tolist()!r}: all must be positive")
        self.log_weights = (weights / weights.sum()).log().to(means.dtype)
        self.labels = torch.zeros(self.components, dtype=torch.long) if labels is None else labels.long()
        self.eigenvalues, bases = _spectra(finite("covs", covs), self.dim, means.dtype)
        self._set_bases(bases)
        self._alone: dict[int, Mixture] = {}

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.labels.max()) + 1

    def draw(self, n: int, generator: torch.Generator | None = None, labels: Tensor | None = None) -> Tensor:
        """Draw (n, d) independent points, of the given classes (n,) if any."""
        weights = self._joint(torch.zeros(n, self.components, dtype=self.means.dtype), labels).softmax(1)
        member = torch.multinomial(weights, 1, generator=generator)[:, 0]
        noise = torch.randn(n, self.dim, generator=generator, dtype=self.means.dtype) * self.eigenvalues[member].sqrt()
        if self.bases is None:
            return self.means[member] + noise
        return self.means[member] + torch.einsum("nde,ne->nd", self.bases[member], noise)

    def log_prob(self, x: Tensor, sigma: float, labels: Tensor | None = None) -> Tensor:
        """Return log p(x; sigma), or log p(x | label; sigma), of the noisy points x (B, d): shape (B,)."""
        joint = self._joint(self._log_densities(self._project(x), sigma), labels)
        norm = self._joint(torch.zeros_like(joint), labels).logsumexp(1)  # the weight of the class
        return joint.logsumexp(1) - norm

    def score(self, x: Tensor, sigma: float, labels: Tensor | None = None) -> Tensor:
        """Return grad_x log p(x; sigma) = (D - x)/sigma^2 (Tweedie): shape (B, d); sigma > 0."""
        if not sigma > 0:
            raise ValueError(f"sigma={sigma!r}: the score by Tweedie's formula needs sigma > 0")
        return (self(x, sigma, labels) - x) / sigma**2

    def __call__(self, x: Tensor, sigma: float, labels: Tensor | None = None) -> Tensor:
        """Return the denoiser E[x0 | x] (given the labels (B,), if any): shape (B, d)."""
        if labels is not None:
            return self._by_class(labels, lambda label, rows: self.given(label)(x[rows], sigma))
        z = self._project(x)
        return self._mean(self._shrunk(z, sigma), self._joint(self._log_densities(z, sigma), None).softmax(1))

    def pair(self, x: Tensor, sigma: float, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (D_c, D_u), the denoiser with and without the labels; both share one set of component densities."""
        z = self._project(x)
        logs = self._log_densities(z, sigma)
        shrunk = self._shrunk(z, sigma)
        resp = self._joint(logs, labels).softmax(1)

        def mean(label: int, rows: Tensor) -> Tensor:
            mine = self.labels == label  # the other components have no weight: leave their products out
            return self.given(label)._mean(shrunk[rows][:, mine], resp[rows][:, mine])

        return self._by_class(labels, mean), self._mean(shrunk, self._joint(logs, None).softmax(1))

    def log_posterior(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        """Return log p(class | x; sigma), what guidance ascends: (B, classes)."""
        joint = self._joint(self._log_densities(self._project(x), sigma), None)
        each = [joint[:, self.labels == label].logsumexp(1) for label in range(self.classes)]
        return torch.stack(each, 1).log_softmax(1)

    def given(self, label: int) -> Mixture:
        """The mixture of one class alone: p(x0 | label)."""
        if label not in self._alone:
            mine = self.labels == label
            if not bool(mine.any()):
                raise ValueError(f"label={label!r}: must be one of {sorted(set(self.labels.tolist()))}")
            alone = copy.copy(self)
            alone._restrict(mine)
            self._alone[label] = alone
        return self._alone[label]

    def _restrict(self, mine: Tensor) -> None:
        self.means, self.labels, self.eigenvalues = self.means[mine], self.labels[mine], self.eigenvalues[mine]
        self.log_weights = self.log_weights[mine].log_softmax(0)
        self.components, self._alone = len(self.means), {}
        self._set_bases(None if self.bases is None else self.bases[mine])

    def _set_bases(self, bases: Tensor | None) -> None:
        self.bases = bases
        if bases is not None:  # (d, M d): all projections in one product
            self._wide = bases.permute(1, 0, 2).reshape(self.dim, -1).contiguous()
            self._offset = torch.einsum("md,mde->me", self.means, bases)

    def _by_class(self, labels: Tensor, part: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Put together ``part(label, rows)`` of all classes in the order of the batch."""
        groups = [(label, (labels == label).nonzero()[:, 0]) for label in labels.unique().tolist()]
        parts = torch.cat([part(label, rows) for label, rows in groups])
        return parts[torch.cat([rows for _, rows in groups]).argsort()]

    def _project(self, x: Tensor) -> Tensor:
        """Coordinates of x - mu_m in the eigenbasis of S_m: (B, M, d)."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"x has shape {tuple(x.shape)}: must be (B, {self.dim})")
        if self.bases is None:
            return x[:, None] - self.means
        return (x @ self._wide).view(len(x), self.components, self.dim).sub_(self._offset)

    def _log_densities(self, z: Tensor, sigma: float) -> Tensor:
        """log N(x; mu_m, S_m + sigma^2): (B, M)."""
        total = self.eigenvalues + nonnegative("sigma", sigma) ** 2
        quad = (z * total.rsqrt()).square_().sum(2)
        return -0.5 * (quad + total.log().sum(1) + self.dim * math.log(2 * math.pi))

    def _joint(self, logs: Tensor, labels: Tensor | None) -> Tensor:
        """Add the log-weights, and shut out the components of other classes."""
        joint = logs + self.log_weights
        return joint if labels is None else joint.masked_fill(labels[:, None] != self.labels, -math.inf)

    def _shrunk(self, z: Tensor, sigma: float) -> Tensor:
        return z * (self.eigenvalues / (self.eigenvalues + sigma**2))

    def _mean(self, shrunk: Tensor, resp: Tensor) -> Tensor:
        """sum_m resp_m (mu_m + U_m shrunk_m): (B, d)."""
        centers = resp @ self.means
        if self.bases is None:
            return centers + torch.einsum("bmd,bm->bd", shrunk, resp)
        return centers + (shrunk * resp[:, :, None]).flatten(1) @ self._wide.T


def _spectra(covs: Tensor, dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues (M, d) and eigenbases (M, d, d), none when the covariances are diagonal."""
    if covs.ndim == 3:
        values, vectors = torch.linalg.eigh(covs.double())
    else:
        values, vectors = covs.double().reshape(len(covs), -1).expand(-1, dim), None
    if float(values.min()) < -_NEGATIVE * max(float(values.max()), 1.0):
        raise ValueError(f"covs has the eigenvalue {float(values.min()):g}: all must be >= 0")
    return values.clamp_min(0).to(dtype), None if vectors is None else vectors.to(dtype)
