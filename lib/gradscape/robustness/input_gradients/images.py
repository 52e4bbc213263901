"""Parts B and C: networks on block images and what leaks; DiffROAR of standard and robust networks."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradscape.datasets import fashion, tables
from gradscape.datasets.labels import random_split
from gradscape.ensemble import StackedMLP
from gradscape.lesson import cached, generator, protocol, replicate_seed
from gradscape.robustness.input_gradients.blocks import block_images, leakage
from gradscape.robustness.input_gradients.gradients import input_gradient, random_attribution, tied
from gradscape.robustness.input_gradients.roar import DiffRoarResult, diffroar
from gradscape.robustness.input_gradients.settings import BLOCK_EPS, CLASSES, LEVELS, RICH, VARIANTS, Settings
from gradscape.robustness.input_gradients.training import Adversary, accuracy, fit, network

Progress = Callable[[int, int], None]
LR, BATCH = 2e-3, 100
HIDDEN_BLOCK, HIDDEN_ROAR = (100, 100), (128, 128)
RANDOM = "random"
_TRAIN, _TEST, _SCORES, _TIES, _FRESH = 2_000, 2_001, 3_000, 3_001, 4_000  # replicate numbers of the data's streams


def stage(progress: Progress | None, part: int, parts: int) -> Progress | None:
    """Report the ``part``-th of equal parts of a run."""
    if progress is None:
        return None
    return lambda done, total: progress(part * total + done, parts * total)


def l2_adversary(eps: float) -> Adversary | None:
    """Four l2 steps of .5 eps within [0, 1]; none for radius 0."""
    return Adversary(eps, "l2", 4, 0.5) if eps else None


def standard_options(epochs: int, seed: int) -> dict[str, Any]:
    """How every image network is trained: Adam up to 2e-3, one cycle, batches of 100."""
    return {"epochs": epochs, "lr": LR, "batch": BATCH, "schedule": "one_cycle", "seed": seed}


# ---- block images --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Images (N, s²) and labels, for training and for testing."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor

    @property
    def side(self) -> int:
        """Pixels along an edge."""
        return round(self.x.shape[1] ** 0.5)


@functools.cache
def _fashion(split: str, pool: int, classes: tuple[int, ...] | None) -> tuple[Tensor, Tensor]:
    x, y = fashion.load("train" if split == "train" else "test", pool=pool, flat=True, classes=classes)
    return x, y


def fashion_split(seed: int, pool: int, count: int, test: int, classes: tuple[int, ...] | None = None) -> Split:
    """``count`` training images drawn by ``seed``, and the first ``test`` test images."""
    (x, y), (x_test, y_test) = (_fashion(split, pool, classes) for split in ("train", "test"))
    (chosen,) = random_split(len(x), (count,), generator(seed, _TRAIN))
    return Split(x[chosen], y[chosen], x_test[:test], y_test[:test])


def digits_split(seed: int) -> Split:
    """1200 digits of 8 x 8 pixels for training and 500 for testing."""
    x, y = tables.digits()
    first, second = random_split(len(x), (1200, 500), generator(seed, _TRAIN))
    return Split(x[first], y[first], x[second], y[second])


@dataclass(frozen=True)
class Blocks:
    """Networks of the three variants, and what their gradients leak on test images of their own kind.

    Per variant: ``nets``; test images (N, 2 s²) with ``on_top`` (N,); magnitudes ``gradient`` (E, N, 2 s²); ``lam`` and
    ``nu`` (E, N); ``clean`` and ``attacked`` accuracy (E,), the latter under the robust variant's training attack.
    """

    side: int
    nets: dict[str, StackedMLP]
    images: dict[str, Tensor]
    labels: Tensor
    on_top: dict[str, Tensor]
    gradient: dict[str, Tensor]
    lam: dict[str, Tensor]
    nu: dict[str, Tensor]
    clean: dict[str, Tensor]
    attacked: dict[str, Tensor]

    def median_lam(self, variant: str) -> Tensor:
        """Median over test images, (E,)."""
        return self.lam[variant].median(-1).values

    def mean_nu(self, variant: str) -> Tensor:
        """Mean over test images, (E,)."""
        return self.nu[variant].mean(-1)


def train_blocks(
    split: Split, seed: int, networks: int, epochs: int, scale: float, eps: float = BLOCK_EPS,
    variants: Sequence[str] = VARIANTS, progress: Progress | None = None,
) -> Blocks:
    """Train the variants on block images made of ``split``; networks of one replicate start alike in all of them."""
    found: dict[str, dict[str, object]] = {name: {} for name in ("nets", "images", "on_top", "gradient", "lam", "nu",
                                                                 "clean", "attacked")}
    seeds = [replicate_seed(seed, r) for r in range(networks)]
    labels = split.y_test
    for part, variant in enumerate(variants):
        position = "top" if variant == "top" else "random"
        x, y, _ = block_images(split.x, split.y, generator(seed, _TRAIN + 10), position)
        x_test, labels, on_top = block_images(split.x_test, split.y_test, generator(seed, _TEST), position)
        net = network((x.shape[1], *HIDDEN_BLOCK, int(y.max()) + 1), seeds, scale)
        fit(net, x, y, adversary=l2_adversary(eps) if variant == "robust" else None,
            progress=stage(progress, part, len(variants)),
            **standard_options(epochs, seed))
        gradient = input_gradient(net, x_test).abs()
        lam, nu = leakage(gradient, on_top, split.side)
        values = (net, x_test, on_top, gradient, lam, nu, accuracy(net, x_test, labels),
                  accuracy(net, x_test, labels, l2_adversary(eps)))
        for kept, value in zip(found.values(), values, strict=True):
            kept[variant] = value
    return Blocks(split.side, labels=labels, **found)  # type: ignore[arg-type]


@protocol
def blocks(
    settings: Settings, scale: float = RICH, pool: int = 0, *, progress: Progress | None = None
) -> Blocks:
    """The lesson's block images: four classes of Fashion-MNIST, pooled as the sizes say (or by ``pool``)."""
    size = settings.size
    split = fashion_split(settings.seed, pool or size.pool, size.block_images, size.block_test, CLASSES)
    return train_blocks(split, settings.seed, size.block_networks, size.block_epochs, scale, progress=progress)


@protocol
def digit_blocks(settings: Settings, scale: float = RICH, *, progress: Progress | None = None) -> Blocks:
    """The same with scikit-learn's digits, ten classes of 8 x 8 pixels."""
    size = settings.size
    return train_blocks(digits_split(settings.seed), settings.seed, size.block_networks, 2 * size.block_epochs, scale,
                        progress=progress)


# ---- DiffROAR ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Roar:
    """Base networks and their DiffROAR. ``kinds``: "standard", "robust …", "random"; ``rows`` their rankings."""

    kinds: tuple[str, ...]
    rows: dict[str, range]
    result: DiffRoarResult
    clean: dict[str, Tensor]  # accuracy of the base networks, (B,)
    attacked: dict[str, Tensor]  # under the attack they were trained against (standard: that of the first radius)
    ties: float  # share of tied coordinates in the base networks' rankings

    def of(self, kind: str, name: str) -> Tensor:
        """A field of the result (``diff``, ``mask_only_top``, …) for one kind, (rankings, L)."""
        value: Tensor = getattr(self.result, name)[list(self.rows[kind])]
        return value

    def mean(self, kind: str, name: str = "diff") -> Tensor:
        """Its mean over rankings, in points of accuracy, (L,)."""
        # a share of counts: 2.5 points must not become 2.4999999 and miss a bound of 2.5
        return (100 * self.of(kind, name).nanmean(0)).round(decimals=9)


def robust_kind(eps: float) -> str:
    """Name of the robust networks of one radius."""
    return f"robust, ε = {eps:g}"


def run_roar(
    split: Split, seed: int, *, radii: Sequence[float], levels: Sequence[float], networks: int, rankings: int,
    base_epochs: int, epochs: int, scale: float = RICH, progress: Progress | None = None,
) -> Roar:
    """Train base networks (standard, and robust at ``radii``), take their gradients, and retrain on what is kept."""
    sizes = (split.x.shape[1], *HIDDEN_ROAR, int(split.y.max()) + 1)
    seeds = [replicate_seed(seed, r) for r in range(networks)]
    train, test, rows, clean, attacked = [], [], {}, {}, {}
    kinds = [(0.0, "standard"), *((eps, robust_kind(eps)) for eps in radii if eps)]
    for number, (eps, kind) in enumerate(kinds):
        net = network(sizes, seeds, scale)
        fit(net, split.x, split.y, adversary=l2_adversary(eps),
            progress=stage(progress, number, len(kinds) + 1),
            **standard_options(base_epochs, seed))
        train.append(input_gradient(net, split.x).abs())
        test.append(input_gradient(net, split.x_test).abs())
        rows[kind] = range(number * networks, (number + 1) * networks)
        clean[kind] = accuracy(net, split.x_test, split.y_test)
        attacked[kind] = accuracy(net, split.x_test, split.y_test, l2_adversary(eps or max(radii, default=0.0)))
    ties = sum(tied(scores) for scores in train) / len(train)
    g, start = generator(seed, _SCORES), len(kinds) * networks
    blind = list(range(start + min(1, rankings)))
    if rankings:
        train.append(random_attribution((rankings, *split.x.shape), g))
        test.append(random_attribution((rankings, *split.x_test.shape), g))
        rows[RANDOM] = range(start, start + rankings)

    def fresh(members: int) -> StackedMLP:
        return network(sizes, [replicate_seed(seed, _FRESH + m) for m in range(members)], scale)

    result = diffroar(split.x, split.y, split.x_test, split.y_test, torch.cat(train), torch.cat(test), levels, fresh,
                      standard_options(epochs, seed), mask_only=blind, generator=generator(seed, _TIES),
                      progress=stage(progress, len(kinds), len(kinds) + 1))
    return Roar(tuple(rows), rows, result, clean, attacked, ties)


@protocol
def roar(settings: Settings, scale: float = RICH, pool: int = 2, *, progress: Progress | None = None) -> Roar:
    """Ten classes of Fashion-MNIST, 14 x 14 pixels: the claims' base networks, levels and random rankings."""
    size = settings.size
    split = fashion_split(settings.seed, pool, size.roar_images, size.roar_test)
    return run_roar(split, settings.seed, radii=size.radii, levels=size.levels, networks=size.roar_networks,
                    rankings=size.rankings, base_epochs=size.base_epochs, epochs=size.epochs, scale=scale,
                    progress=progress)


@cached
def roar_at(settings: Settings, levels: tuple[float, ...] = LEVELS, *, progress: Progress | None = None) -> Roar:
    """A small DiffROAR to play with: a third of the images, one base network at the settings' radius."""
    size = settings.size
    split = fashion_split(settings.seed, 2, size.roar_images // 3, size.roar_test)
    radii = (settings.radius,) if settings.radius else ()
    return run_roar(split, settings.seed, radii=radii, levels=levels, networks=1, rankings=0,
                    base_epochs=size.base_epochs, epochs=size.epochs, progress=progress)
