"""One net at the settings' own values, its floor, and its target in the space of hidden weights."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradscape.dynamics.bandlimited.experiments import kernel_modes, sample_points
from gradscape.dynamics.bandlimited.floors import Modes, floor_from_modes
from gradscape.dynamics.bandlimited.networks import features, sample_hidden, solve_readout
from gradscape.dynamics.bandlimited.ridgelet import energy_outside, ridgelet_transform
from gradscape.dynamics.bandlimited.settings import Settings
from gradscape.dynamics.bandlimited.targets import target_function, unit
from gradscape.lesson import Point, cached, replicate_seed

Array = NDArray[np.float64]

SHOWN = 161  # points at which a fit is drawn
FLOOR_POINTS, FLOOR_NODES = 101, 100  # of an explorer's floors: within 1 % of finer ones where a sine has 16 periods
FLOOR_LAMBDAS = tuple(float(f"{lam:.3g}") for lam in np.geomspace(0.3, 300, 16))
MAP_POINTS = 601  # samples of the target under the ridgelet transform
MAP_SLOPES, MAP_BIASES = 25, 41  # cells of the map in half its width and in its height
NEAREST, MARGIN = 24.0, 1.5  # the map reaches to 24, or to one and a half boxes


def chosen_target(settings: Settings, x: Array) -> Array:
    """The settings' target at ``x``."""
    return target_function(settings.target, settings.nu)(x)


@dataclass(frozen=True)
class OneNet:
    """A fitted net: target and net at ``x``, relative test error, singular values over the largest, size of weights."""

    settings: Settings
    draw: int
    x: Array
    f: Array
    g: Array
    error: float
    singular: Array
    cut: float
    rank: int
    norm: float


@cached
def one_net(settings: Settings, draw: int = 0) -> OneNet:
    """The net of the settings' own box, width and activation with free output weights; ``draw`` picks the replicate."""
    x, x_test = sample_points(settings)
    shown = np.linspace(0, 1, SHOWN)
    A, b = sample_hidden(settings.n, 1, settings.lam, seed=replicate_seed(settings.seed, draw))
    y = chosen_target(settings, x)
    readout = solve_readout(features(x, A, b, settings.activation), y)
    g = features(shown, A, b, settings.activation) @ readout.coef
    missed = features(x_test, A, b, settings.activation) @ readout.coef - chosen_target(settings, x_test)
    norm = float(np.sqrt(settings.n * np.sum(readout.coef**2)))
    return OneNet(
        settings, draw, shown, chosen_target(settings, shown), g, float(np.sqrt(np.mean(missed**2)) / y.std()),
        readout.singular / readout.singular[0], max(len(x), settings.n) * float(np.finfo(float).eps), readout.rank,
        norm / float(y.std()),
    )


@dataclass(frozen=True)
class FloorsAt:
    """Floors (L,) and one draw's nets (L,) of the same budget; ``floor``, ``net``: the settings' own box.

    What was not computed is NaN.
    """

    settings: Settings
    lambdas: Array
    floors: Array
    nets: Array
    floor: float
    net: float


def floors_at(settings: Settings, draw: int = 0, stop: object = None) -> FloorsAt:
    """Floor and drawn nets of the settings' activation, width and budget in 16 boxes and in their own.

    ``stop`` is asked between boxes (its attribute ``cancelled``): the rest then stays NaN.
    """
    x = np.linspace(0, 1, FLOOR_POINTS)
    f, seed = unit(chosen_target(settings, x)), replicate_seed(settings.seed, draw)

    def both(lam: float) -> tuple[float, float]:
        modes = kernel_modes(FLOOR_POINTS, lam, settings.activation, FLOOR_NODES)
        H = features(x, *sample_hidden(settings.n, 1, lam, seed=seed), settings.activation)
        net = floor_from_modes(Modes.of(H @ H.T / settings.n), f, settings.budget)
        return floor_from_modes(modes, f, settings.budget).error, net.error

    floor, net = both(settings.lam)
    table = np.full((2, len(FLOOR_LAMBDAS)), np.nan)
    for k, lam in enumerate(FLOOR_LAMBDAS):
        if getattr(stop, "cancelled", False):
            break
        table[:, k] = both(lam)
    return FloorsAt(settings, np.array(FLOOR_LAMBDAS), table[0], table[1], floor, net)


@dataclass(frozen=True)
class RidgeletMap:
    """``|R[f]|`` (b, a) of the target on [0, 1], and the share of its energy outside the box."""

    settings: Settings
    a: Array
    b: Array
    size: Array
    outside: float


def ridgelet_map(settings: Settings) -> RidgeletMap:
    """The target's ridgelet transform around the box (Mexican hat), symmetric under ``(a, b) -> (-a, -b)``."""
    x = np.linspace(0, 1, MAP_POINTS)
    f, end = unit(chosen_target(settings, x)), max(NEAREST, MARGIN * settings.lam)
    a, b = np.linspace(0, end, MAP_SLOPES), np.linspace(-end, end, MAP_BIASES)
    half = np.abs(ridgelet_transform(f, x, a, b)).T
    whole = np.concatenate([half[::-1, :0:-1], half], axis=1)
    return RidgeletMap(settings, np.concatenate([-a[:0:-1], a]), b, whole, energy_outside(f, x, settings.lam))


def point(settings: Settings) -> Point:
    """Error, rank and weights of the net at the settings' values, the floor of its box, the energy outside it."""
    net = one_net(settings)
    x = np.linspace(0, 1, settings.size.floor_points)
    modes = kernel_modes(len(x), settings.lam, settings.activation, settings.size.nodes)
    floor = floor_from_modes(modes, unit(chosen_target(settings, x)), settings.budget)
    return Point({
        "error": net.error, "numerical_rank": net.rank, "coef_norm": net.norm, "floor": floor.error,
        "floor_penalty": floor.mu, "energy_outside": ridgelet_map(settings).outside,
    })
