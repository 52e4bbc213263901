"""Checkers of the concentration lesson's exercises."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gradscape.diffusion.concentration.classifiers import (
    class_moments,
    classification_error,
    ridge_classifier,
    sample_gmm,
)
from gradscape.diffusion.concentration.images import images
from gradscape.diffusion.concentration.lipschitz import gaussian_lipschitz, sampler_lipschitz
from gradscape.lesson import generator
from gradscape.workbench import Feedback, as_number, checker, correct, expect

VARIANCES, SMAX, TOLERANCE = (4.0, 1.0, 0.25), 80.0, 1e-3  # exercise 1
LAM_N, LAM_DRAWS, LAM_GRID, LAM_SLACK = 100, 20, tuple(10 ** (-4 + k / 3) for k in range(13)), 0.005  # exercise 2
DIM, SHIFT, TRAIN, LAM = 20, 1.0, 50, 0.01  # exercise 3: means ±SHIFT along (1, …, 1), C = I
MANY, OFF, GAP, TEST, DRAWS = 200_000, 0.05, 0.03, 2000, 20


def _stretch(steps: int) -> float:
    """Of the sampler of that many steps, with the exact denoiser of N(0, diag(4, 1, 1/4))."""
    spectrum = torch.tensor(VARIANCES, dtype=torch.float64)
    z = torch.ones(1, 3, dtype=torch.float64)
    found = sampler_lipschitz(lambda x, s, y=None: x * spectrum / (spectrum + s**2), z, steps=steps,
                              generator=generator(0))
    return float(found[0])


@checker(1)
def check_1(answer: object) -> Feedback | None:
    """Λ of the exact sampler of N(0, diag(4, 1, 1/4))."""
    given, wanted = as_number(answer, "Λ"), gaussian_lipschitz(max(VARIANCES), SMAX)
    expect(given > 0, "A Lipschitz constant of a map that is not constant is positive.")
    expect(abs(given - wanted**2) > 10 * TOLERANCE, "That is Λ². Take the root.")
    expect(abs(given - SMAX) > TOLERANCE, "The noise starts with that size, but the sampler shrinks it again.")
    other = [gaussian_lipschitz(value, SMAX) for value in VARIANCES[1:]]
    expect(min(abs(given - value) for value in other) > TOLERANCE,
           "The map stretches along another axis by more. Λ is the largest singular value.")
    expect(abs(given - wanted) <= TOLERANCE, "Along each axis dx/dσ = σx/(λ + σ²): x²/(λ + σ²) does not change. "
                                             "Follow it from σ = 80 down to 0.")
    words = ", ".join(f"{_stretch(steps):.4f} with {steps}" for steps in (18, 40, 100))
    return correct(f"Λ = {wanted:.4f}; samplers of finitely many steps stretch by {words}: the limit is approached "
                   "from above.")


def garments() -> tuple[Tensor, Tensor]:
    """Means and covariances of exercise 2: real images of 7 x 7, classes 0, 2, 4 and 6."""
    return class_moments(images("7x7", "0 2 4 6").all)


def simulated(lams: tuple[float, ...]) -> list[float]:
    """Mean error at each penalty over the same training and test sets, drawn from the mixture of `garments`."""
    (mu, C), stream, total = garments(), generator(0, 30), torch.zeros(len(lams), dtype=torch.float64)
    for _ in range(LAM_DRAWS):
        X = sample_gmm(mu, C, LAM_N + 1000, stream)
        total += torch.tensor([classification_error(ridge_classifier(X[:, :LAM_N], lam), X[:, LAM_N:])
                               for lam in lams], dtype=torch.float64)
    return (total / LAM_DRAWS).tolist()


@functools.cache
def _grid() -> tuple[float, ...]:
    return tuple(simulated(LAM_GRID))


@checker(2)
def check_2(answer: object) -> Feedback | None:
    """The penalty of least error at n = 100."""
    given = as_number(answer, "λ")
    expect(given > 0, "A penalty is positive.")
    errors = _grid()
    least = min(errors)
    best = LAM_GRID[errors.index(least)]
    mine = simulated((given,))[0]
    words = f"Mean error of {LAM_DRAWS} simulations: {mine:.4f}, and {least:.4f} at the best of thirteen penalties."
    expect(mine <= least + LAM_SLACK or given > best,
           f"{words} Yours is too small: the classifier fits the noise of {LAM_N} samples per class.")
    expect(mine <= least + LAM_SLACK or given < best,
           f"{words} Yours is too large: the classifier hardly listens to directions of small variance.")
    return correct(f"{words} Nothing was trained to find it.")


def target() -> tuple[Tensor, Tensor]:
    """Means (2, d) and covariances (2, d, d) of exercise 3."""
    mu = torch.full((DIM,), SHIFT / DIM**0.5, dtype=torch.float64)
    return torch.stack([mu, -mu]), torch.eye(DIM, dtype=torch.float64).expand(2, DIM, DIM)


def _mean_error(source: Callable[[int], Tensor]) -> float:
    errors = []
    for _ in range(DRAWS):
        X = source(TRAIN + TEST)
        errors.append(classification_error(ridge_classifier(X[:, :TRAIN], LAM), X[:, TRAIN:]))
    return sum(errors) / DRAWS


@checker(3)
def check_3(draw: Callable[[int, torch.Generator], Any]) -> Feedback | None:
    """A source of samples with the target's moments on which a linear classifier errs otherwise."""
    expect(callable(draw), "The answer is a function of n and a generator.")
    stream = generator(0, 31)
    X = draw(MANY, stream)
    expect(isinstance(X, Tensor) and X.shape == (2, MANY, DIM),
           f"draw(n, generator) should return a tensor of shape (2, n, {DIM}), not {_shape(X)}.")
    X = X.double()
    expect(bool(X.isfinite().all()), "The samples hold NaN or infinite values.")
    (mu, C), (mean, covariance) = target(), class_moments(X)
    off = float((mean - mu).norm(dim=1).max())
    expect(off <= OFF * SHIFT, f"A mean is off by {off:.3f} (norm); they are ±{SHIFT:g} times the unit vector along "
                               "(1, …, 1).")
    off = float((covariance - C).abs().max())
    expect(off <= OFF, f"A covariance is off by {off:.3f} somewhere; it must be the identity. What is E s² of a "
                       "random scale s?")
    mine = _mean_error(lambda n: draw(n, stream).double())
    gauss = _mean_error(lambda n: sample_gmm(mu, C, n, stream))
    words = f"Errors: {mine:.3f}, and {gauss:.3f} for the Gaussians of the same moments."
    expect(abs(mine - gauss) > GAP, f"{words} That is universality. Which functions of your samples do not concentrate?"
                                    " Let the distance from the mean vary from sample to sample.")
    return correct(f"{words} The quadratic forms x'Qx now differ from sample to sample, and with them δ.")


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
