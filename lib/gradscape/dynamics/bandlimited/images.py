"""Random nets beyond a line: handwritten digits, a surface, and the other activations."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gradscape.datasets import tables
from gradscape.dynamics.bandlimited.experiments import sample_points
from gradscape.dynamics.bandlimited.networks import (
    ACTIVATIONS,
    coefficient_norms,
    features,
    fit_table,
    sample_hidden,
    solve_readout,
)
from gradscape.dynamics.bandlimited.settings import Settings
from gradscape.dynamics.bandlimited.targets import bumps, franke
from gradscape.lesson import protocol, seeds_of

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

IMAGE_UNITS, IMAGE_TRAIN = 100, 1000  # hidden units and training images; the other 797 are for testing
IMAGE_BUDGET = 100.0  # on the output weights of each class, for the comparison
OTHER_UNITS = 200  # width of the activations' and the surface's nets


@dataclass(frozen=True)
class DigitAccuracy:
    """Test accuracy (L, S) on handwritten digits: box sizes, splits with their own draws.

    ``norm`` (L, S): size of the output weights; ``within_budget`` (L, S): accuracy where that size may be 100 at most.
    """

    lambdas: tuple[float, ...]
    accuracy: Array
    norm: Array
    within_budget: Array


@protocol
def digit_accuracy(settings: Settings, *, progress: Progress | None = None) -> DigitAccuracy:
    """Tanh nets of 100 units on scikit-learn's digits (pixels over 16), one output per class, the largest wins."""
    pixels, labels = (part.numpy() for part in tables.digits(dtype=torch.float64))
    wanted, size = np.eye(10)[labels], settings.size
    accuracy, norm, within = np.empty((3, len(size.image_lambdas), size.image_seeds))
    for s, seed in enumerate(seeds_of(settings, size.image_seeds)):
        order = np.random.default_rng(seed).permutation(len(pixels))
        train, test = order[:IMAGE_TRAIN], order[IMAGE_TRAIN:]
        for k, lam in enumerate(size.image_lambdas):
            A, b = sample_hidden(IMAGE_UNITS, pixels.shape[1], lam, seed=seed)
            H, H_test = (features(pixels[chosen], A, b, "tanh") for chosen in (train, test))
            for result, budget in ((accuracy, None), (within, IMAGE_BUDGET)):
                coef = solve_readout(H, wanted[train], budget=budget).coef
                result[k, s] = np.mean((H_test @ coef).argmax(axis=1) == labels[test])
                if budget is None:
                    norm[k, s] = coefficient_norms(coef)["l2"]
        if progress is not None:
            progress(s + 1, size.image_seeds)
    return DigitAccuracy(size.image_lambdas, accuracy, norm, within)


@dataclass(frozen=True)
class OtherNets:
    """Relative test errors (A, L, S) of four activations on the bumps, and (L, S) of sigmoid on Franke's surface."""

    lambdas: tuple[float, ...]
    activations: tuple[str, ...]
    errors: Array
    surface: Array


@protocol
def other_nets(settings: Settings, *, progress: Progress | None = None) -> OtherNets:
    """U-curves at 200 hidden units: every activation on a line, sigmoid on the unit square."""
    size, seeds = settings.size, seeds_of(settings, settings.size.wide_seeds)
    x, x_test = sample_points(settings)
    errors = np.stack([
        fit_table(x, bumps(x), x_test, bumps(x_test), OTHER_UNITS, size.lambdas, seeds, kind).error[..., 0]
        for kind in ACTIVATIONS
    ])
    ticks = np.linspace(0, 1, size.side)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    fresh = np.random.default_rng(seeds[0]).uniform(0, 1, (size.test_points, 2))
    surface = fit_table(grid, franke(grid), fresh, franke(fresh), OTHER_UNITS, size.lambdas, seeds).error[..., 0]
    return OtherNets(size.lambdas, ACTIVATIONS, errors, surface)
