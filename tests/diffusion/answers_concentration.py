"""Solutions of the concentration lesson's exercises, and wrong answers with the hint that each should get."""
from __future__ import annotations

import torch

U = torch.full((20,), 20**-0.5, dtype=torch.float64)


def placed(noise):
    return torch.stack([U, -U])[:, None] + noise


def normal(n, generator):
    return torch.randn(2, n, 20, generator=generator, dtype=torch.float64)


def outliers(n, generator):
    """One sample in twenty has ten times the variance; E s² = 1."""
    z, u = normal(n, generator), torch.rand(2, n, 1, generator=generator, dtype=torch.float64)
    return placed(z * torch.where(u < 0.05, 10.0, 0.5 / 0.95).sqrt())


def unscaled(n, generator):
    z, u = normal(n, generator), torch.rand(2, n, 1, generator=generator, dtype=torch.float64)
    return placed(z * torch.where(u < 0.05, 10.0, 1.0))


def signs(n, generator):
    """Not Gaussian, but concentrated: linear scores are sums of many signs."""
    return placed(2.0 * torch.randint(0, 2, (2, n, 20), generator=generator).double() - 1)


SOLUTIONS = {1: 1.9994, 2: 0.015, 3: outliers}

# exercise -> (answer, part of the hint)
WRONG = {
    1: [
        (4.0, "Take the root"),
        (80.0, "shrinks it again"),
        (0.5, "another axis"),
        (1.0, "another axis"),
        (-2.0, "is positive"),
        (1.5, "does not change"),
    ],
    2: [
        (1e-4, "too small"),
        (1.0, "too large"),
        (0.1, "too large"),
        (0.0, "is positive"),
        ("small", "must be a number"),
    ],
    3: [
        (lambda n, g: placed(normal(n, g)), "That is universality"),
        (signs, "That is universality"),
        (unscaled, "A covariance is off"),
        (lambda n, g: normal(n, g), "A mean is off"),
        (lambda n, g: normal(n, g)[0], "of shape (2, n, 20)"),
        (lambda n: 0, "TypeError"),
    ],
}
