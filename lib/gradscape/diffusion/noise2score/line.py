"""Tweedie's formulas where everything is known: one pixel with three possible clean values, and conjugate priors."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp, psi

from gradscape.diffusion.noise2score.tweedie import NOISES, tweedie, tweedie_gamma, tweedie_gaussian, tweedie_poisson
from gradscape.lesson import cached, replicate_seed
from gradscape.validate import finite, in_range, one_of

Array = NDArray[np.float64]
STEP = 1e-5  # of the numerical derivative, relative to the scale of y
DRAWS, PRIORS = 60, 20  # pixels of each prior, and priors of three atoms
CURVE = 181  # points of a curve


@dataclass(frozen=True)
class Line:
    """Clean values ``atoms`` > 0 with probabilities ``weights``, seen through one kind of noise."""

    atoms: Array
    weights: Array
    noise: str
    parameter: float

    def __post_init__(self) -> None:
        one_of("noise", self.noise, NOISES)
        in_range("parameter", self.parameter, 1.0 if self.noise == "gamma" else 0.0, np.inf, open_low=True,
                 open_high=True)
        if self.atoms.shape != self.weights.shape or self.atoms.ndim != 1:
            raise ValueError(f"atoms {self.atoms.shape}, weights {self.weights.shape}: must both be (m,)")
        if not (finite("atoms", self.atoms) > 0).all() or not (finite("weights", self.weights) > 0).all():
            raise ValueError(f"atoms={self.atoms}, weights={self.weights}: all must be > 0")

    def _log_joint(self, y: ArrayLike) -> Array:
        """log p(x_i) p(y|x_i), (..., m); for Poisson noise continued from the counts z = y/ζ to all z > -1."""
        y, x = np.asarray(y, dtype=float)[..., None], self.atoms
        prior = np.log(self.weights / self.weights.sum())
        p = self.parameter
        if self.noise == "gaussian":
            return prior - (y - x) ** 2 / (2 * p**2) - np.log(p) - np.log(2 * np.pi) / 2
        if self.noise == "gamma":
            return prior + p * np.log(p / x) - gammaln(p) + (p - 1) * np.log(y) - p * y / x
        return prior + y / p * np.log(x / p) - x / p - gammaln(y / p + 1)

    def log_density(self, y: ArrayLike) -> Array:
        """log p(y), in the shape of y; of the count for Poisson noise."""
        return np.asarray(logsumexp(self._log_joint(y), axis=-1))

    def posterior(self, y: ArrayLike) -> Array:
        """p(x_i|y), (..., m)."""
        joint = self._log_joint(y)
        return np.asarray(np.exp(joint - logsumexp(joint, axis=-1, keepdims=True)))

    def score(self, y: ArrayLike) -> Array:
        """d log p(y)/dy in closed form."""
        y, x, p = np.asarray(y, dtype=float)[..., None], self.atoms, self.parameter
        each = {
            "gaussian": lambda: (x - y) / p**2,
            "gamma": lambda: (p - 1) / y - p / x,
            "poisson": lambda: (np.log(x / p) - psi(y / p + 1)) / p,
        }[self.noise]()
        return np.asarray((self.posterior(y[..., 0]) * each).sum(-1))

    def means(self, y: ArrayLike) -> dict[str, Array]:
        """Arithmetic, geometric and harmonic mean of x given y."""
        weights = self.posterior(y)
        return {
            "arithmetic": weights @ self.atoms, "geometric": np.exp(weights @ np.log(self.atoms)),
            "harmonic": 1 / (weights @ (1 / self.atoms)),
        }

    def draw(self, n: int, draws: np.random.Generator) -> Array:
        """Noisy values (n,)."""
        x = draws.choice(self.atoms, n, p=self.weights / self.weights.sum())
        if self.noise == "gaussian":
            return np.asarray(x + self.parameter * draws.standard_normal(n))
        if self.noise == "gamma":
            return np.asarray(x * draws.gamma(self.parameter, 1 / self.parameter, n))
        return np.asarray(self.parameter * draws.poisson(x / self.parameter))


TARGET = {"gaussian": "arithmetic", "poisson": "geometric", "gamma": "harmonic"}  # what each formula estimates


def numerical_score(log_density: Callable[[Array], Array], y: Array, scale: float) -> Array:
    """The derivative of a log density by a stencil of five points."""
    h = STEP * scale
    near, far = (log_density(y + d) - log_density(y - d) for d in (h, 2 * h))
    return (8 * near - far) / (12 * h)


@dataclass(frozen=True)
class FormulaErrors:
    """Largest errors of the formulas with a numerical score, over three-atom and conjugate priors."""

    gaussian: float
    gamma: float
    poisson: float  # relative, z >= 1
    poisson_zero: float  # relative, z = 0


@cached
def formula_errors(seed: int) -> FormulaErrors:
    """Draw priors and noise levels, differentiate log p(y) numerically, compare with the posterior's own means."""
    draws = np.random.default_rng(replicate_seed(seed, 21))
    found: dict[str, list[tuple[Array, Array]]] = {noise: [] for noise in NOISES}  # (count or 0, error)
    for _ in range(PRIORS):
        atoms, weights = np.sort(draws.uniform(0.05, 1.0, 3)), draws.uniform(0.2, 1.0, 3)
        levels = {"gaussian": draws.uniform(0.05, 0.4), "poisson": draws.uniform(0.02, 0.3),
                  "gamma": draws.uniform(3, 60)}
        for noise, level in levels.items():
            line = Line(atoms, weights, noise, float(level))
            y = line.draw(DRAWS, draws)
            if noise == "poisson":
                y = np.append(y, 0.0)
            s = numerical_score(line.log_density, y, {"gaussian": level, "poisson": level, "gamma": 0.05}[noise])
            found[noise].append(_errors(noise, y, tweedie(y, s, noise, level), line.means(y)[TARGET[noise]], level))
    for noise, (y, estimate, truth, level) in _conjugate(draws).items():
        found[noise].append(_errors(noise, y, estimate, truth, level))
    counts, relative = (np.concatenate(parts) for parts in zip(*found["poisson"], strict=True))
    worst = {noise: max(float(error.max()) for _, error in found[noise]) for noise in ("gaussian", "gamma")}
    return FormulaErrors(
        worst["gaussian"], worst["gamma"], float(relative[counts > 0].max()), float(relative[counts == 0].max()))


def _errors(noise: str, y: Array, estimate: Array, truth: Array, level: float) -> tuple[Array, Array]:
    error = np.abs(estimate - truth)
    return (np.round(y / level), error / truth) if noise == "poisson" else (np.zeros_like(y), error)


def _conjugate(draws: np.random.Generator) -> dict[str, tuple[Array, Array, Array, float]]:
    """Noise -> (y, the formula's estimate, the posterior's mean in closed form, noise level) under conjugate priors."""
    m, t, sigma = 0.4, 0.2, 0.1
    y = m + np.hypot(t, sigma) * draws.standard_normal(DRAWS)
    s = numerical_score(lambda v: -((v - m) ** 2) / (2 * (t**2 + sigma**2)), y, sigma)
    normal = (y, tweedie_gaussian(y, s, sigma), (t**2 * y + sigma**2 * m) / (t**2 + sigma**2), sigma)
    a, b, k = 3.0, 1.2, 10.0  # inverse gamma
    y = b / draws.gamma(a, 1.0, DRAWS) * draws.gamma(k, 1 / k, DRAWS)
    s = numerical_score(lambda v: (k - 1) * np.log(v) - (k + a) * np.log(b + k * v), y, 0.01)
    gamma = (y, tweedie_gamma(y, s, k), (b + k * y) / (a + k), k)
    a, b, zeta = 3.0, 4.0, 0.1  # gamma prior of x/ζ, rate b
    z = np.arange(8.0)
    s = numerical_score(lambda v: gammaln(v + a) - gammaln(v + 1) - v * np.log1p(b), z, 1.0) / zeta
    poisson = (zeta * z, tweedie_poisson(zeta * z, s, zeta), zeta * np.exp(psi(z + a)) / (1 + b), zeta)
    return {"gaussian": normal, "gamma": gamma, "poisson": poisson}


@dataclass(frozen=True)
class LineCurves:
    """One line's density, score, estimate and means along y (n,)."""

    line: Line
    y: Array
    density: Array  # of y; for Poisson noise the probability of a count, at counts only
    score: Array
    estimate: Array
    means: dict[str, Array]
    discrete: bool


def line_curves(line: Line) -> LineCurves:
    """Everything that the explorer draws; Poisson noise at its counts only."""
    p, atoms = line.parameter, line.atoms
    if line.noise == "poisson":
        top = atoms.max() + 4 * np.sqrt(p * atoms.max())
        at = p * np.arange(min(int(top / p) + 2, CURVE))
    elif line.noise == "gamma":
        low, high = atoms.min() * max(0.1, 1 - 3 / np.sqrt(p)), atoms.max() * (1 + 3 / np.sqrt(p))
        at = np.linspace(low, high, CURVE)
    else:
        at = np.linspace(atoms.min() - 3 * p, atoms.max() + 3 * p, CURVE)
    y: Array = at.astype(np.float64)
    s = line.score(y)
    density, estimate = np.exp(line.log_density(y)), tweedie(y, s, line.noise, p)
    return LineCurves(line, y, density, s, estimate, line.means(y), line.noise == "poisson")
