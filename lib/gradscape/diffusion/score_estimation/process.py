"""The forward process, a mixture whose score is known, and the regression that learns a score (Han et al.).

The process is ``dX = -X/2 dt + dB``: ``X_t = α X_0 + sqrt(h) Z`` with ``α = e^{-t/2}``, ``h = 1 - e^{-t}``. Time runs
from data (t = 0) to noise. The score is an affine function of the posterior mean ``f_*(t, x) = E[X_0 | X_t = x]``:
``s_*(t, x) = -x/h + (α/h) f_*(t, x)`` (Tweedie).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gradscape.lesson import generator
from gradscape.validate import at_least, finite, positive

Field = Callable[[Tensor, Tensor], Tensor]  # (t (n,), x (n, d)) -> (n, d)

T0, T_END = 0.05, 3.0  # training times are uniform between them
RADIUS = 6.0  # inputs beyond it are dropped, the truncation step of the theory
TRAIN, TEST, REDRAW = 0, 1, 2  # streams of one seed


def ou_coefficients(t: float | Tensor) -> tuple[Tensor, Tensor]:
    """Return ``(α, h)`` with ``X_t = α X_0 + sqrt(h) Z``, in the shape of t, float64; ``ValueError`` unless t > 0.

    >>> alpha, h = ou_coefficients(math.log(4.0))
    >>> float(alpha), float(h)
    (0.5, 0.75)
    """
    t = torch.as_tensor(t, dtype=torch.float64)
    if t.numel() == 0 or not bool(((t > 0) & torch.isfinite(t)).all()):
        raise ValueError(f"t={t.flatten()[:3].tolist()}: times must be positive and finite (the score diverges at 0)")
    return torch.exp(-t / 2), -torch.expm1(-t)


def _column(t: float | Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """α and h as columns beside the points x (n, d), and the points in float64."""
    x = torch.as_tensor(x, dtype=torch.float64)
    if x.ndim != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}: must be (n, d)")
    alpha, h = ou_coefficients(t)
    if alpha.ndim not in (0, 1) or (alpha.ndim == 1 and len(alpha) != len(x)):
        raise ValueError(f"t has shape {tuple(alpha.shape)}: must be one time or ({len(x)},), one for each point")
    return alpha.reshape(-1, 1), h.reshape(-1, 1), x


def sphere_centers(modes: int, d: int, seed: int, radius: float = 1.5) -> Tensor:
    """Centers (modes, d), uniform on the sphere of the given radius."""
    draws = torch.randn(at_least("modes", modes, 1), at_least("d", d, 1), generator=generator(seed, 9),
                        dtype=torch.float64)
    return positive("radius", radius) * draws / draws.norm(dim=1, keepdim=True)


class GaussianMixture:
    """M Gaussians N(c_k, s² I) of equal weight, with everything known in closed form at every time.

    At time t the k-th component has the posterior weight ``w_k ∝ exp(-|x - α c_k|²/2v)``, ``v = α² s² + h``, and the
    posterior mean ``m_k = c_k + (α s²/v)(x - α c_k)``; then ``f_* = Σ w_k m_k``.
    """

    def __init__(self, centers: Tensor, scale: float) -> None:
        centers = finite("centers", torch.as_tensor(centers, dtype=torch.float64))
        if centers.ndim != 2:
            raise ValueError(f"centers has shape {tuple(centers.shape)}: must be (M, d)")
        self.centers, self.scale = centers, positive("scale", scale)
        self.d = centers.shape[1]

    def draw(self, n: int, draws: torch.Generator) -> Tensor:
        """Draw (n, d) points of the data from a stream."""
        member = torch.randint(len(self.centers), (at_least("n", n, 1),), generator=draws)
        noise = torch.randn(n, self.d, generator=draws, dtype=torch.float64)
        return self.centers[member] + self.scale * noise

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw (n, d) points of the data."""
        return self.draw(n, generator(seed))

    def posterior(self, t: float | Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (n, M), means (n, M, d) and the variance (n, 1) of X_0's components given X_t = x (n, d)."""
        alpha, h, x = _column(t, x)
        v = alpha**2 * self.scale**2 + h
        away = x[:, None] - alpha[..., None] * self.centers
        weights = (-(away**2).sum(2) / (2 * v)).softmax(1)
        means = self.centers + (alpha * self.scale**2 / v)[..., None] * away
        return weights, means, (self.scale**2 * h / v).expand(len(x), 1)

    def posterior_mean(self, t: float | Tensor, x: Tensor) -> Tensor:
        """f_*(t, x) = E[X_0 | X_t = x], (n, d)."""
        weights, means, _ = self.posterior(t, x)
        return torch.einsum("nm,nmd->nd", weights, means)

    def posterior_cov_trace(self, t: float | Tensor, x: Tensor) -> Tensor:
        """tr Cov(X_0 | X_t = x), (n,): the variance of the label noise, summed over coordinates."""
        weights, means, variance = self.posterior(t, x)
        center = torch.einsum("nm,nmd->nd", weights, means)
        # around the mean, so that nothing cancels
        return self.d * variance[:, 0] + torch.einsum("nm,nmd->n", weights, (means - center[:, None]) ** 2)

    def score(self, t: float | Tensor, x: Tensor) -> Tensor:
        """grad log p_t(x), (n, d)."""
        return score_from_mean(self.posterior_mean(t, x), t, x)

    def redraw(self, t: float | Tensor, x: Tensor, draws: torch.Generator) -> Tensor:
        """New labels: X_0 drawn given X_t = x, (n, d)."""
        weights, means, variance = self.posterior(t, x)
        member = torch.multinomial(weights, 1, generator=draws)[:, 0]
        noise = torch.randn(means.shape[0], self.d, generator=draws, dtype=torch.float64)
        return means[torch.arange(len(member)), member] + variance.sqrt() * noise


@dataclass(frozen=True)
class ScoreData:
    """Independent triples: times t (n,), inputs X_t (n, d), labels X_0 (n, d)."""

    t: Tensor
    x: Tensor
    x0: Tensor

    def __len__(self) -> int:
        return len(self.t)

    def rows(self, index: Tensor) -> ScoreData:
        """Some of the triples."""
        return ScoreData(self.t[index], self.x[index], self.x0[index])

    @property
    def score_labels(self) -> Tensor:
        """grad log p(X_t | X_0) = -(X_t - α X_0)/h, (n, d): what denoising score matching regresses on."""
        alpha, h, x = _column(self.t, self.x)
        return -(x - alpha * self.x0) / h


def make_regression(
    source: GaussianMixture | Tensor, n: int, T0: float = T0, T: float = T_END, seed: int = 0, stream: int = TRAIN,
    schedule: Callable[[Tensor], Tensor] | None = None,
) -> ScoreData:
    """Draw n triples (t, X_t, X_0) with t uniform on [T0, T], one time for each data point.

    ``source``: a mixture, or data (N, d) from which n different rows are drawn. ``schedule`` maps uniform numbers in
    (0, 1), (n,), to times of another distribution. ``ValueError`` for n < 5, T0 <= 0, T0 >= T, more rows asked for
    than there are, data that are not finite, a schedule that leaves [T0, T].
    """
    at_least("n", n, 5)
    if not 0 < T0 < T < math.inf:
        raise ValueError(f"T0={T0!r}, T={T!r}: must satisfy 0 < T0 < T")
    draws = generator(seed, stream)
    if isinstance(source, GaussianMixture):
        x0 = source.draw(n, draws)
    else:
        rows = finite("source", torch.as_tensor(source, dtype=torch.float64))
        if rows.ndim != 2 or n > len(rows):
            raise ValueError(f"source has shape {tuple(rows.shape)}: must be (N, d) with N >= n={n}")
        x0 = rows[torch.randperm(len(rows), generator=draws)[:n]]
    u = torch.rand(n, generator=draws, dtype=torch.float64)
    t = T0 + (T - T0) * u if schedule is None else finite("schedule(u)", torch.as_tensor(schedule(u))).double()
    if t.shape != u.shape or not bool(((t >= T0 * (1 - 1e-9)) & (t <= T * (1 + 1e-9))).all()):
        raise ValueError(f"schedule(u) has shape {tuple(t.shape)} and leaves [{T0:g}, {T:g}]: must be ({n},) inside it")
    alpha, h, _ = _column(t, x0)
    return ScoreData(t, alpha * x0 + h.sqrt() * torch.randn(x0.shape, generator=draws, dtype=torch.float64), x0)


def embed(t: float | Tensor, x: Tensor, T: float = T_END) -> Tensor:
    """Inputs of the network, z = (x, t/T, 1), (n, d + 2): a ReLU network of degree one needs the constant."""
    x = torch.as_tensor(x, dtype=torch.float64)
    t = torch.as_tensor(t, dtype=torch.float64).expand(len(x))
    return torch.cat([x, (t / positive("T", T))[:, None], torch.ones(len(x), 1, dtype=torch.float64)], 1)


def within_ball(data: ScoreData, T: float = T_END, radius: float = RADIUS) -> ScoreData:
    """The triples whose input lies in the ball |z| <= radius."""
    return data.rows((embed(data.t, data.x, T).norm(dim=1) <= positive("radius", radius)).nonzero()[:, 0])


def score_from_mean(f: Tensor, t: float | Tensor, x: Tensor) -> Tensor:
    """The parametric form of the score: s = -x/h + (α/h) f, (n, d)."""
    alpha, h, x = _column(t, x)
    return (alpha * f - x) / h


def mean_from_score(s: Tensor, t: float | Tensor, x: Tensor) -> Tensor:
    """The posterior mean that a score implies: f = (h s + x)/α, (n, d)."""
    alpha, h, x = _column(t, x)
    return (h * s + x) / alpha


def dsm_loss(score: Field, data: ScoreData, weight: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Denoising score matching: half the mean of λ(t)|s(t, X_t) - grad log p(X_t|X_0)|².

    ``weight`` λ maps times (n,) to (n,); the default λ = (h/α)² makes this the `regression_loss` of the implied mean.
    """
    alpha, h = ou_coefficients(data.t)
    lam = (h / alpha) ** 2 if weight is None else weight(data.t)
    return 0.5 * (lam * ((score(data.t, data.x) - data.score_labels) ** 2).sum(1)).mean()


def regression_loss(f: Field, data: ScoreData) -> Tensor:
    """Half the mean of |f(t, X_t) - X_0|²: regression with labels that are right on average only."""
    return 0.5 * ((f(data.t, data.x) - data.x0) ** 2).sum(1).mean()
