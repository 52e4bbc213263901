"""The lesson's experiments: pure functions to frozen results, cached per process (arXiv 1909.11015, Secs. IV-VI)."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradscape.datasets import fashion
from gradscape.lesson import cached, replicate_seed
from gradscape.optimizers.diffgrad import cnn, regret, toys
from gradscape.optimizers.diffgrad.networks import Member, Progress, Trained, train_mlp
from gradscape.optimizers.diffgrad.optimizer import DiffGrad
from gradscape.optimizers.diffgrad.settings import Settings

NAMES = ("adam", "half", "diffgrad")  # the order of every axis over optimizers
PAPER_LR = 1e-3  # the one learning rate of Table I
LRS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # the grid of claims D5 and D6
SCALES = (1e-2, 1.0, 1e2, 1e4, 1e6)  # the loss scales c of D7
BASIN_LRS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)  # the learning rates of D3
BASIN_STARTS = (-2.0, -0.5)
STRIKES = (3.0, 5.0, 11.0)  # C of D8 (a)
PERIODS = 303  # both games of D8 have period 3 or 101
ALPHAS = (0.1, 0.5, 1.0)  # alpha of D8 (b)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Descent:
    """Runs on one toy function: ``paths`` (steps + 1, 3) and ``xi`` (steps, 3) in the order of ``NAMES``."""

    problem: toys.ScalarProblem
    paths: Tensor
    xi: Tensor


@cached
def descent(
    toy: str, x0: float = -1.0, lr: float = 0.1, beta1: float = 0.95, scale: float = 1.0, variant: str = "dfc"
) -> Descent:
    """Adam, Adam at half the rate and diffGrad from one start; the defaults are those of Fig. 4."""
    problem = toys.scaled(toys.SYNTHETIC[toy], scale)
    paths = toys.minimise_scalar(
        problem, x0, lr=lr, betas=(beta1, 0.999), eps=1e-8 * scale, optimiser=("adam", "half", variant)
    )
    xi = torch.stack([torch.ones(len(paths) - 1), torch.full((len(paths) - 1,), 0.5)], 1).double()
    return Descent(problem, paths, torch.cat([xi, toys.frictions(problem, paths[:, 2:], variant)], 1))


@dataclass(frozen=True)
class Basins:
    """``shares`` (3, L) of starts that end at the global minimum, at the learning rates ``lrs`` (L,)."""

    toy: str
    lrs: tuple[float, ...]
    starts: int
    shares: Array


@cached
def basins(
    toy: str = "F1", lrs: tuple[float, ...] = BASIN_LRS, starts: int = 151, beta1: float = 0.95, scale: float = 1.0,
    variant: str = "dfc",
) -> Basins:
    """How many starts in [-2, -0.5] end within 0.05 of the global minimum, by learning rate."""
    problem = toys.scaled(toys.SYNTHETIC[toy], scale)
    x0 = torch.linspace(*BASIN_STARTS, starts, dtype=torch.float64)[:, None]
    ends = toys.minimise_scalar(
        problem, x0, lr=torch.tensor(lrs, dtype=torch.float64), betas=(beta1, 0.999), eps=1e-8 * scale,
        optimiser=("adam", "half", variant),
    )[-1]
    return Basins(toy, lrs, starts, np.stack([toys.basin_share(problem, end).numpy() for end in ends]))


@dataclass(frozen=True)
class Grid:
    """Paired MLP runs, S seeds: ``accuracy`` (S, 2, L) of Adam and diffGrad at ``LRS``; at the paper's rate, ``half``
    (S,), the accuracy of Adam at half of it, and ``distance`` (S, 2) of diffGrad to half and to Adam.
    """

    accuracy: Array
    half: Array
    distance: Array

    @property
    def best(self) -> Array:
        """Each seed's best accuracy over the grid (S, 2), chosen on the test images, for both alike."""
        return self.accuracy.max(2)


@cached
def grid(settings: Settings, progress: Progress | None = None) -> Grid:
    """Adam and diffGrad at five learning rates, one stack of 11 networks a seed (D4, D5, D6)."""
    names = ("adam", "diffgrad")
    members = [Member(name, lr) for name in names for lr in LRS] + [Member("half", PAPER_LR)]
    accuracy, half, distance = [], [], []
    for run in _replicates(settings, members, settings.size.seeds, progress):
        accuracy.append([[_share(run, name, lr) for lr in LRS] for name in names])
        half.append(_share(run, "half", PAPER_LR))
        distance.append([run.distance(PAPER_LR, 1.0, name) for name in ("half", "adam")])
    return Grid(np.array(accuracy), np.array(half), np.array(distance))


@dataclass(frozen=True)
class Limits:
    """diffGrad against its two limits, N seeds: ``half`` (N, L), accuracy of Adam at half of ``LRS``; at the paper's
    rate and ``SCALES``, ``adam`` (N, C), its accuracy, and ``distance`` (N, 2, C) of diffGrad to half and to Adam.
    """

    half: Array
    adam: Array
    distance: Array


@cached
def limits(settings: Settings, progress: Progress | None = None) -> Limits:
    """Other loss scales, and half of the other learning rates; what diffGrad does at scale 1 is in `grid`."""
    members = [Member(name, PAPER_LR, c) for c in SCALES if c != 1.0 for name in NAMES]
    members += [Member("adam", PAPER_LR)] + [Member("half", lr) for lr in LRS if lr != PAPER_LR]
    known, half, adam, distance = grid(settings), [], [], []
    for r, run in enumerate(_replicates(settings, members, settings.size.scale_seeds, progress)):
        half.append([known.half[r] if lr == PAPER_LR else _share(run, "half", lr) for lr in LRS])
        adam.append([_share(run, "adam", PAPER_LR, c) for c in SCALES])
        distance.append([
            [known.distance[r, k] if c == 1.0 else run.distance(PAPER_LR, c, name) for c in SCALES]
            for k, name in enumerate(("half", "adam"))
        ])
    return Limits(np.array(half), np.array(adam), np.array(distance))


def _replicates(settings: Settings, members: list[Member], count: int, progress: Progress | None) -> Iterator[Trained]:
    """One stack a seed, all members of it from the same start and with the same batches."""
    data, test = _flat_images(settings)
    for r in range(count):
        yield train_mlp(
            data, test, members, seed=replicate_seed(settings.seed, r), epochs=settings.size.epochs,
            progress=_part(progress, r, count),
        )


def _share(run: Trained, name: str, lr: float, scale: float = 1.0) -> float:
    return float(run.accuracy[run.index(name, lr, scale)])


@cached
def single(settings: Settings, progress: Progress | None = None) -> Trained:
    """Three networks, in the order of ``NAMES``, at the settings' own learning rate, loss scale and friction."""
    members = [Member(name, settings.lr, settings.loss_scale) for name in NAMES]
    data, test = _flat_images(settings)
    return train_mlp(
        data, test, members, seed=replicate_seed(settings.seed, 0), epochs=settings.size.epochs,
        variant=settings.variant, progress=progress,
    )


@cached
def cnn_friction(settings: Settings, progress: Progress | None = None) -> tuple[cnn.FrictionRun, ...]:
    """The friction of every weight of the CNN, trained at the paper's rate; one run a seed."""
    data, test = images(settings)
    return tuple(
        cnn.watch_friction(
            data, test, steps=settings.size.cnn_steps, seed=replicate_seed(settings.seed, r), lr=PAPER_LR,
            progress=_part(progress, r, settings.size.cnn_seeds),
        )
        for r in range(settings.size.cnn_seeds)
    )


@dataclass(frozen=True)
class Games:
    """Online games of D8, in the order of ``NAMES``: (a) rare slope C, (b) slope 1010 every 101 rounds.

    ``average`` (3, K, C) and ``regret`` (3, K, C) of (a) at rounds ``t`` (K,); ``bound`` and ``wider_bound`` (C,) that
    the theorem prints for T; ``points`` (3, K, A) and ``end`` (3, A) of (b).
    """

    t: Array
    average: Array
    regret: Array
    bound: Array
    wider_bound: Array
    points: Array
    end: Array


@cached
def games(settings: Settings) -> Games:
    """Both counterexamples, b1 = 0, rate alpha / sqrt(t), on [-1, 1] from 0."""
    T, strikes = settings.size.rounds, np.array(STRIKES)
    rare = regret.periodic_slopes(strikes, -1.0, period=3, T=T)
    betas = (0.0, 1 / (1 + strikes**2))
    first = [regret.online_regret(rare, alpha=0.5, betas=betas, optimiser=name) for name in NAMES]
    heavy = regret.periodic_slopes([1010.0] * len(ALPHAS), -10.0, period=101, T=T)
    second = [regret.online_regret(heavy, alpha=ALPHAS, betas=(0.0, 0.99), optimiser=name) for name in NAMES]
    # where in its period a game stops moves the regret a little: the kept rounds end a period of both games
    kept = np.unique(np.geomspace(1, T // PERIODS, 60).astype(int)) * PERIODS - 1
    average, lost, points = (
        np.stack([values[kept] for values in parts])
        for parts in ([run.average for run in first], [run.regret for run in first], [run.x for run in second])
    )
    bound, wider = (
        regret.regret_bound(first[2], alpha=0.5, betas=betas, largest_moment=wide) for wide in (False, True)
    )
    return Games(kept + 1.0, average, lost, bound, wider, points, np.stack([run.end for run in second]))


@dataclass(frozen=True)
class Alias:
    """Largest friction of each step for a copied gradient, and for an aliased one with fresh and with reused
    gradients."""

    copied: tuple[float, ...]
    fresh: tuple[float, ...]
    reused: tuple[float, ...]


@cached
def alias_demo(steps: int = 20, seed: int = 0) -> Alias:
    """A linear regression whose gradients are of order 1, with the authors' first code and with a copy."""
    g = torch.Generator().manual_seed(seed)
    inputs, targets = torch.randn(steps, 32, 5, generator=g), torch.randn(steps, 32, generator=g)

    def run(alias: bool, set_to_none: bool) -> tuple[float, ...]:
        w = torch.nn.Parameter(torch.ones(5))
        optimizer = DiffGrad([w], lr=0.05, alias_bug=alias, record_friction=True)
        for x, y in zip(inputs, targets, strict=True):
            optimizer.zero_grad(set_to_none=set_to_none)
            (x @ w - y).square().mean().backward()
            optimizer.step()
        return tuple(record.max for record in optimizer.friction_log)

    return Alias(run(False, False), run(True, True), run(True, False))


@cached
def _flat_images(settings: Settings) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    (x, y), (test_x, test_y) = images(settings)
    return (x.flatten(1), y), (test_x.flatten(1), test_y)


def images(settings: Settings) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and test images (N, 1, 28, 28), standardized with the training set's mean and deviation, and labels."""
    train = fashion.load("train", n=settings.size.images, scale="standard")
    test = fashion.load("test", n=settings.size.test_images, scale="standard")
    place = settings.device
    return (train.x.to(place), train.y.to(place)), (test.x.to(place), test.y.to(place))


def _part(progress: Progress | None, part: int, parts: int) -> Progress | None:
    """Progress within one of several equal parts."""
    if progress is None:
        return None
    return lambda done, total: progress(part * total + done, parts * total)
